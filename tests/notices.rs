//! Notices to postmaster about trouble in sessions: `notify_classes`.

use anyhow::Result;
use testkit::client::Client;
use testkit::dialog::Peer;
use testkit::instance::{Instance, Setup};

/// Tells the user of this class of trouble.
fn telling(class: &str) -> Setup {
    Setup::new()
        .main("notify_classes", class)
        .main("internal_mail_filter_classes", "notify")
        .main("header_checks", "regexp:{{/^Subject: .*errors from/ PREPEND X-Checked: yes}}")
}

/// The notice: what is before its first empty line, and the rest.
fn notice(mail: &Instance) -> Result<(String, String)> {
    mail.wait("the notice", || mail.mailbox(&mail.user).contains("see the local mail logfile\n"))?;
    let text = mail.mailbox(&mail.user);
    let (head, body) = text.split_once("\n\n").unwrap_or_default();
    mail.wait("empty queue", || mail.queue_is_empty())?;
    Ok((head.to_owned(), body.trim_end().to_owned()))
}

#[test]
fn postmaster_learns_what_a_client_was_refused() -> Result<()> {
    let mail = telling("policy")
        .main("always_bcc", "archive@invalid")
        .main("smtpd_relay_restrictions", "reject_unauth_destination")
        .main("smtpd_error_sleep_time", "0")
        .start()?;
    let mut client = Client::connect(mail.port)?;
    client.say("HELO c.test", 250)?;
    client.say("MAIL FROM:<a@a.test>", 250)?;
    client.say(&format!("RCPT TO:<{}@other.test>", "x".repeat(70)), 554)?;
    drop(client);
    let (head, body) = notice(&mail)?;
    let mut lines = head.lines().skip_while(|line| !line.starts_with("Received: by mail.example.test (Postern)"));
    assert!(lines.nth(1).is_some_and(|line| line.starts_with("\tid ")), "{head}");
    assert!(lines.next().is_some_and(|line| line.starts_with("Date: ")), "{head}");
    assert!(head.contains("\nX-Checked: yes\nSubject: Postern SMTP server: errors from "), "{head}");
    let address = format!("<{}@other.test>", "x".repeat(70));
    let expected = format!(
        "Transcript of session follows.\n\n \
         Out: 220 mail.example.test ESMTP Postern\n In:  HELO c.test\n Out: 250 mail.example.test\n \
         In:  MAIL FROM:<a@a.test>\n Out: 250 2.1.0 Ok\n In:  RCPT\n     TO:{address}\n Out: 554 5.7.1\n     {address}:\n     \
         Relay access denied\n\nSession aborted, reason: lost connection\n\nFor other details, see the local mail logfile"
    );
    assert_eq!(body, expected);
    assert!(!mail.log().contains("archive@invalid"), "{}", mail.log());
    Ok(())
}

#[test]
fn what_was_followed_by_a_message_is_not_told_and_refused_mail_is_told_to_another() -> Result<()> {
    let mail = telling("bounce").main("error_notice_recipient", "lost@invalid").start()?;
    let mut client = Client::connect(mail.port)?;
    client.say("HELO c.test", 250)?;
    client.say("MAIL FROM:<a@a.test>", 250)?;
    client.say("RCPT TO:<nobody-there@mail.example.test>", 550)?;
    client.say("RSET", 250)?;
    client.deliver("a@a.test", &[&format!("{}@mail.example.test", mail.user)], "Subject: x\n\nbody\n")?;
    client.say("QUIT", 221)?;
    let mut client = Client::connect(mail.port)?;
    client.say("HELO c.test", 250)?;
    client.say("MAIL FROM:<a@a.test>", 250)?;
    client.say("RCPT TO:<nobody-there@mail.example.test>", 550)?;
    client.say("QUIT", 221)?;
    let (head, _) = notice(&mail)?;
    assert!(mail.mailbox(&mail.user).contains("\nTo: Postmaster <lost@invalid>\n"), "{head}");
    assert_eq!(mail.mailbox(&mail.user).matches("Transcript of session follows").count(), 1, "{}", mail.log());
    Ok(())
}

#[test]
fn a_transcript_ends_with_the_reply_to_the_content() -> Result<()> {
    let mail = telling("policy")
        .main("smtpd_history_flush_threshold", "1")
        .main("smtpd_end_of_data_restrictions", "check_sender_access static:{REJECT no content}")
        .start()?;
    let mut client = Client::connect(mail.port)?;
    client.say("HELO c.test", 250)?;
    client.say("MAIL FROM:<a@a.test>", 250)?;
    client.say(&format!("RCPT TO:<{}@mail.example.test>", mail.user), 250)?;
    client.say("DATA", 354)?;
    client.say(".", 554)?;
    let (_, body) = notice(&mail)?;
    let end = " Out: 554 5.7.1 <a@a.test>: Sender address rejected: no content\n\n\nFor other details";
    assert!(body.contains(end), "{body}");
    Ok(())
}

#[test]
fn postmaster_learns_of_servers_that_do_not_keep_to_the_protocol() -> Result<()> {
    for (sender, refusal, told) in [
        ("gone@mail.example.test", "502 what is that", true),
        ("gone@mail.example.test", "550 no", false),
        ("", "502 what is that", false),
        ("double-bounce@mail.example.test", "502 what is that", false),
    ] {
        let server = Peer::listen(&[&format!(
            "S: 220 mx ESMTP\nC: EHLO *\nS: 250 mx\nC: MAIL FROM:<*>\nS: {refusal}\nC: RSET\nS: 250 ok\nC: QUIT"
        )])?;
        let address = server.address;
        let mail = telling("protocol").main("relayhost", format!("[127.0.0.1]:{}", address.port())).start()?;
        let mut client = Client::connect(mail.port)?;
        client.say("HELO c.test", 250)?;
        client.deliver(sender, &["a@other.test"], "Subject: x\n\nsecret\n")?;
        server.finish()?;
        if !told {
            mail.wait("empty queue", || mail.queue_is_empty())?;
            assert!(!mail.log().contains("to=<postmaster@"), "{}", mail.log());
            continue;
        }
        let (head, body) = notice(&mail)?;
        let server = format!("127.0.0.1[127.0.0.1]:{}", address.port());
        assert!(head.contains(&format!("\nSubject: Postern SMTP client: errors from {server}")), "{head}");
        let expected = format!(
            "Unexpected response from {server}.\n\nTranscript of session follows.\n\n \
             In:  220 mx ESMTP\n Out: EHLO mail.example.test\n In:  250 mx\n Out: MAIL FROM:<{sender}>\n In:  {refusal}\n \
             Out: RSET\n In:  250 ok\n Out: QUIT\n\nFor other details, see the local mail logfile"
        );
        assert_eq!(body, expected);
    }
    Ok(())
}

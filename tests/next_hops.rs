//! Servers behind one another: who gets what the first one does not take.

use anyhow::Result;
use testkit::client::{Client, NextHop};
use testkit::dialog::Peer;
use testkit::instance::Setup;

#[test]
fn who_is_put_off_by_one_server_is_taken_by_the_next_one_whatever_becomes_of_the_others() -> Result<()> {
    let first = Peer::listen(&["S: 220 first ESMTP
        C: EHLO *
        S: 250 first
        C: MAIL FROM:<s@example.net>
        S: 250 2.1.0 Ok
        C: RCPT TO:<a@one.example>
        S: 250 2.1.5 Ok
        C: RCPT TO:<b@one.example>
        S: 450 4.2.1 Not now
        C: DATA
        S: 550 5.7.1 Never"])?;
    let second = NextHop::open()?;
    let hops = format!("[127.0.0.1]:{}, [127.0.0.1]:{}", first.address.port(), second.port);
    let mail = Setup::new().main("relayhost", hops).start()?;
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.deliver("s@example.net", &["a@one.example", "b@one.example"], "Subject: x\n\nHello.\n")?;
    mail.wait_log(&["to=<a@one.example>", "dsn=5.7.1, status=bounced"], 1)?;
    mail.wait_log(&["to=<b@one.example>", "status=sent"], 1)?;
    assert!(second.messages().concat().contains("RCPT TO:<b@one.example>"));
    Ok(())
}

#[test]
fn what_requires_tls_comes_back_when_no_server_has_it_and_without_its_content() -> Result<()> {
    let script = "S: 220 x ESMTP
        C: EHLO *
        S: 250-x
        S: 250 REQUIRETLS
        C: QUIT";
    let (first, second, back) = (Peer::listen(&[script])?, Peer::listen(&[script])?, NextHop::open()?);
    let hops = format!("[127.0.0.1]:{}, [127.0.0.1]:{}", first.address.port(), second.address.port());
    let ways = format!("inline:{{{{one.example = smtp:{hops}}}, {{example.net = smtp:[127.0.0.1]:{}}}}}", back.port);
    let mail = Setup::new().main("transport_maps", ways.replace(", [", ",[")).main("smtp_requiretls_policy", "enforce");
    let mail = mail.start()?;
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.say("MAIL FROM:<s@example.net> REQUIRETLS", 555)?;
    client.deliver("s@example.net", &["a@one.example"], "Require-TLS-ESMTP: yes\nSubject: x\n\nHidden.\n")?;
    let lines = mail.wait_log(&["to=<a@one.example>", "dsn=5.7.30, status=bounced (REQUIRETLS Failure: "], 1)?;
    assert!(lines.concat().contains(&format!("]:{}", second.address.port())), "{lines:?}");
    mail.wait_log(&["to=<s@example.net>", "status=sent"], 1)?;
    let notice = back.messages().concat();
    assert!(notice.contains("Subject: x") && !notice.contains("Hidden."), "{notice}");
    first.finish()?;
    second.finish()
}

#[test]
fn a_password_that_a_server_has_refused_is_not_tried_again() -> Result<()> {
    let hello = "S: 220 x ESMTP
        C: EHLO *
        S: 250-x
        S: 250 AUTH PLAIN
        ";
    let refused = format!("{hello}C: AUTH PLAIN AGpvZQBzZWNyZXQ=\nS: 535 5.7.8 Wrong\nC: QUIT");
    let server = Peer::listen(&[&refused, &format!("{hello}C: QUIT")])?;
    let hop = format!("[127.0.0.1]:{}", server.address.port());
    let mail = Setup::new()
        .main("relayhost", hop)
        .main("smtp_sasl_auth_enable", "yes")
        .main("smtp_sasl_password_maps", "static:joe:secret")
        .main("smtp_sasl_security_options", "")
        .main("smtp_sasl_auth_soft_bounce", "no")
        .main("smtp_sasl_auth_cache_name", "proxy:lmdb:$data_directory/refused")
        .start()?;
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    for (recipient, reason) in [
        (
            "a@one.example",
            "status=bounced (SASL authentication failed; server 127.0.0.1[127.0.0.1] said: 535 5.7.8 Wrong",
        ),
        (
            "b@one.example",
            "status=bounced (SASL [CACHED] authentication failed; server 127.0.0.1 said: 535 5.7.8 Wrong)",
        ),
    ] {
        client.deliver("", &[recipient], "Subject: x\n\nHello.\n")?;
        mail.wait_log(&[&format!("to=<{recipient}>"), "dsn=5.7.8", reason], 1)?;
    }
    server.finish()?;
    assert!(!mail.log().contains("warning: "), "{}", mail.log());
    Ok(())
}

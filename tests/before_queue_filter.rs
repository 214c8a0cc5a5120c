//! `smtpd_proxy_filter`: what a filter says at each step, and what the client then hears.

use anyhow::{Context, Result};
use testkit::client::Client;
use testkit::dialog::Peer;
use testkit::instance::{Instance, Setup};

const GREETED: &str = "S: 220 filter\nC: EHLO *\nS: 250 filter\n";
const ADDRESSED: &str = "C: MAIL FROM:<a@example.net>\nS: 250 ok\nC: RCPT TO:<b@mail.example.test>\nS: 250 ok\n";
const CONTENT: &str = "C: DATA\nS: 354 go on\nC: Received: *\nC: \tby mail.example.test (*) with ESMTP\n\
                       C: \tfor <b@mail.example.test>; *\nC: Subject: x\nC: \nC: text\nC: .\n";

fn instance(filter: &Peer, more: Option<&str>) -> Result<Instance> {
    Setup::new()
        .main("smtpd_proxy_filter", filter.address.to_string())
        .main("smtpd_proxy_options", more.unwrap_or_default())
        .main("local_recipient_maps", "")
        .main("smtpd_proxy_timeout", "5s")
        .start()
}

fn addressed(mail: &Instance) -> Result<(Client, String)> {
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    let reply = client.command("RCPT TO:<b@mail.example.test>")?;
    Ok((client, format!("{} {}", reply.code, reply.text())))
}

#[test]
fn what_it_refuses_before_data_is_refused() -> Result<()> {
    for (dialog, expected, logged) in [
        (
            "S: 421 busy\n".to_owned(),
            "451 4.3.0 Error: queue file write error",
            "rejected \"connection request\": \"421",
        ),
        ("S: 220 x\nC: EHLO *\nS: 500 x\n".into(), "451 4.3.0 Error: queue file write error", "rejected \"EHLO "),
        (format!("{GREETED}C: MAIL *\nS: 550 5.1.0 bad\n"), "550 5.1.0 bad", "rejected \"MAIL FROM:<a@example.net>\""),
        (
            format!("{GREETED}C: MAIL *\nS: 250 ok\nC: RCPT *\nS: 354 what\n"),
            "451 4.3.0 Error: queue file write error",
            "rejected \"RCPT TO:<b@mail.example.test>\": \"354 what\"",
        ),
    ] {
        let filter = Peer::listen(&[&dialog])?;
        let mail = instance(&filter, None)?;
        let (mut client, reply) = addressed(&mail)?;
        assert_eq!(reply, expected, "{dialog}");
        client.say("DATA", 554)?;
        mail.wait_log(&[logged], 1)?;
        filter.finish().context(dialog)?;
    }
    Ok(())
}

#[test]
fn only_a_message_that_it_took_is_accepted() -> Result<()> {
    for (rest, expected) in [
        ("C: DATA\nS: 554 5.7.1 no\n".to_owned(), "554 5.7.1 no"),
        ("C: DATA\nS: 250 ok\n".into(), "451 4.3.0 Error: queue file write error"),
        (format!("{CONTENT}S: 250 2.0.0 taken\n"), "250 2.0.0 taken"),
        (format!("{CONTENT}S: 354 more\n"), "451 4.3.0 Error: queue file write error"),
        (format!("{CONTENT}S: 550 5.7.1 spam\n"), "550 5.7.1 spam"),
    ] {
        let dialog = format!("{GREETED}{ADDRESSED}{rest}");
        for speed in [None, Some("speed_adjust")] {
            let filter = Peer::listen(&[&dialog])?;
            let mail = instance(&filter, speed)?;
            let (mut client, reply) = addressed(&mail)?;
            assert_eq!(reply, "250 2.1.5 Ok", "{dialog}");
            let mut reply = client.command("DATA")?;
            // At full speed the filter hears DATA when the client says it.
            assert_eq!(reply.code == 354, speed.is_some() || rest.starts_with(CONTENT), "{reply:?} {dialog}");
            if reply.code == 354 {
                client.send(b"Subject: x\r\n\r\ntext\r\n.\r\n")?;
                reply = client.reply()?;
            }
            filter.finish().context(dialog.clone())?;
            assert_eq!(format!("{} {}", reply.code, reply.text()), expected, "{speed:?} {dialog}");
        }
    }
    Ok(())
}

//! A log that is not read holds no mail up, and has every line in the end.

use anyhow::Result;
use nix::sys::signal::Signal;
use std::os::unix::net::UnixDatagram;
use testkit::client::Client;
use testkit::instance::{Instance, Setup};

/// Too many to wait some seconds for each.
const MESSAGES: usize = 60;

#[test]
fn mail_is_delivered_while_the_log_is_not_read() -> Result<()> {
    let mut mail = Setup::new().start()?;
    let to = format!("{}@mail.example.test", mail.user);
    send(&mail, &to)?;
    mail.wait_log(&["qmgr", "removed"], 1)?;
    mail.signal("postlogd", Signal::SIGSTOP)?;
    let filler = UnixDatagram::unbound()?;
    filler.set_nonblocking(true)?;
    filler.connect(mail.root.join("spool/public/postlog"))?;
    while filler.send(b"fills the queue\n").is_ok() {}
    for _ in 0..MESSAGES {
        send(&mail, &to)?;
    }
    mail.wait("delivery", || mail.mailbox(&mail.user).matches("Subject: x").count() == MESSAGES + 1)?;
    mail.signal("postlogd", Signal::SIGCONT)?;
    mail.wait_log(&["local", "status=sent"], MESSAGES + 1)?;
    mail.stop()
}

fn send(mail: &Instance, to: &str) -> Result<()> {
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.deliver("a@example.net", &[to], "Subject: x\n\nx\n")?;
    Ok(())
}

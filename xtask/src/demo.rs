//! `demo`: a private instance that receives, delivers and relays mail before your eyes.

use crate::build::{self, Profile};
use anyhow::{Result, bail};
use std::ffi::OsString;
use testkit::client::{Client, NextHop};
use testkit::instance::{Instance, Setup};

/// `cargo xtask demo`.
#[expect(clippy::print_stdout, reason = "the demo is there to be seen")]
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    let keep = match arguments {
        [] => false,
        [option] if option == "--keep" => true,
        _ => bail!("demo knows --keep only"),
    };
    build::programs(&Profile::dev())?;
    let hop = NextHop::open()?;
    let mut mail = start(hop.port)?;
    println!("A private instance runs below {} and listens on 127.0.0.1:{}.\n", mail.root.display(), mail.port);
    let user = format!("{}@mail.example.test", mail.user);

    submit(mail.port, &user, "by SMTP")?;
    let sent = mail.run("sendmail", ["-i", &user], "Subject: by sendmail\n\nHello from the sendmail command.\n")?;
    if !sent.status.success() {
        bail!("sendmail: {}", String::from_utf8_lossy(&sent.stderr));
    }
    submit(mail.port, "someone@remote.example", "to a remote domain")?;

    let name = mail.user.clone();
    mail.wait("mail in the mailbox", || {
        ["by SMTP", "by sendmail"].iter().all(|subject| mail.mailbox(&name).contains(subject))
    })?;
    println!("The mailbox {}:\n{}", mail.root.join("mail").join(&name).display(), indent(&mail.mailbox(&name)));
    mail.wait("mail at the next hop", || !hop.messages().is_empty())?;
    println!(
        "What the next hop of remote.example on 127.0.0.1:{} received:\n{}",
        hop.port,
        indent(&hop.messages().concat())
    );
    mail.wait("empty queue", || mail.queue_is_empty())?;
    println!("mailq:\n{}", indent(&String::from_utf8_lossy(&mail.run("mailq", [""; 0], "")?.stdout)));
    println!("The log {}:\n{}", mail.root.join("maillog").display(), indent(&mail.log()));
    places(&mail);
    if keep {
        println!("It keeps running. To stop it: MAIL_CONFIG={0}/etc {0}/bin/postfix stop", mail.root.display());
        mail.leave();
        return Ok(());
    }
    mail.stop()
}

fn start(hop: u16) -> Result<Instance> {
    Setup::new().programs(Profile::dev().folder()).main("relayhost", format!("[127.0.0.1]:{hop}")).start()
}

#[expect(clippy::print_stdout, reason = "the demo is there to be seen")]
fn places(mail: &Instance) {
    println!("Configuration: {0}/etc  queue: {0}/spool  mailboxes: {0}/mail  programs: {0}/bin", mail.root.display());
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}\n")).collect()
}

/// Speaks SMTP to the instance.
fn submit(port: u16, recipient: &str, subject: &str) -> Result<()> {
    let mut client = Client::connect(port)?;
    client.say("EHLO client.example", 250)?;
    let text = format!("From: <sender@client.example>\nTo: <{recipient}>\nSubject: {subject}\n\nHello by SMTP.\n");
    client.deliver("sender@client.example", &[recipient], &text)?;
    client.say("QUIT", 221)?;
    Ok(())
}

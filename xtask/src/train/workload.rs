//! The mail that an instance carries while its programs count: what a busy site sees most, in its proportions, without
//! anything so long that the rest would seem idle beside it.

use anyhow::{Result, bail};
use std::path::Path;
use testkit::client::{Client, NextHop};
use testkit::instance::{Instance, Setup};

/// Sessions at once, messages in each connection, and connections one after the other.
const RELAYED: [(usize, usize, usize); 4] = [(1, 1, 300), (20, 1, 60), (20, 60, 1), (60, 5, 3)];
/// Messages to each kind of mailbox, and from `sendmail`.
const DELIVERED: usize = 200;
/// Recipients of each message to many.
const MANY: usize = 50;

/// Starts an instance of these programs, whose counts go to `counts` below its root, and ends it when all is done.
pub(super) fn carry(programs: &Path, counts: &str) -> Result<Instance> {
    let hop = NextHop::open()?;
    let refused = testkit::port::free_port()?;
    let mut mail = Setup::new()
        .programs(programs)
        .environment("LLVM_PROFILE_FILE", format!("{{root}}/{counts}"))
        .main("relayhost", format!("[127.0.0.1]:{}", hop.port))
        .main(
            "transport_maps",
            format!("inline:{{ later.example=smtp:[127.0.0.1]:{refused}, nowhere.example=discard: }}"),
        )
        .virtual_mailboxes()?
        .start()?;
    relay(&mail, &hop)?;
    deliver(&mail)?;
    defer(&mail)?;
    for arguments in [&["-h", "myhostname"][..], &["-n"], &["smtpd_banner"]] {
        run(&mail, "postconf", arguments, "")?;
    }
    run(&mail, "postmap", &["-q", "key", "inline:{ key=value }"], "")?;
    mail.stop()?;
    Ok(mail)
}

fn relay(mail: &Instance, hop: &NextHop) -> Result<()> {
    for (sessions, messages, connections) in RELAYED {
        let sent = hop.count() + sessions * messages * connections;
        at_once(sessions, || {
            for _ in 0..connections {
                talk(mail, messages, &["someone@remote.example"], 60)?;
            }
            Ok(())
        })?;
        mail.wait("relayed messages", || hop.count() >= sent)?;
    }
    let many: Vec<String> = (0..MANY).map(|number| format!("user{number}@remote{number}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    talk(mail, 4, &many, 60)?;
    // A megabyte: enough for its way through the suite to be known.
    talk(mail, 2, &["someone@remote.example"], 14_000)?;
    gone(mail)
}

fn deliver(mail: &Instance) -> Result<()> {
    let local = format!("{}@mail.example.test", mail.user);
    let virtual_user = "someone@virtual.example";
    at_once(4, || {
        for recipient in [local.as_str(), virtual_user, "someone@nowhere.example"] {
            talk(mail, DELIVERED / 4, &[recipient], 60)?;
        }
        (0..DELIVERED / 8).try_for_each(|_| run(mail, "sendmail", &["-i", &local], &text(20)))?;
        refused(mail)
    })?;
    gone(mail)
}

/// Recipients that do not exist.
fn refused(mail: &Instance) -> Result<()> {
    let mut client = greeted(mail)?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    for number in 0..10 {
        client.say(&format!("RCPT TO:<unknown{number}@mail.example.test>"), 550)?;
    }
    client.say("QUIT", 221)?;
    Ok(())
}

/// Mail that waits, is listed, tried again and removed.
fn defer(mail: &Instance) -> Result<()> {
    at_once(10, || talk(mail, DELIVERED / 10, &["someone@later.example"], 60))?;
    mail.wait_log(&["status=deferred"], DELIVERED)?;
    for arguments in [["-p"], ["-j"], ["-f"]] {
        run(mail, "postqueue", &arguments, "")?;
    }
    mail.wait_log(&["status=deferred"], 2 * DELIVERED)?;
    run(mail, "postsuper", &["-d", "ALL"], "")
}

/// The same in several threads.
fn at_once(threads: usize, work: impl Fn() -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        for thread in threads {
            match thread.join() {
                Ok(done) => done?,
                Err(_) => bail!("a session panicked"),
            }
        }
        Ok(())
    })
}

/// A connection that brings messages of so many lines.
fn talk(mail: &Instance, messages: usize, recipients: &[&str], lines: usize) -> Result<()> {
    let mut client = greeted(mail)?;
    for _ in 0..messages {
        client.deliver("sender@client.example", recipients, &text(lines))?;
    }
    client.say("QUIT", 221)?;
    Ok(())
}

fn greeted(mail: &Instance) -> Result<Client> {
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    Ok(client)
}

/// A message with the header of most.
fn text(lines: usize) -> String {
    let header = "Received: from desk.client.example (desk.client.example [192.0.2.7])\n\
                  \tby out.client.example with ESMTPS id 4XyZ12; Sun, 22 Nov 2026 10:00:00 +0000\n\
                  From: \"A. Sender\" <sender@client.example>\nTo: Someone <someone@remote.example>\n\
                  Date: Sun, 22 Nov 2026 10:00:00 +0000\nMessage-ID: <20261122100000.4711@client.example>\n\
                  Subject: what is said most\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n";
    let line = "A line of text that is neither very short nor longer than what people write in one.\n";
    header.to_owned() + &line.repeat(lines)
}

fn gone(mail: &Instance) -> Result<()> {
    mail.wait("empty queue", || mail.queue_files() == 0)
}

fn run(mail: &Instance, command: &str, arguments: &[&str], input: &str) -> Result<()> {
    let output = mail.run(command, arguments, input)?;
    if !output.status.success() {
        bail!("{command} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

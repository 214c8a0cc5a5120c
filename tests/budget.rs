//! What a relayed message costs on a kept connection: internal frames and system calls, counted.

use anyhow::{Context, Result};
use std::process::{Command, Stdio};
use testkit::client::{Client, NextHop};
use testkit::instance::Setup;

const STRACE: &str = "/usr/bin/strace";
/// Messages that warm everything up, then those that are counted.
const WARM: usize = 50;
const COUNTED: usize = 100;
/// System calls per message of the whole suite.
const MOST_CALLS: usize = 170;
/// Internal messages per message, as reads of internal sockets.
const MOST_FRAMES: usize = 10;

#[test]
fn a_relayed_message_stays_within_its_budget() -> Result<()> {
    if !tests::has_peer("a_relayed_message_stays_within_its_budget", STRACE) {
        return Ok(());
    }
    let hop = NextHop::open()?;
    let mut mail = Setup::new().main("relayhost", format!("[127.0.0.1]:{}", hop.port)).start()?;
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    let text = format!("Subject: x\n\n{}", "A line of text.\n".repeat(250));
    let mut deliver = |count: usize| -> Result<()> {
        for _ in 0..count {
            client.deliver("a@example.net", &["b@remote.example"], &text)?;
        }
        Ok(())
    };
    deliver(WARM)?;
    mail.wait("warm messages", || hop.messages().len() == WARM)?;

    let trace = mail.root.join("trace");
    let mut command = Command::new(STRACE);
    command.args(["-f", "-y", "-o"]).arg(&trace);
    for (pid, _) in mail.processes() {
        command.args(["-p", &pid.to_string()]);
    }
    let mut tracer = command.stderr(Stdio::piped()).spawn()?;
    attached(&mut tracer, mail.processes().len())?;
    deliver(COUNTED)?;
    mail.wait("counted messages", || hop.messages().len() == WARM + COUNTED)?;
    mail.wait("empty queue", || mail.queue_files() == 0)?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(tracer.id())?), nix::sys::signal::Signal::SIGINT)?;
    tracer.wait()?;

    let text = std::fs::read_to_string(&trace)?;
    let calls = text.lines().filter(|line| !line.contains("resumed>") && line.contains('(')).count();
    let internal = |line: &&str| is_read(line) && line.contains("<socket:[") || is_read(line) && line.contains("<UNIX");
    let frames = text
        .lines()
        .filter(|line| !line.contains("resumed>"))
        .filter(internal)
        .filter(|line| !line.contains("EAGAIN"))
        .count();
    assert!(calls / COUNTED <= MOST_CALLS, "{} system calls per message", calls / COUNTED);
    assert!(frames / COUNTED <= MOST_FRAMES * 3, "{} reads of sockets per message", frames / COUNTED);
    mail.stop()
}

fn is_read(line: &str) -> bool {
    ["recvfrom(", "read(", "recvmsg(", "readv("].iter().any(|call| line.contains(call))
}

/// Waits until strace has said that it is attached to every process.
fn attached(tracer: &mut std::process::Child, processes: usize) -> Result<()> {
    use std::io::{BufRead, BufReader};
    let said = tracer.stderr.take().context("no stderr of strace")?;
    let mut lines = BufReader::new(said).lines();
    let mut found = 0;
    while found < processes {
        let line = lines.next().context("strace ended")??;
        found += usize::from(line.contains("attached"));
    }
    std::thread::spawn(move || lines.for_each(drop));
    Ok(())
}

//! Load: 10 000 messages at 50 sessions, none lost; no process, descriptor or memory leaks.

use anyhow::Result;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::client::{Client, NextHop};
use testkit::instance::{Instance, Setup};

const SOURCE: &str = "/usr/sbin/smtp-source";
const MESSAGES: usize = 10_000;

#[test]
fn ten_thousand_messages_at_fifty_sessions() -> Result<()> {
    if !tests::has_peer("ten_thousand_messages_at_fifty_sessions", SOURCE) {
        return Ok(());
    }
    let hop = NextHop::open()?;
    let mut mail = Setup::new().main("relayhost", format!("[127.0.0.1]:{}", hop.port)).start()?;
    source(&mail, MESSAGES / 5)?;
    mail.wait("first part", || hop.messages().len() >= MESSAGES / 5)?;
    mail.wait("empty queue", || mail.queue_is_empty())?;
    let before = figures(&mail);
    for part in 2..=5 {
        source(&mail, MESSAGES / 5)?;
        mail.wait("next part", || hop.messages().len() >= part * MESSAGES / 5)?;
    }
    mail.wait("empty queue", || mail.queue_is_empty())?;
    assert_eq!(hop.messages().len(), MESSAGES);
    let after = figures(&mail);
    assert!(after.processes <= before.processes + 4, "{before:?} {after:?}");
    assert!(after.descriptors <= before.descriptors + 40, "{before:?} {after:?}");
    assert!(after.kilobytes <= before.kilobytes * 3 / 2 + 20_000, "{before:?} {after:?}");
    mail.stop()
}

fn source(mail: &Instance, count: usize) -> Result<()> {
    let status = Command::new(SOURCE)
        .args(["-s", "50", "-m", &count.to_string(), "-l", "2000", "-f", "a@example.net", "-t", "b@remote.example"])
        .arg(format!("127.0.0.1:{}", mail.port))
        .status()?;
    assert!(status.success(), "{status}: {}", mail.log());
    Ok(())
}

#[derive(Debug)]
struct Figures {
    processes: usize,
    descriptors: usize,
    kilobytes: u64,
}

/// Sums over all processes of the instance.
fn figures(mail: &Instance) -> Figures {
    let mut sum = Figures { processes: 0, descriptors: 0, kilobytes: 0 };
    for (pid, _) in mail.processes() {
        sum.processes += 1;
        sum.descriptors += std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes = anonymous.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        sum.kilobytes += kilobytes.unwrap_or(0);
    }
    sum
}

#[test]
fn reloads_under_load_neither_refuse_nor_defer_nor_double_mail() -> Result<()> {
    let mail = Setup::new().start()?;
    let user = format!("{}@mail.example.test", mail.user);
    let is_over = AtomicBool::new(false);
    // Each worker sends until the reloads are over, and says how many messages those were.
    let by_smtp = |name: &str| -> Result<usize> {
        let mut count = 0;
        while !is_over.load(Ordering::Relaxed) {
            let mut client = Client::connect(mail.port)?;
            client.say("EHLO client.example", 250)?;
            client.deliver("a@example.net", &[&user], &format!("Subject: {name}-{count}.\n\nx\n"))?;
            count += 1;
        }
        Ok(count)
    };
    let by_sendmail = |name: &str| -> Result<usize> {
        let mut count = 0;
        while !is_over.load(Ordering::Relaxed) {
            let sent =
                mail.run("sendmail", ["-f", "a@example.net", &user], &format!("Subject: {name}-{count}.\n\nx\n"))?;
            assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
            count += 1;
        }
        Ok(count)
    };
    let counts = std::thread::scope(|scope| -> Result<_> {
        let workers = [
            ("one", scope.spawn(|| by_smtp("one"))),
            ("two", scope.spawn(|| by_smtp("two"))),
            ("three", scope.spawn(|| by_sendmail("three"))),
        ];
        let reloaded = (1..=6).try_for_each(|times| -> Result<()> {
            assert!(mail.run("postfix", ["reload"], "")?.status.success());
            mail.wait_log(&["master[", "reload"], times)?;
            let before = mail.mailbox(&mail.user).len();
            mail.wait("mail that goes on", || mail.mailbox(&mail.user).len() > before)
        });
        is_over.store(true, Ordering::Relaxed);
        reloaded?;
        workers
            .into_iter()
            .map(|(name, worker)| Ok((name, worker.join().expect("worker")?)))
            .collect::<Result<Vec<_>>>()
    })?;
    mail.wait("empty queue", || mail.queue_is_empty())?;
    let mailbox = mail.mailbox(&mail.user);
    for (name, count) in counts {
        for number in 0..count {
            assert_eq!(mailbox.matches(&format!("\nSubject: {name}-{number}.\n")).count(), 1, "{name}-{number}");
        }
    }
    Ok(())
}

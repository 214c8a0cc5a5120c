//! Nothing accepted is lost, and no message gets text of another: every daemon in turn, then master with all its children, is killed
//! while mail flows.

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use testkit::client::{Client, NextHop};
use testkit::instance::{Instance, Setup};

/// Messages that must be accepted in all.
const MESSAGES: usize = 2000;
/// Clients at once.
const CLIENTS: usize = 6;
/// The longest that everything may take to arrive.
const PATIENCE: Duration = Duration::from_secs(240);

const DAEMONS: [&str; 8] = ["smtpd", "cleanup", "qmgr", "trivial-rewrite", "smtp", "local", "virtual", "bounce"];

#[test]
fn every_accepted_message_arrives_though_all_daemons_are_killed() -> Result<()> {
    let hop = NextHop::open()?;
    let mut mail = instance(&hop)?;
    let accepted = Mutex::new(BTreeSet::new());
    let (number, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..CLIENTS {
            scope.spawn(|| submit(&mail, &number, &accepted));
        }
        let killer = scope.spawn(|| kill_in_turn(&mail, &over));
        let deadline = Instant::now() + PATIENCE;
        while accepted.lock().map_or(0, |set| set.len()) < MESSAGES && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        over.store(true, Ordering::Relaxed);
        killer.join().map_err(|_| anyhow::anyhow!("killer failed"))?
    })?;
    let accepted = accepted.into_inner().unwrap_or_default();
    assert!(accepted.len() >= MESSAGES, "only {} accepted: {}", accepted.len(), mail.log());

    kill_all(&mail)?;
    mail.start().context("start after master was killed")?;
    let counts = arrive(&mail, &hop, &accepted)?;
    let lost: Vec<_> = accepted.iter().filter(|id| !counts.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
    let twice = counts.values().filter(|count| **count > 1).count();
    // A duplicate needs a delivery in flight at a kill.
    assert!(twice <= MESSAGES / 10, "{twice} duplicates");
    mail.stop()
}

fn instance(hop: &NextHop) -> Result<Instance> {
    Setup::new()
        .main("relayhost", format!("[127.0.0.1]:{}", hop.port))
        .virtual_mailboxes()?
        .main("queue_run_delay", "1s")
        .main("minimal_backoff_time", "1s")
        .main("maximal_backoff_time", "2s")
        .main("transport_retry_time", "1s")
        .main("service_throttle_time", "1s")
        // A killed local leaves its dotlock behind, which would count for 500 s.
        .main("stale_lock_time", "3s")
        .start()
}

/// One client: sends until enough are accepted, whatever happens to its connection.
fn submit(mail: &Instance, number: &AtomicUsize, accepted: &Mutex<BTreeSet<String>>) {
    let user = format!("{}@mail.example.test", mail.user);
    let deadline = Instant::now() + PATIENCE;
    let mut client = None;
    while accepted.lock().map_or(MESSAGES, |set| set.len()) < MESSAGES && Instant::now() < deadline {
        let serial = number.fetch_add(1, Ordering::Relaxed);
        let recipient = match serial % 3 {
            0 => user.as_str(),
            1 => "someone@virtual.example",
            _ => "someone@remote.example",
        };
        let id = format!("crash-{serial}-id");
        client = client.or_else(|| connect(mail.port));
        let Some(open) = client.as_mut() else { continue };
        let text =
            format!("From: <a@example.net>\nSubject: {id}\n\n{}\n", format!("text of {id}\n").repeat(lines(serial)));
        match open.deliver("a@example.net", &[recipient], &text) {
            Ok(_) => {
                if let Ok(mut set) = accepted.lock() {
                    set.insert(id);
                }
            }
            Err(_) => client = None,
        }
    }
}

/// Text of a message: each is written over one of another length.
fn lines(serial: usize) -> usize {
    serial % 11 * 30
}

/// A greeted connection; after a failure a short pause, since smtpd is being started again.
fn connect(port: u16) -> Option<Client> {
    let open = Client::connect(port).and_then(|mut client| client.say("EHLO client.example", 250).map(|_| client)).ok();
    if open.is_none() {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    open
}

fn kill_in_turn(mail: &Instance, over: &AtomicBool) -> Result<()> {
    let mut turn = 0_usize;
    while !over.load(Ordering::Relaxed) {
        let name = DAEMONS.get(turn % DAEMONS.len()).copied().unwrap_or("smtpd");
        turn += 1;
        mail.signal(name, Signal::SIGKILL)?;
        // The moment of the next kill is as good as random.
        std::thread::park_timeout(Duration::from_millis(150 + (turn as u64 * 37) % 200));
    }
    Ok(())
}

fn kill_all(mail: &Instance) -> Result<()> {
    mail.signal_all(Signal::SIGKILL)?;
    mail.wait("end of all processes", || mail.processes().is_empty())
}

/// Waits until all have arrived or nothing moves any more; counts each message's arrivals.
fn arrive(mail: &Instance, hop: &NextHop, accepted: &BTreeSet<String>) -> Result<BTreeMap<String, usize>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counts = arrivals(mail, hop)?;
        let all = accepted.iter().all(|id| counts.contains_key(id));
        if (all && mail.queue_is_empty()) || Instant::now() > deadline {
            return Ok(counts);
        }
        mail.run("postqueue", ["-f"], "")?;
        std::thread::park_timeout(Duration::from_millis(500));
    }
}

fn arrivals(mail: &Instance, hop: &NextHop) -> Result<BTreeMap<String, usize>> {
    let mut text = mail.mailbox(&mail.user);
    for entry in fs::read_dir(mail.root.join("mail/maildir/new")).into_iter().flatten() {
        text.push_str(&fs::read_to_string(entry?.path()).unwrap_or_default());
    }
    text.push_str(&hop.messages().concat());
    let (mut counts, mut written) = (BTreeMap::new(), BTreeMap::<_, usize>::new());
    let mut current = "";
    for line in text.lines() {
        if let Some(subject) = line.strip_prefix("Subject: ").filter(|subject| subject.starts_with("crash-")) {
            *counts.entry(subject.to_owned()).or_default() += 1;
            current = subject;
        } else if let Some(id) = line.strip_prefix("text of ").filter(|id| id.ends_with("-id")) {
            *written.entry(current).or_default() += 1;
            assert_eq!(id, current, "text of one in another");
        }
    }
    for (id, count) in &counts {
        let serial: usize = id.split('-').nth(1).context("no serial number")?.parse()?;
        let (found, whole) = (written.get(id.as_str()).copied().unwrap_or(0), count * lines(serial));
        // A mailbox may end in the half of a message whose delivery was killed.
        assert!(found == whole || (serial.is_multiple_of(3) && found < whole), "{id}: {found} lines, not {whole}");
    }
    Ok(counts)
}

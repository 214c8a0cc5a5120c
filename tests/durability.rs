//! What a killed process does not show: a system call trace proves that nothing is promised before it is on disk.
//!
//! For each 250 after DATA or BDAT: `fsync` of that queue file after its last write and its `fchmod`, before the reply. For each
//! delivery to a mailbox and each defer-log entry: `fsync` before the recipient is settled.

use anyhow::{Context, Result};
use std::fs;
use std::process::{Child, Command, Stdio};
use testkit::client::Client;
use testkit::instance::{Instance, Setup};

const STRACE: &str = "/usr/bin/strace";
const CALLS: &str = "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,fchmod,close";

/// A system call that has ended.
#[derive(Debug)]
struct Call {
    name: String,
    /// The file or socket of its descriptor.
    file: String,
    text: String,
}

#[test]
fn every_promise_is_on_disk_before_it_is_made() -> Result<()> {
    if !tests::has_peer("every_promise_is_on_disk_before_it_is_made", STRACE) {
        return Ok(());
    }
    let refused = testkit::instance::free_port()?;
    let mut mail =
        Setup::new().main("relayhost", format!("[127.0.0.1]:{refused}")).main("home_mailbox", "").create()?;
    let trace = mail.root.join("trace");
    let mut tracer = traced_start(&mail)?;
    mail.wait("greeting", || Client::connect(mail.port).is_ok())?;
    let ids = send_some(&mail)?;
    for id in &ids.local {
        mail.wait_log(&[id, "status=sent"], 1)?;
    }
    for id in &ids.deferred {
        mail.wait_log(&[id, "status=deferred"], 1)?;
    }
    mail.run("postfix", ["stop"], "")?;
    tracer.wait()?;
    let calls = parse(&fs::read_to_string(&trace)?);
    for id in ids.local.iter().chain(&ids.deferred) {
        promised_after_sync(&calls, id)?;
    }
    mailbox_synced(&calls, &mail.user, ids.local.len())?;
    for id in &ids.deferred {
        defer_log_synced(&calls, id)?;
    }
    mail.stop()
}

struct Ids {
    local: Vec<String>,
    deferred: Vec<String>,
}

fn traced_start(mail: &Instance) -> Result<Child> {
    let start = mail.command("postfix");
    let mut command = Command::new(STRACE);
    command.args(["-f", "-y", "-s", "200", "-e", CALLS, "-o"]).arg(mail.root.join("trace"));
    command.arg(start.get_program()).arg("start").stdout(Stdio::null()).stderr(Stdio::null());
    mail.as_owner(&mut command);
    command.spawn().context("start strace")
}

fn send_some(mail: &Instance) -> Result<Ids> {
    let user = format!("{}@mail.example.test", mail.user);
    let mut ids = Ids { local: Vec::new(), deferred: Vec::new() };
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    for size in [10, 1000, 40_000, 300_000] {
        let text = format!("Subject: x\n\n{}", "A line of text.\n".repeat(size / 16));
        let reply = client.deliver("a@example.net", &[&user], &text)?;
        ids.local.push(reply.queue_id().context("no id")?.to_owned());
        let reply = client.deliver("a@example.net", &["a@remote.example"], &text)?;
        ids.deferred.push(reply.queue_id().context("no id")?.to_owned());
    }
    client.say("MAIL FROM:<a@example.net>", 250)?;
    client.say(&format!("RCPT TO:<{user}>"), 250)?;
    client.send(b"BDAT 6\r\nx: y\r\nBDAT 4 LAST\r\n\r\nz\n")?;
    client.expect(250)?;
    ids.local.push(client.expect(250)?.queue_id().context("no id")?.to_owned());
    Ok(ids)
}

/// strace -f -y: `PID name(FD<file>, ...) = result`, possibly cut into `<unfinished ...>` and `<... name resumed>`.
fn parse(text: &str) -> Vec<Call> {
    let mut open: Vec<(String, String)> = Vec::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            open.push((pid.to_owned(), start.to_owned()));
        } else if rest.starts_with("<... ") {
            let Some(at) = open.iter().position(|(owner, _)| owner == pid) else { continue };
            calls.extend(call(&open.remove(at).1));
        } else {
            calls.extend(call(rest));
        }
    }
    calls
}

fn call(text: &str) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let file = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(file, _)| file);
    Some(Call { name: name.to_owned(), file: file.to_owned(), text: text.to_owned() })
}

fn position(calls: &[Call], what: impl Fn(&Call) -> bool) -> Option<usize> {
    calls.iter().position(what)
}

fn last(calls: &[Call], what: impl Fn(&Call) -> bool) -> Option<usize> {
    calls.iter().rposition(what)
}

fn is_write(call: &Call) -> bool {
    ["write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg"].contains(&call.name.as_str())
}

fn is_sync(call: &Call) -> bool {
    call.name == "fsync" || call.name == "fdatasync"
}

/// The queue file is written, marked ready and synchronised before the 250 leaves.
fn promised_after_sync(calls: &[Call], id: &str) -> Result<()> {
    let promise = format!("queued as {id}");
    let reply =
        position(calls, |call| is_write(call) && call.text.contains(&promise)).context("the reply in the trace")?;
    let (before, _) = calls.split_at(reply);
    let ours = |call: &Call| call.file.ends_with(&format!("/{id}"));
    let ready = last(before, |call| call.name == "fchmod" && ours(call) && call.text.contains("0700"))
        .context("fchmod before the reply")?;
    let written =
        last(before.split_at(ready).0, |call| is_write(call) && ours(call)).context("a write before the fchmod")?;
    let sync = last(before, |call| is_sync(call) && ours(call)).context("fsync before the reply")?;
    assert!(written < ready && ready < sync, "{id}: write {written}, fchmod {ready}, fsync {sync}, reply {reply}");
    assert!(
        !before.iter().skip(sync).any(|call| is_write(call) && ours(call) && call.name != "pwrite64"),
        "{id}: written after fsync"
    );
    Ok(())
}

/// Each write to the mbox is followed by its fsync before the log says sent.
fn mailbox_synced(calls: &[Call], user: &str, messages: usize) -> Result<()> {
    let mbox = format!("/mail/{user}");
    let synced = calls.iter().filter(|call| is_sync(call) && call.file.ends_with(&mbox)).count();
    assert!(synced >= messages, "{synced} fsyncs of the mailbox for {messages} messages");
    let last_write = last(calls, |call| is_write(call) && call.file.ends_with(&mbox)).context("mail in the mailbox")?;
    let last_sync = last(calls, |call| is_sync(call) && call.file.ends_with(&mbox)).context("an fsync")?;
    assert!(last_write < last_sync);
    Ok(())
}

/// The defer log is on disk before its message's delivery is over for qmgr.
fn defer_log_synced(calls: &[Call], id: &str) -> Result<()> {
    let log = format!("/{id}");
    let ours = |call: &Call| call.file.contains("/defer/") && call.file.ends_with(&log);
    let write = position(calls, |call| is_write(call) && ours(call)).context("an entry in the defer log")?;
    let sync = position(calls, |call| is_sync(call) && ours(call)).context("its fsync")?;
    assert!(write < sync, "{id}: write {write}, fsync {sync}");
    Ok(())
}

//! What a killed process does not show: a system call trace proves that nothing is promised before it is on disk.
//!
//! For each 250 after DATA or BDAT: `fsync` of that queue file after its last write and its `fchmod`, before the reply. For
//! each delivery to a mailbox and each entry of a defer log: `fsync` before the agent's answer. For each submission:
//! `fsync` of the maildrop file before sendmail learns of it. Short messages become mail when their bytes are on disk; where those are
//! written over others, it is there before the first of them that the file is no mail.
//!
//! Messages go one at a time, so that an answer in the trace belongs to the message at hand.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use testkit::client::Client;
use testkit::instance::{Instance, Setup};

const STRACE: &str = "/usr/bin/strace";
const CALLS: &str = "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,sync_file_range,ftruncate,fchmod,link,\
                     linkat,rename,renameat,renameat2,exit_group";

#[test]
fn every_promise_is_on_disk_before_it_is_made() -> Result<()> {
    if !tests::has_peer("every_promise_is_on_disk_before_it_is_made", STRACE) {
        return Ok(());
    }
    let mut mail = instance()?;
    let mut tracer = traced_start(&mail)?;
    mail.wait("greeting", || Client::connect(mail.port).is_ok())?;
    let sent = send_some(&mail)?;
    send_many(&mail)?;
    let kept = submit(&mail, "by the daemon")?;
    mail.run("postfix", ["stop"], "")?;
    tracer.wait()?;
    let trace = Trace::read(&mail.root.join("trace"))?;
    for message in &sent {
        trace.promised_after_sync(&message.id)?;
        match message.fate {
            Fate::Mailbox => trace.mailbox_synced(message, &format!("/mail/{}", mail.user))?,
            Fate::Maildir => trace.maildir_synced(message)?,
            Fate::Deferred => trace.defer_log_synced(message)?,
        }
    }
    trace.submission_synced(&["sendto", "write"], "submission/pickup")?;
    let written_over = trace.written_over_in_order()?;
    let spool = queue_file::Spool::new(mail.root.join("spool"), queue_file::Layout::default());
    assert_eq!(written_over > 0, spool.has_order(queue_file::QueueName::Incoming), "{written_over} files");
    assert!(kept.is_empty(), "postdrop was needed: {kept:?}");

    // Without the daemon, postdrop makes the file, and its end is the promise.
    let calls = submit(&mail, "by postdrop")?;
    Trace(calls).submission_synced(&["exit_group"], "")?;
    mail.stop()
}

/// Where a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Mailbox,
    Maildir,
    Deferred,
}

#[derive(Debug)]
struct Sent {
    id: String,
    fate: Fate,
}

fn instance() -> Result<Instance> {
    let refused = testkit::port::free_port()?;
    Setup::new().main("relayhost", format!("[127.0.0.1]:{refused}")).virtual_mailboxes()?.create()
}

fn strace(mail: &Instance, trace: &Path) -> Command {
    let mut command = Command::new(STRACE);
    command.args(["-f", "-yy", "-s", "200", "-e", CALLS, "-o"]).arg(trace);
    mail.as_owner(&mut command);
    command
}

fn traced_start(mail: &Instance) -> Result<Child> {
    let mut command = strace(mail, &mail.root.join("trace"));
    command.arg(mail.root.join("bin/postfix")).arg("start").stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("start strace")
}

/// Messages of several sizes, each to each kind of destination, and one in chunks.
fn send_some(mail: &Instance) -> Result<Vec<Sent>> {
    let user = format!("{}@mail.example.test", mail.user);
    let mut sent = Vec::new();
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    for size in [10, 1000, 40_000, 300_000] {
        let text = format!("Subject: x\n\n{}", "A line of text.\n".repeat(size / 16));
        for (fate, recipient) in
            [(Fate::Mailbox, user.as_str()), (Fate::Maildir, "a@virtual.example"), (Fate::Deferred, "a@remote.example")]
        {
            let reply = client.deliver("a@example.net", &[recipient], &text)?;
            let message = Sent { id: reply.queue_id().context("no id")?.to_owned(), fate };
            settled(mail, &message)?;
            sent.push(message);
        }
    }
    client.say("MAIL FROM:<a@example.net>", 250)?;
    client.say(&format!("RCPT TO:<{user}>"), 250)?;
    client.send(b"BDAT 6\r\nx: y\r\nBDAT 5 LAST\r\n\r\nz\r\n")?;
    client.expect(250)?;
    let message = Sent { id: client.expect(250)?.queue_id().context("no id")?.to_owned(), fate: Fate::Mailbox };
    settled(mail, &message)?;
    sent.push(message);
    Ok(sent)
}

/// As many that files are used again.
fn send_many(mail: &Instance) -> Result<()> {
    const MANY: usize = 60;
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    for number in 0..MANY {
        let text = format!("Subject: many\n\n{}", "A line of text.\n".repeat(number % 7 * 100));
        client.deliver("a@example.net", &[&format!("{}@mail.example.test", mail.user)], &text)?;
    }
    mail.wait_log(&["qmgr", "removed"], MANY).map(drop)
}

/// Waits until qmgr is done with a message for now.
fn settled(mail: &Instance, message: &Sent) -> Result<()> {
    if message.fate != Fate::Deferred {
        return mail.wait_log(&[&message.id, "removed"], 1).map(drop);
    }
    let deferred = mail.root.join("spool/deferred");
    mail.wait("deferred message", || {
        let folders = fs::read_dir(&deferred).into_iter().flatten().flatten();
        folders.map(|folder| folder.path().join(&message.id)).any(|file| file.exists())
    })
}

/// A message by sendmail; gives the calls of the commands that wrote it to the maildrop.
fn submit(mail: &Instance, subject: &str) -> Result<Vec<Call>> {
    let trace = mail.root.join("trace-sendmail");
    let mut command = strace(mail, &trace);
    let text = mail.root.join("text");
    fs::write(&text, format!("Subject: {subject}\n\nx\n"))?;
    command.arg(mail.root.join("bin/sendmail")).args(["-i", "a@remote.example"]);
    let output = command.stdin(fs::File::open(&text)?).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let calls = Trace::read(&trace)?.0;
    let writer =
        calls.iter().find(|call| call.is_write() && call.file.contains("/maildrop/")).map(|call| &call.process);
    Ok(calls.iter().filter(|call| Some(&call.process) == writer).cloned().collect())
}

/// A system call. One that began before another ended may have happened after it.
#[derive(Debug, Clone)]
struct Call {
    process: String,
    name: String,
    /// The file or socket of its first descriptor.
    file: String,
    text: String,
    /// Lines of the trace.
    begin: usize,
    end: usize,
}

impl Call {
    fn new(process: &str, text: &str, begin: usize, end: usize) -> Option<Self> {
        let (name, rest) = text.split_once('(')?;
        let descriptor = rest.split(',').next().unwrap_or_default();
        let file = descriptor.split_once('<').map_or("", |(_, file)| file.trim_end_matches([')', '>']));
        let file = file.split(">)").next().unwrap_or_default();
        // A UNIX socket's description has a comma of its own.
        let file = if file.starts_with("UNIX") { rest.split("]>").next().unwrap_or_default() } else { file };
        let (file, name, text, process) = (file.to_owned(), name.to_owned(), text.to_owned(), process.to_owned());
        Some(Self { process, name, file, text, begin, end })
    }

    fn is_write(&self) -> bool {
        ["write", "writev", "pwrite64", "pwritev"].contains(&self.name.as_str())
    }

    fn is_sync(&self) -> bool {
        ["fsync", "fdatasync"].contains(&self.name.as_str()) && self.text.ends_with("= 0")
    }

    /// An answer of the service that listens there: it is sent on a socket that the service accepted.
    fn is_answer(&self, service: &str) -> bool {
        ["write", "writev", "sendto", "sendmsg"].contains(&self.name.as_str())
            && self.file.contains("UNIX-STREAM")
            && self.file.ends_with(&format!("\"{service}\""))
    }
}

/// The calls in the order in which they began.
struct Trace(Vec<Call>);

impl Trace {
    /// strace -f: `PID name(FD<file>, ...) = result`, possibly cut into `<unfinished ...>` and `<... name resumed>`.
    fn read(path: &Path) -> Result<Self> {
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        let mut open: Vec<(&str, &str, usize)> = Vec::new();
        let mut calls = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let Some((process, rest)) = line.split_once(' ') else { continue };
            let rest = rest.trim_start();
            if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
                open.push((process, start, number));
            } else if rest.starts_with("<... ") {
                let Some(at) = open.iter().position(|(owner, ..)| *owner == process) else { continue };
                let (_, start, begin) = open.remove(at);
                let whole = format!("{start}{}", rest.split_once("resumed>").map_or("", |(_, rest)| rest));
                calls.extend(Call::new(process, &whole, begin, number));
            } else {
                calls.extend(Call::new(process, rest, number, number));
            }
        }
        calls.sort_by_key(|call| call.begin);
        Ok(Self(calls))
    }

    fn all<'a>(&'a self, what: impl Fn(&Call) -> bool + 'a) -> impl Iterator<Item = &'a Call> {
        self.0.iter().filter(move |call| what(call))
    }

    /// The reply that promises this message.
    fn promise(&self, id: &str) -> Result<&Call> {
        let words = format!("queued as {id}");
        let said = move |call: &Call| call.file.contains("TCP:") && call.text.contains(&words);
        self.all(said).next().with_context(|| format!("{id}: no reply in the trace"))
    }

    /// The queue file is written, marked ready and synchronised before the 250 leaves.
    fn promised_after_sync(&self, id: &str) -> Result<()> {
        let reply = self.promise(id)?.begin;
        let (incoming, active) = (format!("/spool/incoming/{id}"), format!("/spool/active/{id}"));
        let ours = |call: &Call| call.begin < reply && (call.file.ends_with(&incoming) || call.file.ends_with(&active));
        // An agent that is quick marks its recipient done, one byte, before the client has its reply.
        let content = self.all(|call| ours(call) && call.is_write() && !call.text.ends_with("= 1"));
        let written = content.map(|call| call.end).max().with_context(|| format!("{id}: no write"))?;
        let ready = self
            .all(|call| ours(call) && call.name == "fchmod" && call.text.contains("0700"))
            .map(|call| call.end)
            .next()
            .with_context(|| format!("{id}: no fchmod before the reply"))?;
        let synced = self.all(|call| ours(call) && call.is_sync() && call.end < reply);
        if !synced.into_iter().any(|sync| sync.begin > written && sync.begin > ready) {
            bail!("{id}: no fsync after write {written} and fchmod {ready}, before reply {reply}");
        }
        Ok(())
    }

    /// The orders in which short messages come to disk; how many files were written over.
    fn written_over_in_order(&self) -> Result<usize> {
        let mut count = 0;
        for arrived in self.all(|call| call.name == "sync_file_range" && call.text.contains("WAIT_AFTER")) {
            let file = arrived.file.rsplit("/spool/").next().unwrap_or_default();
            let ours = |call: &Call| call.file == arrived.file;
            let first = self.all(|call| ours(call) && call.is_write()).next().context("nothing written")?;
            let mail = self.all(|call| ours(call) && call.name == "fchmod").next().context("no mail")?;
            let last = self.all(|call| ours(call) && call.is_write() && call.begin < mail.begin).last();
            if last.is_none_or(|last| last.end > arrived.begin) || arrived.end > mail.begin {
                bail!("{file}: mail at {} with bytes that are not on disk", mail.begin);
            }
            let name = format!("{file}\"");
            let given = self.all(|call| call.name.starts_with("rename") && call.text.contains(&name)).next();
            let given = given.with_context(|| format!("{file}: where from?"))?;
            let mut emptied = self.all(|call| ours(call) && call.name == "ftruncate" && call.begin < first.begin);
            if !given.text.contains("\"active/") || emptied.next().is_some() {
                continue;
            }
            let since = given.end..first.begin;
            let is_changed = |sync: &Call| {
                let ours = |call: &Call| call.file == sync.file && call.name == "fchmod" && call.end < sync.begin;
                self.0.iter().any(|call| ours(call) && call.begin > given.end)
            };
            let mut settling = self.all(|call| call.is_sync() && since.contains(&call.begin) && call.end < first.begin);
            if !settling.any(is_changed) {
                bail!("{file}: written over at {} before anything else was synchronised", first.begin);
            }
            count += 1;
        }
        Ok(count)
    }

    /// From a message's promise on: writes to a file are synchronised before the service answers.
    fn synced_before_answer(&self, message: &Sent, file: impl Fn(&Call) -> bool, service: &[&str]) -> Result<usize> {
        let promise = self.promise(&message.id)?.begin;
        let first = self.all(|call| call.begin > promise && call.is_write() && file(call)).next();
        let first = first.with_context(|| format!("{message:?}: nothing written"))?;
        let answers = |call: &Call| call.begin > first.begin && service.iter().any(|name| call.is_answer(name));
        let answer = self.all(answers).next().with_context(|| format!("{message:?}: no answer of {service:?}"))?.begin;
        let mut count = 0;
        for write in self.all(|call| (first.begin..answer).contains(&call.begin) && call.is_write() && file(call)) {
            count += 1;
            let mut syncs = self.all(|call| call.is_sync() && call.file == write.file);
            if !syncs.any(|sync| sync.begin > write.end && sync.end < answer) {
                bail!("{message:?}: no fsync between write {} and answer {answer} of {service:?}", write.begin);
            }
        }
        Ok(count)
    }

    fn mailbox_synced(&self, message: &Sent, mailbox: &str) -> Result<()> {
        self.synced_before_answer(message, |call| call.file.ends_with(mailbox), &["private/local"]).map(drop)
    }

    /// As a mailbox, and nobody sees the message before that.
    fn maildir_synced(&self, message: &Sent) -> Result<()> {
        let ours = |call: &Call| call.file.contains("/mail/maildir/");
        self.synced_before_answer(message, ours, &["private/virtual"])?;
        let promise = self.promise(&message.id)?.begin;
        let shown = |call: &Call| {
            call.begin > promise
                && (call.name.starts_with("link") || call.name.starts_with("rename"))
                && call.text.contains("maildir/new/")
        };
        let shown = self.all(shown).next().with_context(|| format!("{message:?}: not in new"))?.begin;
        let synced = self.all(|call| (promise..shown).contains(&call.begin) && ours(call) && call.is_sync()).last();
        let synced = synced.with_context(|| format!("{message:?}: in new without fsync"))?;
        let late =
            self.all(|call| (synced.begin..shown).contains(&call.begin) && ours(call) && call.is_write()).count();
        assert!(synced.end < shown && late == 0, "{message:?}: fsync {synced:?}, shown {shown}");
        Ok(())
    }

    /// The defer log is on disk before its writer answers the agent, and before the agent answers qmgr.
    fn defer_log_synced(&self, message: &Sent) -> Result<()> {
        let log = format!("/{}", message.id);
        let ours = |call: &Call| call.file.contains("/spool/defer/") && call.file.ends_with(&log);
        self.synced_before_answer(message, ours, &["private/defer"])?;
        self.synced_before_answer(message, ours, &["private/smtp", "private/relay"])?;
        Ok(())
    }

    /// A maildrop file is on disk before its writer's answer, or end.
    fn submission_synced(&self, answers: &[&str], socket: &str) -> Result<()> {
        let ours = |call: &Call| call.file.contains("/spool/maildrop/");
        let written = self.all(|call| ours(call) && call.is_write()).map(|call| call.end).max();
        let written = written.context("no maildrop file written")?;
        let ready = self
            .all(|call| ours(call) && call.name == "fchmod" && call.text.contains("0744"))
            .map(|call| call.end)
            .max();
        let ready = ready.context("no maildrop file made ready")?;
        let answered = |call: &Call| answers.contains(&call.name.as_str()) && call.file.contains(socket);
        let answer = self.all(|call| call.begin > written && answered(call)).map(|call| call.begin).next();
        let answer = answer.context("no answer after the maildrop file")?;
        let mut syncs = self.all(|call| ours(call) && call.is_sync());
        if !syncs.any(|sync| sync.begin > written.max(ready) && sync.end < answer) {
            bail!("maildrop file: write {written}, fchmod {ready}, answer {answer}, no fsync between");
        }
        Ok(())
    }
}

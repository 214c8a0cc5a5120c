//! postdrop(1): puts a message from standard input into the maildrop queue, with the group's right to do so.
//!
//! It believes nothing that its caller says but the message itself: the file belongs to the user who runs it, the time
//! is ours, and only records that sendmail(1) writes get in. It ends with status 0 only when the file is complete
//! and on disk.

mod permission;

use command::{Context, Fatal, Program};
use config::params;
use ipc::postdrop::{self, Verdict};
use nix::sys::signal::Signal;
use queue_file::maildrop::{self, Refusal};
use queue_file::{Layout, NewFile, QueueName, Spool, Time};
use std::io::{BufRead, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

config::bundle! {
    /// All that this command may know.
    pub struct Params {
        layout: params::Layout,
        identity: params::Identity,
        queue: params::Queue,
        ipc: params::Ipc,
        sendmail: params::Sendmail,
    }
}

/// Runs the command.
#[must_use]
pub fn run() -> ExitCode {
    Program::new("postdrop").logs_mistakes().run(drop)
}

fn drop(context: &mut Context) -> Result<ExitCode, Fatal> {
    // Whoever interrupts the sender ends our input, and an input that ends early leaves no file.
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
        privsep::ignore_signal(signal)?;
    }
    let options = context.options("c:rv").map_err(|_| Fatal::new("usage: postdrop [-c config_dir] [-v]"))?;
    let source = context.source(options.value('c'))?;
    let params: Params = context.params(&source)?;
    std::env::set_current_dir(&params.layout.queue_directory)
        .map_err(|error| Fatal::new(format!("chdir {}: {error}", params.layout.queue_directory)))?;
    let user = permission::check(&params, &source)?;
    let layout = Layout::default().with_long_ids(params.queue.enable_long_queue_ids);
    let file = Spool::new("", layout).create(QueueName::Maildrop)?;
    say(&postdrop::greeting(file.id().as_str()));
    if std::io::stdin().lock().fill_buf()?.is_empty() {
        // Whoever called has nothing to submit.
        return Ok(ExitCode::SUCCESS);
    }
    let verdict = receive(&params, &file)?;
    if verdict == Verdict::Queued {
        // The sender is judged by the file that was written, which nobody else can change.
        if let Some(user) = user {
            permission::check_sender(&params, &source, &user, file.file())?;
        }
        file.commit_readable()?;
        wake(&params);
    }
    say(&postdrop::farewell(verdict));
    Ok(verdict.status().into())
}

/// Tells the caller, who need not listen.
fn say(words: &[u8]) {
    let mut out = std::io::stdout();
    let _ = out.write_all(words).and_then(|()| out.flush());
}

/// Writes what the caller sends.
fn receive(params: &Params, file: &NewFile) -> Result<Verdict, Fatal> {
    let mut origin = Vec::with_capacity(64 * 1024);
    maildrop::put_origin(&mut origin, Time::now(), submitter());
    let limit = params.queue.message_size_limit;
    match maildrop::receive(std::io::stdin().lock(), &mut file.file(), origin, limit) {
        Ok(()) => Ok(Verdict::Queued),
        // The caller has changed its mind, and has said why if there is a reason.
        Err(Refusal::Incomplete) => Ok(Verdict::Failed),
        Err(Refusal::TooLarge) => {
            tracing::warn!("uid={}: File too large", privsep::real_uid());
            Ok(Verdict::TooLarge)
        }
        Err(refusal) => Err(Fatal::new(format!("uid={}: {refusal}", privsep::real_uid()))),
    }
}

/// The user, where the owner of the file does not tell because the mail system runs under the same one.
fn submitter() -> Option<u32> {
    let owner = std::fs::metadata(QueueName::Maildrop.as_str()).ok()?.uid();
    Some(privsep::real_uid()).filter(|uid| *uid == owner)
}

/// Tells pickup. While the mail system is down, it finds the file when it is up again.
fn wake(params: &Params) {
    let path = Path::new("public").join(&params.ipc.pickup_service_name);
    if let Err(error) = ipc::trigger::wake(&path, &[ipc::trigger::WAKEUP])
        && error.kind() == std::io::ErrorKind::NotFound
    {
        tracing::warn!("unable to look up {}: No such file or directory", path.display());
    }
}

//! postdrop(1): puts a message from standard input into the maildrop queue, with the group's right to do so.
//!
//! It believes nothing that its caller says but the message itself: the file belongs to the user who runs it, the time
//! is ours, and only records that sendmail(1) writes get in. It ends with status 0 only when the file is complete
//! and on disk.

mod permission;

use command::{Context, Fatal, Program};
use config::params;
use nix::sys::signal::Signal;
use queue_file::maildrop::{self, Refusal};
use queue_file::{Layout, QueueName, Spool, Time};
use std::io::BufRead;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

/// Exit status for whatever may go better later.
const EX_TEMPFAIL: u8 = 75;
/// Exit status for wrong options.
const EX_USAGE: u8 = 64;

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
    Program::new("postdrop").fatal_status(EX_TEMPFAIL).run(drop)
}

fn drop(context: &mut Context) -> Result<ExitCode, Fatal> {
    let usage = || Fatal::new("usage: postdrop [-c config_dir] [-rv]").with_status(EX_USAGE);
    // Whoever interrupts the sender ends our input, and an input that ends early leaves no file.
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
        privsep::ignore_signal(signal)?;
    }
    let options = context.options("c:rv").map_err(|_| usage())?;
    if !options.operands.is_empty() {
        return Err(usage());
    }
    let source = context.source(options.value('c'))?;
    let params: Params = context.params(&source)?;
    std::env::set_current_dir(&params.layout.queue_directory)
        .map_err(|error| Fatal::new(format!("chdir {}: {error}", params.layout.queue_directory)))?;
    let user = permission::check(&params, &source)?;
    if std::io::stdin().lock().fill_buf()?.is_empty() {
        // Whoever called has nothing to submit.
        return Ok(ExitCode::SUCCESS);
    }
    let layout = Layout::default().with_long_ids(params.queue.enable_long_queue_ids);
    let file = Spool::new("", layout).create(QueueName::Maildrop)?;
    // The sender is judged by the file that was written, which nobody else can change.
    let limit = params.queue.message_size_limit;
    let mut origin = Vec::with_capacity(64 * 1024);
    maildrop::put_origin(&mut origin, Time::now(), submitter());
    match maildrop::receive(std::io::stdin().lock(), &mut file.file(), origin, limit) {
        Ok(()) => {}
        // The caller has changed its mind, and has said why if there is a reason.
        Err(Refusal::Incomplete) => return Ok(EX_TEMPFAIL.into()),
        Err(refusal) => return Err(Fatal::new(format!("uid={}: {refusal}", privsep::real_uid()))),
    }
    if let Some(user) = user {
        permission::check_sender(&params, &source, &user, file.file())?;
    }
    file.commit_readable()?;
    wake(&params);
    Ok(ExitCode::SUCCESS)
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

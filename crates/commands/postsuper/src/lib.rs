//! postsuper(1): maintains the queue, while the mail system runs or not.
//!
//! Reading order: what is asked for (`options`), single messages and all of a queue (`act`), the structure of directories
//! and names (`structure`). Every operation is one rename, unlink or chmod, so that a running mail system
//! sees a file either where it was or where it goes; one that is gone meanwhile is not an error.

mod act;
mod options;
mod structure;

use crate::act::{Act, Counts};
use crate::options::{Options, Which};
use command::{Context, Fatal, Program};
use config::params;
use queue_file::{Layout, QueueId, Spool};
use std::io::{self, BufRead};
use std::path::Path;
use std::process::ExitCode;

config::bundle! {
    /// All that this command may know.
    pub struct Params {
        layout: params::Layout,
        queue: params::Queue,
    }
}

/// Ids read from standard input are this long at most.
const LINE: u64 = 1024;

/// Runs the command.
#[must_use]
pub fn run() -> ExitCode {
    Program::new("postsuper").writes_log_file().logs_mistakes().run(work)
}

fn work(context: &mut Context) -> Result<ExitCode, Fatal> {
    let options = Options::parse(&context.called_as, &context.arguments)?;
    if options.verbose {
        context.log.verbose();
    }
    let source = context.source(options.directory.as_deref())?;
    let params: Params = context.params(&source)?;
    authorize(&params)?;
    let spool = spool(&params);
    std::env::set_current_dir(&params.layout.queue_directory)?;
    // Directories that are made on the way belong to the mail system.
    let owner = privsep::User::by_name(&params.layout.mail_owner)?
        .ok_or_else(|| Fatal::new(format!("unknown mail_owner configuration: {}", params.layout.mail_owner)))?;
    let mut counts = Counts::default();
    let done = privsep::become_user(&owner, || carry_out_all(&spool, &options, &mut counts))?;
    if done.is_err() && counts.renamed > 0 {
        tracing::warn!("OPERATION INCOMPLETE -- RERUN COMMAND TO FIX THE QUEUE FIRST");
    }
    done?;
    counts.report(&options);
    if counts.renamed > 0 {
        tracing::warn!("QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS");
    }
    Ok(ExitCode::SUCCESS)
}

fn carry_out_all(spool: &Spool, options: &Options, counts: &mut Counts) -> Result<(), Fatal> {
    if options.structure.is_some() || options.purge {
        structure::check(spool, options, counts)?;
    }
    options.wanted().try_for_each(|(act, which)| carry_out(spool, *act, which, options, counts))
}

fn carry_out(spool: &Spool, act: Act, which: &Which, options: &Options, counts: &mut Counts) -> Result<(), Fatal> {
    let queues = options.queues(act);
    match which {
        Which::All => {
            act::all(spool, act, &queues, counts)?;
            if act == Act::Delete && options.names_no_queue() {
                act::orphans(spool)?;
            }
        }
        Which::One(id) => act::one(spool, act, &queues, id, counts)?,
        Which::Listed => {
            let mut input = io::stdin().lock();
            let mut line = Vec::new();
            while next_line(&mut input, &mut line)? {
                let name = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
                match QueueId::parse(&name) {
                    Some(id) => act::one(spool, act, &queues, &id, counts)?,
                    None => tracing::warn!("invalid mail queue id: {name}"),
                }
            }
        }
    }
    Ok(())
}

fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    io::Read::take(input, LINE).read_until(b'\n', line).map(|count| count > 0)
}

/// Only root may, and in a private instance its owner.
fn authorize(params: &Params) -> Result<(), Fatal> {
    let refused = || Fatal::new("use of this command is reserved for the superuser");
    if privsep::is_root() {
        return Ok(());
    }
    let user = privsep::User::of_process()?.ok_or_else(refused)?;
    if user.name == params.layout.mail_owner { Ok(()) } else { Err(refused()) }
}

/// The spool, seen from inside of it.
fn spool(params: &Params) -> Spool {
    let queue = &params.queue;
    let depth = u32::try_from(queue.hash_queue_depth).unwrap_or(1);
    let layout = Layout::new(queue.hash_queue_names.iter().map(String::as_str), depth);
    Spool::new(Path::new(""), layout.with_long_ids(queue.enable_long_queue_ids))
}

//! postcat(1): shows queue files.
//!
//! Records are shown as they are, so that a file that nothing else can read can still be looked at; `show` has the
//! words for them. What is not a queue file at all is named and passed over.

mod show;

use crate::show::{Parts, Show};
use command::{Context, Fatal, Program};
use config::params;
use queue_file::{Buffered, Layout, QueueId, QueueName, Source, Spool};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

/// Queues that are searched for an id, in this order.
const SEARCHED: [QueueName; 6] = [
    QueueName::Maildrop,
    QueueName::Incoming,
    QueueName::Active,
    QueueName::Deferred,
    QueueName::Hold,
    QueueName::Saved,
];

config::bundle! {
    /// All that this command may know.
    pub struct Params {
        layout: params::Layout,
        queue: params::Queue,
    }
}

/// Runs the command.
#[must_use]
pub fn run() -> ExitCode {
    Program::new("postcat").run(work)
}

fn work(context: &mut Context) -> Result<ExitCode, Fatal> {
    let usage = |name: &str| {
        Fatal::new(format!(
            "usage: {name} [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] \
             [-h (header text)] [-q (access queue)] [-v] [file(s)...]"
        ))
    };
    let options = context.options("bc:dehoqrs:v").map_err(|_| usage(&context.called_as))?;
    let source = context.source(options.value('c'))?;
    let params: Params = context.params(&source)?;
    let start = match options.value('s') {
        None => 0,
        Some(text) => text.parse().map_err(|_| Fatal::new(format!("bad offset: {text}")))?,
    };
    let (envelope, header, body) = (options.has('e'), options.has('h'), options.has('b'));
    let parts = if envelope || header || body { Parts { envelope, header, body } } else { Parts::ALL };
    let show = Show {
        parts,
        with_type: options.has('d'),
        with_offset: options.has('o'),
        is_raw: options.has('r'),
        is_verbose: options.has('v'),
        start,
        zone: time_zone::local(),
    };
    let mut out = command::output();
    if options.has('q') {
        std::env::set_current_dir(&params.layout.queue_directory)?;
        let spool = spool(&params);
        for name in &options.operands {
            let (path, file) = search(&spool, name)?;
            show_file(&show, &path, Buffered::large(file), &mut out)?;
        }
    } else if options.operands.is_empty() {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        show_file(&show, "stdin", &bytes[..], &mut out)?;
    } else {
        for name in &options.operands {
            let file = File::open(name).map_err(|error| failed(&format!("open {name}"), &error))?;
            show_file(&show, name, Buffered::large(file), &mut out)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn show_file(show: &Show, name: &str, source: impl Source, out: &mut impl Write) -> Result<(), Fatal> {
    let shown = show.file(name, source, out);
    // What could be read is seen before the complaint.
    out.flush()?;
    shown
}

fn search(spool: &Spool, name: &str) -> Result<(String, File), Fatal> {
    let id = QueueId::parse(name).ok_or_else(|| Fatal::new(format!("bad mail queue ID: {name}")))?;
    for queue in SEARCHED {
        match spool.open_read(queue, &id) {
            Ok(file) => return Ok((spool.path(queue, &id).display().to_string(), file)),
            Err(error) if error.is_gone() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let missing = io::Error::from_raw_os_error(2);
    Err(failed(&format!("open queue file {name}"), &missing))
}

/// What the system said, in its own words.
fn failed(what: &str, error: &io::Error) -> Fatal {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    Fatal::new(format!("{what}: {text}"))
}

/// The spool, seen from inside of it.
fn spool(params: &Params) -> Spool {
    let queue = &params.queue;
    let depth = u32::try_from(queue.hash_queue_depth).unwrap_or(1);
    Spool::new(Path::new(""), Layout::new(queue.hash_queue_names.iter().map(String::as_str), depth))
}

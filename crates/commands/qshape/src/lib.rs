//! qshape(1): shows how old the mail for each domain is, as a table of domains by age.
//!
//! Reading order: what is asked for and which files are read (this file), what is counted (`shape`), the table
//! (`table`).

mod shape;
mod table;

use command::{Context, Fatal, Options, said};
use config::params;
use queue_file::{Buffered, Message, QueueId};
use shape::{Ages, Shape};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use table::Form;

const USAGE: &str = "Usage: qshape [ -s ] [ -p ] [ -m <min_subdomains> ] [ -l ]
\t[ -b <bucket_count> ] [ -t <bucket_time> ] [ -w <terminal_width> ]
\t[ -N <batch_msg_count> ] [ -n <batch_top_domains> ]
\t[ -c <config_directory> ] [ <queue_name> ... ]
-s counts senders, not recipients; -p adds up the domains below a parent domain, if there
are at least <min_subdomains> (5). The table has <bucket_count> (10) columns; the first is for the
last <bucket_time> (5) minutes, and each later one twice as wide, or with -l as wide.
A line has at least <terminal_width> (80) characters. On a terminal the <batch_top_domains> (20)
largest lines are shown after every <batch_msg_count> (1000) messages.
";
/// Exit status of wrong options.
const USED_WRONG: u8 = 255;
/// The queues that are shown if none is named.
const QUEUES: [&str; 2] = ["incoming", "active"];
/// Mode bits that tell a message that is complete.
const MODE: u32 = 0o733;
const READY: u32 = 0o700;
/// Recipients that are read at once.
const BATCH: usize = 10_000;
/// No queue has more levels of directories.
const MAX_DEPTH: usize = 16;
/// Clears a terminal.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// What to show.
struct Wish {
    senders: bool,
    form: Form,
    /// Show the table after so many messages; 0 for only at the end.
    batch: u64,
}

/// Runs the command.
///
/// # Errors
/// What made it fail; logged by the caller.
pub fn run(context: &mut Context) -> Result<ExitCode, Fatal> {
    let Some(options) = context.options("lhc:psw:b:t:m:n:N:").ok().filter(|options| !options.has('h')) else {
        // Where standard error is closed, the exit code tells.
        let _ = write!(io::stderr(), "{USAGE}");
        return Ok(USED_WRONG.into());
    };
    let (wish, mut shape) = wish(&options, io::stdout().is_terminal())?;
    let named = !options.operands.is_empty();
    let queues = if named { options.operands.clone() } else { QUEUES.map(str::to_owned).to_vec() };
    if queues.iter().any(|queue| !queue.starts_with('/')) {
        let source = context.source(options.value('c'))?;
        let layout: params::Layout = context.params(&source)?;
        let directory = &layout.queue_directory;
        std::env::set_current_dir(directory)
            .map_err(|error| Fatal::new(format!("chdir({directory}): {}", said(&error))))?;
    }
    let mut read: u64 = 0;
    for queue in &queues {
        if let Err(error) = fs::read_dir(queue) {
            let _ = writeln!(io::stderr(), "Can't stat {queue}: {}", said(&error));
        }
        for path in files(Path::new(queue)) {
            let Some(message) = message(&path) else { continue };
            count(&mut shape, &message, wish.senders);
            read += 1;
            if wish.batch > 0 && read.is_multiple_of(wish.batch) {
                show(&shape, &wish)?;
            }
        }
    }
    show(&shape, &wish)?;
    Ok(ExitCode::SUCCESS)
}

fn wish(options: &Options, is_terminal: bool) -> Result<(Wish, Shape), Fatal> {
    let number = |letter: char, default: u64, least: u64| match options.value(letter) {
        None => Ok(default),
        Some(text) => match text.parse::<u64>() {
            Ok(number) if number >= least => Ok(number),
            Ok(_) => Ok(default),
            Err(_) => Err(Fatal::new(format!("bad value of -{letter}: {text}"))),
        },
    };
    let small = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    // More columns than any screen has are of no use.
    let buckets = small(number('b', 10, 1)?).min(1000);
    let ages = Ages { buckets, tick: number('t', 5, 1)?, linear: options.has('l') };
    let (batch, top) = (number('N', 1000, 0)?, small(number('n', 20, 0)?));
    let form = Form {
        width: small(number('w', 80, 81)?),
        least_subdomains: number('m', 5, 1)?,
        top: if is_terminal { top } else { 0 },
    };
    let wish = Wish { senders: options.has('s'), form, batch: if is_terminal { batch } else { 0 } };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    Ok((wish, Shape::new(ages, options.has('p'), i64::try_from(now).unwrap_or(i64::MAX))))
}

/// The files of a queue whose names are those of messages, at any level.
fn files(queue: &Path) -> impl Iterator<Item = PathBuf> {
    let mut waiting = vec![(queue.to_owned(), 0)];
    let mut found: Vec<PathBuf> = Vec::new();
    std::iter::from_fn(move || {
        while found.is_empty() {
            let (directory, depth) = waiting.pop()?;
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => waiting.push((entry.path(), depth + 1)),
                    Ok(kind) if kind.is_file() && entry.file_name().to_str().and_then(QueueId::parse).is_some() => {
                        found.push(entry.path());
                    }
                    _ => {}
                }
            }
        }
        found.pop()
    })
}

/// What counts of a message.
struct Counted {
    arrived: i64,
    sender: Vec<u8>,
    recipients: Vec<Vec<u8>>,
}

/// A message, if the file is still one.
fn message(path: &Path) -> Option<Counted> {
    let file = File::open(path).ok()?;
    let meta = file.metadata().ok()?;
    if meta.mode() & MODE != READY {
        return None;
    }
    let mut message = Message::parse(Buffered::small(&file), BATCH).ok()?;
    let mut recipients = Vec::with_capacity(message.recipients.len());
    let mut more = message.more.take().map(|(position, _)| position);
    loop {
        recipients.extend(message.recipients.drain(..).map(|recipient| recipient.address));
        let Some(position) = more else { break };
        (message.recipients, more) = Message::more_recipients(Buffered::small(&file), position, BATCH).ok()?;
    }
    let arrived = if message.arrived.seconds > 0 { message.arrived.seconds } else { meta.mtime() };
    Some(Counted { arrived, sender: message.sender, recipients })
}

fn count(shape: &mut Shape, message: &Counted, senders: bool) {
    // One that has been delivered to all.
    if message.recipients.is_empty() {
        return;
    }
    if senders {
        shape.add(&message.sender, message.arrived);
        return;
    }
    for recipient in &message.recipients {
        shape.add(recipient, message.arrived);
    }
}

fn show(shape: &Shape, wish: &Wish) -> Result<(), Fatal> {
    let clear = if wish.batch > 0 { CLEAR } else { "" };
    let mut out = command::output();
    write!(out, "{clear}{}", table::table(shape, &wish.form))?;
    Ok(out.flush()?)
}

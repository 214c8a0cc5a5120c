//! postqueue(1): lists and flushes the queue, with the group's right to reach the services in `public`.
//!
//! Reading order: what is asked for (this file), who may ask (`permission`), the list for programs (`report`).

mod permission;
mod report;

use address::domain;
use command::{Context, Fatal, Program};
use config::params;
use ipc::blocking::Caller;
use ipc::flush::{Flush, Reply, Request};
use mailq::{People, Queue, Report};
use queue_file::{Layout, QueueId, Spool, listing};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use tracing::warn;

use crate::permission::Act;
use crate::report::Json;

/// Exit status for what is refused or not there (sysexits.h).
const EX_UNAVAILABLE: u8 = 69;
const USAGE: &str = "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site";

config::bundle! {
    /// All that this command may know.
    pub struct Params {
        layout: params::Layout,
        queue: params::Queue,
        ipc: params::Ipc,
        sendmail: params::Sendmail,
    }
}

/// What the user wants.
enum Wish {
    List,
    ListJson,
    Flush,
    Message(String),
    Site(String),
}

/// Runs the command.
#[must_use]
pub fn run() -> ExitCode {
    Program::new("postqueue").fatal_status(EX_UNAVAILABLE).logs_mistakes().run(obey)
}

fn obey(context: &mut Context) -> Result<ExitCode, Fatal> {
    let usage = || Fatal::new(USAGE);
    let options = context.options("c:fi:jps:v").map_err(|_| usage())?;
    let mut wish = None;
    for (letter, value) in &options.given {
        let new = match (letter, value) {
            ('f', _) => Wish::Flush,
            ('j', _) => Wish::ListJson,
            ('p', _) => Wish::List,
            ('i', Some(id)) => Wish::Message(id.clone()),
            ('s', Some(site)) => Wish::Site(site.clone()),
            _ => continue,
        };
        if wish.replace(new).is_some() {
            return Err(usage());
        }
    }
    let wish = wish.filter(|_| options.operands.is_empty()).ok_or_else(usage)?;
    let source = context.source(options.value('c'))?;
    let params: Params = context.params(&source)?;
    std::env::set_current_dir(&params.layout.queue_directory)
        .map_err(|error| Fatal::new(format!("chdir {}: {error}", params.layout.queue_directory)))?;
    let act = if matches!(wish, Wish::List | Wish::ListJson) { Act::View } else { Act::Flush };
    permission::check(act, &params, &source)?;
    match wish {
        Wish::List => list(&params, People::default().with_long_ids(params.queue.enable_long_queue_ids)),
        Wish::ListJson => list(&params, Json),
        Wish::Flush => flush_all(&params),
        Wish::Message(id) => flush_message(&params, &id),
        Wish::Site(site) => flush_site(&params, &site),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Lists through showq, or from the queue itself where root finds the mail system down.
fn list(params: &Params, mut report: impl Report) -> Result<(), Fatal> {
    let mut out = command::output();
    let service = &params.ipc.showq_service_name;
    match Queue::connect(&Path::new("public").join(service), params.ipc.ipc_timeout) {
        Ok(queue) => Ok(queue.list(&mut report, &mut out)?),
        Err(error) if privsep::is_root() => {
            warn!(
                "Mail system is down -- accessing queue directly (Connect to the Postfix {service} service: {})",
                why(&error)
            );
            read(params, &mut report, &mut out)
        }
        Err(error) => {
            let text = "Queue report unavailable - mail system is down";
            let why = why(&error);
            Err(Fatal::new(format!("{text} (Connect to the Postfix {service} service: {why})")))
        }
    }
}

fn read(params: &Params, report: &mut impl Report, out: &mut impl Write) -> Result<(), Fatal> {
    let depth = u32::try_from(params.queue.hash_queue_depth).unwrap_or(1);
    let spool = Spool::new("", Layout::new(params.queue.hash_queue_names.iter().map(String::as_str), depth));
    let mut reported: Result<(), Fatal> = Ok(());
    let take = |batch: Vec<Result<listing::Listed, queue_file::Error>>| {
        reported = batch.into_iter().try_for_each(|listed| Ok(report.message(out, &report::message(listed?))?));
        if reported.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    listing::messages(&spool, |batch| batch, take);
    reported?;
    report.end(out)?;
    Ok(out.flush()?)
}

/// What the system said about a connection.
fn why(error: &ipc::Error) -> String {
    if let ipc::Error::Connect { source, .. } = error { command::said(source) } else { error.to_string() }
}

const DOWN: &str = "Cannot flush mail queue - mail system is down";

fn flush_all(params: &Params) -> Result<(), Fatal> {
    let wake = |name: &str, bytes: &[u8]| {
        let path = Path::new("public").join(name);
        ipc::trigger::wake(&path, bytes).map_err(|error| {
            warn!("unable to look up {}: {}", path.display(), command::said(&error));
            Fatal::new(DOWN)
        })
    };
    let bytes = [ipc::qmgr::IGNORE_TIMES, ipc::qmgr::FORGET_DEAD, ipc::qmgr::SCAN_DEFERRED];
    wake(&params.ipc.queue_service_name, &bytes)?;
    wake(&params.ipc.pickup_service_name, &[ipc::trigger::WAKEUP])
}

fn flush_message(params: &Params, id: &str) -> Result<(), Fatal> {
    let id = QueueId::parse(id).ok_or_else(|| bad_id(id))?;
    match ask_flush(params, Request::Message(id.to_string()))? {
        Reply::Done => Ok(()),
        Reply::Failed => Err(Fatal::new(DOWN)),
        Reply::Denied | Reply::Malformed => Err(bad_id(id.as_str())),
    }
}

fn bad_id(id: &str) -> Fatal {
    Fatal::new(format!("Cannot flush queue ID - invalid name: \"{id}\""))
}

fn flush_site(params: &Params, site: &str) -> Result<(), Fatal> {
    let is_site = domain::is_hostname(site.as_bytes()) || domain::literal(site.as_bytes()).is_some();
    if !is_site {
        return Err(Fatal::new(format!("Cannot flush mail queue - invalid destination: \"{site}\"")));
    }
    match ask_flush(params, Request::Site(site.to_owned()))? {
        Reply::Done => Ok(()),
        Reply::Failed => Err(Fatal::new(DOWN)),
        Reply::Malformed => Err(Fatal::new(format!("Invalid request: \"{site}\""))),
        Reply::Denied => Err(Fatal::new(format!("Flush service is not configured for destination \"{site}\""))),
    }
}

fn ask_flush(params: &Params, request: Request) -> Result<Reply, Fatal> {
    let path = Path::new("public").join(&params.ipc.flush_service_name);
    Caller::<Flush>::new(&path, params.ipc.ipc_timeout).call(request).map_err(|error| {
        warn!("connect to {}: {}", path.display(), why(&error));
        Fatal::new(DOWN)
    })
}

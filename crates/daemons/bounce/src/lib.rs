//! bounce(8): keeps logs of recipients that failed, wait or were delivered, and sends the notices made from them.
//!
//! The same program serves as `bounce`, `defer` and `trace`, with a log of its own each. A log entry is on disk before it
//! is answered for, and a log is removed only after its notice is in the queue: a crash may send a notice twice but
//! never loses one. Anything that fails is answered with a failure, and the message stays in the queue.

mod builtin;
pub mod dump;
mod letters;
mod notify;
mod original;
mod report;
pub mod template;
mod template_file;

use std::sync::Arc;

use ipc::bounce::{Reply, Request};
use jiff::tz::TimeZone;
use queue_file::{Layout, QueueId, QueueName, Spool, log};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};
use tracing::warn;

use crate::notify::{About, Notifier};
use crate::template::{Kind, Templates};

config::bundle! {
    /// The parameters of bounce(8).
    pub struct Params {
        bounce: config::params::Bounce,
        identity: config::params::Identity,
        queue: config::params::Queue,
        lifetimes: config::params::Lifetimes,
        ipc: config::params::Ipc,
        cleanup: config::params::Cleanup,
    }
}

/// What is read before the jail.
#[derive(Debug)]
pub struct Opened {
    templates: Templates,
    time_zone: TimeZone,
}

/// The service, under one of its three names.
#[derive(Debug)]
pub struct Bounce {
    log: QueueName,
    spool: Spool,
    notifier: Notifier,
    params: Params,
    life: Life,
}

impl Service for Bounce {
    const NAME: &'static str = "bounce";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::UntilIdle;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::Unlimited;
    type Params = Params;
    type Opened = Opened;

    fn open(params: &Params, outside: &Outside) -> Result<Opened, Fatal> {
        let templates = Templates::read(&outside.source, &params.bounce.bounce_template_file);
        Ok(Opened { templates, time_zone: time_zone::local() })
    }

    fn start(params: Params, opened: Opened, life: Life) -> Result<Self, Fatal> {
        let name = life.service_name();
        let log = match name {
            _ if name == params.ipc.bounce_service_name => QueueName::Bounce,
            _ if name == params.ipc.defer_service_name => QueueName::Defer,
            _ if name == params.ipc.trace_service_name => QueueName::Trace,
            _ => return Err(Fatal::new(format!("unknown service name: {name}"))),
        };
        let hashed = params.queue.hash_queue_names.iter().map(String::as_str);
        let spool = Spool::new("", Layout::new(hashed, u32::try_from(params.queue.hash_queue_depth).unwrap_or(1)));
        let notifier = Notifier::new(&params, opened, spool.clone());
        Ok(Self { log, spool, notifier, params, life })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let deadline = self.params.ipc.ipc_timeout;
        let served = service::answer::<ipc::bounce::Bounce, _, _>(client, &self.life, deadline, |request| {
            let this = Arc::clone(&self);
            async move { this.answer(request).await }
        });
        if let Err(error) = served.await {
            warn!("connection: {error}");
        }
    }
}

impl Bounce {
    async fn answer(&self, request: Request) -> Reply {
        let done = match request {
            Request::Append { queue_id, entry } => self.append(&queue_id, letters::entry_of(entry)).await,
            Request::Notify(notice) => self.notify(About::of(notice, Kind::Failure)).await,
            Request::NotifyVerp(notice, delimiters) => {
                let verp = Some(delimiters);
                self.notify(About { verp, ..About::of(notice, Kind::Failure) }).await
            }
            Request::Warn(notice) => self.notify(About::of(notice, Kind::Delay)).await,
            Request::Trace(notice) => self.notify(About::of(notice, Kind::Success)).await,
            Request::One(notice, entry) => {
                let about = About::of(notice, Kind::Failure);
                self.notifier.notify(&about, Some(vec![letters::entry_of(entry)])).await
            }
        };
        if done { Reply::Done } else { Reply::Failed }
    }

    async fn append(&self, queue_id: &str, entry: log::Entry) -> bool {
        let Some(id) = QueueId::parse(queue_id) else { return false };
        let entry = logged(entry);
        let (spool, queue) = (self.spool.clone(), self.log);
        let appended = service::sync(move || log::append(&spool, queue, &id, &entry)).await;
        appended.inspect_err(|error| warn!("{queue_id}: {error}")).is_ok()
    }

    /// Sends the notices made from this service's log, and removes the log where it has served.
    async fn notify(&self, about: About) -> bool {
        let Some(id) = QueueId::parse(&about.notice.queue_id) else { return false };
        let (spool, queue, of) = (self.spool.clone(), self.log, id.clone());
        let entries = service::disk(move || read_log(&spool, queue, &of)).await;
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                warn!("{id}: {error}");
                return false;
            }
        };
        // Without a log there is a failure to tell of, but no delay and no success. An empty one tells that nothing has failed.
        if entries.as_ref().map_or(about.kind != Kind::Failure, Vec::is_empty) {
            if entries.is_some() {
                self.forget(&id).await;
            }
            return true;
        }
        let is_warning = about.kind == Kind::Delay;
        let done = self.notifier.notify(&about, entries).await;
        if done && !is_warning {
            self.forget(&id).await;
        }
        done
    }

    async fn forget(&self, id: &QueueId) {
        let (spool, queue, of) = (self.spool.clone(), self.log, id.clone());
        if let Err(error) = service::file(move || spool.remove(queue, &of)).await
            && !error.is_gone()
        {
            warn!("{id}: {error}");
        }
    }
}

/// An entry whose addresses have another form: external in the log, internal in notices.
fn with_addresses(entry: log::Entry, form: impl Fn(Vec<u8>) -> Vec<u8>) -> log::Entry {
    log::Entry { recipient: form(entry.recipient), original: form(entry.original), ..entry }
}

fn logged(entry: log::Entry) -> log::Entry {
    with_addresses(entry, |internal| address::quote::quote(&internal).into_owned())
}

/// An entry that has a status, which a damaged log may have lost.
fn with_status(entry: log::Entry, queue: QueueName) -> log::Entry {
    if !entry.status.is_empty() {
        return entry;
    }
    let known = [(QueueName::Defer, "4.0.0"), (QueueName::Trace, "2.0.0")];
    let status = known.iter().find(|(log, _)| *log == queue).map_or("5.0.0", |(_, status)| status);
    log::Entry { status: status.to_owned(), ..entry }
}

fn read_log(spool: &Spool, queue: QueueName, id: &QueueId) -> Result<Option<Vec<log::Entry>>, queue_file::Error> {
    match log::read(spool, queue, id) {
        Ok(entries) => {
            let internal = |entry| with_addresses(entry, |external| address::quote::unquote(&external));
            let whole = |entry| with_status(internal(entry), queue);
            entries.map(|entry| entry.map(whole)).collect::<Result<_, _>>().map(Some)
        }
        Err(error) if error.is_gone() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_have_addresses_in_external_form() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("defer")).unwrap();
        let spool = Spool::new(directory.path(), Layout::default());
        let id = QueueId::parse("3CCE398E1B0").unwrap();
        let entry = log::Entry {
            recipient: b"c d@example.org".into(),
            reason: "why".into(),
            status: "4.1.1".into(),
            ..log::Entry::default()
        };
        log::append(&spool, QueueName::Defer, &id, &logged(entry.clone())).unwrap();
        let text = std::fs::read_to_string(spool.path(QueueName::Defer, &id)).unwrap();
        assert!(text.starts_with("\n<\"c d\"@example.org>: why\nrecipient=\"c d\"@example.org\n"), "{text}");
        assert_eq!(read_log(&spool, QueueName::Defer, &id).unwrap(), Some(vec![entry]));
    }

    #[test]
    fn what_a_log_lost_of_a_status_is_the_usual_one() {
        for (queue, expected) in
            [(QueueName::Bounce, "5.0.0"), (QueueName::Defer, "4.0.0"), (QueueName::Trace, "2.0.0")]
        {
            assert_eq!(with_status(log::Entry::default(), queue).status, expected);
            let entry = log::Entry { status: "5.1.1".into(), ..log::Entry::default() };
            assert_eq!(with_status(entry.clone(), queue), entry);
        }
    }
}

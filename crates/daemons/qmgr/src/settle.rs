//! The end of an attempt: notices go out, and the file is removed or deferred.

use crate::disk;
use crate::engine::{Engine, Event};
use crate::message::{Active, Agents};
use crate::schedule::MessageNumber;
use crate::settings::Settings;
use ipc::Caller;
use ipc::bounce::{Bounce, Reply, Request};
use ipc::deliver::{Mode, Remains};
use queue_file::{Error, QueueId, QueueName, Spool, Time};
use std::sync::Arc;
use tracing::{info, warn};

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is finished.
    Removed,
    /// It waits for another attempt.
    Deferred,
    /// It is in the corrupt queue.
    Corrupt,
    /// Somebody has taken it.
    Gone,
    /// The system refused something; it stays in the active queue.
    Failed(Error),
}

impl Fate {
    /// What was meant for a message, if that could be done.
    fn unless_failed(self, result: Result<(), Error>) -> Self {
        match result {
            Ok(()) => self,
            Err(error) if error.is_gone() => Self::Gone,
            Err(error) => Self::Failed(error),
        }
    }
}

/// Logs that a message has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logs {
    bounce: bool,
    trace: bool,
}

impl Logs {
    /// A log that cannot be looked for may be there, with somebody to be told.
    fn of(active: &Active, spool: &Spool) -> Result<Self, Error> {
        Ok(Self {
            bounce: spool.has(QueueName::Bounce, &active.id)?,
            trace: active.is_traced() && spool.has(QueueName::Trace, &active.id)?,
        })
    }
}

/// Settles messages.
#[derive(Debug)]
pub(crate) struct Office {
    settings: Arc<Settings>,
    spool: Arc<Spool>,
    bounce: Caller<Bounce>,
    defer: Caller<Bounce>,
    trace: Caller<Bounce>,
}

impl Engine {
    /// Settles a message if nothing of it is left to be done.
    pub(crate) fn settle_if_done(&mut self, number: MessageNumber) {
        if !self.messages.get(&number).is_some_and(Active::is_done) {
            return;
        }
        let Some(active) = self.messages.remove(&number) else { return };
        self.underway += 1;
        let spares = Arc::clone(&self.spares);
        self.outlet.put_for(number, move |spool| {
            if active.remains() == Remains::Damaged {
                let renamed = spool.rename(&active.id, QueueName::Active, QueueName::Corrupt);
                return Event::Ended(active.id, Fate::Corrupt.unless_failed(renamed));
            }
            if active.agents == Agents::Lost && active.remains() == Remains::Nothing {
                // Where anything else goes wrong it lies there for nobody, and that is all.
                let _ = spool.remove(QueueName::Defer, &active.id);
            }
            let logs = match Logs::of(&active, spool) {
                Ok(logs) => logs,
                Err(error) => return Event::Ended(active.id, Fate::Failed(error)),
            };
            if active.remains() == Remains::Some || logs.bounce || logs.trace {
                return Event::Aftermath(Box::new(active), logs);
            }
            let fate = Fate::Removed.unless_failed(spares.retire(spool, &active.id));
            Event::Ended(active.id, fate)
        });
    }
}

impl Office {
    pub(crate) fn new(settings: &Arc<Settings>, spool: Arc<Spool>) -> Self {
        let ipc = &settings.params.ipc;
        let ask = |service: &str| Caller::new(format!("private/{service}"), settings.params.qmgr.qmgr_ipc_timeout);
        Self {
            bounce: ask(&ipc.bounce_service_name),
            defer: ask(&ipc.defer_service_name),
            trace: ask(&ipc.trace_service_name),
            settings: Arc::clone(settings),
            spool,
        }
    }

    /// Sends the notices that are due, then removes or defers the file.
    pub(crate) async fn settle(&self, active: &Active, logs: Logs) -> Fate {
        let mut remains = active.remains() == Remains::Some;
        if logs.bounce && !done(&self.bounce, self.failure(active)).await {
            info!("{}: status=deferred (bounce failed)", active.id);
            remains = true;
        }
        let reported = logs.trace && done(&self.trace, Request::Trace(active.notice())).await;
        remains |= logs.trace && !reported;
        let age = Time::now().seconds - active.created;
        if remains {
            remains = !self.expire(active, age).await;
        }
        let (spool, id) = (Arc::clone(&self.spool), active.id.clone());
        if !remains {
            let result = service::file(move || spool.remove(QueueName::Active, &id)).await;
            return Fate::Removed.unless_failed(result);
        }
        // A report is on the first attempt only.
        let report = active.trace.filter(|_| reported && active.mode == Mode::DeliverAndReport);
        let disarm = Disarm { warning: self.warn(active).await, report };
        let next = Time::now().seconds + self.settings.backoff(age);
        service::file(move || defer(&spool, &id, disarm, next)).await
    }

    fn failure(&self, active: &Active) -> Request {
        match &active.verp {
            Some(verp) if !self.settings.params.bounce.disable_verp_bounces => {
                Request::NotifyVerp(active.notice(), verp.clone())
            }
            Some(_) | None => Request::Notify(active.notice()),
        }
    }

    /// Returns a message that is too old; whether that has been done.
    async fn expire(&self, active: &Active, age: i64) -> bool {
        let sender = &active.envelope.sender;
        let old = age >= self.settings.lifetime(sender);
        if !old && active.handling.expire.is_none() {
            return false;
        }
        let status = if active.handling.expire.is_some() { "force-expired" } else { "expired" };
        let from = self.settings.log_form.shown(sender);
        info!("{}: from=<{from}>, status={status}, returned to sender", active.id);
        done(&self.defer, self.failure(active)).await
    }

    /// Warns the sender once; the offset of the record that asked for it, if that has been done.
    async fn warn(&self, active: &Active) -> Option<u64> {
        let (time, offset) = active.warn.filter(|(time, _)| *time > 0)?;
        let due = Time::now().seconds >= time - 1;
        (due && done(&self.defer, Request::Warn(active.notice())).await).then_some(offset)
    }
}

async fn done(service: &Caller<Bounce>, request: Request) -> bool {
    match service.call(request).await {
        Ok(Reply::Done) => true,
        Ok(Reply::Failed) => false,
        Err(error) => {
            warn!("{error}");
            false
        }
    }
}

/// Tells of a file that is in the corrupt queue now.
pub(crate) fn log_corrupt(id: &QueueId) {
    let (from, to) = (QueueName::Active, QueueName::Corrupt);
    warn!("saving corrupt file \"{id}\" from queue \"{from}\" to queue \"{to}\"");
}

/// Offsets of records that ask for what has been sent by now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Disarm {
    warning: Option<u64>,
    report: Option<u64>,
}

/// Moves a file to the deferred queue.
pub(crate) fn defer(spool: &Spool, id: &QueueId, disarm: Disarm, next: i64) -> Fate {
    let warned = disarm.warning.map_or(Ok(()), |offset| disk::disarm_warning(spool, id, offset));
    let reported = disarm.report.map_or(Ok(()), |offset| disk::disarm_report(spool, id, offset));
    Fate::Deferred.unless_failed(warned.and(reported).and_then(|()| disk::defer(spool, id, next)))
}

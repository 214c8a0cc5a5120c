//! The queue manager at work: takes events, asks the scheduler who is next, hands deliveries to agents.
//!
//! Everything happens in one task, between two waits; the disk and other services are asked in other tasks, which answer with events.

use crate::agent::{Link, Pool, Report};
use crate::arena::Key;
use crate::disk::{Admission, Rules};
use crate::lane::Lane;
use crate::message::Active;
use crate::route::Cache;
use crate::scan::Scans;
use crate::schedule::{Entry, MessageNumber, Schedule, Tick, Transport};
use crate::settings::{Settings, seconds, ticks};
use crate::settle::{self, Disarm, Fate, Office};
use crate::spares::Spares;
use ipc::Caller;
use ipc::deliver::Recipient;
use ipc::qmgr::{Arrival, Flow};
use ipc::rewrite::{Reply, Rewrite};
use queue_file::Time;
use queue_file::sweep::THREADS;
use queue_file::{Error, Position, QueueId, QueueName, Scan, Spool};
use service::Life;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, watch};
use tracing::{info, warn};

/// Events taken before the scheduler is asked.
const BATCH: usize = 256;
/// Messages that are moved at the same time when mail comes too fast.
const BACKLOG: usize = 1000;
/// How often connections that idle are looked for.
const SWEEP: Tick = 1000;
/// How long a file is left alone after the system refused something.
const TROUBLE: Duration = Duration::from_secs(60);
/// How long to wait before an active queue that cannot be read is tried again: until then no mail moves.
const UNREADABLE: Duration = Duration::from_secs(5);

/// A delivery: what an entry of the scheduler stands for.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) message: MessageNumber,
    pub(crate) transport: Key<Transport<Self>>,
    pub(crate) nexthop: Arc<str>,
    pub(crate) recipients: Vec<Recipient>,
    /// Whether an agent has gone away with it before.
    pub(crate) lost: bool,
}

/// What happens to the queue manager.
pub(crate) enum Event {
    /// cleanup has committed files.
    Arrived(Vec<Arrival>),
    /// Trigger bytes.
    Wake(Vec<u8>),
    /// A new file was looked at.
    Admitted(Admission),
    /// A queue was looked through for a while; the scan is given back if there is more.
    Scanned { queue: QueueName, admitted: Vec<Admission>, rest: Option<Scan> },
    /// Recipients have been resolved.
    Resolved { message: MessageNumber, routes: Vec<(Recipient, Option<Reply>)> },
    /// More recipients have been read.
    Refilled { message: MessageNumber, result: Result<(Vec<queue_file::Recipient>, Option<Position>), Error> },
    /// An agent says something.
    Agent(Key<Transport<Delivery>>, Key<Link>, Report),
    /// What remains to be done of a delivery that an agent did not answer.
    Checked { entry: Key<Entry<Delivery>>, result: Result<Vec<bool>, Error> },
    /// A message is to be settled with more than its removal.
    Aftermath(Box<Active>, settle::Logs),
    /// A message has left the active queue.
    Ended(QueueId, Fate),
    /// A file with which something went wrong is to be deferred.
    PutOff(QueueId),
    /// The earlier queue manager has ended: the queue is ours.
    Ours(std::io::Result<File>),
    /// Nothing to say.
    Done,
}

/// What the queue manager and its connections share.
pub(crate) type Shared = (Arc<Spares>, Arc<watch::Sender<Flow>>);

/// The state of the queue manager.
pub(crate) struct Engine {
    pub(crate) settings: Arc<Settings>,
    pub(crate) schedule: Schedule<Delivery>,
    pub(crate) messages: HashMap<MessageNumber, Active>,
    pub(crate) pools: HashMap<Key<Transport<Delivery>>, Pool>,
    pub(crate) cache: Cache,
    pub(crate) rewrite: Caller<Rewrite>,
    pub(crate) office: Arc<Office>,
    pub(crate) scans: Scans,
    pub(crate) spool: Arc<Spool>,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    /// Files for cleanup.
    pub(crate) spares: Arc<Spares>,
    /// What cleanup is told about the flow of mail.
    flow: Arc<watch::Sender<Flow>>,
    /// Files on their way into the active queue.
    pub(crate) intake: Lane,
    /// Messages on their way out of it.
    pub(crate) outlet: Lane,
    /// Messages that are being admitted or settled.
    pub(crate) underway: usize,
    /// Recipients in memory.
    pub(crate) recipients: usize,
    /// Somebody flushes the queue.
    flushed: Arc<Notify>,
    next_message: MessageNumber,
    began: Instant,
    next_run: Tick,
    next_sweep: Tick,
    /// Held as long as the active queue is ours.
    ours: Option<File>,
    draining: bool,
}

impl Engine {
    pub(crate) fn new(settings: Arc<Settings>, events: mpsc::UnboundedSender<Event>, shared: Shared) -> Self {
        let (spares, flow) = shared;
        let ipc = &settings.params.ipc;
        let spool = Arc::new(settings.spool());
        let rewrite =
            Caller::new(format!("private/{}", ipc.rewrite_service_name), settings.params.qmgr.qmgr_ipc_timeout);
        Self {
            schedule: Schedule::default(),
            messages: HashMap::new(),
            pools: HashMap::new(),
            cache: Cache::default(),
            rewrite,
            office: Arc::new(Office::new(&settings, Arc::clone(&spool))),
            scans: if settings.is_second() { Scans::by_another() } else { Scans::default() },
            spool: Arc::clone(&spool),
            intake: Lane::start(Arc::clone(&spool), events.clone(), 1),
            outlet: Lane::start(spool, events.clone(), THREADS),
            events,
            spares,
            flow,
            underway: 0,
            recipients: 0,
            flushed: Arc::default(),
            next_message: 0,
            began: Instant::now(),
            next_run: ticks(settings.params.qmgr.queue_run_delay),
            next_sweep: SWEEP,
            ours: None,
            draining: false,
            settings,
        }
    }

    /// Works until the process is to end and nothing is in progress.
    pub(crate) async fn run(mut self, mut events: mpsc::UnboundedReceiver<Event>, life: Life) {
        self.take_over(Duration::ZERO);
        let draining = life.draining();
        tokio::pin!(draining);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                () = &mut draining, if !self.draining => self.draining = true,
                _ = events.recv_many(&mut batch, BATCH) => {}
                () = tokio::time::sleep(self.patience()) => {}
            }
            for event in batch.drain(..) {
                self.on(event);
            }
            let now = self.now();
            self.on_time(now);
            self.tell_flow();
            if !self.draining && self.ours.is_some() {
                self.scan_on();
                self.dispatch(now);
            }
            if self.draining && self.is_at_rest() {
                self.spool.remove_spares(QueueName::Incoming, &self.spares.all());
                return;
            }
        }
    }

    /// Whether new files may be admitted: the active queue is ours, and all that was in it is known.
    pub(crate) fn is_open(&self) -> bool {
        self.ours.is_some() && !self.draining && self.scans.knows_active()
    }

    /// Whether the process is about to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining
    }

    /// Milliseconds since the start.
    pub(crate) fn now(&self) -> Tick {
        ticks(self.began.elapsed())
    }

    /// Waits, beside everything else, until no other queue manager works on the active queue. What lies there is looked for once, so it
    /// must be there to be read. One that has a name of its own works beside the usual one, on nothing but what it is handed.
    fn take_over(&self, after: Duration) {
        let events = self.events.clone();
        let is_second = self.settings.is_second();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let taken = service::disk(move || {
                let directory = File::open(QueueName::Active.as_str())?;
                if !is_second {
                    directory.lock()?;
                }
                std::fs::read_dir(QueueName::Active.as_str())?.next().transpose()?;
                Ok(directory)
            });
            let _ = events.send(Event::Ours(taken.await));
        });
    }

    fn patience(&self) -> Duration {
        let mut until = self.next_run.min(self.schedule.next_alarm().unwrap_or(Tick::MAX));
        if self.pools.values().any(|pool| !pool.is_empty()) || !self.spares.is_empty() {
            until = until.min(self.next_sweep);
        }
        Duration::from_millis(until.saturating_sub(self.now()).max(1))
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Arrived(arrivals) => self.arrived(arrivals),
            Event::Wake(bytes) => self.wake(&bytes),
            Event::Admitted(admission) => {
                self.underway = self.underway.saturating_sub(1);
                self.admitted(admission);
            }
            Event::Scanned { queue, admitted, rest } => {
                self.scans.returned(queue, rest);
                for admission in admitted {
                    self.admitted(admission);
                }
            }
            Event::Resolved { message, routes } => self.resolved(message, routes),
            Event::Refilled { message, result } => self.refilled(message, result),
            Event::Agent(transport, link, report) => self.heard(transport, link, report),
            Event::Checked { entry, result } => self.checked(entry, result),
            Event::Aftermath(active, logs) => {
                let (office, events) = (Arc::clone(&self.office), self.events.clone());
                tokio::spawn(async move {
                    let fate = office.settle(&active, logs).await;
                    let _ = events.send(Event::Ended(active.id, fate));
                });
            }
            Event::Ended(id, fate) => self.ended(&id, fate),
            Event::PutOff(id) => {
                // It may not have come as far as the active queue.
                self.scans.ask(QueueName::Incoming, Rules::default());
                let events = self.events.clone();
                self.outlet.put(move |spool| {
                    let fate = settle::defer(spool, &id, Disarm::default(), Time::now().seconds);
                    if matches!(fate, Fate::Deferred) {
                        // It is due, and who flushes the queue waits for it.
                        let _ = events.send(Event::Wake(vec![ipc::qmgr::SCAN_DEFERRED]));
                    }
                    Event::Ended(id, fate)
                });
            }
            Event::Ours(Ok(directory)) => {
                self.ours = Some(directory);
                self.scans.at_start();
            }
            Event::Ours(Err(error)) => {
                warn!("take over queue {}: {error}", QueueName::Active);
                self.take_over(UNREADABLE);
            }
            Event::Done => {}
        }
    }

    fn on_time(&mut self, now: Tick) {
        self.schedule.tick(now);
        if now >= self.next_run {
            self.next_run = now + ticks(self.settings.params.qmgr.queue_run_delay).max(1);
            self.scans.ask(QueueName::Deferred, Rules::default());
            if self.messages.is_empty() {
                self.shrink(now);
            }
        }
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            let since = now.saturating_sub(ticks(self.settings.params.ipc.ipc_idle));
            for pool in self.pools.values_mut() {
                pool.close_idle(since);
            }
            self.remove_spares(self.spares.unwanted());
            self.warn_of_clog(now);
        }
    }

    /// Gives back the memory that many messages at once have taken.
    fn shrink(&mut self, now: Tick) {
        self.messages.shrink_to_fit();
        self.schedule.shrink();
        self.cache.shrink(now);
    }

    fn remove_spares(&self, ids: Vec<QueueId>) {
        for (number, id) in (0..).zip(ids) {
            self.outlet.put_for(number, move |spool| {
                spool.remove_spares(QueueName::Incoming, &[id]);
                Event::Done
            });
        }
    }

    /// Whether nothing is in progress that a successor would have to wait for.
    fn is_at_rest(&self) -> bool {
        let delivering = self.pools.keys().any(|key| self.schedule.transport(*key).is_some_and(|t| t.busy() > 0));
        self.underway == 0 && !self.scans.is_scanning() && !delivering
    }

    /// How many more messages may become active.
    pub(crate) fn room(&self) -> usize {
        self.settings.active_limit().saturating_sub(self.messages.len() + self.underway)
    }

    /// Mail that comes faster than it can become active is slowed down (`in_flow_delay`).
    fn tell_flow(&self) {
        let flow = if self.room() == 0 || self.underway >= BACKLOG { Flow::Behind } else { Flow::Free };
        self.flow.send_if_modified(|told| std::mem::replace(told, flow) != flow);
    }

    /// How files are admitted now.
    pub(crate) fn rules(&self) -> Rules {
        let free = self.settings.recipient_limit().saturating_sub(self.recipients);
        Rules {
            now: Time::now().seconds,
            recipients: free.max(self.settings.recipient_minimum()),
            busy_delay: seconds(self.settings.params.qmgr.minimal_backoff_time),
            ..Rules::default()
        }
    }

    /// The number of a new message.
    pub(crate) fn enter(&mut self, mut active: Active) -> MessageNumber {
        self.next_message += 1;
        active.read = self.now();
        self.messages.insert(self.next_message, active);
        self.next_message
    }

    fn wake(&mut self, bytes: &[u8]) {
        let has = |byte| bytes.contains(&byte);
        let rules = Rules {
            ignore_times: has(ipc::qmgr::IGNORE_TIMES),
            flush: has(ipc::qmgr::FORGET_DEAD),
            ..Rules::default()
        };
        if rules.flush {
            self.schedule.revive();
            self.flushed.notify_waiters();
        }
        self.scans.wake(bytes, rules);
    }

    fn ended(&mut self, id: &QueueId, fate: Fate) {
        self.underway = self.underway.saturating_sub(1);
        match fate {
            Fate::Removed => info!("{id}: removed"),
            Fate::Deferred | Fate::Gone => {}
            Fate::Corrupt => settle::log_corrupt(id),
            Fate::Failed(error) => {
                warn!("{id}: {error}");
                self.put_off(id.clone());
            }
        }
    }

    /// Defers a file in the active queue that something went wrong with, after a while or when the queue is flushed.
    pub(crate) fn put_off(&mut self, id: QueueId) {
        self.underway += 1;
        let (events, flushed) = (self.events.clone(), Arc::clone(&self.flushed));
        tokio::spawn(async move {
            let _ = tokio::time::timeout(TROUBLE, flushed.notified()).await;
            let _ = events.send(Event::PutOff(id));
        });
    }
}

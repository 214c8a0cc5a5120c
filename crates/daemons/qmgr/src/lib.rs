//! qmgr(8): moves mail from queue to delivery agent.
//!
//! Mail comes from cleanup, or is found by a scan; its recipients get routes, the `schedule` says who is next, agents deliver,
//! and what remains is deferred. Only the queue manager moves files between queues. It never reads the content of a
//! message and never talks to the network.

mod agent;
mod arena;
mod clog;
mod disk;
mod dispatch;
mod engine;
mod intake;
mod lane;
mod message;
mod route;
mod scan;
mod schedule;
mod settings;
mod settle;
mod spares;
mod stock;

pub use settings::Params;

use address::LogForm;
use config::Source;
use engine::{Engine, Event};
use ipc::Channel;
use ipc::qmgr::{Back, Flow, Request, SCAN_INCOMING};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};
use settings::Settings;
use spares::Spares;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Arrivals taken from a connection in one go.
const BATCH: usize = 256;
/// Spare files that one cleanup may have to its credit.
const OWED: usize = 512;
/// How long cleanup may take to read what it is given back.
const PATIENCE: Duration = Duration::from_secs(1);

/// The queue manager.
pub struct Qmgr {
    settings: Arc<Settings>,
    life: Life,
    events: mpsc::UnboundedSender<Event>,
    waiting: Mutex<Option<mpsc::UnboundedReceiver<Event>>>,
    spares: Arc<Spares>,
    at_rest: watch::Sender<bool>,
    flow: Arc<watch::Sender<Flow>>,
}

impl std::fmt::Debug for Qmgr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Qmgr")
    }
}

impl Service for Qmgr {
    const NAME: &'static str = "qmgr";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::Endless;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::One;
    const TRIGGERED: bool = true;
    type Params = Params;
    type Opened = Source;

    fn patience(params: &Params) -> Option<Duration> {
        Some(params.qmgr.qmgr_daemon_timeout)
    }

    fn open(_: &Params, outside: &Outside) -> Result<Source, Fatal> {
        Ok(outside.source.clone())
    }

    fn start(params: Params, source: Source, life: Life) -> Result<Self, Fatal> {
        let (events, waiting) = mpsc::unbounded_channel();
        params.identity.info_log_address_format.parse::<LogForm>()?;
        let settings = Arc::new(Settings::new(params, source));
        let at_rest = watch::Sender::new(false);
        Ok(Self {
            settings,
            life,
            events,
            waiting: Mutex::new(Some(waiting)),
            spares: Arc::default(),
            at_rest,
            flow: Arc::new(watch::Sender::new(Flow::Free)),
        })
    }

    /// Takes the word of cleanup about new files, and trigger bytes in frames.
    ///
    /// A cleanup that is killed may have accepted mail that it has not told of: what lies in `incoming` is looked for when a
    /// connection ends, and when one begins, since the one before may have had none yet.
    async fn serve(self: Arc<Self>, client: Client) {
        let Ok((stream, _slot)) = client.into_unix() else { return };
        let deadline = self.settings.params.ipc.ipc_timeout;
        let Ok(channel) = Channel::accept::<ipc::qmgr::Qmgr>(stream, deadline).await else { return };
        let look = || drop(self.events.send(Event::Wake(vec![SCAN_INCOMING])));
        look();
        self.hear(channel).await;
        look();
    }

    async fn wake(self: Arc<Self>, requests: Vec<u8>) {
        let _ = self.events.send(Event::Wake(requests));
    }

    async fn run(self: Arc<Self>) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            let shared = (Arc::clone(&self.spares), Arc::clone(&self.flow));
            let engine = Engine::new(Arc::clone(&self.settings), self.events.clone(), shared);
            engine.run(waiting, self.life.clone()).await;
        }
        self.at_rest.send_replace(true);
    }

    /// Deliveries in progress are waited for, so that the successor does not meet them.
    async fn finish(self: Arc<Self>) {
        let patience = self.settings.params.ipc.application_event_drain_time;
        let mut at_rest = self.at_rest.subscribe();
        let _ = tokio::time::timeout(patience, at_rest.wait_for(|rest| *rest)).await;
    }
}

impl Qmgr {
    async fn hear(&self, mut channel: Channel<Back, Request>) {
        let draining = self.life.draining();
        tokio::pin!(draining);
        let mut flow = self.flow.subscribe();
        let mut owed = 0;
        if *flow.borrow() == Flow::Behind {
            flow.mark_changed();
        }
        loop {
            let first = tokio::select! {
                request = channel.receive() => request,
                () = &mut draining => return,
                Ok(()) = flow.changed() => {
                    let now = *flow.borrow_and_update();
                    if channel.send(&Back::Flow(now)).is_err() || flush(&mut channel).await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            let mut next = first;
            let mut arrivals = Vec::new();
            let ended = loop {
                match next {
                    Ok(Some(Request::Arrived(arrival))) => arrivals.push(arrival),
                    Ok(Some(Request::Trigger(bytes))) => drop(self.events.send(Event::Wake(bytes))),
                    Ok(None) | Err(_) => break true,
                }
                if !channel.is_ready() || arrivals.len() >= BATCH {
                    break false;
                }
                next = channel.receive().await;
            };
            let came = arrivals.len();
            if came > 0 {
                let _ = self.events.send(Event::Arrived(arrivals));
            }
            owed = (owed + came).min(OWED);
            if ended || self.give_back(&mut channel, &mut owed).await.is_err() {
                return;
            }
            channel.shrink();
        }
    }

    /// Gives cleanup a spare file for each that it has used, several at a time, as far as there are any.
    async fn give_back(&self, channel: &mut Channel<Back, Request>, owed: &mut usize) -> Result<(), ipc::Error> {
        let spares = self.spares.take(*owed);
        if spares.is_empty() {
            return Ok(());
        }
        *owed -= spares.len();
        for spare in spares {
            channel.send(&Back::Spare { queue_id: spare.as_str().to_owned() })?;
        }
        flush(channel).await
    }
}

/// Writes; a cleanup that does not read is not waited for.
async fn flush(channel: &mut Channel<Back, Request>) -> Result<(), ipc::Error> {
    tokio::time::timeout(PATIENCE, channel.flush()).await.map_err(|_| ipc::Error::Timeout)?
}

//! The life of a process: its slots, its orders, its end.

use crate::arguments::Kind;
use crate::slots::{Edge, Slot, Slots, Work};
use crate::status::Report;
use crate::turns::Turns;
use ipc::master::Status;
use privsep::Jailed;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// What a service knows of its own process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Life(Arc<Inner>);

/// Whether clients are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    Full,
    Draining,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) service_name: String,
    pub(crate) process_name: String,
    pub(crate) kind: Kind,
    pub(crate) share: Option<usize>,
    pub(crate) is_standalone: bool,
    pub(crate) jailed: Jailed,
    pub(crate) log: maillog::Log,
    pub(crate) slots: Mutex<Slots>,
    pub(crate) gate: watch::Sender<Gate>,
    pub(crate) stress: AtomicBool,
    pub(crate) report: Report,
    /// Signalled when the last session has ended.
    pub(crate) idle: Notify,
    pub(crate) turns: Turns,
    /// Signalled when log lines could not be written.
    pub(crate) log_waits: Notify,
}

impl Life {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The service's name in `master.cf`: a transport's, for a delivery agent.
    #[must_use]
    pub fn service_name(&self) -> &str {
        &self.0.service_name
    }

    /// The program's name, as it was called.
    #[must_use]
    pub fn process_name(&self) -> &str {
        &self.0.process_name
    }

    /// What the service listens on.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// How many sessions or deliveries this process may have at once; `None`: any number.
    #[must_use]
    pub fn share(&self) -> Option<usize> {
        self.0.share
    }

    /// Whether the one client is on standard input, and there is no master: `-S`.
    #[must_use]
    pub fn is_standalone(&self) -> bool {
        self.0.is_standalone
    }

    /// The proof that the process is jailed.
    #[must_use]
    pub fn jailed(&self) -> Jailed {
        self.0.jailed
    }

    /// Whether the service is under stress now. A session keeps what it began with.
    #[must_use]
    pub fn stress(&self) -> bool {
        self.0.stress.load(Ordering::Relaxed)
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &maillog::Log {
        &self.0.log
    }

    /// Stops accepting, lets the sessions end, and ends the process; master starts a successor when there is work.
    pub fn retire(&self) {
        self.slots().drain();
        let was = self.0.gate.send_replace(Gate::Draining);
        if was != Gate::Draining {
            self.0.report.once(Status::Exiting);
        }
        self.0.idle.notify_one();
    }

    /// Whether the process is about to end.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.slots().is_draining()
    }

    /// Done when the process is about to end: an idle internal connection is to be closed then.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut gate = self.0.gate.subscribe();
        async move {
            // The sender lives as long as the process.
            let _ = gate.wait_for(|gate| *gate == Gate::Draining).await;
        }
    }

    /// Takes a slot as a client does: the process does not end before it is dropped.
    pub fn hold(&self) -> Option<Slot> {
        let edges = self.slots().admit()?;
        self.tell(&edges);
        Some(Slot(self.clone()))
    }

    /// Begins work that did not come as a client, and takes no slot: the process does not end before it is over.
    pub fn work(&self) -> Work {
        self.slots().begin();
        Work(self.clone())
    }

    pub(crate) fn end_work(&self) {
        let edges = self.slots().end();
        self.tell(&edges);
    }

    /// Whether a slot is free.
    pub(crate) fn has_room(&self) -> bool {
        let slots = self.slots();
        !slots.is_full() && !slots.is_draining()
    }

    /// Whether another process would help, or would have at any time before.
    pub(crate) fn was_busy(&self) -> bool {
        self.slots().was_busy()
    }

    /// Restarts the count of idle time.
    pub(crate) fn touch(&self) {
        self.0.idle.notify_one();
    }

    pub(crate) fn release(&self) {
        let edges = self.slots().release();
        self.tell(&edges);
    }

    pub(crate) fn order_stress(&self, stress: bool) {
        self.0.stress.store(stress, Ordering::Relaxed);
    }

    pub(crate) fn gate(&self) -> watch::Receiver<Gate> {
        self.0.gate.subscribe()
    }

    pub(crate) fn report(&self) -> &Report {
        &self.0.report
    }

    pub(crate) fn active(&self) -> usize {
        self.slots().active()
    }

    /// Waits for the end of the last session, once it happens after this call.
    pub(crate) async fn idle(&self) {
        self.0.idle.notified().await;
    }

    /// When the process is about to wait: writes the log, and tells master what has changed.
    pub(crate) fn end_turn(&self) {
        self.0.log.flush();
        self.0.report.flush();
        if self.0.log.is_pending() || self.0.log.is_lost() {
            self.0.log_waits.notify_one();
        }
        self.0.turns.end();
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    /// Waits until log lines wait.
    pub(crate) async fn log_waits(&self) {
        self.0.log_waits.notified().await;
    }

    fn tell(&self, edges: &[Edge]) {
        for edge in edges {
            match edge {
                Edge::Full => self.open_gate(Gate::Full),
                Edge::Available => self.open_gate(Gate::Open),
                Edge::Busy => self.0.report.once(Status::Busy),
                Edge::Retiring => self.0.report.once(Status::Retiring),
                Edge::Idle => {
                    self.0.turns.idle();
                    self.0.idle.notify_one();
                }
            }
        }
    }

    fn open_gate(&self, gate: Gate) {
        self.0.gate.send_if_modified(|now| {
            let changes = *now != Gate::Draining && *now != gate;
            if changes {
                *now = gate;
            }
            changes
        });
        self.0.report.accepts(gate == Gate::Open);
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Tells qmgr of new mail, with its envelope, so that it need not read the file.
//!
//! What gets lost here is found by qmgr's next scan; nobody waits for it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipc::Channel;
use ipc::qmgr::{Arrival, Back, Flow, Qmgr, Request};
use queue_file::{QueueId, Spool};
use tokio::sync::{mpsc, watch};

use crate::spares::Spares;

/// Arrivals that may wait while qmgr does not read.
const WAITING: usize = 1000;
/// A larger envelope qmgr reads from the file.
const LARGE: usize = 256 * 1024;
/// Spare files are removed when there was neither mail nor another of them for this long.
const IDLE: Duration = Duration::from_secs(2);

pub(crate) struct Handover {
    path: PathBuf,
    deadline: Duration,
    line: Mutex<Option<mpsc::Sender<Arrival>>>,
    spares: Arc<Spares>,
    /// As qmgr says.
    flow: Arc<watch::Sender<Flow>>,
}

impl Handover {
    pub(crate) fn new(path: impl Into<PathBuf>, deadline: Duration, spool: Spool) -> Self {
        Self {
            path: path.into(),
            deadline,
            line: Mutex::default(),
            spares: Arc::new(Spares::new(spool)),
            flow: Arc::new(watch::Sender::new(Flow::Free)),
        }
    }

    /// An empty file for a message, if qmgr gave one back.
    pub(crate) fn spare(&self) -> Option<QueueId> {
        self.spares.take()
    }

    /// Waits for so long, or until qmgr keeps up with new mail (`in_flow_delay`).
    pub(crate) async fn slow_down(&self, delay: Duration) {
        if *self.flow.borrow() == Flow::Behind {
            let mut flow = self.flow.subscribe();
            let _ = tokio::time::timeout(delay, flow.wait_for(|flow| *flow == Flow::Free)).await;
        }
    }

    /// Removes the spare files that are left.
    pub(crate) async fn end(&self) {
        self.spares.clear().await;
    }

    /// Sends soon.
    pub(crate) fn send(&self, mut arrival: Arrival) {
        if arrival.leading.len() + arrival.extracted.len() > LARGE {
            (arrival.leading, arrival.extracted) = Default::default();
        }
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let arrival = match line.as_ref() {
            None => arrival,
            Some(open) => match open.try_send(arrival) {
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => return,
                Err(mpsc::error::TrySendError::Closed(unsent)) => unsent,
            },
        };
        let (sender, arrivals) = mpsc::channel(WAITING);
        // A new channel has room for one.
        let _ = sender.try_send(arrival);
        let told = (Arc::clone(&self.spares), Arc::clone(&self.flow));
        tokio::spawn(tell(self.path.clone(), self.deadline, arrivals, told));
        *line = Some(sender);
    }
}

/// Keeps one connection, made anew when qmgr was, and takes what comes back on it.
async fn tell(
    path: PathBuf,
    deadline: Duration,
    mut arrivals: mpsc::Receiver<Arrival>,
    (spares, flow): (Arc<Spares>, Arc<watch::Sender<Flow>>),
) {
    let mut connection: Option<Line> = None;
    loop {
        let event = tokio::select! {
            arrival = arrivals.recv() => Event::Arrival(arrival),
            back = hear(&mut connection) => Event::Back(back),
            () = tokio::time::sleep(IDLE), if !spares.is_empty() => Event::Idle,
        };
        match event {
            Event::Arrival(Some(arrival)) => {
                connection = send(connection, (&path, deadline), arrival, &flow).await;
            }
            Event::Arrival(None) => return,
            Event::Back(Some(Back::Spare { queue_id })) => spares.put(&queue_id),
            Event::Back(Some(Back::Flow(now))) => drop(flow.send_replace(now)),
            Event::Back(None) => {
                connection = None;
                flow.send_replace(Flow::Free);
            }
            Event::Idle => spares.clear().await,
        }
    }
}

type Line = Channel<Request, Back>;

enum Event {
    Arrival(Option<Arrival>),
    Back(Option<Back>),
    Idle,
}

/// What qmgr says next; `None` if it has gone.
async fn hear(connection: &mut Option<Line>) -> Option<Back> {
    match connection {
        Some(channel) => channel.receive().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// Sends an arrival, on a new connection if the old one has broken; what is left open.
async fn send(
    mut connection: Option<Line>,
    (path, deadline): (&Path, Duration),
    arrival: Arrival,
    flow: &watch::Sender<Flow>,
) -> Option<Line> {
    let request = Request::Arrived(arrival);
    for _ in 0..2 {
        let mut channel = match connection.take() {
            Some(channel) => channel,
            None => {
                flow.send_replace(Flow::Free);
                Channel::connect::<Qmgr>(path, deadline).await.ok()?
            }
        };
        if channel.send(&request).is_ok() && channel.flush().await.is_ok() {
            return Some(channel);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::Layout;

    fn arrival(id: &str) -> Arrival {
        Arrival {
            queue_id: id.to_owned(),
            arrived: 0,
            leading: Default::default(),
            extracted_at: 0,
            extracted: Default::default(),
        }
    }

    #[tokio::test]
    async fn mail_waits_while_qmgr_is_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmgr");
        let (long, spool) = (Duration::from_secs(3600), Spool::new(folder.path(), Layout::default()));
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let handover = Handover::new(&path, long, spool);
        handover.slow_down(long).await;
        handover.send(arrival("A"));
        let (stream, _) = listener.accept().await.unwrap();
        let mut qmgr = Channel::accept::<Qmgr>(stream, long).await.unwrap();
        let mut flow = handover.flow.subscribe();
        for said in [Flow::Behind, Flow::Free, Flow::Behind] {
            qmgr.send(&Back::Flow(said)).unwrap();
            qmgr.flush().await.unwrap();
            flow.changed().await.unwrap();
            assert_eq!(*flow.borrow_and_update(), said);
        }
        let waited = tokio::time::timeout(Duration::from_millis(20), handover.slow_down(long)).await;
        assert!(waited.is_err(), "it did not wait");
        handover.slow_down(Duration::from_millis(1)).await;
        drop(qmgr);
        handover.slow_down(long).await;
    }
}

//! Tells qmgr of new mail, with its envelope, so that it need not read the file.
//!
//! What gets lost here is found by qmgr's next scan; nobody waits for it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipc::Channel;
use ipc::qmgr::{Arrival, Qmgr, Request, Spare};
use queue_file::{QueueId, Spool};
use tokio::sync::mpsc;

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
}

impl Handover {
    pub(crate) fn new(path: impl Into<PathBuf>, deadline: Duration, spool: Spool) -> Self {
        Self { path: path.into(), deadline, line: Mutex::default(), spares: Arc::new(Spares::new(spool)) }
    }

    /// An empty file for a message, if qmgr gave one back.
    pub(crate) fn spare(&self) -> Option<QueueId> {
        self.spares.take()
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
        tokio::spawn(tell(self.path.clone(), self.deadline, arrivals, Arc::clone(&self.spares)));
        *line = Some(sender);
    }
}

/// Keeps one connection, made anew when qmgr was, and takes the spare files that come back on it.
async fn tell(path: PathBuf, deadline: Duration, mut arrivals: mpsc::Receiver<Arrival>, spares: Arc<Spares>) {
    let mut connection: Option<Line> = None;
    loop {
        let event = tokio::select! {
            arrival = arrivals.recv() => Event::Arrival(arrival),
            spare = hear(&mut connection) => Event::Spare(spare),
            () = tokio::time::sleep(IDLE), if !spares.is_empty() => Event::Idle,
        };
        match event {
            Event::Arrival(Some(arrival)) => connection = send(connection, &path, deadline, arrival).await,
            Event::Arrival(None) => return,
            Event::Spare(Some(spare)) => spares.put(&spare.queue_id),
            Event::Spare(None) => connection = None,
            Event::Idle => spares.clear().await,
        }
    }
}

type Line = Channel<Request, Spare>;

enum Event {
    Arrival(Option<Arrival>),
    Spare(Option<Spare>),
    Idle,
}

/// What qmgr says next; `None` if it has gone.
async fn hear(connection: &mut Option<Line>) -> Option<Spare> {
    match connection {
        Some(channel) => channel.receive().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// Sends an arrival, on a new connection if the old one has broken; what is left open.
async fn send(mut connection: Option<Line>, path: &Path, deadline: Duration, arrival: Arrival) -> Option<Line> {
    let request = Request::Arrived(arrival);
    for _ in 0..2 {
        let mut channel = match connection.take() {
            Some(channel) => channel,
            None => Channel::connect::<Qmgr>(path, deadline).await.ok()?,
        };
        if channel.send(&request).is_ok() && channel.flush().await.is_ok() {
            return Some(channel);
        }
    }
    None
}

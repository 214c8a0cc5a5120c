//! Tells qmgr of new mail, with its envelope, so that it need not read the file.
//!
//! What gets lost here is found by qmgr's next scan; nobody waits for it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ipc::Channel;
use ipc::qmgr::{Arrival, Qmgr, Request};
use tokio::sync::mpsc;

/// Arrivals that may wait while qmgr does not read.
const WAITING: usize = 1000;
/// A larger envelope qmgr reads from the file.
const LARGE: usize = 256 * 1024;

pub(crate) struct Handover {
    path: PathBuf,
    deadline: Duration,
    line: Mutex<Option<mpsc::Sender<Arrival>>>,
}

impl Handover {
    pub(crate) fn new(path: impl Into<PathBuf>, deadline: Duration) -> Self {
        Self { path: path.into(), deadline, line: Mutex::default() }
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
        tokio::spawn(tell(self.path.clone(), self.deadline, arrivals));
        *line = Some(sender);
    }
}

/// Keeps one connection, made anew when qmgr was.
async fn tell(path: PathBuf, deadline: Duration, mut arrivals: mpsc::Receiver<Arrival>) {
    let mut connection: Option<Channel<Request, ()>> = None;
    while let Some(arrival) = arrivals.recv().await {
        let request = Request::Arrived(arrival);
        for _ in 0..2 {
            let kept = connection.take().filter(|channel| !channel.is_stale());
            let mut channel = match kept {
                Some(channel) => channel,
                None => match Channel::connect::<Qmgr>(&path, deadline).await {
                    Ok(channel) => channel,
                    Err(_) => break,
                },
            };
            if channel.send(&request).is_ok() && channel.flush().await.is_ok() {
                connection = Some(channel);
                break;
            }
        }
    }
}

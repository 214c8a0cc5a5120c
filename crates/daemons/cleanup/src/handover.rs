//! Tells qmgr of new mail, with its envelope, so that it need not read the file.
//!
//! Nobody waits for it. What does not fit while qmgr is far behind, qmgr is asked to look for; a new qmgr does so by itself.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipc::Channel;
use ipc::qmgr::{Arrival, Back, Flow, Qmgr, Request, SCAN_INCOMING};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::spares::{Spare, Spares};

/// Arrivals that may wait while qmgr does not read.
const WAITING: usize = 1000;
/// A larger envelope qmgr reads from the file.
const LARGE: usize = 256 * 1024;
/// Spare files are removed when there was neither mail nor another of them for this long.
const IDLE: Duration = Duration::from_secs(2);

/// How long the end of the process waits for qmgr.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Bytes of envelopes that go out in one write; the one more that exceeds this goes along.
const TOGETHER: usize = 32 * 1024;

pub(crate) struct Handover {
    line: Mutex<Option<Open>>,
    shared: Arc<Shared>,
}

/// A line to qmgr, and what sends over it.
struct Open {
    arrivals: mpsc::Sender<Arrival>,
    work: JoinHandle<()>,
}

/// What those who send and the line to qmgr have in common.
struct Shared {
    path: PathBuf,
    deadline: Duration,
    spares: Spares,
    /// As qmgr says.
    flow: watch::Sender<Flow>,
    /// Whether qmgr was not told of an arrival.
    missed: AtomicBool,
}

impl Handover {
    pub(crate) fn new(path: impl Into<PathBuf>, deadline: Duration, spares: Spares) -> Self {
        let shared = Shared {
            path: path.into(),
            deadline,
            spares,
            flow: watch::Sender::new(Flow::Free),
            missed: AtomicBool::new(false),
        };
        Self { line: Mutex::default(), shared: Arc::new(shared) }
    }

    /// A file for a message, if qmgr gave one back.
    pub(crate) fn spare(&self) -> Option<Spare> {
        self.shared.spares.take()
    }

    /// Waits for so long, or until qmgr keeps up with new mail (`in_flow_delay`).
    pub(crate) async fn slow_down(&self, delay: Duration) {
        if *self.shared.flow.borrow() == Flow::Behind {
            let mut flow = self.shared.flow.subscribe();
            let _ = tokio::time::timeout(delay, flow.wait_for(|flow| *flow == Flow::Free)).await;
        }
    }

    /// Waits until qmgr has been told of all, and removes the spare files that are left.
    pub(crate) async fn end(&self) {
        let open = self.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Open { arrivals, work }) = open {
            drop(arrivals);
            let _ = tokio::time::timeout(self.shared.deadline.min(LAST_WORDS), work).await;
        }
        self.shared.spares.clear().await;
    }

    /// Sends soon.
    pub(crate) fn send(&self, mut arrival: Arrival) {
        if weight(&arrival) > LARGE {
            (arrival.leading, arrival.extracted) = Default::default();
        }
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let arrival = match line.as_ref() {
            None => arrival,
            Some(open) => match open.arrivals.try_send(arrival) {
                Ok(()) => return,
                // The line has much to send, and looks at this at the end of it.
                Err(mpsc::error::TrySendError::Full(_)) => return self.shared.missed.store(true, Ordering::Relaxed),
                Err(mpsc::error::TrySendError::Closed(unsent)) => unsent,
            },
        };
        let (sender, arrivals) = mpsc::channel(WAITING);
        // A new channel has room for one.
        let _ = sender.try_send(arrival);
        let work = tokio::spawn(tell(Arc::clone(&self.shared), arrivals));
        *line = Some(Open { arrivals: sender, work });
    }
}

fn weight(arrival: &Arrival) -> usize {
    arrival.leading.len() + arrival.extracted.len()
}

/// Keeps one connection, made anew when qmgr was, and takes what comes back on it.
async fn tell(shared: Arc<Shared>, mut arrivals: mpsc::Receiver<Arrival>) {
    let mut connection: Option<Line> = None;
    loop {
        let event = tokio::select! {
            arrival = arrivals.recv() => Event::Arrival(arrival),
            back = hear(&mut connection) => Event::Back(back),
            () = tokio::time::sleep(IDLE), if !shared.spares.is_empty() => Event::Idle,
        };
        match event {
            Event::Arrival(Some(arrival)) => {
                let mut requests = at_hand(arrival, &mut arrivals);
                if arrivals.is_empty() && shared.missed.swap(false, Ordering::Relaxed) {
                    requests.push(Request::Trigger(vec![SCAN_INCOMING]));
                }
                connection = shared.send(connection, &requests).await;
            }
            Event::Arrival(None) => return,
            Event::Back(Some(Back::Spare { queue_id })) => shared.spares.put(&queue_id),
            Event::Back(Some(Back::Flow(now))) => drop(shared.flow.send_replace(now)),
            Event::Back(None) => {
                connection = None;
                shared.flow.send_replace(Flow::Free);
            }
            Event::Idle => shared.spares.clear().await,
        }
    }
}

/// An arrival, and those that wait behind it.
fn at_hand(first: Arrival, arrivals: &mut mpsc::Receiver<Arrival>) -> Vec<Request> {
    let mut bytes = weight(&first);
    let mut requests = vec![Request::Arrived(first)];
    while bytes < TOGETHER
        && let Ok(next) = arrivals.try_recv()
    {
        bytes += weight(&next);
        requests.push(Request::Arrived(next));
    }
    requests
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

impl Shared {
    /// Sends requests, on a new connection if the old one has broken; what is left open. What qmgr is told twice, or not at all
    /// because there is none, does no harm: a new one looks for all there is.
    async fn send(&self, mut connection: Option<Line>, requests: &[Request]) -> Option<Line> {
        for _ in 0..2 {
            let mut channel = match connection.take() {
                Some(channel) => channel,
                None => {
                    self.flow.send_replace(Flow::Free);
                    let Ok(channel) = Channel::connect::<Qmgr>(&self.path, self.deadline).await else {
                        // A FIFO, as master.cf had it once, takes no more than a byte.
                        let _ = ipc::trigger::wake_fifo(&self.path, &[SCAN_INCOMING]);
                        return None;
                    };
                    channel
                }
            };
            if requests.iter().all(|request| channel.send(request).is_ok()) && channel.flush().await.is_ok() {
                return Some(channel);
            }
        }
        self.missed.store(true, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::{Layout, Spool};

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
        let handover = Handover::new(&path, long, Spares::new(spool, Arc::default()));
        handover.slow_down(long).await;
        handover.send(arrival("A"));
        let (stream, _) = listener.accept().await.unwrap();
        let mut qmgr = Channel::accept::<Qmgr>(stream, long).await.unwrap();
        let mut flow = handover.shared.flow.subscribe();
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

    #[tokio::test]
    async fn the_last_message_of_a_process_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmgr");
        let (long, spool) = (Duration::from_secs(3600), Spool::new(folder.path(), Layout::default()));
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let handover = Handover::new(&path, long, Spares::new(spool, Arc::default()));
        handover.send(arrival("A"));
        handover.end().await;
        let (stream, _) = listener.accept().await.unwrap();
        let mut qmgr = Channel::accept::<Qmgr>(stream, long).await.unwrap();
        assert!(matches!(qmgr.receive().await.unwrap(), Some(Request::Arrived(_))));
        assert_eq!(qmgr.receive().await.unwrap(), None);
    }

    #[tokio::test]
    async fn qmgr_looks_for_what_did_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmgr");
        let (long, spool) = (Duration::from_secs(3600), Spool::new(folder.path(), Layout::default()));
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let handover = Handover::new(&path, long, Spares::new(spool, Arc::default()));
        for number in 0..=WAITING {
            handover.send(arrival(&number.to_string()));
        }
        let (stream, _) = listener.accept().await.unwrap();
        let mut qmgr = Channel::accept::<Qmgr>(stream, long).await.unwrap();
        for number in 0..WAITING {
            let Some(Request::Arrived(arrival)) = qmgr.receive().await.unwrap() else { panic!() };
            assert_eq!(arrival.queue_id, number.to_string());
        }
        assert_eq!(qmgr.receive().await.unwrap(), Some(Request::Trigger(vec![SCAN_INCOMING])));
        handover.send(arrival("next"));
        assert!(matches!(qmgr.receive().await.unwrap(), Some(Request::Arrived(_))));
    }
    #[tokio::test]
    async fn qmgr_behind_a_fifo_looks_for_new_mail() {
        use tokio::io::AsyncReadExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmgr");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let mut qmgr = tokio::net::unix::pipe::OpenOptions::new().read_write(true).open_receiver(&path).unwrap();
        let (long, spool) = (Duration::from_secs(3600), Spool::new(folder.path(), Layout::default()));
        let handover = Handover::new(&path, long, Spares::new(spool, Arc::default()));
        for id in ["A", "B"] {
            handover.send(arrival(id));
            assert_eq!(qmgr.read_u8().await.unwrap(), SCAN_INCOMING);
        }
    }
}

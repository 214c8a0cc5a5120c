//! What must hold whatever goes wrong in an agent: a recipient that is not provably finished stays in the queue.
//!
//! There is no bounce, defer or trace service in these tests, so that every outcome that needs one cannot be recorded.

use crate::agent::{Agent, Delivery, Destination};
use crate::{Attempt, Desk, Policy, QueueFile, agent, content_of, solo};
use bytes::Bytes;
use dsn::{Detail, Outcome, Status};
use ipc::blocking::Channel;
use ipc::deliver::{Client, Deliver, Finished, Message, Mode, Recipient, Remains, Reply, Request, Times};
use queue_file::{Layout, Spool};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What an agent does with each recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Sent,
    Bounced,
    Deferred,
    Forgotten,
    /// It reads the content first, which is damaged in these tests, and can do no more.
    Read,
}

struct Doer(Deed);

impl Deed {
    fn outcome(self, file: &QueueFile) -> Option<Outcome> {
        match self {
            Self::Read => {
                assert!(content_of(file, 0).next().is_err());
                Self::Deferred.outcome(file)
            }
            Self::Sent => Some(Outcome::Sent(Detail::new(Status::SENT, "ok"))),
            Self::Bounced => Some(Outcome::Bounced(Detail::new(Status::permanent(1, 1), "no"))),
            Self::Deferred => Some(Outcome::Deferred(Detail::new(Status::temporary(1, 1), "later"))),
            Self::Forgotten => None,
        }
    }
}

impl Agent for Doer {
    async fn deliver(&self, delivery: &Delivery) -> Destination {
        for recipient in &delivery.request().recipients {
            if let Some(outcome) = self.0.outcome(delivery.file()) {
                let _ = delivery.settle(recipient, &Attempt::by("test"), outcome).await;
            }
        }
        Destination::Reached
    }
}

impl solo::Agent for Doer {
    fn deliver(&mut self, delivery: &mut solo::Delivery<'_>) {
        for recipient in &delivery.request().recipients {
            if let Some(outcome) = self.0.outcome(delivery.file()) {
                delivery.settle(recipient, &Attempt::by("test"), outcome);
            }
        }
    }
}

const QUEUE_ID: &str = "12345ABCDE";

/// A spool with one message in `active`, which has one recipient at offset 0.
fn spool() -> (tempfile::TempDir, Policy) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("active")).unwrap();
    std::fs::write(directory.path().join("active").join(QUEUE_ID), b"R\x01xE\x00").unwrap();
    let spool = Spool::new(directory.path(), Layout::default());
    let policy = Policy { spool, ipc_timeout: Duration::from_secs(5), ..Policy::default() };
    (directory, policy)
}

fn mark(directory: &Path) -> u8 {
    std::fs::read(directory.join("active").join(QUEUE_ID)).unwrap()[0]
}

fn request(notify: u8) -> Request {
    Request {
        number: 7,
        queue_name: "active".into(),
        queue_id: QUEUE_ID.into(),
        nexthop: "example.org".into(),
        mode: Mode::Deliver,
        message: Message {
            sender: Bytes::from_static(b"s@example.net"),
            size: 1,
            data_offset: 0,
            data_size: 0,
            encoding: "7bit".into(),
            smtputf8: 0,
            envelope_id: String::new(),
            ret: String::new(),
            rewrite_context: "local".into(),
        },
        times: Times { arrived: 0, active: 0, handed: 0 },
        client: Client::default(),
        recipients: vec![Recipient {
            offset: 0,
            address: Bytes::from_static(b"x"),
            original: Bytes::new(),
            dsn_original: String::new(),
            notify,
        }],
    }
}

/// A connection: the agent's end, and the path that the queue manager calls.
struct Line {
    listener: UnixListener,
    directory: tempfile::TempDir,
}

impl Line {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { listener: UnixListener::bind(directory.path().join("agent")).unwrap(), directory }
    }

    /// The queue manager's part.
    fn converse(&self, request: &Request) -> Finished {
        let path = self.directory.path().join("agent");
        let mut channel = Channel::connect::<Deliver>(&path, Duration::from_secs(5)).unwrap();
        assert!(matches!(channel.expect().unwrap(), Reply::Ready { credit: 1, .. }));
        channel.send(request).unwrap();
        match channel.expect().unwrap() {
            Reply::Finished(finished) => finished,
            Reply::Ready { .. } => panic!("ready twice"),
        }
    }
}

/// Has an asynchronous agent deliver one request.
fn ask(policy: Policy, deed: Deed, request: &Request) -> Finished {
    let line = Line::new();
    let listener = line.listener.try_clone().unwrap();
    let served = std::thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        stream.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let desk = Arc::new(Desk::new(policy));
            let stream = tokio::net::UnixStream::from_std(stream).unwrap();
            agent::serve(&Doer(deed), &desk, stream, 1, std::future::pending()).await
        })
    });
    let finished = line.converse(request);
    served.join().unwrap().unwrap();
    finished
}

/// Has a one-delivery agent deliver one request.
fn ask_solo(policy: Policy, deed: Deed, request: &Request) -> Finished {
    let line = Line::new();
    let listener = line.listener.try_clone().unwrap();
    let served = std::thread::spawn(move || {
        let mut desk = solo::Desk::new(policy);
        let stream = listener.accept().unwrap().0;
        solo::serve(&mut Doer(deed), &mut desk, stream, |_| service::solo::Next::Ready)
    });
    let finished = line.converse(request);
    served.join().unwrap().unwrap();
    finished
}

const CASES: [(Deed, u8, Remains, u8, &str); 6] = [
    (Deed::Sent, 0, Remains::Nothing, b'D', "success needs no record"),
    (Deed::Sent, 2, Remains::Some, b'R', "success that cannot be reported"),
    (Deed::Bounced, 0, Remains::Some, b'R', "a bounce that cannot be recorded"),
    (Deed::Deferred, 0, Remains::Some, b'R', "a delay that cannot be recorded"),
    (Deed::Forgotten, 0, Remains::Some, b'R', "an agent that forgets a recipient"),
    (Deed::Read, 0, Remains::Damaged, b'R', "content that is damaged"),
];

#[test]
fn what_cannot_be_recorded_stays_in_the_queue() {
    for (deed, notify, remains, byte, why) in CASES {
        let (directory, policy) = spool();
        let finished = ask(policy, deed, &request(notify));
        assert_eq!((finished.number, finished.remains), (7, remains), "{why}");
        assert_eq!(mark(directory.path()), byte, "{why}");
    }
}

#[test]
fn what_cannot_be_recorded_stays_in_the_queue_of_one_delivery_agents() {
    for (deed, notify, remains, byte, why) in CASES {
        let (directory, policy) = spool();
        let finished = ask_solo(policy, deed, &request(notify));
        assert_eq!((finished.number, finished.remains), (7, remains), "{why}");
        assert_eq!(mark(directory.path()), byte, "{why}");
    }
}

#[test]
fn a_file_that_is_gone_locked_or_misnamed_is_not_delivered() {
    let (directory, policy) = spool();
    let path = directory.path().join("active").join(QUEUE_ID);
    let held = std::fs::File::open(&path).unwrap();
    held.lock().unwrap();
    assert_eq!(ask(policy.clone(), Deed::Sent, &request(0)).remains, Remains::Some);
    drop(held);
    let misnamed = Request { queue_id: "../x".into(), ..request(0) };
    assert_eq!(ask(policy.clone(), Deed::Sent, &misnamed).remains, Remains::Some);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ask(policy, Deed::Sent, &request(0)).remains, Remains::Some);
}

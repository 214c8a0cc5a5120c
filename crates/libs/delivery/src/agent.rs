//! Agents with many deliveries in progress: smtp, error, discard.
//!
//! [`serve`] speaks to one queue manager connection: it announces the credit, spawns nothing, and runs each delivery
//! as a part of the connection's own task, so that a panic in one is a panic of the connection; qmgr then defers all
//! that it had in hand.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dsn::Outcome;
use futures_util::stream::{FuturesUnordered, StreamExt};
use ipc::Channel;
use ipc::deliver::{Deliver, Finished, Recipient, Remains, Reply, Request, Unreachable};
use queue_file::Time;
use service::{Client, Life};
use tokio::net::UnixStream;
use tracing::{info, warn};

use crate::plan::{Attempt, Case, Otherwise, Plan, Settled, Step};
use crate::{Desk, QueueFile};

/// What a delivery agent does with a request.
pub trait Agent: Send + Sync {
    /// Delivers to every recipient and settles each. Recipients that are not settled stay in the queue.
    fn deliver(&self, delivery: &Delivery) -> impl Future<Output = Destination> + Send;
}

/// What qmgr should know of a destination after a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// It answered, whatever it said.
    Reached,
    /// It could not be reached: fewer deliveries at once, and this for the other recipients of the destination.
    Unreachable(Unreachable),
}

/// One delivery in progress.
#[derive(Debug)]
pub struct Delivery {
    request: Request,
    file: QueueFile,
    desk: Arc<Desk>,
    unsettled: AtomicUsize,
    remains: AtomicBool,
}

impl Delivery {
    /// What qmgr asked for.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The message's queue file, locked for as long as the delivery lives.
    #[must_use]
    pub fn file(&self) -> &QueueFile {
        &self.file
    }

    /// The agent's parameters and peers.
    #[must_use]
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Settles a recipient of the request: its line is logged, its failure recorded, its record marked. Recipients
    /// may be settled concurrently.
    pub async fn settle(&self, recipient: &Recipient, attempt: &Attempt, outcome: Outcome) -> Settled {
        if self.file.is_unfit(&outcome) {
            self.conclude(Settled::Remains);
            return Settled::Remains;
        }
        let outcome = self.desk.policy.filter.apply(outcome).await;
        let case = Case { request: &self.request, recipient, attempt, now: Time::now().as_microseconds() };
        let settled = self.carry_out(&case, case.plan(outcome, self.desk.policy())).await;
        match settled {
            Settled::Finished => {
                if let Err(error) = self.file.mark_done(recipient.offset) {
                    warn!("{}: mark recipient done at offset {}: {error}", self.request.queue_id, recipient.offset);
                }
            }
            Settled::Remains => self.remains.store(true, Ordering::Relaxed),
        }
        self.unsettled.fetch_sub(1, Ordering::Relaxed);
        settled
    }

    /// Ends a recipient that another agent has settled, and marked if it is finished.
    pub fn conclude(&self, settled: Settled) {
        if settled == Settled::Remains {
            self.remains.store(true, Ordering::Relaxed);
        }
        self.unsettled.fetch_sub(1, Ordering::Relaxed);
    }

    async fn carry_out(&self, case: &Case<'_>, plan: Plan) -> Settled {
        let Plan { steps, line, settled, kind } = plan;
        if self.all_done(steps).await {
            info!("{line}");
            return settled;
        }
        let policy = self.desk.policy();
        match case.otherwise(kind, policy) {
            Otherwise::Warn(text) => warn!("{text}"),
            Otherwise::Remain(text) => {
                warn!("{text}");
                info!("{line}");
            }
            // A deferral is not deferred again.
            Otherwise::Defer(reason) => {
                return Box::pin(self.carry_out(case, case.plan_deferral(reason, policy))).await;
            }
        }
        Settled::Remains
    }

    async fn all_done(&self, steps: Vec<Step>) -> bool {
        for step in steps {
            // Most deliveries have no step, and need no room for one.
            if !Box::pin(self.desk.carry_out(step)).await {
                return false;
            }
        }
        true
    }

    fn finished(&self, destination: Destination) -> Finished {
        let all = self.unsettled.load(Ordering::Relaxed) == 0 && !self.remains.load(Ordering::Relaxed);
        Finished {
            number: self.request.number,
            remains: self.file.remains(all, &self.request),
            unreachable: match destination {
                Destination::Reached => None,
                Destination::Unreachable(why) => Some(why),
            },
        }
    }
}

/// Deliveries at once where `maxproc` sets no limit.
const UNLIMITED: usize = 1000;

/// Serves a client of an agent: a connection of the queue manager, with as many deliveries at once as the process may
/// have. A connection that broke is in the log.
pub async fn attend<A: Agent>(agent: &A, desk: &Arc<Desk>, client: Client, life: &Life) {
    let credit = u32::try_from(life.share().unwrap_or(UNLIMITED)).unwrap_or(u32::MAX);
    let served = match client.into_unix() {
        Ok((stream, _slot)) => serve(agent, desk, stream, credit, life.draining()).await,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = served {
        warn!("queue manager connection: {error}");
    }
}

/// Serves one connection of the queue manager, with up to `credit` deliveries at once, until it closes, or until
/// `draining` is done and no delivery is in progress.
///
/// # Errors
/// The connection broke or its peer does not speak the protocol.
pub async fn serve<A: Agent>(
    agent: &A,
    desk: &Arc<Desk>,
    stream: UnixStream,
    credit: u32,
    draining: impl Future<Output = ()>,
) -> Result<(), ipc::Error> {
    let mut draining = std::pin::pin!(draining);
    let mut channel = Channel::accept::<Deliver>(stream, desk.policy.ipc_timeout).await?;
    channel.send(&Reply::Ready { pid: std::process::id(), credit: credit.max(1) })?;
    channel.flush().await?;
    let mut progress = FuturesUnordered::new();
    let limit = usize::try_from(credit.max(1)).unwrap_or(usize::MAX);
    loop {
        tokio::select! {
            biased;
            Some(finished) = progress.next() => {
                channel.send(&Reply::Finished(finished))?;
                channel.flush().await?;
            }
            request = channel.receive(), if progress.len() < limit => match request? {
                Some(request) => progress.push(deliver(agent, desk, request)),
                None => break,
            },
            () = &mut draining, if progress.is_empty() => break,
        }
    }
    // The queue manager is gone, but what was begun is ended properly and is in the queue file.
    while progress.next().await.is_some() {}
    Ok(())
}

async fn deliver<A: Agent>(agent: &A, desk: &Arc<Desk>, request: Request) -> Finished {
    let path = desk.policy.queue_file(&request);
    match QueueFile::open(&path) {
        Ok(file) => {
            let delivery = Delivery {
                unsettled: AtomicUsize::new(request.recipients.len()),
                remains: AtomicBool::new(false),
                desk: Arc::clone(desk),
                request,
                file,
            };
            let destination = agent.deliver(&delivery).await;
            delivery.finished(destination)
        }
        Err(error) => unopened(&request, &path, &error),
    }
}

/// The answer for a queue file that cannot be delivered from now.
pub(crate) fn unopened(request: &Request, path: &Path, error: &std::io::Error) -> Finished {
    // A file that is gone was taken by an admin.
    if error.kind() != std::io::ErrorKind::NotFound {
        warn!("open {}: {error}", path.display());
    }
    Finished { number: request.number, remains: Remains::Some, unreachable: None }
}

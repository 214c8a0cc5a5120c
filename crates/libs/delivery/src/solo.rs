//! Agents that serve one delivery at a time, without a runtime: local, virtual, pipe.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use dsn::Outcome;
use ipc::blocking::{Caller, Channel};
use ipc::bounce::Bounce;
use ipc::deliver::{Deliver, Finished, Recipient, Reply, Request};
use ipc::flush::Flush;
use ipc::verify::{self, Verify};
use queue_file::Time;
use service::solo::{Life, Next, Stream};
use tracing::{info, warn};

use crate::agent::unopened;
use crate::desk::{Peers, done, noted};
use crate::plan::{Attempt, Case, Otherwise, Plan, Settled, Step};
use crate::{Policy, QueueFile};

/// What a one-delivery agent does with a request.
pub trait Agent {
    /// Delivers to every recipient of the request and settles each. Recipients that are not settled stay in the queue.
    fn deliver(&mut self, delivery: &mut Delivery<'_>);
}

/// The desk of a one-delivery agent.
#[derive(Debug)]
pub struct Desk {
    policy: Policy,
    peers: Peers<Caller<Bounce>, Caller<Verify>, Caller<Flush>>,
}

impl Desk {
    /// Peers that are connected when they are first needed.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { peers: Peers::new(&policy, Caller::new, Caller::new, Caller::new), policy }
    }

    fn carry_out(&mut self, step: Step) -> bool {
        match step {
            Step::Verify(update) => matches!(self.peers.verify.call(update), Ok(verify::Reply::Done)),
            Step::Bounce(request) => done(&self.peers.bounce.call(request)),
            Step::Defer(request) => done(&self.peers.defer.call(request)),
            Step::Trace(request) => done(&self.peers.trace.call(request)),
            Step::Flush(request) => noted(&self.peers.flush.call(request)),
        }
    }

    fn all_done(&mut self, steps: Vec<Step>) -> bool {
        steps.into_iter().all(|step| self.carry_out(step))
    }
}

/// One delivery in progress.
#[derive(Debug)]
pub struct Delivery<'a> {
    request: &'a Request,
    file: QueueFile,
    desk: &'a mut Desk,
    finished: usize,
}

impl<'a> Delivery<'a> {
    /// What qmgr asked for.
    #[must_use]
    pub fn request(&self) -> &'a Request {
        self.request
    }

    /// The message's queue file, locked for as long as the delivery lives.
    #[must_use]
    pub fn file(&self) -> &QueueFile {
        &self.file
    }

    /// Reports what became of an address: its line is logged and its failure recorded. The queue file is left alone,
    /// since a recipient that stands for many addresses ends only with the last of them.
    pub fn report(&mut self, recipient: &Recipient, attempt: &Attempt, outcome: Outcome) -> Settled {
        if self.file.is_unfit(&outcome) {
            return Settled::Remains;
        }
        let outcome = table::block_on(self.desk.policy.filter.apply(outcome));
        let case = Case { request: self.request, recipient, attempt, now: Time::now().as_microseconds() };
        let plan = case.plan(outcome, &self.desk.policy);
        self.carry_out(&case, plan)
    }

    fn carry_out(&mut self, case: &Case<'_>, plan: Plan) -> Settled {
        let Plan { steps, line, settled, kind } = plan;
        let desk = &mut self.desk;
        if desk.all_done(steps) {
            info!("{line}");
            return settled;
        }
        match case.otherwise(kind, &desk.policy) {
            Otherwise::Warn(text) => warn!("{text}"),
            Otherwise::Remain(text) => {
                warn!("{text}");
                info!("{line}");
            }
            // A deferral is not deferred again.
            Otherwise::Defer(reason) => {
                let plan = case.plan_deferral(reason, &desk.policy);
                return self.carry_out(case, plan);
            }
        }
        Settled::Remains
    }

    /// Ends a recipient of the request: one that is finished is marked so in the queue file.
    pub fn conclude(&mut self, recipient: &Recipient, settled: Settled) {
        if settled == Settled::Finished {
            self.finished += 1;
            if let Err(error) = self.file.mark_done(recipient.offset) {
                warn!("{}: mark recipient done at offset {}: {error}", self.request.queue_id, recipient.offset);
            }
        }
    }

    /// Reports and concludes a recipient of the request.
    pub fn settle(&mut self, recipient: &Recipient, attempt: &Attempt, outcome: Outcome) {
        let settled = self.report(recipient, attempt, outcome);
        self.conclude(recipient, settled);
    }

    /// Adds an entry to the trace log on its own, as for the expansion of an alias; whether that is done.
    #[must_use]
    pub fn trace(&mut self, recipient: &Recipient, attempt: &Attempt, detail: &dsn::Detail) -> bool {
        let case = Case { request: self.request, recipient, attempt, now: Time::now().as_microseconds() };
        self.desk.carry_out(case.trace_step(detail))
    }
}

/// Serves a connection of the queue manager, one delivery after the other, until it closes, idles for too long, or the
/// process is to end. A connection that broke is in the log.
pub fn attend<A: Agent>(agent: &mut A, desk: &mut Desk, stream: Stream, life: &Life, idle: Duration) {
    let served = match stream {
        Stream::Unix(stream) => serve(agent, desk, stream, |stream| life.wait(stream, idle)),
        Stream::Tcp(_) => Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into()),
    };
    if let Err(error) = served {
        warn!("queue manager connection: {error}");
    }
}

/// Serves a connection of the queue manager; `wait` is asked before each delivery.
///
/// # Errors
/// The connection broke or its peer does not speak the protocol.
pub fn serve<A: Agent>(
    agent: &mut A,
    desk: &mut Desk,
    stream: UnixStream,
    wait: impl Fn(&UnixStream) -> Next,
) -> Result<(), ipc::Error> {
    let mut channel = Channel::accept::<Deliver>(stream, desk.policy.ipc_timeout)?;
    channel.send(&Reply::Ready { pid: std::process::id(), credit: 1 })?;
    channel.flush()?;
    while wait(channel.stream()) == Next::Ready {
        let Some(request) = channel.receive()? else { break };
        let finished = deliver(agent, desk, &request);
        channel.send(&Reply::Finished(finished))?;
        channel.flush()?;
    }
    Ok(())
}

fn deliver<A: Agent>(agent: &mut A, desk: &mut Desk, request: &Request) -> Finished {
    let path = desk.policy.queue_file(request);
    match QueueFile::open(&path) {
        Ok(file) => {
            let mut delivery = Delivery { request, file, desk, finished: 0 };
            agent.deliver(&mut delivery);
            let all = delivery.finished >= request.recipients.len();
            Finished { number: request.number, remains: delivery.file.remains(all, request), unreachable: None }
        }
        Err(error) => unopened(request, &path, &error),
    }
}

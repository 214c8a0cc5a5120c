//! Connections to delivery agents: one per agent process, with as many deliveries as it takes.

use crate::arena::{Arena, Key};
use crate::engine::{Delivery, Event};
use crate::schedule::{Entry, Tick, Transport};
use crate::settings::Family;
use crate::stock::Stock;
use ipc::Channel;
use ipc::deliver::{Deliver, Finished, Reply, Request};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// So many deliveries go to one agent before another one gets any: one that is awake does more per wake-up, and finds more
/// connections of its own to use again. It is as many as go to one destination at once
/// (`default_destination_concurrency_limit`).
const TOGETHER: usize = 20;
/// Connections that may be waiting for an agent to take them.
const OPENING: usize = 2;
/// Requests written in one go.
const BATCH: usize = 64;
/// How often a connection is tried while the agent's backlog is full, and how long to wait between.
const TRIES: u32 = 50;
const AGAIN: Duration = Duration::from_millis(100);

/// The agents of one transport.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) transport: Key<Transport<Delivery>>,
    /// Recipients of one delivery at most; 0 is any number.
    pub(crate) recipient_limit: usize,
    pub(crate) stock: Stock,
    path: PathBuf,
    links: Arena<Link>,
    opening: usize,
}

/// A connection to an agent.
#[derive(Debug)]
pub(crate) struct Link {
    requests: mpsc::UnboundedSender<Request>,
    credit: usize,
    number: u32,
    outstanding: HashMap<u32, Key<Entry<Delivery>>>,
    idle_since: Tick,
}

/// What a connection has to say.
#[derive(Debug)]
pub(crate) enum Report {
    /// It takes so many deliveries.
    Ready(u32),
    /// Deliveries have ended.
    Finished(Vec<Finished>),
    /// The agent has closed it.
    Closed,
    /// It broke, or could not be made.
    Broken(ipc::Error),
}

impl Pool {
    pub(crate) fn new(transport: Key<Transport<Delivery>>, name: &str, family: Family) -> Self {
        let Family { recipient_limit, stock, .. } = family;
        let path = PathBuf::from("private").join(name);
        Self { transport, recipient_limit, stock, path, links: Arena::default(), opening: 0 }
    }

    /// The connection that the next delivery goes over, if any takes one more.
    pub(crate) fn free(&self) -> Option<Key<Link>> {
        choose(self.links.iter().map(|(key, link)| (key, link.outstanding.len(), link.credit)))
    }

    /// Hands a delivery over a connection; `request` gets its number.
    pub(crate) fn hand_over(&mut self, key: Key<Link>, entry: Key<Entry<Delivery>>, mut request: Request) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.number = link.number.wrapping_add(1);
        request.number = link.number;
        link.outstanding.insert(link.number, entry);
        // If the task is gone its report is on the way.
        let _ = link.requests.send(request);
    }

    /// Begins one more connection, unless enough are being made.
    pub(crate) fn open(&mut self, events: &mpsc::UnboundedSender<Event>, patience: Duration) {
        if self.opening >= OPENING {
            return;
        }
        self.opening += 1;
        let (requests, wanted) = mpsc::unbounded_channel();
        let link = Link { requests, credit: 0, number: 0, outstanding: HashMap::new(), idle_since: 0 };
        let key = self.links.insert(link);
        let (path, transport, events) = (self.path.clone(), self.transport, events.clone());
        tokio::spawn(async move {
            let report = |report| {
                let _ = events.send(Event::Agent(transport, key, report));
            };
            if let Err(error) = converse(&path, patience, wanted, &report).await {
                report(Report::Broken(error));
            }
        });
    }

    /// An agent has taken a connection.
    pub(crate) fn ready(&mut self, key: Key<Link>, credit: u32, now: Tick) {
        if let Some(link) = self.links.get_mut(key) {
            self.opening = self.opening.saturating_sub(1);
            link.credit = usize::try_from(credit).unwrap_or(1).max(1);
            link.idle_since = now;
        }
    }

    /// A delivery has ended.
    pub(crate) fn finished(&mut self, key: Key<Link>, number: u32, now: Tick) -> Option<Key<Entry<Delivery>>> {
        let link = self.links.get_mut(key)?;
        link.idle_since = now;
        link.outstanding.remove(&number)
    }

    /// Forgets a connection. What was not answered is given back; `None` if it had never been taken.
    pub(crate) fn lose(&mut self, key: Key<Link>) -> Option<Vec<Key<Entry<Delivery>>>> {
        let link = self.links.remove(key)?;
        if link.credit == 0 {
            self.opening = self.opening.saturating_sub(1);
            return None;
        }
        Some(link.outstanding.into_values().collect())
    }

    /// Closes connections that have had nothing to do since then.
    pub(crate) fn close_idle(&mut self, since: Tick) {
        let idle: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.credit > 0 && link.outstanding.is_empty() && link.idle_since <= since)
            .map(|(key, _)| key)
            .collect();
        for key in idle {
            self.links.remove(key);
        }
    }

    /// Whether any connection is there or being made.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.len() == 0
    }
}

/// Of agents, each with what it has in hand and its credit: the one with the most, until it has [`TOGETHER`]; then the one
/// with the least.
fn choose<K>(agents: impl Iterator<Item = (K, usize, usize)>) -> Option<K> {
    agents
        .filter(|(_, in_hand, credit)| in_hand < credit)
        .min_by_key(|(_, in_hand, _)| match TOGETHER.checked_sub(*in_hand) {
            None | Some(0) => (true, *in_hand),
            Some(room) => (false, room),
        })
        .map(|(agent, ..)| agent)
}

async fn converse(
    path: &std::path::Path,
    patience: Duration,
    mut wanted: mpsc::UnboundedReceiver<Request>,
    report: &(impl Fn(Report) + Sync),
) -> Result<(), ipc::Error> {
    let mut channel = connect(path, patience).await?;
    channel.flush().await?;
    match timeout(patience, channel.receive()).await.map_err(|_| ipc::Error::Timeout)?? {
        Some(Reply::Ready { credit, .. }) => report(Report::Ready(credit)),
        Some(Reply::Finished(_)) => return Err(ipc::Error::Malformed("result before the agent was ready")),
        None => return Err(ipc::Error::Closed),
    }
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            count = wanted.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    return Ok(());
                }
                for request in batch.drain(..) {
                    channel.send(&request)?;
                }
                channel.flush().await?;
            }
            reply = channel.receive() => {
                let mut finished = Vec::new();
                let mut next = reply?;
                let is_closed = loop {
                    match next {
                        Some(Reply::Finished(one)) => finished.push(one),
                        Some(Reply::Ready { .. }) => return Err(ipc::Error::Malformed("agent is ready twice")),
                        None => break true,
                    }
                    if !channel.is_ready() {
                        break false;
                    }
                    next = channel.receive().await?;
                };
                if !finished.is_empty() {
                    report(Report::Finished(finished));
                }
                if is_closed {
                    report(Report::Closed);
                    return Ok(());
                }
            }
        }
    }
}

async fn connect(path: &std::path::Path, patience: Duration) -> Result<Channel<Request, Reply>, ipc::Error> {
    let mut tries = 0;
    loop {
        match Channel::connect::<Deliver>(path, patience).await {
            Err(ipc::Error::Connect { source, .. })
                if source.kind() == std::io::ErrorKind::WouldBlock && tries < TRIES =>
            {
                tries += 1;
                sleep(AGAIN).await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_go_to_an_agent_that_is_awake_until_it_has_many() {
        let table = [
            (vec![], None, "there is none"),
            (vec![(0, 50), (3, 50), (7, 50)], Some(2), "the one with the most"),
            (vec![(19, 50), (0, 50)], Some(0), "not many yet"),
            (vec![(20, 50), (0, 50)], Some(1), "the other one helps"),
            (vec![(20, 50), (5, 50), (0, 50)], Some(1), "one more is enough"),
            (vec![(30, 50), (20, 50), (25, 50)], Some(1), "all have many"),
            (vec![(2, 2), (1, 2), (0, 2)], Some(1), "its credit is used up"),
            (vec![(1, 1), (1, 1)], None, "all are full"),
        ];
        for (agents, expected, why) in table {
            let agents = agents.into_iter().enumerate().map(|(at, (in_hand, credit))| (at, in_hand, credit));
            assert_eq!(choose(agents), expected, "{why}");
        }
    }
}

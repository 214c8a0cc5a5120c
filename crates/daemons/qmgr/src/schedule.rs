//! Who is next: the pure state machine that shares out deliveries.
//!
//! A *transport* delivers to *destinations* (a next hop, or a recipient where recipients are delivered one at a time). A *job* is what
//! one message has to do with one transport; its *entries* are single deliveries, each to one destination. Jobs stand in order of arrival;
//! the next delivery of a transport is the first entry of the first job that has one whose destination is open. A small
//! job may overtake a large one, which earns a slot for that with every few deliveries of its own.
//!
//! Nothing here looks at a clock or a socket, and no operation costs more than the logarithm of what waits.

mod crowd;
mod destination;
mod feedback;
mod job;
mod overtake;
mod transport;

pub(crate) use crowd::{Cause, Crowd};
pub(crate) use destination::{Destination, Why};
pub(crate) use feedback::Rule;
pub(crate) use transport::{Limits, Talk, Transport};

use crate::arena::{Arena, Key};
use job::Job;
use std::collections::{BTreeMap, HashMap};

/// Milliseconds on a clock that never goes back.
pub(crate) type Tick = u64;

/// Number of a message, chosen by the caller.
pub(crate) type MessageNumber = u64;

/// One delivery that waits or is in progress; `P` is what the caller needs to carry it out.
#[derive(Debug)]
pub(crate) struct Entry<P> {
    pub(crate) payload: P,
    pub(crate) destination: Key<Destination<P>>,
    job: Key<Job<P>>,
    /// Place in the job's list while it waits.
    place: usize,
    turn: u64,
    busy: bool,
}

/// How a delivery ended, as far as the destination is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Feedback {
    /// The destination answered.
    Reached,
    /// The destination could not be reached.
    Unreachable(Why),
    /// Nothing can be said.
    Unknown,
}

/// What is to be done when time comes.
#[derive(Debug)]
enum Alarm<P> {
    Destination(Key<Destination<P>>),
    Transport(Key<Transport<P>>),
}

/// All transports and what they have to do.
#[derive(Debug)]
pub(crate) struct Schedule<P> {
    transports: Arena<Transport<P>>,
    names: HashMap<Box<str>, Key<Transport<P>>>,
    destinations: Arena<Destination<P>>,
    jobs: Arena<Job<P>>,
    entries: Arena<Entry<P>>,
    alarms: BTreeMap<(Tick, u64), Alarm<P>>,
    turn: u64,
}

impl<P> Default for Schedule<P> {
    fn default() -> Self {
        Self {
            transports: Arena::default(),
            names: HashMap::new(),
            destinations: Arena::default(),
            jobs: Arena::default(),
            entries: Arena::default(),
            alarms: BTreeMap::new(),
            turn: 0,
        }
    }
}

impl<P> Schedule<P> {
    /// The transport of a name.
    pub(crate) fn find_transport(&self, name: &str) -> Option<Key<Transport<P>>> {
        self.names.get(name).copied()
    }

    /// Adds a transport.
    pub(crate) fn add_transport(&mut self, name: &str, limits: Limits) -> Key<Transport<P>> {
        let key = self.transports.insert(Transport::new(name, limits));
        self.names.insert(name.into(), key);
        key
    }

    /// A transport.
    pub(crate) fn transport(&self, key: Key<Transport<P>>) -> Option<&Transport<P>> {
        self.transports.get(key)
    }

    /// Why nothing can be delivered by a transport at present, if so.
    pub(crate) fn dead_transport(&self, key: Key<Transport<P>>) -> Option<&Why> {
        self.transports.get(key)?.dead.as_ref().map(|(why, _)| why)
    }

    /// Why nothing can be delivered to a destination at present, if so.
    pub(crate) fn dead_destination(&self, transport: Key<Transport<P>>, name: &[u8]) -> Option<&Why> {
        let destination = self.transports.get(transport)?.destinations.get(name)?;
        self.destinations.get(*destination)?.dead()
    }

    /// An entry.
    pub(crate) fn entry(&self, key: Key<Entry<P>>) -> Option<&Entry<P>> {
        self.entries.get(key)
    }

    /// An entry, to change what its delivery is about.
    pub(crate) fn entry_mut(&mut self, key: Key<Entry<P>>) -> Option<&mut Entry<P>> {
        self.entries.get_mut(key)
    }

    /// Number of deliveries that wait or are in progress.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a transport could deliver something now.
    pub(crate) fn is_ready(&self, transport: Key<Transport<P>>) -> bool {
        self.transports.get(transport).is_some_and(Transport::is_ready)
    }

    /// Adds a delivery of a message to a destination. `unread` recipients of the message are not known yet.
    pub(crate) fn add(&mut self, to: (Key<Transport<P>>, &[u8]), of: (MessageNumber, Tick), payload: P) {
        let (Some(destination), Some(job)) = (self.destination(to.0, to.1), self.job(to.0, of)) else { return };
        self.turn += 1;
        let turn = self.turn;
        let entry = self.entries.insert(Entry { payload, destination, job, place: 0, turn, busy: false });
        self.resize_job(job, |job| job.total += 1);
        self.wait(entry);
    }

    /// Says how many deliveries of a message by a transport will come when more of its recipients are read.
    pub(crate) fn expect_more(&mut self, transport: Key<Transport<P>>, message: MessageNumber, unread: u32) {
        let job = self.transports.get(transport).and_then(|transport| transport.jobs.get(&message).copied());
        if let Some(job) = job {
            self.resize_job(job, |job| job.unread = unread);
        }
    }

    /// Takes the next delivery of a transport.
    pub(crate) fn select(&mut self, transport: Key<Transport<P>>, now: Tick) -> Option<Key<Entry<P>>> {
        if !self.is_ready(transport) {
            return None;
        }
        self.overtake(transport, now);
        let (_, _, destination) = *self.transports.get(transport)?.ready.first()?;
        let (_, _, key) = *self.destinations.get(destination)?.waiting.first()?;
        self.stop_waiting(key);
        let entry = self.entries.get_mut(key)?;
        entry.busy = true;
        let job = entry.job;
        if let Some(job) = self.jobs.get_mut(job) {
            job.selected += 1;
            job.slots += 1;
        }
        self.turn += 1;
        let turn = self.turn;
        if let Some(destination) = self.destinations.get_mut(destination) {
            destination.busy += 1;
            destination.turn = turn;
        }
        if let Some(transport) = self.transports.get_mut(transport) {
            transport.busy += 1;
        }
        self.refresh(destination);
        Some(key)
    }

    /// Ends a delivery. Those that waited for a destination which has just been found dead are given back with it.
    pub(crate) fn finish(&mut self, key: Key<Entry<P>>, feedback: Feedback, now: Tick) -> Option<(P, Vec<P>)> {
        let entry = self.entries.remove(key)?;
        let mut evicted = Vec::new();
        let destination = self.destinations.get_mut(entry.destination)?;
        destination.busy = destination.busy.saturating_sub(1);
        let transport = self.transports.get_mut(destination.transport)?;
        transport.busy = transport.busy.saturating_sub(1);
        let alarm = destination.learn(feedback, &transport.limits, now);
        let dead = destination.dead().is_some();
        if let Some(until) = alarm {
            self.set_alarm(until, Alarm::Destination(entry.destination));
        }
        if dead {
            evicted = self.evict(entry.destination);
        }
        self.rest(entry.destination, now);
        self.leave_job(entry.job);
        self.refresh(entry.destination);
        self.forget_if_done(entry.destination);
        Some((entry.payload, evicted))
    }

    /// Whether a message has gone before others.
    pub(crate) fn has_overtaken(&self, key: Key<Transport<P>>, message: MessageNumber) -> bool {
        let job = self.transports.get(key).and_then(|transport| transport.jobs.get(&message));
        job.and_then(|job| self.jobs.get(*job)).is_some_and(|job| job.overtook)
    }

    /// Puts a delivery that has not taken place back where it was.
    pub(crate) fn put_back(&mut self, key: Key<Entry<P>>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.busy = false;
        let (destination, job) = (entry.destination, entry.job);
        if let Some(job) = self.jobs.get_mut(job) {
            job.selected = job.selected.saturating_sub(1);
            job.slots -= 1;
        }
        if let Some(destination) = self.destinations.get_mut(destination) {
            destination.busy = destination.busy.saturating_sub(1);
            if let Some(transport) = self.transports.get_mut(destination.transport) {
                transport.busy = transport.busy.saturating_sub(1);
            }
        }
        self.wait(key);
    }

    /// A transport does not work: gives all that waits for it back, and leaves it alone until then.
    pub(crate) fn bury_transport(&mut self, key: Key<Transport<P>>, why: Why, until: Tick) -> Vec<P> {
        let Some(transport) = self.transports.get_mut(key) else { return Vec::new() };
        transport.dead = Some((why, until));
        let destinations: Vec<_> = transport.destinations.values().copied().collect();
        self.set_alarm(until, Alarm::Transport(key));
        let mut evicted = Vec::new();
        for destination in destinations {
            evicted.append(&mut self.evict(destination));
            self.refresh(destination);
            self.forget_if_done(destination);
        }
        evicted
    }

    /// Forgets what is known of dead transports and destinations.
    pub(crate) fn revive(&mut self) {
        for ((until, _), alarm) in std::mem::take(&mut self.alarms) {
            match alarm {
                Alarm::Destination(key) if self.destinations.get(key).is_some_and(Destination::is_resting) => {
                    self.set_alarm(until, alarm);
                }
                Alarm::Destination(key) => self.wake_destination(key, Revival::Asked),
                Alarm::Transport(key) if self.transports.get(key).is_some_and(|t| t.dead.is_none()) => {
                    self.set_alarm(until, alarm);
                }
                Alarm::Transport(key) => self.wake_transport(key, until),
            }
        }
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Tick) {
        while let Some(first) = self.alarms.first_entry().filter(|first| first.key().0 <= now) {
            match first.remove() {
                Alarm::Destination(key) => {
                    if self.destinations.get(key).is_some_and(|destination| destination.is_due(now)) {
                        self.wake_destination(key, Revival::Due);
                    }
                }
                Alarm::Transport(key) => self.wake_transport(key, now),
            }
        }
    }

    /// Gives back the memory that a wave of deliveries has taken, once it is over.
    pub(crate) fn shrink(&mut self) {
        self.entries.shrink_if_empty();
        self.jobs.shrink_if_empty();
        self.destinations.shrink_if_empty();
        for transport in self.transports.iter_mut() {
            transport.shrink();
        }
    }

    /// When something will be due.
    pub(crate) fn next_alarm(&self) -> Option<Tick> {
        self.alarms.first_key_value().map(|((until, _), _)| *until)
    }

    /// The transports that could deliver something now.
    pub(crate) fn ready_transports(&self) -> impl Iterator<Item = Key<Transport<P>>> {
        self.transports.iter().filter(|(_, transport)| transport.is_ready()).map(|(key, _)| key)
    }

    fn destination(&mut self, key: Key<Transport<P>>, name: &[u8]) -> Option<Key<Destination<P>>> {
        let transport = self.transports.get_mut(key)?;
        if let Some(found) = transport.destinations.get(name) {
            return Some(*found);
        }
        let found = self.destinations.insert(Destination::new(key, name, &transport.limits));
        transport.destinations.insert(name.into(), found);
        Some(found)
    }

    fn wake_destination(&mut self, key: Key<Destination<P>>, revival: Revival) {
        let Some(destination) = self.destinations.get_mut(key) else { return };
        let Some(transport) = self.transports.get(destination.transport) else { return };
        match revival {
            Revival::Due => destination.resume(),
            Revival::Asked => destination.start_again(&transport.limits),
        }
        self.refresh(key);
        self.forget_if_done(key);
    }

    fn wake_transport(&mut self, key: Key<Transport<P>>, now: Tick) {
        if let Some(transport) = self.transports.get_mut(key) {
            transport.dead.take_if(|(_, until)| *until <= now);
            transport.resting.take_if(|until| *until <= now);
        }
    }

    /// Begins the pauses that `_destination_rate_delay` and `_transport_rate_delay` ask for.
    fn rest(&mut self, key: Key<Destination<P>>, now: Tick) -> Option<()> {
        let destination = self.destinations.get_mut(key)?;
        let transport_key = destination.transport;
        let transport = self.transports.get_mut(transport_key)?;
        let pauses = (transport.limits.rate_delay, transport.limits.transport_rate_delay);
        let rests = pauses.0 > 0 && destination.busy == 0 && destination.dead().is_none();
        if rests {
            destination.rest(now + pauses.0);
        }
        if pauses.1 > 0 {
            transport.resting = Some(now + pauses.1);
            self.set_alarm(now + pauses.1, Alarm::Transport(transport_key));
        }
        if rests {
            self.set_alarm(now + pauses.0, Alarm::Destination(key));
        }
        Some(())
    }

    fn set_alarm(&mut self, until: Tick, alarm: Alarm<P>) {
        self.turn += 1;
        self.alarms.insert((until, self.turn), alarm);
    }

    /// Enters an entry among those that wait.
    fn wait(&mut self, key: Key<Entry<P>>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let (Some(job), Some(destination)) =
            (self.jobs.get_mut(entry.job), self.destinations.get_mut(entry.destination))
        else {
            return;
        };
        entry.place = job.waiting.len();
        job.waiting.push(key);
        destination.waiting.insert((job.order, entry.turn, key));
        let destination = entry.destination;
        self.refresh(destination);
    }

    /// Takes an entry from among those that wait; the caller refreshes the destination.
    fn stop_waiting(&mut self, key: Key<Entry<P>>) {
        let Some(entry) = self.entries.get(key) else { return };
        let (place, turn, destination, job) = (entry.place, entry.turn, entry.destination, entry.job);
        let Some(job) = self.jobs.get_mut(job) else { return };
        if let Some(destination) = self.destinations.get_mut(destination) {
            destination.waiting.remove(&(job.order, turn, key));
        }
        job.waiting.swap_remove(place);
        if let Some(moved) = job.waiting.get(place).copied()
            && let Some(moved) = self.entries.get_mut(moved)
        {
            moved.place = place;
        }
    }

    fn evict(&mut self, key: Key<Destination<P>>) -> Vec<P> {
        let mut evicted = Vec::new();
        while let Some((_, _, entry)) = self.destinations.get(key).and_then(|d| d.waiting.first().copied()) {
            self.stop_waiting(entry);
            let Some(entry) = self.entries.remove(entry) else { break };
            self.leave_job(entry.job);
            evicted.push(entry.payload);
        }
        evicted
    }

    /// Brings the transport's list of open destinations up to date about one.
    fn refresh(&mut self, key: Key<Destination<P>>) {
        let Some(destination) = self.destinations.get_mut(key) else { return };
        let Some(transport) = self.transports.get_mut(destination.transport) else { return };
        let now = match destination.waiting.first() {
            Some((order, _, _)) if destination.is_open() => Some((*order, destination.turn, key)),
            _ => None,
        };
        if destination.listed != now {
            if let Some(old) = std::mem::replace(&mut destination.listed, now) {
                transport.ready.remove(&old);
            }
            transport.ready.extend(now);
        }
    }

    fn forget_if_done(&mut self, key: Key<Destination<P>>) {
        let Some(destination) = self.destinations.get(key).filter(|destination| destination.is_done()) else { return };
        if let Some(transport) = self.transports.get_mut(destination.transport) {
            transport.destinations.remove(&destination.name);
        }
        self.destinations.remove(key);
    }
}

/// Why a destination gets another chance.
#[derive(Clone, Copy)]
enum Revival {
    /// Its time has come.
    Due,
    /// Somebody asked for it.
    Asked,
}

#[cfg(test)]
mod tests;

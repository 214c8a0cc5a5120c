//! Jobs: what one message has to do with one transport, in the order in which jobs are served.

use super::{Entry, MessageNumber, Schedule, Tick, Transport};
use crate::arena::Key;

/// The rank of a job; the smallest is served first. Ranks of new jobs are far apart, so that others fit between.
pub(super) type Order = u128;

const APART: Order = 1 << 64;

/// A job.
#[derive(Debug)]
pub(super) struct Job<P> {
    pub(super) transport: Key<Transport<P>>,
    pub(super) message: MessageNumber,
    pub(super) order: Order,
    pub(super) queued: Tick,
    pub(super) waiting: Vec<Key<Entry<P>>>,
    /// Deliveries added so far.
    pub(super) total: u32,
    /// Deliveries that may yet be added.
    pub(super) unread: u32,
    /// Deliveries begun.
    pub(super) selected: u32,
    /// Deliveries ended or taken away.
    pub(super) gone: u32,
    /// Deliveries that count towards slots, less what was spent.
    pub(super) slots: i64,
    /// Whether it has gone before others.
    pub(super) overtook: bool,
}

impl<P> Job<P> {
    pub(super) fn size(&self) -> u32 {
        self.total.saturating_add(self.unread)
    }
}

impl<P> Schedule<P> {
    pub(super) fn job(&mut self, key: Key<Transport<P>>, of: (MessageNumber, Tick)) -> Option<Key<Job<P>>> {
        let (message, queued) = of;
        let transport = self.transports.get_mut(key)?;
        if let Some(found) = transport.jobs.get(&message) {
            return Some(*found);
        }
        let order = transport.order.last_key_value().map_or(0, |(last, _)| *last).saturating_add(APART);
        let job = self.jobs.insert(Job {
            transport: key,
            message,
            order,
            queued,
            waiting: Vec::new(),
            total: 0,
            unread: 0,
            selected: 0,
            gone: 0,
            slots: 0,
            overtook: false,
        });
        transport.jobs.insert(message, job);
        transport.order.insert(order, job);
        Some(job)
    }

    /// Changes how large a job is, and where it stands among jobs by size.
    pub(super) fn resize_job(&mut self, key: Key<Job<P>>, change: impl FnOnce(&mut Job<P>)) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        let Some(transport) = self.transports.get_mut(job.transport) else { return };
        let old = job.size();
        change(job);
        if transport.limits.slot_cost < 2 || old == job.size() {
            return;
        }
        let place = (job.queued, key);
        remove_size(transport, old, place);
        transport.sizes.entry(job.size()).or_default().insert(place);
    }

    /// One delivery of a job is over; so is the job if it was the last one.
    pub(super) fn leave_job(&mut self, key: Key<Job<P>>) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        job.gone += 1;
        if job.gone < job.total {
            return;
        }
        let Some(transport) = self.transports.get_mut(job.transport) else { return };
        transport.jobs.remove(&job.message);
        transport.order.remove(&job.order);
        remove_size(transport, job.size(), (job.queued, key));
        self.jobs.remove(key);
    }

    /// Gives a job a rank just before another one's.
    pub(super) fn move_before(&mut self, key: Key<Job<P>>, other: Order) -> Option<()> {
        let job = self.jobs.get(key)?;
        let old = job.order;
        let transport = self.transports.get_mut(job.transport)?;
        let previous = transport.order.range(..other).next_back().map_or(0, |(order, _)| *order);
        let new = previous + (other - previous) / 2;
        if new == previous {
            return None;
        }
        transport.order.remove(&old);
        transport.order.insert(new, key);
        let job = self.jobs.get_mut(key)?;
        job.order = new;
        let waiting = job.waiting.clone();
        for key in waiting {
            let entry = self.entries.get(key)?;
            let (destination, turn) = (entry.destination, entry.turn);
            if let Some(found) = self.destinations.get_mut(destination)
                && found.waiting.remove(&(old, turn, key))
            {
                found.waiting.insert((new, turn, key));
            }
            self.refresh(destination);
        }
        Some(())
    }
}

fn remove_size<P>(transport: &mut Transport<P>, size: u32, place: (Tick, Key<Job<P>>)) {
    if let Some(jobs) = transport.sizes.get_mut(&size) {
        jobs.remove(&place);
        if jobs.is_empty() {
            transport.sizes.remove(&size);
        }
    }
}

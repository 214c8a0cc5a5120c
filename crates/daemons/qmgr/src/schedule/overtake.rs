//! Overtaking: a small job goes before a large one that has earned enough slots.
//!
//! Each delivery of the job at the head counts towards a slot; a job that needs few deliveries may use these. Of all that
//! may, the one goes first that has waited longest for its size. See SCHEDULER_README, "preemptive scheduling".

use super::job::Job;
use super::{Schedule, Tick, Transport};
use crate::arena::Key;

/// Jobs of one size that are looked at, the oldest first.
const LOOKED_AT: usize = 4;
/// Deliveries of a job whose destination is looked at.
const TRIED: usize = 8;
/// Sizes that are looked at, the smallest first.
const SIZES: usize = 64;

impl<P> Schedule<P> {
    /// Lets somebody overtake the job at the head of a transport if that is fair.
    pub(super) fn overtake(&mut self, key: Key<Transport<P>>, now: Tick) -> Option<()> {
        let transport = self.transports.get(key)?;
        let limits = &transport.limits;
        let cost = limits.slot_cost;
        if cost < 2 {
            return None;
        }
        let order = transport.ready.first()?.0;
        let current = *transport.order.get(&order)?;
        let job = self.jobs.get(current)?;
        if job.size() / cost < limits.minimum_slots.max(1) {
            return None;
        }
        let to_come = i64::from(job.size().saturating_sub(job.selected));
        let most = u32::try_from((to_come + job.slots) / i64::from(cost)).ok()?;
        let candidate = self.candidate(transport, current, most, now)?;
        let needed = self.jobs.get(candidate)?.needed();
        let have = job.slots / i64::from(cost) + i64::from(limits.slot_loan);
        if have * 100 < i64::from(needed) * i64::from(100 - limits.slot_discount.min(100)) {
            return None;
        }
        self.move_before(candidate, order)?;
        self.jobs.get_mut(candidate)?.overtook = true;
        self.jobs.get_mut(current)?.slots -= i64::from(needed) * i64::from(cost);
        Some(())
    }

    fn candidate(&self, transport: &Transport<P>, current: Key<Job<P>>, most: u32, now: Tick) -> Option<Key<Job<P>>> {
        let rank = self.jobs.get(current)?.order;
        let mut best: Option<(f64, Key<Job<P>>)> = None;
        for (size, jobs) in transport.sizes.iter().take(SIZES) {
            let found = jobs.iter().take(LOOKED_AT).find(|(_, key)| {
                self.jobs
                    .get(*key)
                    .is_some_and(|job| job.order > rank && (1..=most).contains(&job.needed()) && self.could_go(job))
            });
            let Some((queued, key)) = found else { continue };
            let seconds = now.saturating_sub(*queued) / 1000 + 1;
            let score = f64::from(u32::try_from(seconds).unwrap_or(u32::MAX)) / f64::from(*size);
            if best.is_none_or(|(other, _)| score > other) {
                best = Some((score, *key));
            }
        }
        best.map(|(_, key)| key)
    }

    fn could_go(&self, job: &Job<P>) -> bool {
        job.waiting.iter().take(TRIED).any(|entry| {
            let destination = self.entries.get(*entry).and_then(|entry| self.destinations.get(entry.destination));
            destination.is_some_and(super::Destination::is_open)
        })
    }
}

impl<P> Job<P> {
    /// Deliveries that have not begun.
    fn needed(&self) -> u32 {
        self.size().saturating_sub(self.selected)
    }
}

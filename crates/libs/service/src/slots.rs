//! Counts sessions against the share of this process; decides when it is full, busy, or has served enough. Pure.

use crate::life::Life;
use crate::{Clients, LifeSpan};

/// More sessions than this at once, and another process would help.
const BUSY: usize = 8;

/// A place taken by a session; free again when dropped.
#[derive(Debug)]
#[must_use]
pub struct Slot(pub(crate) Life);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Work that no client brought; over when dropped.
#[derive(Debug)]
#[must_use]
pub struct Work(pub(crate) Life);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.end_work();
    }
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Full,
    Available,
    Busy,
    Retiring,
    Idle,
}

/// The count.
#[derive(Debug)]
pub(crate) struct Slots {
    /// Most connections at a time.
    most: Option<usize>,
    /// Sessions until retirement.
    uses: Option<u64>,
    active: usize,
    /// Work that no client brought; it takes no slot, and the process does not end before it.
    work: usize,
    was_busy: bool,
    draining: bool,
}

impl Slots {
    /// For a share (`None`: no limit) and `max_use` (0: no limit).
    pub(crate) fn new(clients: Clients, span: LifeSpan, share: Option<usize>, max_use: u64) -> Self {
        let most = match clients {
            Clients::Sessions => share,
            Clients::Internal => None,
            Clients::Agent => Some(1),
        };
        let slots = u64::try_from(share.unwrap_or(100).max(1)).unwrap_or(u64::MAX);
        let uses = (span == LifeSpan::Usual && max_use > 0 && clients != Clients::Agent)
            .then(|| max_use.saturating_mul(slots));
        Self { most, uses, active: 0, work: 0, was_busy: false, draining: false }
    }

    /// Takes a slot. `None` if there is none.
    pub(crate) fn admit(&mut self) -> Option<Vec<Edge>> {
        if self.draining || self.is_full() {
            return None;
        }
        let mut edges = Vec::new();
        self.active += 1;
        if self.is_full() {
            edges.push(Edge::Full);
        }
        if self.active > BUSY && !self.was_busy {
            self.was_busy = true;
            edges.push(Edge::Busy);
        }
        if let Some(uses) = &mut self.uses
            && *uses > 0
        {
            *uses -= 1;
            if *uses == 0 {
                edges.push(Edge::Retiring);
            }
        }
        Some(edges)
    }

    /// Gives a slot back.
    pub(crate) fn release(&mut self) -> Vec<Edge> {
        let mut edges = Vec::new();
        let was_full = self.is_full();
        self.active = self.active.saturating_sub(1);
        if was_full && !self.draining {
            edges.push(Edge::Available);
        }
        if self.active() == 0 {
            edges.push(Edge::Idle);
        }
        edges
    }

    /// Begins work that no client brought.
    pub(crate) fn begin(&mut self) {
        self.work += 1;
    }

    /// Ends it.
    pub(crate) fn end(&mut self) -> Vec<Edge> {
        self.work = self.work.saturating_sub(1);
        if self.active() == 0 { vec![Edge::Idle] } else { Vec::new() }
    }

    /// From now on no slot is given.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.most.is_some_and(|most| self.active >= most)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining
    }

    /// Whether there ever were many sessions at once.
    pub(crate) fn was_busy(&self) -> bool {
        self.was_busy
    }

    /// What the process does not end before.
    pub(crate) fn active(&self) -> usize {
        self.active + self.work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_is_kept_and_edges_come_once() {
        let mut slots = Slots::new(Clients::Sessions, LifeSpan::Usual, Some(2), 100);
        assert_eq!(slots.admit(), Some(vec![]));
        assert_eq!(slots.admit(), Some(vec![Edge::Full]));
        assert_eq!(slots.admit(), None);
        assert_eq!(slots.release(), [Edge::Available]);
        assert_eq!(slots.release(), [Edge::Idle]);
    }

    #[test]
    fn process_retires_after_max_use_per_slot() {
        let mut slots = Slots::new(Clients::Sessions, LifeSpan::Usual, Some(3), 2);
        for _ in 0..5 {
            assert_eq!(slots.admit(), Some(vec![]));
            let _ = slots.release();
        }
        assert_eq!(slots.admit(), Some(vec![Edge::Retiring]));
        assert_eq!(slots.admit(), Some(vec![]), "it serves on until its successor is there");
        slots.drain();
        assert_eq!(slots.admit(), None);
        assert_eq!(slots.release(), []);
        assert_eq!(slots.release(), [Edge::Idle]);
    }

    #[test]
    fn agent_takes_one_connection_and_internal_services_any_number() {
        let mut agent = Slots::new(Clients::Agent, LifeSpan::Usual, Some(50), 100);
        assert_eq!(agent.admit(), Some(vec![Edge::Full]));
        let mut internal = Slots::new(Clients::Internal, LifeSpan::UntilIdle, Some(1), 1);
        for at in 0..20 {
            let expected = if at == BUSY { vec![Edge::Busy] } else { vec![] };
            assert_eq!(internal.admit(), Some(expected));
        }
        assert!(internal.was_busy());
    }
}

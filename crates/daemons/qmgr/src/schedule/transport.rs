//! A transport: its limits, its destinations, its jobs in order.

use super::job::{Job, Order};
use super::{Destination, MessageNumber, Rule, Tick, Why};
use crate::arena::Key;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What parameters say about a transport.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limits {
    /// Deliveries to one destination at once; 0 is no limit.
    pub(crate) concurrency: u32,
    /// With how many a destination begins.
    pub(crate) initial_concurrency: u32,
    /// What a success says.
    pub(crate) positive: Rule,
    /// What a failure says.
    pub(crate) negative: Rule,
    /// Rounds of failures that make a destination dead; 0 is never.
    pub(crate) failed_cohorts: u32,
    /// How long a dead destination is left alone.
    pub(crate) dead_time: Tick,
    /// Pause between deliveries to one destination.
    pub(crate) rate_delay: Tick,
    /// Pause between deliveries.
    pub(crate) transport_rate_delay: Tick,
    /// Deliveries that earn a slot; below 2 nobody overtakes.
    pub(crate) slot_cost: u32,
    /// Slots that may be borrowed.
    pub(crate) slot_loan: u32,
    /// Percentage of the slots that need not be there yet.
    pub(crate) slot_discount: u32,
    /// A job that can never earn so many is never overtaken.
    pub(crate) minimum_slots: u32,
    /// Whether each lesson is logged.
    pub(crate) talk: Talk,
}

/// `destination_concurrency_feedback_debug`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talk {
    Quiet,
    Verbose,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 20,
            initial_concurrency: 5,
            positive: Rule::ONE,
            negative: Rule::ONE,
            failed_cohorts: 1,
            dead_time: 300_000,
            rate_delay: 0,
            transport_rate_delay: 0,
            slot_cost: 5,
            slot_loan: 3,
            slot_discount: 50,
            minimum_slots: 3,
            talk: Talk::Quiet,
        }
    }
}

impl Limits {
    /// Deliveries to one destination at once; 0 is no limit.
    pub(super) fn concurrency(&self) -> u32 {
        if self.rate_delay > 0 { 1 } else { self.concurrency }
    }

    /// With how many a destination begins.
    pub(super) fn initial(&self) -> u32 {
        let initial = self.initial_concurrency.max(1);
        if self.concurrency() == 0 { initial } else { initial.min(self.concurrency()) }
    }
}

/// A job and when it was queued.
type Aged<P> = (Tick, Key<Job<P>>);

/// A transport.
#[derive(Debug)]
pub(crate) struct Transport<P> {
    pub(crate) name: Box<str>,
    pub(crate) limits: Limits,
    pub(super) destinations: HashMap<Box<[u8]>, Key<Destination<P>>>,
    pub(super) jobs: HashMap<MessageNumber, Key<Job<P>>>,
    /// Jobs by rank.
    pub(super) order: BTreeMap<Order, Key<Job<P>>>,
    /// Jobs by size and age, to find who may overtake.
    pub(super) sizes: BTreeMap<u32, BTreeSet<Aged<P>>>,
    /// Open destinations for which something waits, by the rank of its first job, then in turn.
    pub(super) ready: BTreeSet<(Order, u64, Key<Destination<P>>)>,
    pub(super) busy: u32,
    pub(super) dead: Option<(Why, Tick)>,
    pub(super) resting: Option<Tick>,
}

impl<P> Transport<P> {
    pub(super) fn new(name: &str, limits: Limits) -> Self {
        Self {
            name: name.into(),
            limits,
            destinations: HashMap::new(),
            jobs: HashMap::new(),
            order: BTreeMap::new(),
            sizes: BTreeMap::new(),
            ready: BTreeSet::new(),
            busy: 0,
            dead: None,
            resting: None,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        let paced = self.limits.transport_rate_delay > 0 && (self.busy > 0 || self.resting.is_some());
        !self.ready.is_empty() && !paced && self.dead.is_none()
    }

    /// Gives back what the most destinations and jobs have taken.
    pub(super) fn shrink(&mut self) {
        self.destinations.shrink_to_fit();
        self.jobs.shrink_to_fit();
    }

    /// Deliveries in progress.
    pub(crate) fn busy(&self) -> u32 {
        self.busy
    }
}

//! A destination: how many deliveries to it may go on at once, learnt from how they end.
//!
//! Successes widen the window and failures to connect narrow it, both with hysteresis: a success counts at the end of a cycle, a
//! failure at its beginning. Enough failures in a row make the destination dead for a while. See SCHEDULER_README.

use super::job::Order;
use super::{Entry, Feedback, Limits, Talk, Tick, Transport};
use crate::arena::Key;
use std::collections::BTreeSet;

/// Why something is dead, for its recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Why {
    /// Enhanced status.
    pub(crate) status: String,
    /// In words.
    pub(crate) reason: String,
}

#[derive(Debug)]
enum State {
    Open,
    /// Until the next delivery may begin.
    Resting(Tick),
    Dead(Why, Tick),
}

/// A destination of a transport.
#[derive(Debug)]
pub(crate) struct Destination<P> {
    pub(super) transport: Key<Transport<P>>,
    pub(super) name: Box<[u8]>,
    /// Entries that wait, by the rank of their job.
    pub(super) waiting: BTreeSet<(Order, u64, Key<Entry<P>>)>,
    pub(super) busy: u32,
    /// Grows with each delivery, so that destinations of one job take turns.
    pub(super) turn: u64,
    /// How it stands in the transport's list.
    pub(super) listed: Option<(Order, u64, Key<Self>)>,
    /// Until then nobody is told that much waits.
    pub(super) silent_until: Tick,
    state: State,
    window: u32,
    success: f64,
    failure: f64,
    failed_cohorts: f64,
}

impl<P> Destination<P> {
    pub(super) fn new(transport: Key<Transport<P>>, name: &[u8], limits: &Limits) -> Self {
        Self {
            transport,
            name: name.into(),
            waiting: BTreeSet::new(),
            busy: 0,
            turn: 0,
            listed: None,
            silent_until: 0,
            state: State::Open,
            window: limits.initial(),
            success: 0.0,
            failure: 0.0,
            failed_cohorts: 0.0,
        }
    }

    /// Deliveries that wait or are in progress.
    pub(super) fn length(&self) -> usize {
        self.waiting.len() + usize::try_from(self.busy).unwrap_or(usize::MAX)
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open) && self.busy < self.window
    }

    pub(super) fn is_resting(&self) -> bool {
        matches!(self.state, State::Resting(_))
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Open) && self.busy == 0 && self.waiting.is_empty()
    }

    pub(super) fn is_due(&self, now: Tick) -> bool {
        match self.state {
            State::Open => false,
            State::Resting(until) | State::Dead(_, until) => until <= now,
        }
    }

    pub(super) fn dead(&self) -> Option<&Why> {
        match &self.state {
            State::Dead(why, _) => Some(why),
            State::Open | State::Resting(_) => None,
        }
    }

    #[cfg(test)]
    pub(super) fn window(&self) -> u32 {
        self.window
    }

    /// Takes the lesson of a delivery; returns when to wake up if that made it dead.
    pub(super) fn learn(&mut self, feedback: Feedback, limits: &Limits, now: Tick) -> Option<Tick> {
        let alarm = match feedback {
            Feedback::Unknown => return None,
            Feedback::Reached => {
                self.widen(limits);
                None
            }
            Feedback::Unreachable(why) => self.narrow(why, limits, now),
        };
        if limits.talk == Talk::Verbose {
            tracing::info!(
                "queue {}: limit {} window {} success {} failure {} fail_cohorts {}",
                String::from_utf8_lossy(&self.name),
                limits.concurrency(),
                self.window,
                self.success,
                self.failure,
                self.failed_cohorts
            );
        }
        alarm
    }

    fn widen(&mut self, limits: &Limits) {
        if self.dead().is_some() {
            self.start_again(limits);
        }
        self.failed_cohorts = 0.0;
        let most = limits.concurrency();
        // A window much wider than what is in use would take failures too long to narrow.
        let in_use = self.window < self.busy.saturating_add(1).saturating_add(limits.initial());
        if (most > 0 && self.window >= most) || !in_use {
            return;
        }
        let feedback = limits.positive.value(self.window);
        self.success += feedback;
        while self.success + feedback / 2.0 >= 1.0 {
            self.window = self.window.saturating_add(1);
            self.success -= 1.0;
            self.failure = 0.0;
        }
        if most > 0 {
            self.window = self.window.min(most);
        }
    }

    fn narrow(&mut self, why: Why, limits: &Limits, now: Tick) -> Option<Tick> {
        if self.dead().is_some() {
            return None;
        }
        self.failed_cohorts += 1.0 / f64::from(self.window.max(1));
        if limits.failed_cohorts > 0 && self.failed_cohorts >= f64::from(limits.failed_cohorts) {
            let until = now + limits.dead_time;
            self.state = State::Dead(why, until);
            return Some(until);
        }
        let feedback = limits.negative.value(self.window);
        self.failure -= feedback;
        while self.failure - feedback / 2.0 < 0.0 && feedback > 0.0 {
            self.window = self.window.saturating_sub(1);
            self.success = 0.0;
            self.failure += 1.0;
        }
        self.window = self.window.max(1);
        None
    }

    pub(super) fn rest(&mut self, until: Tick) {
        self.state = State::Resting(until);
    }

    /// Time has come: one delivery at a time to begin with.
    pub(super) fn resume(&mut self) {
        self.state = State::Open;
        self.window = 1;
        self.success = 0.0;
        self.failure = 0.0;
        self.failed_cohorts = 0.0;
    }

    /// As if it were new.
    pub(super) fn start_again(&mut self, limits: &Limits) {
        self.resume();
        self.window = limits.initial();
    }
}

//! The processes of one service: when to start one, drain one, hold back, or call it stress. Pure: events and a time in,
//! actions out.

use crate::shares::Shares;
use ipc::master::Status;
use privsep::End;
use std::time::{Duration, Instant};

/// An abnormal end this soon after the start counts as a bad start.
const SOON: Duration = Duration::from_secs(1);
/// Killed (by somebody, or for want of memory) so many times in a row, before or just after it began, is a bad start, too.
const KILLS: u32 = 5;
/// How long stress lasts after the last client that found everyone busy.
const STRESS: Duration = Duration::from_secs(1000);

/// The processes of a service.
#[derive(Debug)]
pub struct Pool {
    shares: Shares,
    processes: Vec<Process>,
    throttle_time: Duration,
    throttled_until: Option<Instant>,
    stress_until: Option<Instant>,
    /// A client was seen to wait while everyone was busy; told until someone is available again.
    overload_told: bool,
    /// Processes that were killed soon, since one was not.
    kills: u32,
}

/// What is known of a process.
#[derive(Debug)]
struct Process {
    pid: u32,
    /// Its place among the shares; `None` once it is on its way out.
    slot: Option<usize>,
    state: State,
    started: Instant,
    began: bool,
    /// It waits for its successor.
    retires: bool,
}

/// Whether a process takes clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// At its birth.
    Starting,
    /// Accepting.
    Available,
    /// Not accepting.
    Full,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a process in this slot, with this share.
    Start {
        /// Where.
        slot: usize,
        /// How many sessions.
        share: u32,
    },
    /// Tell this process to finish.
    Drain(u32),
    /// Clients wait and nobody is free: warn, and tell all processes.
    Overload,
    /// Processes fail at their start: warn, and hold back for a while.
    Throttle,
}

impl Pool {
    /// No processes yet.
    #[must_use]
    pub fn new(shares: Shares, throttle_time: Duration) -> Self {
        Self {
            shares,
            processes: Vec::new(),
            throttle_time,
            throttled_until: None,
            stress_until: None,
            overload_told: false,
            kills: 0,
        }
    }

    /// Goes on with other shares; all processes are told to finish. Returns them.
    pub fn renew(&mut self, shares: Shares, throttle_time: Duration) -> Vec<u32> {
        self.shares = shares;
        self.throttle_time = throttle_time;
        self.throttled_until = None;
        self.overload_told = false;
        for process in &mut self.processes {
            process.slot = None;
        }
        self.pids()
    }

    /// Whether waiting clients are master's business: nobody accepts them, and something can be done or told.
    #[must_use]
    pub fn watches(&self) -> bool {
        let accepted = self
            .processes
            .iter()
            .any(|process| (process.slot.is_some() || process.retires) && process.state != State::Full);
        self.throttled_until.is_none() && !accepted && (self.free_slot().is_some() || !self.overload_told)
    }

    /// A client waits.
    #[must_use]
    pub fn on_client(&mut self, now: Instant) -> Vec<Action> {
        if !self.watches() {
            return Vec::new();
        }
        if let Some(start) = self.start_one() {
            return vec![start];
        }
        self.overload_told = true;
        self.stress_until = Some(now + STRESS);
        vec![Action::Overload]
    }

    /// Something else needs a process: a wake-up. Starts one if there is none.
    #[must_use]
    pub fn on_need(&mut self) -> Vec<Action> {
        if self.throttled_until.is_some() || self.processes.iter().any(|process| process.slot.is_some()) {
            return Vec::new();
        }
        self.start_one().into_iter().collect()
    }

    /// A process was started.
    pub fn started(&mut self, pid: u32, slot: usize, now: Instant) {
        self.processes.push(Process {
            pid,
            slot: Some(slot),
            state: State::Starting,
            started: now,
            began: false,
            retires: false,
        });
    }

    /// A process could not even be started.
    #[must_use]
    pub fn failed_to_start(&mut self, now: Instant) -> Vec<Action> {
        self.throttle(now)
    }

    /// A process has said something.
    #[must_use]
    pub fn on_status(&mut self, pid: u32, status: Status) -> Vec<Action> {
        let Some(process) = self.processes.iter_mut().find(|process| process.pid == pid) else { return Vec::new() };
        match status {
            Status::Available => {
                let first = !std::mem::replace(&mut process.began, true);
                process.state = State::Available;
                self.overload_told = false;
                if first { self.relieve(pid) } else { Vec::new() }
            }
            Status::Full => {
                process.began = true;
                process.state = State::Full;
                Vec::new()
            }
            Status::Busy => self.start_another(),
            Status::Retiring => {
                if process.slot.take().is_none() {
                    return Vec::new();
                }
                process.retires = true;
                self.start_another()
            }
            Status::Exiting => {
                process.began = true;
                process.state = State::Full;
                process.slot = None;
                process.retires = false;
                Vec::new()
            }
        }
    }

    /// A process has ended.
    #[must_use]
    pub fn on_end(&mut self, pid: u32, end: End, now: Instant) -> Vec<Action> {
        let Some(at) = self.processes.iter().position(|process| process.pid == pid) else { return Vec::new() };
        let process = self.processes.swap_remove(at);
        self.overload_told = false;
        let is_soon = now.duration_since(process.started) < SOON;
        let is_bad_start = process.slot.is_some() && (!process.began || (is_soon && !end.is_normal()));
        if !is_bad_start {
            self.kills = 0;
            return Vec::new();
        }
        if end.is_from_outside() {
            self.kills += 1;
        }
        if self.throttled_until.is_some() || (end.is_from_outside() && self.kills < KILLS) {
            return Vec::new();
        }
        self.kills = 0;
        self.throttle(now)
    }

    /// Time has passed: an end of throttling, or of stress. True in the second case.
    #[must_use]
    pub fn on_time(&mut self, now: Instant) -> (Vec<Action>, bool) {
        let mut actions = Vec::new();
        if self.throttled_until.is_some_and(|until| until <= now) {
            self.throttled_until = None;
            if self.processes.iter().any(|process| process.retires) {
                actions = self.start_another();
            }
        }
        let relaxes = self.stress_until.is_some_and(|until| until <= now);
        if relaxes {
            self.stress_until = None;
        }
        (actions, relaxes)
    }

    /// When [`Self::on_time`] has something to do.
    #[must_use]
    pub fn next_time(&self) -> Option<Instant> {
        self.throttled_until.into_iter().chain(self.stress_until).min()
    }

    /// Whether the service is under stress.
    #[must_use]
    pub fn is_stressed(&self) -> bool {
        self.stress_until.is_some()
    }

    /// Whether it is held back.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.throttled_until.is_some()
    }

    /// All processes.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(|process| process.pid).collect()
    }

    /// The process that a wake-up is for.
    #[must_use]
    pub fn wakeable(&self) -> Option<u32> {
        self.processes.iter().find(|process| process.slot.is_some()).map(|process| process.pid)
    }

    /// The limit, for people.
    #[must_use]
    pub fn limit(&self) -> u32 {
        match &self.shares {
            Shares::Limited(shares) => shares.iter().sum(),
            Shares::Unlimited { .. } => 0,
        }
    }

    /// A new process is there: those that waited for it may finish.
    fn relieve(&mut self, successor: u32) -> Vec<Action> {
        let retiring = self.processes.iter_mut().filter(|process| process.retires && process.pid != successor);
        retiring
            .map(|process| {
                process.retires = false;
                Action::Drain(process.pid)
            })
            .collect()
    }

    /// Another process besides those there, unless one is coming.
    fn start_another(&mut self) -> Vec<Action> {
        let is_starting =
            self.processes.iter().any(|process| process.slot.is_some() && process.state == State::Starting);
        if is_starting || self.throttled_until.is_some() {
            return Vec::new();
        }
        self.start_one().into_iter().collect()
    }

    fn start_one(&self) -> Option<Action> {
        let (slot, share) = self.free_slot()?;
        Some(Action::Start { slot, share })
    }

    fn free_slot(&self) -> Option<(usize, u32)> {
        let slot = (0..).find(|slot| !self.processes.iter().any(|process| process.slot == Some(*slot)))?;
        self.shares.of(slot).map(|share| (slot, share))
    }

    fn throttle(&mut self, now: Instant) -> Vec<Action> {
        self.throttled_until = Some(now + self.throttle_time);
        vec![Action::Throttle]
    }
}

#[cfg(test)]
mod tests;

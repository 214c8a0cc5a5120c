//! Connections that are kept for the next delivery.
//!
//! A connection is known by the next hop that it was made for; it is given away at most once, and taken leave of when its
//! time is over. A server that has spoken or hung up in the meantime is not used again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::dialogue::Farewell;
use crate::session::{Fitness, Ready};

/// `smtp_connection_cache_*` and `smtp_connection_reuse_*`.
#[derive(Debug, Clone, Copy)]
pub struct Keeping {
    /// `smtp_connection_cache_time_limit`: how long a connection may be idle.
    pub idle: Duration,
    /// `smtp_connection_reuse_time_limit`: how long it may be used at all.
    pub age: Duration,
    /// `smtp_connection_reuse_count_limit`: how many messages it may carry after the first; 0 for any number.
    pub reuses: u32,
    /// How leave is taken.
    pub farewell: Farewell,
}

/// Idle connections of a process.
#[derive(Default)]
pub struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// In the order in which their time is over.
    kept: VecDeque<Kept>,
    /// Whether a task waits for that.
    watched: bool,
}

struct Kept {
    nexthop: String,
    until: Instant,
    ready: Ready,
}

impl Pool {
    /// A kept connection for a next hop, if there is one that still holds.
    pub fn take(&self, nexthop: &str) -> Option<Ready> {
        let mut idle = self.idle();
        while let Some(at) = idle.kept.iter().rposition(|kept| kept.nexthop == nexthop) {
            let mut ready = idle.kept.remove(at)?.ready;
            if !ready.dialogue.is_stale() {
                return Some(ready);
            }
        }
        None
    }

    /// Keeps a connection for others that go to the same next hop.
    pub fn keep(self: &Arc<Self>, nexthop: String, ready: Ready, keeping: Keeping) {
        let until = Instant::now() + keeping.idle;
        let mut idle = self.idle();
        idle.kept.push_back(Kept { nexthop, until, ready });
        if !std::mem::replace(&mut idle.watched, true) {
            tokio::spawn(Arc::clone(self).watch(until, keeping.farewell));
        }
    }

    /// Takes leave of connections whose time is over, until none is left.
    async fn watch(self: Arc<Self>, first: Instant, farewell: Farewell) {
        let mut next = Some(first);
        while let Some(until) = next {
            tokio::time::sleep_until(until).await;
            let over;
            (over, next) = self.expired();
            for ready in over {
                tokio::spawn(ready.dialogue.quit(farewell));
            }
        }
    }

    /// The connections whose time is over, and when that of the next one will be.
    fn expired(&self) -> (Vec<Ready>, Option<Instant>) {
        let now = Instant::now();
        let mut idle = self.idle();
        let count = idle.kept.partition_point(|kept| kept.until <= now);
        let over = idle.kept.drain(..count).map(|kept| kept.ready).collect();
        let next = idle.kept.front().map(|kept| kept.until);
        idle.watched = next.is_some();
        (over, next)
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeping {
    /// Whether a connection may be used once more.
    #[must_use]
    pub fn allows(&self, ready: &Ready) -> bool {
        ready.fitness == Fitness::Fit
            && (self.reuses == 0 || ready.uses <= self.reuses)
            && (self.age.is_zero() || ready.since.elapsed() < self.age)
    }
}

//! Connections that are kept for the next delivery.
//!
//! A connection is known by the next hop that it was made for; it is given away at most once, and taken leave of when its
//! time is over. A server that has spoken or hung up in the meantime is not used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::dialogue::Farewell;
use crate::session::{Fitness, Ready};

/// `smtp_connection_cache_*` and `smtp_connection_reuse_*`.
#[derive(Debug, Clone, Copy)]
pub struct Keeping {
    /// `smtp_connection_cache_time_limit`: how long a connection may be idle.
    pub idle: Duration,
    /// `smtp_connection_reuse_time_limit`: how long it may be used at all.
    pub age: Duration,
    /// `smtp_connection_reuse_count_limit`: how many messages it may carry; 0 for any number.
    pub uses: u32,
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
    next: u64,
    sessions: HashMap<String, Vec<(u64, Ready)>>,
}

impl Pool {
    /// A kept connection for a next hop, if there is one that still holds.
    pub fn take(&self, nexthop: &str) -> Option<Ready> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = idle.sessions.get_mut(nexthop)?;
        let mut found = None;
        while let Some((_, mut ready)) = sessions.pop() {
            if !ready.dialogue.is_stale() {
                found = Some(ready);
                break;
            }
        }
        if sessions.is_empty() {
            idle.sessions.remove(nexthop);
        }
        found
    }

    /// Keeps a connection for others that go to the same next hop.
    pub fn keep(self: &Arc<Self>, nexthop: &str, ready: Ready, keeping: Keeping) {
        let id = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.next += 1;
            let id = idle.next;
            idle.sessions.entry(nexthop.to_owned()).or_default().push((id, ready));
            id
        };
        let (pool, nexthop) = (Arc::clone(self), nexthop.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(keeping.idle).await;
            if let Some(ready) = pool.remove(&nexthop, id) {
                ready.dialogue.quit(keeping.farewell).await;
            }
        });
    }

    fn remove(&self, nexthop: &str, id: u64) -> Option<Ready> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = idle.sessions.get_mut(nexthop)?;
        let at = sessions.iter().position(|(of, _)| *of == id)?;
        let (_, ready) = sessions.remove(at);
        if sessions.is_empty() {
            idle.sessions.remove(nexthop);
        }
        Some(ready)
    }
}

impl Keeping {
    /// Whether a connection may be used once more.
    #[must_use]
    pub fn allows(&self, ready: &Ready) -> bool {
        ready.fitness == Fitness::Fit
            && (self.uses == 0 || ready.uses < self.uses)
            && (self.age.is_zero() || ready.since.elapsed() < self.age)
    }
}

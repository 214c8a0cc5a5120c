//! Destinations for which so much waits that other mail may suffer.

use super::{Destination, Schedule, Tick};
use crate::arena::Key;

/// Such a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crowd {
    pub(crate) transport: String,
    pub(crate) destination: String,
    /// Deliveries that wait or are in progress.
    pub(crate) length: usize,
    pub(crate) cause: Cause,
}

/// What holds it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No more than so many deliveries may go on at once.
    Limit(u32),
    /// It shares the transport.
    Company,
    /// It takes its time.
    Slowness,
}

impl<P> Schedule<P> {
    /// The destinations with more than so many deliveries, but for those that were told within `interval`.
    pub(crate) fn crowds(&mut self, most: usize, now: Tick, interval: Tick) -> Vec<Crowd> {
        let large = |destination: &Destination<P>| destination.length() > most && destination.silent_until <= now;
        let keys: Vec<_> = self.destinations.iter().filter(|(_, found)| large(found)).map(|(key, _)| key).collect();
        keys.into_iter().filter_map(|key| self.crowd(key, now + interval)).collect()
    }

    fn crowd(&mut self, key: Key<Destination<P>>, silent_until: Tick) -> Option<Crowd> {
        let destination = self.destinations.get_mut(key)?;
        destination.silent_until = silent_until;
        let transport = self.transports.get(destination.transport)?;
        let limit = transport.limits.concurrency();
        let cause = match transport.destinations.len() {
            _ if limit > 0 && destination.busy >= limit => Cause::Limit(limit),
            0 | 1 => Cause::Slowness,
            _ => Cause::Company,
        };
        Some(Crowd {
            transport: transport.name.to_string(),
            destination: String::from_utf8_lossy(&destination.name).into_owned(),
            length: destination.length(),
            cause,
        })
    }
}

//! How many recipients are in memory for each transport, and when more of a message are read.

use crate::schedule::Tick;

/// The recipients of one transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stock {
    /// How many there may be.
    pub(crate) limit: usize,
    /// How many more for messages that overtake others.
    pub(crate) extra: usize,
    /// How many must fit before more are read.
    pub(crate) refill: usize,
    /// After which time fewer will do.
    pub(crate) refill_delay: Tick,
    /// How many there are.
    pub(crate) held: usize,
}

impl Default for Stock {
    fn default() -> Self {
        Self { limit: 20_000, extra: 1000, refill: 100, refill_delay: 5000, held: 0 }
    }
}

/// What the transports of a message have to say about it together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Room {
    free: usize,
    refill: usize,
    delay: Tick,
}

/// How a message stands when more of it could be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// Its recipients in memory.
    pub(crate) pending: usize,
    /// How many of them there are at least.
    pub(crate) least: usize,
    /// Since when nothing more was read.
    pub(crate) since: Tick,
    pub(crate) now: Tick,
}

impl Room {
    /// As far as this is known: recipients not read yet may belong to other transports.
    pub(crate) fn of<'s>(stocks: impl Iterator<Item = (&'s Stock, bool)>) -> Option<Self> {
        stocks
            .map(|(stock, overtakes)| Self {
                free: (stock.limit + if overtakes { stock.extra } else { 0 }).saturating_sub(stock.held),
                refill: stock.refill,
                delay: stock.refill_delay,
            })
            .reduce(|one, other| Self {
                free: one.free.saturating_add(other.free),
                refill: one.refill.min(other.refill),
                delay: one.delay.min(other.delay),
            })
    }

    /// How many recipients are read now, if any.
    pub(crate) fn refill(&self, free: usize, standing: Standing) -> Option<usize> {
        let Standing { pending, least, since, now } = standing;
        let free = free.min(self.free);
        let enough = free >= self.refill.max(least) || (free > 0 && now >= since + self.delay);
        (pending == 0 || enough).then(|| free.max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(held: usize) -> Stock {
        Stock { limit: 100, extra: 50, refill: 20, refill_delay: 1000, held }
    }

    fn most(stocks: &[(Stock, bool)], free: usize, standing: Standing) -> Option<usize> {
        Room::of(stocks.iter().map(|(stock, overtakes)| (stock, *overtakes))).unwrap().refill(free, standing)
    }

    #[test]
    fn a_full_transport_reads_no_more() {
        let busy = Standing { pending: 5, least: 10, since: 0, now: 999 };
        let late = Standing { now: 1000, ..busy };
        let done = Standing { pending: 0, ..busy };
        for (held, overtakes, free, standing, expected) in [
            (0, false, 1000, busy, Some(100)),
            (80, false, 1000, busy, Some(20)),
            (81, false, 1000, busy, None),
            (81, true, 1000, busy, Some(69)),
            (0, false, 19, busy, None),
            (0, false, 30, busy, Some(30)),
            (85, false, 1000, late, Some(15)),
            (100, false, 1000, late, None),
            (100, false, 1000, done, Some(10)),
        ] {
            assert_eq!(most(&[(stock(held), overtakes)], free, standing), expected, "{held} {overtakes} {free}");
        }
        assert_eq!(most(&[(stock(100), false), (stock(70), false)], 1000, busy), Some(30));
        assert_eq!(Room::of([].into_iter()), None);
    }
}

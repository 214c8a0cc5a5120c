//! How the sessions of a service are shared by its processes. Pure.

use std::num::NonZeroU32;

/// How many processes, and how many sessions each may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shares {
    /// One entry per process; their sum is the limit of `master.cf`.
    Limited(Vec<u32>),
    /// So many processes (`None`: any number), each with so many sessions (0: any number).
    Unlimited {
        /// Most processes at a time.
        processes: Option<u32>,
        /// Sessions of each.
        each: u32,
    },
}

impl Shares {
    /// For a limit (`None`: no limit), so many processes at best, and at most so many sessions in one
    /// (`None`: no such limit).
    #[must_use]
    pub fn new(limit: Option<u32>, best: u32, most_in_one: Option<NonZeroU32>) -> Self {
        match (limit, most_in_one) {
            (None, None) => Self::Unlimited { processes: Some(best.max(1)), each: 0 },
            (None, Some(most)) => Self::Unlimited { processes: None, each: most.get() },
            (Some(limit), most) => {
                let limit = limit.max(1);
                let needed = most.map_or(1, |most| limit.div_ceil(most.get()));
                Self::Limited(split(limit, best.clamp(1, limit).max(needed)))
            }
        }
    }

    /// The share of the process in this slot; `None` if there is no such slot.
    #[must_use]
    pub fn of(&self, slot: usize) -> Option<u32> {
        match self {
            Self::Limited(shares) => shares.get(slot).copied(),
            Self::Unlimited { processes, each } => {
                let exists = processes.is_none_or(|processes| u32::try_from(slot).is_ok_and(|slot| slot < processes));
                exists.then_some(*each)
            }
        }
    }
}

/// Shares that differ by one at most, the larger ones first.
fn split(limit: u32, processes: u32) -> Vec<u32> {
    let (each, more) = (limit / processes, limit % processes);
    (0..processes).map(|at| each + u32::from(at < more)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_limit() {
        let table = [
            (3, 2, 0, vec![2, 1], "three over two"),
            (1, 2, 0, vec![1], "one process for one session"),
            (100, 2, 0, vec![50, 50], "one process per processor"),
            (3, 2, 1, vec![1, 1, 1], "one client per process, as in Postfix"),
            (10, 2, 4, vec![4, 3, 3], "at most four in one"),
            (100, 64, 50, vec![2; 50].into_iter().chain(vec![1; 0]).collect(), ""),
        ];
        for (limit, best, most, expected, why) in table {
            let Shares::Limited(shares) = Shares::new(Some(limit), best, NonZeroU32::new(most)) else { panic!() };
            assert_eq!(shares.iter().sum::<u32>(), limit, "{why}");
            if !why.is_empty() {
                assert_eq!(shares, expected, "{why}");
            }
        }
    }

    #[test]
    fn no_limit_means_any_number() {
        let shares = Shares::new(None, 2, None);
        assert_eq!((shares.of(0), shares.of(1), shares.of(2)), (Some(0), Some(0), None));
        let shares = Shares::new(None, 2, NonZeroU32::new(1));
        assert_eq!(shares.of(1000), Some(1));
    }
}

//! The order in which the addresses of a destination are tried. Pure.
//!
//! Best preference first; among equals random, or by address family; and both families have their share of the turns
//! before the limit of addresses is reached (`smtp_balance_inet_protocols`).

use std::net::IpAddr;

use crate::chance::Chance;

/// One address of one host of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The host's name.
    pub name: String,
    /// The alias that led to it, if the name is what that stands for.
    pub alias: Option<String>,
    /// Its address.
    pub address: IpAddr,
    /// Preference of its MX record; lower is better.
    pub preference: u16,
    /// Its port, where an SRV record says so.
    pub port: Option<u16>,
}

/// `smtp_address_preference`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Favor {
    /// Neither family.
    #[default]
    Any,
    /// IPv4 first.
    V4,
    /// IPv6 first.
    V6,
}

/// Parameters of the order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ordering {
    /// `smtp_address_preference`.
    pub favor: Favor,
    /// `smtp_randomize_addresses`.
    pub randomize: bool,
    /// `smtp_balance_inet_protocols`.
    pub balance: bool,
    /// `smtp_mx_address_limit`; 0 for none.
    pub limit: usize,
}

impl Ordering {
    /// Sorts candidates into the order in which they are tried.
    pub fn sort(&self, candidates: &mut Vec<Candidate>, chance: &mut Chance) {
        if self.randomize {
            chance.shuffle(candidates);
        }
        candidates.sort_by_key(|candidate| (candidate.preference, self.rank(candidate.address)));
        if self.balance && self.limit > 1 && candidates.len() > self.limit {
            balance(candidates, self.limit);
        }
    }

    fn rank(&self, address: IpAddr) -> u8 {
        match self.favor {
            Favor::Any => 0,
            Favor::V4 => u8::from(address.is_ipv6()),
            Favor::V6 => u8::from(address.is_ipv4()),
        }
    }
}

/// Within the limit each family has half of the turns, the one that comes first the odd one too; what a family cannot
/// use is the other's.
fn balance(candidates: &mut Vec<Candidate>, limit: usize) {
    let Some(first) = candidates.first().map(|candidate| candidate.address.is_ipv4()) else { return };
    let alike = candidates.iter().filter(|candidate| candidate.address.is_ipv4() == first).count();
    let mut others = (candidates.len() - alike).min((limit / 2).max(limit.saturating_sub(alike)));
    let mut alike = limit - others;
    let (within, beyond): (Vec<_>, Vec<_>) = candidates.drain(..).partition(|candidate| {
        let turns = if candidate.address.is_ipv4() == first { &mut alike } else { &mut others };
        let has_turn = *turns > 0;
        *turns = turns.saturating_sub(1);
        has_turn
    });
    candidates.extend(within.into_iter().chain(beyond));
}

/// What is left of a sorted list for a host that is itself in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remaining {
    /// All: we are not among them.
    All(Vec<Candidate>),
    /// Hosts that are better than ourselves.
    Better(Vec<Candidate>),
    /// We have this preference, and none is better.
    None(u16),
}

/// Cuts the list at our own preference: mail never goes to a host that is no better.
#[must_use]
pub fn before_self(mut candidates: Vec<Candidate>, is_self: impl Fn(IpAddr) -> bool) -> Remaining {
    let own = candidates.iter().filter(|candidate| is_self(candidate.address)).map(|candidate| candidate.preference);
    if let Some(own) = own.min() {
        candidates.retain(|candidate| candidate.preference < own);
        return if candidates.is_empty() { Remaining::None(own) } else { Remaining::Better(candidates) };
    }
    Remaining::All(candidates)
}

/// Sorts SRV targets: by priority, then at random by weight (RFC 2782).
pub fn weigh<T>(targets: Vec<(u16, u16, T)>, chance: &mut Chance) -> Vec<(u16, T)> {
    let mut left: Vec<_> = targets.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(left.len());
    while let Some(priority) = left.iter().flatten().map(|(priority, _, _)| *priority).min() {
        let total: usize = weights(&left, priority).sum();
        let mut ticket = chance.below(total + 1);
        let chosen = left.iter_mut().find(|target| match target {
            Some((of, weight, _)) if *of == priority => {
                let hit = ticket <= usize::from(*weight);
                ticket = ticket.saturating_sub(usize::from(*weight));
                hit
            }
            Some(_) | None => false,
        });
        sorted.extend(chosen.and_then(Option::take).map(|(priority, _, target)| (priority, target)));
    }
    sorted
}

fn weights<T>(left: &[Option<(u16, u16, T)>], priority: u16) -> impl Iterator<Item = usize> + '_ {
    left.iter().flatten().filter(move |target| target.0 == priority).map(|target| usize::from(target.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(name: &str, address: &str, preference: u16) -> Candidate {
        Candidate { name: name.into(), alias: None, address: address.parse().unwrap(), preference, port: None }
    }

    fn names(candidates: &[Candidate]) -> String {
        candidates.iter().map(|candidate| candidate.name.as_str()).collect()
    }

    #[test]
    fn preference_then_family() {
        let list = || {
            vec![
                candidate("d", "::4", 20),
                candidate("b", "::2", 10),
                candidate("a", "127.0.0.1", 10),
                candidate("c", "127.0.0.3", 20),
            ]
        };
        for (favor, expected) in [(Favor::V4, "abcd"), (Favor::V6, "badc"), (Favor::Any, "badc")] {
            let mut candidates = list();
            let ordering = Ordering { favor, ..Ordering::default() };
            ordering.sort(&mut candidates, &mut Chance::seeded(1));
            assert_eq!(names(&candidates), expected);
        }
    }

    #[test]
    fn both_families_have_their_turns() {
        let favored = |favor, limit| Ordering { favor, balance: true, limit, randomize: false };
        for (favor, limit, families, expected) in [
            (Favor::V6, 3, "66664", "66466"),
            (Favor::V6, 2, "66644", "64664"),
            (Favor::V6, 4, "66644", "66446"),
            (Favor::V6, 5, "666644", "666446"),
            (Favor::V4, 5, "666644", "446666"),
            (Favor::Any, 5, "4446666", "4446666"),
            (Favor::Any, 3, "666444", "664644"),
            (Favor::Any, 4, "466666", "466666"),
            (Favor::Any, 1, "664", "664"),
        ] {
            let mut candidates: Vec<_> = families
                .chars()
                .map(|family| candidate(&family.to_string(), if family == '4' { "127.0.0.1" } else { "::1" }, 1))
                .collect();
            favored(favor, limit).sort(&mut candidates, &mut Chance::seeded(1));
            assert_eq!(names(&candidates), expected, "{favor:?} {limit} {families}");
        }
    }

    #[test]
    fn equals_share_the_load() {
        let mut chance = Chance::seeded(7);
        let ordering = Ordering { randomize: true, ..Ordering::default() };
        let firsts: Vec<_> = (0..50)
            .map(|_| {
                let mut list = vec![candidate("a", "127.0.0.1", 1), candidate("b", "127.0.0.2", 1)];
                ordering.sort(&mut list, &mut chance);
                list[0].name.clone()
            })
            .collect();
        assert!(firsts.iter().any(|name| name == "a") && firsts.iter().any(|name| name == "b"));
    }

    #[test]
    fn mail_goes_only_to_better_hosts() {
        let list = vec![candidate("a", "127.0.0.1", 10), candidate("s", "127.0.0.9", 20), candidate("c", "::1", 20)];
        let own = |of: &'static str| move |address: IpAddr| address == of.parse::<IpAddr>().unwrap();
        let Remaining::Better(left) = before_self(list.clone(), own("127.0.0.9")) else { panic!("no loop") };
        assert_eq!(names(&left), "a");
        assert_eq!(before_self(list.clone(), own("127.0.0.1")), Remaining::None(10));
        assert_eq!(before_self(list.clone(), |_| false), Remaining::All(list));
    }

    proptest! {
        #[test]
        fn weighing_loses_nobody(targets in proptest::collection::vec((0_u16..3, 0_u16..4, any::<u8>()), 0..12), seed: u64) {
            let mut expected: Vec<_> = targets.iter().map(|target| (target.0, target.2)).collect();
            let sorted = weigh(targets, &mut Chance::seeded(seed));
            prop_assert!(sorted.is_sorted_by_key(|target| target.0));
            let mut sorted = sorted;
            sorted.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(sorted, expected);
        }
    }
}

//! `cidr:path`: networks and addresses in order; the first that contains the address counts.
//!
//! Rules are indexed by prefix length, so that the cost of a look-up grows with the number of different lengths and
//! not with that of rules. Those with a `!` match nearly every address of
//! their kind, and are asked one by one.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Watched;
use crate::environment::Values;
use crate::fold::shown;
use crate::network::Network;
use crate::rules::{self, Builder, Rule, Rules, merged};
use crate::source::{Line, is_space, stored_value, trim};
use crate::{Environment, Error, Keys, Lookup, Owner, Table};

struct Pattern {
    network: Network,
    negated: bool,
}

impl Pattern {
    fn matches(&self, address: IpAddr) -> bool {
        let same_kind = address.is_ipv4() == self.network.address().is_ipv4();
        same_kind && self.network.contains(address) != self.negated
    }
}

struct Cidr {
    rules: Rules<Pattern, Vec<u8>>,
    index: Index,
    file: Option<Watched>,
}

/// Where rules for an address may be.
#[derive(Default)]
struct Index {
    /// The rules of each network, in order.
    networks: HashMap<Network, Vec<usize>>,
    /// The prefix lengths in use.
    v4: Vec<u8>,
    v6: Vec<u8>,
    /// Rules that are asked for every address.
    always: Vec<usize>,
}

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let text = rules::read("cidr", name, environment)?;
    let mut builder = Builder::new();
    for line in &text.lines {
        if let Err(reason) = read_rule(&mut builder, line, environment.values) {
            tracing::warn!("cidr map {name}, line {}: {reason}: skipping this rule", line.number);
        }
    }
    let (rules, unclosed) = builder.finish();
    for line in unclosed {
        tracing::warn!("cidr map {name}, line {line}: IF has no matching ENDIF");
    }
    let index = Index::new(&rules);
    Ok(Box::new(Cidr { rules, index, file: text.file }))
}

fn read_rule(builder: &mut Builder<Pattern, Vec<u8>>, line: &Line, values: Values) -> Result<(), String> {
    let text = trim(&line.text);
    if let Some(rest) = after_word(text, b"if") {
        let pattern = read_pattern(rest)?;
        builder.open(pattern, line.number);
        return Ok(());
    }
    if let Some(rest) = after_word(text, b"endif") {
        if !trim(rest).is_empty() {
            return Err("garbage after ENDIF".to_owned());
        }
        return if builder.close() { Ok(()) } else { Err("ENDIF without IF".to_owned()) };
    }
    let (pattern, value) = if text.starts_with(b"!") {
        let bare = trim(text.trim_prefix_all(b'!'));
        let (_, value) = split_word(bare);
        (text.get(..text.len() - value.len()).unwrap_or_default(), value)
    } else {
        split_word(text)
    };
    let pattern = read_pattern(pattern)?;
    if value.is_empty() {
        return Err("no lookup result".to_owned());
    }
    builder.push(pattern, stored_value(value, values)?.into_owned(), line.number);
    Ok(())
}

/// What follows a word that the text starts with.
fn after_word<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(word.len())?;
    let is_whole = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
    (start.eq_ignore_ascii_case(word) && is_whole).then_some(rest)
}

trait TrimPrefix {
    fn trim_prefix_all(&self, byte: u8) -> &Self;
}

impl TrimPrefix for [u8] {
    fn trim_prefix_all(&self, byte: u8) -> &Self {
        let start = self.iter().position(|b| *b != byte && !is_space(*b)).unwrap_or(self.len());
        self.get(start..).unwrap_or_default()
    }
}

fn read_pattern(text: &[u8]) -> Result<Pattern, String> {
    let text = trim(text);
    let bare = text.trim_prefix_all(b'!');
    if bare.is_empty() {
        return Err("no address pattern".to_owned());
    }
    let marks = text.len() - bare.len();
    let negations = text.iter().take(marks).filter(|b| **b == b'!').count();
    let network = Network::parse(&shown(bare))?;
    Ok(Pattern { network, negated: negations % 2 == 1 })
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| is_space(*byte)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    (word, trim(rest))
}

impl Index {
    fn new(rules: &Rules<Pattern, Vec<u8>>) -> Self {
        let mut index = Self::default();
        for (at, rule) in rules.iter().enumerate() {
            let (Rule::Match { pattern, .. } | Rule::If { pattern, .. }) = rule;
            if pattern.negated {
                index.always.push(at);
                continue;
            }
            let network = pattern.network;
            let lengths = if network.address().is_ipv4() { &mut index.v4 } else { &mut index.v6 };
            if !lengths.contains(&network.length()) {
                lengths.push(network.length());
            }
            index.networks.entry(network).or_default().push(at);
        }
        index
    }

    /// The rules without a `!` that have the address, in order.
    fn having(&self, address: IpAddr) -> Vec<usize> {
        let lengths = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        let networks = lengths.iter().filter_map(|length| self.networks.get(&Network::around(address, *length)));
        let mut found: Vec<usize> = networks.flatten().copied().collect();
        found.sort_unstable();
        found
    }
}

impl Cidr {
    fn find(&self, address: IpAddr) -> Option<&[u8]> {
        let having = self.index.having(address);
        self.first(merged(&having, &self.index.always), address)
    }

    fn first(&self, candidates: impl Iterator<Item = usize>, address: IpAddr) -> Option<&[u8]> {
        let matches = |rule: &Rule<Pattern, Vec<u8>>| {
            let (Rule::Match { pattern, .. } | Rule::If { pattern, .. }) = rule;
            pattern.matches(address)
        };
        self.rules.first(candidates, matches).map(Vec::as_slice)
    }
}

impl Table for Cidr {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        let address = std::str::from_utf8(key).ok().and_then(|key| key.parse().ok());
        match address.and_then(|address| self.find(address)) {
            Some(value) => Lookup::found(value),
            None => Lookup::nothing(),
        }
    }

    fn keys(&self) -> Keys {
        Keys::Pattern
    }

    fn changed(&self) -> bool {
        self.file.as_ref().is_some_and(Watched::changed)
    }

    fn owner(&self) -> Owner {
        self.file.as_ref().map_or(Owner::Trusted, Watched::owner)
    }
}

#[cfg(test)]
#[path = "cidr/tests.rs"]
mod tests;

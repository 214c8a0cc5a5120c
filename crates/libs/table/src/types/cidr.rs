//! `cidr:path`: networks and addresses in order; the first that contains the address counts.
//!
//! Runs of plain rules are indexed by prefix length, so that the cost of a look-up grows with the number of
//! different lengths and not with that of rules.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Watched;
use crate::network::{Network, first_address};
use crate::rules::{self, Builder, Rule};
use crate::source::{is_space, trim};
use crate::{Environment, Error, Keys, Lookup, Owner, Table};

struct Pattern {
    network: Network,
    negated: bool,
}

impl Pattern {
    fn matches(&self, address: IpAddr) -> bool {
        self.network.contains(address) != self.negated
    }
}

struct Cidr {
    rules: Vec<Rule<Pattern, Vec<u8>>>,
    /// By the rule that a run starts with.
    runs: HashMap<usize, Run>,
    file: Option<Watched>,
}

/// Plain rules that follow each other.
struct Run {
    end: usize,
    /// For each prefix length in use, the first rule of each network.
    v4: Vec<(u8, HashMap<IpAddr, usize>)>,
    v6: Vec<(u8, HashMap<IpAddr, usize>)>,
}

const SHORTEST_RUN: usize = 16;

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let text = rules::read("cidr", name, environment)?;
    let mut builder = Builder::new();
    for line in &text.lines {
        if let Err(reason) = read_rule(&mut builder, &line.text, line.number) {
            tracing::warn!("cidr map {name}, line {}: {reason}: skipping this rule", line.number);
        }
    }
    let (rules, unclosed) = builder.finish();
    for line in unclosed {
        tracing::warn!("cidr map {name}, line {line}: IF has no matching ENDIF");
    }
    let runs = find_runs(&rules);
    Ok(Box::new(Cidr { rules, runs, file: text.file }))
}

fn read_rule(builder: &mut Builder<Pattern, Vec<u8>>, text: &[u8], line: usize) -> Result<(), String> {
    let text = trim(text);
    let (word, rest) = split_word(text);
    if word.eq_ignore_ascii_case(b"if") && !rest.is_empty() {
        let pattern = read_pattern(rest)?;
        builder.open(pattern, line);
        return Ok(());
    }
    if word.eq_ignore_ascii_case(b"endif") {
        if !rest.is_empty() {
            return Err("garbage after ENDIF".to_owned());
        }
        return if builder.close() { Ok(()) } else { Err("ENDIF without IF".to_owned()) };
    }
    let (pattern, value) = if text.starts_with(b"!") {
        let bare = trim(text.trim_prefix_all(b'!'));
        let (_, value) = split_word(bare);
        (text.get(..text.len() - value.len()).unwrap_or_default(), value)
    } else {
        (word, rest)
    };
    let pattern = read_pattern(pattern)?;
    if value.is_empty() {
        return Err("no lookup result".to_owned());
    }
    builder.push(pattern, value.to_vec(), line);
    Ok(())
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
    let marks = text.len() - bare.len();
    let negations = text.iter().take(marks).filter(|b| **b == b'!').count();
    let network = Network::parse(&String::from_utf8_lossy(bare))?;
    Ok(Pattern { network, negated: negations % 2 == 1 })
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| is_space(*byte)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    (word, trim(rest))
}

fn find_runs(rules: &[Rule<Pattern, Vec<u8>>]) -> HashMap<usize, Run> {
    // A condition may end within what looks like a run.
    let mut breaks: Vec<usize> = Vec::new();
    for rule in rules {
        if let Rule::If { end, .. } = rule {
            breaks.push(*end);
        }
    }
    let mut runs = HashMap::new();
    let mut start = 0;
    while start < rules.len() {
        let mut run = Run { end: start, v4: Vec::new(), v6: Vec::new() };
        for (at, rule) in rules.iter().enumerate().skip(start) {
            match rule {
                Rule::Match { pattern, .. } if !pattern.negated && (at == start || !breaks.contains(&at)) => {
                    run.add(pattern.network, at);
                }
                Rule::Match { .. } | Rule::If { .. } => break,
            }
        }
        let end = run.end;
        if end - start >= SHORTEST_RUN {
            runs.insert(start, run);
        }
        start = end.max(start + 1);
    }
    runs
}

impl Run {
    fn add(&mut self, network: Network, at: usize) {
        self.end = at + 1;
        let lengths = if network.address().is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        let known = lengths.iter().position(|(length, _)| *length == network.length());
        let at_length = known.unwrap_or_else(|| {
            lengths.push((network.length(), HashMap::new()));
            lengths.len() - 1
        });
        if let Some((_, networks)) = lengths.get_mut(at_length) {
            networks.entry(network.address()).or_insert(at);
        }
    }

    fn first(&self, address: IpAddr) -> Option<usize> {
        let lengths = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        let found = lengths.iter().filter_map(|(length, networks)| networks.get(&first_address(address, *length)));
        found.min().copied()
    }
}

impl Cidr {
    fn find(&self, address: IpAddr) -> Option<&[u8]> {
        let mut at = 0;
        while let Some(rule) = self.rules.get(at) {
            if let Some(run) = self.runs.get(&at) {
                match run.first(address).and_then(|first| self.rules.get(first)) {
                    Some(Rule::Match { value, .. }) => return Some(value),
                    _ => at = run.end,
                }
                continue;
            }
            match rule {
                Rule::Match { pattern, value, .. } if pattern.matches(address) => return Some(value),
                Rule::If { pattern, end, .. } if !pattern.matches(address) => at = *end,
                Rule::Match { .. } | Rule::If { .. } => at += 1,
            }
        }
        None
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

//! Which rules a subject may match: those that require a text it has, and those that require nothing known.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use super::required::Need;
use crate::rules::merged;

/// Rules by the texts that they require.
pub(super) struct Index {
    /// All texts, searched for at once.
    texts: Option<AhoCorasick>,
    /// For each text, the rules that require it.
    rules: Vec<Vec<usize>>,
    /// Rules that are candidates for every subject.
    always: Vec<usize>,
}

/// With fewer rules it is faster to ask them all.
const FEWEST: usize = 8;

impl Index {
    /// An index of rules, of which each has the given needs.
    pub(super) fn new(needs: &[Vec<Need>]) -> Self {
        let rarest = if needs.len() < FEWEST { vec![None; needs.len()] } else { rarest(needs) };
        let mut numbers: HashMap<&[u8], usize> = HashMap::new();
        let mut rules: Vec<Vec<usize>> = Vec::new();
        let mut always = Vec::new();
        for (at, need) in rarest.into_iter().enumerate() {
            let Some(need) = need else {
                always.push(at);
                continue;
            };
            for text in need {
                let number = *numbers.entry(text).or_insert(rules.len());
                match rules.get_mut(number) {
                    Some(rules) => rules.push(at),
                    None => rules.push(vec![at]),
                }
            }
        }
        let mut texts: Vec<(&[u8], usize)> = numbers.into_iter().collect();
        texts.sort_unstable_by_key(|(_, number)| *number);
        let texts = texts.into_iter().map(|(text, _)| text);
        match AhoCorasick::builder().ascii_case_insensitive(true).build(texts) {
            Ok(texts) => Self { texts: (!rules.is_empty()).then_some(texts), rules, always },
            // Too many texts for one search.
            Err(_) => Self { texts: None, rules: Vec::new(), always: (0..needs.len()).collect() },
        }
    }

    /// The rules that require a text which the subject has, in order.
    pub(super) fn found(&self, subject: &[u8]) -> Vec<usize> {
        let mut found = Vec::new();
        let Some(texts) = &self.texts else {
            return found;
        };
        for text in texts.find_overlapping_iter(subject) {
            found.extend(self.rules.get(text.pattern().as_usize()).into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The rules that the subject may match, in order.
    pub(super) fn candidates<'a>(&'a self, found: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
        merged(found, &self.always)
    }
}

/// For each rule, the need that it shares with fewest others; of those, the one with the longest texts.
fn rarest(needs: &[Vec<Need>]) -> Vec<Option<&Need>> {
    let mut uses: HashMap<&[u8], usize> = HashMap::new();
    for text in needs.iter().flatten().flatten() {
        *uses.entry(text).or_default() += 1;
    }
    let cost = |need: &&Need| {
        let uses: usize = need.iter().filter_map(|text| uses.get(text.as_slice())).sum();
        let shortest = need.iter().map(Vec::len).min().unwrap_or(0);
        (uses / need.len().max(1), usize::MAX - shortest)
    };
    needs.iter().map(|needs| needs.iter().min_by_key(cost)).collect()
}

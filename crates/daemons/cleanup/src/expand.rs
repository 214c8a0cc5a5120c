//! Virtual aliases: one recipient becomes several.
//!
//! Results are expanded again until nothing changes. An address that is among its own results is not expanded again; aliases
//! that lead back to themselves on another way meet the limits, and the message waits until they are mended.

use std::collections::HashSet;

use address::Address;

use crate::fate::Refusal;
use crate::mapping::Mapping;
use crate::rewriting::Rewriter;

impl Mapping {
    /// Whether there may be aliases at all.
    pub(crate) fn has_aliases(&self) -> bool {
        !self.virtual_alias_maps.is_empty()
    }

    /// All that a recipient becomes, itself if it has no alias.
    pub(crate) async fn expand(
        &self,
        id: &str,
        rewriter: &Rewriter,
        recipient: Address,
    ) -> Result<Vec<Address>, Refusal> {
        let results = vec![recipient.clone()];
        let mut expansion =
            Expansion { id, mapping: self, recipient, results, size: Size::Reasonable, final_ones: HashSet::new() };
        let mut at = 0;
        while at < expansion.results.len() {
            expansion.follow(rewriter, at).await?;
            if expansion.size == Size::Unreasonable {
                let parameter = self.virtual_alias_maps.parameter();
                return Err(expansion.unreasonable(&format!("unreasonable {parameter} map expansion size for")));
            }
            at += 1;
        }
        Ok(expansion.results)
    }
}

struct Expansion<'a> {
    id: &'a str,
    mapping: &'a Mapping,
    /// What all this is for.
    recipient: Address,
    /// Those before the one that is followed are final.
    results: Vec<Address>,
    /// Whether they are more than there may be.
    size: Size,
    /// Addresses that are among their own results, folded.
    final_ones: HashSet<Vec<u8>>,
}

/// Whether there are too many results.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Reasonable,
    Unreasonable,
}

impl Expansion<'_> {
    /// Replaces a result by what it is an alias for, until it is none.
    async fn follow(&mut self, rewriter: &Rewriter, at: usize) -> Result<(), Refusal> {
        let limits = self.mapping.limits;
        let parameter = self.mapping.virtual_alias_maps.parameter();
        let propagate = self.mapping.propagates("virtual");
        for round in 0.. {
            let Some(address) = self.results.get(at).cloned() else { return Ok(()) };
            if self.final_ones.contains(&address.folded()) {
                return Ok(());
            }
            if round >= limits.recursion {
                return Err(self.unreasonable(&format!("unreasonable {parameter} map nesting for")));
            }
            let maps = &self.mapping.virtual_alias_maps;
            let Ok(found) = self.mapping.results(rewriter, maps, &address, propagate).await else {
                self.warn(&format!("{parameter} map lookup problem for"));
                return Err(Refusal::write());
            };
            if found.is_empty() {
                return Ok(());
            }
            if let Some(long) = found.iter().find(|result| result.as_bytes().len() > limits.length) {
                let what = format!("unreasonable {parameter} result {long:.300}... in expansion of");
                return Err(self.unreasonable(&what));
            }
            let own = address.folded();
            if found.iter().any(|result| result.folded() == own) {
                self.final_ones.insert(own);
            }
            let mut found = found.into_iter();
            if let (Some(slot), Some(first)) = (self.results.get_mut(at), found.next()) {
                *slot = first;
            }
            // A loop may be behind too many results; that is what the log says then.
            if self.results.len() + found.len() > limits.expansion {
                self.size = Size::Unreasonable;
            } else {
                self.results.extend(found);
            }
        }
        Ok(())
    }

    fn unreasonable(&self, what: &str) -> Refusal {
        self.warn(what);
        Refusal::alias()
    }

    fn warn(&self, what: &str) {
        tracing::warn!("{}: {what} {} -- message not accepted, try again later", self.id, self.recipient);
    }
}

//! Feedback rules: how much one delivery says about the right number of deliveries at once.

use std::str::FromStr;

/// `0.5`, `1/concurrency`, `1/sqrt_concurrency`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rule {
    base: f64,
    index: Index,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Index {
    None,
    Concurrency,
    SquareRoot,
}

impl Rule {
    /// One per delivery.
    pub(crate) const ONE: Self = Self { base: 1.0, index: Index::None };

    /// The feedback of one delivery while so many go on at once.
    pub(crate) fn value(self, concurrency: u32) -> f64 {
        let concurrency = f64::from(concurrency.max(1));
        match self.index {
            Index::None => self.base,
            Index::Concurrency => self.base / concurrency,
            Index::SquareRoot => self.base / concurrency.sqrt(),
        }
    }
}

/// A text that is no feedback rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad concurrency feedback: {0}")]
pub(crate) struct BadRule(String);

impl FromStr for Rule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let bad = || BadRule(text.to_owned());
        let (base, index) = match text.split_once('/') {
            None => (text, Index::None),
            Some((base, index)) if index.trim() == "concurrency" => (base, Index::Concurrency),
            Some((base, index)) if index.trim() == "sqrt_concurrency" => (base, Index::SquareRoot),
            Some(_) => return Err(bad()),
        };
        let base: f64 = base.trim().parse().map_err(|_| bad())?;
        if (0.0..=1.0).contains(&base) { Ok(Self { base, index }) } else { Err(bad()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_numbers_or_fractions() {
        for (text, at_four) in
            [("1", Some(1.0)), ("0.25", Some(0.25)), ("1/concurrency", Some(0.25)), ("1 / sqrt_concurrency", Some(0.5))]
        {
            assert_eq!(text.parse::<Rule>().ok().map(|rule| rule.value(4)), at_four, "{text}");
        }
        for text in ["", "2", "-1", "x", "1/x", "nan", "1/"] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }
}

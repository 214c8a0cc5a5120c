//! `receive_override_options`: what is left out when mail comes in.

/// What is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overrides {
    options: u8,
}

const MAPPINGS: u8 = 1;
const CHECKS: u8 = 2;
const MILTERS: u8 = 4;
const UNKNOWN: u8 = 8;
const OPTIONS: [(&str, u8); 4] = [
    ("no_address_mappings", MAPPINGS),
    ("no_header_body_checks", CHECKS),
    ("no_milters", MILTERS),
    ("no_unknown_recipient_checks", UNKNOWN),
];

impl Overrides {
    /// Of the words of the parameter, which knows no others.
    #[must_use]
    pub fn of(words: &[String]) -> Self {
        let bit = |word: &String| OPTIONS.iter().find(|(name, _)| word == name).map_or(0, |(_, bit)| *bit);
        Self { options: words.iter().fold(0, |options, word| options | bit(word)) }
    }

    /// Addresses stay as they are.
    #[must_use]
    pub fn no_mappings(self) -> bool {
        self.options & MAPPINGS != 0
    }

    /// Headers and bodies are not inspected.
    #[must_use]
    pub fn no_checks(self) -> bool {
        self.options & CHECKS != 0
    }

    /// Filters are not asked.
    #[must_use]
    pub fn no_milters(self) -> bool {
        self.options & MILTERS != 0
    }

    /// Unknown recipients are not refused.
    #[must_use]
    pub fn no_unknown(self) -> bool {
        self.options & UNKNOWN != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart() {
        let found = Overrides::of(&crate::value::words("no_milters, no_address_mappings"));
        assert_eq!(
            (found.no_mappings(), found.no_checks(), found.no_milters(), found.no_unknown()),
            (true, false, true, false)
        );
    }
}

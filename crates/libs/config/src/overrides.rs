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

/// A word that names nothing: with it left out mail would be treated otherwise than it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown receive_override_options value \"{word}\" in \"{list}\"")]
pub struct Unknown {
    word: String,
    list: String,
}

impl Overrides {
    /// Reads the words.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn parse(words: &[String]) -> Result<Self, Unknown> {
        let bit = |word: &String| OPTIONS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, bit)| *bit);
        let mut options = 0;
        for word in words {
            options |= bit(word).ok_or_else(|| Unknown { word: word.clone(), list: words.join(", ") })?;
        }
        Ok(Self { options })
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
    fn each_word_must_be_known() {
        let parse = |text: &str| Overrides::parse(&crate::value::words(text));
        let found = parse("no_milters, no_address_mappings").unwrap();
        assert_eq!(
            (found.no_mappings(), found.no_checks(), found.no_milters(), found.no_unknown()),
            (true, false, true, false)
        );
        assert_eq!(
            parse("no_milters bogus").unwrap_err().to_string(),
            "unknown receive_override_options value \"bogus\" in \"no_milters, bogus\""
        );
    }
}

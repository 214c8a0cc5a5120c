//! What is done about a client that fails a test.

use service::Fatal;

/// The value of `postscreen_greet_action` and its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: the test is made again next time.
    Ignore,
    /// Its recipients are refused.
    Enforce,
    /// The connection ends at once.
    Drop,
}

impl Action {
    /// Reads the value of a parameter.
    ///
    /// # Errors
    /// It is none of the words.
    pub fn parse(parameter: &str, value: &str) -> Result<Self, Fatal> {
        let words = [("ignore", Self::Ignore), ("enforce", Self::Enforce), ("drop", Self::Drop)];
        let found = words.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(value));
        found.map(|(_, action)| action).ok_or_else(|| Fatal::new(format!("bad {parameter} value: {value}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_without_regard_to_case() {
        assert_eq!(Action::parse("p", "Drop").unwrap(), Action::Drop);
        assert_eq!(Action::parse("p", "ignore").unwrap(), Action::Ignore);
        assert_eq!(Action::parse("p", "enforce").unwrap(), Action::Enforce);
        assert_eq!(Action::parse("p", "warn").unwrap_err().to_string(), "bad p value: warn");
    }
}

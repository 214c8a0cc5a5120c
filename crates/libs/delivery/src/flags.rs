//! The letters of `flags=` in master.cf: what an agent does to a message.

/// Letters that an agent knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags(String);

impl Flags {
    /// Takes letters that are all known.
    ///
    /// # Errors
    /// The first that is not.
    pub fn parse(letters: &str, known: &str) -> Result<Self, char> {
        match letters.chars().find(|flag| !known.contains(*flag)) {
            Some(unknown) => Err(unknown),
            None => Ok(Self(letters.to_owned())),
        }
    }

    /// Whether a letter is there.
    #[must_use]
    pub fn has(&self, flag: char) -> bool {
        self.0.contains(flag)
    }

    /// The flag, if there is one, that writes a recipient into the message, so that there can be only one.
    #[must_use]
    pub fn for_one_recipient(&self) -> Option<char> {
        ['D', 'O'].into_iter().find(|flag| self.has(*flag))
    }

    /// Whether the message as it is in the queue will do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

//! Options as getopt(3) takes them: letters in clusters, values attached or next, the first operand ends them.

/// Options and operands.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Options {
    /// The options in the order given, those with a value with it.
    pub given: Vec<(char, Option<String>)>,
    /// What follows them.
    pub operands: Vec<String>,
}

/// The command was not called as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Usage {
    /// A letter that the command does not know.
    #[error("invalid option -- '{0}'")]
    Unknown(char),
    /// A letter without the value that it needs.
    #[error("option requires an argument -- '{0}'")]
    Valueless(char),
}

impl Options {
    /// Takes arguments apart; `spec` has the letters, those with a value followed by a colon.
    ///
    /// # Errors
    /// [`Usage`].
    pub fn parse(spec: &str, arguments: &[String]) -> Result<Self, Usage> {
        let mut found = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.as_slice().first() {
            let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) else { break };
            rest.next();
            if letters == "-" {
                break;
            }
            for (at, letter) in letters.char_indices() {
                if !takes_value(spec, letter)? {
                    found.given.push((letter, None));
                    continue;
                }
                let attached = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                let value = if attached.is_empty() { rest.next().cloned() } else { Some(attached.to_owned()) };
                found.given.push((letter, Some(value.ok_or(Usage::Valueless(letter))?)));
                break;
            }
        }
        found.operands = rest.cloned().collect();
        Ok(found)
    }

    /// The last value of a letter.
    #[must_use]
    pub fn value(&self, letter: char) -> Option<&str> {
        self.given.iter().rev().find(|(given, _)| *given == letter).and_then(|(_, value)| value.as_deref())
    }

    /// How many times a letter was given.
    #[must_use]
    pub fn count(&self, letter: char) -> usize {
        self.given.iter().filter(|(given, _)| *given == letter).count()
    }

    /// Whether a letter was given.
    #[must_use]
    pub fn has(&self, letter: char) -> bool {
        self.count(letter) > 0
    }
}

fn takes_value(spec: &str, letter: char) -> Result<bool, Usage> {
    let at = spec.find(letter).filter(|_| letter != ':').ok_or(Usage::Unknown(letter))?;
    Ok(spec.get(at + letter.len_utf8()..).unwrap_or_default().starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(spec: &str, arguments: &str) -> Result<Options, Usage> {
        Options::parse(spec, &arguments.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_taken_as_getopt_takes_them() {
        let found = parse("c:vN", "-vc dir -N -vcother -- -x y").unwrap();
        assert_eq!(found.operands, ["-x", "y"]);
        assert_eq!((found.value('c'), found.count('v'), found.has('N')), (Some("other"), 2, true));
        let found = parse("v", "-v operand -v").unwrap();
        assert_eq!((found.operands.len(), found.count('v')), (2, 1));
        assert_eq!(parse("v", "- x").unwrap().operands, ["-", "x"]);
    }

    #[test]
    fn wrong_options_are_told() {
        assert_eq!(parse("v", "-x"), Err(Usage::Unknown('x')));
        assert_eq!(parse("c:", "-c"), Err(Usage::Valueless('c')));
        assert_eq!(parse("c:", "-:"), Err(Usage::Unknown(':')));
    }
}

//! How often each command came, for the line that ends a session.

use std::fmt;

use smtp_proto::Verb;

/// Successes and attempts, by verb.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statistics {
    counts: Vec<(Verb, u32, u32)>,
}

impl Statistics {
    /// A command has come.
    pub(crate) fn attempted(&mut self, verb: Verb) {
        match self.counts.iter_mut().find(|(counted, ..)| *counted == verb) {
            Some((_, _, total)) => *total += 1,
            None => self.counts.push((verb, 0, 1)),
        }
    }

    /// It was obeyed.
    pub(crate) fn succeeded(&mut self, verb: Verb) {
        if let Some((_, good, _)) = self.counts.iter_mut().find(|(counted, ..)| *counted == verb) {
            *good += 1;
        }
    }
}

/// ` ehlo=1 mail=1 rcpt=1/2 … commands=5/6`.
impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |f: &mut fmt::Formatter<'_>, name: &str, good: u32, total: u32| {
            if good == total { write!(f, " {name}={total}") } else { write!(f, " {name}={good}/{total}") }
        };
        let (mut all_good, mut all) = (0, 0);
        for verb in Verb::ALL.into_iter().chain([Verb::Unknown]) {
            if let Some((_, good, total)) = self.counts.iter().find(|(counted, ..)| *counted == verb) {
                one(f, &verb.name().to_ascii_lowercase(), *good, *total)?;
                all_good += good;
                all += total;
            }
        }
        one(f, "commands", all_good, all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_listed_in_the_usual_order() {
        let mut statistics = Statistics::default();
        for (verb, good) in [
            (Verb::Ehlo, true),
            (Verb::Rcpt, false),
            (Verb::Rcpt, true),
            (Verb::Mail, true),
            (Verb::Unknown, false),
            (Verb::Quit, true),
        ] {
            statistics.attempted(verb);
            if good {
                statistics.succeeded(verb);
            }
        }
        assert_eq!(statistics.to_string(), " ehlo=1 mail=1 rcpt=1/2 quit=1 unknown=0/1 commands=4/6");
        assert_eq!(Statistics::default().to_string(), " commands=0");
    }
}

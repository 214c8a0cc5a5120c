//! How often each command came, for the line that ends a session.

use std::fmt;

use smtp_proto::Verb;

/// Successes and attempts, by verb.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Statistics {
    counts: [Count; VERBS],
    /// Whether lines that ended in a bare LF are to be told of.
    pub(crate) notes_bare_newline: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    good: u32,
    total: u32,
}

/// Every verb, and `Unknown`.
const VERBS: usize = Verb::ALL.len() + 1;

impl Statistics {
    /// A command has come.
    pub(crate) fn attempted(&mut self, verb: Verb) {
        if let Some(count) = self.counts.get_mut(verb as usize) {
            count.total += 1;
        }
    }

    /// It was obeyed.
    pub(crate) fn succeeded(&mut self, verb: Verb) {
        if let Some(count) = self.counts.get_mut(verb as usize) {
            count.good += 1;
        }
    }
}

/// ` ehlo=1 mail=1 rcpt=1/2 … commands=5/6`, and what was to be noted.
impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut text, mut all) = (String::with_capacity(80), Count::default());
        for (verb, count) in Verb::ALL.into_iter().chain([Verb::Unknown]).zip(self.counts) {
            if count.total > 0 {
                count.push(verb.name(), &mut text);
                all.good += count.good;
                all.total += count.total;
            }
        }
        all.push("commands", &mut text);
        text.make_ascii_lowercase();
        if self.notes_bare_newline {
            text.push_str(" notes=bare_lf");
        }
        f.write_str(&text)
    }
}

impl Count {
    fn push(self, name: &str, text: &mut String) {
        text.push(' ');
        text.push_str(name);
        text.push('=');
        text.push_str(&self.good.to_string());
        if self.good != self.total || self.total == 0 {
            text.push('/');
            text.push_str(&self.total.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_counted_in_the_order_in_which_they_are_listed() {
        for (at, verb) in Verb::ALL.into_iter().chain([Verb::Unknown]).enumerate() {
            assert_eq!(verb as usize, at);
        }
    }

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
        assert_eq!(Statistics::default().to_string(), " commands=0/0");
        let noted = Statistics { notes_bare_newline: true, ..Statistics::default() };
        assert_eq!(noted.to_string(), " commands=0/0 notes=bare_lf");
    }
}

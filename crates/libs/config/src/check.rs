//! What every program looks at before it does anything, whether it uses it or not.
//!
//! Only the text is judged: nothing here asks the name service, and a parameter that nobody set costs one look-up. The first
//! problem is the only one that is told, since a wrong level or name makes other values look wrong.

use crate::compatibility::Level;
use crate::group::Problems;
use crate::networks::Style;
use crate::row::Kind;
use crate::source::Source;
use crate::value::{Duration, Host, Int, Size, Value, words};

/// Numbers and times that a mail system cannot do with if they are out of range.
const NUMBERS: [&str; 21] = [
    "application_event_drain_time",
    "daemon_timeout",
    "debug_peer_level",
    "default_process_limit",
    "deliver_lock_attempts",
    "deliver_lock_delay",
    "fork_attempts",
    "fork_delay",
    "hash_queue_depth",
    "header_size_limit",
    "in_flow_delay",
    "ipc_idle",
    "ipc_timeout",
    "ipc_ttl",
    "line_length_limit",
    "max_idle",
    "max_use",
    "message_size_limit",
    "mime_nesting_limit",
    "stale_lock_time",
    "trigger_timeout",
];

impl Source {
    /// Checks what programs of every kind depend on.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Problems> {
        self.check_text("compatibility_level", level)?;
        self.check_value::<Host>("myhostname")?;
        if self.set("myorigin").is_some() {
            self.check_text("myorigin", origin)?;
        }
        self.check_text("inet_protocols", protocols)?;
        if self.set("mynetworks").is_none() {
            self.check_text("mynetworks_style", style)?;
        }
        for name in NUMBERS.into_iter().filter(|name| self.set(name).is_some()) {
            match self.row(name).map(|row| row.kind) {
                Some(Kind::Int) => self.check_value::<Int>(name)?,
                Some(Kind::Size) => self.check_value::<Size>(name)?,
                Some(Kind::Duration) => self.check_value::<Duration>(name)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn check_value<V: Value>(&self, name: &str) -> Result<(), Problems> {
        let mut problems = Problems::default();
        self.field::<V>(self.row(name), &mut problems);
        problems.into_result()
    }

    /// Judges a text. An empty one, and one that cannot be expanded, are for the parser of the parameter.
    fn check_text(&self, name: &str, judge: impl Fn(&str) -> Result<(), String>) -> Result<(), Problems> {
        let mut problems = Problems::default();
        if let Ok(Some(text)) = self.expanded(name)
            && let Err(problem) = judge(&text)
        {
            problems.push(name, problem);
        }
        problems.into_result()
    }
}

fn level(text: &str) -> Result<(), String> {
    text.parse::<Level>().map(|_| ()).map_err(|malformed| malformed.to_string())
}

fn origin(text: &str) -> Result<(), String> {
    let is_one = text.starts_with('/') || !text.contains([',', ' ', '\t', '\r', '\n']);
    let many = || format!("myorigin parameter setting must not contain multiple values: {text}");
    if is_one { Ok(()) } else { Err(many()) }
}

fn protocols(text: &str) -> Result<(), String> {
    match words(text).iter().find(|word| !["all", "ipv4", "ipv6"].contains(&word.as_str())) {
        Some(word) => Err(format!("unknown inet_protocols value \"{word}\" in \"{text}\"")),
        None => Ok(()),
    }
}

/// An empty one is for who has to know the style.
fn style(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { mynetworks_style(text) }
}

/// Whether a text is a value of `mynetworks_style`.
///
/// # Errors
/// What is wrong with it.
pub fn mynetworks_style(text: &str) -> Result<(), String> {
    Style::parse(text).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_first_problem_is_told_alone() {
        for (text, expected) in [
            ("", ""),
            ("inet_protocols = ipv4, ipv6 all\nmynetworks_style = class\nfork_attempts = 1", ""),
            ("compatibility_level = x", "malformed compatibility level syntax: \"x\""),
            ("compatibility_level =", "malformed compatibility level syntax: \"\""),
            ("compatibility_level = -1\ninet_protocols = foo", "malformed compatibility level syntax: \"-1\""),
            ("myhostname =", "bad string length 0 < 1: myhostname = "),
            ("myhostname = foo.", "file /etc/postfix/main.cf: parameter myhostname: bad parameter value: foo."),
            ("myorigin = $mydomain", ""),
            (
                "myorigin = a.test, b.test",
                "myorigin parameter setting must not contain multiple values: a.test, b.test",
            ),
            ("inet_protocols = ipv4, foo", "unknown inet_protocols value \"foo\" in \"ipv4, foo\""),
            ("inet_protocols = IPV4", "unknown inet_protocols value \"IPV4\" in \"IPV4\""),
            ("mynetworks_style = Host", "unknown mynetworks mask style value \"Host\" in \"Host\""),
            ("mynetworks_style = foo\nmynetworks = 10.0.0.1", ""),
            ("mynetworks_style = subnet,", ""),
            ("mynetworks_style = host,class", "bad mynetworks_style value: host,class; specify exactly one value"),
            ("fork_attempts = 0", "invalid fork_attempts parameter value 0 < 1"),
            ("ipc_timeout = 0", "invalid ipc_timeout: 0 (min 1)"),
            ("in_flow_delay = 11", "invalid in_flow_delay: 11 (max 10)"),
            ("message_size_limit = x", "bad numerical configuration: message_size_limit = x"),
        ] {
            let source = Source::parse(Path::new("/etc/postfix"), text).unwrap();
            let found = source.check().map_or_else(|problems| problems.to_string(), |()| String::new());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_is_checked_is_a_number() {
        for name in NUMBERS {
            let row = Source::parse(Path::new("/etc/postfix"), "").unwrap().row(name).unwrap();
            assert!(matches!(row.kind, Kind::Int | Kind::Size | Kind::Duration), "{name}");
        }
    }
}

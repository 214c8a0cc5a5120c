//! Makes the configuration of an older Postfix one of today: services that came later, and columns that have changed.
//!
//! `master.cf` is edited as it stands, a line at a time, so that what its owner wrote keeps its place and its white space.

use crate::instance::Instance;
use command::{Fatal, rewrite};
use std::io::Write;
use std::process::ExitCode;

/// The file of a new instance.
const SHIPPED: &str = include_str!("../../../../master.cf");
/// Queues that are hashed in any case: they hold many files.
const HASHED: [&str; 2] = ["defer", "deferred"];

/// A service that an older file lacks; what else is not there may have been taken out.
struct Added {
    name: &'static str,
    /// What its line runs; any other line of the name does, if empty.
    program: &'static str,
    /// How it is called in what is said.
    called: &'static str,
}

/// What is added, those last of which are comments in the shipped file.
const ADDED: [Added; 16] = [
    Added { name: "relay", program: "", called: "relay service" },
    Added { name: "flush", program: "flush", called: "flush service" },
    Added { name: "trace", program: "bounce", called: "trace service" },
    Added { name: "verify", program: "verify", called: "verify service" },
    Added { name: "proxymap", program: "proxymap", called: "proxymap service" },
    Added { name: "anvil", program: "anvil", called: "anvil service" },
    Added { name: "scache", program: "scache", called: "scache service" },
    Added { name: "discard", program: "discard", called: "discard service" },
    Added { name: "tlsmgr", program: "tlsmgr", called: "tlsmgr service" },
    Added { name: "retry", program: "error", called: "retry service" },
    Added { name: "proxywrite", program: "proxymap", called: "proxywrite service" },
    Added { name: "#smtp", program: "postscreen", called: "postscreen TCP service" },
    Added { name: "#smtpd", program: "smtpd", called: "smtpd unix-domain service" },
    Added { name: "#dnsblog", program: "dnsblog", called: "dnsblog unix-domain service" },
    Added { name: "#tlsproxy", program: "tlsproxy", called: "tlsproxy unix-domain service" },
    Added { name: "postlog", program: "", called: "postlog unix-domain datagram service" },
];

/// Edits master.cf and main.cf, and says what it does.
pub(crate) fn run(instance: &Instance) -> Result<ExitCode, Fatal> {
    let path = instance.directory.join("master.cf");
    let (text, edits) = upgraded(&rewrite::read_raw(&path)?);
    if !edits.is_empty() {
        let mut output = command::output();
        for edit in edits {
            writeln!(output, "Editing {}, {edit}", path.display())?;
        }
        output.flush()?;
        rewrite::replace(&path, &text)?;
    }
    let hashed = hash_queues(instance)?;
    if hashed != ExitCode::SUCCESS {
        return Ok(hashed);
    }
    keep_to_ipv4(instance)
}

/// The text of master.cf as it should be, and what was done to it.
fn upgraded(old: &str) -> (String, Vec<String>) {
    let mut edits = Vec::new();
    let mut text = String::with_capacity(old.len());
    for line in old.lines() {
        text.push_str(&mended(line, &mut edits).unwrap_or_else(|| line.to_owned()));
        text.push('\n');
    }
    for added in &ADDED {
        if let Some(line) = added.line(&text) {
            edits.push(format!("adding missing entry for {}", added.called));
            text.push_str(line);
            text.push('\n');
        }
    }
    (text, edits)
}

/// A line with a column that has changed since: what was private, privileged, a FIFO, or served by many processes.
fn mended(line: &str, edits: &mut Vec<String>) -> Option<String> {
    let public = |name| format!("making the {name} service public");
    let single = |name| format!("setting {name} process limit to 1");
    let (edit, columns) = match *columns_of(line).as_slice() {
        _ if line.starts_with(char::is_whitespace) => return None,
        ["verify", _, _, _, _, _, "0", "verify", ..] => (single("verify"), vec![(6, "1")]),
        ["proxywrite", _, _, _, _, _, "-", "proxymap", ..] => (single("proxywrite"), vec![(6, "1")]),
        ["pickup", "fifo", "n", "n", ..] => ("making the pickup service unprivileged".to_owned(), vec![(3, "-")]),
        [name @ ("cleanup" | "flush"), "unix", "-" | "y", ..] => (public(name), vec![(2, "n")]),
        ["tlsmgr", "fifo", _, _, _, wakeup, ..] => {
            let optional = if wakeup.ends_with(|last: char| last.is_ascii_digit()) { vec![(5, "?")] } else { vec![] };
            ("updating the tlsmgr from fifo to unix service".to_owned(), [vec![(1, "unix")], optional].concat())
        }
        _ => return None,
    };
    edits.push(edit);
    Some(with_columns(line, &columns))
}

fn columns_of(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A line with other words in some columns; a question mark is added to the word that is there.
fn with_columns(line: &str, columns: &[(usize, &str)]) -> String {
    let mut column = 0;
    let mut new = String::with_capacity(line.len() + 1);
    for part in line.split_inclusive(char::is_whitespace) {
        let word = part.trim_end();
        let to = columns.iter().find(|(at, _)| !word.is_empty() && *at == column).map(|(_, to)| *to);
        match to {
            Some("?") => new.extend([word, "?"]),
            Some(to) => new.push_str(to),
            None => new.push_str(word),
        }
        new.push_str(part.get(word.len()..).unwrap_or_default());
        column += usize::from(!word.is_empty());
    }
    new
}

impl Added {
    /// The line to add to a text that has none for this service.
    fn line(&self, text: &str) -> Option<&'static str> {
        let shipped = SHIPPED.lines().find(|line| self.is(line))?;
        let key = |line| columns_of(line).into_iter().take(2).collect::<Vec<_>>();
        let taken = |line| !shipped.starts_with('#') && key(line) == key(shipped);
        (!text.lines().any(|line| self.is(line) || taken(line))).then_some(shipped)
    }

    /// Whether a line is for this service. One that is shipped as a comment may be one or not.
    fn is(&self, line: &str) -> bool {
        let (line, name) = match self.name.strip_prefix('#') {
            Some(name) => (line.trim_start_matches('#'), name),
            None => (line, self.name),
        };
        line.strip_prefix(name).is_some_and(|rest| rest.contains(self.program))
    }
}

/// Adds queues with many files to `hash_queue_names`.
fn hash_queues(instance: &Instance) -> Result<ExitCode, Fatal> {
    let Some(names) = instance.source.set("hash_queue_names") else { return Ok(ExitCode::SUCCESS) };
    let missing: Vec<&str> = HASHED.into_iter().filter(|name| !names.contains(name)).collect();
    if missing.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let missing = missing.join(" ");
    let mut output = command::output();
    writeln!(output, "fixing main.cf hash_queue_names for missing {missing}")?;
    output.flush()?;
    instance.run("postconf", &["-e", &format!("hash_queue_names = {names} {missing}")])
}

/// IPv6 is for those who ask for it: a host that never had it in use would wait for addresses that nobody reaches.
fn keep_to_ipv4(instance: &Instance) -> Result<ExitCode, Fatal> {
    if instance.source.set("inet_protocols").is_some() {
        return Ok(ExitCode::SUCCESS);
    }
    let mut output = command::output();
    writeln!(output, "COMPATIBILITY: editing {}/main.cf, setting", instance.directory.display())?;
    writeln!(output, "inet_protocols=ipv4. Specify inet_protocols explicitly if you want to enable IPv6.")?;
    output.flush()?;
    instance.run("postconf", &["-e", "inet_protocols = ipv4"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(text: &str) -> Vec<String> {
        upgraded(text).1
    }

    #[test]
    fn all_that_may_be_added_is_shipped() {
        let (text, added) = upgraded("");
        assert_eq!(added.len(), ADDED.len());
        assert_eq!(edits(&text), [""; 0], "once is enough");
        assert!(text.contains("\n#smtp      inet  n"), "what few need stays a comment: {text}");
        assert!(text.contains("\nrelay ") || text.starts_with("relay "));
        assert_eq!(upgraded(SHIPPED), (SHIPPED.to_owned(), Vec::new()));
    }

    #[test]
    fn columns_of_old_are_mended_and_white_space_stays() {
        let table = [
            ("verify\tunix\t-\t-\tn\t-\t0\tverify -v", "verify\tunix\t-\t-\tn\t-\t1\tverify -v"),
            ("verify  unix - - n - 2 verify", "verify  unix - - n - 2 verify"),
            ("proxywrite unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap"),
            ("pickup\tfifo\tn\tn\tn\t60\t1\tpickup", "pickup\tfifo\tn\t-\tn\t60\t1\tpickup"),
            ("pickup unix n n n 60 1 pickup", "pickup unix n n n 60 1 pickup"),
            ("cleanup unix -  - n - 0 cleanup", "cleanup unix n  - n - 0 cleanup"),
            ("flush unix y - n 1000? 0 flush", "flush unix n - n 1000? 0 flush"),
            ("tlsmgr fifo -\t- n 300 1 tlsmgr", "tlsmgr unix -\t- n 300? 1 tlsmgr"),
            ("tlsmgr fifo - - n 300? 1 tlsmgr", "tlsmgr unix - - n 300? 1 tlsmgr"),
            ("  cleanup unix - - n - 0 cleanup", "  cleanup unix - - n - 0 cleanup"),
            ("#cleanup unix - - n - 0 cleanup", "#cleanup unix - - n - 0 cleanup"),
        ];
        for (old, new) in table {
            let text = upgraded(old).0;
            assert_eq!(text.lines().next(), Some(new));
        }
    }

    #[test]
    fn a_name_in_use_is_left_to_its_owner() {
        let text = "trace unix - - n - - smtp\nverify inet n - - - - smtpd\n# dnsblog dnsblog\n#tlsproxy unix - - n - 0 tlsproxy";
        let added = edits(text);
        let has = |called: &str| added.iter().any(|edit| edit.ends_with(called));
        assert!(!has("for trace service"), "two services of one name cannot be");
        assert!(has("for verify service"), "a port of that name is another service");
        assert!(has("dnsblog unix-domain service") && !has("tlsproxy unix-domain service"), "{added:?}");
    }
}

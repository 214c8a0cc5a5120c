//! Services that came after the first Postfix, and that a `master.cf` of then lacks.

use crate::instance::Instance;
use command::Fatal;
use config::LogicalLines;
use config::master_cf::{Kind, MasterCf, words};
use std::io::Write;
use std::process::ExitCode;

/// The file of a new instance.
const SHIPPED: &str = include_str!("../../../../master.cf");
/// What is added if it is not there; what else is not there may have been taken out.
const ADDED: [&str; 12] = [
    "relay",
    "flush",
    "trace",
    "verify",
    "proxymap",
    "anvil",
    "scache",
    "discard",
    "tlsmgr",
    "retry",
    "proxywrite",
    "postlog",
];

/// Adds what is missing, as the shipped file has it; postconf(1) edits.
pub(crate) fn add_missing(instance: &Instance) -> Result<ExitCode, Fatal> {
    let services = instance.services()?;
    let missing: Vec<Missing> = ADDED.into_iter().filter_map(|name| Missing::find(name, &services)).collect();
    if missing.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let file = instance.directory.join("master.cf");
    let mut output = command::output();
    for Missing { name, .. } in &missing {
        writeln!(output, "Editing {}, adding missing entry for {name} service", file.display())?;
    }
    output.flush()?;
    let edits = missing.iter().map(|missing| missing.edit.as_str());
    instance.run("postconf", &["-Me"].into_iter().chain(edits).collect::<Vec<_>>())
}

/// A service that is not there.
#[derive(Debug, PartialEq, Eq)]
struct Missing {
    name: &'static str,
    /// `name/type=entry`.
    edit: String,
}

impl Missing {
    fn find(name: &'static str, services: &MasterCf) -> Option<Self> {
        if services.entries.iter().any(|entry| entry.name == name && entry.kind != Kind::Inet) {
            return None;
        }
        LogicalLines::new(SHIPPED).find_map(|line| match words(&line.text).as_slice() {
            [first, kind, ..] if first == name => Some(Self { name, edit: format!("{name}/{kind}={}", line.text) }),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::master_cf::Defaults;
    use std::path::Path;

    fn missing(text: &str) -> Vec<Missing> {
        let services = MasterCf::parse(Path::new("master.cf"), text, Defaults::default()).unwrap();
        ADDED.into_iter().filter_map(|name| Missing::find(name, &services)).collect()
    }

    #[test]
    fn all_that_may_be_added_is_shipped() {
        assert_eq!(missing("").len(), ADDED.len());
        assert_eq!(missing(SHIPPED), []);
    }

    #[test]
    fn a_service_of_another_type_is_there() {
        let found = missing("tlsmgr fifo - - n 300 1 tlsmgr\nverify inet n - n - - smtpd\n");
        assert!(!found.iter().any(|missing| missing.name == "tlsmgr"));
        let verify = found.iter().find(|missing| missing.name == "verify").unwrap();
        assert_eq!(words(&verify.edit).join(" "), "verify/unix=verify unix - - n - 1 verify");
    }
}

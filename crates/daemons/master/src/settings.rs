//! What main.cf and master.cf say, read at the start and at each reload.

use crate::Fatal;
use crate::shares::Shares;
use config::master_cf::{Defaults, Entry, Kind, MasterCf};
use config::{Source, params};
use maillog::{Characters, LogFile, Place};
use privsep::{Owner, Roles};
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

config::bundle! {
    /// What master heeds.
    pub(crate) struct Params {
        daemon: params::Daemon,
        layout: params::Layout,
        identity: params::Identity,
    }
}

/// The programs that serve one delivery per process.
const SOLO: [&str; 4] = ["local", "virtual", "pipe", "spawn"];

/// One reading of the configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) directory: PathBuf,
    pub(crate) source: Source,
    pub(crate) params: Params,
    pub(crate) services: MasterCf,
    /// The wildcard addresses of the protocols in use; without any nobody listens on a port.
    pub(crate) wildcards: Vec<IpAddr>,
    /// Where services without an address of their own listen.
    pub(crate) addresses: Vec<IpAddr>,
    /// How many processors there are.
    processors: u32,
    /// `mail_owner`; nobody, in an ordinary user's instance.
    pub(crate) owner: Option<Owner>,
}

impl Settings {
    /// Reads both files.
    pub(crate) fn read(directory: &Path) -> Result<Self, Fatal> {
        let source = Source::load(directory)?.for_process("master");
        source.check()?;
        source.check_interfaces().map_err(Fatal::new)?;
        let params: Params = source.get()?;
        let is_old = source.expand("${{$compatibility_level} <level {1} ? {yes} : {no}}");
        let defaults = Defaults {
            chroot: is_old.is_ok_and(|is_old| is_old == "yes"),
            max_processes: u32::try_from(params.daemon.default_process_limit).unwrap_or(100),
        };
        let mut services = MasterCf::read(&directory.join("master.cf"), defaults)?;
        services.entries.retain(|entry| !is_disabled(entry, &params.daemon.master_service_disable));
        let owner = if privsep::is_root() { Some(owner(directory, &params.layout)?) } else { None };
        let (wildcards, addresses) = (source.wildcards().0.clone(), source.listen_addresses());
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let processors = u32::try_from(processors).unwrap_or(1);
        Ok(Self { directory: directory.to_owned(), source, params, services, wildcards, addresses, processors, owner })
    }

    /// Says what is odd.
    pub(crate) fn warn(&self) {
        for warning in self.source.warnings().iter().chain(&self.services.warnings) {
            tracing::warn!("{warning}");
        }
        let (known, unknown) = self.source.wildcards();
        if known.is_empty() {
            let protocols = self.params.identity.inet_protocols.join(" ");
            tracing::warn!("all network protocols are disabled (inet_protocols = {protocols})");
            tracing::warn!("disabling all type \"inet\" services in master.cf");
        }
        for unknown in unknown {
            let name = if unknown.is_ipv4() { "IPv4" } else { "IPv6" };
            let reason = "Address family not supported by protocol";
            tracing::warn!("inet_protocols: disabling {name} name/address support: {reason}");
        }
    }

    /// How the sessions of a service are shared by its processes.
    pub(crate) fn shares(&self, entry: &Entry) -> Shares {
        let name = Path::new(&entry.command).file_name().unwrap_or_default();
        if SOLO.iter().any(|solo| *solo == name) {
            return Shares::new(entry.max_processes, u32::MAX, NonZeroU32::new(1));
        }
        Shares::new(entry.max_processes, self.processors, self.most_in_one(entry))
    }

    /// `process_session_limit`, or that of the service alone.
    fn most_in_one(&self, entry: &Entry) -> Option<NonZeroU32> {
        let own = self.source.expanded(&format!("{}_process_session_limit", entry.name)).ok().flatten();
        let all = u32::try_from(self.params.daemon.process_session_limit).unwrap_or(0);
        NonZeroU32::new(own.and_then(|own| own.parse().ok()).unwrap_or(all))
    }

    /// How long processes that fail at their start are held back.
    pub(crate) fn throttle_time(&self) -> Duration {
        self.params.daemon.service_throttle_time
    }

    /// The log's settings: master writes the file itself until the service for it listens.
    pub(crate) fn log(&self, way: Way) -> Result<maillog::Settings, Fatal> {
        let Params { layout, identity, .. } = &self.params;
        let facility = identity.syslog_facility.parse()?;
        let path = layout.maillog_file.as_str();
        let place = if path.is_empty() {
            Place::Syslog
        } else {
            let file = LogFile::allowed(path, &layout.maillog_file_permissions, &layout.maillog_file_prefixes);
            let file = file.ok_or_else(|| {
                Fatal::new(format!("maillog_file value '{path}' does not match any prefix in maillog_file_prefixes"))
            })?;
            match way {
                Way::Service => {
                    let socket = Path::new("public").join(&layout.postlog_service_name);
                    Place::Postlog { socket, fallback: Some(file) }
                }
                Way::Direct if path == "/dev/stdout" => Place::Stdout,
                Way::Direct => Place::File(file),
            }
        };
        Ok(maillog::Settings {
            syslog_name: identity.syslog_name.clone(),
            facility,
            hostname: identity.myhostname.clone(),
            place,
            characters: Characters::of(identity.smtputf8_enable),
        })
    }
}

/// How lines reach `maillog_file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Written by master.
    Direct,
    /// Through the service that the others use, so that the order is that of events.
    Service,
}

fn owner(directory: &Path, layout: &params::Layout) -> Result<Owner, Fatal> {
    let params::Layout { mail_owner, default_privs, setgid_group, .. } = layout;
    Ok(Roles { mail_owner, default_privs, setgid_group }.check(&directory.join("main.cf"))?)
}

/// Whether `master_service_disable` names the service: `type`, `name/type` (or `name.type`, as once).
fn is_disabled(entry: &Entry, patterns: &[String]) -> bool {
    let matches = |pattern: &str| match pattern.rsplit_once('/').or_else(|| pattern.rsplit_once('.')) {
        Some((name, kind)) => Kind::from_name(kind) == Some(entry.kind) && name == entry.name,
        None => Kind::from_name(pattern) == Some(entry.kind),
    };
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(negated) => return false,
            None if matches(pattern) => return true,
            Some(_) | None => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_disabled_by_type_or_name() {
        let entry = |line| Entry::parse(line, Defaults::default()).unwrap();
        let smtp = entry("smtp inet n - n - - smtpd");
        let table = [
            ("inet", true),
            ("smtp/inet", true),
            ("smtp.inet", true),
            ("unix", false),
            ("other/inet", false),
            ("!smtp/inet inet", false),
        ];
        for (patterns, expected) in table {
            let patterns: Vec<_> = patterns.split(' ').map(str::to_owned).collect();
            assert_eq!(is_disabled(&smtp, &patterns), expected, "{patterns:?}");
        }
    }
}

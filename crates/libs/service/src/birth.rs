//! The birth of a daemon, up to the runtime; the same for [`crate::Service`] and [`crate::solo::Solo`].

use crate::arguments::{Arguments, Kind, ProcessLimit};
use crate::{Fatal, Outside, panics};
use config::{Source, params};
use ipc::master::{OWNER, SHARE};
use maillog::{Characters, Echo, Log, Patience, Place, Settings, Verbosity};
use privsep::{Jail, Jailed, Owner, Privileged};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where the descriptors that master passes begin: the status channel, then the listening sockets.
const STATUS: i32 = 3;
/// Descriptors asked of the system, which may give less.
const DESCRIPTORS: u64 = 65536;
/// Descriptors that a session may need: its client, a queue file, a next hop or filter.
const PER_SESSION: u64 = 4;
/// Descriptors that no session asks for: tables, channels, the log.
const RESERVE: u64 = 64;

config::bundle! {
    /// What the skeleton heeds.
    pub(crate) struct Params {
        daemon: params::Daemon,
        layout: params::Layout,
        identity: params::Identity,
    }
}

/// A daemon that has its log, its parameters and its descriptors, and still its rights.
pub(crate) struct Birth {
    pub(crate) outside: Outside,
    pub(crate) params: Params,
    pub(crate) share: Option<usize>,
    pub(crate) stress: bool,
    pub(crate) status: Option<UnixStream>,
    pub(crate) listeners: Vec<OwnedFd>,
    arguments: Arguments,
    privileged: Privileged,
}

/// Lives a daemon: birth, then `live`; says why when it ends badly.
pub(crate) fn deliver(live: impl FnOnce(Birth) -> Result<(), Fatal>, patience: Patience) -> ExitCode {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let path = words.next().unwrap_or_default();
    let name = Path::new(&path).file_name().map_or(path.clone(), |name| name.to_string_lossy().into_owned());
    let arguments = Arguments::parse(words);
    let verbose = arguments.as_ref().is_ok_and(|arguments| arguments.verbose > 0);
    let verbosity = if verbose { Verbosity::Verbose } else { Verbosity::Normal };
    let log = maillog::init(&name, Echo::Off, patience, verbosity);
    panics::log();
    let arguments = arguments.inspect_err(|_| set_up_log(&log, &name));
    let ended = arguments.and_then(|arguments| Birth::new(arguments, name, log.clone())).and_then(live);
    if let Err(fatal) = &ended {
        maillog::fatal!("{fatal}");
    }
    log.finish();
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Birth {
    fn new(arguments: Arguments, process_name: String, log: Log) -> Result<Self, Fatal> {
        privsep::mask_files(0o077);
        privsep::survive_file_size_limit()?;
        let service_name =
            if arguments.service_name.is_empty() { process_name.clone() } else { arguments.service_name.clone() };
        let source = Source::load(&config::config_directory(None))?
            .with_overrides(&arguments.overrides)
            .for_process(&process_name)
            .for_service(&service_name);
        let params: Params = source.get()?;
        log.configure(&settings(&params)?);
        std::env::set_current_dir(&params.layout.queue_directory)
            .map_err(|error| Fatal::new(format!("chdir({}): {error}", params.layout.queue_directory)))?;
        let stress = arguments
            .overrides
            .iter()
            .rev()
            .find(|(name, _)| name == "stress")
            .is_some_and(|(_, value)| !value.is_empty());
        let share = std::env::var(SHARE).ok().and_then(|share| share.parse().ok());
        let (status, listeners) = descriptors(&arguments, share.is_some())?;
        let allowed = privsep::allow_descriptors(DESCRIPTORS)?;
        if let Some(wanted) = share.map(|share: usize| u64::try_from(share).unwrap_or(u64::MAX) * PER_SESSION + RESERVE)
            && allowed < wanted
        {
            tracing::warn!("service {service_name}: {allowed} file descriptors are allowed, {wanted} may be needed");
        }
        Ok(Self {
            outside: Outside {
                source,
                service_name,
                process_name,
                kind: arguments.kind,
                chroot: arguments.chroot,
                arguments: arguments.rest.clone(),
                log,
            },
            params,
            share: share.filter(|share| *share > 0),
            stress,
            status,
            listeners,
            arguments,
            privileged: Privileged::mint(),
        })
    }

    /// Whether the one client is on standard input.
    pub(crate) fn is_standalone(&self) -> bool {
        self.arguments.stdin
    }

    /// Refuses a process limit in `master.cf` with which the service cannot work.
    pub(crate) fn require_limit(&self, limit: ProcessLimit) -> Result<(), Fatal> {
        if self.is_standalone() {
            return Ok(());
        }
        limit.judge(self.arguments.limit, &self.outside.service_name)
    }

    /// Refuses to give up rights that the service needs.
    pub(crate) fn require_rights(&self) -> Result<(), Fatal> {
        if self.arguments.unprivileged && privsep::is_root() {
            return Err(Fatal::new(format!("service {} requires privileged operation", self.outside.service_name)));
        }
        Ok(())
    }

    /// Enters the jail.
    pub(crate) fn jail(self, may_gain_rights: bool) -> Result<(Jailed, Outside), Fatal> {
        let layout = &self.params.layout;
        let user = if self.arguments.unprivileged && privsep::is_root() { Some(self.owner()?) } else { None };
        let may_gain_rights = may_gain_rights || !self.arguments.unprivileged;
        let writable = vec![layout.queue_directory.clone().into(), layout.data_directory.clone().into()];
        let root = self.arguments.chroot.then(|| PathBuf::from(&layout.queue_directory));
        let jailed = self.privileged.jail(&Jail { root, user, may_gain_rights, writable })?;
        Ok((jailed, self.outside))
    }

    /// `mail_owner`: as master has said, unless this service is to have another.
    fn owner(&self) -> Result<Owner, Fatal> {
        let name = &self.params.layout.mail_owner;
        let told = std::env::var(OWNER).ok().and_then(|owner| owner.parse().ok());
        if let Some(owner) = told.filter(|owner: &Owner| owner.name == *name) {
            return Ok(owner);
        }
        let file = self.outside.source.directory().join("main.cf");
        let unknown =
            || Fatal::new(format!("file {}: parameter mail_owner: unknown user name value: {name}", file.display()));
        Owner::by_name(name)?.ok_or_else(unknown)
    }
}

/// The status channel and the listening sockets.
fn descriptors(arguments: &Arguments, has_master: bool) -> Result<(Option<UnixStream>, Vec<OwnedFd>), Fatal> {
    if arguments.stdin {
        return Ok((None, Vec::new()));
    }
    if !has_master {
        return Err(Fatal::new("do not run this command by hand"));
    }
    let status = UnixStream::from(privsep::inherited(STATUS)?);
    let mut listeners = Vec::new();
    for number in (STATUS + 1..).take(arguments.sockets) {
        listeners.push(privsep::inherited(number)?);
    }
    Ok((Some(status), listeners))
}

/// Tells which tables could not be opened. Where that is fatal, the first of them is the end.
pub(crate) fn tell_troubles(source: &Source, daemon: &params::Daemon) -> Result<(), Fatal> {
    for trouble in source.troubles() {
        if daemon.daemon_table_open_error_is_fatal {
            return Err(Fatal::new(trouble));
        }
        tracing::error!("{trouble}");
    }
    Ok(())
}

/// Has a daemon that cannot be born say why where main.cf sends the log.
fn set_up_log(log: &Log, process_name: &str) {
    let source = config::config_directory(None);
    let params =
        Source::load(&source).map_err(Fatal::from).and_then(|source| Ok(source.for_process(process_name).get()?));
    if let Ok(settings) = params.and_then(|params| settings(&params)) {
        log.configure(&settings);
    }
}

/// Where the log goes, from the parameters.
fn settings(params: &Params) -> Result<Settings, Fatal> {
    let Params { layout, identity, .. } = params;
    let queue = Path::new(&layout.queue_directory);
    let place = if layout.maillog_file.is_empty() {
        Place::Syslog
    } else {
        Place::Postlog { socket: queue.join("public").join(&layout.postlog_service_name), fallback: None }
    };
    let facility = identity.syslog_facility.parse()?;
    Ok(Settings {
        syslog_name: identity.syslog_name.clone(),
        facility,
        hostname: identity.myhostname.clone(),
        place,
        characters: Characters::of(identity.smtputf8_enable),
    })
}

impl Kind {
    /// Whether clients connect.
    pub(crate) fn has_connections(self) -> bool {
        matches!(self, Self::Inet | Self::Unix | Self::Pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_cannot_be_opened_is_fatal_where_it_is_to_be() {
        for (value, noted, expected) in [("no", true, None), ("yes", true, Some("open x")), ("yes", false, None)] {
            let text = format!("daemon_table_open_error_is_fatal = {value}\n");
            let source = Source::parse(Path::new("/nonexistent"), &text).unwrap();
            if noted {
                source.clone().note_trouble("open x");
                source.note_trouble("open y");
            }
            let daemon: params::Daemon = source.get().unwrap();
            let told = tell_troubles(&source, &daemon).err().map(|fatal| fatal.to_string());
            assert_eq!(told.as_deref(), expected, "{value} {noted}");
        }
    }
}

//! The mail system at hand: its configuration, its directories, and the programs run for it.

use command::{Context, Fatal, Options};
use config::master_cf::{Defaults, Kind, MasterCf};
use config::{Source, params};
use maillog::LogFile;
use privsep::{Group, User};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// A mail system.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) directory: PathBuf,
    pub(crate) source: Source,
    pub(crate) layout: params::Layout,
    identity: params::Identity,
    is_default: bool,
}

impl Instance {
    /// Reads its configuration; refuses those who may not control it.
    pub(crate) fn read(context: &Context, directory: Option<&str>) -> Result<Self, Fatal> {
        let is_default = directory.is_none() && std::env::var_os("MAIL_CONFIG").is_none();
        if !privsep::is_root() && config::config_directory(directory) == Path::new(config::CONFIG_DIRECTORY) {
            return Err(reserved());
        }
        let source = context.source(directory)?;
        context.log.rename("postfix");
        let (layout, identity): (params::Layout, params::Identity) = context.params(&source)?;
        let instance = Self { directory: source.directory().to_owned(), source, layout, identity, is_default };
        if !privsep::is_root() && instance.owner()? != User::of_process()? {
            return Err(reserved());
        }
        Ok(instance)
    }

    /// For tests: that of a configuration, whoever asks.
    #[cfg(test)]
    pub(crate) fn of(source: Source) -> Result<Self, Fatal> {
        let (layout, identity) = source.get()?;
        Ok(Self { directory: source.directory().to_owned(), source, layout, identity, is_default: false })
    }

    /// `mail_owner`.
    pub(crate) fn owner(&self) -> Result<Option<User>, Fatal> {
        Ok(User::by_name(&self.layout.mail_owner)?)
    }

    /// `setgid_group`.
    pub(crate) fn group(&self) -> Result<Option<Group>, Fatal> {
        Ok(Group::by_name(&self.layout.setgid_group)?)
    }

    /// `syslog_name`.
    pub(crate) fn syslog_name(&self) -> &str {
        &self.identity.syslog_name
    }

    /// A path below the queue directory.
    pub(crate) fn queue(&self, name: &str) -> PathBuf {
        Path::new(&self.layout.queue_directory).join(name)
    }

    /// The file with master's process id, which master locks.
    pub(crate) fn pid_file(&self) -> PathBuf {
        self.queue(&self.layout.process_id_directory).join("master.pid")
    }

    /// Whether the instance shares its programs with a default one that looks after them.
    pub(crate) fn is_secondary(&self) -> bool {
        let default = Path::new(config::CONFIG_DIRECTORY);
        default != self.directory
            && Source::load(default).is_ok_and(|source| config::is_directory_listed(&source, &self.directory))
    }

    /// Whether the default instance has others beside it.
    pub(crate) fn has_others() -> bool {
        let Ok(default) = Source::load(Path::new(config::CONFIG_DIRECTORY)) else { return false };
        default.get().is_ok_and(|identity: params::Identity| !identity.multi_instance_directories.is_empty())
    }

    /// The services of master.cf.
    pub(crate) fn services(&self) -> Result<MasterCf, Fatal> {
        Ok(MasterCf::read(&self.directory.join("master.cf"), Defaults::default())?)
    }

    /// Whether the log has the service that it needs.
    pub(crate) fn lacks_postlog(&self) -> Result<bool, Fatal> {
        let needed = !self.layout.maillog_file.is_empty();
        Ok(needed && self.services()?.find(&self.layout.postlog_service_name, Kind::UnixDgram).is_none())
    }

    /// Whether `maillog_file` can be written: else a mail system would run of which nobody hears.
    pub(crate) fn check_log(&self) -> Result<(), Fatal> {
        let params::Layout { maillog_file: path, maillog_file_permissions, maillog_file_prefixes, .. } = &self.layout;
        match LogFile::allowed(path, maillog_file_permissions, maillog_file_prefixes) {
            Some(file) if !path.starts_with("/dev/") => {
                file.open().map(drop).map_err(|error| Fatal::new(format!("open logfile '{path}': {error}")))
            }
            // None is wanted; or what stands for one of the process is.
            Some(_) | None => Ok(()),
        }
    }

    /// Several instances on one host: the default one hands over to the manager that `multi_instance_wrapper` names.
    pub(crate) fn hand_over(&self, options: &Options) -> Result<Option<ExitCode>, Fatal> {
        if !self.is_default || self.identity.multi_instance_directories.is_empty() {
            return Ok(None);
        }
        let mut words = self.identity.multi_instance_wrapper.split_whitespace();
        let Some(program) = words.next() else {
            return Err(Fatal::new("multi-instance support is requested, but multi_instance_wrapper is not set"));
        };
        let mut command = self.command(Path::new(program));
        command.args(words).args(&options.operands);
        Ok(Some(finish(&mut command, program)?))
    }

    /// Says once per command that older defaults are in force.
    pub(crate) fn warn_of_old_settings(&self) {
        let is_old = self.source.expand("${{$compatibility_level} <level {3.11} ? {yes} : {no}}");
        if is_old.is_ok_and(|is_old| is_old == "yes") {
            tracing::info!("Postfix is using backwards-compatible default settings");
            tracing::info!("See https://www.postfix.org/COMPATIBILITY_README.html for details");
            tracing::info!(
                "To disable backwards compatibility use \"postconf compatibility_level=3.11\" and \"postfix reload\""
            );
        }
    }

    /// The directories that must be there.
    pub(crate) fn check_directories(&self) -> Result<(), Fatal> {
        let layout = &self.layout;
        let table = [
            ("command", layout.command_directory.as_str()),
            ("daemon", layout.daemon_directory.as_str()),
            ("configuration", &self.directory.to_string_lossy()),
            ("queue", layout.queue_directory.as_str()),
        ];
        for (what, path) in table {
            if !Path::new(path).is_dir() {
                return Err(Fatal::new(format!("no Postfix {what} directory {path}!")));
            }
        }
        let master = self.daemon("master");
        if !master.is_file() {
            return Err(Fatal::new(format!("no Postfix master program {}!", master.display())));
        }
        Ok(())
    }

    /// The path of a daemon.
    pub(crate) fn daemon(&self, name: &str) -> PathBuf {
        Path::new(&self.layout.daemon_directory).join(name)
    }

    /// Runs a command of the mail system to its end.
    pub(crate) fn run(&self, name: &str, words: &[&str]) -> Result<ExitCode, Fatal> {
        let path = Path::new(&self.layout.command_directory).join(name);
        finish(self.command(&path).args(words), &path.to_string_lossy())
    }

    /// Starts a command of the mail system, whose log is all that is heard of it.
    pub(crate) fn run_apart(&self, name: &str, words: &[&str]) -> Result<(), Fatal> {
        let path = Path::new(&self.layout.command_directory).join(name);
        let mut command = self.command(&path);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = command.spawn().map(|_| ());
        started.map_err(|error| Fatal::new(format!("cannot execute {}: {error}", path.display())))
    }

    /// Runs a daemon to its end, or to its own idea of one.
    pub(crate) fn run_daemon(&self, name: &str, words: &[&str]) -> Result<ExitCode, Fatal> {
        let path = self.daemon(name);
        finish(self.command(&path).args(words), &path.to_string_lossy())
    }

    /// Becomes a daemon.
    pub(crate) fn become_daemon(&self, name: &str, words: &[&str]) -> Fatal {
        let path = self.daemon(name);
        let error = self.command(&path).args(words).exec();
        Fatal::new(format!("cannot execute {}: {error}", path.display()))
    }

    /// A program with the environment that `import_environment` lets through, and what a service manager needs.
    pub(crate) fn command(&self, path: &Path) -> Command {
        let mut command = Command::new(path);
        command.env_clear().current_dir(&self.layout.queue_directory);
        for word in &self.layout.import_environment {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.into())),
                None => (word.as_str(), std::env::var_os(word)),
            };
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
            command.env("NOTIFY_SOCKET", socket);
        }
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("MAIL_CONFIG", &self.directory);
        command
    }
}

fn reserved() -> Fatal {
    tracing::error!("to submit mail, use the Postfix sendmail command");
    Fatal::new("the postfix command is reserved for the superuser")
}

/// The exit status of a command becomes ours.
fn finish(command: &mut Command, name: &str) -> Result<ExitCode, Fatal> {
    let status = command.status().map_err(|error| Fatal::new(format!("cannot execute {name}: {error}")))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Removes a file; true if it was there.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_cannot_be_written_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().display();
        let check = |file: &str| {
            let text = format!("maillog_file = {file}\nmaillog_file_prefixes = {root}, /dev/stdout\n");
            fs::write(directory.path().join("main.cf"), text).unwrap();
            let instance = Instance::of(Source::load(directory.path()).unwrap()).unwrap();
            instance.check_log().map_err(|fatal| fatal.to_string())
        };
        let told = check(&format!("{root}/none/log")).unwrap_err();
        assert!(told.starts_with(&format!("open logfile '{root}/none/log': No such file or directory")), "{told}");
        assert_eq!(check(&format!("{root}/log")), Ok(()));
        assert_eq!(check("/dev/stdout"), Ok(()));
        assert_eq!(check(""), Ok(()));
    }
}

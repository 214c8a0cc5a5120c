//! Starts a process of a service, with its sockets, its status channel and its arguments.

use crate::Fatal;
use crate::service::Service;
use crate::settings::Settings;
use config::master_cf::Entry;
use ipc::master::{Link, OWNER, SHARE};
use privsep::Program;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What a process is told besides what master.cf says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// Its share; 0 means any number.
    pub(crate) share: u32,
    /// Whether its service is under stress, if it knows stress.
    pub(crate) stress: Option<bool>,
    /// How verbose it is.
    pub(crate) verbose: u8,
}

/// Starts a process; returns its id and master's end of its status channel.
pub(crate) fn start(service: &Service, settings: &Settings, told: Told) -> Result<(u32, Link), Fatal> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut descriptors = vec![theirs.as_fd()];
    descriptors.extend(service.listeners.iter().map(AsFd::as_fd));
    let entry = &service.entry;
    let program = Program {
        path: &Path::new(&settings.params.layout.daemon_directory).join(&entry.command),
        name: program_name(entry),
        arguments: &arguments(entry, service.listeners.len(), told),
        environment: &environment(settings, told.share),
        descriptors: &descriptors,
    };
    let pid = privsep::start(&program)?;
    Ok((pid, Link::new(ours)?))
}

fn program_name(entry: &Entry) -> &str {
    Path::new(&entry.command).file_name().and_then(|name| name.to_str()).unwrap_or(&entry.command)
}

/// The arguments, in the order that people know from process lists.
fn arguments(entry: &Entry, sockets: usize, told: Told) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    match entry.max_processes {
        Some(1) => words.push("-l".into()),
        None => words.push("-z".into()),
        Some(_) => {}
    }
    if entry.name != program_name(entry) {
        words.extend(["-n".into(), entry.name.clone()]);
    }
    words.extend(["-t".into(), entry.kind.name().into()]);
    if entry.unprivileged {
        words.push("-u".into());
    }
    if entry.chroot {
        words.push("-c".into());
    }
    words.extend((0..told.verbose).map(|_| "-v".into()));
    if let Some(stress) = told.stress {
        words.extend(["-o".into(), format!("stress={}", if stress { "yes" } else { "" })]);
    }
    if sockets > 1 {
        words.extend(["-s".into(), sockets.to_string()]);
    }
    words.extend(entry.arguments.iter().cloned());
    words
}

/// What `import_environment` lets through, and what master says.
fn environment(settings: &Settings, share: u32) -> Vec<(String, String)> {
    let mut environment = Vec::new();
    for word in &settings.params.layout.import_environment {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), std::env::var(word).ok()),
        };
        if let Some(value) = value {
            environment.push((name.to_owned(), value));
        }
    }
    environment.retain(|(name, _)| name != "MAIL_CONFIG");
    environment.push(("MAIL_CONFIG".into(), settings.directory.display().to_string()));
    environment.push(("PATH".into(), "/usr/sbin:/usr/bin:/sbin:/bin".into()));
    environment.push((SHARE.into(), share.to_string()));
    if let Some(owner) = &settings.owner {
        environment.push((OWNER.into(), owner.to_string()));
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::master_cf::{Defaults, Kind};

    #[test]
    fn arguments_are_those_that_process_lists_show() {
        let table = [
            ("smtp inet n - y - - smtpd", 2, "-n smtp -t inet -u -c -o stress= -s 2"),
            ("smtp inet n - n - 1 postscreen", 1, "-l -n smtp -t inet -u -o stress="),
            ("cleanup unix n - - - 0 cleanup", 1, "-z -t unix -u"),
            ("defer unix - - - - 0 bounce", 1, "-z -n defer -t unix -u"),
            ("qmgr unix n - n 300 1 qmgr", 1, "-l -t unix -u"),
            (
                "maildrop unix - n n - - pipe flags=DRXhu user=vmail argv=/usr/bin/maildrop",
                1,
                "-n maildrop -t unix flags=DRXhu user=vmail argv=/usr/bin/maildrop",
            ),
        ];
        for (line, sockets, expected) in table {
            let entry = Entry::parse(line, Defaults::default()).unwrap();
            let stress = (entry.kind == Kind::Inet).then_some(false);
            let told = Told { share: 1, stress, verbose: 0 };
            assert_eq!(arguments(&entry, sockets, told).join(" "), expected, "{line}");
        }
    }
}

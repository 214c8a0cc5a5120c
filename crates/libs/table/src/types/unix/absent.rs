//! Names that the name service cannot know, told without asking it.
//!
//! Where its only sources are files of this host (nsswitch.conf(5)), a name that begins no line of `/etc/passwd` is no user's. To
//! ask all the same costs sixty system calls with nss-systemd(8), and clients that try out names make many ask. A name that
//! does begin a line is still looked up by the name service: what the line means is its business.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::types::watched::Seen;

/// How often a look is taken for what can know more names than the files. None of it comes and goes while mail is served.
const LOOK: Duration = Duration::from_secs(1);

/// A cache of the name service, below the root.
const CACHES: [&str; 2] = ["run/nscd/socket", "var/run/nscd/socket"];

/// What nss-systemd(8) learns users from, below the root: a system that runs it, and directories of user records.
const RECORDS: [&str; 7] = [
    "run/systemd/system",
    "run/systemd/userdb",
    "etc/userdb",
    "run/userdb",
    "run/host/userdb",
    "usr/local/lib/userdb",
    "usr/lib/userdb",
];

/// The names that nss-systemd(8) knows by itself.
const INBORN: [&[u8]; 2] = [b"root", b"nobody"];

/// The names of one database.
pub(super) struct Names {
    root: PathBuf,
    /// `passwd` or `group`.
    database: &'static str,
    /// `nsswitch.conf`, and the file of the database.
    files: (PathBuf, PathBuf),
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    switch: Copied<Sources>,
    names: Copied<HashSet<Vec<u8>>>,
    /// When and with what result it was looked whether anything but the files knows names.
    alone: Option<(Instant, bool)>,
}

/// Where the name service looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Sources {
    Files,
    FilesAndSystemd,
    #[default]
    Others,
}

impl Names {
    pub(super) fn new(root: impl Into<PathBuf>, database: &'static str) -> Self {
        let root = root.into();
        let files = (root.join("etc/nsswitch.conf"), root.join("etc").join(database));
        Self { root, database, files, known: Mutex::default() }
    }

    /// Whether this is certainly no name of the database. It may be none even if this says no.
    pub(super) fn lack(&self, name: &[u8]) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { switch, names, alone } = &mut *known;
        let sources = switch.of(&self.files.0, |text| sources(text, self.database));
        let Some(sources) = sources.copied().filter(|sources| *sources != Sources::Others) else { return false };
        if !self.is_alone(sources, alone) || sources == Sources::FilesAndSystemd && INBORN.contains(&name) {
            return false;
        }
        let names = names.of(&self.files.1, first_fields);
        names.is_some_and(|names| !names.contains(name))
    }

    fn is_alone(&self, sources: Sources, known: &mut Option<(Instant, bool)>) -> bool {
        if let Some((when, alone)) = *known
            && when.elapsed() < LOOK
        {
            return alone;
        }
        let records: &[&str] = if sources == Sources::FilesAndSystemd { &RECORDS } else { &[] };
        let alone = CACHES.iter().chain(records).all(|path| !self.root.join(path).exists());
        *known = Some((Instant::now(), alone));
        alone
    }
}

/// What was made of a file, as long as it is as it was.
#[derive(Default)]
struct Copied<T> {
    /// `None` if it has to be read again.
    seen: Option<Seen>,
    value: Option<T>,
}

impl<T> Copied<T> {
    /// What there is now; `None` if the file cannot be read.
    fn of(&mut self, path: &Path, make: impl FnOnce(&[u8]) -> T) -> Option<&T> {
        let seen = Seen::of(&fs::metadata(path).ok()?);
        if self.seen != Some(seen) {
            self.value = Some(make(&fs::read(path).ok()?));
            self.seen = seen.is_settled(SystemTime::now()).then_some(seen);
        }
        self.value.as_ref()
    }
}

/// The sources of a database. What has conditions is not understood, and so counts as others.
fn sources(text: &[u8], database: &str) -> Sources {
    let text = String::from_utf8_lossy(text);
    let mut entries = text.lines().filter_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        line.split_once(':').filter(|(name, _)| name.trim() == database).map(|(_, sources)| sources)
    });
    let (Some(listed), None) = (entries.next(), entries.next()) else { return Sources::Others };
    match listed.split_whitespace().collect::<Vec<_>>()[..] {
        ["files"] => Sources::Files,
        ["files", "systemd"] => Sources::FilesAndSystemd,
        _ => Sources::Others,
    }
}

/// What stands before the first colon of each line.
fn first_fields(text: &[u8]) -> HashSet<Vec<u8>> {
    let field = |line: &[u8]| line.trim_ascii_start().split(|byte| *byte == b':').next().unwrap_or_default().to_vec();
    text.split(|byte| *byte == b'\n').map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWITCH: &str = "# a comment\npasswd: files systemd # more\ngroup:\tfiles\nhosts: files dns\n";
    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\n  ann:x:7:7::/:\nodd\n";

    struct Host(tempfile::TempDir);

    impl Host {
        fn new() -> Self {
            let host = Self(tempfile::tempdir().unwrap());
            fs::create_dir(host.0.path().join("etc")).unwrap();
            host.put("nsswitch.conf", SWITCH);
            host.put("passwd", PASSWD);
            host.put("group", "wheel:x:0:\n");
            host
        }

        fn put(&self, name: &str, text: &str) {
            fs::write(self.0.path().join("etc").join(name), text).unwrap();
        }

        fn names(&self, database: &'static str) -> Names {
            Names::new(self.0.path(), database)
        }
    }

    #[test]
    fn names_of_no_line_are_absent() {
        let host = Host::new();
        let users = host.names("passwd");
        for (name, absent) in
            [("bob", true), ("ann", false), ("odd", false), ("root", false), ("nobody", false), ("ann@host", true)]
        {
            assert_eq!(users.lack(name.as_bytes()), absent, "{name}");
        }
        let groups = host.names("group");
        for (name, absent) in [("wheel", false), ("root", true), ("nobody", true)] {
            assert_eq!(groups.lack(name.as_bytes()), absent, "{name}");
        }
    }

    #[test]
    fn a_new_line_is_seen_at_once() {
        let host = Host::new();
        let users = host.names("passwd");
        // As it is when the time of a file is too coarse to tell.
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        for (name, text) in [("bob", "bob:x:8:8\n"), ("eve", "eve:x:8:8\n")] {
            assert!(users.lack(name.as_bytes()));
            host.put("passwd", text);
            let file = fs::File::options().write(true).open(host.0.path().join("etc/passwd")).unwrap();
            file.set_modified(long_ago).unwrap();
            assert!(!users.lack(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn other_sources_are_asked() {
        for switch in [
            "",
            "group: files\n",
            "passwd: files sss\n",
            "passwd: systemd files\n",
            "passwd: files [NOTFOUND=return] systemd\n",
            "passwd: compat\n",
            "passwd: files\npasswd: ldap\n",
            "passwd:\n",
        ] {
            let host = Host::new();
            host.put("nsswitch.conf", switch);
            assert!(!host.names("passwd").lack(b"bob"), "{switch:?}");
        }
        let host = Host::new();
        fs::remove_file(host.0.path().join("etc/nsswitch.conf")).unwrap();
        assert!(!host.names("passwd").lack(b"bob"));
    }

    #[test]
    fn what_serves_more_names_is_noticed() {
        for path in RECORDS.iter().chain(&CACHES) {
            let host = Host::new();
            assert!(host.names("passwd").lack(b"bob"));
            fs::create_dir_all(host.0.path().join(path)).unwrap();
            assert!(!host.names("passwd").lack(b"bob"), "{path}");
            assert_eq!(host.names("group").lack(b"bob"), !CACHES.contains(path), "{path}");
        }
    }

    #[test]
    fn a_missing_file_is_left_to_the_name_service() {
        let host = Host::new();
        fs::remove_file(host.0.path().join("etc/passwd")).unwrap();
        assert!(!host.names("passwd").lack(b"bob"));
    }
}

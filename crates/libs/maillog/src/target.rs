//! Where lines go, as the parameters say.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// What `main.cf` says about logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `syslog_name`: stands before the program's name.
    pub syslog_name: String,
    /// `syslog_facility`.
    pub facility: Facility,
    /// The host's name in lines that do not pass through syslog; cut at the first dot.
    pub hostname: String,
    /// Where lines go.
    pub place: Place,
    /// What they may have.
    pub characters: Characters,
}

/// Characters that lines may have; a question mark stands for each byte of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Characters {
    /// All of UTF-8.
    Utf8,
    /// ASCII alone.
    Ascii,
}

impl Characters {
    /// By `smtputf8_enable`.
    #[must_use]
    pub fn of(smtputf8_enable: bool) -> Self {
        if smtputf8_enable { Self::Utf8 } else { Self::Ascii }
    }
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The system's log.
    Syslog,
    /// `postlogd`, by its socket; programs that may write `fallback` do so while it is down.
    Postlog {
        /// `public/postlog` below the queue directory.
        socket: PathBuf,
        /// `maillog_file`, for those who may write it.
        fallback: Option<LogFile>,
    },
    /// A file, directly: `postlogd` itself, and master.
    File(LogFile),
    /// Standard output: `postlogd` with `maillog_file = /dev/stdout`.
    Stdout,
}

/// A file for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// `maillog_file`.
    pub path: PathBuf,
    /// `maillog_file_permissions`, for a file that has to be made.
    pub mode: u32,
}

impl LogFile {
    /// A file that `maillog_file_prefixes` allows: one of them, or below one.
    #[must_use]
    pub fn allowed(path: &str, permissions: &str, prefixes: &[String]) -> Option<Self> {
        let is_plain = Path::new(path).components().all(|part| !matches!(part, Component::ParentDir));
        let is_below = prefixes.iter().any(|prefix| Path::new(path).starts_with(prefix));
        // Nobody but its owner ever writes the log.
        let mode = u32::from_str_radix(permissions, 8).ok().filter(|mode| matches!(mode, 0o600 | 0o640 | 0o644));
        let mode = mode.unwrap_or(0o600);
        (path.starts_with('/') && is_plain && is_below).then(|| Self { path: path.into(), mode })
    }

    /// Opens it for lines at its end, and makes it where it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(self.mode).open(&self.path)
    }
}

/// A syslog facility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// `mail`.
    pub const MAIL: Self = Self(2 << 3);

    fn by_name(name: &str) -> Option<Self> {
        const NAMES: [(&str, u8); 20] = [
            ("kern", 0),
            ("user", 1),
            ("mail", 2),
            ("daemon", 3),
            ("auth", 4),
            ("security", 4),
            ("syslog", 5),
            ("lpr", 6),
            ("news", 7),
            ("uucp", 8),
            ("cron", 9),
            ("authpriv", 10),
            ("local0", 16),
            ("local1", 17),
            ("local2", 18),
            ("local3", 19),
            ("local4", 20),
            ("local5", 21),
            ("local6", 22),
            ("local7", 23),
        ];
        let name = name.to_ascii_lowercase();
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| Self(number << 3))
    }

    /// The number before a syslog line.
    pub(crate) fn with(self, severity: Severity) -> u8 {
        self.0 | severity.syslog()
    }
}

/// A value of `syslog_facility` that names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFacility(String);

impl fmt::Display for UnknownFacility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameter syslog_facility: unknown facility: {}", self.0)
    }
}

impl std::error::Error for UnknownFacility {}

impl FromStr for Facility {
    type Err = UnknownFacility;

    /// The facility of this name, as `syslog_facility` spells it.
    fn from_str(name: &str) -> Result<Self, UnknownFacility> {
        Self::by_name(name).ok_or_else(|| UnknownFacility(name.to_owned()))
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
    Panic,
}

impl Severity {
    fn syslog(self) -> u8 {
        match self {
            Self::Debug | Self::Info => 6,
            Self::Warning => 4,
            Self::Error => 3,
            Self::Fatal | Self::Panic => 2,
        }
    }

    /// What stands before the text.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Debug | Self::Info => "",
            Self::Warning => "warning: ",
            Self::Error => "error: ",
            Self::Fatal => "fatal: ",
            Self::Panic => "panic: ",
        }
    }

    /// Whether the line may be dropped when nobody reads.
    pub(crate) fn is_expendable(self) -> bool {
        matches!(self, Self::Debug | Self::Info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_those_of_syslog() {
        let table = [
            ("mail", Severity::Info, 22),
            ("MAIL", Severity::Warning, 20),
            ("local0", Severity::Error, 131),
            ("mail", Severity::Fatal, 18),
        ];
        for (name, severity, number) in table {
            assert_eq!(Facility::by_name(name).unwrap().with(severity), number, "{name}");
        }
        assert_eq!(Facility::by_name("nowhere"), None);
        let unknown = "nowhere".parse::<Facility>().unwrap_err();
        assert_eq!(unknown.to_string(), "parameter syslog_facility: unknown facility: nowhere");
    }

    #[test]
    fn log_file_is_where_it_may_be() {
        let prefixes = ["/var".to_owned(), "/dev/stdout".to_owned()];
        let table = [
            ("/var/log/maillog", true),
            ("/dev/stdout", true),
            ("/variable/log", false),
            ("/var/../etc/passwd", false),
            ("log", false),
        ];
        for (path, allowed) in table {
            assert_eq!(LogFile::allowed(path, "0644", &prefixes).is_some(), allowed, "{path}");
        }
        for (permissions, mode) in [("0640", 0o640), ("644", 0o644), ("0666", 0o600), ("0755", 0o600), ("x", 0o600)] {
            let file = LogFile::allowed("/var/log/maillog", permissions, &prefixes);
            assert_eq!(file.map(|file| file.mode), Some(mode), "{permissions}");
        }
    }
}

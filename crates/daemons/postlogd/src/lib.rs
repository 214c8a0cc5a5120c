//! postlogd(8): writes the log file.
//!
//! Lines arrive as datagrams, complete with time stamp and newline, and go to `maillog_file` in the order of arrival, those
//! that are at hand in one write. The file is opened before the jail; it is opened anew when the process is replaced, as after
//! a reload.

use config::params;
use service::{Fatal, Life, LifeSpan, Outside, Service};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The daemon.
#[derive(Debug)]
pub struct Postlogd {
    out: Mutex<Out>,
    /// Lines that are written together.
    lines: Mutex<Vec<u8>>,
}

/// Where lines go.
#[derive(Debug)]
pub enum Out {
    /// A file.
    File(File),
    /// Standard output, as `maillog_file = /dev/stdout` says.
    Stdout,
}

impl Service for Postlogd {
    const NAME: &'static str = "postlogd";
    const LIFE_SPAN: LifeSpan = LifeSpan::UntilIdle;
    type Params = params::Layout;
    type Opened = Out;

    fn open(params: &params::Layout, outside: &Outside) -> Result<Out, Fatal> {
        if params.maillog_file.is_empty() {
            return Err(Fatal::new("maillog_file is empty: there is no log file to write"));
        }
        let out = open(params)?;
        if let Out::File(_) = &out {
            // Our own lines must not come back to us.
            outside.log.write_file(&params.maillog_file);
        }
        Ok(out)
    }

    fn start(_: params::Layout, out: Out, _: Life) -> Result<Self, Fatal> {
        Ok(Self { out: Mutex::new(out), lines: Mutex::new(Vec::new()) })
    }

    async fn serve(self: std::sync::Arc<Self>, _: service::Client) {}

    fn datagram(&self, bytes: &[u8]) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        add(&mut lines, bytes);
    }

    fn datagrams_end(&self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if !lines.is_empty() {
            // There is nowhere to say that the log cannot be written.
            let _ = out.write(&lines);
            lines.clear();
        }
    }
}

impl Out {
    /// Writes lines.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_all(bytes),
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
        }
    }
}

/// Adds a line, or several, and the newline that a foreign sender left out.
fn add(lines: &mut Vec<u8>, bytes: &[u8]) {
    lines.extend_from_slice(bytes);
    if !bytes.ends_with(b"\n") {
        lines.push(b'\n');
    }
}

/// Opens `maillog_file`, which must be where `maillog_file_prefixes` allows.
fn open(params: &params::Layout) -> Result<Out, Fatal> {
    let path = params.maillog_file.as_str();
    if !is_allowed(path, &params.maillog_file_prefixes) {
        let prefixes = params.maillog_file_prefixes.join(" ");
        return Err(Fatal::new(format!("maillog_file '{path}' does not match maillog_file_prefixes '{prefixes}'")));
    }
    if path == "/dev/stdout" {
        return Ok(Out::Stdout);
    }
    let mode = u32::from_str_radix(&params.maillog_file_permissions, 8)
        .map_err(|_| Fatal::new(format!("bad maillog_file_permissions value: {}", params.maillog_file_permissions)))?;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(mode)
        .open(path)
        .map_err(|error| Fatal::new(format!("open logfile '{path}': {error}")))?;
    let meta = file.metadata()?;
    if meta.is_file() && meta.mode() & 0o7777 != mode && meta.uid() == effective_user() {
        // The umask is not what decides.
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    Ok(Out::File(file))
}

fn effective_user() -> u32 {
    std::fs::metadata("/proc/self").map_or(u32::MAX, |own| own.uid())
}

/// Whether a path is one of the prefixes, or below one.
fn is_allowed(path: &str, prefixes: &[String]) -> bool {
    let is_plain = Path::new(path).components().all(|part| !matches!(part, std::path::Component::ParentDir));
    is_plain && path.starts_with('/') && prefixes.iter().any(|prefix| Path::new(path).starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    #[test]
    fn lines_are_written_as_they_come() {
        let file = tempfile::tempfile().unwrap();
        let mut out = Out::File(file.try_clone().unwrap());
        let mut lines = Vec::new();
        add(&mut lines, b"Nov 21 10:00:00 host postfix/smtpd[1]: one\n");
        add(&mut lines, b"two");
        out.write(&lines).unwrap();
        let (mut file, mut text) = (file, String::new());
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "Nov 21 10:00:00 host postfix/smtpd[1]: one\ntwo\n");
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
            assert_eq!(is_allowed(path, &prefixes), allowed, "{path}");
        }
    }
}

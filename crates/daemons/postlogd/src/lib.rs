//! postlogd(8): writes the log file.
//!
//! Lines arrive as datagrams, complete with time stamp and newline, and go to `maillog_file` in the order of arrival, those
//! that are at hand in one write. The file is opened before the jail; it is opened anew when the process is replaced, as after
//! a reload.

use config::params;
use maillog::LogFile;
use service::{Fatal, Life, LifeSpan, Outside, Service};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::{Mutex, PoisonError};

/// Room for lines that is kept, in bytes; what a burst needed beyond it is given back.
const USUAL: usize = 256 * 1024;

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

    fn patience(params: &params::Layout) -> Option<std::time::Duration> {
        Some(params.postlogd_watchdog_timeout)
    }

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
            lines.shrink_to(USUAL);
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
    let file =
        LogFile::allowed(path, &params.maillog_file_permissions, &params.maillog_file_prefixes).ok_or_else(|| {
            Fatal::new(format!("maillog_file value '{path}' does not match any prefix in maillog_file_prefixes"))
        })?;
    if path == "/dev/stdout" {
        return Ok(Out::Stdout);
    }
    let mode = file.mode;
    let file = file.open().map_err(|error| Fatal::new(format!("open logfile '{path}': {error}")))?;
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
}

//! Writes lines to where they go, and keeps a bounded number of those that cannot be written yet.

use crate::target::{LogFile, Place, Severity};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

/// Info lines are dropped beyond this many bytes that wait.
const EXPENDABLE: usize = 4 * 1024 * 1024;
/// All lines are dropped beyond this.
const MOST: usize = 8 * 1024 * 1024;
/// Lines of one turn are kept up to this many bytes.
const BATCH: usize = 16 * 1024;
/// Lines that go to postlogd in one datagram.
const TOGETHER: usize = 32 * 1024;
/// How long a program that may wait does so for one line.
const WAIT: Duration = Duration::from_secs(2);

/// The system's log socket.
const SYSLOG: &str = "/dev/log";

/// One line, in the two forms that targets want.
pub(crate) struct Line<'a> {
    pub(crate) severity: Severity,
    /// `<22>Nov 21 10:00:00 postfix/smtpd[1]: text`.
    pub(crate) syslog: &'a [u8],
    /// `Nov 21 10:00:00 host postfix/smtpd[1]: text` and a newline.
    pub(crate) file: &'a [u8],
}

/// When lines are written, and whether a slow reader is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At once, waiting a little.
    Wait,
    /// At once, or later if the reader is slow.
    Now,
    /// At the end of a turn.
    Batch,
}

/// A place for lines, open.
#[derive(Debug)]
pub(crate) struct Sink {
    pace: Pace,
    outlet: Outlet,
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    dropped: u64,
    /// The log daemon was there once, and cannot be reached any more.
    lost: bool,
}

#[derive(Debug)]
enum Outlet {
    Syslog(Option<UnixDatagram>),
    Postlog(UnixDatagram),
    File(File),
    Stdout,
}

impl Sink {
    /// Syslog, connected now if it is there.
    pub(crate) fn syslog(pace: Pace) -> Self {
        Self::new(pace, Outlet::Syslog(connect(Path::new(SYSLOG), pace).ok()))
    }

    fn new(pace: Pace, outlet: Outlet) -> Self {
        Self { pace, outlet, waiting: VecDeque::new(), bytes: 0, dropped: 0, lost: false }
    }

    /// Goes to another place; where that cannot be opened, to the next best one.
    pub(crate) fn redirect(&mut self, place: &Place) {
        let outlet = match place {
            Place::Syslog => connect(Path::new(SYSLOG), self.pace).ok().map(|socket| Outlet::Syslog(Some(socket))),
            Place::Postlog { socket, fallback } => match (connect(socket, self.pace), fallback) {
                (Ok(socket), _) => Some(Outlet::Postlog(socket)),
                (Err(_), Some(file)) if file.path == Path::new("/dev/stdout") => Some(Outlet::Stdout),
                (Err(_), Some(file)) => open(file).ok().map(Outlet::File),
                (Err(_), None) => None,
            },
            Place::File(file) => open(file).ok().map(Outlet::File),
            Place::Stdout => Some(Outlet::Stdout),
        };
        if let Some(outlet) = outlet {
            self.flush();
            self.outlet = outlet;
        }
    }

    /// Keeps lines from now on, until `flush` or one that matters.
    pub(crate) fn batch(&mut self) {
        self.pace = Pace::Batch;
    }

    /// Writes a line, or keeps it until `flush`.
    pub(crate) fn write(&mut self, line: &Line<'_>) {
        let bytes = match self.outlet {
            Outlet::Syslog(_) => line.syslog,
            Outlet::Postlog(_) | Outlet::File(_) | Outlet::Stdout => line.file,
        };
        let keeps = self.pace == Pace::Batch && line.severity.is_expendable() && self.bytes < BATCH;
        if !keeps {
            if !self.waiting.is_empty() {
                self.flush();
            }
            if self.waiting.is_empty() && self.send(bytes).is_ok() {
                return;
            }
        }
        let room = if line.severity.is_expendable() { EXPENDABLE } else { MOST };
        if self.bytes + bytes.len() > room {
            self.dropped += 1;
        } else {
            self.bytes += bytes.len();
            self.waiting.push_back(bytes.to_vec());
        }
    }

    /// Writes what waits, as far as it goes without waiting.
    pub(crate) fn flush(&mut self) {
        while let Some(first) = self.waiting.front() {
            // What is a line to syslog may be several to all others.
            let (count, bytes) = match self.outlet {
                Outlet::Syslog(_) => (1, first.clone()),
                Outlet::Postlog(_) | Outlet::File(_) | Outlet::Stdout => self.several(),
            };
            if self.send(&bytes).is_err() {
                return;
            }
            self.bytes -= bytes.len();
            self.waiting.drain(..count);
        }
    }

    /// As many of the first lines as go together, at least one.
    fn several(&self) -> (usize, Vec<u8>) {
        let mut bytes = Vec::new();
        let mut count = 0;
        for line in &self.waiting {
            if count > 0 && bytes.len() + line.len() > TOGETHER {
                break;
            }
            bytes.extend_from_slice(line);
            count += 1;
        }
        (count, bytes)
    }

    /// Whether lines wait.
    pub(crate) fn is_pending(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether the log daemon was there once, and cannot be reached from where this process is.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// How many lines were lost, once there is room to say so.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        if self.is_pending() { 0 } else { std::mem::take(&mut self.dropped) }
    }

    /// `Err` means: later.
    fn send(&mut self, bytes: &[u8]) -> Result<(), ()> {
        match &mut self.outlet {
            Outlet::Postlog(socket) => send(socket, bytes).map_err(|_| ()),
            Outlet::File(file) => file.write_all(bytes).or(Ok(())),
            Outlet::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush()).or(Ok(()))
            }
            Outlet::Syslog(socket) => {
                match socket.as_ref().map(|open| send(open, bytes)) {
                    Some(Ok(())) => return Ok(()),
                    Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => return Err(()),
                    // The log daemon may have been restarted since.
                    Some(Err(_)) => {
                        *socket = connect(Path::new(SYSLOG), self.pace).ok();
                        self.lost = socket.is_none();
                    }
                    None => *socket = connect(Path::new(SYSLOG), self.pace).ok(),
                }
                // Without a log daemon lines go nowhere, as with syslog(3).
                socket.as_ref().map_or(Ok(()), |open| send(open, bytes).or(Ok(())))
            }
        }
    }
}

fn send(socket: &UnixDatagram, bytes: &[u8]) -> io::Result<()> {
    loop {
        match socket.send(bytes) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn connect(path: &Path, pace: Pace) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    if pace == Pace::Wait {
        socket.set_write_timeout(Some(WAIT))?;
    } else {
        socket.set_nonblocking(true)?;
    }
    Ok(socket)
}

fn open(file: &LogFile) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(file.mode).open(&file.path)
}

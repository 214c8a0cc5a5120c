//! Writes lines to where they go, and keeps a bounded number of those that cannot be written yet.

use crate::target::{Place, Severity};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
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
/// How long a program that may wait does so for one line, and any program for its last lines.
const WAIT: Duration = Duration::from_secs(2);

/// The system's log socket.
const SYSLOG: &str = "/dev/log";

/// How a line looks where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `<22>Nov 21 10:00:00 postfix/smtpd[1]: text`.
    Syslog,
    /// `Nov 21 10:00:00 host postfix/smtpd[1]: text` and a newline.
    File,
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
    waiting: Waiting,
    dropped: u64,
}

#[derive(Debug)]
enum Outlet {
    Syslog {
        socket: Option<UnixDatagram>,
        /// The log daemon was there once, and cannot be reached any more.
        lost: bool,
    },
    Postlog(UnixDatagram),
    File(File),
    Stdout,
}

impl Sink {
    /// Syslog, connected now if it is there.
    pub(crate) fn syslog(pace: Pace) -> Self {
        Self::new(pace, Outlet::Syslog { socket: connect(Path::new(SYSLOG), pace).ok(), lost: false })
    }

    fn new(pace: Pace, outlet: Outlet) -> Self {
        Self { pace, outlet, waiting: Waiting::default(), dropped: 0 }
    }

    /// Goes to another place; where that cannot be opened, to the next best one.
    pub(crate) fn redirect(&mut self, place: &Place) {
        let outlet = match place {
            Place::Syslog => connect(Path::new(SYSLOG), self.pace)
                .ok()
                .map(|socket| Outlet::Syslog { socket: Some(socket), lost: false }),
            Place::Postlog { socket, fallback } => match (connect(socket, self.pace), fallback) {
                (Ok(socket), _) => Some(Outlet::Postlog(socket)),
                (Err(_), Some(file)) if file.path == Path::new("/dev/stdout") => Some(Outlet::Stdout),
                (Err(_), Some(file)) => file.open().ok().map(Outlet::File),
                (Err(_), None) => None,
            },
            Place::File(file) => file.open().ok().map(Outlet::File),
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

    /// How [`Self::write`] wants its lines.
    pub(crate) fn form(&self) -> Form {
        match self.outlet {
            Outlet::Syslog { .. } => Form::Syslog,
            Outlet::Postlog(_) | Outlet::File(_) | Outlet::Stdout => Form::File,
        }
    }

    /// Writes a line, or keeps it until `flush`.
    pub(crate) fn write(&mut self, severity: Severity, line: &[u8]) {
        let keeps = self.pace == Pace::Batch && severity.is_expendable() && self.waiting.bytes() < BATCH;
        if !keeps {
            if !self.waiting.is_empty() {
                self.flush();
            }
            if self.waiting.is_empty() && self.outlet.send(line, self.pace).is_ok() {
                return;
            }
        }
        let room = if severity.is_expendable() { EXPENDABLE } else { MOST };
        if self.waiting.bytes() + line.len() > room {
            self.dropped += 1;
        } else {
            self.waiting.push(line);
        }
    }

    /// Writes what waits, as far as it goes without waiting.
    pub(crate) fn flush(&mut self) {
        // What is a line to syslog may be several to all others.
        let most = if self.form() == Form::Syslog { 0 } else { TOGETHER };
        while let Some((lines, bytes)) = self.waiting.first(most) {
            if self.outlet.send(bytes, self.pace).is_err() {
                return;
            }
            let length = bytes.len();
            self.waiting.remove(lines, length);
        }
    }

    /// Writes what waits, before the program ends: a reader that is slow is waited for.
    pub(crate) fn finish(&mut self) {
        if self.is_pending() {
            self.outlet.be_patient();
        }
        self.flush();
    }

    /// Whether lines wait.
    pub(crate) fn is_pending(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether the log daemon was there once, and cannot be reached from where this process is.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.outlet, Outlet::Syslog { lost: true, .. })
    }

    /// How many lines were lost, once there is room to say so.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        if self.is_pending() { 0 } else { std::mem::take(&mut self.dropped) }
    }
}

/// Lines that could not be written yet, one behind the other.
#[derive(Debug, Default)]
struct Waiting {
    text: Vec<u8>,
    /// Where the first line begins: what stands before it is done.
    start: usize,
    lengths: VecDeque<usize>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    fn bytes(&self) -> usize {
        self.text.len() - self.start
    }

    fn push(&mut self, line: &[u8]) {
        self.text.extend_from_slice(line);
        self.lengths.push_back(line.len());
    }

    /// As many of the first lines as have at most so many bytes together, but one at least; and their number.
    fn first(&self, most: usize) -> Option<(usize, &[u8])> {
        let mut length = *self.lengths.front()?;
        let mut lines = 1;
        for next in self.lengths.iter().skip(1) {
            if length + next > most {
                break;
            }
            length += next;
            lines += 1;
        }
        self.text.get(self.start..self.start + length).map(|bytes| (lines, bytes))
    }

    fn remove(&mut self, lines: usize, length: usize) {
        self.lengths.drain(..lines);
        self.start += length;
        if self.is_empty() {
            // The room that a burst needed is given back.
            self.text.clear();
            self.text.shrink_to(2 * BATCH);
            self.start = 0;
        } else if self.start > self.bytes() {
            // Each byte is moved once at most, on average.
            self.text.drain(..self.start);
            self.start = 0;
        }
    }
}

impl Outlet {
    fn be_patient(&self) {
        if let Self::Postlog(socket) | Self::Syslog { socket: Some(socket), .. } = self {
            // Where that is refused, lines that find no room are lost with the program.
            let _ = patient(socket);
        }
    }

    /// `Err` means: later.
    fn send(&mut self, bytes: &[u8], pace: Pace) -> Result<(), ()> {
        match self {
            Self::Postlog(socket) => send(socket, bytes).map_err(|_| ()),
            Self::File(file) => file.write_all(bytes).or(Ok(())),
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush()).or(Ok(()))
            }
            Self::Syslog { socket, lost } => {
                match socket.as_ref().map(|open| send(open, bytes)) {
                    Some(Ok(())) => return Ok(()),
                    Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => return Err(()),
                    // The log daemon may have been restarted since.
                    Some(Err(_)) => {
                        *socket = connect(Path::new(SYSLOG), pace).ok();
                        *lost = socket.is_none();
                    }
                    None => *socket = connect(Path::new(SYSLOG), pace).ok(),
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
        patient(&socket)?;
    } else {
        socket.set_nonblocking(true)?;
    }
    Ok(socket)
}

fn patient(socket: &UnixDatagram) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    socket.set_write_timeout(Some(WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_lines_come_out_whole_and_in_order() {
        let lines: Vec<Vec<u8>> =
            (0..500_usize).map(|n| vec![u8::try_from(n % 251).unwrap(); n * 7 % 90 + 1]).collect();
        for most in [0, 100, 1000] {
            let mut waiting = Waiting::default();
            let mut seen = Vec::new();
            for (n, line) in lines.iter().enumerate() {
                waiting.push(line);
                // Two come for each that goes.
                if n % 2 == 1 || n > 400 {
                    let (count, bytes) = waiting.first(most).unwrap();
                    assert!(count == 1 || bytes.len() <= most);
                    let bytes = bytes.to_vec();
                    waiting.remove(count, bytes.len());
                    seen.extend(bytes);
                }
            }
            while let Some((count, bytes)) = waiting.first(most) {
                let bytes = bytes.to_vec();
                waiting.remove(count, bytes.len());
                seen.extend(bytes);
            }
            assert_eq!(seen, lines.concat());
            assert!(waiting.is_empty() && waiting.bytes() == 0);
        }
    }
}

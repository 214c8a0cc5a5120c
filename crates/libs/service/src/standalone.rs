//! The one client of a daemon that was started with `-S`: on standard input and output.

use crate::Fatal;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// How long replies may take on their way out, after the last one.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// The one client, and what carries its replies where it is not a socket itself.
#[derive(Debug)]
pub(crate) struct Standard {
    /// Taken by the one who serves it.
    pub(crate) stream: Option<UnixStream>,
    carried: Option<Receiver<()>>,
}

impl Standard {
    /// Waits until the last reply has gone out. The stream is closed by now.
    pub(crate) fn finish(self) {
        if let Some(carried) = self.carried {
            // A client that does not read them does without.
            let _ = carried.recv_timeout(LAST_WORDS);
        }
    }
}

/// A stream for standard input and output: the socket itself if it is one, else one end of a pair that is pumped.
pub(crate) fn stream() -> Result<Standard, Fatal> {
    let input = privsep::inherited(0)?;
    if privsep::is_unix_socket(&input) {
        return Ok(Standard { stream: Some(UnixStream::from(input)), carried: None });
    }
    let (ours, theirs) = UnixStream::pair()?;
    let to = theirs.try_clone()?;
    let mut input = std::fs::File::from(input);
    // The threads end with the process.
    std::thread::spawn(move || {
        let mut to = to;
        let _ = io::copy(&mut input, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (done, carried) = mpsc::channel();
    std::thread::spawn(move || {
        pump_out(theirs);
        // Nobody waits if the process ends otherwise.
        let _ = done.send(());
    });
    Ok(Standard { stream: Some(ours), carried: Some(carried) })
}

/// Each reply goes out at once.
fn pump_out(mut from: UnixStream) {
    let mut buffer = [0; 16 * 1024];
    let mut out = io::stdout();
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let Some(part) = buffer.get(..count) else { break };
        if out.write_all(part).and_then(|()| out.flush()).is_err() {
            break;
        }
    }
}

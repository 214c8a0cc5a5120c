//! The one client of a daemon that was started with `-S`: on standard input and output.

use crate::Fatal;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

/// A stream for standard input and output: the socket itself if it is one, else one end of a pair that is pumped.
pub(crate) fn stream() -> Result<UnixStream, Fatal> {
    let input = privsep::inherited(0)?;
    if privsep::is_unix_socket(&input) {
        return Ok(UnixStream::from(input));
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
    std::thread::spawn(move || pump_out(theirs));
    Ok(ours)
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

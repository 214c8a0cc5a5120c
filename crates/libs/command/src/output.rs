//! Standard output of commands that print.

use privsep::Signal;
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

/// What is kept before it is written.
const BUFFER: usize = 64 * 1024;

/// Standard output. When nobody reads on, which is no fault of anybody's, the command ends as others do: by the signal for that,
/// without a word. It is ignored otherwise, since a daemon that goes away must not end a command.
#[derive(Debug)]
pub struct Output(StdoutLock<'static>);

/// Standard output with a buffer.
#[must_use]
pub fn output() -> BufWriter<Output> {
    BufWriter::with_capacity(BUFFER, Output(io::stdout().lock()))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).inspect_err(end_with_reader)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().inspect_err(end_with_reader)
    }
}

fn end_with_reader(error: &io::Error) {
    if error.kind() == ErrorKind::BrokenPipe {
        // Should this fail, the error is told in place of it.
        let _ = privsep::default_signal(Signal::SIGPIPE);
        let _ = privsep::kill(std::process::id(), Signal::SIGPIPE);
    }
}

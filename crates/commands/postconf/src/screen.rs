//! Standard output and standard error of this command.

use command::Output;
use std::fmt::Display;
use std::io::{BufWriter, Stderr, Write};
use std::process::ExitCode;

/// Why the command ends without having done all.
#[derive(Debug)]
pub(crate) struct Fatal(pub(crate) String);

impl<E: Display> From<E> for Fatal {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Where results and complaints go.
#[derive(Debug)]
pub(crate) struct Screen {
    out: BufWriter<Output>,
    complaints: Stderr,
    program: String,
    broken: bool,
    /// Whether warnings are left out.
    pub(crate) quiet: bool,
}

impl Screen {
    /// Complaints begin with the name of the program, as it was called.
    pub(crate) fn new(program: &str) -> Self {
        let out = command::output();
        Self { out, complaints: std::io::stderr(), program: program.to_owned(), broken: false, quiet: false }
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(b"\n");
    }

    /// Prints what may be no text.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.broken |= self.out.write_all(bytes).is_err();
    }

    /// Warns of something, unless that is not wanted.
    pub(crate) fn warn(&mut self, text: &str) {
        if !self.quiet {
            self.complain(&format!("warning: {text}"));
        }
    }

    /// Says something about the command line.
    pub(crate) fn complain(&mut self, text: &str) {
        self.broken |= self.out.flush().is_err();
        let _ = writeln!(self.complaints, "{}: {text}", self.program);
    }

    /// Ends the command in failure.
    pub(crate) fn fatal(&mut self, fatal: &Fatal) -> ExitCode {
        for line in fatal.0.lines() {
            self.complain(line);
        }
        ExitCode::FAILURE
    }

    /// Ends the command.
    pub(crate) fn finish(&mut self) -> ExitCode {
        let flushed = self.out.flush();
        if self.broken || flushed.is_err() {
            return self.fatal(&Fatal("fatal: write error on standard output".to_owned()));
        }
        ExitCode::SUCCESS
    }
}

/// A `fatal:` message.
pub(crate) fn fatal<T>(text: impl Display) -> Result<T, Fatal> {
    Err(Fatal(format!("fatal: {text}")))
}

//! master(8): supervises the daemons that master.cf names.
//!
//! It opens every listening socket, starts processes on demand, passes them the sockets and a status channel, restarts
//! what fails (throttled), wakes services up, and reloads without dropping a connection. It never touches mail, and never
//! reads a byte from a client. One thread, one poll; what to do about a service is decided in `pool`, without a clock or
//! a process of its own.

mod birth;
mod listen;
mod lock;
mod notify;
mod options;
mod pool;
mod process;
mod reload;
mod service;
mod settings;
mod shares;
mod supervise;

pub use pool::{Pool, State};
pub use shares::Shares;

use maillog::{Echo, Patience, Verbosity};
use options::{Mode, Options};
use privsep::Background;
use std::process::ExitCode;
use std::time::Duration;

/// How long the process in front waits for the beginning of the one behind.
const BEGINNING: Duration = Duration::from_secs(10);

/// What ends master, for the operator to read.
#[derive(Debug)]
pub(crate) struct Fatal(String);

impl<E: std::error::Error> From<E> for Fatal {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Fatal {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Lives the whole life of master.
#[must_use]
pub fn run() -> ExitCode {
    let options = Options::parse(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()));
    // Until it tells, or is gone, the process in front waits: the reason of a failure is logged before that.
    let mut begun = match &options {
        Ok(Options { wait: true, .. }) => match privsep::background(BEGINNING) {
            Ok(Background::Front(true)) => return ExitCode::SUCCESS,
            Ok(Background::Front(false)) | Err(_) => return ExitCode::FAILURE,
            Ok(Background::Back(begun)) => Some(begun),
        },
        Ok(_) | Err(_) => None,
    };
    let verbose = options.as_ref().is_ok_and(|options| options.verbose > 0);
    let verbosity = if verbose { Verbosity::Verbose } else { Verbosity::Normal };
    let log = maillog::init("master", Echo::Stderr, Patience::Buffer, verbosity);
    let lived = options.and_then(|options| match options.mode {
        Mode::Test => birth::test(&options, &log),
        Mode::Usual | Mode::Foreground | Mode::Init | Mode::Debug => birth::live(&options, &mut begun, &log),
    });
    let code = lived.unwrap_or_else(|Fatal(reason)| {
        maillog::fatal!("{reason}");
        ExitCode::FAILURE
    });
    log.finish();
    code
}

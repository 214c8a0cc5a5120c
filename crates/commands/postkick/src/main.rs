//! postkick(1): wakes a service.
//!
//! # Synopsis
//!
//!     postkick [-v] [-c DIR] CLASS SERVICE REQUEST
//!
//! # Description
//!
//! Sends a request, which is a few letters, to the socket of a service: `public` or `private`, its name, and the letters that it
//! understands. `postkick public qmgr FW` has the queue manager look at all queued mail; `postkick public pickup W` has pickup look
//! at the maildrop. The status is not 0 if the service cannot be reached.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("postkick").run(postkick::run)
}

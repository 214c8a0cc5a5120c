//! qmqp-sink(1): a QMQP server for tests, which takes messages and throws them away.
//!
//! # Synopsis
//!
//!     qmqp-sink [-46cv] [-x SECONDS] [inet:][HOST]:PORT BACKLOG
//!     qmqp-sink [-46cv] [-x SECONDS] unix:PATH BACKLOG
//!
//! # Description
//!
//! Listens on a port or socket, speaks QMQP over many sessions at a time, and throws away what it gets, without a look at
//! what is in it. Never run it as a real server: it accepts everything.
//!
//! # Options
//!
//! - `-4`, `-6`: Listen by IPv4 or IPv6 only.
//! - `-c`: Show a counter of messages.
//! - `-v`: Changes nothing.
//! - `-x SECONDS`: End after that time.
//!
//! # Diagnostics
//!
//! A client that does not speak QMQP, or leaves amid a message, is told of on standard error.
//!
//! # See also
//!
//! qmqp-source(1), qmqpd(8), smtp-sink(1)

use std::process::ExitCode;

use qmqp_sink::Options;

const USAGE: &str = "usage: qmqp-sink [-46cv] [-x time] [host]:port backlog";

fn main() -> ExitCode {
    let options = Options::parse(std::env::args_os().skip(1));
    trial::program::run("qmqp-sink", USAGE, options, qmqp_sink::run)
}

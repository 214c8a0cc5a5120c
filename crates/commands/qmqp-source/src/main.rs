//! qmqp-source(1): sends test messages by QMQP over many sessions at a time.
//!
//! # Synopsis
//!
//!     qmqp-source [OPTIONS] [inet:]HOST[:PORT]
//!     qmqp-source [OPTIONS] unix:PATH
//!
//! # Description
//!
//! Connects to a server, at port 628 where no other is given, and sends messages of some size, number and rate, over as many
//! sessions at a time as are asked for. Each message has a session of its own. It is for measuring and for trying limits.
//!
//! # Options
//!
//! - `-4`, `-6`: Connect by IPv4 or IPv6 only.
//! - `-c`: Show a counter of the messages that were taken.
//! - `-C COUNT`: Attempts to connect where the host refuses, 1 by default.
//! - `-f FROM`, `-t TO`: Sender and recipient, by default `foo@` and the name of this host.
//! - `-l LENGTH`: Bytes of a message with its headers, 1024 by default.
//! - `-m COUNT`: Messages in all, 1 by default.
//! - `-M NAME`: The name of this host in default addresses and in the message.
//! - `-r COUNT`: Recipients of each message, 1 by default. More than one have numbers before their address.
//! - `-R SECONDS`, `-w SECONDS`: Pause between messages of a session, of random length up to that, or always as long.
//! - `-s COUNT`: Sessions at a time, 1 by default.
//! - `-v`: Changes nothing.
//!
//! # Diagnostics
//!
//! The first message that is not taken ends it: what the server said goes to standard error, and the status is 1.
//!
//! # See also
//!
//! qmqp-sink(1), qmqpd(8), smtp-source(1)

use std::process::ExitCode;

const USAGE: &str = "usage: qmqp-source -cv -s sess -l msglen -m msgs -C count -M myhostname -f from -t to \
    -r rcptcount -R delay -w delay host[:port]";

fn main() -> ExitCode {
    let load = qmqp_source::options(std::env::args_os().skip(1));
    trial::program::run("qmqp-source", USAGE, load, qmqp_source::run)
}

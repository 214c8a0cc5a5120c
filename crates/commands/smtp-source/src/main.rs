//! smtp-source(1): sends test messages over many sessions at a time.
//!
//! # Synopsis
//!
//!     smtp-source [OPTIONS] HOST[:PORT]
//!     smtp-source [OPTIONS] unix:PATH
//!
//! # Description
//!
//! Connects to a server, at port 25 where no other is given, and sends messages of some size, number and rate, over as many
//! sessions at a time as are asked for. The defaults send one short message. It is for measuring and for trying limits.
//!
//! # Options
//!
//! - `-4`, `-6`: Connect by IPv4 or IPv6 only.
//! - `-A`: Go on where the server rejects something; such a message is taken back.
//! - `-c`: Show a counter of the messages that were taken.
//! - `-C COUNT`: Attempts to connect where the host refuses, 1 by default.
//! - `-d`: Keep a session for all its messages; by default each message has one of its own.
//! - `-f FROM`, `-t TO`: Sender and recipient, by default `foo@` and the name of this host.
//! - `-F FILE`: Send this message, headers and all.
//! - `-l LENGTH`: Bytes of the body.
//! - `-L`: Speak LMTP.
//! - `-m COUNT`: Messages in all, 1 by default.
//! - `-M NAME`: The name of this host in greetings, default addresses and messages.
//! - `-N`: Number recipients from 1 on, over all messages; by default by how many follow in their message.
//! - `-o`: Send neither HELO nor headers.
//! - `-r COUNT`: Recipients of each message, 1 by default. More than one have numbers before their address.
//! - `-R SECONDS`, `-w SECONDS`: Pause between messages of a session, of random length up to that, or always as long.
//! - `-s COUNT`: Sessions at a time, 1 by default.
//! - `-S SUBJECT`: The subject.
//! - `-T SIZE`, `-v`: Change nothing.
//!
//! # Diagnostics
//!
//! The first rejection ends it, but for `-A`: what the server said goes to standard error, and the status is 1.
//!
//! # See also
//!
//! smtp-sink(1), qmqp-source(1)

use std::process::ExitCode;

use smtp_source::options::Options;

const USAGE: &str = "usage: smtp-source -cdLNov -s sess -l msglen -m msgs -C count -M myhostname -f from -t to \
    -r rcptcount -R delay -w delay host[:port]";

fn main() -> ExitCode {
    let options = Options::parse(std::env::args_os().skip(1));
    trial::program::run("smtp-source", USAGE, options, smtp_source::run)
}

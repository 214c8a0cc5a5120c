//! smtp-sink(1): a server for tests, which takes messages and throws them away.
//!
//! # Synopsis
//!
//!     smtp-sink [OPTIONS] [HOST]:PORT BACKLOG
//!     smtp-sink [OPTIONS] unix:PATH BACKLOG
//!
//! # Description
//!
//! Listens on a port or socket, speaks SMTP or LMTP over many sessions at a time, and throws away what it gets. Options have it
//! refuse, delay or break off at every stage, so that clients can be tried. A wrong option prints what there is.
//! Never run it as a real server: it accepts everything.

use std::process::ExitCode;

use smtp_sink::options::Options;

const USAGE: &str = "usage: smtp-sink [-468acCeEFLpPv] [-A abort_delay] [-b soft_bounce_reply] \
    [-B hard_bounce_reply] [-d dump-template] [-D dump-template] [-f commands] [-h hostname] [-m max_concurrency] \
    [-M message_quit_count] [-n quit_count] [-q commands] [-r commands] [-R root-dir] [-s commands] \
    [-S start-string] [-u user_privs] [-w delay] [host]:port backlog";

fn main() -> ExitCode {
    let options = Options::parse(std::env::args_os().skip(1));
    trial::program::run("smtp-sink", USAGE, options, smtp_sink::run)
}

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
//! refuse, delay or break off at every stage, so that clients can be tried. Never run it as a real server: it accepts everything.
//!
//! # Options
//!
//! Commands are `connect` (the greeting), `helo`, `ehlo`, `lhlo`, `mail`, `rcpt`, `data`, `.` (the end of a message), `rset`,
//! `noop`, `vrfy`, `quit`, `auth`, `xclient` and `xforward`, with commas or blanks between them.
//!
//! - `-4`, `-6`: Listen by IPv4 or IPv6 only.
//! - `-8`, `-a`, `-C`, `-E`, `-F`, `-N`, `-p`: Do not offer 8BITMIME, AUTH, XCLIENT, ENHANCEDSTATUSCODES, XFORWARD, DSN, PIPELINING.
//! - `-A SECONDS`: Wait as long behind DATA, say 550, and hang up.
//! - `-b REPLY`, `-B REPLY`: What `-r` and `-f` say.
//! - `-c`: Show counters of sessions, QUIT commands and messages.
//! - `-d TEMPLATE`, `-D TEMPLATE`: Keep each message in a file, or all in one; its name is a template of strftime(3).
//! - `-e`: Offer no extensions at all.
//! - `-f COMMANDS`, `-r COMMANDS`: Reject them with a 5xx or a 4xx reply.
//! - `-h NAME`: The name of this host, by default `smtp-sink`.
//! - `-H SECONDS`: Wait as long behind DATA before content is read.
//! - `-L`: Speak LMTP.
//! - `-m COUNT`: Sessions at a time, 256 by default.
//! - `-M COUNT`, `-n COUNT`: End after so many messages or sessions.
//! - `-P`: Greet as a certain firewall does.
//! - `-q COMMANDS`, `-Q COMMANDS`: Hang up at them, without a reply or with 421.
//! - `-s COMMANDS`: Show them on standard error; `-v`: show everything.
//! - `-S TEXT`: Put this before each message that is kept. C escapes are known.
//! - `-t SECONDS`: How long a client may be silent, 100 by default.
//! - `-w SECONDS`, `-W COMMAND:SECONDS[:ODDS]`: Wait before the reply to DATA, or to some command; with odds, in percent, again.
//! - `-R DIRECTORY`, `-T SIZE`, `-u USER`: Change nothing.
//!
//! # See also
//!
//! smtp-source(1), qmqp-sink(1)

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

//! sendmail(1): the Sendmail-compatible command.
//!
//! # Synopsis
//!
//!     sendmail [OPTIONS] [RECIPIENT...]
//!     mailq
//!     newaliases
//!
//! # Description
//!
//! Submits the message on standard input to the recipients that are named. It has no rights of its own: messages go to pickup(8) by its
//! socket, or through postdrop(1). As `mailq` it lists the queue, as `newaliases` it makes the alias databases. Whatever goes
//! wrong ends with a status other than 0, mostly 75, so that programs try again.
//!
//! # Options
//!
//! - `-t`: take recipients from the headers To, Cc and Bcc; Bcc is removed.
//! - `-f ADDRESS`: the envelope sender; `-r` is the same.
//! - `-F NAME`: the full name of the sender.
//! - `-i`: a line with only a dot does not end the message; `-oi` is the same.
//! - `-bm`: submit a message, the default.
//! - `-bp`: list the queue, as `mailq`.
//! - `-bi`: make the alias databases, as `newaliases`.
//! - `-bs`: speak SMTP on standard input and output.
//! - `-bv`: do not deliver, but send a report of what would be done; `-v` once: deliver and send a report.
//! - `-bd`: start the mail system.
//! - `-q`: try all queued mail; `-qIID`: one message; `-qRSITE`: the mail for a domain.
//! - `-B TYPE`: `7BIT` or `8BITMIME`.
//! - `-C FILE`: main.cf, or its directory.
//! - `-G`: the message comes from elsewhere: no headers are completed.
//! - `-L TAG`: the name to log under.
//! - `-N CONDITIONS`: when to send reports: `never`, or some of `success`, `failure`, `delay`.
//! - `-O smtputf8`: the message needs SMTPUTF8; other settings of `-O` and `-o` are ignored.
//! - `-O requiretls`: the message is sent over verified TLS only (REQUIRETLS).
//! - `-R WHAT`: what failure reports carry: `full` or `hdrs`.
//! - `-V ID`: the envelope id for reports.
//! - `-XV`: a sender's address of its own for each recipient (VERP); `-XV+=` with other delimiters.
//!
//! # Environment
//!
//! - `MAIL_CONFIG`: the configuration directory.
//! - `NAME`: the full name of the sender.

use std::process::ExitCode;

fn main() -> ExitCode {
    sendmail::run()
}

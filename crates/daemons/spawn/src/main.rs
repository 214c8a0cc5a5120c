//! spawn(8): runs a command for each connection.
//!
//! # Synopsis
//!
//!     spawn user=USER[:GROUP] argv=COMMAND ARGUMENTS...
//!
//! # Description
//!
//! Runs the command that master.cf names whenever a client connects, with the connection as its standard input, output and error, and with
//! the rights of a user who is neither root nor the owner of the mail system. It is mostly used for policy servers. A command that
//! takes longer than `NAME_time_limit` is ended.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::solo::run::<spawn::Spawn>()
}

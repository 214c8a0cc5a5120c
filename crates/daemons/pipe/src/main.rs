//! pipe(8): delivers to a command.
//!
//! # Synopsis
//!
//!     pipe flags=FLAGS user=USER[:GROUP] [ATTRIBUTE=VALUE...] argv=COMMAND ARGUMENTS...
//!
//! # Description
//!
//! Runs the command that master.cf names for each delivery, with the message on its standard input and the rights of a user who
//! is neither root nor the owner of the mail system. No shell sees its arguments. Its exit status is one of sysexits(3): 0 is
//! delivered, 75 is tried again, others are returned. What it prints becomes part of the notice.
//!
//! # Attributes
//!
//! - `user=USER[:GROUP]`: whose rights the command has. It must be given.
//! - `argv=`: the command; all that follows belongs to it.
//! - `flags=`: letters: `B` append an empty line, `D` prepend Delivered-To, `F` prepend a From line, `O` prepend X-Original-To, `R` prepend Return-Path, `X` the delivery is final, `h` fold the host to lower case, `q` quote addresses, `u` fold the user to lower case, `.` double leading dots, `>` mark From lines.
//! - `chroot=DIR`: the root directory of the command; `directory=DIR`: its working directory.
//! - `eol=TEXT`: how lines end, `\n` by default.
//! - `null_sender=TEXT`: what stands for the empty sender, `MAILER-DAEMON` by default.
//! - `size=BYTES`: the largest message.
//!
//! # Arguments
//!
//! `${sender}`, `${recipient}`, `${user}`, `${extension}`, `${domain}`, `${mailbox}`, `${nexthop}`, `${queue_id}`, `${size}`,
//! `${original_recipient}`, `${client_address}` and their like are replaced in arguments. An argument with a recipient's name in it is repeated for
//! each recipient of the delivery; `NAME_destination_recipient_limit = 1` has one recipient at a time.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::solo::run::<pipe::Pipe>()
}

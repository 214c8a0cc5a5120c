//! local(8): delivers to users, aliases, files and commands of this host.
//!
//! # Description
//!
//! A recipient is looked up in `alias_maps`; else it is a user, whose `.forward` counts if there is one; else `fallback_transport` or
//! `luser_relay` may have it. Destinations are mailboxes, Maildirs (names that end with a slash), files, commands (behind a bar) and
//! addresses. `mailbox_transport`, `mailbox_command` and `home_mailbox` say, in this order, what becomes of a user's own mail; without
//! them it goes to `mail_spool_directory`.
//!
//! Whatever a user decides is done with that user's rights: commands and files of `.forward`, Maildirs. Commands and files of
//! aliases are those of the owner of the alias database, or of `default_privs`. A message that has been here before, as its
//! Delivered-To headers say, is returned. Failures that may pass defer.
//!
//! # Environment of commands
//!
//! Commands have `SHELL`, `HOME`, `USER`, `EXTENSION`, `DOMAIN`, `LOCAL`, `RECIPIENT`, `SENDER`, `ORIGINAL_RECIPIENT`, `ENVID`,
//! `CLIENT_ADDRESS` and others of that kind. Their exit status is one of sysexits(3).
//!
//! # Files
//!
//! - `/etc/aliases`: aliases of the host.
//! - `~/.forward`: where a user's mail goes.
//! - `/var/mail`: mailboxes.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::solo::run::<local::Local>()
}

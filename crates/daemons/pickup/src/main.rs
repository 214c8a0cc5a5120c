//! pickup(8): takes local mail from the maildrop.
//!
//! # Description
//!
//! Hands files that postdrop(1) left in `maildrop`, and messages that sendmail(1) brings to its submission socket, to cleanup(8). A
//! file is removed only when cleanup(8) has the message on disk. Nothing that a file says is believed but the message: its sender
//! is the user who owns it. `content_filter`, `receive_override_options` and `non_smtpd_milters` may be set with `-o` in master.cf.
//!
//! # Files
//!
//! - `/var/spool/postfix/maildrop`: messages of local users.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<pickup::Pickup>()
}

//! virtual(8): delivers to mailboxes of users who have no account.
//!
//! # Description
//!
//! Looks up the recipient in `virtual_mailbox_maps`; the result, below `virtual_mailbox_base`, is an mbox file, or a Maildir if it ends with a
//! slash. `virtual_uid_maps` and `virtual_gid_maps` say whose it is; below `virtual_minimum_uid` nothing is delivered. There
//! are no aliases, no `.forward` and no commands here. `virtual_mailbox_limit` bounds a mailbox.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::solo::run::<virtual_agent::Virtual>()
}

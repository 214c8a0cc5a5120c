//! Who may look at the queue, and who may flush it: `authorized_mailq_users`, `authorized_flush_users`.

use crate::{EX_UNAVAILABLE, Params};
use command::{Caller, Fatal, is_anyone};

/// What the user wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    View,
    Flush,
}

/// Refuses who may not. Root and the mail system itself always may.
pub(crate) fn check(act: Act, params: &Params, source: &config::Source) -> Result<(), Fatal> {
    let (name, users, verb) = match act {
        Act::View => ("authorized_mailq_users", &params.sendmail.authorized_mailq_users, "view"),
        Act::Flush => ("authorized_flush_users", &params.sendmail.authorized_flush_users, "flush"),
    };
    // What everyone may needs no account.
    if is_anyone(users) {
        return Ok(());
    }
    let caller = Caller::find()?;
    if caller.is_trusted(&params.layout.mail_owner) || caller.is_in(name, users, source)? {
        return Ok(());
    }
    let reason = format!("{caller} is not allowed to {verb} the mail queue");
    Err(Fatal::new(reason).with_status(EX_UNAVAILABLE))
}

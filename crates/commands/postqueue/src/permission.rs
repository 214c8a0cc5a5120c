//! Who may look at the queue, and who may flush it: `authorized_mailq_users`, `authorized_flush_users`.

use crate::{EX_UNAVAILABLE, Params};
use command::Fatal;
use privsep::User;
use table::{Environment, Parents, PatternList};

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
    if users.as_slice() == ["static:anyone"] {
        return Ok(());
    }
    let uid = privsep::real_uid();
    let user = User::by_uid(uid)?;
    let login = user.as_ref().map_or("unknown", |user| user.name.as_str());
    if uid == 0 || login == params.layout.mail_owner {
        return Ok(());
    }
    let list = PatternList::open(name, users, Parents::Dotted, &Environment::of(source));
    if table::block_on(list.matches_string(login.as_bytes()))? {
        return Ok(());
    }
    let reason = format!("User {login}({uid}) is not allowed to {verb} the mail queue");
    Err(Fatal::new(reason).with_status(EX_UNAVAILABLE))
}

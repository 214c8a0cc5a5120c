//! Who may submit mail, and under which sender: `authorized_submit_users`, `local_login_sender_maps`.

use crate::Params;
use address::Address;
use command::{Caller, Fatal, is_anyone};
use queue_file::{Buffered, Message};
use std::fs::File;
use table::{Environment, Maps};

/// The user, who may submit; `None` where nothing depends on who it is.
pub(crate) fn check(params: &Params, source: &config::Source) -> Result<Option<Caller>, Fatal> {
    let users = &params.sendmail.authorized_submit_users;
    if is_anyone(users) && every_sender(params) {
        return Ok(None);
    }
    let caller = Caller::find()?;
    caller.may_submit(users, source)?;
    Ok(Some(caller))
}

/// Whether everyone may use every sender, so that nothing need be looked up.
fn every_sender(params: &Params) -> bool {
    params.sendmail.local_login_sender_maps.as_slice() == ["static:*"]
}

/// Refuses a sender that the user may not use. Root and the mail system may use any.
pub(crate) fn check_sender(params: &Params, source: &config::Source, user: &Caller, file: &File) -> Result<(), Fatal> {
    if every_sender(params) || user.is_trusted(&params.layout.mail_owner) {
        return Ok(());
    }
    let message = Message::parse_leading(Buffered::small(file), 0)?;
    let maps =
        Maps::open("local_login_sender_maps", &params.sendmail.local_login_sender_maps, &Environment::of(source));
    let patterns = table::block_on(maps.lookup(user.login.as_bytes()))?.unwrap_or_default();
    let empty = &params.sendmail.empty_address_local_login_sender_maps_lookup_key;
    let delimiters = params.identity.recipient_delimiter.as_bytes();
    let sender = Address::from(&message.sender[..]);
    let patterns = String::from_utf8_lossy(&patterns).into_owned();
    let allowed = patterns
        .split([',', ' ', '\t'])
        .filter(|pattern| !pattern.is_empty())
        .any(|pattern| matches(pattern.as_bytes(), &sender, empty, delimiters));
    if allowed {
        return Ok(());
    }
    Err(Fatal::new(format!("{user} is not allowed to use sender address '{sender}'")))
}

/// Whether a pattern (`*`, `user`, `user@domain`, `@domain`, or the key of the null sender) covers a sender.
fn matches(pattern: &[u8], sender: &Address, empty: &str, delimiters: &[u8]) -> bool {
    if sender.is_empty() {
        return pattern == b"*" || pattern == empty.as_bytes();
    }
    if pattern == b"*" || pattern.eq_ignore_ascii_case(sender.as_bytes()) {
        return true;
    }
    let (local, domain) = (sender.local_part(), sender.domain());
    let (user, _) = address::split_extension(local, delimiters);
    let same_domain = |wanted: &[u8]| domain.is_some_and(|domain| domain.eq_ignore_ascii_case(wanted));
    match pattern.iter().position(|&b| b == b'@').and_then(|at| pattern.split_at_checked(at)) {
        Some((&[], rest)) => same_domain(rest.get(1..).unwrap_or_default()),
        Some((name, rest)) => name.eq_ignore_ascii_case(user) && same_domain(rest.get(1..).unwrap_or_default()),
        None => domain.is_none() && pattern.eq_ignore_ascii_case(user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_senders() {
        for (pattern, sender, covers) in [
            ("*", "a@b", true),
            ("*", "", true),
            ("<>", "", true),
            ("a@b", "", false),
            ("a@b", "A@B", true),
            ("a@b", "a+x@b", true),
            ("@b", "c@b", true),
            ("@b", "c@d", false),
            ("a", "a", true),
            ("a", "a+x", true),
            ("a", "a@b", false),
        ] {
            let found = matches(pattern.as_bytes(), &Address::from(sender), "<>", b"+");
            assert_eq!(found, covers, "{pattern} {sender}");
        }
    }
}

//! The accounts of a mail system: its own user, the user for files and commands of nobody in particular, and the group of the
//! commands that submit mail. What one may do another must not, so they are three, and none of them is root's.

use crate::{Error, Group, Owner, User};
use std::path::{Path, PathBuf};

/// The accounts, as main.cf names them.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a> {
    /// `mail_owner`.
    pub mail_owner: &'a str,
    /// `default_privs`.
    pub default_privs: &'a str,
    /// `setgid_group`.
    pub setgid_group: &'a str,
}

/// Why a mail system with such accounts must not run.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Nobody knows who they are now.
    #[error(transparent)]
    Lookup(#[from] Error),
    /// One of them is missing, or may too much.
    #[error("file {}: {reason}", .main_cf.display())]
    Account {
        /// Where they are named.
        main_cf: PathBuf,
        /// Which, and why.
        reason: String,
    },
}

impl Roles<'_> {
    /// Looks the accounts up, and gives `mail_owner` if all may be used. `main_cf` is the file that errors name.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn check(&self, main_cf: &Path) -> Result<Owner, Unfit> {
        let unfit = |reason| Unfit::Account { main_cf: main_cf.to_owned(), reason };
        let owner = Owner::by_name(self.mail_owner)?;
        let stranger = User::by_name(self.default_privs)?.map(|user| (user.uid, user.gid));
        let group = Group::by_name(self.setgid_group)?.map(|group| group.gid);
        self.judge(owner.as_ref().map(|owner| (owner.uid, owner.gid)), stranger, group).map_err(unfit)?;
        owner.ok_or_else(|| unfit(unknown("mail_owner", self.mail_owner)))
    }

    /// Judges ids of user and group; of accounts that do not exist there are none.
    fn judge(&self, owner: Option<Ids>, stranger: Option<Ids>, group: Option<u32>) -> Result<(), String> {
        let Self { mail_owner, default_privs, setgid_group } = self;
        let stranger = unprivileged("default_privs", default_privs, stranger)?;
        let owner = unprivileged("mail_owner", mail_owner, owner)?;
        let group = match group {
            None => return Err(format!("parameter setgid_group: unknown group name: {setgid_group}")),
            Some(0) => return Err(format!("parameter setgid_group: group {setgid_group} has privileged group ID")),
            Some(group) => group,
        };
        let users = format!("parameters default_privs and mail_owner: users {default_privs} and {mail_owner}");
        let with_group = |parameter, user| {
            format!(
                "parameters {parameter} and setgid_group: user {user} and group {setgid_group} have the same group ID"
            )
        };
        if default_privs == mail_owner {
            return Err(format!("parameters default_privs and mail_owner specify the same user {default_privs}"));
        }
        for (is_same, text) in [
            (stranger.0 == owner.0, format!("{users} have the same user ID: {}", owner.0)),
            (stranger.1 == owner.1, format!("{users} have the same group ID: {}", owner.1)),
            (stranger.1 == group, format!("{}: {group}", with_group("default_privs", default_privs))),
            (owner.1 == group, format!("{}: {group}", with_group("mail_owner", mail_owner))),
        ] {
            if is_same {
                return Err(text);
            }
        }
        Ok(())
    }
}

type Ids = (u32, u32);

fn unprivileged(parameter: &str, name: &str, ids: Option<Ids>) -> Result<Ids, String> {
    match ids {
        None => Err(unknown(parameter, name)),
        Some((0, _)) => Err(format!("parameter {parameter}: user {name} has privileged user ID")),
        Some((_, 0)) => Err(format!("parameter {parameter}: user {name} has privileged group ID")),
        Some(ids) => Ok(ids),
    }
}

fn unknown(parameter: &str, name: &str) -> String {
    format!("parameter {parameter}: unknown user name value: {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_apart_and_none_is_roots() {
        let roles = Roles { mail_owner: "o", default_privs: "d", setgid_group: "g" };
        let (owner, stranger) = (Some((1, 11)), Some((2, 12)));
        let shared = "parameters default_privs and mail_owner: users d and o have the same";
        for (owner, stranger, group, expected) in [
            (owner, stranger, Some(3), Ok(())),
            (None, stranger, Some(3), Err("parameter mail_owner: unknown user name value: o".to_owned())),
            (owner, None, Some(3), Err("parameter default_privs: unknown user name value: d".to_owned())),
            (owner, stranger, None, Err("parameter setgid_group: unknown group name: g".to_owned())),
            (Some((0, 11)), stranger, Some(3), Err("parameter mail_owner: user o has privileged user ID".to_owned())),
            (Some((1, 0)), stranger, Some(3), Err("parameter mail_owner: user o has privileged group ID".to_owned())),
            (owner, Some((0, 12)), Some(3), Err("parameter default_privs: user d has privileged user ID".to_owned())),
            (owner, stranger, Some(0), Err("parameter setgid_group: group g has privileged group ID".to_owned())),
            (owner, Some((1, 12)), Some(3), Err(format!("{shared} user ID: 1"))),
            (owner, Some((2, 11)), Some(3), Err(format!("{shared} group ID: 11"))),
            (
                owner,
                stranger,
                Some(12),
                Err("parameters default_privs and setgid_group: user d and group g have the same group ID: 12"
                    .to_owned()),
            ),
            (
                owner,
                stranger,
                Some(11),
                Err("parameters mail_owner and setgid_group: user o and group g have the same group ID: 11".to_owned()),
            ),
        ] {
            assert_eq!(roles.judge(owner, stranger, group), expected);
        }
        let same = Roles { default_privs: "o", ..roles };
        let told = "parameters default_privs and mail_owner specify the same user o";
        assert_eq!(same.judge(owner, owner, Some(3)), Err(told.to_owned()));
    }
}

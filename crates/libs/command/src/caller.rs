//! Who runs a command, and what lists of users say: `authorized_submit_users` and its kind.

use crate::Fatal;
use config::Source;
use privsep::User;
use std::fmt;
use table::{Environment, Parents, PatternList};

/// The user who runs this.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The number.
    pub uid: u32,
    /// The login name; `unknown` without an account.
    pub login: String,
}

impl Caller {
    /// Looks the user up.
    ///
    /// # Errors
    /// The accounts cannot be read.
    pub fn find() -> Result<Self, Fatal> {
        let uid = privsep::real_uid();
        let login = User::by_uid(uid)?.map_or_else(|| "unknown".to_owned(), |user| user.name);
        Ok(Self { uid, login })
    }

    /// Whether this is root, or the mail system itself.
    #[must_use]
    pub fn is_trusted(&self, mail_owner: &str) -> bool {
        self.uid == 0 || self.login == mail_owner
    }

    /// Whether the list that is the value of a parameter has the user.
    ///
    /// # Errors
    /// A table or file of the list cannot be read.
    pub fn is_in(&self, parameter: &str, users: &[String], source: &Source) -> Result<bool, Fatal> {
        let list = PatternList::open(parameter, users, Parents::Dotted, &Environment::of(source));
        Ok(table::block_on(list.matches_string(self.login.as_bytes()))?)
    }

    /// Refuses a user who is not in `authorized_submit_users`; root and the mail system get in by the list alone.
    ///
    /// # Errors
    /// The refusal, or that the list cannot be read.
    pub fn may_submit(&self, users: &[String], source: &Source) -> Result<(), Fatal> {
        if is_anyone(users) || self.is_in("authorized_submit_users", users, source)? {
            return Ok(());
        }
        Err(Fatal::new(format!("{self} is not allowed to submit mail")))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User {}({})", self.login, self.uid)
    }
}

/// Whether a list of users has everyone, so that nobody need be looked up.
#[must_use]
pub fn is_anyone(users: &[String]) -> bool {
    users == ["static:anyone"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_list_says_who_may_submit() {
        let source = Source::parse(std::path::Path::new("/nonexistent"), "").unwrap();
        let root = Caller { uid: 0, login: "root".to_owned() };
        for (list, answer) in [
            ("static:anyone", Ok(())),
            ("nosuch, root", Ok(())),
            ("!root, static:all", Err("User root(0) is not allowed to submit mail")),
            ("", Err("User root(0) is not allowed to submit mail")),
        ] {
            let found = root.may_submit(&config::value::words(list), &source).map_err(|fatal| fatal.to_string());
            assert_eq!(found, answer.map_err(str::to_owned), "{list}");
        }
        assert!(root.may_submit(&["texthash:/nonexistent/users".to_owned()], &source).is_err());
        assert!(root.is_trusted("postfix") && !Caller { uid: 1, ..root }.is_trusted("postfix"));
    }
}

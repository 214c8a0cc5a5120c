//! Users and groups, as the host's name service knows them.

use crate::Error;
use nix::unistd::Gid;
use std::ffi::CString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A user of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Id of the primary group.
    pub gid: u32,
    /// Full name and more, as the account has it.
    pub gecos: String,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

/// A group of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Group id.
    pub gid: u32,
}

/// Whom a process without rights runs as. As text, `name:uid:gid:group,group,…`, master hands it down to the processes that it
/// starts: to ask the name service at each birth can cost much, and would not be possible when that is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Id of the primary group.
    pub gid: u32,
    /// Ids of all groups.
    pub groups: Vec<u32>,
}

impl Owner {
    /// The user of this name, with all groups; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Lookup`] if the name service failed.
    pub fn by_name(name: &str) -> Result<Option<Self>, Error> {
        let Some(User { name, uid, gid, .. }) = User::by_name(name)? else { return Ok(None) };
        let groups = CString::new(name.as_str())
            .map_err(|_| nix::Error::EINVAL)
            .and_then(|name| nix::unistd::getgrouplist(&name, Gid::from_raw(gid)))
            .map_err(|errno| failed(&name, errno))?;
        Ok(Some(Self { name, uid, gid, groups: groups.into_iter().map(Gid::as_raw).collect() }))
    }

    /// The user, of whom nothing is known but the ids.
    #[must_use]
    pub fn user(&self) -> User {
        User::of_ids(self.uid, self.gid)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<_> = self.groups.iter().map(u32::to_string).collect();
        write!(f, "{}:{}:{}:{}", self.name, self.uid, self.gid, groups.join(","))
    }
}

/// A text that is no [`Owner`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a user with ids and groups")]
pub struct NoOwner;

impl FromStr for Owner {
    type Err = NoOwner;

    fn from_str(text: &str) -> Result<Self, NoOwner> {
        let mut parts = text.split(':');
        let (Some(name), Some(uid), Some(gid), Some(groups), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoOwner);
        };
        let number = |text: &str| text.parse().map_err(|_| NoOwner);
        let groups = groups.split(',').filter(|group| !group.is_empty()).map(number).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), uid: number(uid)?, gid: number(gid)?, groups })
    }
}

/// Whether this process runs with the rights of root.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The id of the user who runs this process, whatever its set-id bits.
#[must_use]
pub fn real_uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

/// Whether this program has rights that its caller has not: by its set-uid or set-gid bit. The superuser gains none.
#[must_use]
pub fn has_gained_rights() -> bool {
    if nix::unistd::getuid().is_root() {
        return false;
    }
    nix::unistd::getuid() != nix::unistd::geteuid() || nix::unistd::getgid() != nix::unistd::getegid()
}

impl User {
    /// The user of this name; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Lookup`] if the name service failed: try again later.
    pub fn by_name(name: &str) -> Result<Option<Self>, Error> {
        let found = nix::unistd::User::from_name(name).or_else(absent).map_err(|errno| failed(name, errno))?;
        Ok(found.map(Self::from))
    }

    /// The owner of a file, who need not be a user of the host.
    #[must_use]
    pub fn of_ids(uid: u32, gid: u32) -> Self {
        Self { name: uid.to_string(), uid, gid, gecos: String::new(), home: PathBuf::new(), shell: PathBuf::new() }
    }

    /// The user with this id; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Lookup`] if the name service failed.
    pub fn by_uid(uid: u32) -> Result<Option<Self>, Error> {
        let found =
            nix::unistd::User::from_uid(uid.into()).or_else(absent).map_err(|errno| failed(&uid.to_string(), errno))?;
        Ok(found.map(Self::from))
    }

    /// The real user of this process, its effective one when `effective`.
    ///
    /// # Errors
    /// [`Error::Lookup`] if the name service failed.
    pub fn of_process() -> Result<Option<Self>, Error> {
        Self::by_uid(nix::unistd::getuid().as_raw())
    }
}

impl Group {
    /// The group of this name; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Lookup`] if the name service failed.
    pub fn by_name(name: &str) -> Result<Option<Self>, Error> {
        let found = nix::unistd::Group::from_name(name).or_else(absent).map_err(|errno| failed(name, errno))?;
        Ok(found.map(Self::from))
    }
}

impl From<nix::unistd::User> for User {
    fn from(user: nix::unistd::User) -> Self {
        Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            gecos: user.gecos.to_string_lossy().into_owned(),
            home: user.dir,
            shell: user.shell,
        }
    }
}

impl From<nix::unistd::Group> for Group {
    fn from(group: nix::unistd::Group) -> Self {
        Self { name: group.name, gid: group.gid.as_raw() }
    }
}

/// Some name services report an unknown name as one of these errors (getpwnam(3)).
fn absent<T>(errno: nix::Error) -> Result<Option<T>, nix::Error> {
    match errno {
        nix::Error::ENOENT | nix::Error::ESRCH | nix::Error::EPERM => Ok(None),
        other => Err(other),
    }
}

fn failed(name: &str, errno: nix::Error) -> Error {
    Error::Lookup { name: name.to_owned(), source: errno.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_both_ways() {
        let root = User::by_name("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(User::by_uid(0).unwrap(), Some(root));
        assert_eq!(Group::by_name("root").unwrap().map(|group| group.gid), Some(0));
    }

    #[test]
    fn owner_is_handed_down_as_text() {
        let root = Owner::by_name("root").unwrap().unwrap();
        assert!(root.groups.contains(&0), "{root}");
        assert_eq!(root.to_string().parse(), Ok(root));
        let many = Owner { name: "postfix".into(), uid: 102, gid: 105, groups: vec![105, 112] };
        assert_eq!(many.to_string(), "postfix:102:105:105,112");
        assert_eq!("postfix:102:105:105,112".parse(), Ok(many));
        for text in ["", "postfix", "postfix:102:105", "postfix:x:105:", "postfix:1:2:x", "postfix:1:2:3:4"] {
            assert_eq!(text.parse::<Owner>(), Err(NoOwner), "{text}");
        }
    }

    #[test]
    fn unknown_account_is_no_error() {
        assert_eq!(User::by_name("no-such-user-here").unwrap(), None);
        assert_eq!(Group::by_name("no-such-group-here").unwrap(), None);
    }
}

//! What a process may do, as values: privileged, jailed, or for a moment another user.

use crate::{Error, Owner, User, confine, is_root};
use nix::unistd::{Gid, Uid};
use std::path::PathBuf;
use std::sync::OnceLock;

/// Proof that the process still has the rights it was started with.
#[derive(Debug)]
pub struct Privileged(());

/// Proof that the process gave up every right it does not need.
#[derive(Debug, Clone, Copy)]
pub struct Jailed(());

/// What a daemon keeps after its birth.
#[derive(Debug, Clone, Default)]
pub struct Jail {
    /// The new root directory: `queue_directory`, for services with `chroot` in `master.cf`.
    pub root: Option<PathBuf>,
    /// The user to become: `mail_owner`, for services with `unprivileged`.
    pub user: Option<Owner>,
    /// Whether programs may still be executed, set-id ones included.
    pub may_gain_rights: bool,
    /// The only directories in which it may write files, unless it may gain rights.
    pub writable: Vec<PathBuf>,
}

impl Privileged {
    /// Says that this process is at its birth. Only `service`, `master` and `command` mint.
    #[must_use]
    pub fn mint() -> Self {
        Self(())
    }

    /// Enters the jail. Nothing may have started a thread before: rights are per thread.
    ///
    /// # Errors
    /// [`Error::Rights`]; the process must end then.
    pub fn jail(self, jail: &Jail) -> Result<Jailed, Error> {
        if !jail.may_gain_rights {
            nix::sys::prctl::set_no_new_privs().map_err(Error::rights("no_new_privs"))?;
            confine::keep_to(&jail.writable)?;
        }
        if is_root() {
            if !jail.may_gain_rights && jail.user.is_some() {
                // Best effort: a container may have taken the right to do so already.
                let _ = caps::clear(None, caps::CapSet::Bounding);
            }
            if let Some(user) = &jail.user {
                enter_groups(user)?;
            }
            if let Some(root) = &jail.root {
                nix::unistd::chroot(root).map_err(Error::rights(format!("chroot {}", root.display())))?;
                nix::unistd::chdir("/").map_err(Error::rights("chdir /"))?;
            }
            if let Some(user) = &jail.user {
                let uid = Uid::from_raw(user.uid);
                nix::unistd::setresuid(uid, uid, uid).map_err(Error::rights(format!("setuid {}", user.uid)))?;
            }
        }
        if !jail.may_gain_rights {
            confine::deny_calls()?;
        }
        Ok(Jailed(()))
    }
}

fn enter_groups(user: &Owner) -> Result<(), Error> {
    let gid = Gid::from_raw(user.gid);
    let groups: Vec<_> = user.groups.iter().copied().map(Gid::from_raw).collect();
    nix::unistd::setresgid(gid, gid, gid).map_err(Error::rights(format!("setgid {}", user.gid)))?;
    nix::unistd::setgroups(&groups).map_err(Error::rights(format!("setgroups of {}", user.name)))
}

/// Does something with the identity of `user`, and takes the old one back. Ends the process if that fails.
///
/// For processes with a single thread only. An ordinary user's instance has one identity: there it just does it.
///
/// # Errors
/// [`Error::Rights`] if the identity cannot be taken; nothing was done then.
pub fn become_user<T>(user: &User, act: impl FnOnce() -> T) -> Result<T, Error> {
    let _guard = Identity::take(user)?;
    Ok(act())
}

/// The groups of the process itself, which nothing but [`become_user`] changes; to ask costs a look into /proc.
fn own_groups() -> Result<&'static [Gid], Error> {
    static GROUPS: OnceLock<Vec<Gid>> = OnceLock::new();
    if let Some(known) = GROUPS.get() {
        return Ok(known);
    }
    let groups = nix::unistd::getgroups().map_err(Error::rights("getgroups"))?;
    Ok(GROUPS.get_or_init(|| groups))
}

/// Restores the identity when dropped.
struct Identity(Option<Previous>);

struct Previous {
    uid: Uid,
    gid: Gid,
    groups: &'static [Gid],
}

impl Identity {
    fn take(user: &User) -> Result<Self, Error> {
        if !is_root() {
            return Ok(Self(None));
        }
        let previous = Previous { uid: nix::unistd::geteuid(), gid: nix::unistd::getegid(), groups: own_groups()? };
        let guard = Self(Some(previous));
        let gid = Gid::from_raw(user.gid);
        nix::unistd::setgroups(&[gid]).map_err(Error::rights("setgroups"))?;
        nix::unistd::setegid(gid).map_err(Error::rights(format!("setegid {gid}")))?;
        nix::unistd::seteuid(Uid::from_raw(user.uid)).map_err(Error::rights(format!("seteuid {}", user.uid)))?;
        Ok(guard)
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let Some(previous) = &self.0 else { return };
        let restored = nix::unistd::seteuid(previous.uid)
            .and_then(|()| nix::unistd::setegid(previous.gid))
            .and_then(|()| nix::unistd::setgroups(previous.groups));
        if restored.is_err() {
            // With the wrong identity nothing may go on, not even unwinding.
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn identity_is_taken_and_given_back() {
        if !is_root() {
            return;
        }
        // In a child, since rights belong to threads and tests have many.
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "rights::tests::child_becomes_nobody", "--ignored", "--test-threads=1"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    #[test]
    #[ignore = "run as a child by identity_is_taken_and_given_back"]
    fn child_becomes_nobody() {
        let nobody = User::by_name("nobody").unwrap().unwrap();
        let inside =
            become_user(&nobody, || (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())).unwrap();
        assert_eq!(inside, (nobody.uid, nobody.gid));
        assert!(is_root());
        let directory = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        for path in [directory.path(), outside.path()] {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
            std::fs::create_dir(path.join("sub")).unwrap();
        }
        let jail = Jail {
            root: Some(directory.path().into()),
            user: Some(Owner { groups: vec![nobody.gid, 1], ..Owner::by_name("nobody").unwrap().unwrap() }),
            may_gain_rights: false,
            writable: vec![directory.path().into()],
        };
        Privileged::mint().jail(&jail).unwrap();
        assert_eq!(nix::unistd::getuid().as_raw(), nobody.uid);
        assert_eq!(nix::unistd::getgid().as_raw(), nobody.gid);
        let groups: BTreeSet<_> = nix::unistd::getgroups().unwrap().into_iter().map(Gid::as_raw).collect();
        assert_eq!(groups, BTreeSet::from([nobody.gid, 1]), "those that were handed down");
        assert_eq!(std::fs::read_dir("/").unwrap().count(), 1);
        std::fs::write("/new", "x").unwrap();
        assert!(nix::unistd::seteuid(Uid::from_raw(0)).is_err());
        assert!(nix::sys::prctl::get_no_new_privs().unwrap());
        let refused = std::process::Command::new("/new").spawn().unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EPERM), "seccomp");
    }

    #[test]
    #[ignore = "run as a child by writing_is_confined"]
    fn child_writes_in_its_directory_only() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["a", "b"] {
            std::fs::create_dir(inside.path().join(name)).unwrap();
        }
        let jail = Jail { writable: vec![inside.path().into()], ..Jail::default() };
        Privileged::mint().jail(&jail).unwrap();
        std::fs::write(inside.path().join("a/x"), "x").unwrap();
        std::fs::rename(inside.path().join("a/x"), inside.path().join("b/x")).unwrap();
        let refused = std::fs::write(outside.path().join("x"), "x");
        let confined = !crate::kernel_lacks().contains(&crate::Lack::Landlock);
        assert_eq!(refused.is_err(), confined);
        // Clearing away what is outside is not possible from here.
        std::mem::forget(outside);
    }

    #[test]
    fn writing_is_confined() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "rights::tests::child_writes_in_its_directory_only", "--ignored", "--test-threads=1"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

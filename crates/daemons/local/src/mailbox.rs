//! The mailbox of a user, or what stands in for it: a transport, a command, a file at home, a file in the spool.

use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use delivery::Settled;
use delivery::copy::Layout;
use delivery::mailbox::{self, Destination, Dotlock, LockKind, Owner};
use dsn::Status;
use nix::errno::Errno;
use privsep::{User, become_user};
use table::Maps;
use tracing::warn;

use crate::errand::{Errand, Place};
use crate::state::State;

impl Errand<'_, '_> {
    /// Delivers to the user's mailbox. `None` if there is no such user.
    pub(crate) fn mailbox(&mut self, state: &State) -> Option<Settled> {
        // One who does not exist is reported once, too. What `luser_relay` leads back here must not vanish.
        if self.is_repeated("mailbox", &state.local) && !state.relayed {
            return Some(Settled::Finished);
        }
        let tables = &self.office.tables;
        let transport = self.transport(state, &tables.mailbox_transports, &self.office.params.local.mailbox_transport);
        match transport {
            Ok(Some(transport)) => return Some(self.pass(state, &transport)),
            Ok(None) => {}
            Err(()) => return Some(self.defer(state, "table lookup failure")),
        }
        let user = match self.office.accounts.find(&state.user) {
            Ok(user) => user?,
            Err(error) => {
                warn!("{error}");
                return Some(self.defer(state, "user database unavailable"));
            }
        };
        if self.office.params.local.require_home_directory
            && let Some(settled) = self.require_home(state, &user)
        {
            return Some(settled);
        }
        let mut state = state.clone();
        self.thaw(&mut state);
        state.rights = Some(user.clone());
        let command = table::block_on(self.office.tables.mailbox_commands.lookup(&state.user));
        let command = match command {
            Ok(Some(command)) => String::from_utf8_lossy(&command).into_owned(),
            Ok(None) => self.office.params.local.mailbox_command.clone(),
            Err(error) => {
                warn!("mailbox_command_maps: {error}");
                return Some(self.defer(&state, "table lookup failure"));
            }
        };
        if !command.trim().is_empty() {
            return Some(self.command(&state, command.trim()));
        }
        Some(self.store(&state, &user))
    }

    /// The transport that a user's mail goes to, by table or for all.
    pub(crate) fn transport(&self, state: &State, maps: &Maps, all: &str) -> Result<Option<String>, ()> {
        match table::block_on(maps.lookup(&state.user)) {
            Ok(Some(found)) => Ok(Some(String::from_utf8_lossy(&found).into_owned())),
            Ok(None) if all.is_empty() => Ok(None),
            Ok(None) => Ok(Some(all.to_owned())),
            Err(error) => {
                warn!("{}: {error}", maps.parameter());
                Err(())
            }
        }
    }

    fn require_home(&mut self, state: &State, user: &User) -> Option<Settled> {
        let found = become_user(user, || std::fs::metadata(&user.home));
        match found {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => {
                let text = format!("cannot access home directory {}: {}", user.home.display(), mailbox::said(&error));
                Some(self.defer(state, &text))
            }
            Err(error) => {
                warn!("{error}");
                Some(self.defer(state, "cannot become user"))
            }
        }
    }

    /// Delivers to the user's own mbox or maildir.
    fn store(&mut self, state: &State, user: &User) -> Settled {
        if self.is_dry() {
            return self.sent(state, "delivers to mailbox");
        }
        let params = &self.office.params;
        let home_mailbox = &params.local.home_mailbox;
        let spool = Path::new(&params.delivery.mail_spool_directory);
        let (path, in_spool) = if home_mailbox.is_empty() {
            (spool.join(&user.name), true)
        } else {
            (user.home.join(home_mailbox.trim_start_matches('/')), false)
        };
        let is_maildir = home_mailbox.ends_with('/') || (in_spool && spool.as_os_str().as_bytes().ends_with(b"/"));
        if is_maildir {
            return self.store_maildir(state, user, &path);
        }
        let mbox = if in_spool {
            self.in_spool(spool, user, path)
        } else {
            Mbox { path, writer: user.clone(), owner: None, kept: None }
        };
        let appended = become_user(&mbox.writer, || self.store_mbox(state, user, &mbox));
        match appended {
            Ok(Ok(offset)) => {
                if self.office.params.local.biff {
                    self.office.biff.announce(&user.name, offset);
                }
                self.sent(state, "delivered to mailbox")
            }
            Ok(Err(error)) => {
                let prefix = format!("cannot update mailbox {} for user {}. ", mbox.path.display(), user.name);
                self.refused(state, error, &prefix)
            }
            Err(error) => {
                warn!("{error}");
                self.defer(state, "cannot become user")
            }
        }
    }

    /// The mailbox in the spool: the user writes where everyone may create files, else root, who gives new files away.
    fn in_spool(&self, spool: &Path, user: &User, path: PathBuf) -> Mbox {
        let found = std::fs::metadata(spool).ok();
        let (writer, owner) = spool_writer(found.as_ref(), user);
        let uses_dotlock = self.office.locking.kinds.contains(&LockKind::Dotlock);
        let uid = if privsep::is_root() { writer.uid } else { privsep::real_uid() };
        let kept = found.filter(|_| uses_dotlock).and_then(|found| self.office.kept.of(uid, found.dev()));
        Mbox { path, writer, owner, kept }
    }

    /// Appends to a mailbox, and gives the offset of the message.
    fn store_mbox(&self, state: &State, user: &User, mbox: &Mbox) -> Result<u64, mailbox::Error> {
        let params = &self.office.params;
        let path = &mbox.path;
        let destination = Destination {
            path,
            owner: mbox.owner,
            locking: &self.office.locking,
            dotlock: Dotlock::Required,
            kept: mbox.kept.as_deref(),
            limit: params.local.mailbox_size_limit,
            failure: Status::permanent(2, 0),
        };
        let layout = Layout::mbox(self.head(state, Some(&self.office.now()), Place::File));
        let strict = params.delivery.strict_mailbox_ownership;
        let mut offset = 0;
        mailbox::deliver_mbox(&destination, &mut self.content(), &layout, |found| {
            let refuse = |status, text: String| Err(mailbox::Error::refused(status, text));
            offset = found.len();
            if !found.is_file() {
                let text = format!("destination {} is not a regular file", path.display());
                return refuse(Status::permanent(2, 0), text);
            }
            // A file that was made a moment ago is the user's by now.
            if strict && found.uid() != user.uid {
                warn!("specify \"strict_mailbox_ownership = no\" to ignore mailbox ownership mismatch");
                let text = format!("destination {} is not owned by recipient", path.display());
                return refuse(Status::temporary(2, 0), text);
            }
            Ok(())
        })?;
        Ok(offset)
    }

    fn store_maildir(&mut self, state: &State, user: &User, path: &Path) -> Settled {
        match become_user(user, || self.to_maildir(state, path)) {
            Ok(Ok(())) => self.sent(state, "delivered to maildir"),
            Ok(Err(error)) => {
                warn_of_access(&error, user);
                self.refused(state, error, "maildir delivery failed: ")
            }
            Err(error) => {
                warn!("{error}");
                self.defer(state, "cannot become user")
            }
        }
    }
}

/// Tells the administrator of a maildir that its user may not write to.
pub(crate) fn warn_of_access(error: &mailbox::Error, user: &User) {
    if matches!(error, mailbox::Error::Mailbox { errno: Errno::EACCES, .. }) {
        warn!("maildir access problem for UID/GID={}/{}: {error}", user.uid, user.gid);
        warn!("perhaps you need to create the maildirs in advance");
    }
}

/// A file of a user's own mail.
struct Mbox {
    path: PathBuf,
    /// Whose rights are used.
    writer: User,
    /// Whom a new file is given to.
    owner: Option<Owner>,
    /// What its lock may be a link to.
    kept: Option<PathBuf>,
}

fn spool_writer(found: Option<&Metadata>, user: &User) -> (User, Option<Owner>) {
    if !privsep::is_root() || found.is_none_or(|found| found.mode() & 0o002 != 0) {
        return (user.clone(), None);
    }
    let gid = match found {
        Some(found) if found.mode() & 0o020 != 0 => found.gid(),
        _ => user.gid,
    };
    let root = User {
        name: "root".to_owned(),
        uid: 0,
        gid,
        gecos: String::new(),
        home: PathBuf::from("/"),
        shell: PathBuf::from("/bin/sh"),
    };
    (root, Some(Owner { uid: user.uid, gid: user.gid }))
}

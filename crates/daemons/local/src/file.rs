//! Delivery to a file or maildir that an alias or a `.forward` names.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use delivery::Settled;
use delivery::copy::Layout;
use delivery::mailbox::{self, Destination, Dotlock, Naming};
use dsn::Status;
use privsep::become_user;
use tracing::warn;

use crate::errand::{Errand, Place};
use crate::mailbox::warn_of_access;
use crate::state::State;

impl Errand<'_, '_> {
    /// Appends the message to a file; a name that ends in a slash is that of a maildir.
    pub(crate) fn file(&mut self, state: &State, path: &[u8]) -> Settled {
        let user = self.acting(state);
        let shown = String::from_utf8_lossy(path).into_owned();
        if self.is_repeated("file", format!("{}:{shown}", user.uid).as_bytes()) {
            return Settled::Finished;
        }
        if self.is_dry() {
            return self.sent(state, format!("delivers to file: {shown}"));
        }
        let place = Path::new(OsStr::from_bytes(path));
        let is_maildir = path.ends_with(b"/");
        let delivered =
            become_user(&user, || if is_maildir { self.to_maildir(state, place) } else { self.append(state, place) });
        match delivered {
            Ok(Ok(())) if is_maildir => self.sent(state, "delivered to maildir"),
            Ok(Ok(())) => self.sent(state, format!("delivered to file: {shown}")),
            Ok(Err(error)) if is_maildir => {
                warn_of_access(&error, &user);
                self.refused(state, error, "maildir delivery failed: ")
            }
            Ok(Err(mailbox::Error::Mailbox { status, reason, .. })) => {
                self.fail_to_owner(state, status, format!("cannot append message to file {shown}: {reason}"))
            }
            Ok(Err(error)) => self.refused(state, error, ""),
            Err(error) => {
                warn!("{error}");
                self.defer(state, "cannot become user")
            }
        }
    }

    /// Reports a mailbox that did not take the message.
    pub(crate) fn refused(&mut self, state: &State, error: mailbox::Error, prefix: &str) -> Settled {
        match error {
            mailbox::Error::Message(error) => {
                warn!("{}: {error}", self.request().queue_id);
                self.fail(state, Status::temporary(3, 0), format!("error reading message: {error}"))
            }
            mailbox::Error::Mailbox { status, reason, .. } => self.fail(state, status, format!("{prefix}{reason}")),
        }
    }

    /// Puts the message into a maildir, as the present user.
    pub(crate) fn to_maildir(&self, state: &State, path: &Path) -> Result<(), mailbox::Error> {
        let params = &self.office.params;
        let naming = Naming {
            host: &self.office.host,
            now: SystemTime::now(),
            limit: params.local.mailbox_size_limit,
            failure: Status::permanent(2, 0),
            queue: self.delivery.file().device(),
        };
        let layout = Layout::plain(self.head(state, None, Place::File));
        mailbox::deliver_maildir(path, naming, &mut self.content(), &layout)
    }

    /// Appends to a file.
    fn append(&self, state: &State, path: &Path) -> Result<(), mailbox::Error> {
        let destination = Destination {
            path,
            owner: None,
            locking: &self.office.locking,
            // Its directory may be one where the user cannot make a lock file.
            dotlock: Dotlock::IfPossible,
            kept: None,
            limit: self.office.params.local.mailbox_size_limit,
            failure: Status::permanent(2, 0),
        };
        let layout = Layout::mbox(self.head(state, Some(&self.office.now()), Place::File));
        mailbox::deliver_mbox(&destination, &mut self.content(), &layout, not_executable)
    }
}

/// A program that anyone may write to as mail is a way in.
fn not_executable(found: &Metadata) -> Result<(), mailbox::Error> {
    if found.is_file() && found.mode() & 0o111 != 0 {
        return Err(mailbox::Error::refused(Status::permanent(7, 1), "file is executable".to_owned()));
    }
    Ok(())
}

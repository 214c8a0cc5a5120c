//! Delivers one message to the mailboxes of its recipients.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use delivery::copy::Layout;
use delivery::head::Head;
use delivery::mailbox::{self, Destination, Dotlock, Naming};
use delivery::solo::Delivery;
use delivery::{Attempt, content_of};
use dsn::{Detail, Outcome, Status};
use ipc::deliver::{Mode, Recipient};
use jiff::Timestamp;
use nix::errno::Errno;
use privsep::{User, become_user};
use table::Maps;
use tracing::warn;

use crate::{Office, lookup};

/// A delivery in progress.
pub(crate) struct Errand<'a, 'd> {
    pub(crate) office: &'a Office,
    pub(crate) delivery: &'a mut Delivery<'d>,
    /// Nobody gets a message twice.
    pub(crate) seen: HashSet<Vec<u8>>,
}

/// Where a recipient's mail goes.
struct Place {
    path: PathBuf,
    is_maildir: bool,
    user: User,
}

/// A fault that the administrator must mend; it is in the log.
const CONFIGURATION: &str = "mail system configuration error";

impl Errand<'_, '_> {
    /// Delivers to one recipient, and settles it.
    pub(crate) fn deliver(&mut self, recipient: &Recipient) {
        let attempt = Attempt::by(self.office.relay.clone());
        if !self.seen.insert(table::fold(&recipient.address).into_owned()) {
            return self.delivery.conclude(recipient, delivery::Settled::Finished);
        }
        let outcome = match self.place(recipient) {
            Ok(place) => self.store(recipient, &place),
            Err(outcome) => *outcome,
        };
        self.delivery.settle(recipient, &attempt, outcome);
    }

    fn place(&self, recipient: &Recipient) -> Result<Place, Box<Outcome>> {
        let params = &self.office.params;
        let refuse = |status, text: String| Box::new(Detail::new(status, text).outcome());
        let shown = String::from_utf8_lossy(&table::fold(&recipient.address)).into_owned();
        let found = self.find(&self.office.tables.mailboxes, recipient)?;
        let Some(found) = found else {
            return Err(refuse(Status::permanent(1, 1), format!("unknown user: \"{shown}\"")));
        };
        let uid = self.number(&self.office.tables.uids, recipient, &shown)?;
        let minimum = u32::try_from(params.mailbox.virtual_minimum_uid).unwrap_or(u32::MAX);
        if uid < minimum {
            warn!("recipient {shown}: bad uid {uid} in virtual_uid_maps");
            return Err(refuse(Status::temporary(3, 5), CONFIGURATION.to_owned()));
        }
        let gid = self.number(&self.office.tables.gids, recipient, &shown)?;
        let base = params.mailbox.virtual_mailbox_base.trim_end_matches('/');
        Ok(Place {
            path: PathBuf::from(format!("{base}/{}", found.trim_start_matches('/'))),
            is_maildir: found.ends_with('/'),
            user: User {
                name: shown,
                uid,
                gid,
                gecos: String::new(),
                home: PathBuf::from("/"),
                shell: PathBuf::from("/bin/false"),
            },
        })
    }

    fn find(&self, maps: &Maps, recipient: &Recipient) -> Result<Option<String>, Box<Outcome>> {
        let delimiters = self.office.params.common.identity.recipient_delimiter.as_bytes();
        lookup::find(maps, &recipient.address, delimiters).map_err(|error| {
            warn!("{}: {error}", maps.parameter());
            Box::new(Detail::new(Status::temporary(3, 5), CONFIGURATION).outcome())
        })
    }

    /// The user or group number of a recipient.
    fn number(&self, maps: &Maps, recipient: &Recipient, shown: &str) -> Result<u32, Box<Outcome>> {
        let parameter = maps.parameter();
        let what = if parameter == "virtual_uid_maps" { "uid" } else { "gid" };
        let problem = match self.find(maps, recipient)? {
            None => format!("recipient {shown}: not found in {parameter}"),
            Some(text) => match lookup::number(&text) {
                Some(number) => return Ok(number),
                None => format!("recipient {shown}: bad {what} {text} in {parameter}"),
            },
        };
        warn!("{problem}");
        Err(Box::new(Detail::new(Status::temporary(3, 5), CONFIGURATION).outcome()))
    }

    fn store(&self, recipient: &Recipient, place: &Place) -> Outcome {
        let kind = if place.is_maildir { "maildir" } else { "mailbox" };
        match self.delivery.request().mode {
            Mode::Expand | Mode::Probe => {
                return Outcome::Sent(Detail::new(Status::SENT, format!("delivers to {kind}")));
            }
            Mode::Deliver | Mode::DeliverAndReport | Mode::DeliverLate => {}
        }
        let stored = become_user(&place.user, || {
            if place.is_maildir { self.to_maildir(recipient, place) } else { self.to_mbox(recipient, place) }
        });
        match stored {
            Ok(Ok(())) => Outcome::Sent(Detail::new(Status::SENT, format!("delivered to {kind}"))),
            Ok(Err(error)) => self.refused(error, place),
            Err(error) => {
                warn!("{error}");
                Outcome::Deferred(Detail::new(Status::temporary(3, 5), CONFIGURATION))
            }
        }
    }

    fn refused(&self, error: mailbox::Error, place: &Place) -> Outcome {
        match error {
            mailbox::Error::Message(error) => {
                warn!("{}: {error}", self.delivery.request().queue_id);
                Outcome::Deferred(Detail::new(Status::temporary(3, 0), format!("error reading message: {error}")))
            }
            mailbox::Error::Mailbox { status, reason, errno } => {
                let User { uid, gid, .. } = &place.user;
                let prefix = if place.is_maildir {
                    if errno == Errno::EACCES {
                        warn!("maildir access problem for UID/GID={uid}/{gid}: {reason}");
                        warn!("perhaps you need to create the maildirs in advance");
                    }
                    "maildir delivery failed: ".to_owned()
                } else {
                    format!("delivery failed to mailbox {}: ", place.path.display())
                };
                Detail::new(status, format!("{prefix}{reason}")).outcome()
            }
        }
    }

    /// The lines before the message.
    fn head(&self, recipient: &Recipient, head: Head) -> Vec<u8> {
        head.return_path(&self.delivery.request().message.sender)
            .original(&recipient.original, self.office.params.common.queue.enable_original_recipient)
            .delivered(&recipient.address)
            .into_bytes()
    }

    fn to_maildir(&self, recipient: &Recipient, place: &Place) -> Result<(), mailbox::Error> {
        let params = &self.office.params;
        let naming = Naming {
            host: &self.office.host,
            now: SystemTime::now(),
            limit: params.mailbox.virtual_mailbox_limit,
            failure: Status::temporary(2, 0),
            queue: self.delivery.file().device(),
        };
        let layout = Layout::plain(self.head(recipient, Head::default()));
        let mut content = content_of(self.delivery.file(), self.delivery.request().message.data_offset);
        mailbox::deliver_maildir(&place.path, naming, &mut content, &layout)
    }

    fn to_mbox(&self, recipient: &Recipient, place: &Place) -> Result<(), mailbox::Error> {
        let params = &self.office.params;
        let request = self.delivery.request();
        let destination = Destination {
            path: &place.path,
            owner: None,
            locking: &self.office.locking,
            dotlock: Dotlock::Required,
            kept: None,
            limit: params.mailbox.virtual_mailbox_limit,
            failure: Status::temporary(2, 0),
        };
        let head = Head::default()
            .from_line(&request.message.sender, &Timestamp::now().to_zoned(self.office.time_zone.clone()));
        let layout = Layout::mbox(self.head(recipient, head));
        let mut content = content_of(self.delivery.file(), request.message.data_offset);
        mailbox::deliver_mbox(&destination, &mut content, &layout, |found| {
            acceptable(found, place, params.delivery.strict_mailbox_ownership, &place.path)
        })
    }
}

/// A mailbox is a file of its owner.
fn acceptable(found: &std::fs::Metadata, place: &Place, strict: bool, path: &Path) -> Result<(), mailbox::Error> {
    if !found.is_file() {
        let text = format!("destination {} is not a regular file", path.display());
        return Err(mailbox::Error::refused(Status::permanent(2, 0), text));
    }
    if strict && privsep::real_uid() == 0 && found.uid() != place.user.uid {
        warn!("specify \"strict_mailbox_ownership = no\" to ignore mailbox ownership mismatch");
        let text = format!("destination {} is not owned by recipient", path.display());
        return Err(mailbox::Error::refused(Status::temporary(2, 0), text));
    }
    Ok(())
}

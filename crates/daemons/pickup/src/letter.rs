//! A maildrop file, as it was left by postdrop(1) or put there again by postsuper(1). Blocks on the disk.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use queue_file::maildrop;
use queue_file::record::{self, Pointers, Records, Type};
use queue_file::{Buffered, Content, Error, Lock, QueueId, QueueName, Source, Spool};

const O_NOFOLLOW: i32 = 0o400_000;
const O_NONBLOCK: i32 = 0o4000;

/// A message to be handed to cleanup.
#[derive(Debug)]
pub(crate) struct Letter {
    /// The file, locked: it stays so until the message is gone from the maildrop.
    pub(crate) file: Arc<File>,
    /// Who has sent it.
    pub(crate) uid: u32,
    /// Whether the file belongs to the mail system.
    pub(crate) is_ours: bool,
    /// Whether it was in the queue before.
    pub(crate) requeued: bool,
    /// The envelope records for cleanup.
    pub(crate) envelope: Vec<u8>,
    /// The sender, in internal form.
    pub(crate) sender: Vec<u8>,
    /// What the sender asked for, as flags of the `C` record.
    pub(crate) send_options: u32,
    /// Where the content begins.
    pub(crate) data_offset: u64,
}

/// What became of looking at a file.
#[derive(Debug)]
pub(crate) enum Look {
    /// It is a message.
    Ready(Letter),
    /// It is still being written, or in the hands of another process (the last one of before a reload), or gone.
    NotYet,
    /// It is no message, for this reason.
    Corrupt(String),
}

/// Opens and reads the envelope of a file.
pub(crate) fn look(spool: &Spool, id: &QueueId, own_uid: u32) -> io::Result<Look> {
    let path = spool.path(QueueName::Maildrop, id);
    let file = match open(&path) {
        Ok(file) => Arc::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::NotYet),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_unfinished(&path) => {
            return Ok(Look::NotYet);
        }
        Err(error) => return Err(error),
    };
    if Spool::lock_exclusive(&file)? == Lock::Busy {
        return Ok(Look::NotYet);
    }
    let found = file.metadata()?;
    if !is_still_at(&path, &found)? {
        return Ok(Look::NotYet);
    }
    if !found.is_file() || found.nlink() != 1 {
        return Ok(Look::Corrupt("not a regular file of one name".to_owned()));
    }
    if !is_finished(&found) {
        return Ok(Look::NotYet);
    }
    match envelope(Buffered::small(&*file)) {
        Ok(Envelope { records, sender, send_options, data_offset, submitter }) => {
            // Only we can have noted who a file of ours is from.
            let is_ours = found.uid() == own_uid;
            let submitter = submitter.filter(|_| is_ours);
            let requeued = submitter.is_none() && is_ours;
            let uid = submitter.unwrap_or(found.uid());
            Ok(Look::Ready(Letter {
                uid,
                is_ours,
                requeued,
                envelope: records,
                sender,
                send_options,
                data_offset,
                file,
            }))
        }
        Err(error) if error.is_malformed() => Ok(Look::Corrupt(error.to_string())),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Whether an open file has its name still: who had it locked before may have used it for another message since.
fn is_still_at(path: &Path, file: &Metadata) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (file.dev(), file.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a user is still at it: nobody else may read such a file.
fn is_unfinished(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| !is_finished(&file))
}

fn is_finished(file: &Metadata) -> bool {
    file.mode() & 0o100 != 0
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path)
}

impl Letter {
    /// The text of the message.
    pub(crate) fn content(&self) -> Content<Buffered<Arc<File>>> {
        Content::new(Buffered::large(Arc::clone(&self.file)), self.data_offset)
    }
}

/// What a file says of its message.
#[derive(Debug, PartialEq, Eq)]
struct Envelope {
    /// What cleanup gets.
    records: Vec<u8>,
    sender: Vec<u8>,
    send_options: u32,
    data_offset: u64,
    submitter: Option<u32>,
}

fn envelope(source: impl Source) -> Result<Envelope, Error> {
    let mut out = Vec::with_capacity(1024);
    let mut submitter = None;
    let mut send_options = 0;
    let mut sender = None;
    let mut data_offset = None;
    let mut in_content = false;
    let mut records = Records::new(source, 0, Pointers::Follow);
    loop {
        let offset = records.offset();
        let missing = |kind| Error::Malformed { offset, problem: queue_file::Problem::Missing(kind) };
        let record = records.next()?.ok_or(Error::Malformed { offset, problem: queue_file::Problem::NoEnd })?;
        let kind = record.kind;
        if kind == Type::Message && data_offset.is_none() {
            in_content = true;
            data_offset = Some(records.offset());
        } else if in_content {
            if !matches!(kind, Type::Line | Type::Filter | Type::Deleted | Type::Extracted) {
                return Err(record.misplaced());
            }
            in_content = kind != Type::Extracted;
        } else if kind == Type::End {
            let sender = sender.ok_or(missing(Type::Sender))?;
            let data_offset = data_offset.ok_or(missing(Type::Message))?;
            return Ok(Envelope { records: out, sender, send_options, data_offset, submitter });
        } else if let Some(uid) = maildrop::submitter(&record) {
            submitter = Some(uid);
        } else if let Some(flags) = maildrop::send_options(&record) {
            send_options |= flags;
        } else if passes(kind) {
            if kind == Type::Sender {
                sender = Some(record.data.to_vec());
            }
            record::put(&mut out, kind, record.data);
        } else if matches!(kind, Type::Line | Type::Message | Type::Extracted) {
            return Err(record.misplaced());
        }
    }
}

/// Whether an envelope record is handed on. Where mail goes instead, filters and warnings are decided anew.
fn passes(kind: Type) -> bool {
    matches!(
        kind,
        Type::Time
            | Type::Sender
            | Type::FullName
            | Type::Recipient
            | Type::Original
            | Type::DsnOriginal
            | Type::DsnReturn
            | Type::DsnNotify
            | Type::EnvelopeId
            | Type::Attribute
            | Type::Verp
            | Type::Done
            | Type::Cancelled
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::record::put;
    use std::os::unix::fs::PermissionsExt;

    fn bytes(list: &[(Type, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, data) in list {
            put(&mut out, *kind, data);
        }
        out
    }

    #[test]
    fn what_belongs_to_the_old_life_of_a_file_stays_behind() {
        let file = bytes(&[
            (Type::Size, b"1 2 3 0 1 18"),
            (Type::Time, b"5 6"),
            (Type::Filter, b"smtp:old"),
            (Type::Attribute, b"sendopts=33"),
            (Type::Attribute, b"sendopts=x"),
            (Type::Attribute, b"submission_uid=1000"),
            (Type::Sender, b"me"),
            (Type::Recipient, b"you"),
            (Type::Message, b""),
            (Type::Filter, b"part"),
            (Type::Line, b"line"),
            (Type::Extracted, b""),
            (Type::Recipient, b"more"),
            (Type::End, b""),
        ]);
        let Envelope { records, sender, send_options, data_offset: offset, submitter } = envelope(&file[..]).unwrap();
        let expected = bytes(&[
            (Type::Time, b"5 6"),
            (Type::Sender, b"me"),
            (Type::Recipient, b"you"),
            (Type::Recipient, b"more"),
        ]);
        assert_eq!((records, sender, submitter), (expected, b"me".to_vec(), Some(1000)));
        assert_eq!(send_options, 18 | 33);
        assert!(file[usize::try_from(offset).unwrap()..].starts_with(b"L\x04part"));
    }

    #[test]
    fn files_that_are_no_messages_are_known() {
        for list in [
            &[(Type::Time, &b"5 6"[..]), (Type::End, b"")][..],
            &[(Type::Sender, b"x"), (Type::Message, b""), (Type::Extracted, b"")],
            &[(Type::Line, b"x")],
            &[(Type::Message, b""), (Type::Recipient, b"x")],
            &[],
        ] {
            let found = envelope(&bytes(list)[..]);
            assert!(found.is_err_and(|error| error.is_malformed()), "{list:?}");
        }
    }

    #[test]
    fn a_file_that_is_being_written_needs_no_warning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("message");
        fs::write(&path, "S").unwrap();
        for (mode, unfinished) in [(0o600, true), (0o744, false), (0, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_unfinished(&path), unfinished, "{mode:o}");
        }
        fs::remove_file(&path).unwrap();
        assert!(!is_unfinished(&path), "what is gone");
    }

    #[test]
    fn a_message_is_in_the_hands_of_one_process() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("maildrop")).unwrap();
        let spool = Spool::new(root.path(), queue_file::Layout::default());
        let records: [(Type, &[u8]); 5] = [
            (Type::Sender, b"me"),
            (Type::Recipient, b"you"),
            (Type::Message, b""),
            (Type::Extracted, b""),
            (Type::End, b""),
        ];
        let new = spool.create(QueueName::Maildrop).unwrap();
        io::Write::write_all(&mut new.file(), &bytes(&records)).unwrap();
        let id = new.commit_readable().unwrap().into_id();
        let first = look(&spool, &id, 0).unwrap();
        assert!(matches!(first, Look::Ready(_)));
        assert!(matches!(look(&spool, &id, 0).unwrap(), Look::NotYet), "it is in other hands");
        // Its file becomes that of another message while somebody has it open by the old name.
        let path = spool.path(QueueName::Maildrop, &id);
        let found = open(&path).unwrap().metadata().unwrap();
        assert!(is_still_at(&path, &found).unwrap());
        fs::rename(&path, path.with_file_name("other")).unwrap();
        assert!(!is_still_at(&path, &found).unwrap());
        drop(first);
        assert!(matches!(look(&spool, &id, 0).unwrap(), Look::NotYet), "it is gone");
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = envelope(&bytes[..]);
        }
    }
}

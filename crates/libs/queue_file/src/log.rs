//! Bounce, defer and trace logs: per message, what became of its recipients.
//!
//! A record is a line for people, then `name=value` lines, then an empty line. Logs of old releases have only the line
//! for people. What is logged finishes a recipient, so it is on disk before anybody is told.

use crate::spool::{open_quietly, with_directories};
use crate::{Error, QueueId, QueueName, Spool};
use nix::fcntl::OFlag;
use std::borrow::BorrowMut;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Read, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;

/// Bytes of one read; most logs are shorter.
const READ: usize = 8 * 1024;
/// Longer lines are cut when they are read.
const LINE_LIMIT: usize = 64 * 1024;
/// What stands for what a damaged log no longer tells.
const NO_RECIPIENT: &[u8] = b"(recipient address unavailable)";
const NO_REASON: &str = "(description unavailable)";

/// What a log says of one recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The address, in external form.
    pub recipient: Vec<u8>,
    /// The address before aliases, likewise; empty if it is the same.
    pub original: Vec<u8>,
    /// Where the recipient's record is in the queue file; 0 if unknown.
    pub offset: i64,
    /// DSN ORCPT; may be empty.
    pub dsn_original: String,
    /// DSN NOTIFY bits.
    pub notify: u8,
    /// Enhanced status.
    pub status: String,
    /// What was done.
    pub action: String,
    /// Type of the diagnostic, `smtp` or `x-unix`; may be empty.
    pub diagnostic_type: String,
    /// The diagnostic.
    pub diagnostic: String,
    /// Type of the remote party, such as `dns`; may be empty.
    pub mta_type: String,
    /// The remote party.
    pub mta: String,
    /// The reason, for people.
    pub reason: String,
}

impl Entry {
    /// Appends the entry as a log has it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\n<");
        put_clean(out, &self.recipient);
        out.extend_from_slice(b">: ");
        put_clean(out, self.reason.as_bytes());
        out.push(b'\n');
        let offset = if self.offset > 0 { self.offset.to_string() } else { String::new() };
        let notify = if self.notify > 0 { self.notify.to_string() } else { String::new() };
        let original = if self.original == self.recipient { &[][..] } else { &self.original };
        for (name, value) in [
            ("recipient", &self.recipient[..]),
            ("original_recipient", original),
            ("offset", offset.as_bytes()),
            ("dsn_orig_rcpt", self.dsn_original.as_bytes()),
            ("notify_flags", notify.as_bytes()),
            ("status", self.status.as_bytes()),
            ("action", self.action.as_bytes()),
            ("diag_type", self.diagnostic_type.as_bytes()),
            ("diag_text", self.diagnostic.as_bytes()),
            ("mta_type", self.mta_type.as_bytes()),
            ("mta_mname", self.mta.as_bytes()),
            ("reason", self.reason.as_bytes()),
        ] {
            if !value.is_empty() {
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
                put_clean(out, value);
                out.push(b'\n');
            }
        }
        out.push(b'\n');
    }

    fn set(&mut self, name: &[u8], value: &[u8]) {
        let text = || String::from_utf8_lossy(value.trim_ascii_end()).into_owned();
        match name {
            b"recipient" => self.recipient = value.to_vec(),
            b"original_recipient" => self.original = value.to_vec(),
            b"offset" => self.offset = text().parse().unwrap_or(0),
            b"dsn_orig_rcpt" => self.dsn_original = text(),
            b"notify_flags" => self.notify = text().parse().unwrap_or(0),
            b"status" => self.status = text(),
            b"action" => self.action = text(),
            b"diag_type" => self.diagnostic_type = text(),
            b"diag_text" => self.diagnostic = text(),
            b"mta_type" => self.mta_type = text(),
            b"mta_mname" => self.mta = text(),
            b"reason" => self.reason = text(),
            _ => {}
        }
    }

    /// Takes the line for people, all that old releases wrote, for what no attribute has told.
    fn complete(&mut self, line: &[u8]) {
        if let Some(middle) = line.windows(3).position(|part| part == b">: ") {
            if self.recipient.is_empty() {
                self.recipient = line.get(1..middle).unwrap_or_default().to_vec();
            }
            if self.reason.is_empty() {
                self.reason = String::from_utf8_lossy(line.get(middle + 3..).unwrap_or_default()).into_owned();
            }
        }
        if self.recipient.is_empty() {
            self.recipient = NO_RECIPIENT.to_vec();
        }
        if self.reason.is_empty() {
            NO_REASON.clone_into(&mut self.reason);
        }
    }
}

/// Values are one line each.
fn put_clean(out: &mut Vec<u8>, value: &[u8]) {
    out.extend(value.iter().map(|&byte| match byte {
        b'\n' | b'\r' => b' ',
        0..=31 | 127 => b'?',
        byte => byte,
    }));
}

/// Appends an entry to a message's log, under a lock, and waits until it is on disk.
///
/// # Errors
/// What the system says; a log that could not be written completely is cut to what it was.
pub fn append(spool: &Spool, queue: QueueName, id: &QueueId, entry: &Entry) -> Result<(), Error> {
    let path = spool.path(queue, id);
    let mut open = OpenOptions::new();
    open.append(true).create(true).mode(0o600).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    let mut file = with_directories(&path, || open.open(&path)).map_err(|e| Error::system("open log", &path, e))?;
    file.lock().map_err(|e| Error::system("lock", &path, e))?;
    let before = file.metadata().map_err(|e| Error::system("fstat", &path, e))?.len();
    let mut bytes = Vec::with_capacity(512);
    entry.write(&mut bytes);
    if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_all()) {
        let _ = file.set_len(before);
        return Err(Error::system("write log", &path, error));
    }
    Ok(())
}

/// Reads a message's log.
///
/// # Errors
/// What the system says; [`Error::is_gone`] if there is no log.
pub fn read(spool: &Spool, queue: QueueName, id: &QueueId) -> Result<Entries<Log<Vec<u8>>>, Error> {
    read_through(spool, queue, id, Vec::new())
}

/// Reads a message's log through the buffer of an earlier one.
pub(crate) fn read_through<B: BorrowMut<Vec<u8>>>(
    spool: &Spool,
    queue: QueueName,
    id: &QueueId,
    mut buffer: B,
) -> Result<Entries<Log<B>>, Error> {
    let path = spool.path(queue, id);
    let file = open_quietly(OpenOptions::new().read(true), &path).map_err(|e| Error::system("open log", &path, e))?;
    buffer.borrow_mut().resize(READ, 0);
    Ok(Entries::new(Log { file, buffer, unread: 0..0, ended: false }))
}

/// A log on disk; a read that gives less than was asked for is the last.
#[derive(Debug)]
pub struct Log<B> {
    file: File,
    buffer: B,
    /// What of the buffer has been read from the file, and not yet by the caller.
    unread: Range<usize>,
    ended: bool,
}

impl<B: BorrowMut<Vec<u8>>> BufRead for Log<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.buffer.borrow_mut();
        if self.unread.is_empty() && !self.ended {
            let count = self.file.read(buffer)?;
            self.ended = count < buffer.len();
            self.unread = 0..count;
        }
        Ok(buffer.get(self.unread.clone()).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.unread.start = (self.unread.start + count).min(self.unread.end);
    }
}

impl<B: BorrowMut<Vec<u8>>> Read for Log<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// The entries of a log, in order. Total: what is not understood is passed over. An error is the last item.
#[derive(Debug)]
pub struct Entries<R> {
    lines: Lines<R>,
    /// The last line for people.
    people: Vec<u8>,
    is_wanted: fn(&[u8]) -> bool,
    /// What cannot be read is not read again.
    failed: bool,
}

impl<R: BufRead> Entries<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self { lines: Lines { input, broken: Vec::new() }, people: Vec::new(), is_wanted: |_| true, failed: false }
    }

    /// Takes only some of the attributes.
    pub(crate) fn only(self, is_wanted: fn(&[u8]) -> bool) -> Self {
        Self { is_wanted, ..self }
    }

    fn entry(&mut self) -> io::Result<Option<Entry>> {
        let mut entry = Entry::default();
        let mut started = false;
        let (people, is_wanted) = (&mut self.people, self.is_wanted);
        people.clear();
        let mut take = |line: &[u8]| {
            match line.first() {
                None => return started,
                Some(b'<') => {
                    people.clear();
                    people.extend_from_slice(line);
                }
                Some(_) => {
                    let Some(middle) = memchr::memchr(b'=', line) else { return false };
                    let (name, value) = line.split_at(middle);
                    if is_wanted(name) {
                        entry.set(name, value.get(1..).unwrap_or_default());
                    }
                }
            }
            started = true;
            false
        };
        while self.lines.next(&mut take)? == Some(false) {}
        if entry.recipient.is_empty() || entry.reason.is_empty() {
            entry.complete(&self.people);
        }
        Ok(started.then_some(entry))
    }
}

/// Lines without their ends.
#[derive(Debug)]
struct Lines<R> {
    input: R,
    /// A line that is not in one piece, as far as it has been read.
    broken: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Hands on the next line, and gives back what comes of it; `None` at the end.
    fn next<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> io::Result<Option<T>> {
        self.broken.clear();
        let mut started = false;
        loop {
            let bytes = match self.input.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                return Ok(started.then(|| take(&self.broken)));
            }
            let end = memchr::memchr(b'\n', bytes);
            let text = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            let count = text.len() + usize::from(end.is_some());
            let room = LINE_LIMIT.saturating_sub(self.broken.len());
            let text = text.get(..room).unwrap_or(text);
            if started || end.is_none() {
                started = true;
                self.broken.extend_from_slice(text);
            }
            if end.is_some() {
                let taken = take(if started { &self.broken } else { text });
                self.input.consume(count);
                return Ok(Some(taken));
            }
            self.input.consume(count);
        }
    }
}

impl<R: BufRead> Iterator for Entries<R> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let entry = self.entry();
        self.failed = entry.is_err();
        entry.map_err(Error::from).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_look_as_postfix_writes_them() {
        let entry = Entry {
            recipient: b"other@example.org".to_vec(),
            original: b"x@example.net".to_vec(),
            offset: 731,
            dsn_original: "rfc822;foo@bar".into(),
            notify: 4,
            status: "4.2.0".into(),
            action: "delayed".into(),
            diagnostic_type: "smtp".into(),
            diagnostic: "450 4.2.0 Never".into(),
            mta_type: "dns".into(),
            mta: "127.110.74.98".into(),
            reason: "host said: 450 4.2.0 Never".into(),
        };
        let mut out = Vec::new();
        entry.write(&mut out);
        let text = "\n<other@example.org>: host said: 450 4.2.0 Never\nrecipient=other@example.org\n\
            original_recipient=x@example.net\noffset=731\ndsn_orig_rcpt=rfc822;foo@bar\nnotify_flags=4\nstatus=4.2.0\n\
            action=delayed\ndiag_type=smtp\ndiag_text=450 4.2.0 Never\nmta_type=dns\nmta_mname=127.110.74.98\n\
            reason=host said: 450 4.2.0 Never\n\n";
        assert_eq!(String::from_utf8(out.clone()).unwrap(), text);
        assert_eq!(Entries::new(&out[..]).map(Result::unwrap).collect::<Vec<_>>(), [entry]);
    }

    #[test]
    fn logs_of_old_releases_are_read() {
        let found: Vec<_> = Entries::new(&b"\n<a@b>: no such user\n\n<c@d>: later\n"[..]).map(Result::unwrap).collect();
        let found: Vec<_> = found.iter().map(|e| (&e.recipient[..], &e.reason[..])).collect();
        assert_eq!(found, [(&b"a@b"[..], "no such user"), (b"c@d", "later")]);
    }

    #[test]
    fn a_reason_ends_before_white_space() {
        let entry = Entry { recipient: b"a@b".to_vec(), reason: "host said: 450 ".to_owned(), ..Entry::default() };
        let mut out = Vec::new();
        entry.write(&mut out);
        let found: Vec<_> = Entries::new(&out[..]).map(Result::unwrap).collect();
        assert_eq!(found, [Entry { reason: "host said: 450".to_owned(), ..entry }]);
    }

    #[test]
    fn what_a_damaged_log_no_longer_tells_is_named() {
        let text = b"\xff rubbish\n=x\nstatus=5.1.1\n\nrecipient=a@b\n\n<c@d>: later\nrec";
        let found: Vec<_> = Entries::new(&text[..]).map(Result::unwrap).collect();
        let found: Vec<_> = found.iter().map(|e| (&e.recipient[..], &e.reason[..], &e.status[..])).collect();
        let expected = [(NO_RECIPIENT, NO_REASON, "5.1.1"), (b"a@b", NO_REASON, ""), (b"c@d", "later", "")];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_log_that_cannot_be_read_ends() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::IsADirectory.into())
            }
        }
        let entries = Entries::new(io::BufReader::new(Broken));
        assert_eq!(entries.take(9).map(|entry| entry.is_err()).collect::<Vec<_>>(), [true]);
    }

    #[test]
    fn what_is_no_file_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), crate::Layout::default());
        std::fs::create_dir(folder.path().join("bounce")).unwrap();
        let [folder, pipe, link] = [1, 3, 5].map(|number| QueueId::short(number, number.into()));
        let path = |id| spool.path(QueueName::Bounce, id);
        std::fs::create_dir(path(&folder)).unwrap();
        nix::unistd::mkfifo(&path(&pipe), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path(&link)).unwrap();
        let read = |id| Ok::<_, Error>(read(&spool, QueueName::Bounce, id)?.collect::<Result<Vec<_>, _>>()?.len());
        assert!(read(&folder).is_err_and(|error| !error.is_gone()));
        assert_eq!(read(&pipe).ok(), Some(0));
        assert!(read(&link).is_err_and(|error| !error.is_gone()));
        for id in [folder, pipe, link] {
            assert!(append(&spool, QueueName::Bounce, &id, &Entry::default()).is_err());
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_the_next_line_is_whole() {
        for length in [LINE_LIMIT, LINE_LIMIT + 1, 3 * LINE_LIMIT] {
            let text = format!("recipient=a@example.org\nreason={}\naction=delayed\n\n", "x".repeat(length - 7));
            // In pieces, as from a disk.
            let pieces = io::BufReader::with_capacity(1000, text.as_bytes());
            let entries: Vec<_> = Entries::new(pieces).map(Result::unwrap).collect();
            assert_eq!(entries.len(), 1);
            assert_eq!((entries[0].reason.len(), entries[0].action.as_str()), (LINE_LIMIT - 7, "delayed"));
        }
    }

    proptest! {
        #[test]
        fn a_log_on_disk_is_read_as_one_in_memory(count in 0usize..200, width in 0usize..300) {
            let folder = tempfile::tempdir().unwrap();
            let spool = Spool::new(folder.path(), crate::Layout::default());
            let id = QueueId::short(1, 2);
            let mut bytes = Vec::new();
            for number in 0..count {
                let recipient = format!("{number}@example.org").into_bytes();
                Entry { recipient, reason: "x".repeat(width), ..Entry::default() }.write(&mut bytes);
            }
            let path = spool.path(QueueName::Defer, &id);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
            let on_disk: Vec<_> = read(&spool, QueueName::Defer, &id).unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(on_disk, Entries::new(&bytes[..]).map(Result::unwrap).collect::<Vec<_>>());
        }

        #[test]
        fn any_log_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Entries::new(&bytes[..]).count();
        }
    }
}

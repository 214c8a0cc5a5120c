//! The message that a notice is about, as far as it comes back. Blocks on the disk.

use queue_file::{Buffered, Content, Error, Message, Piece, QueueId, QueueName, Spool};
use tracing::warn;

/// The longest header that comes back.
const HEADER_LIMIT: usize = 256 * 1024;

/// What a notice needs of a queue file.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The envelope; `None` if the file is gone or damaged.
    pub(crate) message: Option<Message>,
    /// The text, lines ended by LF, as much as is allowed.
    pub(crate) text: Vec<u8>,
    /// Where the header of the text ends.
    pub(crate) header: usize,
    /// Whether all of the message is there.
    pub(crate) whole: bool,
}

impl Found {
    /// Whether the sender asked for a report with the message (`sendmail -v` and `-bv`).
    pub(crate) fn is_traced(&self) -> bool {
        let flags = self.message.as_ref().map_or("", |message| message.attributes.text("trace_flags"));
        flags.parse().unwrap_or(0) != 0
    }

    /// The value of a header, as far as its first line has it.
    pub(crate) fn header_line(&self, name: &str) -> Option<String> {
        self.text.get(..self.header)?.split(|&b| b == b'\n').find_map(|line| {
            let line = String::from_utf8_lossy(line);
            let (found, value) = line.split_once(':')?;
            found.trim_end().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

/// Reads what is there; `limit` is the largest message that comes back whole. A file that is gone or damaged will not be better later.
///
/// # Errors
/// The disk does not give the file now.
pub(crate) fn read(spool: &Spool, queue: QueueName, id: &QueueId, limit: u64) -> Result<Found, Error> {
    let opened = spool.open_read(queue, id).and_then(|file| {
        let message = Message::parse_leading(Buffered::small(&file), 0)?;
        Ok((file, message))
    });
    let (file, message) = match opened {
        Ok(opened) => opened,
        Err(error) if error.is_gone() => return Ok(Found::default()),
        Err(error) => return damaged(id, error).map(|()| Found::default()),
    };
    let mut found = Found { whole: message.size() <= limit, ..Found::default() };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(HEADER_LIMIT);
    if let Err(error) = found.take(Content::new(Buffered::large(&file), message.data_offset), limit) {
        damaged(id, error)?;
        found.whole = false;
    }
    found.message = Some(message);
    Ok(found)
}

/// What is damaged is logged, and comes back as far as it can be read.
fn damaged(id: &QueueId, error: Error) -> Result<(), Error> {
    if !error.is_malformed() {
        return Err(error);
    }
    warn!("{id}: {error}");
    Ok(())
}

impl Found {
    fn take<S: queue_file::Source>(&mut self, mut content: Content<S>, limit: usize) -> Result<(), Error> {
        let mut in_header = true;
        let mut at_start = true;
        while let Some(piece) = content.next()? {
            let (bytes, ends) = match piece {
                Piece::Line(bytes) => (bytes, true),
                Piece::Part(bytes) => (bytes, false),
            };
            if in_header && at_start && !continues_header(bytes) {
                in_header = false;
                self.header = self.text.len();
                if !self.whole {
                    return Ok(());
                }
            }
            self.text.extend_from_slice(bytes);
            if ends {
                self.text.push(b'\n');
            }
            at_start = ends;
            if self.text.len() > limit {
                self.whole = false;
                break;
            }
        }
        if in_header {
            self.header = self.text.len();
        }
        if !at_start {
            self.text.push(b'\n');
        }
        Ok(())
    }
}

/// Whether a line belongs to a header.
fn continues_header(line: &[u8]) -> bool {
    match line.first() {
        None => false,
        Some(b' ' | b'\t') => true,
        Some(_) => {
            let name = line.iter().take_while(|&&b| b.is_ascii_graphic() && b != b':').count();
            name > 0 && line.get(name..).is_some_and(|rest| rest.trim_ascii_start().first() == Some(&b':'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::record::{Type, put};

    fn found(lines: &[&str], whole: bool) -> Found {
        let mut bytes = Vec::new();
        for line in lines {
            put(&mut bytes, Type::Line, line.as_bytes());
        }
        put(&mut bytes, Type::Extracted, b"");
        let mut found = Found { whole, ..Found::default() };
        found.take(Content::new(&bytes[..], 0), 1000).unwrap();
        found
    }

    #[test]
    fn what_the_disk_does_not_give_is_no_damage() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::new(root.path(), queue_file::Layout::default());
        let read = |id: &QueueId| read(&spool, QueueName::Active, id, 1000);
        let [broken, damaged, gone] = [1, 2, 3].map(|inode| QueueId::short(1, inode));
        // A directory can be opened, and not read.
        std::fs::create_dir_all(spool.path(QueueName::Active, &broken)).unwrap();
        std::fs::write(spool.path(QueueName::Active, &damaged), "nonsense").unwrap();
        assert!(read(&broken).is_err());
        for id in [&damaged, &gone] {
            assert!(read(id).unwrap().message.is_none(), "{id}");
        }
    }

    #[test]
    fn header_and_body_are_told_apart() {
        let lines = ["Subject: a", "\tb", "References: <1>", " <2>", "", "body: x"];
        let whole = found(&lines, true);
        assert_eq!(whole.text, b"Subject: a\n\tb\nReferences: <1>\n <2>\n\nbody: x\n");
        assert_eq!(&whole.text[..whole.header], b"Subject: a\n\tb\nReferences: <1>\n <2>\n");
        assert_eq!(whole.header_line("references").as_deref(), Some("<1>"));
        assert_eq!(whole.header_line("body"), None);
        let header = found(&lines, false);
        assert_eq!(header.text.len(), header.header);
    }
}

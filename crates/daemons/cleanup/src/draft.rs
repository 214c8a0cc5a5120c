//! The queue file while it is being written.
//!
//! Records gather in memory. A message of ordinary size goes to disk in one write together with its final `C` record; of a large one
//! what has gathered is written from time to time, and `C` at the end. Where disk work is done, at once or on the
//! pool, depends on how quick the disk is.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use queue_file::record::{self, Type};
use queue_file::{Committed, Error, NewFile, QueueName, Sizes, Spool};

use crate::Desk;

/// A larger message is written in pieces of this size that begin at its multiples: the page cache takes its memory in pieces
/// as large then, which costs a third less than single ones.
const PIECE: usize = 256 * 1024;

/// Room for a message of a few pages.
const ORDINARY: usize = 8 * 1024;

/// A file that is not mail yet. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Draft {
    file: NewFile,
    buffer: Vec<u8>,
    /// Bytes of the file that are on disk already; the buffer follows them.
    written: u64,
    /// Where the content begins, once it has.
    data_offset: Option<u64>,
    /// The leading segment, kept when it was written before the end.
    leading: Vec<u8>,
}

/// What a message is to be instead.
#[derive(Debug)]
pub(crate) struct Replacement {
    /// Records from the first one on, with a `C` record in its place.
    pub(crate) start: Vec<u8>,
    /// Where in it the content begins.
    pub(crate) data_offset: u64,
    /// What follows.
    pub(crate) tail: Tail,
}

/// The records of a body.
#[derive(Debug)]
pub(crate) enum Tail {
    /// Those that are there, between these offsets.
    Kept {
        from: u64,
        to: u64,
    },
    New(Vec<u8>),
}

/// A file that is mail, with what qmgr is told of it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) committed: Committed,
    /// Empty if too large.
    pub(crate) leading: Bytes,
    pub(crate) extracted_at: u64,
    pub(crate) extracted: Bytes,
}

impl Draft {
    pub(crate) fn new(file: NewFile) -> Self {
        Self { file, buffer: Vec::new(), written: 0, data_offset: None, leading: Vec::new() }
    }

    /// Begins the message; until then it takes no memory.
    pub(crate) fn begin(&mut self) {
        self.buffer.reserve(ORDINARY);
        Sizes::default().write(&mut self.buffer);
    }

    pub(crate) fn id(&self) -> &str {
        self.file.id().as_str()
    }

    /// The records that have gathered; more are appended here.
    pub(crate) fn records(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Where the next record will be.
    pub(crate) fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Where the content begins; 0 before it does.
    pub(crate) fn data_offset(&self) -> u64 {
        self.data_offset.unwrap_or(0)
    }

    /// Ends the leading segment.
    pub(crate) fn begin_content(&mut self) {
        record::put(&mut self.buffer, Type::Message, b"");
        self.data_offset = Some(self.position());
    }

    /// Writes the pieces that are whole.
    pub(crate) async fn relieve(self) -> Result<Self, Error> {
        let begun = usize::try_from(self.position() % PIECE as u64).unwrap_or(0);
        match self.buffer.len().saturating_sub(begun) {
            0 => Ok(self),
            length => self.write_out(length).await,
        }
    }

    /// Writes the first `length` bytes of what has gathered.
    async fn write_out(mut self, length: usize) -> Result<Self, Error> {
        if self.written == 0 {
            let leading = self.data_offset.and_then(|end| self.buffer.get(..usize::try_from(end).ok()?));
            self.leading = leading.map(<[u8]>::to_vec).unwrap_or_default();
        }
        service::file(move || {
            self.file.empty()?;
            let gathered = self.buffer.drain(..length);
            self.file.file().write_all_at(gathered.as_slice(), self.written)?;
            drop(gathered);
            self.written += length as u64;
            Ok(self)
        })
        .await
    }

    async fn write_all(self) -> Result<Self, Error> {
        let length = self.buffer.len();
        self.write_out(length).await
    }

    /// Puts what has gathered on disk, unless all there is of the message is in memory.
    pub(crate) async fn settle(self) -> Result<Self, Error> {
        if self.written == 0 { Ok(self) } else { self.write_all().await }
    }

    /// All records so far, if they are in memory.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        (self.written == 0).then_some(self.buffer.as_slice())
    }

    pub(crate) fn file(&self) -> &File {
        self.file.file()
    }

    /// Puts another message in the place of this one.
    pub(crate) async fn replace(mut self, new: Replacement) -> Result<Self, Error> {
        self.data_offset = Some(new.data_offset);
        let Replacement { mut start, data_offset, tail } = new;
        if self.written == 0 {
            match tail {
                Tail::New(body) => start.extend_from_slice(&body),
                Tail::Kept { from, to } => {
                    let place = usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0);
                    start.extend_from_slice(self.buffer.get(place).unwrap_or_default());
                }
            }
            self.buffer = start;
            return Ok(self);
        }
        self.leading = start.get(..usize::try_from(data_offset).unwrap_or(0)).unwrap_or_default().to_vec();
        service::file(move || {
            let file = self.file.file();
            let at = start.len() as u64;
            self.written = match &tail {
                Tail::New(body) => {
                    file.write_all_at(body, at)?;
                    at + body.len() as u64
                }
                Tail::Kept { from, to } => {
                    shift(file, *from..*to, at)?;
                    at + to.saturating_sub(*from)
                }
            };
            file.write_all_at(&start, 0)?;
            file.set_len(self.written)?;
            Ok(self)
        })
        .await
    }

    /// Puts the final `C` record in place, and all else on disk, but makes no mail of it: for a notice about a refusal.
    pub(crate) async fn complete(mut self, sizes: Sizes) -> Result<Self, Error> {
        let header = self.set_sizes(sizes);
        let draft = self.write_all().await?;
        service::file(move || {
            draft.file.file().write_all_at(&header, 0)?;
            Ok(draft)
        })
        .await
    }

    /// Makes it mail, in `queue`.
    pub(crate) async fn commit(
        mut self,
        desk: &Desk,
        queue: QueueName,
        sizes: Sizes,
        extracted_at: u64,
    ) -> Result<Done, Error> {
        let header = self.set_sizes(sizes);
        let extracted = extracted_at
            .checked_sub(self.written)
            .and_then(|start| self.buffer.get(usize::try_from(start).ok()?..))
            .map(Bytes::copy_from_slice);
        let leading = if self.written == 0 {
            self.data_offset.and_then(|end| self.buffer.get(..usize::try_from(end).ok()?)).map(Bytes::copy_from_slice)
        } else {
            overwrite(&mut self.leading, &header);
            Some(Bytes::from(std::mem::take(&mut self.leading)))
        };
        let committed = if self.written == 0 && queue == self.file.queue() {
            desk.committer.commit(self.file, self.buffer).await?
        } else {
            let spool = desk.spool.clone();
            service::sync(move || self.synchronise(&spool, queue, &header)).await?
        };
        Ok(Done {
            committed,
            leading: leading.filter(|_| extracted.is_some()).unwrap_or_default(),
            extracted_at,
            extracted: extracted.unwrap_or_default(),
        })
    }

    fn synchronise(mut self, spool: &Spool, queue: QueueName, header: &[u8]) -> Result<Committed, Error> {
        self.file.empty()?;
        self.file.file().write_all_at(&self.buffer, self.written)?;
        if self.written > 0 {
            self.file.file().write_all_at(header, 0)?;
        }
        if queue != self.file.queue() {
            self.file.move_to(spool, queue)?;
        }
        self.file.commit()
    }

    /// The final `C` record, which is put into the buffer if its place is still there.
    fn set_sizes(&mut self, sizes: Sizes) -> [u8; Sizes::RECORD] {
        let header = sizes.record();
        if self.written == 0 {
            overwrite(&mut self.buffer, &header);
        }
        header
    }

    /// Removes the file.
    pub(crate) async fn discard(self) {
        service::file(move || drop(self)).await;
    }
}

/// Moves a range of a file to another offset; the two may overlap.
fn shift(file: &File, range: Range<u64>, to: u64) -> std::io::Result<()> {
    let mut chunk = vec![0; PIECE];
    let size = range.end.saturating_sub(range.start);
    let mut done = 0;
    while done < size && to != range.start {
        let count = (size - done).min(PIECE as u64);
        // What is moved towards the end is moved from its end on, so that nothing is overwritten before it was read.
        let at = if to > range.start { size - done - count } else { done };
        let part = chunk.get_mut(..usize::try_from(count).unwrap_or(0)).unwrap_or_default();
        file.read_exact_at(part, range.start + at)?;
        file.write_all_at(part, to + at)?;
        done += count;
    }
    Ok(())
}

fn overwrite(bytes: &mut [u8], header: &[u8]) {
    if let Some(place) = bytes.get_mut(..header.len()) {
        place.copy_from_slice(header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_moved_both_ways() {
        let bytes: Vec<u8> = (0..800_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        for to in [0, 999, 1000, 1001, 300_000] {
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&bytes, 0).unwrap();
            shift(&file, 1000..790_000, to).unwrap();
            let mut moved = vec![0; 789_000];
            file.read_exact_at(&mut moved, to).unwrap();
            assert!(moved == bytes[1000..790_000], "{to}");
        }
    }

    #[tokio::test]
    async fn a_large_message_is_written_in_whole_pieces_until_it_is_complete() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("incoming")).unwrap();
        let spool = Spool::new(root.path(), queue_file::Layout::default());
        let mut draft = Draft::new(spool.create(QueueName::Incoming).unwrap());
        let path = spool.path(QueueName::Incoming, draft.file.id());
        draft.begin();
        let mut expected = draft.records().clone();
        for (number, length) in (0_u8..).zip([100, PIECE - 200, 1000, 3 * PIECE + 7, 1]) {
            let part = vec![number; length];
            draft.records().extend_from_slice(&part);
            expected.extend_from_slice(&part);
            draft = draft.relieve().await.unwrap();
            let whole = expected.len() - expected.len() % PIECE;
            assert_eq!(std::fs::read(&path).unwrap(), expected[..whole]);
        }
        let _draft = draft.settle().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), expected);
    }
}

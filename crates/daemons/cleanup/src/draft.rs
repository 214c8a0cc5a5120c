//! The queue file while it is being written.
//!
//! Records gather in memory. A message of ordinary size goes to disk in one write together with its final `C` record; of a large one
//! what has gathered is written from time to time, and `C` at the end. All disk work is on the pool.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use queue_file::record::{self, Type};
use queue_file::{Committed, Error, NewFile, QueueName, Sizes, Spool};

/// What may gather before it is written.
const GATHER: usize = 64 * 1024;

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
        let mut buffer = Vec::with_capacity(4096);
        Sizes::default().write(&mut buffer);
        Self { file, buffer, written: 0, data_offset: None, leading: Vec::new() }
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

    /// Writes what has gathered, if it is much.
    pub(crate) async fn relieve(self) -> Result<Self, Error> {
        if self.buffer.len() < GATHER { Ok(self) } else { self.write_out().await }
    }

    async fn write_out(mut self) -> Result<Self, Error> {
        if self.written == 0 {
            let leading = self.data_offset.and_then(|end| self.buffer.get(..usize::try_from(end).ok()?));
            self.leading = leading.map(<[u8]>::to_vec).unwrap_or_default();
        }
        service::disk(move || {
            self.file.file().write_all_at(&self.buffer, self.written)?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
            Ok(self)
        })
        .await
    }

    /// Puts the final `C` record in place, and all else on disk, but makes no mail of it: for a notice about a refusal.
    pub(crate) async fn complete(mut self, sizes: Sizes) -> Result<Self, Error> {
        let header = self.set_sizes(sizes);
        let draft = self.write_out().await?;
        service::disk(move || {
            draft.file.file().write_all_at(&header, 0)?;
            Ok(draft)
        })
        .await
    }

    /// Makes it mail, in `queue`, and creates the next file while at it.
    pub(crate) async fn commit(
        mut self,
        spool: Arc<Spool>,
        queue: QueueName,
        sizes: Sizes,
        extracted_at: u64,
    ) -> (Result<Done, Error>, Result<NewFile, Error>) {
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
        service::disk(move || {
            let done = self.synchronise(&spool, queue, &header).map(|committed| Done {
                committed,
                leading: leading.filter(|_| extracted.is_some()).unwrap_or_default(),
                extracted_at,
                extracted: extracted.unwrap_or_default(),
            });
            (done, spool.create(QueueName::Incoming))
        })
        .await
    }

    fn synchronise(mut self, spool: &Spool, queue: QueueName, header: &[u8]) -> Result<Committed, Error> {
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
    fn set_sizes(&mut self, sizes: Sizes) -> Vec<u8> {
        let mut header = Vec::with_capacity(Sizes::RECORD);
        sizes.write(&mut header);
        if self.written == 0 {
            overwrite(&mut self.buffer, &header);
        }
        header
    }

    /// Removes the file.
    pub(crate) async fn discard(self) {
        service::disk(move || drop(self)).await;
    }
}

fn overwrite(bytes: &mut [u8], header: &[u8]) {
    if let Some(place) = bytes.get_mut(..header.len()) {
        place.copy_from_slice(header);
    }
}

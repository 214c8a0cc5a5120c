//! Where records are read from: bytes in memory, pieces of a file in memory, or a file.

use std::borrow::Borrow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that can be looked at from any offset.
pub trait Source {
    /// The bytes at `offset`, at least `least` of them unless the source ends before. More may be given.
    ///
    /// # Errors
    /// What the system says.
    fn window(&mut self, offset: u64, least: usize) -> io::Result<&[u8]>;
}

impl Source for &[u8] {
    fn window(&mut self, offset: u64, _least: usize) -> io::Result<&[u8]> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(self.get(start..).unwrap_or_default())
    }
}

/// The beginning and the end of a file whose middle is not needed: what cleanup hands to qmgr.
#[derive(Debug, Clone, Copy)]
pub struct Segments<'a> {
    /// The file from its first byte.
    pub leading: &'a [u8],
    /// Offset in the file of `extracted`.
    pub extracted_at: u64,
    /// The file from there to its end.
    pub extracted: &'a [u8],
}

impl Source for Segments<'_> {
    fn window(&mut self, offset: u64, _least: usize) -> io::Result<&[u8]> {
        let (start, bytes) = match offset.checked_sub(self.extracted_at) {
            Some(start) => (start, self.extracted),
            None => (offset, self.leading),
        };
        Ok(bytes.get(usize::try_from(start).unwrap_or(usize::MAX)..).unwrap_or_default())
    }
}

/// The first read, in bytes: most messages are not larger, and a buffer of this size costs an allocator little.
const FIRST: usize = 8 * 1024;
/// The largest read of an envelope.
const ENVELOPE: usize = 4096;

/// A file, read through a buffer at the offsets asked for. Its own position is not used.
///
/// Reads begin small and double up to their largest size, so that a short message needs one read and a small buffer.
#[derive(Debug)]
pub struct Buffered<F> {
    file: F,
    /// Room for what is read; the first `filled` bytes are there.
    buffer: Vec<u8>,
    filled: usize,
    start: u64,
    /// Whether the file ends with what is there.
    ended: bool,
    /// The size of the next read.
    chunk: usize,
    /// The size of the largest.
    largest: usize,
}

impl<F: Borrow<File>> Buffered<F> {
    /// Reads of up to 4 KiB: for envelopes.
    pub fn small(file: F) -> Self {
        Self::with_chunk(file, ENVELOPE)
    }

    /// Reads of up to 64 KiB: for content.
    pub fn large(file: F) -> Self {
        Self::with_chunk(file, 64 * 1024)
    }

    /// Reads for envelopes, into the buffer of an earlier file.
    pub fn reusing(file: F, buffer: Vec<u8>) -> Self {
        Self { buffer, ..Self::small(file) }
    }

    /// Reads of up to `largest` bytes.
    pub fn with_chunk(file: F, largest: usize) -> Self {
        let largest = largest.max(1);
        let chunk = largest.min(FIRST);
        Self { file, buffer: Vec::new(), filled: 0, start: 0, ended: false, chunk, largest }
    }

    /// The file.
    pub fn file(&self) -> &File {
        self.file.borrow()
    }

    /// The buffer, for another file.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    #[inline]
    fn available(&self, offset: u64) -> Option<&[u8]> {
        let skip = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.buffer.get(skip..self.filled)
    }

    /// Reads what is not there: seldom, so that [`Source::window`] is small.
    #[cold]
    fn fill(&mut self, offset: u64, least: usize) -> io::Result<()> {
        let kept = self.available(offset).map_or(0, <[u8]>::len);
        self.buffer.copy_within(self.filled - kept..self.filled, 0);
        self.start = offset;
        self.filled = kept;
        let wanted = least.max(self.chunk);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        self.chunk = self.chunk.saturating_mul(2).min(self.largest);
        self.ended = false;
        while self.filled < least {
            let room = self.buffer.get_mut(self.filled..wanted).unwrap_or_default();
            let asked = room.len();
            match self.file.borrow().read_at(room, offset.saturating_add(self.filled as u64)) {
                Ok(count) => {
                    self.filled += count;
                    if count < asked {
                        // A file on disk gives less only where it ends.
                        self.ended = true;
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<F: Borrow<File>> Source for Buffered<F> {
    #[inline]
    fn window(&mut self, offset: u64, least: usize) -> io::Result<&[u8]> {
        if self.available(offset).is_none_or(|bytes| bytes.len() < least && !self.ended) {
            self.fill(offset, least)?;
        }
        Ok(self.available(offset).unwrap_or_default())
    }
}

impl<S: Source> Source for &mut S {
    #[inline]
    fn window(&mut self, offset: u64, least: usize) -> io::Result<&[u8]> {
        (**self).window(offset, least)
    }
}

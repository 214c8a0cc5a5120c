//! The message's text as it lies in a queue file.

use std::fs::File;
use std::io;
use std::sync::Arc;

use queue_file::Buffered;

use crate::QueueFile;

/// Walks through the content of one message; several walks of one file do not disturb each other.
pub type Content = queue_file::Content<Buffered<Arc<File>>>;

/// The content of a file that begins at `data_offset`. Damage is noted with the file.
#[must_use]
pub fn content_of(file: &QueueFile, data_offset: u64) -> Content {
    Content::new(Buffered::large(Arc::clone(file.file())), data_offset).noting(file.damage())
}

/// A failure to walk, as input and output has it.
pub(crate) fn unreadable(error: queue_file::Error) -> io::Error {
    match error {
        queue_file::Error::Read(source) => source,
        other @ (queue_file::Error::System { .. } | queue_file::Error::Malformed { .. }) => {
            io::Error::new(io::ErrorKind::InvalidData, other)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use queue_file::record::{Type, put};

    /// A queue file with only content, in a directory that must be kept.
    pub(crate) fn file(list: &[(Type, &[u8])]) -> (tempfile::TempDir, QueueFile) {
        let mut bytes = Vec::new();
        for (kind, data) in list {
            put(&mut bytes, *kind, data);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("q");
        std::fs::write(&path, bytes).unwrap();
        let file = QueueFile::open(&path).unwrap();
        (directory, file)
    }
}

//! The two files that a resolver is made of, and whether they have changed since.
//!
//! Descriptors are kept across the jail: a file that was replaced shows itself by having no name left.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

/// Larger files are cut; no resolver needs more.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// A file that was read, and its state then.
#[derive(Debug)]
pub(crate) struct Watched {
    file: File,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
struct State {
    modified: Option<SystemTime>,
    size: u64,
    links: u64,
}

impl Watched {
    /// Reads a file; its text is empty if it cannot be read, as for the system's resolver.
    pub(crate) fn read(path: &Path) -> (String, Option<Self>) {
        let Ok(file) = File::open(path) else { return (String::new(), None) };
        let mut bytes = Vec::new();
        if (&file).take(MOST_BYTES).read_to_end(&mut bytes).is_err() {
            return (String::new(), None);
        }
        let watched = state(&file).map(|state| Self { file, state });
        (String::from_utf8_lossy(&bytes).into_owned(), watched)
    }

    /// Whether the file is no longer what was read.
    pub(crate) fn changed(&self) -> bool {
        state(&self.file).is_none_or(|now| now != self.state)
    }
}

fn state(file: &File) -> Option<State> {
    let metadata = file.metadata().ok()?;
    Some(State { modified: metadata.modified().ok(), size: metadata.len(), links: metadata.nlink() })
}

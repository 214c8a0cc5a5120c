//! All files of a queue, one directory after the other, without holding names in memory.

use crate::{Error, QueueId};
use std::fs::{self, DirEntry, ReadDir};
use std::path::PathBuf;

/// A file of a queue.
#[derive(Debug)]
pub struct Found {
    /// Its id.
    pub id: QueueId,
    /// How many directories below the queue's own.
    pub depth: usize,
    entry: DirEntry,
}

impl Found {
    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }
}

/// Walks through a queue. Directories of one letter are part of the layout and are entered, other names that
/// are no queue ids are passed over.
#[derive(Debug)]
pub struct Scan {
    start: Option<PathBuf>,
    open: Vec<(PathBuf, ReadDir)>,
}

impl Scan {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { start: Some(directory), open: Vec::new() }
    }

    fn enter(&mut self, path: PathBuf) -> Result<(), Error> {
        match fs::read_dir(&path) {
            Ok(entries) => self.open.push((path, entries)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::system("open directory", &path, error)),
        }
        Ok(())
    }

    fn take(&mut self, entry: DirEntry) -> Result<Option<Found>, Error> {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Ok(None) };
        let is_directory = || entry.file_type().is_ok_and(|kind| kind.is_dir());
        if name.len() == 1 && self.open.len() <= 16 && is_directory() {
            self.enter(entry.path())?;
            return Ok(None);
        }
        let depth = self.open.len().saturating_sub(1);
        Ok(QueueId::parse(name).map(|id| Found { id, depth, entry }))
    }
}

impl Iterator for Scan {
    type Item = Result<Found, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(start) = self.start.take()
            && let Err(error) = self.enter(start)
        {
            return Some(Err(error));
        }
        loop {
            let (path, entries) = self.open.last_mut()?;
            match entries.next() {
                None => {
                    self.open.pop();
                }
                Some(Err(error)) => return Some(Err(Error::system("read directory", path, error))),
                Some(Ok(entry)) => match self.take(entry) {
                    Ok(None) => {}
                    Ok(Some(found)) => return Some(Ok(found)),
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }
}

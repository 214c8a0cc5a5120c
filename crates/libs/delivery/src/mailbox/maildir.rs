//! Delivers a message to a maildir: written below `tmp`, moved to `new`, and only then there.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use dsn::Status;
use queue_file::rename_new;

use super::{Error, Limited};
use crate::content::Content;
use crate::copy::{self, Layout};

/// What makes the names of messages unique.
#[derive(Debug, Clone, Copy)]
pub struct Naming<'a> {
    /// The machine's own name, which other hosts with the same file system do not have.
    pub host: &'a str,
    /// The moment of delivery.
    pub now: SystemTime,
    /// The largest size of a message file, 0 for none.
    pub limit: u64,
    /// The code of a failure that has none by itself.
    pub failure: Status,
    /// The file system of the queue.
    pub queue: u64,
}

/// Puts the message into the maildir, which is created if it can be. The file is synchronised to disk, and so is the directory
/// if the queue is elsewhere; one file system keeps the order in which this file gets its name and that in the queue loses its own.
///
/// # Errors
/// See [`Error`].
pub fn deliver(maildir: &Path, naming: Naming<'_>, content: &mut Content, layout: &Layout) -> Result<(), Error> {
    let failure = naming.failure;
    let since = naming.now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = format!("{}.P{}.{}", since.as_secs(), std::process::id(), naming.host);
    let mut temporary = Temporary { path: maildir.join("tmp").join(name), moved: false };
    let refused =
        |error: &io::Error| Error::system(failure, &format!("create maildir file {}", temporary.path.display()), error);
    let file = create(maildir, &temporary.path).map_err(|error| refused(&error))?;
    let found = file.metadata().map_err(|error| refused(&error))?;
    write(&file, naming.limit, content, layout).map_err(|error| Error::of_copy(error, failure))?;
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    let name = format!("{seconds}.V{:x}I{:x}M{micros}.{}", found.dev(), found.ino(), naming.host);
    let directory = maildir.join("new");
    let last = directory.join(name);
    let moved = match rename_new(&temporary.path, &last) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(&directory).and_then(|()| rename_new(&temporary.path, &last))
        }
        result => result,
    };
    moved.map_err(|error| Error::system(failure, &format!("create maildir file {}", last.display()), &error))?;
    temporary.moved = true;
    if found.dev() == naming.queue {
        return Ok(());
    }
    File::open(&directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Error::system(failure, &format!("sync maildir {}", directory.display()), &error))
}

/// A file below `tmp`, gone when this is dropped unless it was moved.
struct Temporary {
    path: PathBuf,
    moved: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.moved {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn create(maildir: &Path, path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(maildir)?;
            privsep::create_directory_apart(&maildir.join("tmp"), 0o700)?;
            make(&maildir.join("new"))?;
            make(&maildir.join("cur"))?;
            open()
        }
        result => result,
    }
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn write(file: &File, limit: u64, content: &mut Content, layout: &Layout) -> Result<(), copy::Error> {
    let mut out = BufWriter::with_capacity(32 * 1024, Limited { inner: file, size: 0, limit });
    copy::copy(content, layout, &mut out)?;
    out.flush().and_then(|()| file.sync_all()).map_err(copy::Error::Write)
}

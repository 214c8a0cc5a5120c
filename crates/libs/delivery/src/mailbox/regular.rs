//! Opens a file for appending without being led astray: no links that others have made, no files that others can swap.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use dsn::Status;

use super::Error;
use super::mbox::Owner;

const O_NOCTTY: i32 = 0o400;
const O_NONBLOCK: i32 = 0o4000;

/// Opens `path` for appending, or creates it with `mode` 0600 for `owner`.
pub(super) fn open_or_create(path: &Path, owner: Option<Owner>, other: Status) -> Result<File, Error> {
    // Someone may create or remove the file between two looks; a few tries settle that.
    for _ in 0..5 {
        match open(path, other)? {
            Some(file) => return Ok(file),
            None => match create(path, owner) {
                Ok(file) => return Ok(file),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if std::fs::metadata(path).is_err() {
                        return Err(Error::refused(other, "file is a symbolic link".to_owned()));
                    }
                }
                Err(error) => return Err(Error::system(other, "cannot create file exclusively", &error)),
            },
        }
    }
    Err(Error::refused(Status::temporary(2, 0), "file changes while being opened".to_owned()))
}

/// `None` if there is no such file.
fn open(path: &Path, other: Status) -> Result<Option<File>, Error> {
    let file = match OpenOptions::new().append(true).custom_flags(O_NOCTTY | O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::system(other, "cannot open file", &error)),
    };
    let problem = |error: &io::Error| Error::system(other, "cannot look at file", error);
    let opened = file.metadata().map_err(|error| problem(&error))?;
    let named = std::fs::symlink_metadata(path).map_err(|error| problem(&error))?;
    if opened.is_dir() {
        return Err(Error::refused(other, "file is a directory".to_owned()));
    }
    if opened.is_file() && opened.nlink() != 1 {
        return Err(Error::refused(other, format!("file has {} hard links", opened.nlink())));
    }
    if named.is_symlink() && !is_link_of_root(path, &named) {
        return Err(Error::refused(other, "file is a symbolic link".to_owned()));
    }
    if !named.is_symlink() && (named.dev(), named.ino()) != (opened.dev(), opened.ino()) {
        return Err(Error::refused(Status::temporary(2, 0), "file changed while being opened".to_owned()));
    }
    Ok(Some(file))
}

/// Links that only the administrator can have made are followed.
fn is_link_of_root(path: &Path, link: &Metadata) -> bool {
    let parent = path.parent().and_then(|parent| std::fs::metadata(parent).ok());
    link.uid() == 0 && parent.is_some_and(|parent| parent.uid() == 0 && parent.mode() & 0o022 == 0)
}

fn create(path: &Path, owner: Option<Owner>) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
    if let Some(Owner { uid, gid }) = owner {
        fchown(&file, Some(uid), Some(gid))?;
    }
    Ok(file)
}

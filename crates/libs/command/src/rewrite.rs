//! Reads a configuration file for editing, and puts the new one in its place.
//!
//! Bytes that are no UTF-8 survive: a file is read as one character for each byte, and written back so.

use crate::{Fatal, said};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// No configuration file is larger than this.
const MAX_SIZE: u64 = 16 << 20;

/// A file as characters that stand for its bytes.
///
/// # Errors
/// It cannot be read.
pub fn read_raw(path: &Path) -> Result<String, Fatal> {
    match read(path) {
        Ok(bytes) => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Err(error) => Err(Fatal::new(format!("open {} for reading: {}", path.display(), said(&error)))),
    }
}

/// An argument in the form of [`read_raw`].
#[must_use]
pub fn raw(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// Puts a file in the place of an old one, with the old one's owner and permissions.
///
/// # Errors
/// The new one cannot be written; the old one is as it was.
pub fn replace(path: &Path, text: &str) -> Result<(), Fatal> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = target.clone().into_os_string();
    beside.push(".tmp");
    let beside = Path::new(&beside);
    let written = write(beside, &target, text).and_then(|()| std::fs::rename(beside, &target));
    match written {
        Ok(()) => {
            if let Some(directory) = target.parent().and_then(|parent| File::open(parent).ok()) {
                let _ = directory.sync_all();
            }
            Ok(())
        }
        Err(error) => {
            let _ = std::fs::remove_file(beside);
            Err(Fatal::new(format!("{}: {}", beside.display(), said(&error))))
        }
    }
}

fn write(beside: &Path, target: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    if let Ok(old) = std::fs::metadata(target) {
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(PermissionsExt::from_mode(old.mode() & 0o7777))?;
    }
    let bytes: Vec<u8> = text.chars().filter_map(|character| u8::try_from(character).ok()).collect();
    file.write_all(&bytes)?;
    file.sync_all()
}

/// The bytes of a file.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SIZE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_permissions_survive() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("main.cf");
        std::fs::write(&path, b"a = \xff\xc3\xa9\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let text = read_raw(&path).unwrap() + &raw("b = é\n");
        replace(&path, &text).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"a = \xff\xc3\xa9\nb = \xc3\xa9\n");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert!(!directory.path().join("main.cf.tmp").exists());
    }
}

//! Reads a configuration file for editing, and puts the new one in its place.
//!
//! Bytes that are no UTF-8 survive: a file is read as one character for each byte, and written back so.

use crate::screen::{Fatal, fatal};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// No configuration file is larger than this.
const MAX_SIZE: u64 = 16 << 20;

/// The text of a file; else what to say about it.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let bytes = bytes(path).map_err(|error| format!("fatal: open {}: {}", path.display(), reason(&error)))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file as characters that stand for its bytes.
pub(crate) fn read_raw(path: &Path) -> Result<String, Fatal> {
    match bytes(path) {
        Ok(bytes) => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Err(error) => fatal(format!("open {} for reading: {}", path.display(), reason(&error))),
    }
}

/// An argument in the form of [`read_raw`].
pub(crate) fn raw(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// Puts a file in the place of an old one, with the old one's owner and permissions.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Fatal> {
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
            fatal(format!("{}: {}", beside.display(), reason(&error)))
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

fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SIZE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of an error without the number that Rust adds.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(text, _)| text.to_owned())
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

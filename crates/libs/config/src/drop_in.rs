//! Folders beside main.cf and master.cf, whose files add to them: `main.cf.d/*.cf` and `master.cf.d/*.cf`.
//!
//! They are read after the file itself, in the order of their names, and what is read later wins. Where there is no such
//! folder, nothing is different. Files that are hidden, or whose names end otherwise, are passed over.

use crate::error::Error;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// No folder has more files than this.
const MAX_FILES: usize = 1000;

/// The files that add to a file, in the order in which they are read.
///
/// # Errors
/// When there is a folder that cannot be read.
pub fn drop_ins(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".d");
    let folder = PathBuf::from(folder);
    let open = |source| Error::Open { path: folder.clone(), source };
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        entries => entries.map_err(open)?,
    };
    let mut files = Vec::new();
    for entry in entries.take(MAX_FILES) {
        let name = entry.map_err(open)?.file_name();
        let bytes = name.as_bytes();
        if bytes.ends_with(b".cf") && !bytes.starts_with(b".") {
            files.push(folder.join(name));
        }
    }
    files.sort();
    Ok(files)
}

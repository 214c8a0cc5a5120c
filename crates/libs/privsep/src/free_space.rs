//! How much room a file system has left.

use std::io;
use std::path::Path;

/// The bytes that ordinary users may still write to the file system of `path`.
///
/// # Errors
/// What the system says.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let found = nix::sys::statvfs::statvfs(path)?;
    Ok(found.blocks_available().saturating_mul(found.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_some() {
        assert!(free_space(Path::new("/")).is_ok());
        assert!(free_space(Path::new("/nonexistent")).is_err());
    }
}

//! Where on its disk a file system puts a new directory.

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::libc::{self, c_int};
use std::ffi::CString;
use std::fs::{DirBuilder, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// `chattr +T`: the directories in this one have nothing to do with each other.
const TOP: c_int = 0x0002_0000;

nix::ioctl_read_bad!(get_flags, libc::FS_IOC_GETFLAGS, c_int);
nix::ioctl_write_ptr_bad!(set_flags, libc::FS_IOC_SETFLAGS, c_int);

/// Creates a directory in which many files will come and go; that it exists is no error. A file system that knows the attribute
/// `T` of chattr(1) (ext4) is asked to put it into a part of the disk where there is little yet. A new file gets its
/// inode near its directory; so files of this one do not compete with others for inodes, and do not pay for those that others have freed:
/// without a journal, ext4 looks at each that was freed in the last minutes.
///
/// # Errors
/// What the system says about the directory itself.
pub fn create_directory_apart(path: &Path, mode: u32) -> io::Result<()> {
    let made = create_unlike_others(path, mode).or_else(|_| DirBuilder::new().mode(mode).create(path));
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

fn create_unlike_others(path: &Path, mode: u32) -> io::Result<()> {
    let first = create_beside(path, mode)?;
    renameat2(AT_FDCWD, &first, AT_FDCWD, path, RenameFlags::RENAME_NOREPLACE).map_err(|errno| {
        let _ = std::fs::remove_dir(&first);
        errno.into()
    })
}

/// Creates a directory apart, under a name of the moment: among places that are equally good, the file system chooses by the
/// name, and so would put all directories that are called alike into one.
fn create_beside(path: &Path, mode: u32) -> io::Result<PathBuf> {
    let _mark = path.parent().and_then(Mark::set).ok_or(ErrorKind::Unsupported)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.{}", std::process::id(), now.as_nanos()));
    DirBuilder::new().mode(mode).create(&name)?;
    Ok(name.into())
}

/// Puts an empty directory that files will be created in into such a part of the disk, once: another one takes its place, with
/// its owner and permissions, and is known by its own attribute `T` from then on. Nobody may be using it. Whether it was done:
/// it is left as it is where it is not empty, has more attributes than a new one would have (access lists, labels), is no directory
/// of its own, or the file system has no such choice.
///
/// # Errors
/// What the system says; the directory is then as before.
pub fn move_directory_apart(path: &Path) -> io::Result<bool> {
    let found = std::fs::symlink_metadata(path)?;
    let is_usual = found.is_dir() && !has_attributes(path)? && std::fs::read_dir(path)?.next().is_none();
    if !is_usual || flags(&File::open(path)?).is_none_or(|flags| flags & TOP != 0) {
        return Ok(false);
    }
    let new = match create_beside(path, 0o700) {
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(false),
        new => new?,
    };
    let done = prepare(&new, &found).and_then(|()| exchange(&new, path));
    let removed = std::fs::remove_dir(&new);
    if let (Ok(()), Err(error)) = (&done, removed) {
        // Somebody used it after all.
        exchange(&new, path)?;
        std::fs::remove_dir(&new)?;
        return Err(error);
    }
    done.map(|()| true)
}

/// Gives a new directory what an old one has, and the attribute.
fn prepare(new: &Path, old: &Metadata) -> io::Result<()> {
    let directory = File::open(new)?;
    chown(new, Some(old.uid()), Some(old.gid()))?;
    directory.set_permissions(old.permissions())?;
    let before = flags(&directory).ok_or(ErrorKind::Unsupported)?;
    put(&directory, before | TOP)?;
    Ok(())
}

fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE)?)
}

/// Whether a directory has attributes that a new one would not have.
fn has_attributes(path: &Path) -> io::Result<bool> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path ends with a zero byte, and no list is asked for but its size.
    let size = unsafe { libc::listxattr(path.as_ptr(), std::ptr::null_mut(), 0) };
    match size {
        0 => Ok(false),
        1.. => Ok(true),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A directory that has the attribute until this is dropped.
struct Mark {
    directory: File,
    before: c_int,
}

impl Mark {
    /// `None` if it has the attribute anyway, or cannot have it.
    fn set(directory: &Path) -> Option<Self> {
        let directory = File::open(directory).ok()?;
        let before = flags(&directory)?;
        if before & TOP != 0 {
            return None;
        }
        put(&directory, before | TOP).ok()?;
        Some(Self { directory, before })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = put(&self.directory, self.before);
    }
}

/// `None` where the file system has none.
fn flags(directory: &File) -> Option<c_int> {
    let mut flags = 0;
    // SAFETY: the descriptor is open, and the kernel writes one int.
    unsafe { get_flags(directory.as_raw_fd(), &raw mut flags) }.ok().map(|_| flags)
}

fn put(directory: &File, flags: c_int) -> nix::Result<c_int> {
    // SAFETY: the descriptor is open, and the kernel reads one int.
    unsafe { set_flags(directory.as_raw_fd(), &raw const flags) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn flags(path: &Path) -> Option<c_int> {
        super::flags(&File::open(path).unwrap())
    }

    #[test]
    fn a_directory_is_made_and_its_parent_is_as_before() {
        let root = tempfile::tempdir().unwrap();
        let before = flags(root.path());
        let path = root.path().join("tmp");
        create_directory_apart(&path, 0o700).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
        assert_eq!(flags(root.path()), before);
        create_directory_apart(&path, 0o700).unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_in_the_way_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(create_directory_apart(&file, 0o700).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(create_directory_apart(&root.path().join("none/tmp"), 0o700).is_err());
    }

    #[test]
    fn an_attribute_lasts_as_long_as_its_mark() {
        let root = tempfile::tempdir().unwrap();
        // Not on every file system.
        let Some(mark) = Mark::set(root.path()) else { return };
        assert_eq!(flags(root.path()).unwrap() & TOP, TOP);
        assert!(Mark::set(root.path()).is_none());
        drop(mark);
        assert_eq!(flags(root.path()).unwrap() & TOP, 0);
    }

    #[test]
    fn an_empty_directory_is_moved_once() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("incoming");
        DirBuilder::new().mode(0o750).create(&path).unwrap();
        let before = path.metadata().unwrap();
        std::fs::write(path.join("mail"), "").unwrap();
        assert!(!move_directory_apart(&path).unwrap());
        std::fs::remove_file(path.join("mail")).unwrap();
        let moved = move_directory_apart(&path).unwrap();
        let after = path.metadata().unwrap();
        assert_eq!(moved, before.ino() != after.ino());
        assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
        assert!(!move_directory_apart(&path).unwrap());
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(move_directory_apart(&root.path().join("none")).is_err());
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(!move_directory_apart(&link).unwrap());
    }
}

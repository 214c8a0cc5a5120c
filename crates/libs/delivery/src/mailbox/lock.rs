//! Locks of mbox files, as other mail programs of the host take them: fcntl, flock, and `.lock` files.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use dsn::Status;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::release::{End, Release};
use super::{Error, kept};

/// A way to lock a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// The POSIX record lock over the whole file.
    Fcntl,
    /// The BSD lock.
    Flock,
    /// A file of the same name with `.lock` appended.
    Dotlock,
}

impl LockKind {
    fn of_name(name: &str) -> Option<Self> {
        match name {
            "fcntl" => Some(Self::Fcntl),
            "flock" => Some(Self::Flock),
            "dotlock" => Some(Self::Dotlock),
            _ => None,
        }
    }
}

/// A lock that this system does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {parameter} value \"{name}\" in \"{value}\"")]
pub struct UnknownLock {
    parameter: &'static str,
    name: String,
    value: String,
}

/// How mailboxes are locked, and how long a locked one is waited for.
#[derive(Debug, Clone)]
pub struct Locking {
    /// `mailbox_delivery_lock`.
    pub kinds: Vec<LockKind>,
    /// `deliver_lock_attempts`.
    pub attempts: u32,
    /// `deliver_lock_delay`.
    pub delay: Duration,
    /// `stale_lock_time`: a `.lock` file of this age is forgotten.
    pub stale: Duration,
}

/// A `.lock` file, removed when dropped.
#[derive(Debug)]
pub(super) struct Dotlock(PathBuf);

impl Drop for Dotlock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A mailbox that is locked until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Held {
    _dotlock: Option<Dotlock>,
    _file: File,
}

impl Locking {
    /// From the parameter that names locks, with its value, and the parameters that all mailboxes share.
    ///
    /// # Errors
    /// A lock that does not exist.
    pub fn new(
        (parameter, names): (&'static str, &[String]),
        params: &config::params::Delivery,
        stale: Duration,
    ) -> Result<Self, UnknownLock> {
        let unknown = |name: &String| UnknownLock { parameter, name: name.clone(), value: names.join(", ") };
        let kinds = names.iter().map(|name| LockKind::of_name(name).ok_or_else(|| unknown(name)));
        Ok(Self {
            kinds: kinds.collect::<Result<_, _>>()?,
            attempts: u32::try_from(params.deliver_lock_attempts).unwrap_or(u32::MAX),
            delay: params.deliver_lock_delay,
            stale,
        })
    }

    /// Locks a mailbox, which is made if it is not there.
    ///
    /// # Errors
    /// Somebody else has it for too long, or it cannot be opened.
    pub fn hold(&self, mailbox: &Path) -> Result<Held, Error> {
        let failed = |doing: String| move |error: io::Error| Error::system(Status::temporary(2, 0), &doing, &error);
        let name = mailbox.display();
        let open = format!("open file {name}");
        let dotlock =
            self.dotlock(mailbox, None).map_err(failed(format!("{open}: unable to create lock file {name}.lock")))?;
        let options = OpenOptions::new().append(true).create(true).mode(0o600).open(mailbox);
        let file = options.map_err(failed(open))?;
        self.lock(mailbox, &file)?;
        Ok(Held { _dotlock: dotlock, _file: file })
    }

    /// Creates the `.lock` file of a mailbox, if such are asked for; as a link to `kept`, if that can be.
    pub(super) fn dotlock(&self, mailbox: &Path, kept: Option<&Path>) -> io::Result<Option<Dotlock>> {
        if !self.kinds.contains(&LockKind::Dotlock) {
            return Ok(None);
        }
        let mut name = mailbox.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let end = self.end();
        loop {
            match create(&path, kept) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if self.is_stale(&path) && std::fs::remove_file(&path).is_ok() {
                        continue;
                    }
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(error);
                    }
                    if let Some(release) = Release::of(&path, End::Removed) {
                        release.wait(left.min(self.delay));
                    }
                }
                result => return result.map(|()| Some(Dotlock(path))),
            }
        }
    }

    /// Takes the other locks on an open mailbox; they end when it is closed, if not before.
    pub(super) fn lock(&self, mailbox: &Path, file: &File) -> Result<(), Error> {
        for kind in &self.kinds {
            let take = match kind {
                LockKind::Fcntl => fcntl_lock,
                LockKind::Flock => flock,
                LockKind::Dotlock => continue,
            };
            self.wait_for(mailbox, || take(file)).map_err(|error| {
                Error::system(Status::temporary(2, 0), "unable to lock for exclusive access", &error)
            })?;
        }
        Ok(())
    }

    /// Lets the other locks go.
    pub(super) fn unlock(&self, file: &File) {
        for kind in &self.kinds {
            // Else they end with the file.
            let _ = match kind {
                LockKind::Fcntl => fcntl_set(file, libc::F_UNLCK),
                LockKind::Flock => file.unlock(),
                LockKind::Dotlock => Ok(()),
            };
        }
    }

    /// Tries `take` until it succeeds: whenever somebody closes the mailbox, and after each `delay`.
    fn wait_for(&self, mailbox: &Path, take: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let end = self.end();
        let mut release = None;
        loop {
            let error = match take() {
                Err(error) if is_held(&error) => error,
                result => return result,
            };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(error);
            }
            match &release {
                // Once more before the first wait: it may have been let go already.
                None => release = Release::of(mailbox, End::Closed),
                Some(release) => release.wait(left.min(self.delay)),
            }
        }
    }

    /// When a locked mailbox is given up.
    fn end(&self) -> Instant {
        Instant::now() + self.delay.saturating_mul(self.attempts.saturating_sub(1))
    }

    fn is_stale(&self, path: &Path) -> bool {
        let Ok(found) = std::fs::symlink_metadata(path) else { return false };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let changed = Duration::from_secs(u64::try_from(found.ctime()).unwrap_or(0));
        now.saturating_sub(changed) > self.stale
    }
}

fn create(lock: &Path, kept: Option<&Path>) -> io::Result<()> {
    if let Some(kept) = kept {
        match kept::link(kept, lock) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(lock).map(drop)
}

fn is_held(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EAGAIN | Errno::EACCES))
}

fn fcntl_lock(file: &File) -> io::Result<()> {
    fcntl_set(file, libc::F_WRLCK)
}

fn fcntl_set(file: &File, kind: libc::c_int) -> io::Result<()> {
    let kind = libc::c_short::try_from(kind).map_err(io::Error::other)?;
    let origin = libc::c_short::try_from(libc::SEEK_SET).map_err(io::Error::other)?;
    let whole = libc::flock { l_type: kind, l_whence: origin, l_start: 0, l_len: 0, l_pid: 0 };
    fcntl(file, FcntlArg::F_SETLK(&whole))?;
    Ok(())
}

fn flock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Errno::EAGAIN.into(),
        TryLockError::Error(error) => error,
    })
}

//! Waiting for a locked mailbox to be let go: the file system tells when its `.lock` file goes away, or its holder closes it.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// What ends a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The file, or one of its names, is removed, or moved away.
    Removed,
    /// The file is closed by someone who could write to it.
    Closed,
}

/// A file that is watched; without a watch (no more of them, a file that may not be read) only time passes.
#[derive(Debug)]
pub(super) struct Release(Option<Inotify>);

impl Release {
    /// Watches a file from now on; `None` if it is not there any more. What happened before is not seen.
    pub(super) fn of(file: &Path, end: End) -> Option<Self> {
        let events = match end {
            End::Removed => AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_ATTRIB,
            End::Closed => AddWatchFlags::IN_CLOSE_WRITE,
        };
        let Ok(watch) = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) else {
            return Some(Self(None));
        };
        match watch.add_watch(file, events) {
            Ok(_) => Some(Self(Some(watch))),
            Err(Errno::ENOENT) => None,
            Err(_) => Some(Self(None)),
        }
    }

    /// Returns when the lock may have ended, after `longest` at the latest.
    pub(super) fn wait(&self, longest: Duration) {
        // Rounded up, so that the last moment is not spent in a busy loop.
        let timeout = PollTimeout::try_from(longest.saturating_add(Duration::from_millis(1)));
        let timeout = timeout.unwrap_or(PollTimeout::MAX);
        match &self.0 {
            Some(watch) => {
                let _ = poll(&mut [PollFd::new(watch.as_fd(), PollFlags::POLLIN)], timeout);
                let _ = watch.read_events();
            }
            None => drop(poll(&mut [], timeout)),
        }
    }
}

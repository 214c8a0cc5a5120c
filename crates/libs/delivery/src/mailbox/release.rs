//! Waiting for a locked mailbox to be let go: the file system tells when its `.lock` file goes away or its holder closes it.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// What to wait for; without a watch (no more of them, a folder that may not be read) only time passes.
#[derive(Debug)]
pub(super) struct Release {
    watch: Option<Inotify>,
    names: [OsString; 2],
}

impl Release {
    /// Of a mailbox, by either kind of lock. Try the lock once more before the first wait: it may have been let go already.
    pub(super) fn of(mailbox: &Path) -> Self {
        let name = mailbox.file_name().unwrap_or_default().to_owned();
        let mut dotlock = name.clone();
        dotlock.push(".lock");
        Self { watch: mailbox.parent().and_then(watch), names: [name, dotlock] }
    }

    /// Returns when the mailbox may be free, after `longest` at the latest.
    pub(super) fn wait(&self, longest: Duration) {
        let end = Instant::now() + longest;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            // Rounded up, so that the last moment is not spent in a busy loop.
            let timeout =
                PollTimeout::try_from(left.saturating_add(Duration::from_millis(1))).unwrap_or(PollTimeout::MAX);
            let Some(watch) = &self.watch else {
                let _ = poll(&mut [], timeout);
                return;
            };
            let _ = poll(&mut [PollFd::new(watch.as_fd(), PollFlags::POLLIN)], timeout);
            let seen = watch.read_events().unwrap_or_default();
            // An event without a name tells that some were lost, or the folder: look at once.
            if left.is_zero() || seen.iter().any(|event| event.name.as_deref().is_none_or(|name| self.concerns(name))) {
                return;
            }
        }
    }

    fn concerns(&self, name: &OsStr) -> bool {
        self.names.iter().any(|ours| ours == name)
    }
}

fn watch(folder: &Path) -> Option<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok()?;
    let let_go = AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVED_FROM | AddWatchFlags::IN_CLOSE_WRITE;
    inotify.add_watch(folder, let_go | AddWatchFlags::IN_ONLYDIR).ok()?;
    Some(inotify)
}

//! `:include:` files: lists of places that somebody keeps apart from the alias database.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use delivery::Settled;
use delivery::mailbox::said;
use dsn::Status;
use nix::fcntl::OFlag;
use privsep::{User, become_user};
use tracing::warn;

use crate::errand::{CONFIGURATION, Errand};
use crate::state::{State, Via};
use crate::token;

/// The largest list that is read.
pub(crate) const LIST_LIMIT: u64 = 64 * 1024 * 1024;

impl Errand<'_, '_> {
    /// Delivers to every place that the file names.
    pub(crate) fn include(&mut self, state: &State, path: &[u8]) -> Settled {
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        if !path.is_absolute() {
            warn!(":include:{} uses a relative path", path.display());
            return self.fail(state, Status::permanent(3, 5), CONFIGURATION);
        }
        let reader = self.acting(state);
        // A list may name itself, as often as it likes.
        if self.is_repeated("include", &[reader.uid.to_string().as_bytes(), b":", path.as_os_str().as_bytes()].concat())
        {
            return Settled::Finished;
        }
        if let Some(refused) = self.refuse_depth(state, &path.display().to_string()) {
            return refused;
        }
        // What the administrator names is read with the administrator's rights: such a list may be nobody else's business.
        let found = if state.rights.is_some() { become_user(&reader, || read_list(path)) } else { Ok(read_list(path)) };
        let (text, uid) = match found {
            Ok(Ok(found)) => found,
            Ok(Err(problem)) => {
                warn!("{}", problem.of(path));
                return self.fail(state, problem.status(), CONFIGURATION);
            }
            Err(error) => {
                warn!("{error}");
                return self.defer(state, "cannot become user");
            }
        };
        let mut inner = state.clone();
        inner.via = Via::Include;
        inner.listed = true;
        if !self.propagates("include") {
            inner.unmatched.clear();
        }
        inner.level += 1;
        // Whoever includes a list of somebody else gets no rights by that.
        if uid != 0 && state.rights.is_none() {
            match User::by_uid(uid) {
                Ok(Some(user)) => inner.rights = Some(user),
                Ok(None) => {
                    warn!("file {}: owner has no account: uid {uid}", path.display());
                    return self.fail(state, Status::permanent(3, 5), CONFIGURATION);
                }
                Err(error) => {
                    warn!("{error}");
                    return self.defer(state, "cannot find file owner");
                }
            }
        }
        let mut settled = Settled::Finished;
        for line in token::lines(&text) {
            let tokens = token::parse(&line);
            settled = crate::errand::and(settled, self.tokens(&inner, &tokens));
        }
        settled
    }

    /// Who acts for a state: never root.
    pub(crate) fn acting(&self, state: &State) -> User {
        match &state.rights {
            Some(user) if user.uid != 0 => user.clone(),
            _ => self.office.default_user.clone(),
        }
    }
}

/// Why a list is not read.
#[derive(Debug)]
enum Problem {
    Unreadable(io::Error),
    Irregular,
    WorldWritable,
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Problem {
    /// In words, for the log.
    fn of(&self, path: &Path) -> String {
        let file = format!(":include: file {}", path.display());
        match self {
            Self::Unreadable(error) => format!("unable to lookup {file}: {}", said(error)),
            Self::Irregular => format!("{file} is not a regular file"),
            Self::WorldWritable => format!("{file} is world writable"),
        }
    }

    /// What the system says may change; a list that is missing or unsafe is the administrator's fault.
    fn status(&self) -> Status {
        let lasting = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied, io::ErrorKind::NotADirectory];
        match self {
            Self::Unreadable(error) if !lasting.contains(&error.kind()) => Status::temporary(3, 5),
            Self::Unreadable(_) | Self::Irregular | Self::WorldWritable => Status::permanent(3, 5),
        }
    }
}

/// Opens what may be anything: a pipe that nobody writes to holds nobody up, and a terminal is not ours.
pub(crate) fn open_list(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits()).open(path)
}

/// The file and its owner. A file that anybody can write says nothing.
fn read_list(path: &Path) -> Result<(Vec<u8>, u32), Problem> {
    let file = open_list(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(Problem::Irregular);
    }
    if found.mode() & 0o002 != 0 {
        return Err(Problem::WorldWritable);
    }
    let mut text = Vec::new();
    file.take(LIST_LIMIT).read_to_end(&mut text)?;
    Ok((text, found.uid()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;

    #[test]
    fn a_pipe_is_no_list_and_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("list");
        nix::unistd::mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        assert!(matches!(read_list(&pipe), Err(Problem::Irregular)));
    }
}

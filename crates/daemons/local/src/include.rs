//! `:include:` files: lists of places that somebody keeps apart from the alias database.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use delivery::Settled;
use delivery::mailbox::said;
use dsn::Status;
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
        let (text, uid) = match become_user(&reader, || read_list(path)) {
            Ok(Ok(found)) => found,
            Ok(Err(problem)) => {
                warn!(":include: file {}{problem}", path.display());
                return self.fail(state, problem.status(), CONFIGURATION);
            }
            Err(error) => {
                warn!("{error}");
                return self.defer(state, "cannot become user");
            }
        };
        let mut inner = state.clone();
        inner.via = Via::Include;
        if uid != 0 {
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

/// Why a list is not read. It follows the file's name in the log.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(": {}", said(.0))]
    Unreadable(#[from] io::Error),
    #[error(" is not a regular file")]
    Irregular,
    #[error(" is world writable")]
    WorldWritable,
}

impl Problem {
    /// What the system says may change; a list that is missing or unsafe is the administrator's fault.
    fn status(&self) -> Status {
        let lasting = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied, io::ErrorKind::NotADirectory];
        match self {
            Self::Unreadable(error) if !lasting.contains(&error.kind()) => Status::temporary(3, 5),
            Self::Unreadable(_) | Self::Irregular | Self::WorldWritable => Status::permanent(3, 5),
        }
    }
}

/// The file and its owner. A file that anybody can write says nothing.
fn read_list(path: &Path) -> Result<(Vec<u8>, u32), Problem> {
    let file = File::open(path)?;
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

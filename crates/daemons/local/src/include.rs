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

use crate::errand::Errand;
use crate::state::{State, Via};
use crate::token;

/// The largest list that is read.
pub(crate) const LIST_LIMIT: u64 = 64 * 1024 * 1024;

impl Errand<'_, '_> {
    /// Delivers to every place that the file names.
    pub(crate) fn include(&mut self, state: &State, path: &[u8]) -> Settled {
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        if !path.is_absolute() {
            let text = format!(":include:{} uses a relative path", path.display());
            return self.fail(state, Status::permanent(2, 4), text);
        }
        let reader = self.acting(state);
        let read = become_user(&reader, || read_list(path));
        let (text, uid) = match read {
            Ok(Ok(found)) => found,
            Ok(Err(error)) if is_passing(&error) => {
                warn!("cannot open file {}: {}", path.display(), said(&error));
                return self.fail(state, Status::temporary(3, 5), "mail system configuration error");
            }
            Ok(Err(error)) => {
                warn!("cannot open file {}: {}", path.display(), said(&error));
                return self.fail(state, Status::permanent(3, 5), "mail system configuration error");
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
                    return self.fail(state, Status::permanent(3, 5), "mail system configuration error");
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

/// The file and its owner. A file that anybody can write says nothing.
pub(crate) fn read_list(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if found.mode() & 0o002 != 0 {
        return Err(io::Error::other("file is world writable"));
    }
    let mut text = Vec::new();
    file.take(LIST_LIMIT).read_to_end(&mut text)?;
    Ok((text, found.uid()))
}

/// Whether trying again may help.
fn is_passing(error: &io::Error) -> bool {
    let lasting = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied, io::ErrorKind::NotADirectory];
    error.raw_os_error().is_some() && !lasting.contains(&error.kind())
}

//! `.forward` files: where users want their mail to go.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use delivery::Settled;
use delivery::mailbox::said;
use privsep::{User, become_user};
use tracing::warn;

use crate::errand::Errand;
use crate::expand::Expanded;
use crate::include::{LIST_LIMIT, open_list};
use crate::state::{State, Via};
use crate::token;

impl Errand<'_, '_> {
    /// Delivers to what the user's file names. `None` if there is none, it names nothing, or it must not be used.
    pub(crate) fn forward(&mut self, state: &State) -> Option<Settled> {
        if self.office.params.local.forward_path.trim().is_empty() {
            return None;
        }
        let user = match self.office.accounts.find(&state.user) {
            Ok(user) => user?,
            Err(error) => {
                warn!("{error}");
                return Some(self.defer(state, "user database unavailable"));
            }
        };
        let paths = self.forward_paths(state, &user);
        // Most users have none, and to become them costs more than to see that.
        if paths.iter().all(|path| is_missing(&path.text)) {
            return None;
        }
        let (path, text) = match become_user(&user, || read_first(&paths, &user)) {
            Ok(found) => found?,
            Err(error) => {
                warn!("{error}");
                return Some(self.defer(state, "cannot become user"));
            }
        };
        // A user who names himself means his mailbox, or the file of another extension.
        if self.is_repeated("forward", path.text.as_bytes()) {
            return None;
        }
        let tokens: Vec<_> = token::lines(&text).iter().flat_map(|line| token::parse(line)).collect();
        if tokens.is_empty() {
            return None;
        }
        if self.is_probe() {
            return Some(self.sent(state, format!("forward via file: {}", path.text)));
        }
        let mut inner = state.clone();
        let propagates = !path.names_extension && self.propagates("forward");
        inner.unmatched = if propagates { state.suffix().to_vec() } else { Vec::new() };
        inner.via = Via::Forward;
        inner.parent = Some(state.user.clone());
        inner.forwarder = Some(state.user.clone());
        self.thaw(&mut inner);
        inner.rights = Some(user);
        Some(self.expansion(state, inner, &tokens))
    }

    /// The files that `forward_path` names.
    fn forward_paths(&self, state: &State, user: &User) -> Vec<Expanded> {
        let params = &self.office.params.local;
        let names = self.names(state, Some(user));
        let paths = params.forward_path.split([',', ' ', '\t', '\n']).filter(|path| !path.is_empty());
        paths.filter_map(|path| names.expand(path, &params.forward_expansion_filter)).collect()
    }
}

/// Whether there is no such file, rather than one that the mail system may not see.
fn is_missing(path: &str) -> bool {
    matches!(std::fs::symlink_metadata(path).map_err(missing), Err(Problem::Missing))
}

/// The first file that exists, and its text.
fn read_first<'p>(paths: &'p [Expanded], user: &User) -> Option<(&'p Expanded, Vec<u8>)> {
    for expanded in paths {
        let path = &expanded.text;
        match read(Path::new(path), user) {
            Ok(text) => return Some((expanded, text)),
            Err(Problem::Missing) => {}
            Err(Problem::Unsafe(why)) => {
                warn!("file {path} {why}");
                return None;
            }
            Err(Problem::Unreadable(error)) => {
                warn!("cannot open file {path}: {}", said(&error));
                return None;
            }
        }
    }
    None
}

enum Problem {
    Missing,
    Unsafe(String),
    Unreadable(io::Error),
}

fn read(path: &Path, user: &User) -> Result<Vec<u8>, Problem> {
    // What its user cannot see is not there.
    let link = std::fs::symlink_metadata(path).map_err(|_| Problem::Missing)?;
    let irregular = || Problem::Unsafe("is not a regular file".to_owned());
    if !link.is_file() {
        return Err(irregular());
    }
    let file = open_list(path).map_err(missing)?;
    let found = file.metadata().map_err(Problem::Unreadable)?;
    if !found.is_file() {
        return Err(irregular());
    }
    if found.uid() != 0 && found.uid() != user.uid {
        return Err(Problem::Unsafe(format!("has bad owner uid {}", found.uid())));
    }
    if found.mode() & 0o002 != 0 {
        return Err(Problem::Unsafe("is world writable".to_owned()));
    }
    let mut text = Vec::new();
    file.take(LIST_LIMIT).read_to_end(&mut text).map_err(Problem::Unreadable)?;
    Ok(text)
}

fn missing(error: io::Error) -> Problem {
    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
        Problem::Missing
    } else {
        Problem::Unreadable(error)
    }
}

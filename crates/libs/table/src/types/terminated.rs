//! Stored keys and values with and without a NUL at their end.
//!
//! Programs differ in whether they store C strings with their NUL. Look-ups try both, and keep to what worked.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::environment::Terminator;

const EITHER: u8 = 0;
const WITH: u8 = 1;
const WITHOUT: u8 = 2;

/// What a table has been seen to hold.
#[derive(Debug)]
pub(super) struct Seen(AtomicU8);

impl Seen {
    /// Nothing yet, unless the environment says what it is.
    pub(super) fn at_first(terminator: Terminator) -> Self {
        Self(AtomicU8::new(match terminator {
            Terminator::Usual => EITHER,
            Terminator::With => WITH,
            Terminator::Without => WITHOUT,
        }))
    }

    /// Looks a key up in the forms that it may have.
    pub(super) fn find<T, E>(
        &self,
        key: &[u8],
        mut find: impl FnMut(&[u8]) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let seen = self.0.load(Ordering::Relaxed);
        if seen != WITHOUT {
            let mut terminated = Vec::with_capacity(key.len() + 1);
            terminated.extend_from_slice(key);
            terminated.push(0);
            if let Some(found) = find(&terminated)? {
                self.0.store(WITH, Ordering::Relaxed);
                return Ok(Some(found));
            }
        }
        if seen != WITH
            && let Some(found) = find(key)?
        {
            self.0.store(WITHOUT, Ordering::Relaxed);
            return Ok(Some(found));
        }
        Ok(None)
    }
}

/// Text as it is stored. `usual` is what Postfix does for the type of table.
pub(super) fn stored(text: &[u8], terminator: Terminator, usual: Terminator) -> Cow<'_, [u8]> {
    let terminator = if terminator == Terminator::Usual { usual } else { terminator };
    match terminator {
        Terminator::With => {
            let mut text = text.to_vec();
            text.push(0);
            Cow::Owned(text)
        }
        Terminator::Usual | Terminator::Without => Cow::Borrowed(text),
    }
}

/// The same in a buffer of the caller's.
pub(super) fn stored_in<'a>(
    text: &'a [u8],
    terminator: Terminator,
    usual: Terminator,
    buffer: &'a mut Vec<u8>,
) -> &'a [u8] {
    match if terminator == Terminator::Usual { usual } else { terminator } {
        Terminator::With => {
            buffer.clear();
            buffer.extend_from_slice(text);
            buffer.push(0);
            buffer
        }
        Terminator::Usual | Terminator::Without => text,
    }
}

/// Stored text without its NUL.
pub(super) fn plain(mut text: Vec<u8>) -> Vec<u8> {
    if text.last() == Some(&0) {
        text.pop();
    }
    text
}

//! Queue ids: short (microseconds and inode) and long (seconds, microseconds and inode, never reused).
//!
//! A short id is five hexadecimal digits of microseconds, then the inode in hexadecimal. A long one is seconds and
//! microseconds in base 52, a `z`, then the inode in base 51. The name of a file tells its inode, so that tools can
//! see that no copy or restored backup carries an id which another file may get.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

/// The digits of long ids: no vowels, so that no words come out. The last one, `z`, separates.
const DIGITS: &[u8; 52] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
/// Those of the inode, among which the separator is not.
const INODE_DIGITS: &[u8] = DIGITS.split_at(51).0;
/// The digits of short ids.
const HEXADECIMAL: &[u8] = b"0123456789ABCDEF";
const SECONDS_DIGITS: usize = 6;
const MICROSECONDS_DIGITS: usize = 4;
const SEPARATOR: u8 = b'z';
/// Longer names are not queue ids.
const LONGEST: usize = 100;

/// The name of a queue file: letters and digits only, so that it is safe in any path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(Box<str>);

impl QueueId {
    /// An id of the short form.
    #[must_use]
    pub fn short(microseconds: u32, inode: u64) -> Self {
        let mut text = String::with_capacity(24);
        number(&mut text, u64::from(microseconds), HEXADECIMAL, 5);
        number(&mut text, inode, HEXADECIMAL, 0);
        Self(text.into_boxed_str())
    }

    /// An id of the long form (`enable_long_queue_ids`).
    #[must_use]
    pub fn long(seconds: u64, microseconds: u32, inode: u64) -> Self {
        let mut text = String::with_capacity(24);
        number(&mut text, seconds, DIGITS, SECONDS_DIGITS);
        number(&mut text, u64::from(microseconds), DIGITS, MICROSECONDS_DIGITS);
        text.push(char::from(SEPARATOR));
        number(&mut text, inode, INODE_DIGITS, 0);
        Self(text.into_boxed_str())
    }

    /// The id of a file name, if it may be one. The underscore is for the logs of flush(8), named after domains.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let valid =
            !name.is_empty() && name.len() <= LONGEST && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        valid.then(|| Self(name.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the long form.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.split_long().is_some()
    }

    /// The inode that the id names.
    #[must_use]
    pub fn inode(&self) -> Option<u64> {
        match self.split_long() {
            Some((_, inode)) => value(inode, 51),
            None => u64::from_str_radix(self.0.get(5..)?, 16).ok(),
        }
    }

    /// The id of the same time for another inode, in the short form where long ids are not in use.
    #[must_use]
    pub fn with_inode(&self, inode: u64, long_ids: bool) -> Option<Self> {
        let mut text = match self.split_long() {
            Some((time, _)) if long_ids => format!("{time}{}", char::from(SEPARATOR)),
            Some(_) => self.hash_key().into_owned(),
            None => self.0.get(..5)?.to_owned(),
        };
        let digits = if self.is_long() && long_ids { INODE_DIGITS } else { HEXADECIMAL };
        number(&mut text, inode, digits, 0);
        Some(Self(text.into_boxed_str()))
    }

    /// What the id's place in hashed directories is computed from: its first letters, or for the long
    /// form those of its microseconds.
    pub(crate) fn hash_key(&self) -> Cow<'_, str> {
        let Some((time, _)) = self.split_long() else { return Cow::Borrowed(&self.0) };
        let microseconds = time.get(SECONDS_DIGITS..).and_then(|digits| value(digits, 52)).unwrap_or(0);
        Cow::Owned(format!("{microseconds:05X}"))
    }

    fn split_long(&self) -> Option<(&str, &str)> {
        let (time, inode) = self.0.rsplit_once(char::from(SEPARATOR))?;
        (time.len() >= SECONDS_DIGITS + MICROSECONDS_DIGITS).then_some((time, inode))
    }
}

/// Appends `value` in these digits, padded with zeros to `width`.
fn number(text: &mut String, mut value: u64, letters: &[u8], width: usize) {
    let base = letters.len() as u64;
    let mut digits = [b'0'; 16];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        if value == 0 && used >= width.max(1) {
            break;
        }
        let digit = usize::try_from(value % base).unwrap_or(0);
        *slot = letters.get(digit).copied().unwrap_or(b'0');
        value /= base;
        used += 1;
    }
    let start = digits.len() - used;
    text.extend(digits.iter().skip(start).map(|&digit| char::from(digit)));
}

/// The inverse of [`number`], for digits below `base` and values that fit.
fn value(digits: &str, base: u64) -> Option<u64> {
    let mut value: u64 = 0;
    for digit in digits.bytes() {
        let digit = u64::try_from(DIGITS.iter().position(|&d| d == digit)?).ok()?;
        if digit >= base {
            return None;
        }
        value = value.checked_mul(base)?.checked_add(digit)?;
    }
    (!digits.is_empty()).then_some(value)
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for QueueId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for QueueId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A name that no queue file can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a queue id")]
pub struct NotAnId;

impl FromStr for QueueId {
    type Err = NotAnId;

    fn from_str(name: &str) -> Result<Self, NotAnId> {
        Self::parse(name).ok_or(NotAnId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_tell_their_inode() {
        for (id, inode, long) in [
            ("3CCE398E1B0", Some(0x98E_1B0), false),
            ("0319798E164", Some(0x98E_164), false),
            ("3NBq8Q0JZhzB", Some(10), true),
            ("12345", None, false),
            ("12345G", None, false),
        ] {
            let id = QueueId::parse(id).unwrap();
            assert_eq!((id.inode(), id.is_long()), (inode, long), "{id}");
        }
        assert_eq!(QueueId::short(0x3CCE3, 0x98E_1B0).as_str(), "3CCE398E1B0");
        assert_eq!(QueueId::short(7, 0).as_str(), "000070");
    }

    #[test]
    fn another_inode_changes_nothing_else() {
        for (id, long_ids, expected) in [
            ("AAAAA98E1B0", false, "AAAAA4D"),
            ("AAAAA98E1B0", true, "AAAAA4D"),
            ("3NBq8Q0JZhzB", true, "3NBq8Q0JZhz1V"),
            ("3NBq8Q0JZhzB", false, "0AF3C4D"),
        ] {
            let new = QueueId::parse(id).unwrap().with_inode(77, long_ids).unwrap();
            assert_eq!((new.as_str(), new.inode()), (expected, Some(77)), "{id}");
        }
    }

    #[test]
    fn only_letters_digits_and_underscores_are_ids() {
        for name in ["", "../etc", "a.b", "a b", "-d", "é", &"A".repeat(101)] {
            assert!(QueueId::parse(name).is_none(), "{name}");
        }
    }

    #[test]
    fn long_ids_are_hashed_by_microseconds() {
        let id = QueueId::long(1_795_257_090, 0xAB_CDE, 77);
        assert_eq!(id.hash_key(), "ABCDE");
    }

    proptest! {
        #[test]
        fn long_ids_keep_the_inode(seconds in 1_000_000_000u64..9_000_000_000, microseconds in 0u32..1_000_000, inode: u64) {
            let id = QueueId::long(seconds, microseconds, inode);
            prop_assert!(id.is_long());
            prop_assert_eq!(id.inode(), Some(inode));
            prop_assert_eq!(id.hash_key(), format!("{microseconds:05X}"));
            prop_assert_eq!(QueueId::parse(id.as_str()), Some(id));
        }

        #[test]
        fn short_ids_are_hexadecimal(microseconds: u32, inode: u64) {
            let id = QueueId::short(microseconds, inode);
            prop_assert_eq!(id.as_str(), format!("{microseconds:05X}{inode:X}"));
        }

        #[test]
        fn any_name_is_judged(name in ".{0,40}") {
            if let Some(id) = QueueId::parse(&name) {
                let _ = (id.inode(), id.hash_key().len());
            }
        }
    }
}

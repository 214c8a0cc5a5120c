//! `NOTIFY` and `RET`, RFC 3461 §4.1 and §4.3, and the numbers that queue files keep them as.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Which events a sender wants to hear of. The empty set means that it did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Notify(u8);

impl Notify {
    /// The sender did not say.
    pub const UNSET: Self = Self(0);
    /// Of nothing.
    pub const NEVER: Self = Self(1);
    /// Of delivery.
    pub const SUCCESS: Self = Self(2);
    /// Of failure.
    pub const FAILURE: Self = Self(4);
    /// Of delay.
    pub const DELAY: Self = Self(8);

    /// Parses the value of `NOTIFY=`, or of an option of sendmail(1), where white space too is between words; they may be in
    /// any case, and `NEVER` stands alone.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut set = Self::UNSET;
        for word in words(text) {
            set = set | Self::named(word).ok_or(Error::Notify)?;
        }
        if set.is_unset() || set.contains(Self::NEVER) && set != Self::NEVER {
            return Err(Error::Notify);
        }
        Ok(set)
    }

    /// The first word of such a value that is none of those that there are.
    #[must_use]
    pub fn unknown_word(text: &[u8]) -> Option<&[u8]> {
        words(text).find(|word| Self::named(word).is_none())
    }

    fn named(word: &[u8]) -> Option<Self> {
        match word.to_ascii_uppercase().as_slice() {
            b"NEVER" => Some(Self::NEVER),
            b"SUCCESS" => Some(Self::SUCCESS),
            b"FAILURE" => Some(Self::FAILURE),
            b"DELAY" => Some(Self::DELAY),
            _ => None,
        }
    }

    /// The set that a queue file's number stands for, if it is one.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<Self> {
        (bits <= 15 && (bits & 1 == 0 || bits == 1)).then_some(Self(bits))
    }

    /// The number in a queue file's `notify_flags` attribute.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_unset(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0 && other.0 != 0
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&b| b == b',' || b.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

impl std::ops::BitOr for Notify {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Notify {
    /// As it follows `NOTIFY=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (event, word) in
            [(Self::NEVER, "NEVER"), (Self::SUCCESS, "SUCCESS"), (Self::FAILURE, "FAILURE"), (Self::DELAY, "DELAY")]
        {
            if self.contains(event) {
                write!(f, "{separator}{word}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

/// How much of the message a notice returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header only.
    Hdrs,
}

impl Ret {
    /// Parses the value of `RET=`.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        match text.to_ascii_uppercase().as_slice() {
            b"FULL" => Ok(Self::Full),
            b"HDRS" => Ok(Self::Hdrs),
            _ => Err(Error::Ret),
        }
    }

    /// The value that a queue file's number stands for.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            1 => Some(Self::Full),
            2 => Some(Self::Hdrs),
            _ => None,
        }
    }

    /// The number in a queue file's `ret_flags` attribute.
    #[must_use]
    pub fn bits(self) -> u8 {
        match self {
            Self::Full => 1,
            Self::Hdrs => 2,
        }
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Hdrs => "HDRS",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notify_is_never_or_a_list() {
        for (text, bits) in [
            (&b"NEVER"[..], Some(1)),
            (b"success,Failure", Some(6)),
            (b"DELAY", Some(8)),
            (b"DELAY,SUCCESS,FAILURE", Some(14)),
            (b"NEVER,DELAY", None),
            (b"DELAY,DELAY", Some(8)),
            (b",DELAY,", Some(8)),
            (b" success, failure\tdelay", Some(14)),
            (b"", None),
            (b",", None),
            (b"DELAY,x", None),
        ] {
            assert_eq!(Notify::parse(text).ok().map(Notify::bits), bits, "{text:?}");
        }
    }

    #[test]
    fn words_are_known_or_not() {
        for (text, unknown) in
            [(&b"NEVER,DELAY"[..], None), (b"", None), (b"x,y", Some(&b"x"[..])), (b"delay,,z", Some(b"z"))]
        {
            assert_eq!(Notify::unknown_word(text), unknown, "{text:?}");
        }
    }

    #[test]
    fn what_is_printed_is_parsed_again() {
        for bits in 1..=15 {
            let Some(set) = Notify::from_bits(bits) else { continue };
            assert_eq!(Notify::parse(set.to_string().as_bytes()), Ok(set));
        }
        for ret in [Ret::Full, Ret::Hdrs] {
            assert_eq!(Ret::parse(ret.to_string().as_bytes()), Ok(ret));
            assert_eq!(Ret::from_bits(ret.bits()), Some(ret));
        }
        assert_eq!(Ret::parse(b"HEADERS"), Err(Error::Ret));
    }
}

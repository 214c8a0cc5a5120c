//! Netstrings, `LENGTH:BYTES,`, of which QMQP is made.
//!
//! Bytes are taken as they come, cut anywhere. What is kept has the size of what has come, never of what its length announces.

/// Digits that a length may have; leading zeros are many at most.
const DIGITS: u32 = 100;

/// What is wrong with a netstring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No digit, colon or comma where one must be.
    #[error("netstring format error")]
    Format,
    /// A length that is over the limit.
    #[error("netstring length exceeds storage limit")]
    TooLong,
}

/// Appends bytes as a netstring.
pub fn append(item: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(item.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(item);
    out.push(b',');
}

/// A length, as far as it has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Length {
    value: u64,
    digits: u32,
}

impl Length {
    /// Takes a byte; the colon behind a length tells what it is. One without digits is 0.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn push(&mut self, byte: u8) -> Result<Option<u64>, Fault> {
        match byte {
            b'0'..=b'9' => {
                let value = self.value.checked_mul(10).and_then(|value| value.checked_add(u64::from(byte - b'0')));
                let value = value.filter(|value| i64::try_from(*value).is_ok() && self.digits < DIGITS);
                *self = Self { value: value.ok_or(Fault::TooLong)?, digits: self.digits + 1 };
                Ok(None)
            }
            b':' => Ok(Some(self.value)),
            _ => Err(Fault::Format),
        }
    }
}

/// A netstring, as far as it has come.
#[derive(Debug)]
pub struct Netstring {
    limit: u64,
    state: State,
    item: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(Length),
    /// Bytes to come.
    Item(u64),
    /// Behind them: a comma.
    Comma,
    Complete,
}

impl Netstring {
    /// Of which nothing has come yet, and so many bytes may.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { limit, state: State::Length(Length::default()), item: Vec::new() }
    }

    /// Whether nothing has come yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.state == State::Length(Length::default())
    }

    /// Takes bytes that have come. `Some`: it is complete, and these follow it.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn push<'b>(&mut self, mut bytes: &'b [u8]) -> Result<Option<&'b [u8]>, Fault> {
        while let [byte, rest @ ..] = bytes {
            (self.state, bytes) = match self.state {
                State::Length(mut length) => match length.push(*byte)? {
                    None => (State::Length(length), rest),
                    Some(0) => (State::Comma, rest),
                    Some(length) if length <= self.limit => (State::Item(length), rest),
                    Some(_) => return Err(Fault::TooLong),
                },
                State::Item(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (item, rest) = bytes.split_at_checked(here).unwrap_or((bytes, &[]));
                    self.item.extend_from_slice(item);
                    let left = left.saturating_sub(here as u64);
                    (if left == 0 { State::Comma } else { State::Item(left) }, rest)
                }
                State::Comma if *byte == b',' => (State::Complete, rest),
                State::Comma => return Err(Fault::Format),
                State::Complete => break,
            };
        }
        Ok((self.state == State::Complete).then_some(bytes))
    }

    /// What has come.
    #[must_use]
    pub fn into_item(self) -> Vec<u8> {
        self.item
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_behind_one_are_none_of_it() {
        let mut netstring = Netstring::new(3);
        assert!(netstring.is_new());
        assert_eq!(netstring.push(b"3:a,"), Ok(None));
        assert!(!netstring.is_new());
        assert_eq!(netstring.push(b"b,,"), Ok(Some(&b","[..])));
        assert_eq!(netstring.push(b"x"), Ok(Some(&b"x"[..])));
        assert_eq!(netstring.into_item(), b"a,b");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let zeros = |count: usize| "0".repeat(count);
        for (text, expected) in [
            (":,", Ok(Some(&b""[..]))),
            ("00:,", Ok(Some(b""))),
            ("", Ok(None)),
            (&(zeros(90) + "1:x"), Ok(None)),
            (&zeros(101), Err(Fault::TooLong)),
            ("9223372036854775808:", Err(Fault::TooLong)),
            ("4:", Err(Fault::TooLong)),
            ("1x", Err(Fault::Format)),
            ("-1:", Err(Fault::Format)),
            ("1:xy", Err(Fault::Format)),
        ] {
            assert_eq!(Netstring::new(3).push(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn no_room_is_kept_for_what_was_only_announced() {
        let mut netstring = Netstring::new(u64::MAX);
        assert_eq!(netstring.push(b"9223372036854775807:x"), Ok(None));
        assert!(netstring.item.capacity() < 100);
    }

    proptest! {
        #[test]
        fn one_comes_back_however_it_is_cut(item in proptest::collection::vec(any::<u8>(), 0..50), cut in 1..20usize) {
            let mut text = Vec::new();
            append(&item, &mut text);
            let mut netstring = Netstring::new(50);
            let mut last = Ok(None);
            for piece in text.chunks(cut) {
                prop_assert_eq!(last, Ok(None));
                last = netstring.push(piece);
            }
            prop_assert_eq!(last, Ok(Some(&b""[..])));
            prop_assert_eq!(netstring.into_item(), item);
        }
    }
}

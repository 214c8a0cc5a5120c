//! The first record of a queue file, `C`: six numbers in fixed columns, written over in place when all is known.

use crate::record::Type;

/// Characters of a number.
const COLUMN: usize = 15;
/// Six numbers, and a space between any two.
const LENGTH: u8 = 6 * 15 + 5;

/// Of [`Sizes::send_flags`]: the sender asks for SMTPUTF8 (RFC 6531).
pub const SMTPUTF8_REQUESTED: u32 = 1;
/// Of [`Sizes::send_flags`]: the sender does without TLS, by `TLS-Required: no` (RFC 8689).
pub const TLS_NOT_REQUIRED: u32 = 16;
/// Of [`Sizes::send_flags`]: the sender has the message sent over verified TLS only, by REQUIRETLS (RFC 8689).
pub const TLS_REQUIRED: u32 = 32;

/// What the `C` record says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of the content section, from behind its `M` record up to its `X` record.
    pub data_size: u64,
    /// Offset of the first content record.
    pub data_offset: u64,
    /// Number of recipients.
    pub recipient_count: u64,
    /// What qmgr should know before it reads on; see [`Sizes::notify`].
    pub qmgr_flags: u64,
    /// Bytes of content, without what was deleted from it.
    pub content_size: u64,
    /// SMTPUTF8 and other flags of the sender's request.
    pub send_flags: u32,
}

impl Sizes {
    /// Length of the record's data.
    pub const DATA: usize = LENGTH as usize;
    /// Length of the whole record.
    pub const RECORD: usize = Self::DATA + 2;

    /// The part of `qmgr_flags` that tells which NOTIFY bits any recipient has.
    #[must_use]
    pub const fn notify(bits: u8) -> u64 {
        (bits as u64) << 1
    }

    /// The whole record.
    #[must_use]
    pub fn record(&self) -> [u8; Self::RECORD] {
        let mut record = [b' '; Self::RECORD];
        let numbers = [
            self.data_size,
            self.data_offset,
            self.recipient_count,
            self.qmgr_flags,
            self.content_size,
            u64::from(self.send_flags),
        ];
        let [kind, length, columns @ ..] = &mut record;
        (*kind, *length) = (Type::Size.byte(), LENGTH);
        for (column, number) in columns.chunks_mut(COLUMN + 1).zip(numbers) {
            put_digits(column.get_mut(..COLUMN).unwrap_or_default(), number);
        }
        record
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.record());
    }

    /// Parses the record's data. Files of old releases have fewer columns.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let [data_size, data_offset, recipient_count, qmgr_flags, content_size, send_flags] = columns(data)?;
        let send_flags = u32::try_from(send_flags).ok()?;
        let content_size = if content_size == 0 { data_size } else { content_size };
        Some(Self { data_size, data_offset, recipient_count, qmgr_flags, content_size, send_flags })
    }
}

/// The first six numbers of at least one; 0 for those that are not there.
fn columns(data: &[u8]) -> Option<[u64; 6]> {
    let mut numbers = [0_u64; 6];
    let mut rest = after_space(data);
    if rest.is_empty() {
        return None;
    }
    for place in &mut numbers {
        while let [byte @ b'0'..=b'9', after @ ..] = rest {
            *place = place.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
            rest = after;
        }
        let after = after_space(rest);
        if after.len() == rest.len() && !rest.is_empty() {
            return None;
        }
        rest = after;
    }
    std::str::from_utf8(rest).is_ok().then_some(numbers)
}

/// What comes after white space: of that, spaces are nearly all there is.
fn after_space(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    text.trim_ascii_start()
}

/// Writes a number at the end of its column.
fn put_digits(column: &mut [u8], mut number: u64) {
    for place in column.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record;

    #[test]
    fn the_record_has_one_length_and_comes_back() {
        let sizes = Sizes {
            data_size: 5325,
            data_offset: 818,
            recipient_count: 2,
            qmgr_flags: Sizes::notify(6),
            content_size: 5325,
            send_flags: 1,
        };
        let out = sizes.record();
        assert_eq!(
            out.get(2..),
            Some(
                &b"           5325             818               2              12            5325               1"[..]
            )
        );
        assert_eq!(Sizes::parse(&out[2..]), Some(sizes));
    }

    #[test]
    fn old_and_broken_records() {
        assert_eq!(
            Sizes::parse(b"  12   34   1").map(|s| (s.data_size, s.data_offset, s.content_size)),
            Some((12, 34, 12))
        );
        for broken in [&b""[..], b"x", b"-1 2", b"1 2 3 4 5 99999999999", b"\xff", b"1 2 3 4 5 6 \xff"] {
            assert_eq!(Sizes::parse(broken), None);
        }
    }

    proptest! {
        #[test]
        fn numbers_stand_at_the_end_of_their_columns(numbers: [u64; 5], send_flags: u32) {
            let [data_size, data_offset, recipient_count, qmgr_flags, content_size] =
                numbers.map(|number| number % 10_u64.pow(15));
            let sizes = Sizes { data_size, data_offset, recipient_count, qmgr_flags, content_size, send_flags };
            let text = format!(
                "{data_size:15} {data_offset:15} {recipient_count:15} {qmgr_flags:15} {content_size:15} {send_flags:15}"
            );
            let mut out = Vec::new();
            record::put(&mut out, Type::Size, text.as_bytes());
            prop_assert_eq!(out, sizes.record());
        }
    }
}

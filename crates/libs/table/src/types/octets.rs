//! Bytes of a message that a server sent, taken one field after the other.

use std::io;

use crate::link::malformed;

/// What is left of a message.
pub(super) struct Octets<'a>(pub(super) &'a [u8]);

impl<'a> Octets<'a> {
    pub(super) fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| malformed("message is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> io::Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| malformed("message is too short"))
    }

    /// The bytes before the next NUL, which is taken too.
    #[cfg(any(feature = "mongodb", feature = "mysql", feature = "pgsql"))]
    pub(super) fn text(&mut self) -> io::Result<&'a [u8]> {
        let end = memchr::memchr(0, self.0).ok_or_else(|| malformed("text without end"))?;
        let text = self.take(end)?;
        self.take(1)?;
        Ok(text)
    }
}

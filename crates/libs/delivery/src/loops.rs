//! Mail loops: the addresses that `Delivered-To:` headers say have had this message already.

use std::collections::HashSet;
use std::io;

use dsn::{Detail, Outcome, Status};
use queue_file::Piece;

use crate::content::{Content, unreadable};
use crate::external;

/// Headers are looked at up to this many bytes in all.
const HEADER_LIMIT: usize = 1024 * 1024;

/// The addresses of a message's `Delivered-To:` headers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Delivered {
    addresses: HashSet<Vec<u8>>,
}

impl Delivered {
    /// Reads the header section.
    ///
    /// # Errors
    /// The queue file is corrupt or cannot be read.
    pub fn read(content: &mut Content) -> io::Result<Self> {
        let mut found = Self::default();
        let mut header: Vec<u8> = Vec::new();
        let mut line: Vec<u8> = Vec::new();
        let mut total = 0;
        while let Some(piece) = content.next().map_err(unreadable)? {
            let (bytes, ends_line) = match piece {
                Piece::Line(bytes) => (bytes, true),
                Piece::Part(bytes) => (bytes, false),
            };
            total += bytes.len();
            line.extend_from_slice(bytes);
            if !ends_line && total <= HEADER_LIMIT {
                continue;
            }
            if !header.is_empty() && line.first().is_some_and(|&b| b == b' ' || b == b'\t') {
                header.append(&mut line);
                continue;
            }
            found.add(&header);
            header = std::mem::take(&mut line);
            if total > HEADER_LIMIT || !is_header(&header) {
                return Ok(found);
            }
        }
        found.add(&header);
        Ok(found)
    }

    /// Whether the message has been delivered to this address (in internal form) before.
    fn contains(&self, address: &[u8]) -> bool {
        self.addresses.contains(&external(address).to_ascii_lowercase())
    }

    /// What becomes of a recipient that has had the message before; `None` of others.
    #[must_use]
    pub fn refusal(&self, address: &[u8]) -> Option<Outcome> {
        let text = || format!("mail forwarding loop for {}", String::from_utf8_lossy(address));
        self.contains(address).then(|| Outcome::Bounced(Detail::new(Status::permanent(4, 6), text())))
    }

    fn add(&mut self, header: &[u8]) {
        const NAME: &[u8] = b"delivered-to:";
        let Some((name, value)) = header.split_at_checked(NAME.len()) else { return };
        if name.eq_ignore_ascii_case(NAME) {
            self.addresses.insert(value.trim_ascii().to_ascii_lowercase());
        }
    }
}

/// Whether a line begins with a header name and a colon.
fn is_header(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|&b| b == b':') else { return false };
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::content_of;
    use crate::content::tests::file;
    use queue_file::record::Type::{Extracted, Filter, Line};

    #[test]
    fn only_headers_count_whatever_their_case() {
        let (_kept, file) = file(&[
            (Line, b"Received: x"),
            (Line, b"\tDelivered-To: folded@example.org"),
            (Line, b"DELIVERED-TO: A@Example.org "),
            (Filter, b"Delivered-To:"),
            (Line, b" b@example.org"),
            (Line, b""),
            (Line, b"Delivered-To: body@example.org"),
            (Extracted, b""),
        ]);
        let found = Delivered::read(&mut content_of(&file, 0)).unwrap();
        for (address, expected) in [
            (&b"a@example.ORG"[..], true),
            (b"b@example.org", true),
            (b"folded@example.org", false),
            (b"body@example.org", false),
        ] {
            assert_eq!(found.contains(address), expected, "{address:?}");
        }
    }
}

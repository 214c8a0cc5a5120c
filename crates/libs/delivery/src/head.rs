//! The lines that final delivery puts before a message: `From `, `Return-Path:`, `X-Original-To:`, `Delivered-To:`.

use std::borrow::Cow;

use jiff::Zoned;

use crate::external;

/// Builds the head of a copy; each line is ended by LF unless said otherwise.
#[derive(Debug, Default)]
pub struct Head {
    bytes: Vec<u8>,
    eol: Option<Vec<u8>>,
}

impl Head {
    /// A head whose lines end with `eol`.
    #[must_use]
    pub fn ended_by(eol: &[u8]) -> Self {
        Self { bytes: Vec::new(), eol: Some(eol.to_vec()) }
    }

    /// `From sender  date`, with `MAILER-DAEMON` for the null sender.
    #[must_use]
    pub fn from_line(self, sender: &[u8], now: &Zoned) -> Self {
        let date = now.strftime("%a %b %e %H:%M:%S %Y").to_string();
        let sender = if sender.is_empty() { Cow::Borrowed(&b"MAILER-DAEMON"[..]) } else { external(sender) };
        self.line(&[b"From ", &sender, b"  ", date.as_bytes()])
    }

    /// `Return-Path: <sender>`.
    #[must_use]
    pub fn return_path(self, sender: &[u8]) -> Self {
        self.line(&[b"Return-Path: <", &external(sender), b">"])
    }

    /// `X-Original-To:`, if an original recipient is known and wanted (`enable_original_recipient`).
    #[must_use]
    pub fn original(self, original: &[u8], wanted: bool) -> Self {
        if original.is_empty() || !wanted { self } else { self.line(&[b"X-Original-To: ", &external(original)]) }
    }

    /// `Delivered-To:`.
    #[must_use]
    pub fn delivered(self, address: &[u8]) -> Self {
        self.line(&[b"Delivered-To: ", &external(address)])
    }

    /// The lines.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn line(mut self, parts: &[&[u8]]) -> Self {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.extend_from_slice(self.eol.as_deref().unwrap_or(b"\n"));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_as_they_are_asked_for() {
        let now = jiff::Timestamp::new(1_793_498_584, 0).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
        let head = Head::default().from_line(b"", &now).return_path(b"").original(b"", true).delivered(b"a@b");
        assert_eq!(
            String::from_utf8(head.into_bytes()).unwrap(),
            "From MAILER-DAEMON  Sun Nov  1 02:03:04 2026\nReturn-Path: <>\nDelivered-To: a@b\n"
        );
        assert_eq!(
            Head::ended_by(b"\r\n").original(b"y", false).original(b"x", true).into_bytes(),
            b"X-Original-To: x\r\n"
        );
    }
}

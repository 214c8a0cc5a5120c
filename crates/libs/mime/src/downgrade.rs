//! Makes 7-bit mail of mail that declares to be 8-bit, for a next hop without 8BITMIME. RFC 6152 §3.
//!
//! Only parts that say `8bit` or `binary` change: leaves become quoted-printable, and so does `message/*` that is not looked into;
//! multiparts and messages, whose leaves have changed, become `7bit`. Mail that does not declare its encoding is not touched.

use crate::content::{Encoding, Top, encoding};
use crate::field::{Field, Kind};
use crate::quoted_printable::Encoder;
use crate::walk::{End, Event, Limits, Parts, Walker};

/// Converts a message as it passes by.
#[derive(Debug)]
pub struct Downgrade {
    walker: Walker,
    /// What the header being read declares.
    declared: Encoding,
    /// Set while the body of a converted leaf passes.
    encoder: Option<Encoder>,
}

impl Downgrade {
    /// At the start of a message.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { walker: Walker::new(Parts::Encodable, limits), declared: Encoding::default(), encoder: None }
    }

    /// Takes a line or a piece of one, and appends what it becomes, lines ended by LF.
    pub fn line(&mut self, line: &[u8], end: End, out: &mut Vec<u8>) {
        let events = self.walker.line(line, end);
        self.events(events, out);
    }

    /// The message is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let events = self.walker.finish();
        self.events(events, out);
    }

    fn events<'a>(&mut self, events: impl Iterator<Item = Event<'a>>, out: &mut Vec<u8>) {
        for event in events {
            match event {
                Event::Header(_, text) => self.header(&text, out),
                Event::HeaderEnd(_) => self.end_header(out),
                Event::Separator => out.push(b'\n'),
                Event::Body(line, end) => self.body(line, end, out),
                Event::Fault(..) => {}
            }
        }
    }

    fn header(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.encoder = None;
        if let Some(field) = Field::new(text)
            && field.kind() == Kind::ContentTransferEncoding
        {
            self.declared = encoding(field.value());
            if is_converted(self.declared) {
                return;
            }
        }
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    fn end_header(&mut self, out: &mut Vec<u8>) {
        let declared = std::mem::take(&mut self.declared);
        self.encoder = None;
        if !is_converted(declared) {
            return;
        }
        let leaf = !matches!(self.walker.ended_content(), Top::Multipart | Top::Message);
        let name: &[u8] = if leaf { b"quoted-printable" } else { b"7bit" };
        out.extend_from_slice(b"Content-Transfer-Encoding: ");
        out.extend_from_slice(name);
        out.push(b'\n');
        self.encoder = leaf.then(Encoder::default);
    }

    fn body(&mut self, line: &[u8], end: End, out: &mut Vec<u8>) {
        let boundary = self.walker.is_at_boundary();
        match &mut self.encoder {
            Some(encoder) if !boundary => {
                encoder.piece(line, out);
                if end == End::Line {
                    encoder.end_line(out);
                }
            }
            Some(_) | None => {
                self.encoder = None;
                out.extend_from_slice(line);
                if end == End::Line {
                    out.push(b'\n');
                }
            }
        }
    }
}

/// Whether parts of an encoding change; their old `Content-Transfer-Encoding` does not go out.
const fn is_converted(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::Eight | Encoding::Binary)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn downgrade(text: &str) -> String {
        let mut converter = Downgrade::new(Limits { header: 1000, boundary: 100, nesting: 10 });
        let mut out = Vec::new();
        for line in text.lines() {
            converter.line(line.as_bytes(), End::Line, &mut out);
        }
        converter.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_encoded_already_stays_as_it_is() {
        for text in [
            "A: 1\nContent-Transfer-Encoding: base64\nB: 2\n\nAAAA\n",
            "Content-Transfer-Encoding: x\nB: 2\n\n\u{e4}\n",
        ] {
            assert_eq!(downgrade(text), text);
        }
    }

    #[test]
    fn a_leaf_becomes_quoted_printable() {
        assert_eq!(
            downgrade("A: 1\nContent-Transfer-Encoding: 8bit\nB: 2\n\n\u{e4} =\nx \n"),
            "A: 1\nB: 2\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4 =3D\nx=20\n"
        );
    }

    #[test]
    fn only_parts_that_say_so_change() {
        let text = "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\nprolog\n--b\n\
                    Content-Transfer-Encoding: 8bit\n\n\u{e4}\n--b\nContent-Transfer-Encoding: base64\n\na=b\n--b\n\n=\n--b--\n";
        assert_eq!(
            downgrade(text),
            "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\nprolog\n--b\n\
             Content-Transfer-Encoding: quoted-printable\n\n=C3=A4\n--b\nContent-Transfer-Encoding: base64\n\na=b\n--b\n\n=\n--b--\n"
        );
    }

    #[test]
    fn messages_within_are_converted_too() {
        let text = "Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nContent-Transfer-Encoding: 8bit\n\n\u{e4}\n";
        assert_eq!(
            downgrade(text),
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\n\
             Content-Transfer-Encoding: quoted-printable\n\n=C3=A4\n"
        );
    }

    #[test]
    fn messages_that_are_not_looked_into_are_leaves() {
        for kind in ["global", "global-headers", "global-delivery-status", "partial"] {
            let text =
                format!("Content-Type: message/{kind}\nContent-Transfer-Encoding: 8bit\n\nSubject: \u{e4}\n\n\u{e4}\n");
            assert_eq!(
                downgrade(&text),
                format!(
                    "Content-Type: message/{kind}\nContent-Transfer-Encoding: quoted-printable\n\nSubject: =C3=A4\n\n=C3=A4\n"
                )
            );
        }
    }

    proptest! {
        #[test]
        fn undeclared_mail_is_not_touched(lines in proptest::collection::vec("[ -~]{0,20}", 0..10)) {
            let text = format!("A: 1\n\n{}", lines.iter().map(|l| format!("{l}\n")).collect::<String>());
            prop_assert_eq!(downgrade(&text), text);
        }
    }
}

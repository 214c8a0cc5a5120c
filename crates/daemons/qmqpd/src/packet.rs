//! The packet of QMQP: a netstring that holds netstrings, of the message, its sender, and each recipient.
//!
//! The parser takes bytes as they come, cut anywhere. As Postfix's it reads the length of the whole and believes those of the parts: a
//! comma where a recipient may begin is the end. Messages and addresses are kept as far as they have come, never as much room as their
//! lengths ask for.

use std::fmt;

use netstring::{Fault, Length, Netstring};

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The length of the whole.
    Header,
    /// The message.
    Content,
    /// Its sender.
    Sender,
    /// A recipient, or the end.
    Recipient,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "receiving QMQP packet header",
            Self::Content => "receiving message content",
            Self::Sender => "receiving sender address",
            Self::Recipient => "receiving recipient address",
        })
    }
}

/// How much is taken.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a message; 0: any number.
    pub content: u64,
    /// Bytes of an address.
    pub address: u64,
}

/// Whether a packet is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More has to come.
    Partial,
    /// It is; what follows is none of it.
    Complete,
}

/// A packet, as far as it has come.
#[derive(Debug)]
pub struct Packet {
    limits: Limits,
    part: Part,
    progress: Progress,
    length: Length,
    item: Netstring,
    /// The message; LF ends lines.
    pub content: Vec<u8>,
    /// Its sender, in internal form, with what asks for VERP.
    pub sender: Vec<u8>,
    /// Recipients in internal form, those that were taken out apart.
    pub recipients: Vec<Vec<u8>>,
}

impl Packet {
    /// Of which nothing has come yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            part: Part::Header,
            progress: Progress::Partial,
            length: Length::default(),
            item: Netstring::new(if limits.content == 0 { u64::MAX } else { limits.content }),
            content: Vec::new(),
            sender: Vec::new(),
            recipients: Vec::new(),
        }
    }

    /// What is being read.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// Takes bytes that have come.
    ///
    /// # Errors
    /// [`Fault`], in [`Self::part`].
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Progress, Fault> {
        while self.progress == Progress::Partial
            && let [byte, rest @ ..] = bytes
        {
            bytes = match self.part {
                Part::Header => {
                    if self.length.push(*byte)?.is_some() {
                        self.part = Part::Content;
                    }
                    rest
                }
                Part::Recipient if *byte == b',' && self.item.is_new() => {
                    self.progress = Progress::Complete;
                    rest
                }
                Part::Content | Part::Sender | Part::Recipient => {
                    let Some(rest) = self.item.push(bytes)? else { break };
                    self.end_item();
                    rest
                }
            };
        }
        Ok(self.progress)
    }

    fn end_item(&mut self) {
        let item = std::mem::replace(&mut self.item, Netstring::new(self.limits.address)).into_item();
        match self.part {
            // A header is no netstring of its own.
            Part::Header => {}
            Part::Content => {
                self.content = item;
                self.part = Part::Sender;
            }
            Part::Sender => {
                self.sender = item;
                self.part = Part::Recipient;
            }
            Part::Recipient => self.recipients.push(item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { content: 100, address: 20 };

    fn netstring(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        netstring::append(bytes, &mut out);
        out
    }

    fn parse(bytes: &[u8]) -> (Result<Progress, Fault>, Packet) {
        let mut packet = Packet::new(LIMITS);
        (packet.push(bytes), packet)
    }

    #[test]
    fn a_message_has_a_sender_and_recipients() {
        let (progress, packet) = parse(b"35:7:Subject,3:a@b,6:c d@ef,0:,2:g\n,,more");
        assert_eq!(progress, Ok(Progress::Complete));
        assert_eq!((&packet.content[..], &packet.sender[..]), (&b"Subject"[..], &b"a@b"[..]));
        assert_eq!(packet.recipients, [&b"c d@ef"[..], b"", b"g\n"]);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        let much = |count: usize| "0".repeat(count);
        let cases: [(&str, Part, Result<Progress, Fault>); 20] = [
            ("", Part::Header, Ok(Progress::Partial)),
            ("12", Part::Header, Ok(Progress::Partial)),
            ("12x:", Part::Header, Err(Fault::Format)),
            (",", Part::Header, Err(Fault::Format)),
            ("9223372036854775807:", Part::Content, Ok(Progress::Partial)),
            ("9223372036854775808:", Part::Header, Err(Fault::TooLong)),
            ("99999999999999999999:", Part::Header, Err(Fault::TooLong)),
            (&(much(90) + "1:"), Part::Content, Ok(Progress::Partial)),
            (&(much(101)), Part::Header, Err(Fault::TooLong)),
            (":,", Part::Content, Err(Fault::Format)),
            ("0:0:,", Part::Sender, Ok(Progress::Partial)),
            ("9:101:", Part::Content, Err(Fault::TooLong)),
            ("9:100:x", Part::Content, Ok(Progress::Partial)),
            ("9:1:x;", Part::Content, Err(Fault::Format)),
            ("9:1:x,,", Part::Sender, Err(Fault::Format)),
            ("9:1:x,21:", Part::Sender, Err(Fault::TooLong)),
            ("9:1:x,1:y,", Part::Recipient, Ok(Progress::Partial)),
            ("9:1:x,1:y,1,", Part::Recipient, Err(Fault::Format)),
            ("9:1:x,1:y,21:", Part::Recipient, Err(Fault::TooLong)),
            ("9:1:x,1:y,,", Part::Recipient, Ok(Progress::Complete)),
        ];
        for (text, part, expected) in cases {
            let (progress, packet) = parse(text.as_bytes());
            assert_eq!((progress, packet.part()), (expected, part), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_almost_is_a_packet_is_refused_or_taken(text in "[0-9]{1,2}:([0-9]{0,2}:[a-z]{0,12},){0,5},{0,2}") {
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn a_packet_comes_back_however_it_is_cut(
            content in proptest::collection::vec(any::<u8>(), 0..100),
            addresses in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..5),
            cut in 1..50usize,
        ) {
            let parts: Vec<u8> = addresses.iter().flat_map(|address| netstring(address)).collect();
            let text = netstring(&[netstring(&content), parts].concat());
            let mut packet = Packet::new(LIMITS);
            let mut last = Progress::Partial;
            for piece in text.chunks(cut) {
                prop_assert_eq!(last, Progress::Partial);
                last = packet.push(piece).unwrap();
            }
            prop_assert_eq!(last, Progress::Complete);
            prop_assert_eq!(&packet.content, &content);
            prop_assert_eq!(&packet.sender, &addresses[0]);
            prop_assert_eq!(&packet.recipients[..], &addresses[1..]);
        }
    }
}

//! Packets: a 32-bit length in network order, a letter, and data. Pure and total.

/// Largest packet that a filter may send: a chunk of a new body.
pub const LIMIT: usize = 1 << 20;

/// The protocol version spoken here.
pub const VERSION: u32 = 6;

/// Everything that a filter may ask to do: headers, body, recipients, sender, quarantine.
pub const ACTIONS: u32 = 0x1ff;

/// What a filter may say that it does not want, or does not reply to.
pub mod protocol {
    /// No connect command.
    pub const NO_CONNECT: u32 = 0x1;
    /// No HELO.
    pub const NO_HELO: u32 = 0x2;
    /// No MAIL.
    pub const NO_MAIL: u32 = 0x4;
    /// No RCPT.
    pub const NO_RCPT: u32 = 0x8;
    /// No body.
    pub const NO_BODY: u32 = 0x10;
    /// No headers.
    pub const NO_HEADERS: u32 = 0x20;
    /// No end of headers.
    pub const NO_EOH: u32 = 0x40;
    /// No reply to headers.
    pub const SILENT_HEADER: u32 = 0x80;
    /// No unknown commands.
    pub const NO_UNKNOWN: u32 = 0x100;
    /// No DATA.
    pub const NO_DATA: u32 = 0x200;
    /// May answer "skip".
    pub const SKIP: u32 = 0x400;
    /// Wants refused recipients too.
    pub const REJECTED_RCPT: u32 = 0x800;
    /// No reply to connect.
    pub const SILENT_CONNECT: u32 = 0x1000;
    /// No reply to HELO.
    pub const SILENT_HELO: u32 = 0x2000;
    /// No reply to MAIL.
    pub const SILENT_MAIL: u32 = 0x4000;
    /// No reply to RCPT.
    pub const SILENT_RCPT: u32 = 0x8000;
    /// No reply to DATA.
    pub const SILENT_DATA: u32 = 0x1_0000;
    /// No reply to unknown commands.
    pub const SILENT_UNKNOWN: u32 = 0x2_0000;
    /// No reply to the end of headers.
    pub const SILENT_EOH: u32 = 0x4_0000;
    /// No reply to body chunks.
    pub const SILENT_BODY: u32 = 0x8_0000;
    /// Header values come with their leading space.
    pub const LEADING_SPACE: u32 = 0x10_0000;
    /// All that is offered.
    pub const ALL: u32 = 0x1f_ffff;
}

/// An event of a session, as told to a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A client has connected.
    Connect {
        /// Its name, or its address in brackets.
        host: Vec<u8>,
        /// What is known of its address.
        address: Address,
    },
    /// HELO or EHLO.
    Helo(Vec<u8>),
    /// MAIL: the sender in angle brackets, then ESMTP arguments.
    Mail(Vec<Vec<u8>>),
    /// RCPT, likewise.
    Rcpt(Vec<Vec<u8>>),
    /// DATA.
    Data,
    /// A header: name and value.
    Header(Vec<u8>, Vec<u8>),
    /// The end of the headers.
    EndOfHeader,
    /// Some of the body, with CRLF line ends.
    Body(Vec<u8>),
    /// The end of the message.
    EndOfMessage,
    /// A command that is none of these.
    Unknown(Vec<u8>),
    /// The message is given up; the session goes on.
    Abort,
    /// The session is over.
    Quit,
}

/// A client's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Not known, or not of a network.
    Unknown,
    /// IPv4, with the port.
    V4(String, u16),
    /// IPv6, with the port.
    V6(String, u16),
}

/// What a filter may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Go on.
    Continue,
    /// Accept, and ask no more about this message (or session).
    Accept,
    /// Refuse for good.
    Reject,
    /// Refuse for now.
    Tempfail,
    /// Accept and throw away.
    Discard,
    /// No more of this kind of event, please.
    Skip,
    /// Still at work.
    Progress,
    /// Disconnect the client.
    Shutdown,
    /// Refuse the connection.
    ConnectionFailure,
    /// Refuse with this SMTP reply.
    Reply(Vec<u8>),
    /// Add a header at the end.
    AddHeader(Vec<u8>, Vec<u8>),
    /// Insert a header at an index.
    InsertHeader(u32, Vec<u8>, Vec<u8>),
    /// Change the n-th header of a name; an empty value removes it.
    ChangeHeader(u32, Vec<u8>, Vec<u8>),
    /// Another sender.
    ChangeSender(Vec<Vec<u8>>),
    /// One more recipient.
    AddRecipient(Vec<Vec<u8>>),
    /// One recipient less.
    DeleteRecipient(Vec<u8>),
    /// Some of a new body.
    ReplaceBody(Vec<u8>),
    /// Hold the message, for this reason.
    Quarantine(Vec<u8>),
    /// The answer to the negotiation.
    Options(Options),
}

/// What is negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Protocol version.
    pub version: u32,
    /// What the filter may do.
    pub actions: u32,
    /// What it does not want, see [`protocol`].
    pub protocol: u32,
}

/// Bytes that are no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed packet from a milter")]
pub struct Malformed;

impl Command {
    /// The letter on the wire, which macros name too.
    #[must_use]
    pub fn letter(&self) -> u8 {
        match self {
            Self::Connect { .. } => b'C',
            Self::Helo(_) => b'H',
            Self::Mail(_) => b'M',
            Self::Rcpt(_) => b'R',
            Self::Data => b'T',
            Self::Header(..) => b'L',
            Self::EndOfHeader => b'N',
            Self::Body(_) => b'B',
            Self::EndOfMessage => b'E',
            Self::Unknown(_) => b'U',
            Self::Abort => b'A',
            Self::Quit => b'Q',
        }
    }

    /// The protocol flags with which a filter declines this event, and its reply to it.
    #[must_use]
    pub fn flags(&self) -> (u32, u32) {
        match self {
            Self::Connect { .. } => (protocol::NO_CONNECT, protocol::SILENT_CONNECT),
            Self::Helo(_) => (protocol::NO_HELO, protocol::SILENT_HELO),
            Self::Mail(_) => (protocol::NO_MAIL, protocol::SILENT_MAIL),
            Self::Rcpt(_) => (protocol::NO_RCPT, protocol::SILENT_RCPT),
            Self::Data => (protocol::NO_DATA, protocol::SILENT_DATA),
            Self::Header(..) => (protocol::NO_HEADERS, protocol::SILENT_HEADER),
            Self::EndOfHeader => (protocol::NO_EOH, protocol::SILENT_EOH),
            Self::Body(_) => (protocol::NO_BODY, protocol::SILENT_BODY),
            Self::Unknown(_) => (protocol::NO_UNKNOWN, protocol::SILENT_UNKNOWN),
            Self::EndOfMessage | Self::Abort | Self::Quit => (0, 0),
        }
    }

    /// Appends the packet.
    pub fn write(&self, out: &mut Vec<u8>) {
        packet(out, self.letter(), |out| match self {
            Self::Connect { host, address } => {
                string(out, host);
                match address {
                    Address::Unknown => out.push(b'U'),
                    Address::V4(text, port) => endpoint(out, b'4', text, *port),
                    Address::V6(text, port) => endpoint(out, b'6', text, *port),
                }
            }
            Self::Helo(text) | Self::Unknown(text) => string(out, text),
            Self::Mail(words) | Self::Rcpt(words) => words.iter().for_each(|word| string(out, word)),
            Self::Header(name, value) => {
                string(out, name);
                string(out, value);
            }
            Self::Body(chunk) => out.extend_from_slice(chunk),
            Self::Data | Self::EndOfHeader | Self::EndOfMessage | Self::Abort | Self::Quit => {}
        });
    }
}

/// The protocol flags that are offered with a version.
#[must_use]
pub fn offered(version: u32) -> u32 {
    match version {
        0..=2 => 0x7f,
        3 => 0x17f,
        4 | 5 => 0x37f,
        _ => protocol::ALL,
    }
}

/// The events that a version does not have.
#[must_use]
pub fn unknown_to(version: u32) -> u32 {
    match version {
        0..=2 => protocol::NO_UNKNOWN | protocol::NO_DATA,
        3 => protocol::NO_DATA,
        _ => 0,
    }
}

/// As [`Command::flags`], for the letters of the content.
#[must_use]
pub fn content_flags(letter: u8) -> (u32, u32) {
    match letter {
        b'L' => (protocol::NO_HEADERS, protocol::SILENT_HEADER),
        b'N' => (protocol::NO_EOH, protocol::SILENT_EOH),
        b'B' => (protocol::NO_BODY, protocol::SILENT_BODY),
        _ => (0, 0),
    }
}

/// Appends a packet that came from a filter, with its length.
pub fn write_raw(out: &mut Vec<u8>, body: &[u8]) {
    if let Some((letter, data)) = body.split_first() {
        packet(out, *letter, |out| out.extend_from_slice(data));
    }
}

/// The packets in a row of them, without their lengths; ends at what is no packet.
pub fn split(mut packets: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (size, rest) = packets.split_first_chunk::<4>()?;
        let (body, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*size)).ok()?)?;
        packets = rest;
        (!body.is_empty()).then_some(body)
    })
}

impl Options {
    /// Appends the packet that opens the negotiation.
    pub fn write(&self, out: &mut Vec<u8>) {
        packet(out, b'O', |out| {
            for number in [self.version, self.actions, self.protocol] {
                out.extend_from_slice(&number.to_be_bytes());
            }
        });
    }
}

/// Appends the packet with the macros of an event.
pub fn write_macros(out: &mut Vec<u8>, event: u8, macros: &[(String, String)]) {
    packet(out, b'D', |out| {
        out.push(event);
        for (name, value) in macros {
            string(out, name.as_bytes());
            string(out, value.as_bytes());
        }
    });
}

/// Parses a packet behind its length.
///
/// # Errors
/// [`Malformed`].
pub fn parse(packet: &[u8]) -> Result<Response, Malformed> {
    let (letter, data) = packet.split_first().ok_or(Malformed)?;
    Ok(match letter {
        b'c' => Response::Continue,
        b'a' => Response::Accept,
        b'r' => Response::Reject,
        b't' => Response::Tempfail,
        b'd' => Response::Discard,
        b's' => Response::Skip,
        b'p' => Response::Progress,
        b'4' => Response::Shutdown,
        b'f' => Response::ConnectionFailure,
        b'y' => Response::Reply(one(data)?),
        b'h' => two(data).map(|(name, value)| Response::AddHeader(name, value))?,
        b'i' => indexed(data).map(|(index, name, value)| Response::InsertHeader(index, name, value))?,
        b'm' => indexed(data).map(|(index, name, value)| Response::ChangeHeader(index, name, value))?,
        b'e' => Response::ChangeSender(strings(data)?),
        b'+' | b'2' => Response::AddRecipient(strings(data)?),
        b'-' => Response::DeleteRecipient(one(data)?),
        b'b' => Response::ReplaceBody(data.to_vec()),
        b'q' => Response::Quarantine(one(data)?),
        b'O' => {
            let (version, rest) = number(data)?;
            let (actions, rest) = number(rest)?;
            let (protocol, _) = number(rest)?;
            Response::Options(Options { version, actions, protocol })
        }
        _ => return Err(Malformed),
    })
}

/// The macros that a filter asks for in its answer to the negotiation, in the place of those that are configured: for
/// each event, by its letter, their names.
#[must_use]
pub fn requested_macros(answer: &[u8]) -> Vec<(u8, Vec<String>)> {
    const EVENTS: [u8; 7] = [b'C', b'H', b'M', b'R', b'T', b'E', b'N'];
    let mut requested = Vec::new();
    let mut rest = answer.get(13..).unwrap_or_default();
    while let Ok((stage, after)) = number(rest) {
        let Some(end) = after.iter().position(|byte| *byte == 0) else { break };
        let (names, after) = after.split_at_checked(end).unwrap_or_default();
        rest = after.get(1..).unwrap_or_default();
        let Some(event) = usize::try_from(stage).ok().and_then(|stage| EVENTS.get(stage)) else { continue };
        let names = String::from_utf8_lossy(names);
        let names = names.split([' ', ',', '\t']).filter(|name| !name.is_empty());
        requested.push((*event, names.map(str::to_owned).collect()));
    }
    requested
}

fn packet(out: &mut Vec<u8>, letter: u8, data: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, letter]);
    data(out);
    let size = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
}

/// A string ends with NUL, so none may be within.
fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().filter(|byte| **byte != 0));
    out.push(0);
}

fn endpoint(out: &mut Vec<u8>, family: u8, text: &str, port: u16) {
    out.push(family);
    out.extend_from_slice(&port.to_be_bytes());
    string(out, text.as_bytes());
}

fn number(data: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    let (bytes, rest) = data.split_first_chunk::<4>().ok_or(Malformed)?;
    Ok((u32::from_be_bytes(*bytes), rest))
}

fn strings(data: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    let body = data.strip_suffix(b"\0").ok_or(Malformed)?;
    Ok(body.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
}

fn one(data: &[u8]) -> Result<Vec<u8>, Malformed> {
    strings(data)?.into_iter().next().ok_or(Malformed)
}

fn two(data: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
    let mut all = strings(data)?.into_iter();
    Ok((all.next().ok_or(Malformed)?, all.next().unwrap_or_default()))
}

fn indexed(data: &[u8]) -> Result<(u32, Vec<u8>, Vec<u8>), Malformed> {
    let (index, rest) = number(data)?;
    two(rest).map(|(name, value)| (index, name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_have_the_known_bytes() {
        let mut out = Vec::new();
        Command::Connect { host: b"mx".to_vec(), address: Address::V4("192.0.2.1".to_owned(), 25) }.write(&mut out);
        assert_eq!(out, b"\0\0\0\x11Cmx\x004\0\x19192.0.2.1\0");
        out.clear();
        Command::Mail(vec![b"<a@b>".to_vec(), b"SIZE=1".to_vec()]).write(&mut out);
        assert_eq!(out, b"\0\0\0\x0eM<a@b>\0SIZE=1\0");
        out.clear();
        write_macros(&mut out, b'C', &[("j".to_owned(), "host".to_owned())]);
        assert_eq!(out, b"\0\0\0\x09DCj\0host\0");
    }

    #[test]
    fn responses_are_read() {
        let cases: [(&[u8], Response); 6] = [
            (b"c", Response::Continue),
            (b"y550 5.7.1 No\0", Response::Reply(b"550 5.7.1 No".to_vec())),
            (b"hX-A\0b\0", Response::AddHeader(b"X-A".to_vec(), b"b".to_vec())),
            (b"m\0\0\0\x02X\0\0", Response::ChangeHeader(2, b"X".to_vec(), Vec::new())),
            (b"bab\0", Response::ReplaceBody(b"ab\0".to_vec())),
            (b"e<a@b>\0", Response::ChangeSender(vec![b"<a@b>".to_vec()])),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(bytes), Ok(expected));
        }
        for bad in [&b""[..], b"?", b"yno end", b"i\0\0"] {
            assert_eq!(parse(bad), Err(Malformed), "{bad:?}");
        }
    }

    #[test]
    fn filters_may_ask_for_macros() {
        let answer = [&b"O\0\0\0\x06"[..], &[0; 8], b"\0\0\0\x02i, {x}\0\0\0\0\x09y\0\0\0\0\x05\0\0"].concat();
        let names = vec!["i".to_owned(), "{x}".to_owned()];
        assert_eq!(requested_macros(&answer), [(b'M', names), (b'E', vec![])]);
    }

    proptest! {
        #[test]
        fn any_packet_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes);
            let _ = requested_macros(&bytes);
        }
    }
}

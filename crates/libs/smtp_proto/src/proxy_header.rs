//! The preamble of the PROXY protocol (HAProxy), versions 1 and 2.
//!
//! A load balancer says before anything else for whom it speaks. `LOCAL` connections of version 2 are its own (health checks),
//! and have its own address. One that does not know its client is not served: it would get the balancer's rights.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most that a preamble may take: version 2 with all its extensions.
pub const LIMIT: usize = 16 + 536;
const V1_LIMIT: usize = 107;
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a preamble says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The balancer itself: a health check.
    Balancer,
    /// It speaks for a client.
    Client {
        /// The client.
        source: SocketAddr,
        /// Where the client connected to.
        destination: SocketAddr,
    },
}

/// The result of looking at what has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// More bytes are needed.
    Incomplete,
    /// A preamble of this many bytes.
    Complete(Origin, usize),
}

/// It is no preamble; the text is what was wrong with it, as Postfix logs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(&'static str);

/// Looks for a preamble at the start of `input`.
///
/// # Errors
/// When there cannot be one.
pub fn parse(input: &[u8]) -> Result<Parsed, Malformed> {
    let shared = input.len().min(V2_SIGNATURE.len());
    if !input.is_empty() && input.get(..shared) == V2_SIGNATURE.get(..shared) {
        return version_2(input);
    }
    let shared = input.len().min(6);
    if input.get(..shared) != b"PROXY ".get(..shared) {
        return Err(Malformed("unrecognized protocol header"));
    }
    version_1(input)
}

fn version_1(input: &[u8]) -> Result<Parsed, Malformed> {
    let Some(end) = memchr::memchr(b'\n', input.get(..V1_LIMIT).unwrap_or(input)) else {
        return if input.len() >= V1_LIMIT {
            Err(Malformed("missing protocol header terminator"))
        } else {
            Ok(Parsed::Incomplete)
        };
    };
    let line = input.get(..end).unwrap_or_default();
    let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line))
        .map_err(|_| Malformed("unrecognized protocol header"))?;
    let mut words = line.split_ascii_whitespace().skip(1);
    let four = match words.next() {
        Some("TCP4") => true,
        Some("TCP6") => false,
        _ => return Err(Malformed("bad or missing protocol type")),
    };
    let mut address = |what| match words.next().and_then(|word| word.parse::<IpAddr>().ok()) {
        Some(address) if address.is_ipv4() == four => Ok(address),
        _ => Err(Malformed(what)),
    };
    let (source, destination) = (address("bad or missing client address")?, address("bad or missing server address")?);
    let mut port = |what| words.next().and_then(port_number).ok_or(Malformed(what));
    let (from, to) = (port("bad or missing client port")?, port("bad or missing server port")?);
    let origin =
        Origin::Client { source: SocketAddr::new(source, from), destination: SocketAddr::new(destination, to) };
    Ok(Parsed::Complete(origin, end + 1))
}

/// A port is a number as it is usually written.
fn port_number(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && !(word.len() > 1 && word.starts_with('0'));
    plain.then(|| word.parse().ok()).flatten()
}

fn version_2(input: &[u8]) -> Result<Parsed, Malformed> {
    let Some(&[kind, family, high, low]) = input.get(12..16) else {
        return Ok(Parsed::Incomplete);
    };
    let total = 16 + usize::from(u16::from_be_bytes([high, low]));
    if kind >> 4 != 2 {
        return Err(Malformed("unrecognized protocol version"));
    }
    if total > LIMIT {
        return Err(Malformed("short version 2 protocol header"));
    }
    let Some(body) = input.get(16..total) else {
        return Ok(Parsed::Incomplete);
    };
    match (kind & 15, family) {
        (0, _) => Ok(Parsed::Complete(Origin::Balancer, total)),
        (1, 0x11) => Ok(Parsed::Complete(addresses::<4>(body)?, total)),
        (1, 0x21) => Ok(Parsed::Complete(addresses::<16>(body)?, total)),
        (1, _) => Err(Malformed("unsupported network protocol")),
        _ => Err(Malformed("bad command in proxy header")),
    }
}

fn addresses<const N: usize>(body: &[u8]) -> Result<Origin, Malformed>
where
    Address<N>: Into<IpAddr>,
{
    let short = Malformed("short address field");
    let (source, rest) = body.split_first_chunk::<N>().ok_or(short)?;
    let (destination, rest) = rest.split_first_chunk::<N>().ok_or(short)?;
    let (from, rest) = rest.split_first_chunk::<2>().ok_or(short)?;
    let to = rest.first_chunk::<2>().ok_or(short)?;
    Ok(Origin::Client {
        source: SocketAddr::new(Address(*source).into(), u16::from_be_bytes(*from)),
        destination: SocketAddr::new(Address(*destination).into(), u16::from_be_bytes(*to)),
    })
}

struct Address<const N: usize>([u8; N]);

impl From<Address<4>> for IpAddr {
    fn from(address: Address<4>) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(address.0))
    }
}

impl From<Address<16>> for IpAddr {
    fn from(address: Address<16>) -> IpAddr {
        let address = Ipv6Addr::from(address.0);
        address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(source: &str, destination: &str) -> Origin {
        Origin::Client { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    fn version_1_lines() {
        let line = b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 25\r\nEHLO";
        assert_eq!(parse(line), Ok(Parsed::Complete(client("192.0.2.7:1234", "192.0.2.1:25"), line.len() - 4)));
        assert_eq!(parse(b"PROXY TCP6 ::1 ::2 1 2\r\n"), Ok(Parsed::Complete(client("[::1]:1", "[::2]:2"), 24)));
        assert_eq!(parse(b"PRO"), Ok(Parsed::Incomplete));
        assert_eq!(parse(b""), Ok(Parsed::Incomplete));
        for (bad, why) in [
            ("EHLO x\r\n", "unrecognized protocol header"),
            ("PROXY TCP4 ::1 ::2 1 2\r\n", "bad or missing client address"),
            ("PROXY TCP4 1.2.3.4\r\n", "bad or missing server address"),
            ("PROXY TCP4 1.2.3.4 1.2.3.5 01 2\r\n", "bad or missing client port"),
            ("PROXY TCP4 1.2.3.4 1.2.3.5 +1 2\r\n", "bad or missing client port"),
            ("PROXY TCP4 1.2.3.4 1.2.3.5 1 70000\r\n", "bad or missing server port"),
            ("PROXY X\r\n", "bad or missing protocol type"),
            ("PROXY UNKNOWN\r\n", "bad or missing protocol type"),
            ("PROXY UNKNOWN 1.2.3.4 1.2.3.5 1 2\r\n", "bad or missing protocol type"),
        ] {
            assert_eq!(parse(bad.as_bytes()), Err(Malformed(why)), "{bad}");
        }
        assert!(parse(&[b"PROXY ", &[b'x'; 200][..]].concat()).is_err());
    }

    #[test]
    fn version_2_blocks() {
        let mut block = V2_SIGNATURE.to_vec();
        block.extend([0x21, 0x11, 0, 12, 192, 0, 2, 8, 192, 0, 2, 1, 4, 0xd2, 0, 25]);
        assert_eq!(parse(&block), Ok(Parsed::Complete(client("192.0.2.8:1234", "192.0.2.1:25"), 28)));
        for end in 0..block.len() {
            assert_eq!(parse(&block[..end]), Ok(Parsed::Incomplete));
        }
        block[12] = 0x20;
        assert_eq!(parse(&block), Ok(Parsed::Complete(Origin::Balancer, 28)));
        for (command, family) in [(0x31, 0x11), (0x21, 0), (0x21, 0x12)] {
            (block[12], block[13]) = (command, family);
            assert!(parse(&block).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>, signed: bool) {
            let input = if signed { [&V2_SIGNATURE[..], &bytes].concat() } else { bytes };
            if let Ok(Parsed::Complete(_, length)) = parse(&input) {
                prop_assert!(length <= input.len());
            }
        }
    }
}

//! A name server that answers from a table, over UDP and TCP on a port of this host.
//!
//! Records are written as in zone files: `("x.test", "MX", "10 mx.x.test")`. A name without records does not exist; the type
//! `RCODE` gives every question about a name that answer (`2` is SERVFAIL), `SILENT` gives none, and `SIGNED` marks answers as
//! validated.

use crate::port::free_port;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;

/// A record: name, type, data.
pub type Record<'a> = (&'a str, &'a str, &'a str);

const TYPES: [(&str, u16); 9] =
    [("A", 1), ("NS", 2), ("CNAME", 5), ("PTR", 12), ("MX", 15), ("TXT", 16), ("AAAA", 28), ("SRV", 33), ("TLSA", 52)];
/// The bit of a header that says that an answer was validated.
const AUTHENTIC: u8 = 0x20;
/// Replies over UDP are cut beyond this.
const DATAGRAM: usize = 512;

/// A server that runs until the test ends.
#[derive(Debug)]
pub struct NameServer {
    /// Where it listens.
    pub address: SocketAddr,
}

#[derive(Debug)]
struct Zone(Vec<(String, Entry)>);

#[derive(Debug)]
enum Entry {
    Record(u16, Vec<u8>),
    Rcode(u8),
    Silent,
    Signed,
}

impl NameServer {
    /// Answers from these records.
    ///
    /// # Errors
    /// A record that cannot be written, or no port.
    pub fn open(records: &[Record<'_>]) -> Result<Self> {
        let entries = records.iter().map(|(name, kind, data)| Ok((name.to_lowercase(), entry(kind, data)?)));
        let zone = Arc::new(Zone(entries.collect::<Result<_>>()?));
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let udp = UdpSocket::bind(address)?;
        let tcp = TcpListener::bind(address)?;
        let same = Arc::clone(&zone);
        std::thread::spawn(move || serve_datagrams(&udp, &zone));
        std::thread::spawn(move || serve_streams(&tcp, &same));
        Ok(Self { address })
    }
}

fn serve_datagrams(socket: &UdpSocket, zone: &Zone) {
    let mut buffer = [0; 2048];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        let query = buffer.get(..length).unwrap_or_default();
        let Some(mut reply) = zone.reply(query) else { continue };
        if reply.len() > DATAGRAM {
            truncate(&mut reply, query);
        }
        // A client that is gone needs no reply.
        let _ = socket.send_to(&reply, client);
    }
}

fn serve_streams(listener: &TcpListener, zone: &Zone) {
    for stream in listener.incoming().flatten() {
        // A connection that fails is the client's affair.
        let _ = serve_stream(stream, zone);
    }
}

fn serve_stream(mut stream: TcpStream, zone: &Zone) -> Result<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut query)?;
    let reply = zone.reply(&query).context("no answer")?;
    stream.write_all(&u16::try_from(reply.len())?.to_be_bytes())?;
    Ok(stream.write_all(&reply)?)
}

impl Zone {
    fn reply(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, kind, end) = question(query)?;
        let mut name = name;
        let (mut answers, mut rcode, mut known) = (Vec::new(), 0, false);
        let signed = self.0.iter().any(|(owner, entry)| *owner == name && matches!(entry, Entry::Signed));
        for _ in 0..8 {
            let mut alias = None;
            for (_, entry) in self.0.iter().filter(|(owner, _)| *owner == name) {
                known = true;
                match entry {
                    Entry::Silent => return None,
                    Entry::Rcode(code) => rcode = *code,
                    Entry::Record(of, data) if *of == kind => answers.push((name.clone(), *of, data.clone())),
                    Entry::Record(5, data) => {
                        answers.push((name.clone(), 5, data.clone()));
                        alias = Some(unwire(data));
                    }
                    Entry::Record(..) | Entry::Signed => {}
                }
            }
            match alias {
                Some(target) => name = target,
                None => break,
            }
        }
        if !known {
            rcode = 3;
        }
        let mut reply = query.get(..2)?.to_vec();
        reply.extend([0x85, 0x80 | rcode | if signed { AUTHENTIC } else { 0 }, 0, 1]);
        reply.extend(u16::try_from(answers.len()).ok()?.to_be_bytes());
        reply.extend([0; 4]);
        reply.extend(query.get(12..end)?);
        for (owner, of, data) in answers {
            reply.extend(wire(&owner));
            reply.extend(of.to_be_bytes());
            reply.extend([0, 1, 0, 0, 0, 60]);
            reply.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
            reply.extend(data);
        }
        Some(reply)
    }
}

/// The name asked for in lower case, the type, and where the question ends.
fn question(query: &[u8]) -> Option<(String, u16, usize)> {
    let name = unwire(query.get(12..)?);
    let end = 12 + if name.is_empty() { 1 } else { name.len() + 2 };
    let kind = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
    Some((name.to_lowercase(), kind, end + 4))
}

/// Leaves the header, which says that the reply was cut, and the question.
fn truncate(reply: &mut Vec<u8>, query: &[u8]) {
    if let Some((_, _, end)) = question(query) {
        reply.truncate(end);
    }
    if let Some(flags) = reply.get_mut(2) {
        *flags |= 2;
    }
    if let Some(counts) = reply.get_mut(6..12) {
        counts.fill(0);
    }
}

fn entry(kind: &str, data: &str) -> Result<Entry> {
    match kind {
        "RCODE" => return Ok(Entry::Rcode(data.parse()?)),
        "SILENT" => return Ok(Entry::Silent),
        "SIGNED" => return Ok(Entry::Signed),
        _ => {}
    }
    let number = TYPES.iter().find(|(name, _)| *name == kind).map(|(_, number)| *number);
    let words: Vec<&str> = data.split_ascii_whitespace().collect();
    let bytes = match (kind, words.as_slice()) {
        ("A" | "AAAA", [address]) => match address.parse()? {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        },
        ("NS" | "CNAME" | "PTR", [name]) => wire(name),
        ("MX" | "SRV", [numbers @ .., name]) => {
            let mut bytes = Vec::new();
            for number in numbers {
                bytes.extend(number.parse::<u16>()?.to_be_bytes());
            }
            bytes.extend(wire(name));
            bytes
        }
        ("TLSA", [numbers @ .., digest]) => {
            let numbers = numbers.iter().map(|number| number.parse::<u8>());
            let digest =
                (0..digest.len()).step_by(2).map(|at| u8::from_str_radix(digest.get(at..at + 2).unwrap_or(""), 16));
            numbers.chain(digest).collect::<Result<_, _>>()?
        }
        ("TXT", _) => [&[u8::try_from(data.len())?][..], data.as_bytes()].concat(),
        _ => bail!("no such record: {kind} {data}"),
    };
    Ok(Entry::Record(number.context("unknown type")?, bytes))
}

fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap_or(63));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn unwire(mut bytes: &[u8]) -> String {
    let mut name = String::new();
    while let Some((length, rest)) = bytes.split_first()
        && *length > 0
        && let Some((label, rest)) = rest.split_at_checked(usize::from(*length))
    {
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&String::from_utf8_lossy(label));
        bytes = rest;
    }
    name
}

//! A connection to a MySQL server: logging in, and asking.

use std::io;

use tokio::io::AsyncWriteExt;

use super::login::{self, Method};
use super::packet::{self, Heading, NO_BACKSLASH_ESCAPES, Packet, Status};
use super::settings::Settings;
use crate::link::{Connection, Endpoint, malformed};
use crate::servers::{Failure, host_name};

/// A connection that is logged in.
pub(super) struct Session {
    connection: Connection,
    status: u16,
}

/// The result sets of an answer that have columns.
pub(super) type Results = Vec<Vec<Vec<u8>>>;

/// How much all values of an answer may take.
const LARGEST: usize = 16 * 1024 * 1024;

/// Long passwords and flags, database, version 4.1, transactions, challenges, further results, methods by name. Not
/// among them: several statements in one query, files of the client.
const CAPABILITIES: u32 = 0x1 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x2_0000 | 0x8_0000;
const VERSION_41: u32 = 0x200;
const TLS: u32 = 0x800;
/// `utf8mb4_general_ci`.
const CHARSET: u8 = 45;

/// Whether others may read what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Privacy {
    Open,
    Private,
}

/// Logging in: the connection, and the number of the next packet.
struct Door {
    connection: Connection,
    next: u8,
}

impl Session {
    pub(super) async fn open(host: &Endpoint, settings: &Settings) -> Result<Self, Failure> {
        let mut door = Door { connection: host.connect().await?, next: 0 };
        let first = door.read().await?;
        let greeting = first.greeting()?;
        if greeting.capabilities & VERSION_41 == 0 {
            return Err(malformed("server is too old").into());
        }
        let is_tls = matches!(host, Endpoint::Inet(_)) && settings.tls.is_some();
        let capabilities = if is_tls { CAPABILITIES | TLS } else { CAPABILITIES };
        let mut hello = [capabilities.to_le_bytes(), 0x00ff_ffff_u32.to_le_bytes()].concat();
        hello.push(CHARSET);
        hello.extend([0; 23]);
        if let (true, Some(tls)) = (is_tls, &settings.tls) {
            if greeting.capabilities & TLS == 0 {
                return Err(Failure::Down("server does not support TLS".to_owned()));
            }
            door.send(&hello).await?;
            door.connection = tls.secure(door.connection, host_name(host)).await?;
        }
        let method = Method::named(&greeting.method).unwrap_or(Method::Native);
        // A clear password is only for servers that insist, later.
        let method = if method == Method::Clear { Method::Native } else { method };
        let proof = method.answer(&settings.password, &greeting.challenge);
        for text in [settings.user.as_bytes(), b"\0", &[u8::try_from(proof.len()).unwrap_or(0)], &proof] {
            hello.extend_from_slice(text);
        }
        for text in [settings.database.as_str(), "\0", method.name(), "\0"] {
            hello.extend_from_slice(text.as_bytes());
        }
        door.send(&hello).await?;
        let privacy = if is_tls || matches!(host, Endpoint::Unix(_)) { Privacy::Private } else { Privacy::Open };
        let status = door.pass(&settings.password, greeting.challenge, privacy).await?;
        let mut session = Self { connection: door.connection, status: status.0 };
        session.prepare(settings).await?;
        Ok(session)
    }

    async fn prepare(&mut self, settings: &Settings) -> Result<(), Failure> {
        if settings.charset != "utf8mb4" {
            self.results(&format!("SET NAMES '{}'", settings.charset), 0).await?;
        }
        if self.status & NO_BACKSLASH_ESCAPES != 0 {
            // Keys are quoted with backslashes.
            let mode = "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'NO_BACKSLASH_ESCAPES', '')";
            self.results(mode, 0).await?;
        }
        Ok(())
    }

    /// Asks, and reads every result; of each as many values as are worth reading.
    pub(super) async fn ask(&mut self, query: &str, most: usize) -> Result<Results, Failure> {
        if self.status & NO_BACKSLASH_ESCAPES != 0 {
            return Err(Failure::Down("sql_mode has NO_BACKSLASH_ESCAPES".to_owned()));
        }
        self.results(query, most).await
    }

    async fn results(&mut self, query: &str, most: usize) -> Result<Results, Failure> {
        let packet = packet::write(0, &[b"\x03", query.as_bytes()].concat())?;
        self.connection.write_all(&packet).await?;
        self.connection.flush().await?;
        let (mut results, mut room) = (Vec::new(), LARGEST);
        loop {
            let status = match packet::read(&mut self.connection).await?.heading()? {
                Heading::Refused(text) => return Err(Failure::Refused(text)),
                Heading::Done(status) => status,
                Heading::Columns(columns) => {
                    for _ in 0..columns {
                        packet::read(&mut self.connection).await?;
                    }
                    if packet::read(&mut self.connection).await?.end()?.is_none() {
                        return Err(malformed("packet out of order").into());
                    }
                    let (values, status) = self.rows(most, &mut room).await?;
                    results.push(values);
                    status
                }
            };
            self.status = status.0;
            if !status.has_more() {
                return Ok(results);
            }
        }
    }

    async fn rows(&mut self, most: usize, room: &mut usize) -> Result<(Vec<Vec<u8>>, Status), Failure> {
        let mut values: Vec<Vec<u8>> = Vec::new();
        loop {
            let packet = packet::read(&mut self.connection).await?;
            if let Some(text) = packet.refusal() {
                return Err(Failure::Refused(text));
            }
            if let Some(status) = packet.end()? {
                return Ok((values, status));
            }
            let columns = packet.row()?;
            let kept = columns.get(..columns.len().min(most - values.len())).unwrap_or_default();
            let size = kept.iter().map(|column| column.len()).sum();
            *room = room.checked_sub(size).ok_or_else(|| malformed("answer is too long"))?;
            values.extend(kept.iter().map(|column| column.to_vec()));
        }
    }
}

impl Door {
    /// The next packet. A refusal ends everything.
    async fn read(&mut self) -> Result<Packet, Failure> {
        let packet = packet::read(&mut self.connection).await?;
        self.next = packet.number.wrapping_add(1);
        match packet.refusal() {
            Some(text) => Err(Failure::Down(text)),
            None => Ok(packet),
        }
    }

    async fn send(&mut self, body: &[u8]) -> io::Result<()> {
        self.connection.write_all(&packet::write(self.next, body)?).await?;
        self.next = self.next.wrapping_add(1);
        self.connection.flush().await
    }

    /// Does as the server asks until it lets us in.
    async fn pass(&mut self, password: &str, mut challenge: Vec<u8>, privacy: Privacy) -> Result<Status, Failure> {
        loop {
            let packet = self.read().await?;
            match packet.body.split_first() {
                Some((0, _)) => match packet.heading()? {
                    Heading::Done(status) => return Ok(status),
                    Heading::Columns(_) | Heading::Refused(_) => return Err(malformed("packet out of order").into()),
                },
                Some((0xfe, rest)) => {
                    let end = memchr::memchr(0, rest).unwrap_or(rest.len());
                    let (name, new) = rest.split_at_checked(end).unwrap_or_default();
                    let new = new.get(1..).unwrap_or_default();
                    challenge = new.strip_suffix(b"\0").unwrap_or(new).to_vec();
                    let method = Method::named(name)
                        .filter(|method| *method != Method::Clear || privacy == Privacy::Private)
                        .ok_or_else(|| {
                            let name = String::from_utf8_lossy(name).into_owned();
                            Failure::Down(format!("authentication method {name} is not supported"))
                        })?;
                    self.send(&method.answer(password, &challenge)).await?;
                }
                // The server still knows the answer of last time: it lets us in.
                Some((1, [3])) => {}
                Some((1, [4])) if privacy == Privacy::Private => self.send(&login::terminated(password)).await?,
                Some((1, [4])) => {
                    self.send(&[2]).await?;
                    let key = self.read().await?;
                    let key = key.body.strip_prefix(b"\x01").ok_or_else(|| malformed("packet out of order"))?;
                    self.send(&login::sealed(password, &challenge, key)?).await?;
                }
                _ => return Err(malformed("packet out of order").into()),
            }
        }
    }
}

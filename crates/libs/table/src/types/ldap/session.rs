//! A connection to an LDAP server: TLS, bind, searches.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::message::{self, Attribute, Bounds, Credentials, Message, Outcome, SUCCESS, Search};
use crate::link::{Connection, Endpoint, in_time, malformed};
use crate::secure::Tls;
use crate::servers::{Failure, host_name};

/// Where a server is, and what is spoken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) endpoint: Endpoint,
    /// TLS from the first byte on (`ldaps:`).
    pub(super) is_tls: bool,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

/// Who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// Nobody, without saying so.
    Nobody,
    Simple,
    External {
        authorization: String,
    },
    Plain {
        authorization: String,
    },
}

/// How a server is spoken with.
pub(super) struct Manner {
    pub(super) login: Login,
    pub(super) name: String,
    pub(super) password: String,
    pub(super) version: u32,
    pub(super) start_tls: bool,
    pub(super) tls: Tls,
    pub(super) bounds: Bounds,
    pub(super) timeout: Duration,
}

/// A connection that is bound.
pub(super) struct Session {
    connection: Connection,
    last: u32,
}

/// How many entries a search may find, whatever the limits of the table.
const MOST_ENTRIES: usize = 100_000;
/// How much they may hold.
const LARGEST: usize = 64 * 1024 * 1024;

impl Session {
    pub(super) async fn open(host: &Host, manner: &Manner) -> Result<Self, Failure> {
        let mut connection = host.endpoint.connect().await?;
        if host.is_tls {
            connection = manner.tls.secure(connection, host_name(&host.endpoint)).await?;
        }
        let mut session = Self { connection, last: 0 };
        if manner.start_tls && !host.is_tls {
            session.succeed("start TLS", &message::start_tls(), message::EXTENDED_RESPONSE).await?;
            session.connection = manner.tls.secure(session.connection, host_name(&host.endpoint)).await?;
        }
        let credentials = match &manner.login {
            Login::Nobody => return Ok(session),
            Login::Simple => Credentials::Simple(&manner.password),
            Login::External { authorization } => Credentials::Sasl("EXTERNAL", authorization.clone().into_bytes()),
            Login::Plain { authorization } => {
                let proof = [authorization.as_str(), &manner.name, &manner.password].join("\0");
                Credentials::Sasl("PLAIN", proof.into_bytes())
            }
        };
        let name = if matches!(manner.login, Login::Plain { .. }) { "" } else { &manner.name };
        let request = message::bind(manner.version, name, &credentials);
        session.succeed("bind", &request, message::BIND_RESPONSE).await?;
        Ok(session)
    }

    async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.last = (self.last + 1) & 0x7fff_ffff;
        self.connection.write_all(&message::numbered(self.last, request)).await?;
        self.connection.flush().await
    }

    /// The next message that belongs to the last request.
    async fn receive(&mut self) -> Result<Message, Failure> {
        let message = message::read(&mut self.connection).await?;
        match message.number {
            0 => Err(Failure::Down(format!("server disconnects: {}", message.outcome()?.text))),
            number if number == self.last => Ok(message),
            _ => Err(malformed("message out of order").into()),
        }
    }

    async fn succeed(&mut self, what: &str, request: &[u8], kind: u8) -> Result<(), Failure> {
        self.send(request).await?;
        let message = self.receive().await?;
        if message.kind != kind {
            return Err(malformed("message out of order").into());
        }
        match message.outcome()? {
            Outcome { code: SUCCESS, .. } => Ok(()),
            Outcome { code, text } => Err(Failure::Down(format!("unable to {what}: {code} {text}"))),
        }
    }

    /// The entries that a search finds, and how it ended.
    pub(super) async fn search(
        &mut self,
        search: &Search,
        manner: &Manner,
    ) -> Result<(Vec<Vec<Attribute>>, Outcome), Failure> {
        let request = message::search(search, manner.bounds);
        in_time(manner.timeout, self.send(&request)).await?;
        let (mut entries, mut room) = (Vec::new(), LARGEST);
        loop {
            let received = tokio::time::timeout(manner.timeout, self.receive()).await;
            let message = received.unwrap_or(Err(Failure::Slow))?;
            match message.kind {
                message::ENTRY => {
                    room = room.saturating_sub(message.content.len());
                    if room == 0 || entries.len() >= MOST_ENTRIES {
                        return Err(malformed("answer is too long").into());
                    }
                    entries.push(message.attributes()?);
                }
                message::REFERENCE => {}
                message::DONE => return Ok((entries, message.outcome()?)),
                _ => return Err(malformed("message out of order").into()),
            }
        }
    }
}

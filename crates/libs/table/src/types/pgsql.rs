//! `pgsql:path`: a query of PostgreSQL servers, as the parameters in `path` say. See pgsql_table(5).

mod host;
mod message;

use std::io;

use data_encoding::HEXLOWER;
use md5::{Digest, Md5};
use sasl::scram::{Exchange, Hash};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Origin, Parameters, Shape, Template};
use crate::link::{Connection, Endpoint, malformed};
use crate::servers::{Failure, Limits, Protocol, Remote, Servers, host_name};
use crate::split::{SEPARATORS, items};
use crate::{Answer, Environment, Error, Table};

use host::{Encryption, Host};
use message::{Authentication, Message, Refusal};

struct Pgsql {
    spec: String,
    query: Template,
    shape: Shape,
    servers: Servers<Wire>,
    origin: Origin,
}

/// The protocol.
struct Wire {
    encoding: String,
}

/// A connection that is logged in.
struct Session {
    connection: Connection,
    backslash: Backslash,
}

/// What a backslash in a quoted text is (`standard_conforming_strings`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backslash {
    Plain,
    Escape,
}

/// A query, for both kinds of quoted texts.
struct Question {
    plain: String,
    escaped: String,
    most: usize,
}

/// How much all values of an answer may take.
const LARGEST: usize = 16 * 1024 * 1024;

/// Encodings in which a byte of a letter may look like a quote or a backslash.
const TREACHEROUS: [&str; 7] = ["BIG5", "GBK", "GB18030", "JOHAB", "SJIS", "SHIFT_JIS_2004", "UHC"];

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let parameters = Parameters::read("pgsql", path, environment)?;
    let hosts = parameters.text("hosts").unwrap_or_else(|| {
        tracing::warn!("pgsql:{path}: no hostnames specified, defaulting to 'localhost'");
        "localhost".to_owned()
    });
    let mut servers = Vec::new();
    for word in items(&hosts, SEPARATORS) {
        let host = host::read(word, &parameters)?;
        let is_local = matches!(host.endpoint, Endpoint::Unix(_));
        servers.push((host, is_local));
    }
    let encoding = parameters.text("encoding").unwrap_or_else(|| "UTF8".to_owned());
    if TREACHEROUS.contains(&encoding.to_ascii_uppercase().as_str()) {
        return Err(parameters.mistake(&format!("encoding {encoding} cannot be quoted safely")));
    }
    let limits = Limits::read(&parameters)?;
    Ok(Box::new(Pgsql {
        spec: format!("pgsql:{path}"),
        query: parameters.sql()?,
        shape: Shape::read(&parameters, environment)?,
        servers: Servers::new(Wire { encoding }, servers, limits),
        origin: parameters.origin(),
    }))
}

/// See [`super::read_answers`].
pub(super) fn read_answers(mut bytes: &[u8]) {
    while let Ok(message) = crate::block_on(message::read(&mut bytes)) {
        let _ = (message.refusal().is_ok(), message.authentication().is_ok());
        let _ = (message.status().is_ok(), message.row().is_ok());
    }
    let _ = Exchange::new(Hash::Sha256, "", "password", "nonce").answer(bytes);
}

impl Remote for Pgsql {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn ask(&self, key: Vec<u8>) -> Answer {
        // No text of PostgreSQL has a NUL.
        if key.contains(&0) {
            return Ok(None);
        }
        let Some(key) = self.shape.admitted(key).await? else {
            return Ok(None);
        };
        let text = |backslash| self.query.expand(&key, &key, |part| quoted(part, backslash));
        let (Some(plain), Some(escaped)) = (text(Backslash::Plain), text(Backslash::Escape)) else {
            return Ok(None);
        };
        let question = Question { plain, escaped, most: self.shape.most() };
        let results = self.servers.ask(&self.spec, &question).await?;
        self.shape.value(&key, &results, &self.spec)
    }
}

/// A part of a key, to stand between single quotes.
fn quoted(part: &str, backslash: Backslash) -> String {
    let quotes = part.replace('\'', "''");
    match backslash {
        Backslash::Plain => quotes,
        Backslash::Escape => quotes.replace('\\', "\\\\"),
    }
}

impl Protocol for Wire {
    type Host = Host;
    type Session = Session;
    type Question = Question;
    type Reply = Vec<Vec<u8>>;

    async fn open(&self, host: &Host) -> Result<Session, Failure> {
        let connection = connect(host).await?;
        let mut session = Session { connection, backslash: Backslash::Escape };
        let parameters =
            [("user", host.user.as_str()), ("database", &host.database), ("client_encoding", &self.encoding)];
        session.send(&message::startup(&parameters)).await?;
        session.log_in(host).await?;
        loop {
            let message = session.read().await?;
            if message.kind == b'Z' {
                return Ok(session);
            }
        }
    }

    async fn ask(&self, session: &mut Session, question: &Question) -> Result<Vec<Vec<u8>>, Failure> {
        let text = match session.backslash {
            Backslash::Plain => &question.plain,
            Backslash::Escape => &question.escaped,
        };
        session.send(&message::text(b'Q', text.as_bytes())).await?;
        session.results(question.most).await
    }
}

/// A connection, encrypted as far as it has to be.
async fn connect(host: &Host) -> io::Result<Connection> {
    if let Endpoint::Unix(path) = &host.endpoint {
        // A folder is as good as the socket in it.
        let inside = if path.is_dir() { path.join(".s.PGSQL.5432") } else { path.clone() };
        return Endpoint::Unix(inside).connect().await;
    }
    let plain = host.endpoint.connect();
    match host.encryption {
        Encryption::Never => plain.await,
        Encryption::Always => secured(host, plain.await?).await,
        Encryption::IfOffered => match secured(host, plain.await?).await {
            Ok(connection) => Ok(connection),
            Err(_) => host.endpoint.connect().await,
        },
    }
}

async fn secured(host: &Host, mut connection: Connection) -> io::Result<Connection> {
    connection.write_all(&message::tls_request()).await?;
    match connection.read_u8().await? {
        b'S' => host.tls.secure(connection, host_name(&host.endpoint)).await,
        b'N' if host.encryption == Encryption::IfOffered => Ok(connection),
        b'N' => Err(io::Error::other("server does not support TLS")),
        _ => Err(malformed("bad answer to a request for TLS")),
    }
}

impl Session {
    async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.connection.write_all(message).await?;
        self.connection.flush().await
    }

    fn note(&mut self, (name, value): (&[u8], &[u8])) {
        if name == b"standard_conforming_strings" {
            self.backslash = if value == b"on" { Backslash::Plain } else { Backslash::Escape };
        }
    }

    /// The next message that is an answer. A server that gives up says so at any time.
    async fn read(&mut self) -> Result<Message, Failure> {
        loop {
            let message = message::read(&mut self.connection).await?;
            match message.kind {
                b'N' => {}
                b'S' => self.note(message.status()?),
                b'E' => match message.refusal()? {
                    Refusal { is_fatal: true, text } => return Err(Failure::Down(text)),
                    Refusal { is_fatal: false, .. } => return Ok(message),
                },
                _ => return Ok(message),
            }
        }
    }

    async fn challenge(&mut self) -> Result<Authentication, Failure> {
        let message = self.read().await?;
        match message.kind {
            b'R' => Ok(message.authentication()?),
            b'E' => Err(Failure::Down(message.refusal()?.text)),
            _ => Err(malformed("message out of order").into()),
        }
    }

    async fn log_in(&mut self, host: &Host) -> Result<(), Failure> {
        loop {
            match self.challenge().await? {
                Authentication::Done => return Ok(()),
                Authentication::Password => self.send(&message::text(b'p', host.password.as_bytes())).await?,
                Authentication::Md5(salt) => {
                    let inner = HEXLOWER.encode(&Md5::digest(format!("{}{}", host.password, host.user)));
                    let outer = HEXLOWER.encode(&Md5::digest([inner.as_bytes(), &salt].concat()));
                    self.send(&message::text(b'p', format!("md5{outer}").as_bytes())).await?;
                }
                Authentication::Sasl(mechanisms) if mechanisms.iter().any(|name| name == "SCRAM-SHA-256") => {
                    self.scram(host).await?;
                }
                Authentication::Sasl(_) | Authentication::Challenge(_) | Authentication::Last(_) => {
                    return Err(malformed("an authentication method that is not supported").into());
                }
            }
        }
    }

    async fn scram(&mut self, host: &Host) -> Result<(), Failure> {
        let exchange = Exchange::begin(Hash::Sha256, "", &host.password)?;
        let first = exchange.first();
        let length = u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes();
        let body = [b"SCRAM-SHA-256\0", &length[..], first.as_bytes()].concat();
        self.send(&message::write(Some(b'p'), &body)).await?;
        let Authentication::Challenge(challenge) = self.challenge().await? else {
            return Err(malformed("message out of order").into());
        };
        let (answer, expected) = exchange.answer(&challenge).map_err(|_| malformed("bad SCRAM challenge"))?;
        self.send(&message::write(Some(b'p'), answer.as_bytes())).await?;
        if let Authentication::Last(last) = self.challenge().await?
            && expected.check(&last).is_ok()
        {
            return Ok(());
        }
        Err(malformed("server does not know the password").into())
    }

    /// The values of the last result, as many as are worth reading.
    async fn results(&mut self, most: usize) -> Result<Vec<Vec<u8>>, Failure> {
        let (mut values, mut refusal, mut room) = (None, None, LARGEST);
        loop {
            let message = self.read().await?;
            match message.kind {
                b'T' => values = Some(Vec::new()),
                b'D' => {
                    let values: &mut Vec<_> = values.get_or_insert_default();
                    let columns = message.row()?;
                    let kept = columns.get(..columns.len().min(most - values.len())).unwrap_or_default();
                    let size = kept.iter().map(|column| column.len()).sum();
                    room = room.checked_sub(size).ok_or_else(|| malformed("answer is too long"))?;
                    values.extend(kept.iter().map(|column| column.to_vec()));
                }
                b'E' => refusal = Some(message.refusal()?.text),
                b'C' | b'I' | b'A' => {}
                b'Z' => break,
                _ => return Err(malformed("message out of order").into()),
            }
        }
        match (refusal, values) {
            (Some(text), _) => Err(Failure::Refused(text)),
            (None, Some(values)) => Ok(values),
            (None, None) => Err(Failure::Refused("query has no result set".to_owned())),
        }
    }
}

//! Messages of MongoDB's protocol, and logging in.

use std::io;

use sasl::scram::{Exchange, Hash};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::bson::{self, Document, Value, find};
use super::uri::{Login, Uri};
use crate::link::{Connection, Endpoint, malformed};
use crate::servers::{Failure, host_name};
use crate::types::octets::Octets;

/// A connection that is logged in.
pub(super) struct Session {
    connection: Connection,
    number: u32,
}

/// The one kind of message that there is.
const MESSAGE: u32 = 2013;
/// What a reply may take.
const LARGEST: usize = 16 * 1024 * 1024;
/// A checksum follows.
const CHECKSUM: u32 = 1;

/// Servers that stop, or have to become what they are to be: others may answer.
const ELSEWHERE: [i64; 8] = [91, 189, 10107, 11600, 11602, 13435, 13436, 10058];

impl Session {
    pub(super) async fn open(host: &Endpoint, uri: &Uri) -> Result<Self, Failure> {
        let mut connection = host.connect().await?;
        if let (Some(tls), Endpoint::Inet(_)) = (&uri.tls, host) {
            connection = tls.secure(connection, host_name(host)).await?;
        }
        let mut session = Self { connection, number: 0 };
        if let Some(login) = &uri.login {
            session.log_in(login).await?;
        }
        Ok(session)
    }

    /// Asks, and gives the document that is the reply.
    pub(super) async fn call(&mut self, command: Document) -> Result<Vec<u8>, Failure> {
        self.number = self.number.wrapping_add(1);
        self.connection.write_all(&message(self.number, &command.bytes())).await?;
        self.connection.flush().await?;
        let reply = read(&mut self.connection).await?;
        match find(&reply, "ok")? {
            Some(Value::Number(1) | Value::Boolean(true)) => Ok(reply),
            Some(Value::Double(ok)) if ok > 0.0 => Ok(reply),
            _ => Err(refusal(&reply)?),
        }
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), Failure> {
        let exchange = Exchange::begin(Hash::Sha256, &login.user, &login.password)?;
        let mut start = Document::default();
        start.integer("saslStart", 1);
        start.text("mechanism", "SCRAM-SHA-256");
        start.binary("payload", exchange.first().as_bytes());
        start.text("$db", &login.database);
        let reply = self.call(start).await?;
        let (answer, expected) = exchange.answer(payload(&reply)?).map_err(|_| malformed("bad SCRAM challenge"))?;
        let reply = self.go_on(login, &reply, answer.as_bytes()).await?;
        if expected.check(payload(&reply)?).is_err() {
            return Err(malformed("server does not know the password").into());
        }
        // The server may want to hear that there is nothing left to say.
        if find(&reply, "done")? == Some(Value::Boolean(true)) {
            return Ok(());
        }
        let reply = self.go_on(login, &reply, b"").await?;
        match find(&reply, "done")? {
            Some(Value::Boolean(true)) => Ok(()),
            _ => Err(malformed("login without end").into()),
        }
    }

    async fn go_on(&mut self, login: &Login, reply: &[u8], payload: &[u8]) -> Result<Vec<u8>, Failure> {
        let Some(Value::Number(conversation)) = find(reply, "conversationId")? else {
            return Err(malformed("login without a number").into());
        };
        let mut next = Document::default();
        next.integer("saslContinue", 1);
        next.long("conversationId", conversation);
        next.binary("payload", payload);
        next.text("$db", &login.database);
        self.call(next).await
    }
}

fn payload(reply: &[u8]) -> io::Result<&[u8]> {
    match find(reply, "payload")? {
        Some(Value::Binary(payload)) => Ok(payload),
        _ => Err(malformed("login without a challenge")),
    }
}

fn refusal(reply: &[u8]) -> io::Result<Failure> {
    let text = match find(reply, "errmsg")? {
        Some(Value::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        _ => "refused".to_owned(),
    };
    Ok(match find(reply, "code")? {
        Some(Value::Number(code)) if ELSEWHERE.contains(&code) => Failure::Down(text),
        _ => Failure::Refused(text),
    })
}

/// The documents that a query found.
pub(super) fn documents(reply: &[u8]) -> Result<Vec<&[u8]>, Failure> {
    let missing = || malformed("reply without documents");
    let Some(Value::Document(cursor)) = find(reply, "cursor")? else { return Err(missing().into()) };
    let Some(Value::List(batch)) = find(cursor, "firstBatch")? else { return Err(missing().into()) };
    let mut documents = Vec::new();
    for (.., value) in bson::fields(batch)? {
        let Value::Document(document) = value else { return Err(missing().into()) };
        documents.push(document);
    }
    Ok(documents)
}

/// A message with one document.
pub(super) fn message(number: u32, document: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + 4 + 1 + document.len()).unwrap_or(u32::MAX);
    let mut message = Vec::new();
    for word in [length, number, 0, MESSAGE, 0] {
        message.extend_from_slice(&word.to_le_bytes());
    }
    message.push(0);
    message.extend_from_slice(document);
    message
}

/// The document of the next message.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_u32_le().await?).unwrap_or(usize::MAX);
    let size =
        length.checked_sub(4).filter(|size| *size <= LARGEST).ok_or_else(|| malformed("bad length of a message"))?;
    let mut rest = vec![0; size];
    stream.read_exact(&mut rest).await?;
    let mut octets = Octets(&rest);
    octets.take(8)?;
    if u32::from_le_bytes(octets.array()?) != MESSAGE {
        return Err(malformed("unknown kind of message"));
    }
    let flags = u32::from_le_bytes(octets.array()?);
    if octets.byte()? != 0 {
        return Err(malformed("unknown kind of section"));
    }
    let document = bson::document(&mut octets)?;
    let left = if flags & CHECKSUM == 0 { 0 } else { 4 };
    if octets.0.len() == left { Ok(document.to_vec()) } else { Err(malformed("message is too long")) }
}

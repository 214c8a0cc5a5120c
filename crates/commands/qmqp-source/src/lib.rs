//! qmqp-source(1): sends test messages by QMQP over many sessions at a time.

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, Zoned};
use netstring::Netstring;
use smtp_proto::conn::{self, Conn, Pace};
use trial::load::{Load, Session, Taken};
use trial::place::Stream;

const PATIENCE: Pace = Pace::Each(Duration::from_secs(300));
const MOST_REPLY: u64 = 2048;
/// Bytes of a message where nothing else is said.
const LENGTH: usize = 1024;
/// Letters in a line of a message.
const WIDTH: usize = 79;

/// Parses the command line.
///
/// # Errors
/// An unknown option, a bad number, or no server.
pub fn options(arguments: impl IntoIterator<Item = OsString>) -> Result<Load, lexopt::Error> {
    Load::parse(arguments, "qmqp", |_, _| Ok(Taken::No))
}

/// Sends all messages.
///
/// # Errors
/// The first failure of a session.
pub async fn run(load: Load) -> io::Result<()> {
    let packet: Arc<[u8]> = packet(&load, &Timestamp::now().to_zoned(time_zone::local())).into();
    load.spread(|session| work(session, Arc::clone(&packet))).await
}

async fn work(mut session: Session, packet: Arc<[u8]>) -> io::Result<()> {
    while session.next().await.is_some() {
        send(session.load().connect().await?, &packet).await?;
        session.count();
    }
    Ok(())
}

/// Sends a packet to a server, and hears what becomes of it.
///
/// # Errors
/// The server is gone, or does not take the message.
pub async fn send(stream: Box<dyn Stream>, packet: &[u8]) -> io::Result<()> {
    let mut conn = Conn::new(stream, PATIENCE);
    conn.queue(packet);
    conn.flush().await.map_err(|error| lost(&error, "sending message"))?;
    let answer = answer(&mut conn).await?;
    let (kind, text) = answer.split_first().unwrap_or((&b'?', &[]));
    let trouble = match kind {
        b'K' => return Ok(()),
        b'Z' => "recoverable",
        b'D' => "unrecoverable",
        _ => "unknown",
    };
    Err(io::Error::other(format!("{trouble} error: {}", smtp_proto::printable(text))))
}

async fn answer(conn: &mut Conn<Box<dyn Stream>>) -> io::Result<Vec<u8>> {
    const WHEN: &str = "receiving server reply";
    let mut answer = Netstring::new(MOST_REPLY);
    loop {
        conn.fill().await.map_err(|error| lost(&error, WHEN))?;
        if answer.push(conn.buffered()).map_err(|fault| failed(&fault, WHEN))?.is_some() {
            return Ok(answer.into_item());
        }
        conn.consume(conn.buffered().len());
    }
}

fn lost(error: &conn::Error, when: &str) -> io::Error {
    match error {
        conn::Error::Timeout => failed(&"read/write timeout", when),
        conn::Error::Lost | conn::Error::Flood => failed(&"lost connection", when),
    }
}

fn failed(what: &dyn Display, when: &str) -> io::Error {
    io::Error::other(format!("{what} while {when}"))
}

/// What is sent for each message: all of them are alike.
fn packet(load: &Load, date: &Zoned) -> Vec<u8> {
    let mut parts = Vec::new();
    netstring::append(&content(load, date), &mut parts);
    netstring::append(load.from.as_bytes(), &mut parts);
    for number in 0..load.recipients {
        let number = if load.recipients > 1 { number.to_string() } else { String::new() };
        netstring::append(format!("{number}{}", load.to).as_bytes(), &mut parts);
    }
    let mut packet = Vec::new();
    netstring::append(&parts, &mut packet);
    packet
}

/// A message that is exactly as long as it should be: its headers, then lines that grow to their full width.
fn content(load: &Load, date: &Zoned) -> Vec<u8> {
    let length = load.length.unwrap_or(LENGTH);
    let mut content = load.headers(date).into_bytes();
    content.push(b'\n');
    let mut width = 0;
    while content.len() < length {
        width = WIDTH.min(width + 1);
        content.extend(std::iter::repeat_n(b'X', width));
        content.push(b'\n');
    }
    content.truncate(length);
    if let Some(last) = content.last_mut() {
        *last = b'\n';
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn load(line: &str) -> Load {
        options(format!("-M me.test {line} host").split(' ').map(Into::into)).unwrap()
    }

    fn date() -> Zoned {
        Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)
    }

    #[test]
    fn a_message_has_its_length() {
        for length in [1, 10, 130, 131, 1024, 100_000] {
            let content = content(&load(&format!("-l {length}")), &date());
            assert_eq!((content.len(), content.last()), (length, Some(&b'\n')), "{length}");
            assert!(content.split(|byte| *byte == b'\n').all(|line| line.len() <= WIDTH), "{length}");
        }
        let content = String::from_utf8(content(&load("-f a@x"), &date())).unwrap();
        assert!(content.starts_with("From: <a@x>\n") && content.contains("\n\nX\nXX\n"), "{content}");
    }

    #[test]
    fn several_recipients_have_numbers() {
        let packet = |line| String::from_utf8(packet(&load(line), &date())).unwrap();
        let many = packet("-f a@x -t b@y -r 3 -l 10");
        assert!(many.starts_with("41:10:From: <a@\n,3:a@x,4:0b@y,") && many.ends_with("1b@y,4:2b@y,,"), "{many}");
        assert!(packet("-f  -l 10").ends_with("\n,0:,11:foo@me.test,,"));
    }

    async fn said(reply: &str) -> String {
        let (mut near, far) = tokio::io::duplex(1024);
        near.write_all(reply.as_bytes()).await.unwrap();
        near.shutdown().await.unwrap();
        let said = send(Box::new(far), b"1:x,").await;
        let mut sent = String::new();
        near.read_to_string(&mut sent).await.unwrap();
        assert_eq!(sent, "1:x,");
        said.err().map_or_else(String::new, |error| error.to_string())
    }

    #[tokio::test]
    async fn what_the_server_answers_is_told() {
        for (reply, expected) in [
            ("3:KOk,", ""),
            ("6:Zlater,", "recoverable error: later"),
            ("6:Dnever,", "unrecoverable error: never"),
            ("3:X\x07y,", "unknown error: ?y"),
            ("0:,", "unknown error: "),
            ("3:KOk", "lost connection while receiving server reply"),
            ("", "lost connection while receiving server reply"),
            ("hello", "netstring format error while receiving server reply"),
            ("9999:K", "netstring length exceeds storage limit while receiving server reply"),
        ] {
            assert_eq!(said(reply).await, expected, "{reply}");
        }
    }
}

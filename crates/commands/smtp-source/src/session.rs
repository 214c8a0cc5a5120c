//! One session: the commands of a message, one after the other.

use std::io;
use std::time::Duration;

use smtp_proto::conn::{Conn, Pace};
use smtp_proto::dot::Encoder;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::options::{Mail, Manner, Surprise};

const PATIENCE: Pace = Pace::Each(Duration::from_secs(300));
const MOST_REPLY: usize = 64 * 1024;

/// A server may be read from and written to.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection to the server.
pub struct Session {
    conn: Conn<Box<dyn Stream>>,
    manner: Manner,
}

impl Session {
    /// Waits for the greeting and says hello.
    ///
    /// # Errors
    /// The server is gone, or says what it should not.
    pub async fn open(stream: Box<dyn Stream>, manner: Manner, mail: &Mail) -> io::Result<Self> {
        let mut session = Self { conn: Conn::new(stream, PATIENCE), manner };
        session.expect(2, "greeting", 1).await?;
        if let Some(hello) = manner.hello {
            session.say(&format!("{hello} {}", mail.myhostname), 2).await?;
        }
        Ok(session)
    }

    /// Sends one message; `first` is the number of its first recipient.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub async fn send(&mut self, mail: &Mail, content: &[u8], recipients: usize, first: usize) -> io::Result<()> {
        self.say(&format!("MAIL FROM:<{}>", mail.from), 2).await?;
        for place in 1..=recipients {
            let to = self.manner.numbering.of(place, recipients, first);
            self.say(&format!("RCPT TO:<{to}{}>", mail.to), 2).await?;
        }
        self.say("DATA", 3).await?;
        self.conn.queue(content);
        let replies = if self.manner.hello == Some("LHLO") { recipients } else { 1 };
        self.expect(2, "end of data", replies).await
    }

    /// Says goodbye; a server that is gone already has all the mail.
    pub async fn quit(mut self) {
        drop(self.say("QUIT", 2).await);
    }

    async fn say(&mut self, line: &str, class: u16) -> io::Result<()> {
        self.conn.command(line.as_bytes());
        self.expect(class, line, 1).await
    }

    async fn expect(&mut self, class: u16, what: &str, replies: usize) -> io::Result<()> {
        for _ in 0..replies {
            let answer = self.conn.read_answer(MOST_REPLY).await;
            let answer = answer.map_err(|error| io::Error::other(format!("{what}: {error}")))?;
            if answer.class() != class && self.manner.surprise == Surprise::Fatal {
                return Err(io::Error::other(format!("bad reply to {what}: {}", answer.logged())));
            }
        }
        Ok(())
    }
}

/// The content that every message has, in wire form with its final dot.
///
/// # Errors
/// The file cannot be read.
pub fn content(mail: &Mail, manner: Manner) -> io::Result<Vec<u8>> {
    let (mut text, mut out) = (Vec::new(), Vec::new());
    match &mail.file {
        Some(path) => text = std::fs::read(path)?,
        None => {
            if manner.hello.is_some() {
                text.extend(format!("From: <{}>\nTo: <{}>\n", mail.from, mail.to).bytes());
                text.extend(format!("Message-Id: <{:x}@{}>\n", std::process::id(), mail.myhostname).bytes());
                if let Some(subject) = &mail.subject {
                    text.extend(format!("Subject: {subject}\n").bytes());
                }
                text.push(b'\n');
            }
            text.extend(body(mail.length));
        }
    }
    let mut encoder = Encoder::new();
    encoder.push(&text, &mut out);
    encoder.finish(&mut out);
    Ok(out)
}

/// As many bytes as asked for, line ends (two bytes on the wire) included, in lines of 78 letters.
fn body(length: usize) -> Vec<u8> {
    const LINE: usize = 80;
    let mut body = Vec::with_capacity(length);
    let mut left = length;
    while left > 0 {
        let now = left.min(LINE);
        body.extend(std::iter::repeat_n(b'X', now.saturating_sub(2)));
        body.push(b'\n');
        left -= now;
    }
    if length == 0 {
        body.extend_from_slice(b"La de da de da 1.\nLa de da de da 2.\n");
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_its_length_on_the_wire() {
        for length in [2, 79, 80, 81, 82, 4096] {
            let mut out = Vec::new();
            smtp_proto::dot::crlf(&body(length), &mut out);
            assert!(out.len().abs_diff(length) <= 1, "{length}: {}", out.len());
        }
    }
}

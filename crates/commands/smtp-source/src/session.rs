//! One session: the commands of a message, one after the other.

use std::io;
use std::time::Duration;

use jiff::Zoned;
use smtp_proto::conn::{Conn, Pace};
use smtp_proto::dot::Encoder;
use trial::load::Load;
use trial::place::Stream;
use trial::program;

use crate::options::{Manner, Special, Surprise};

const PATIENCE: Pace = Pace::Each(Duration::from_secs(300));
const MOST_REPLY: usize = 64 * 1024;

/// A connection to the server.
pub struct Session {
    conn: Conn<Box<dyn Stream>>,
    manner: Manner,
}

/// What a server thinks of what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opinion {
    Accepted,
    /// Which ends it all, unless `-A`.
    Rejected,
}

impl Session {
    /// Waits for the greeting and says hello.
    ///
    /// # Errors
    /// The server is gone, or rejects it.
    pub async fn open(stream: Box<dyn Stream>, manner: Manner, myhostname: &str) -> io::Result<Self> {
        let mut session = Self { conn: Conn::new(stream, PATIENCE), manner };
        session.hear(2, "rejected at server banner").await?;
        if let Some(hello) = manner.hello {
            session.say(&format!("{hello} {myhostname}"), 2, &format!("{hello} rejected")).await?;
        }
        Ok(session)
    }

    /// Sends the message of a number; one that is rejected on its way is taken back.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub async fn send(&mut self, load: &Load, content: &[u8], number: usize) -> io::Result<()> {
        let accepted = self.envelope(load, number).await?;
        if accepted == 0 || self.say("DATA", 3, "data rejected").await? == Opinion::Rejected {
            self.say("RSET", 2, "rset rejected").await?;
            return Ok(());
        }
        self.conn.queue(content);
        let replies = if self.manner.hello == Some("LHLO") { accepted } else { 1 };
        for _ in 0..replies {
            self.hear(2, "end of data rejected").await?;
        }
        Ok(())
    }

    /// Sender and recipients; how many of these are accepted.
    async fn envelope(&mut self, load: &Load, number: usize) -> io::Result<usize> {
        let first = number.saturating_mul(load.recipients);
        let mut accepted = 0;
        if self.say(&format!("MAIL FROM:<{}>", load.from), 2, "sender rejected").await? == Opinion::Rejected {
            return Ok(accepted);
        }
        for place in 1..=load.recipients {
            let to = self.manner.numbering.of(place, load.recipients, first);
            let opinion = self.say(&format!("RCPT TO:<{to}{}>", load.to), 2, "recipient rejected").await?;
            accepted += usize::from(opinion == Opinion::Accepted);
        }
        Ok(accepted)
    }

    /// Says goodbye; a server that is gone already has all the mail.
    pub async fn quit(mut self) {
        self.conn.command(b"QUIT");
        drop(self.conn.read_answer(MOST_REPLY).await);
    }

    async fn say(&mut self, line: &str, class: u16, rejected: &str) -> io::Result<Opinion> {
        self.conn.command(line.as_bytes());
        self.hear(class, rejected).await
    }

    async fn hear(&mut self, class: u16, rejected: &str) -> io::Result<Opinion> {
        let answer = self.conn.read_answer(MOST_REPLY).await.map_err(io::Error::other)?;
        if answer.class() == class {
            return Ok(Opinion::Accepted);
        }
        let problem = format!("{rejected}: {}", answer.logged());
        match self.manner.surprise {
            Surprise::Fatal => Err(io::Error::other(problem)),
            Surprise::Ignored => {
                program::say("smtp-source", &format_args!("warning: {problem}"));
                Ok(Opinion::Rejected)
            }
        }
    }
}

/// The content that every message has, in wire form with its final dot.
///
/// # Errors
/// The file cannot be read.
pub fn content(load: &Load, special: &Special, date: &Zoned) -> io::Result<Vec<u8>> {
    let (mut text, mut out) = (Vec::new(), Vec::new());
    match &special.file {
        Some(path) => text = std::fs::read(path)?,
        None => {
            if special.manner.hello.is_some() {
                text.extend(load.headers(date).bytes());
                if let Some(subject) = &special.subject {
                    text.extend(format!("Subject: {subject}\n").bytes());
                }
                text.push(b'\n');
            }
            text.extend(body(load.length));
        }
    }
    let mut encoder = Encoder::new();
    encoder.push(&text, &mut out);
    encoder.finish(&mut out);
    Ok(out)
}

/// As many bytes as asked for, without the end of the last line: others have a digit, and 80 bytes on the wire with their end.
fn body(length: Option<usize>) -> Vec<u8> {
    const LINE: usize = 80;
    let Some(length) = length else {
        return (1..=4).flat_map(|line| format!("La de da de da {line}.\n").into_bytes()).collect();
    };
    let numbered = length.saturating_sub(1) / LINE;
    let mut body = Vec::with_capacity(length);
    for number in 1..=numbered {
        body.extend(format!("{:X<1$}\n", number % 10, LINE - 2).bytes());
    }
    body.extend(std::iter::repeat_n(b'X', length - numbered * LINE));
    body.push(b'\n');
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// The verbs that a server hears that says this, and how it ends.
    async fn heard(line: &str, replies: &str) -> (String, Result<(), String>) {
        let Options { load, special } = Options::parse(line.split(' ').map(Into::into)).unwrap();
        // There is room for one reply, so that each is waited for.
        let (near, far) = tokio::io::duplex("220 x\r\n".len());
        let (mut hears, mut says) = tokio::io::split(near);
        let replies = replies.replace(' ', " x\r\n");
        let server = tokio::spawn(async move {
            says.write_all(replies.as_bytes()).await?;
            says.shutdown().await
        });
        let listener = tokio::spawn(async move {
            let mut said = String::new();
            hears.read_to_string(&mut said).await.map(|_| said)
        });
        let talk = async {
            let mut session = Session::open(Box::new(far), special.manner, "me.test").await?;
            session.send(&load, b"X\r\n.\r\n", 0).await?;
            session.quit().await;
            Ok(())
        };
        let end = talk.await.map_err(|error: io::Error| error.to_string());
        drop(server.await);
        let said = listener.await.unwrap().unwrap();
        let verbs: Vec<_> = said.lines().filter_map(|line| line.split(' ').next()).collect();
        (verbs.join(" "), end)
    }

    #[tokio::test]
    async fn what_is_rejected_is_told() {
        for (replies, expected) in [
            ("451 ", "rejected at server banner"),
            ("220 451 ", "HELO rejected"),
            ("220 250 451 ", "sender rejected"),
            ("220 250 250 451 ", "recipient rejected"),
            ("220 250 250 250 451 ", "data rejected"),
            ("220 250 250 250 354 451 ", "end of data rejected"),
        ] {
            assert_eq!(heard("host", replies).await.1, Err(format!("{expected}: 451 x")), "{replies}");
        }
        assert_eq!(heard("host", "220 250 250 250 354 ").await.1, Err("lost connection".to_owned()));
    }

    #[tokio::test]
    async fn a_message_that_is_rejected_is_taken_back_where_that_is_no_error() {
        for (replies, expected) in [
            ("451 451 250 250 354 250 221 ", "HELO MAIL RCPT DATA X . QUIT"),
            ("220 250 451 250 221 ", "HELO MAIL RSET QUIT"),
            ("220 250 250 451 250 221 ", "HELO MAIL RCPT RSET QUIT"),
            ("220 250 250 250 451 250 221 ", "HELO MAIL RCPT DATA RSET QUIT"),
            ("220 250 250 250 354 451 221 ", "HELO MAIL RCPT DATA X . QUIT"),
        ] {
            assert_eq!(heard("-A host", replies).await, (expected.to_owned(), Ok(())), "{replies}");
        }
        let (verbs, end) = heard("-A -L -r 2 host", "220 250 250 451 250 354 250 221 ").await;
        assert_eq!((verbs.as_str(), end), ("LHLO MAIL RCPT RCPT DATA X . QUIT", Ok(())));
    }

    #[test]
    fn a_body_has_its_length_on_the_wire() {
        for length in [1, 2, 79, 80, 81, 82, 4096] {
            let mut out = Vec::new();
            smtp_proto::dot::crlf(&body(Some(length)), &mut out);
            assert_eq!(out.len(), length + 2, "{length}");
        }
        let body = String::from_utf8(body(Some(161))).unwrap();
        let line = |digit| format!("{digit}{}\n", "X".repeat(77));
        assert_eq!(body, line(1) + &line(2) + "X\n");
    }
}

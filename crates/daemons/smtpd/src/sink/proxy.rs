//! A before-queue filter: the session is repeated to it, and its replies are ours (`smtpd_proxy_filter`).

use std::time::Duration;

use config::endpoint::Endpoint;
use smtp_proto::attribute;
use smtp_proto::conn::{self, Pace};
use smtp_proto::dot::Encoder;
use smtp_proto::ehlo::{Keywords, Offer};
use smtp_proto::reply::Answer;
use smtp_proto::{Conn, Enhanced, Reply};
use tokio::net::UnixStream;
use tracing::warn;

use super::{Broken, Outcome, write_error};
use crate::Smtpd;
use crate::session::stream::Stream;

/// A session with the filter.
#[derive(Debug)]
pub(crate) struct Filter {
    name: String,
    conn: Conn<Stream>,
    encoder: Encoder,
    offer: Offer,
}

/// A reply of the filter is cut here.
const REPLY_LIMIT: usize = 4096;

impl Filter {
    /// Connects, greets, tells for whom (`forward` has XFORWARD attributes), and says MAIL; or else what the client is told.
    pub(crate) async fn open(server: &Smtpd, forward: &[(&str, String)], mail: &[u8]) -> Result<Filter, Reply> {
        let smtpd = &server.params.smtpd;
        let name = smtpd.smtpd_proxy_filter.clone();
        let timeout = smtpd.smtpd_proxy_timeout;
        let stream = match tokio::time::timeout(timeout, connect(server)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                warn!("connect to proxy filter {name}: {}", crate::system_text(&error));
                return Err(write_error());
            }
            Err(_) => {
                warn!("connect to proxy filter {name}: Connection timed out");
                return Err(write_error());
            }
        };
        let conn = Conn::new(stream, Pace::Each(timeout));
        let mut filter = Filter { name, conn, encoder: Encoder::new(), offer: Offer::default() };
        match filter.begin_message(&smtpd.smtpd_proxy_ehlo, forward, mail).await {
            Ok(()) => Ok(filter),
            Err(reply) => {
                Box::new(filter).abandon();
                Err(reply)
            }
        }
    }

    async fn begin_message(&mut self, ehlo: &str, forward: &[(&str, String)], mail: &[u8]) -> Result<(), Reply> {
        // What goes wrong before MAIL is no business of the client.
        self.greet(ehlo).await.map_err(|_| write_error())?;
        self.forward(forward).await.map_err(|_| write_error())?;
        self.ask(mail, 2).await
    }

    async fn greet(&mut self, ehlo: &str) -> Result<(), Reply> {
        let answer = self.answer().await;
        self.judge(b"connection request", 2, answer).map(drop)?;
        let answer = self.exchange(format!("EHLO {ehlo}").as_bytes(), 2).await?;
        self.offer = Offer::parse(answer.texts(), Keywords::NONE);
        Ok(())
    }

    async fn forward(&mut self, attributes: &[(&str, String)]) -> Result<(), Reply> {
        let mut line = b"XFORWARD".to_vec();
        for (name, value) in attributes {
            if self.offer.xforward.iter().any(|offered| offered == name) {
                attribute::print(name, value.as_bytes(), &mut line);
            }
        }
        if line.len() > "XFORWARD".len() { self.ask(&line, 2).await } else { Ok(()) }
    }

    /// RCPT; the filter's refusal, if it refuses.
    pub(crate) async fn recipient(&mut self, rcpt: &[u8]) -> Result<(), Reply> {
        self.ask(rcpt, 2).await
    }

    /// DATA; the filter's refusal, if it refuses.
    pub(crate) async fn data(&mut self) -> Result<(), Reply> {
        self.ask(b"DATA", 3).await
    }

    pub(crate) async fn content(&mut self, text: &[u8]) -> Result<(), Broken> {
        self.encoder.push(text, self.conn.output());
        self.conn.flush_large().await.map_err(|error| self.broken(&error))
    }

    pub(crate) async fn finish(mut self: Box<Self>) -> Outcome {
        std::mem::take(&mut self.encoder).finish(self.conn.output());
        match self.answer().await {
            Ok(answer) => {
                let reply = said(&answer);
                self.abandon();
                Outcome::Said(reply)
            }
            Err(Broken) => Outcome::Said(write_error()),
        }
    }

    /// Says good-bye, without waiting.
    pub(crate) fn abandon(mut self: Box<Self>) {
        tokio::spawn(async move {
            self.conn.set_pace(Pace::Each(Duration::from_secs(2)));
            self.conn.command(b"QUIT");
            let _ = self.conn.read_answer(REPLY_LIMIT).await;
        });
    }

    /// A command that needs an answer of this class; or else what the client is told.
    async fn ask(&mut self, line: &[u8], class: u16) -> Result<(), Reply> {
        self.exchange(line, class).await.map(drop)
    }

    async fn exchange(&mut self, line: &[u8], class: u16) -> Result<Answer, Reply> {
        self.conn.command(line);
        let answer = self.answer().await;
        self.judge(line, class, answer)
    }

    fn judge(&self, line: &[u8], class: u16, answer: Result<Answer, Broken>) -> Result<Answer, Reply> {
        match answer {
            Ok(answer) if answer.class() == class => Ok(answer),
            Ok(answer) => {
                warn!("proxy {} rejected \"{}\": \"{}\"", self.name, String::from_utf8_lossy(line), logged(&answer));
                Err(if answer.class() > 3 { said(&answer) } else { write_error() })
            }
            Err(Broken) => Err(write_error()),
        }
    }

    async fn answer(&mut self) -> Result<Answer, Broken> {
        self.conn.read_answer(REPLY_LIMIT).await.map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &conn::Error) -> Broken {
        match error {
            conn::Error::Timeout => warn!("timeout talking to proxy {}", self.name),
            conn::Error::Lost | conn::Error::Flood => warn!("lost connection with proxy {}", self.name),
        }
        Broken
    }
}

/// The filter's reply, to be repeated to the client, who can only be told that all is well or what is not.
fn said(answer: &Answer) -> Reply {
    if !matches!(answer.class(), 2 | 4 | 5) {
        return write_error();
    }
    let shared = answer
        .status
        .filter(|status| answer.texts().all(|text| Enhanced::split(text).is_some_and(|(found, _)| found == *status)));
    let rest = |text| Enhanced::split(text).filter(|_| shared.is_some()).map_or(text, |(_, rest)| rest);
    let text: Vec<&[u8]> = answer.texts().map(rest).collect();
    Reply::new(answer.code, shared, text.join(&b'\n'))
}

/// All lines on one; what ended them is shown as any control character is.
fn logged(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.text).replace('\n', "??")
}

async fn connect(server: &Smtpd) -> std::io::Result<Stream> {
    let refused = |problem: String| std::io::Error::new(std::io::ErrorKind::InvalidInput, problem);
    match &server.settings.proxy_filter {
        Some(Ok(Endpoint::Unix(path))) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
        Some(Ok(Endpoint::Inet { host, port })) => {
            Ok(Stream::Tcp(crate::access::policy::connect_to(host, *port, server).await?))
        }
        Some(Err(error)) => Err(refused(error.to_string())),
        None => Err(refused("no filter".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use smtp_proto::reply::Assembler;

    use super::*;

    #[test]
    fn replies_are_repeated_and_logged_as_they_came() {
        for (lines, wire, line) in [
            (&["550-5.7.1 a", "550 5.7.1 b"][..], "550-5.7.1 a\r\n550 5.7.1 b\r\n", "550-5.7.1 a??550 5.7.1 b"),
            (&["550-5.7.1 a", "550 b"], "550-5.7.1 a\r\n550 b\r\n", "550-5.7.1 a??550 b"),
            (&["250-a", "250 2.0.0 b"], "250-a\r\n250 2.0.0 b\r\n", "250-a??250 2.0.0 b"),
            (&["451 4.3.0 a"], "451 4.3.0 a\r\n", "451 4.3.0 a"),
            (&["354 a"], "451 4.3.0 Error: queue file write error\r\n", "451 4.3.0 Error: queue file write error"),
        ] {
            let mut assembler = Assembler::new(REPLY_LIMIT);
            let answer = lines.iter().find_map(|line| assembler.add(line.as_bytes())).unwrap();
            let (reply, mut output) = (said(&answer), Vec::new());
            reply.print(&mut output);
            assert_eq!(String::from_utf8(output).unwrap(), wire);
            assert_eq!(reply.logged_whole(), line);
            assert!(lines.len() < 2 || logged(&answer) == line);
        }
    }
}

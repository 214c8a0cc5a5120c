//! A before-queue filter: the session is repeated to it, and its replies are ours (`smtpd_proxy_filter`).

use std::time::Duration;

use smtp_proto::attribute;
use smtp_proto::conn::{self, Pace};
use smtp_proto::dot::Encoder;
use smtp_proto::ehlo::{Keywords, Offer};
use smtp_proto::reply::Answer;
use smtp_proto::{Conn, Reply};
use tokio::net::{TcpStream, UnixStream};
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
    /// A reply that ends the matter early.
    refused: Option<Reply>,
}

/// A reply of the filter is cut here.
const REPLY_LIMIT: usize = 4096;

impl Filter {
    /// Connects, greets, tells for whom (`forward` has XFORWARD attributes), and says MAIL.
    pub(crate) async fn open(server: &Smtpd, forward: &[(&str, String)], mail: &[u8]) -> Result<Filter, Broken> {
        let smtpd = &server.params.smtpd;
        let name = smtpd.smtpd_proxy_filter.clone();
        let timeout = smtpd.smtpd_proxy_timeout;
        let stream = match tokio::time::timeout(timeout, connect(server, &name)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                warn!("connect to proxy filter {name}: {}", crate::system_text(&error));
                return Err(Broken);
            }
            Err(_) => {
                warn!("connect to proxy filter {name}: Connection timed out");
                return Err(Broken);
            }
        };
        let conn = Conn::new(stream, Pace::Each(timeout));
        let mut filter = Filter { name, conn, encoder: Encoder::new(), offer: Offer::default(), refused: None };
        filter.greet(&smtpd.smtpd_proxy_ehlo).await?;
        filter.forward(forward).await?;
        let answer = filter.command(mail).await?;
        if answer.class() != 2 {
            warn!("proxy {} rejected \"{}\": \"{}\"", filter.name, String::from_utf8_lossy(mail), answer.logged());
            filter.refused = Some(said(&answer));
        }
        Ok(filter)
    }

    async fn greet(&mut self, ehlo: &str) -> Result<(), Broken> {
        let answer = self.answer().await?;
        if answer.code != 220 {
            warn!("proxy {} rejected connection: \"{}\"", self.name, answer.logged());
            return Err(Broken);
        }
        let answer = self.command(format!("EHLO {ehlo}").as_bytes()).await?;
        if answer.class() == 2 {
            self.offer = Offer::parse(answer.texts(), Keywords::NONE);
            return Ok(());
        }
        let answer = self.command(format!("HELO {ehlo}").as_bytes()).await?;
        if answer.class() == 2 { Ok(()) } else { Err(Broken) }
    }

    async fn forward(&mut self, attributes: &[(&str, String)]) -> Result<(), Broken> {
        let mut line = b"XFORWARD".to_vec();
        for (name, value) in attributes {
            if self.offer.xforward.iter().any(|offered| offered == name) {
                attribute::print(name, value.as_bytes(), &mut line);
            }
        }
        if line.len() > "XFORWARD".len() {
            let answer = self.command(&line).await?;
            if answer.class() != 2 {
                warn!("proxy {} rejected \"XFORWARD\": \"{}\"", self.name, answer.logged());
                return Err(Broken);
            }
        }
        Ok(())
    }

    /// RCPT; the filter's refusal, if it refuses.
    pub(crate) async fn recipient(&mut self, rcpt: &[u8]) -> Result<(), Reply> {
        if let Some(reply) = self.refused.clone() {
            return Err(reply);
        }
        match self.command(rcpt).await {
            Ok(answer) if answer.class() == 2 => Ok(()),
            Ok(answer) => Err(said(&answer)),
            Err(Broken) => Err(write_error()),
        }
    }

    /// DATA.
    pub(crate) async fn begin(&mut self) -> Result<(), Broken> {
        let answer = self.command(b"DATA").await?;
        if answer.class() == 3 {
            return Ok(());
        }
        warn!("proxy {} rejected \"DATA\": \"{}\"", self.name, answer.logged());
        self.refused = Some(said(&answer));
        Err(Broken)
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
            Err(Broken) => Outcome::Refused(write_error(), None),
        }
    }

    /// The reply of the filter that ended the matter early, if there is one.
    pub(crate) fn trouble(&self) -> Reply {
        self.refused.clone().unwrap_or_else(write_error)
    }

    /// Says good-bye, without waiting.
    pub(crate) fn abandon(mut self: Box<Self>) {
        tokio::spawn(async move {
            self.conn.set_pace(Pace::Each(Duration::from_secs(2)));
            self.conn.command(b"QUIT");
            let _ = self.conn.read_answer(REPLY_LIMIT).await;
        });
    }

    async fn command(&mut self, line: &[u8]) -> Result<Answer, Broken> {
        self.conn.command(line);
        self.answer().await
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

/// The filter's reply, to be repeated to the client.
fn said(answer: &Answer) -> Reply {
    let text: Vec<&[u8]> = answer
        .texts()
        .map(|text| {
            smtp_proto::Enhanced::split(text).filter(|_| answer.status.is_some()).map_or(text, |(_, rest)| rest)
        })
        .collect();
    Reply::new(answer.code, answer.status, text.join(&b'\n'))
}

async fn connect(server: &Smtpd, name: &str) -> std::io::Result<Stream> {
    if let Some(path) = name.strip_prefix("unix:") {
        return Ok(Stream::Unix(UnixStream::connect(path).await?));
    }
    let place = name.strip_prefix("inet:").unwrap_or(name);
    let (host, port) = place.rsplit_once(':').unwrap_or(("127.0.0.1", place));
    let host = if host.is_empty() { "127.0.0.1" } else { host.trim_matches(['[', ']']) };
    let port: u16 =
        port.parse().map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidInput, "bad port number"))?;
    let stream: TcpStream = crate::access::policy::connect_to(host, port, server).await?;
    Ok(Stream::Tcp(stream))
}

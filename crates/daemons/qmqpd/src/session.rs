//! One session: who the client is, its message, and the one answer.

use std::fmt::Display;

use netstring::Fault;
use service::Stream;
use smtp_proto::Conn;
use smtp_proto::conn::{self, Pace};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{info, warn};

use crate::delivery::{Answer, Delivery, write_error};
use crate::packet::{Limits, Packet, Part, Progress};
use crate::peer::Peer;
use crate::{Qmqpd, verp};

/// A stream, whatever carries it.
trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Carrier for T {}

/// A session.
struct Session<'s> {
    service: &'s Qmqpd,
    conn: Conn<Box<dyn Carrier>>,
    peer: Peer,
}

/// Why a message did not come.
enum Stop {
    /// The client is gone, or silent: it is not answered.
    Lost(conn::Error),
    /// It does not speak QMQP.
    Fault(Fault),
    /// cleanup does not take the message.
    Cleanup(ipc::Error),
}

/// Serves a client to the end.
pub(crate) async fn serve(service: &Qmqpd, stream: Stream) {
    let peer = Peer::of(&stream, service).await;
    info!("connect from {}", peer.namaddr);
    let stream: Box<dyn Carrier> = match stream {
        Stream::Tcp(stream) => Box::new(stream),
        Stream::Unix(stream) => Box::new(stream),
    };
    let conn = Conn::new(stream, Pace::Each(service.params.qmqpd.qmqpd_timeout));
    let mut session = Session { service, conn, peer };
    session.converse().await;
    info!("disconnect from {}", session.peer.namaddr);
}

impl Session<'_> {
    async fn converse(&mut self) {
        let namaddr = self.peer.namaddr.clone();
        if self.peer.ip.is_none() {
            info!("NOQUEUE: {namaddr}: lost connection while initializing client connection");
            return;
        }
        let (name, address) = (self.peer.name.as_bytes(), self.peer.address());
        match self.service.opened.authorized.matches_client(name, &address).await {
            Ok(true) => self.take_message().await,
            Ok(false) => {
                self.answer(Answer::Never(format!("Error: {namaddr} is not authorized to use this service"))).await;
            }
            Err(_) => self.answer(Answer::Retry("Error: server configuration error".to_owned())).await,
        }
    }

    async fn take_message(&mut self) {
        let Some(mut delivery) = Delivery::open(self.service).await else {
            return self.answer(write_error()).await;
        };
        let (id, namaddr) = (delivery.id.clone(), self.peer.namaddr.clone());
        info!("{id}: client={namaddr}");
        let mut packet = Packet::new(Limits {
            content: self.service.params.queue.message_size_limit,
            address: u64::try_from(self.service.params.ipc.line_length_limit).unwrap_or(0),
        });
        match (self.receive(&mut packet, &mut delivery).await, self.unfit(&packet)) {
            (Ok(()), None) => {
                let answer = delivery.finish(&self.peer, &packet.content).await;
                return self.complain(&id, answer).await;
            }
            (Ok(()), Some(text)) => self.complain(&id, Answer::Never(text)).await,
            (Err(stop), _) => {
                if let Some(answer) = self.tell(&id, stop, packet.part()) {
                    self.answer(answer).await;
                }
            }
        }
        delivery.abandon().await;
    }

    /// Answers for a message that has come; what is wrong with it is logged.
    async fn complain(&mut self, id: &str, answer: Answer) {
        match &answer {
            Answer::Ok(_) => {}
            Answer::Retry(text) | Answer::Never(text) => warn!("{id}: {}: {text}", self.peer.namaddr),
        }
        self.answer(answer).await;
    }

    /// Reads a packet to its end. Recipients are handed on as they come.
    async fn receive(&mut self, packet: &mut Packet, delivery: &mut Delivery<'_>) -> Result<(), Stop> {
        let mut begun = false;
        loop {
            self.conn.fill().await.map_err(Stop::Lost)?;
            let here = self.conn.buffered();
            let (progress, length) = (packet.push(here), here.len());
            self.conn.consume(length);
            let progress = progress.map_err(Stop::Fault)?;
            if packet.part() == Part::Recipient {
                if !std::mem::replace(&mut begun, true) {
                    delivery.begin(&self.peer, packet).map_err(Stop::Cleanup)?;
                }
                delivery.add(&mut packet.recipients).await.map_err(Stop::Cleanup)?;
            }
            if progress == Progress::Complete {
                return Ok(());
            }
        }
    }

    /// Why a message that has come is none to be sent.
    fn unfit(&self, packet: &Packet) -> Option<String> {
        let (_, delimiters) = verp::split(&packet.sender)?;
        let filter = &self.service.params.verp.verp_delimiter_filter;
        if delimiters.iter().all(|delimiter| filter.as_bytes().contains(delimiter)) {
            return None;
        }
        let shown = smtp_proto::printable(&delimiters).into_owned();
        Some(format!("Error: Invalid VERP delimiters: \"{shown}\". Need two characters from \"{filter}\""))
    }

    /// Logs why there is no message; the answer to that, if there is one.
    fn tell(&self, id: &str, stop: Stop, part: Part) -> Option<Answer> {
        let log = |what: &dyn Display| info!("{id}: {}: {what} while {part}", self.peer.namaddr);
        match stop {
            Stop::Lost(conn::Error::Timeout) => log(&"read/write timeout"),
            Stop::Lost(conn::Error::Lost | conn::Error::Flood) => log(&"lost connection"),
            Stop::Fault(fault) => {
                log(&fault);
                return Some(Answer::Never(format!("{fault} while {part}")));
            }
            Stop::Cleanup(error) => {
                warn!("problem talking to service cleanup: {error}");
                return Some(write_error());
            }
        }
        None
    }

    /// Answers; what is no good news comes late.
    async fn answer(&mut self, answer: Answer) {
        let soft = self.service.params.identity.soft_bounce;
        let text = match answer {
            Answer::Ok(text) => format!("K{text}"),
            Answer::Retry(text) => format!("Z{text}"),
            Answer::Never(text) if soft => format!("Z{text}"),
            Answer::Never(text) => format!("D{text}"),
        };
        if !text.starts_with('K') {
            tokio::time::sleep(self.service.params.qmqpd.qmqpd_error_delay).await;
        }
        let mut reply = Vec::new();
        netstring::append(text.as_bytes(), &mut reply);
        self.conn.queue(&reply);
        // A client that does not listen has lost its answer.
        let _ = self.conn.flush().await;
    }
}

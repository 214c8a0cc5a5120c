//! Mail of a program on standard input (`sendmail -bs`), which the submission socket takes, or else postdrop(1).
//!
//! The program's user has no access to cleanup, and nothing that it says of itself is believed: who takes it knows the user.

use std::path::Path;
use std::time::Duration;

use ipc::Channel;
use ipc::submit::{Reply as Answer, Request, SOCKET, Submit};
use queue_file::record::{self, Type};
use smtp_proto::parameter::Body;
use smtp_proto::{Enhanced, Reply};
use tracing::warn;

use super::postdrop::Postdrop;
use super::{Broken, Outcome, write_error};
use crate::access::Fault;
use crate::session::transaction::{Envelope, Sender};

/// What is collected before it is written.
const COLLECTED: usize = 64 * 1024;

/// How long the socket's service may take to say that it reads.
const PATIENCE: Duration = Duration::from_secs(5);

/// A message on its way to the maildrop queue.
#[derive(Debug)]
pub(crate) struct Post {
    way: Way,
    records: Vec<u8>,
    /// A line of content that has no end yet.
    rest: Vec<u8>,
    line_length_limit: usize,
}

/// Where a message goes.
#[derive(Debug)]
enum Way {
    Socket(Box<Channel<Request, Answer>>),
    Postdrop(Postdrop),
}

/// How messages are handed in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways<'p> {
    /// `ipc_timeout`.
    pub(crate) deadline: Duration,
    /// Where postdrop(1) is.
    pub(crate) command_directory: &'p str,
    pub(crate) line_length_limit: usize,
}

impl Ways<'_> {
    async fn open(&self) -> Result<Way, Broken> {
        match self.connect().await {
            Some(socket) => Ok(Way::Socket(Box::new(socket))),
            None => Ok(Way::Postdrop(Postdrop::start(self.command_directory)?)),
        }
    }

    /// The socket, if somebody serves it now.
    async fn connect(&self) -> Option<Channel<Request, Answer>> {
        let ready = async {
            let mut socket = Channel::connect::<Submit>(Path::new(SOCKET), self.deadline).await?;
            socket.send(&Request::Begin)?;
            let answer = socket.expect().await?;
            Ok::<_, ipc::Error>((socket, answer))
        };
        match tokio::time::timeout(PATIENCE.min(self.deadline), ready).await {
            Ok(Ok((socket, Answer::Ready))) => Some(socket),
            Ok(Ok((_, Answer::Busy | Answer::Denied | Answer::Queued(_) | Answer::Refused { .. })) | Err(_))
            | Err(_) => None,
        }
    }
}

impl Post {
    /// A message begins.
    pub(crate) async fn open(envelope: &Envelope, ways: Ways<'_>) -> Result<Self, Broken> {
        let records = envelope_records(&envelope.sender);
        Ok(Self { way: ways.open().await?, records, rest: Vec::new(), line_length_limit: ways.line_length_limit })
    }

    /// The queue id, where that is known before the message is there.
    pub(crate) fn queue_id(&self) -> Option<&str> {
        match &self.way {
            Way::Socket(_) => None,
            Way::Postdrop(postdrop) => Some(&postdrop.id),
        }
    }

    /// Adds a recipient. `original` is `type;address`.
    pub(crate) fn add_recipient(&mut self, address: &[u8], original: &[u8], notify: dsn::Notify) {
        if !notify.is_unset() {
            record::put_attribute(&mut self.records, "notify_flags", notify.bits().to_string().as_bytes());
        }
        record::put_attribute(&mut self.records, "dsn_orig_rcpt", original);
        record::put(&mut self.records, Type::Recipient, address);
    }

    /// Content follows.
    pub(crate) fn begin(&mut self) {
        record::put(&mut self.records, Type::Message, b"");
    }

    /// Text with LF line ends, cut anywhere.
    pub(crate) async fn content(&mut self, text: &[u8]) -> Result<(), Broken> {
        put_lines(&mut self.records, &mut self.rest, text, self.line_length_limit);
        self.send(COLLECTED).await
    }

    async fn send(&mut self, most: usize) -> Result<(), Broken> {
        if self.records.len() <= most {
            return Ok(());
        }
        let records = std::mem::take(&mut self.records);
        match &mut self.way {
            Way::Socket(socket) => {
                socket.send_raw(&records).map_err(|error| broken(&error))?;
                socket.flush().await.map_err(|error| broken(&error))
            }
            Way::Postdrop(postdrop) => postdrop.write(&records),
        }
    }

    /// The content is complete. The answer comes when the message is on disk.
    pub(crate) async fn finish(mut self: Box<Self>) -> Outcome {
        if self.send_end().await.is_err() {
            return Outcome::Refused(write_error(), Some(Fault::Resource));
        }
        match &mut self.way {
            Way::Socket(socket) => answered(socket).await,
            Way::Postdrop(postdrop) => postdrop.finish(),
        }
    }

    async fn send_end(&mut self) -> Result<(), Broken> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            record::put_line(&mut self.records, &rest, self.line_length_limit);
        }
        record::put(&mut self.records, Type::Extracted, b"");
        record::put(&mut self.records, Type::End, b"");
        self.send(0).await
    }
}

/// What pickup says of a message that it has.
async fn answered(socket: &mut Channel<Request, Answer>) -> Outcome {
    let answer = match socket.send(&Request::End) {
        Ok(()) => socket.expect().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(Answer::Queued(id)) => Outcome::Posted(id),
        Ok(Answer::Refused { reason, temporary }) => {
            warn!("submission refused: {reason}");
            let reply = if temporary {
                write_error()
            } else {
                Reply::fixed(554, Enhanced(5, 0, 0), "Error: message not accepted")
            };
            Outcome::Refused(reply, Some(Fault::Resource))
        }
        Ok(Answer::Denied) => {
            Outcome::Refused(Reply::fixed(550, Enhanced(5, 7, 1), "Error: not allowed to submit mail"), None)
        }
        Ok(Answer::Busy | Answer::Ready) => Outcome::Refused(write_error(), Some(Fault::Resource)),
        Err(error) => {
            let Broken = broken(&error);
            Outcome::Refused(write_error(), Some(Fault::Resource))
        }
    }
}

/// What MAIL has said.
fn envelope_records(sender: &Sender) -> Vec<u8> {
    let mut records = Vec::new();
    let encoding = sender.body.map(|body| if body == Body::SevenBit { "7bit" } else { "8bit" });
    for (name, value) in [
        ("encoding", encoding.map(|encoding| encoding.as_bytes().to_vec())),
        ("ret_flags", sender.ret.map(|ret| ret.bits().to_string().into_bytes())),
        ("envelope_id", sender.envelope_id.clone()),
        ("rewrite_context", Some(b"local".to_vec())),
    ] {
        if let Some(value) = value {
            record::put_attribute(&mut records, name, &value);
        }
    }
    record::put(&mut records, Type::Sender, &sender.address);
    if let Some(verp) = &sender.verp {
        record::put(&mut records, Type::Verp, verp.as_bytes());
    }
    records
}

/// Adds every complete line to the records, and keeps what follows the last.
fn put_lines(records: &mut Vec<u8>, rest: &mut Vec<u8>, text: &[u8], limit: usize) {
    for part in text.split_inclusive(|byte| *byte == b'\n') {
        match part.strip_suffix(b"\n") {
            Some(line) if rest.is_empty() => record::put_line(records, line, limit),
            Some(line) => {
                rest.extend_from_slice(line);
                record::put_line(records, rest, limit);
                rest.clear();
            }
            None => rest.extend_from_slice(part),
        }
    }
}

fn broken(error: &ipc::Error) -> Broken {
    warn!("problem talking to service pickup: {error}");
    Broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_records_however_the_text_is_cut() {
        let text = b"Subject: x\n\nbody\nlast";
        let mut whole = (Vec::new(), Vec::new());
        put_lines(&mut whole.0, &mut whole.1, text, 2048);
        assert_eq!(whole.1, b"last");
        let mut cut = (Vec::new(), Vec::new());
        for byte in text {
            put_lines(&mut cut.0, &mut cut.1, &[*byte], 2048);
        }
        assert_eq!(cut, whole);
    }
}

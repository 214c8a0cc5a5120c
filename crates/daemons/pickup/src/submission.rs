//! The submission socket: a program of any user hands in a message, and is answered when it is on disk.
//!
//! The file is ours, so that the user's id is noted in it; nothing that the user sends can pass for that note.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;

use ipc::frame::Frame;
use ipc::submit::{Reply, Request, Submit};
use ipc::{Channel, Error};
use queue_file::maildrop::{self, Refusal};
use queue_file::{Buffered, Committed, NewFile, QueueId, Time};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

use crate::spares::Spares;

/// Messages that are handed in at once; others are told to come by postdrop(1).
const AT_ONCE: usize = 200;

/// What is collected before it is written: most messages whole.
const COLLECTED: usize = 64 * 1024;

/// How much larger the envelope makes a file than its content.
const ENVELOPE_ALLOWANCE: u64 = 1024 * 1024;

/// Who may use the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Everyone.
    Everyone,
    /// Only root and the mail system: users are restricted, and postdrop(1) judges them, since names are not asked in here.
    System,
}

/// Takes messages.
#[derive(Debug)]
pub(crate) struct Desk {
    spares: Arc<Spares>,
    audience: Audience,
    /// The largest message, 0 for none.
    limit: u64,
    deadline: Duration,
    places: Semaphore,
}

impl Desk {
    pub(crate) fn new(spares: Arc<Spares>, audience: Audience, limit: u64, deadline: Duration) -> Self {
        Self { spares, audience, limit, deadline, places: Semaphore::new(AT_ONCE) }
    }

    /// Serves a connection, which brings one message; its id in the maildrop.
    pub(crate) async fn serve(&self, stream: UnixStream) -> Option<QueueId> {
        let served = match self.places.try_acquire() {
            Ok(_place) => self.converse(stream).await,
            Err(_) => self.turn_away(stream).await.map(|()| None),
        };
        match served {
            Ok(taken) => taken,
            // A program that gives up says why to its user.
            Err(Error::Closed | Error::Io(_)) => None,
            Err(error) => {
                warn!("submission: {error}");
                None
            }
        }
    }

    async fn turn_away(&self, stream: UnixStream) -> Result<(), Error> {
        let mut channel = Channel::accept::<Submit>(stream, self.deadline).await?;
        channel.send(&Reply::Busy)?;
        channel.flush().await
    }

    async fn converse(&self, stream: UnixStream) -> Result<Option<QueueId>, Error> {
        let uid = stream.peer_cred()?.uid();
        let mut channel = Channel::accept::<Submit>(stream, self.deadline).await?;
        match self.next(&mut channel).await? {
            Frame::Message(Request::Begin) => {}
            Frame::Message(Request::End) | Frame::Raw(_) => return Err(Error::Malformed("no beginning")),
        }
        let (reply, taken) = if self.admits(uid) {
            channel.send(&Reply::Ready)?;
            channel.flush().await?;
            match self.take(uid, &mut channel).await? {
                Ok(id) => (Reply::Queued(id.to_string()), Some(id)),
                Err(refusal) => {
                    let temporary = matches!(refusal, Refusal::Write(_));
                    (Reply::Refused { reason: refusal.to_string(), temporary }, None)
                }
            }
        } else {
            (Reply::Denied, None)
        };
        channel.send(&reply)?;
        // A message that is on disk is sent, whether its sender hears of it or not.
        match channel.flush().await {
            Err(error) if taken.is_none() => Err(error),
            _ => Ok(taken),
        }
    }

    fn admits(&self, uid: u32) -> bool {
        self.audience == Audience::Everyone || uid == 0 || uid == privsep::real_uid()
    }

    async fn next(&self, channel: &mut Channel<Reply, Request>) -> Result<Frame<Request>, Error> {
        let frame = timeout(self.deadline, channel.receive_frame()).await.map_err(|_| Error::Timeout)?;
        frame?.ok_or(Error::Closed)
    }

    /// Writes the message to a maildrop file; its id. A short one is checked before it is written, and written at once.
    async fn take(&self, uid: u32, channel: &mut Channel<Reply, Request>) -> Result<Result<QueueId, Refusal>, Error> {
        let limit = if self.limit == 0 { u64::MAX } else { self.limit.saturating_add(ENVELOPE_ALLOWANCE) };
        let mut draft = Draft::of(uid, Arc::clone(&self.spares));
        let mut size = 0_u64;
        loop {
            let bytes = match self.next(channel).await? {
                Frame::Raw(bytes) => bytes,
                Frame::Message(Request::End) => break,
                Frame::Message(Request::Begin) => return Err(Error::Malformed("a second beginning")),
            };
            size = size.saturating_add(bytes.len() as u64);
            if size > limit {
                return Ok(Err(Refusal::TooLarge));
            }
            draft.waiting.extend_from_slice(&bytes);
            if draft.waiting.len() > COLLECTED {
                let (back, written) = service::disk(move || {
                    let written = draft.write();
                    (draft, written)
                })
                .await;
                draft = back;
                if let Err(refusal) = written {
                    return Ok(Err(refusal));
                }
            }
        }
        Ok(match draft.file {
            None => service::sync(move || draft.finish()).await,
            Some(_) => service::disk(move || draft.finish()).await,
        })
    }
}

/// A message that comes in.
struct Draft {
    spares: Arc<Spares>,
    /// The file, once there is more than is collected.
    file: Option<NewFile>,
    /// What is not written yet.
    waiting: Vec<u8>,
    /// Where in the file the user's part begins.
    start: usize,
}

impl Draft {
    /// Begins with what is ours to say.
    fn of(uid: u32, spares: Arc<Spares>) -> Self {
        let mut waiting = Vec::with_capacity(8 * 1024);
        maildrop::put_origin(&mut waiting, Time::now(), Some(uid));
        Self { spares, file: None, start: waiting.len(), waiting }
    }

    fn write(&mut self) -> Result<(), Refusal> {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.spares.file().map_err(unwritten)?,
        };
        file.file().write_all(&self.waiting).map_err(Refusal::Write)?;
        self.waiting.clear();
        self.file = Some(file);
        Ok(())
    }

    /// Checks the whole, and makes it a message.
    fn finish(mut self) -> Result<QueueId, Refusal> {
        if self.file.is_none() {
            maildrop::inspect(&self.waiting[..], self.start as u64)?;
            self.write()?;
        } else {
            self.write()?;
            if let Some(file) = &self.file {
                maildrop::inspect(Buffered::large(file.file()), self.start as u64)?;
            }
        }
        let file = self.file.take().ok_or_else(|| Refusal::Write(ErrorKind::NotFound.into()))?;
        file.commit_readable().map(Committed::into_id).map_err(unwritten)
    }
}

fn unwritten(error: queue_file::Error) -> Refusal {
    Refusal::Write(std::io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::record::{Type, put};
    use queue_file::{Layout, QueueName, Spool};

    #[test]
    fn where_users_are_restricted_the_socket_is_closed_to_them() {
        for (audience, uid, admitted) in [
            (Audience::Everyone, 1000, true),
            (Audience::System, 0, true),
            (Audience::System, privsep::real_uid(), true),
            (Audience::System, privsep::real_uid() + 1, false),
        ] {
            let spares = Arc::new(Spares::new(Spool::new("", Layout::default())));
            let desk = Desk::new(spares, audience, 0, Duration::from_secs(1));
            assert_eq!(desk.admits(uid), admitted, "{audience:?} {uid}");
        }
    }

    #[test]
    fn only_whole_messages_become_files() {
        let directory = tempfile::tempdir().unwrap();
        let maildrop = directory.path().join("maildrop");
        std::fs::create_dir(&maildrop).unwrap();
        let spool = Spool::new(directory.path(), Layout::default());
        let mut message = Vec::new();
        for (kind, data) in [
            (Type::Sender, &b"me"[..]),
            (Type::Recipient, b"you"),
            (Type::Message, b""),
            (Type::Line, b"x"),
            (Type::Extracted, b""),
            (Type::End, b""),
        ] {
            put(&mut message, kind, data);
        }
        let mut note = Vec::new();
        put(&mut note, Type::Attribute, b"submission_uid=0");
        for (bytes, taken) in
            [(message.clone(), true), (message[..message.len() - 2].to_vec(), false), ([note, message].concat(), false)]
        {
            for half in [0, 5] {
                let mut draft = Draft::of(1000, Arc::new(Spares::new(spool.clone())));
                draft.waiting.extend_from_slice(&bytes[..half]);
                if half > 0 {
                    draft.write().unwrap();
                }
                draft.waiting.extend_from_slice(&bytes[half..]);
                let id = draft.finish();
                assert_eq!(id.is_ok(), taken);
                let left = std::fs::read_dir(&maildrop).unwrap().count();
                assert_eq!(left, usize::from(taken), "what is refused is gone");
                id.map(|id| spool.remove(QueueName::Maildrop, &id).unwrap()).ok();
            }
        }
    }
}

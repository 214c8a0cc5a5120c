//! The submission socket: a program of any user hands in a message, and is answered when it is on disk.
//!
//! The file is ours, so that the user's id is noted in it; nothing that the user sends can pass for that note.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipc::frame::Frame;
use ipc::submit::{Reply, Request, Submit};
use ipc::{Channel, Error};
use queue_file::maildrop::{self, Refusal};
use queue_file::{Buffered, NewFile, QueueName, Spool, Time};
use service::Client;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

/// Messages that are handed in at once; others are told to come by postdrop(1).
const AT_ONCE: usize = 200;

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
    spool: Spool,
    audience: Audience,
    /// The largest message, 0 for none.
    limit: u64,
    deadline: Duration,
    places: Semaphore,
}

impl Desk {
    pub(crate) fn new(spool: Spool, audience: Audience, limit: u64, deadline: Duration) -> Self {
        Self { spool, audience, limit, deadline, places: Semaphore::new(AT_ONCE) }
    }

    /// Serves a connection, which brings one message; whether one came.
    pub(crate) async fn serve(&self, client: Client) -> bool {
        let Ok(_place) = self.places.try_acquire() else { return false };
        let (stream, _slot) = match client.into_unix() {
            Ok(parts) => parts,
            Err(error) => {
                warn!("submission: {error}");
                return false;
            }
        };
        match self.converse(stream).await {
            Ok(taken) => taken,
            // A program that gives up says why to its user.
            Err(Error::Closed | Error::Io(_)) => false,
            Err(error) => {
                warn!("submission: {error}");
                false
            }
        }
    }

    async fn converse(&self, stream: tokio::net::UnixStream) -> Result<bool, Error> {
        let uid = stream.peer_cred()?.uid();
        let mut channel = Channel::accept::<Submit>(stream, self.deadline).await?;
        match self.next(&mut channel).await? {
            Frame::Message(Request::Begin) => {}
            Frame::Message(Request::End) | Frame::Raw(_) => return Err(Error::Malformed("no beginning")),
        }
        let reply = if self.admits(uid) {
            match self.take(uid, &mut channel).await? {
                Ok(id) => Reply::Queued(id),
                Err(refusal) => {
                    let temporary = matches!(refusal, Refusal::Write(_));
                    Reply::Refused { reason: refusal.to_string(), temporary }
                }
            }
        } else {
            Reply::Denied
        };
        let taken = matches!(reply, Reply::Queued(_));
        channel.send(&reply)?;
        channel.flush().await?;
        Ok(taken)
    }

    fn admits(&self, uid: u32) -> bool {
        self.audience == Audience::Everyone || uid == 0 || uid == privsep::real_uid()
    }

    async fn next(&self, channel: &mut Channel<Reply, Request>) -> Result<Frame<Request>, Error> {
        let frame = timeout(self.deadline, channel.receive_frame()).await.map_err(|_| Error::Timeout)?;
        frame?.ok_or(Error::Closed)
    }

    /// Writes the message to a maildrop file; its id.
    async fn take(&self, uid: u32, channel: &mut Channel<Reply, Request>) -> Result<Result<String, Refusal>, Error> {
        let spool = self.spool.clone();
        let created = service::disk(move || create(&spool, uid)).await;
        let (mut file, start) = match created {
            Ok(created) => created,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let limit = if self.limit == 0 { u64::MAX } else { self.limit.saturating_add(ENVELOPE_ALLOWANCE) };
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
            let (back, written) = service::disk(move || {
                let written = file.file().write_all(&bytes);
                (file, written)
            })
            .await;
            file = back;
            if let Err(error) = written {
                return Ok(Err(Refusal::Write(error)));
            }
        }
        Ok(service::disk(move || finish(file, start)).await)
    }
}

/// Makes a file, and writes what is ours to say; where the user's part begins.
fn create(spool: &Spool, uid: u32) -> Result<(NewFile, u64), Refusal> {
    let write = |error: queue_file::Error| Refusal::Write(std::io::Error::other(error));
    let file = spool.create(QueueName::Maildrop).map_err(write)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let mut head = Vec::with_capacity(64);
    maildrop::put_origin(&mut head, Time { seconds, microseconds: now.subsec_micros() }, Some(uid));
    file.file().write_all(&head).map_err(Refusal::Write)?;
    Ok((file, head.len() as u64))
}

/// Checks the whole, and makes it a message.
fn finish(file: NewFile, start: u64) -> Result<String, Refusal> {
    maildrop::inspect(Buffered::large(file.file()), start)?;
    match file.commit_readable() {
        Ok(committed) => Ok(committed.id().to_string()),
        Err(error) => Err(Refusal::Write(std::io::Error::other(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::Layout;
    use queue_file::record::{Type, put};

    #[test]
    fn where_users_are_restricted_the_socket_is_closed_to_them() {
        for (audience, uid, admitted) in [
            (Audience::Everyone, 1000, true),
            (Audience::System, 0, true),
            (Audience::System, privsep::real_uid(), true),
            (Audience::System, privsep::real_uid() + 1, false),
        ] {
            let desk = Desk::new(Spool::new("", Layout::default()), audience, 0, Duration::from_secs(1));
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
            let (file, start) = create(&spool, 1000).unwrap();
            file.file().write_all(&bytes).unwrap();
            assert_eq!(finish(file, start).is_ok(), taken);
            let left = std::fs::read_dir(&maildrop).unwrap().count();
            assert_eq!(left, 1, "what is refused is gone");
        }
    }
}

//! Hands one message to cleanup.

use address::LogForm;
use ipc::cleanup::{Cause, ENVELOPE, Handling, Line, Lines, Reply, Request, Verdict};
use ipc::post::{DATE, received};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use queue_file::QueueId;
use queue_file::record::{self, Type};
use tracing::{info, warn};

use crate::letter::Letter;

/// Content goes in pieces of this size.
const CHUNK: usize = 64 * 1024;

/// What is to be done with a maildrop file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The message is in the queue.
    Remove,
    /// It is tried again.
    Keep,
    /// It is no message.
    Corrupt,
}

/// Where and how messages are handed over.
#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) lines: Lines,
    pub(crate) handling: Handling,
    /// `content_filter`, empty if none.
    pub(crate) content_filter: String,
    pub(crate) myhostname: String,
    pub(crate) mail_name: String,
    pub(crate) time_zone: TimeZone,
    /// `info_log_address_format`.
    pub(crate) log_form: LogForm,
}

impl Counter {
    /// Hands a message over.
    pub(crate) async fn hand_over(&self, id: &QueueId, letter: &Letter) -> Fate {
        // The other end of a connection that was kept may have ended meanwhile.
        if let Some(line) = self.lines.kept()
            && let Ok(sent) = self.send(line, id, letter).await
        {
            return judge(id, &sent);
        }
        let sent = match self.lines.connect().await {
            Ok(Ok(line)) => self.send(line, id, letter).await,
            Ok(Err(reason)) => {
                Ok(Sent { queue_id: String::new(), verdict: Verdict::Refused { cause: Cause::Write, reason } })
            }
            Err(error) => Err(error),
        };
        match sent {
            Ok(sent) => judge(id, &sent),
            Err(error) => {
                warn!("{id}: cleanup service: {error}");
                Fate::Keep
            }
        }
    }

    async fn send(&self, line: Line, id: &QueueId, letter: &Letter) -> Result<Sent, ipc::Error> {
        let queue_id = line.queue_id.clone();
        let verdict = self.transmit(line, id, letter).await?;
        Ok(Sent { queue_id, verdict })
    }

    async fn transmit(&self, line: Line, id: &QueueId, letter: &Letter) -> Result<Verdict, ipc::Error> {
        let Line { mut channel, queue_id } = line;
        let is_requeued = letter.requeued;
        let original = if is_requeued { format!(" orig_id={id}") } else { String::new() };
        let from = self.log_form.shown(&letter.sender);
        info!("{queue_id}: uid={} from=<{from}>{original}", letter.uid);
        let handling = Handling {
            smtputf8: (letter.send_options & queue_file::SMTPUTF8_REQUESTED != 0).into(),
            requiretls: (letter.send_options & queue_file::TLS_REQUIRED != 0).into(),
            ..self.handling
        };
        channel.send(&Request::Begin(handling))?;
        let envelope = self.envelope(letter, is_requeued);
        for records in record::pieces(&envelope, ENVELOPE) {
            channel.send(&Request::Envelope(records.to_vec().into()))?;
        }
        channel.send_raw(&self.received(&queue_id, letter.uid))?;
        let mut content = letter.content();
        let (mut more, mut at_first) = (true, true);
        while more {
            let (back, chunk, rest) = service::file(move || {
                let mut chunk = Vec::with_capacity(CHUNK + 4096);
                let rest = content.append_to(&mut chunk, b"\n", CHUNK);
                (content, chunk, rest)
            })
            .await;
            content = back;
            more = match rest {
                Ok(rest) => rest,
                Err(error) => return Ok(unread(&error)),
            };
            // A first line that would continue our own header begins the body.
            if std::mem::take(&mut at_first) && matches!(chunk.first(), Some(b' ' | b'\t')) {
                channel.send_raw(b"\n")?;
            }
            channel.send_raw(&chunk)?;
            if more {
                channel.flush().await?;
            }
        }
        channel.send(&Request::End)?;
        match channel.answer().await? {
            Reply::Finished { verdict, next } => {
                self.lines.keep(channel, next);
                Ok(verdict)
            }
            Reply::Unavailable(reason) => Ok(Verdict::Refused { cause: Cause::Write, reason }),
            Reply::Ready(_) | Reply::Filter { .. } | Reply::Leaving => {
                Err(ipc::Error::Malformed("no answer to a message"))
            }
        }
    }

    fn envelope(&self, letter: &Letter, is_requeued: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(letter.envelope.len() + 128);
        if !self.content_filter.is_empty() {
            record::put(&mut out, Type::Filter, self.content_filter.as_bytes());
        }
        if !is_requeued {
            record::put_attribute(&mut out, "log_message_origin", b"local");
        }
        out.extend_from_slice(&letter.envelope);
        out
    }

    fn received(&self, queue_id: &str, uid: u32) -> Vec<u8> {
        let date = Timestamp::now().to_zoned(self.time_zone.clone()).strftime(DATE).to_string();
        let with = format!("{}, from userid {uid}", self.mail_name);
        received(&self.myhostname, &with, queue_id, &date).into_bytes()
    }
}

/// The verdict on a file that ends early: what is no message stays none, what the disk does not give now it may give later.
fn unread(error: &queue_file::Error) -> Verdict {
    let cause = if error.is_malformed() { Cause::Malformed } else { Cause::Write };
    Verdict::Refused { cause, reason: error.to_string() }
}

/// What cleanup says of a message, under its new name.
struct Sent {
    queue_id: String,
    verdict: Verdict,
}

fn judge(id: &QueueId, sent: &Sent) -> Fate {
    match &sent.verdict {
        Verdict::Queued | Verdict::Discarded => Fate::Remove,
        Verdict::Refused { cause, reason } => {
            // Why it has to wait cleanup has logged.
            if *cause != Cause::Defer {
                warn!("maildrop/{id}: error writing {}: {}", sent.queue_id, cause.told(reason));
            }
            match cause {
                Cause::Malformed => Fate::Corrupt,
                // Queued again when it had been delivered to all.
                Cause::NoRecipients => Fate::Remove,
                Cause::Write | Cause::Size | Cause::Hops | Cause::Content | Cause::Defer | Cause::Shutdown => {
                    Fate::Keep
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_does_not_give_is_tried_again() {
        let broken = std::io::Error::from_raw_os_error(5);
        let damaged = queue_file::Error::Malformed { offset: 0, problem: queue_file::Problem::NoEnd };
        for (error, fate) in [(broken.into(), Fate::Keep), (damaged, Fate::Corrupt)] {
            let sent = Sent { queue_id: String::new(), verdict: unread(&error) };
            assert_eq!(judge(&QueueId::short(1, 2), &sent), fate, "{error}");
        }
    }

    #[test]
    fn only_what_is_in_the_queue_or_for_nobody_is_removed() {
        let id = QueueId::short(1, 2);
        let refused = |cause| Verdict::Refused { cause, reason: String::new() };
        for (verdict, fate) in [
            (Verdict::Queued, Fate::Remove),
            (Verdict::Discarded, Fate::Remove),
            (refused(Cause::NoRecipients), Fate::Remove),
            (refused(Cause::Write), Fate::Keep),
            (refused(Cause::Content), Fate::Keep),
            (refused(Cause::Malformed), Fate::Corrupt),
        ] {
            let sent = Sent { queue_id: String::new(), verdict };
            assert_eq!(judge(&id, &sent), fate, "{:?}", sent.verdict);
        }
    }
}

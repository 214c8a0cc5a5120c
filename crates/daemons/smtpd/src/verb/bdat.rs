//! BDAT: the content of a message in chunks of announced size (RFC 3030).

use smtp_proto::bdat::{Chunk, Place};
use smtp_proto::ehlo::Keyword;
use smtp_proto::{Enhanced, Reply, conn};
use tracing::warn;

use crate::access::{Fault, HANGUP};
use crate::session::content::Framing;
use crate::session::transaction::{Chunks, Envelope, Transaction};
use crate::session::{Next, Session};
use crate::text::printable;

impl Session {
    pub(super) async fn bdat(&mut self, arguments: &[u8]) -> Result<Next, conn::Error> {
        if self.hidden.has(Keyword::Chunking) {
            return Ok(Next::Error(Reply::fixed(521, Enhanced(5, 5, 1), "Error: command not implemented")));
        }
        let Some(chunk) = Chunk::parse(arguments) else {
            // Without a size there is no telling where the next command begins.
            warn!(
                "{}: malformed BDAT command syntax from {}: {:.100}",
                self.queue_id(),
                self.peer.namaddr,
                format!("BDAT {}", printable(arguments)).trim_end()
            );
            self.faults.push(Fault::Protocol);
            return Ok(Next::Hangup(Reply::fixed(521, Enhanced(5, 5, 4), "Syntax: BDAT count [LAST]")));
        };
        if chunk.size == 0 && chunk.place == Place::Middle {
            warn!("{}: null BDAT request from {}", self.queue_id(), self.peer.namaddr);
            return self.skip_chunk(chunk, Reply::fixed(551, Enhanced(5, 7, 1), "Null BDAT request")).await;
        }
        match std::mem::take(&mut self.transaction) {
            Transaction::Open(envelope) if envelope.recipients.count > 0 => self.first_chunk(envelope, chunk).await,
            Transaction::Chunks(envelope, chunks) => self.chunk(envelope, chunks, chunk).await,
            Transaction::Open(envelope) => {
                self.transaction = Transaction::Open(envelope);
                self.skip_chunk(chunk, Reply::fixed(554, Enhanced(5, 5, 1), "Error: no valid recipients")).await
            }
            Transaction::Skipped(envelope) => {
                self.transaction = Transaction::Skipped(envelope);
                let text = format!("Discarded {} bytes after earlier error", chunk.size);
                self.skip_chunk(chunk, Reply::new(551, Some(Enhanced(5, 0, 0)), text)).await
            }
            Transaction::Idle => {
                self.skip_chunk(chunk, Reply::fixed(503, Enhanced(5, 5, 1), "Error: need RCPT command")).await
            }
        }
    }

    async fn first_chunk(&mut self, mut envelope: Box<Envelope>, chunk: Chunk) -> Result<Next, conn::Error> {
        if let Err(reply) = self.admit_content(&mut envelope).await {
            self.transaction = Transaction::Open(envelope);
            return self.skip_chunk(chunk, reply).await;
        }
        let content = self.begin_content(&mut envelope, Framing::Chunks).await;
        self.chunk(envelope, Chunks { content, total: 0 }, chunk).await
    }

    async fn chunk(
        &mut self,
        mut envelope: Box<Envelope>,
        mut chunks: Chunks,
        chunk: Chunk,
    ) -> Result<Next, conn::Error> {
        chunks.total = chunks.total.saturating_add(chunk.size);
        if let Some(next) = self.exceeds(chunks.total) {
            self.transaction = Transaction::Chunks(envelope, chunks);
            return Ok(next);
        }
        self.pace_content();
        self.progress = Some(chunks.content.size);
        let received = self.receive_chunk(&mut envelope, &mut chunks.content, chunk.size, chunk.place).await;
        if received.is_ok() && chunk.place == Place::Last {
            return Ok(self.settle(envelope, &chunks.content).await);
        }
        let trouble = chunks.content.trouble;
        self.transaction = Transaction::Chunks(envelope, chunks);
        received?;
        Ok(match trouble {
            Some(trouble) => trouble.refusal(),
            None => Next::Reply(Reply::new(250, Some(Enhanced(2, 0, 0)), format!("Ok: {} bytes", chunk.size))),
        })
    }

    /// Far beyond the limit there is no point in reading on.
    fn exceeds(&mut self, total: u64) -> Option<Next> {
        let limit = self.server.params.queue.message_size_limit;
        (limit > 0 && total > limit.saturating_add(limit / 2)).then(|| {
            self.faults.push(Fault::Policy);
            let host = &self.server.params.identity.myhostname;
            Next::Hangup(Reply::new(521, Some(Enhanced(5, 3, 4)), format!("{host} Error: message file too big")))
        })
    }

    /// The chunk comes anyway, and is read for nothing; so are those that follow it.
    async fn skip_chunk(&mut self, chunk: Chunk, reply: Reply) -> Result<Next, conn::Error> {
        if let Some(next) = self.exceeds(chunk.size) {
            return Ok(next);
        }
        if reply == HANGUP {
            return Ok(Next::Error(reply));
        }
        let mut left = chunk.size;
        while left > 0 {
            if self.conn.buffered().is_empty() {
                self.conn.fill().await?;
            }
            let part = usize::try_from(left).unwrap_or(usize::MAX).min(self.conn.buffered().len());
            self.conn.consume(part);
            left -= part as u64;
        }
        if chunk.place == Place::Last {
            self.drop_transaction();
        } else {
            self.transaction = Transaction::Skipped(std::mem::take(&mut self.transaction).into_envelope());
        }
        Ok(Next::Error(reply))
    }
}

//! A connection: one message at a time, each with an id that the caller knows beforehand.

use std::sync::Arc;

use ipc::cleanup::{Reply, Request};
use ipc::frame::Frame;
use ipc::{Channel, Error};
use queue_file::{NewFile, QueueName};
use service::{Client, Life};

use crate::Desk;
use crate::draft::Draft;
use crate::message::Message;

/// Serves a connection to its end.
pub(crate) async fn serve(desk: Arc<Desk>, client: Client, life: &Life) {
    let (stream, _slot) = match client.into_unix() {
        Ok(parts) => parts,
        Err(error) => return tracing::warn!("{error}"),
    };
    let deadline = desk.settings.deadline;
    let result = match Channel::accept::<ipc::cleanup::Cleanup>(stream, deadline).await {
        Ok(channel) => Session { desk, channel, spare: None, reserve: None, message: None }.run(life).await,
        Err(error) => Err(error),
    };
    match result {
        // A caller that goes away in the middle is one whose client did.
        Ok(()) | Err(Error::Closed | Error::Io(_)) => {}
        Err(error) => tracing::warn!("internal connection: {error}"),
    }
}

struct Session {
    desk: Arc<Desk>,
    channel: Channel<Reply, Request>,
    /// The file for the next message, whose id the caller knows.
    spare: Option<Draft>,
    /// The file for the one after it: made while nobody waits.
    reserve: Option<NewFile>,
    message: Option<Message>,
}

/// Whether the connection goes on.
enum Next {
    Message,
    End,
}

impl Session {
    async fn run(mut self, life: &Life) -> Result<(), Error> {
        let result = self.converse(life).await;
        if let Some(spare) = self.spare.take() {
            spare.discard().await;
        }
        if let Some(reserve) = self.reserve.take() {
            service::file(move || drop(reserve)).await;
        }
        if let Some(mut message) = self.message.take() {
            message.drop_draft().await;
        }
        result
    }

    async fn converse(&mut self, life: &Life) -> Result<(), Error> {
        if let Next::End = self.make_ready().await? {
            return Ok(());
        }
        let mut draining = std::pin::pin!(life.draining());
        let deadline = self.desk.settings.deadline;
        let mut is_told = false;
        loop {
            let frame = if self.message.is_none() && !is_told {
                if !self.channel.is_ready() {
                    self.channel.shrink();
                }
                tokio::select! {
                    biased;
                    frame = self.channel.receive_frame() => frame?,
                    // Whoever has told a client of the id may still bring the message.
                    () = &mut draining => {
                        is_told = true;
                        self.channel.send(&Reply::Leaving)?;
                        self.channel.flush().await?;
                        continue;
                    }
                }
            } else {
                tokio::time::timeout(deadline, self.channel.receive_frame()).await.map_err(|_| Error::Timeout)??
            };
            let Some(frame) = frame else { return Ok(()) };
            if let Next::End = self.step(frame, life).await? {
                return Ok(());
            }
        }
    }

    async fn step(&mut self, frame: Frame<Request>, life: &Life) -> Result<Next, Error> {
        match (frame, &mut self.message) {
            (Frame::Message(Request::Begin(handling)), None) => {
                let draft = self.spare.take().ok_or(Error::Malformed("no file for a message"))?;
                self.message = Some(Message::new(Arc::clone(&self.desk), draft, handling));
                Ok(Next::Message)
            }
            (Frame::Message(Request::Envelope(records)), Some(message)) => {
                message.take_envelope(&records).await;
                Ok(Next::Message)
            }
            (Frame::Raw(content), Some(message)) => {
                message.take_content(&content).await;
                Ok(Next::Message)
            }
            (Frame::Message(Request::Filters(filters)), Some(message)) => {
                message.filters = filters;
                Ok(Next::Message)
            }
            (Frame::Message(Request::End), Some(_)) => self.end(life).await,
            (Frame::Message(Request::Abort), _) => self.abort(life).await,
            (Frame::Message(_) | Frame::Raw(_), _) => Err(Error::Malformed("request out of order")),
        }
    }

    async fn end(&mut self, life: &Life) -> Result<Next, Error> {
        let Some(message) = self.message.take() else { return Ok(Next::End) };
        self.desk.handover.slow_down(self.desk.settings.in_flow_delay).await;
        let verdict = message.finish_with(Some(&mut self.channel)).await;
        let mut next = String::new();
        if !life.is_draining() {
            match self.next_file().await {
                Ok(file) => next = self.set_spare(file),
                // The caller connects anew, and hears of the trouble then.
                Err(error) => tracing::warn!("create file incoming: {error}"),
            }
        }
        let ends = next.is_empty();
        self.channel.send(&Reply::Finished { verdict, next })?;
        self.channel.flush().await?;
        if ends {
            return Ok(Next::End);
        }
        // Trouble here is trouble at the next message, if it lasts.
        self.reserve = self.create().await.ok();
        Ok(Next::Message)
    }

    async fn abort(&mut self, life: &Life) -> Result<Next, Error> {
        if let Some(mut message) = self.message.take() {
            tracing::info!("{}: removed (canceled)", message.id);
            message.drop_draft().await;
        }
        if let Some(spare) = self.spare.take() {
            tracing::info!("{}: removed (canceled)", spare.id());
            spare.discard().await;
        }
        if life.is_draining() { Ok(Next::End) } else { self.make_ready().await }
    }

    /// Creates a file, and tells its id.
    async fn make_ready(&mut self) -> Result<Next, Error> {
        let (reply, next) = match self.create().await {
            Ok(file) => (Reply::Ready(self.set_spare(file)), Next::Message),
            Err(error) => {
                tracing::warn!("create file incoming: {error}");
                (Reply::Unavailable(error.to_string()), Next::End)
            }
        };
        self.channel.send(&reply)?;
        self.channel.flush().await?;
        Ok(next)
    }

    async fn next_file(&mut self) -> Result<NewFile, queue_file::Error> {
        match self.reserve.take() {
            Some(file) => Ok(file),
            None => self.create().await,
        }
    }

    /// A file that was used before, or a new one.
    async fn create(&self) -> Result<NewFile, queue_file::Error> {
        let (spool, used) = (self.desk.spool.clone(), self.desk.handover.spare());
        service::file(move || {
            let reused = used.and_then(|used| used.open(&spool).ok());
            reused.map_or_else(|| spool.create(QueueName::Incoming), Ok)
        })
        .await
    }

    fn set_spare(&mut self, file: NewFile) -> String {
        let draft = Draft::new(file);
        let id = draft.id().to_owned();
        self.spare = Some(draft);
        id
    }
}

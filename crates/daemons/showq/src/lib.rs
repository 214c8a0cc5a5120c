//! showq(8): tells a caller what is in the queue, message by message, as fast as the caller reads.

use ipc::showq::{Message, Recipient, Reply, Request};
use queue_file::listing::{self, Listed, Waiting};
use queue_file::{Layout, Spool};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, Service};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Batches of messages read ahead of the caller.
const AHEAD: usize = 4;
/// Recipients of one frame; a message with more of them ends its frame.
const RECIPIENTS: usize = 500;
/// Bytes gathered before they are written: what comes on top of that is less than as much again.
const GATHER: usize = 32 * 1024;

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        queue: config::params::Queue,
        ipc: config::params::Ipc,
    }
}

/// The daemon.
#[derive(Debug)]
pub struct Showq {
    spool: Spool,
    ipc_timeout: Duration,
}

impl Service for Showq {
    const NAME: &'static str = "showq";
    const CLIENTS: Clients = Clients::Sessions;
    const LIFE_SPAN: LifeSpan = LifeSpan::Usual;
    type Params = Params;
    type Opened = ();

    fn open(_: &Params, _: &Outside) -> Result<(), Fatal> {
        Ok(())
    }

    fn start(params: Params, (): (), _: Life) -> Result<Self, Fatal> {
        let depth = u32::try_from(params.queue.hash_queue_depth).unwrap_or(1);
        let layout = Layout::new(params.queue.hash_queue_names.iter().map(String::as_str), depth);
        Ok(Self { spool: Spool::new("", layout), ipc_timeout: params.ipc.ipc_timeout })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        match self.list(client).await {
            // A reader that has seen enough goes away in the middle.
            Ok(()) | Err(ipc::Error::Io(_) | ipc::Error::Closed) => {}
            Err(error) => tracing::warn!("listing: {error}"),
        }
    }
}

impl Showq {
    async fn list(&self, client: Client) -> Result<(), ipc::Error> {
        let (stream, _slot) = client.into_unix()?;
        let mut channel = ipc::Channel::accept::<ipc::showq::Showq>(stream, self.ipc_timeout).await?;
        let Some(Request::List) = channel.receive().await? else { return Ok(()) };
        let (sender, mut batches) = mpsc::channel(AHEAD);
        let spool = self.spool.clone();
        let walk = tokio::task::spawn_blocking(move || walk(&spool, &sender));
        while let Some(frames) = batches.recv().await {
            channel.send_frames(&frames?);
            if channel.unsent() >= GATHER {
                channel.flush().await?;
            }
        }
        let _ = walk.await;
        channel.send(&Reply::End)?;
        channel.flush().await
    }
}

type Frames = Result<ipc::Frames<Reply>, ipc::Error>;

/// Reads the queue until the caller has seen enough.
fn walk(spool: &Spool, sender: &mpsc::Sender<Frames>) {
    listing::messages(spool, frames, |frames| match sender.blocking_send(frames) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
}

/// Messages as they are sent; those that could not be read are told in the log.
fn frames(batch: Vec<Result<Listed, queue_file::Error>>) -> Frames {
    let read = |message: Result<Listed, _>| message.inspect_err(|error| tracing::warn!("{error}")).ok();
    let mut frames = ipc::Frames::of::<ipc::showq::Showq>();
    for reply in replies(batch.into_iter().filter_map(read)) {
        frames.add(&reply)?;
    }
    Ok(frames)
}

/// Messages in frames of bounded size.
fn replies(listed: impl Iterator<Item = Listed>) -> Vec<Reply> {
    let (mut replies, mut messages, mut count) = (Vec::new(), Vec::new(), 0);
    for listed in listed {
        let mut recipients = listed.recipients.into_iter().map(recipient);
        let mut next = || recipients.by_ref().take(RECIPIENTS).collect::<Vec<_>>();
        let first = next();
        count += first.len();
        messages.push(Message {
            queue_name: listed.queue.to_string(),
            queue_id: listed.id.to_string(),
            arrived: listed.arrived,
            size: listed.size,
            expiring: listed.expiring,
            sender: listed.sender.into(),
            recipients: first,
        });
        if count >= RECIPIENTS {
            replies.push(Reply::Messages(std::mem::take(&mut messages)));
            count = 0;
        }
        replies.extend(std::iter::repeat_with(next).take_while(|more| !more.is_empty()).map(Reply::More));
    }
    if !messages.is_empty() {
        replies.push(Reply::Messages(messages));
    }
    replies
}

fn recipient(waiting: Waiting) -> Recipient {
    Recipient { address: waiting.address.into(), original: waiting.original.into(), reason: waiting.reason }
}

#[cfg(test)]
mod tests;

//! showq(8): tells a caller what is in the queue, message by message, as fast as the caller reads.

use ipc::showq::{Message, Recipient, Reply, Request};
use queue_file::listing::{self, Listed, Waiting};
use queue_file::{Layout, Spool};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, Service};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Messages read ahead of the caller.
const AHEAD: usize = 64;
/// Recipients of one frame.
const RECIPIENTS: usize = 2000;
/// Bytes gathered before they are written.
const GATHER: usize = 64 * 1024;

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
        let (sender, mut messages) = mpsc::channel(AHEAD);
        let spool = self.spool.clone();
        let walk = tokio::task::spawn_blocking(move || walk(&spool, &sender));
        while let Some(message) = messages.recv().await {
            for reply in replies(message) {
                channel.send(&reply)?;
            }
            if channel.unsent() >= GATHER {
                channel.flush().await?;
            }
        }
        let _ = walk.await;
        channel.send(&Reply::End)?;
        channel.flush().await
    }
}

/// Reads the queue until the caller has seen enough.
fn walk(spool: &Spool, sender: &mpsc::Sender<Listed>) {
    for message in listing::messages(spool) {
        match message {
            Ok(message) => {
                if sender.blocking_send(message).is_err() {
                    return;
                }
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }
}

/// A message in frames of bounded size.
fn replies(listed: Listed) -> Vec<Reply> {
    let mut parts = listed.recipients.chunks(RECIPIENTS).map(recipients);
    let message = Message {
        queue_name: listed.queue.to_string(),
        queue_id: listed.id.to_string(),
        arrived: listed.arrived,
        size: listed.size,
        expiring: listed.expiring,
        sender: listed.sender.into(),
        recipients: parts.next().unwrap_or_default(),
    };
    std::iter::once(Reply::Message(message)).chain(parts.map(Reply::More)).collect()
}

fn recipients(waiting: &[Waiting]) -> Vec<Recipient> {
    let convert = |waiting: &Waiting| Recipient {
        address: waiting.address.clone().into(),
        original: waiting.original.clone().into(),
        reason: waiting.reason.clone(),
    };
    waiting.iter().map(convert).collect()
}

//! Where messages go: to cleanup, through a before-queue filter, or to the maildrop.

pub(crate) mod cleanup;
pub(crate) mod held;
mod postdrop;
pub(crate) mod proxy;
pub(crate) mod submission;

use smtp_proto::{Enhanced, Reply};

use crate::access::{Actions, Fault};

/// A message on its way.
#[derive(Debug)]
pub(crate) enum Sink {
    Cleanup(Box<cleanup::Delivery>),
    Proxy(Box<proxy::Filter>),
    Held(Box<held::Held>),
    Submission(Box<submission::Post>),
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is in the queue.
    Queued,
    /// It is in the maildrop, under this id.
    Posted(String),
    /// The filter's own reply.
    Said(Reply),
    /// It was not accepted.
    Refused(Reply, Option<Fault>),
}

/// The way to the mail filters of the session, which cleanup shows the content to.
pub(crate) struct Relay<'r> {
    pub(crate) chain: &'r mut milter::chain::Chain,
    pub(crate) macros: milter::chain::Macros<'r>,
}

/// The next process does not take it.
#[derive(Debug)]
pub(crate) struct Broken;

/// Whatever keeps a queue file from being written.
pub(crate) fn write_error() -> Reply {
    Reply::fixed(451, Enhanced(4, 3, 0), "Error: queue file write error")
}

impl Sink {
    /// The client wants to send content: a filter that is there already may refuse it.
    pub(crate) async fn ask(&mut self) -> Result<(), Reply> {
        match self {
            Sink::Proxy(filter) => filter.data().await,
            Sink::Cleanup(_) | Sink::Held(_) | Sink::Submission(_) => Ok(()),
        }
    }

    /// Content follows.
    pub(crate) async fn begin(&mut self, actions: &Actions) -> Result<(), Broken> {
        match self {
            Sink::Cleanup(delivery) => delivery.begin(actions).await,
            // It has been asked.
            Sink::Proxy(_) => Ok(()),
            Sink::Held(held) => held.begin().await,
            Sink::Submission(post) => {
                post.begin();
                Ok(())
            }
        }
    }

    /// Text with LF line ends.
    pub(crate) async fn content(&mut self, text: &[u8]) -> Result<(), Broken> {
        match self {
            Sink::Cleanup(delivery) => delivery.content(text).await,
            Sink::Proxy(filter) => filter.content(text).await,
            Sink::Held(held) => held.content(text).await,
            Sink::Submission(post) => post.content(text).await,
        }
    }

    /// The content is complete.
    pub(crate) async fn finish(self, actions: &Actions, relay: Option<Relay<'_>>) -> Outcome {
        match self {
            Sink::Cleanup(delivery) => delivery.finish(actions, relay).await,
            Sink::Proxy(filter) => Box::pin(filter.finish()).await,
            Sink::Held(held) => Box::pin(held.finish()).await,
            Sink::Submission(post) => Box::pin(post.finish()).await,
        }
    }

    /// The message is given up.
    pub(crate) fn abandon(self) {
        match self {
            Sink::Cleanup(delivery) => delivery.abandon(),
            Sink::Proxy(filter) => filter.abandon(),
            // Without its end nothing comes of it.
            Sink::Submission(post) => drop(post),
            Sink::Held(held) => drop(held),
        }
    }
}

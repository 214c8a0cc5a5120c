//! The table trait and its answer, which is there now or comes later.

use std::future::{Future, IntoFuture, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Error;

/// The value of a key, or that there is none.
pub type Answer = Result<Option<Vec<u8>>, Error>;

/// An answer that may still be on its way.
pub enum Lookup<'a> {
    /// The table was in memory, or mapped.
    Now(Answer),
    /// The table is elsewhere.
    Later(Pin<Box<dyn Future<Output = Answer> + Send + 'a>>),
}

impl Lookup<'_> {
    /// An answer for programs without a runtime.
    pub fn block(self) -> Answer {
        match self {
            Self::Now(answer) => answer,
            Self::Later(future) => crate::block_on(future),
        }
    }
}

impl<'a> IntoFuture for Lookup<'a> {
    type Output = Answer;
    type IntoFuture = Waiting<'a>;

    fn into_future(self) -> Waiting<'a> {
        match self {
            Self::Now(answer) => Waiting::Now(ready(answer)),
            Self::Later(future) => Waiting::Later(future),
        }
    }
}

/// The future of a [`Lookup`].
pub enum Waiting<'a> {
    /// See [`Lookup::Now`].
    Now(Ready<Answer>),
    /// See [`Lookup::Later`].
    Later(Pin<Box<dyn Future<Output = Answer> + Send + 'a>>),
}

impl Future for Waiting<'_> {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        match self.get_mut() {
            Self::Now(answer) => Pin::new(answer).poll(context),
            Self::Later(future) => future.as_mut().poll(context),
        }
    }
}

/// What the keys of a table are. Partial keys (a parent domain, a bare user) are asked only of `Fixed` ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keys {
    /// Strings, folded to lower case.
    Fixed,
    /// Patterns, which get the whole key as it is.
    Pattern,
}

/// Who may have written the table; `local` runs commands of an alias with the rights of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Root, or the configuration itself.
    Trusted,
    /// An ordinary user.
    User(u32),
    /// Anybody: a server, the environment.
    Unknown,
}

/// A table that can be asked.
pub trait Table: Send + Sync {
    /// The value of a key. Nothing of the key is kept.
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a>;

    /// What its keys are.
    fn keys(&self) -> Keys {
        Keys::Fixed
    }

    /// Whether the file behind it is no longer the one that was read; the process then retires.
    fn changed(&self) -> bool {
        false
    }

    /// Who may have written it.
    fn owner(&self) -> Owner {
        Owner::Trusted
    }
}

impl<'a> Lookup<'a> {
    /// The answer of a future, at once if it is ready.
    pub fn of(future: impl Future<Output = Answer> + Send + 'a) -> Self {
        let mut future = Box::pin(future);
        match future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(answer) => Self::Now(answer),
            Poll::Pending => Self::Later(future),
        }
    }

    /// A value that is at hand.
    pub fn found(value: impl Into<Vec<u8>>) -> Self {
        Self::Now(Ok(Some(value.into())))
    }

    /// No such key.
    pub fn nothing() -> Self {
        Self::Now(Ok(None))
    }

    /// A failure that is known at once.
    pub fn failed(error: Error) -> Self {
        Self::Now(Err(error))
    }
}

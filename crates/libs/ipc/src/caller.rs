//! The asking side of services that answer numbered requests in any order.
//!
//! One connection per process and service, made at the first call and again after it broke; callers in many
//! sessions share it, and what they ask in one turn of the event loop goes out in one write.

use crate::{Channel, Error, Protocol};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Requests taken per turn of the connection's task.
const BATCH: usize = 64;

/// A handle for asking service `P`; clones share its connection.
pub struct Caller<P: Protocol> {
    shared: Arc<Shared<P>>,
}

struct Shared<P: Protocol> {
    path: PathBuf,
    deadline: Duration,
    line: Mutex<Option<mpsc::UnboundedSender<Question<P>>>>,
}

struct Question<P: Protocol> {
    request: P::Request,
    answer: oneshot::Sender<Result<P::Reply, Error>>,
}

type Numbered<T> = (u32, T);

/// The protocol of `P` with a number before each message.
pub(crate) struct InAnyOrder<P>(std::marker::PhantomData<P>);

impl<P: Protocol> Protocol for InAnyOrder<P> {
    const NAME: &'static str = P::NAME;
    const VERSION: u16 = P::VERSION;
    const LIMIT: usize = P::LIMIT;
    type Request = Numbered<P::Request>;
    type Reply = Numbered<P::Reply>;
}

impl<P: Protocol> Clone for Caller<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<P: Protocol> std::fmt::Debug for Caller<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller({})", self.shared.path.display())
    }
}

impl<P: Protocol> Caller<P>
where
    P::Request: Clone,
{
    /// A caller of the service at `path` (`private/rewrite`), which need not be there yet. `deadline`
    /// (`ipc_timeout`) bounds each call.
    pub fn new(path: impl Into<PathBuf>, deadline: Duration) -> Self {
        let shared = Shared { path: path.into(), deadline, line: Mutex::new(None) };
        Self { shared: Arc::new(shared) }
    }

    /// Asks, and waits for the answer. A request whose connection broke is asked once more if that is harmless.
    ///
    /// # Errors
    /// Any [`Error`]; the caller treats all as temporary.
    pub async fn call(&self, request: P::Request) -> Result<P::Reply, Error> {
        let again = P::REPEATABLE.then(|| request.clone());
        match (self.ask(request).await, again) {
            (Err(Error::Closed | Error::Io(_)), Some(request)) => self.ask(request).await,
            (result, _) => result,
        }
    }

    async fn ask(&self, request: P::Request) -> Result<P::Reply, Error> {
        let (answer, waiting) = oneshot::channel();
        self.put(Question { request, answer });
        match timeout(self.shared.deadline, waiting).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(Error::Timeout),
        }
    }

    fn put(&self, question: Question<P>) {
        let mut line = self.shared.line.lock().unwrap_or_else(PoisonError::into_inner);
        let question = match line.as_ref() {
            Some(open) => match open.send(question) {
                Ok(()) => return,
                Err(unsent) => unsent.0,
            },
            None => question,
        };
        let (sender, questions) = mpsc::unbounded_channel();
        if sender.send(question).is_ok() {
            tokio::spawn(converse(self.shared.path.clone(), self.shared.deadline, questions));
            *line = Some(sender);
        }
    }
}

/// Owns one connection until it breaks or nobody can ask any more.
async fn converse<P: Protocol>(path: PathBuf, deadline: Duration, mut questions: mpsc::UnboundedReceiver<Question<P>>) {
    let mut waiting: HashMap<u32, oneshot::Sender<Result<P::Reply, Error>>> = HashMap::new();
    let mut channel = match Channel::connect::<InAnyOrder<P>>(&path, deadline).await {
        Ok(channel) => channel,
        Err(error) => return refuse(&mut questions, error),
    };
    let mut number = 0_u32;
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            taken = questions.recv_many(&mut batch, BATCH) => {
                if taken == 0 && waiting.is_empty() {
                    return;
                }
                for Question { request, answer } in batch.drain(..) {
                    number = number.wrapping_add(1);
                    match channel.send(&(number, request)) {
                        Ok(()) => { waiting.insert(number, answer); }
                        Err(error) => { let _ = answer.send(Err(error)); }
                    }
                }
                if channel.flush().await.is_err() {
                    return;
                }
            }
            reply = channel.receive() => {
                let Ok(Some((number, reply))) = reply else { return };
                if let Some(answer) = waiting.remove(&number) {
                    let _ = answer.send(Ok(reply));
                }
            }
        }
    }
}

/// Tells everyone who waits that there is no connection; the line closes with the receiver.
fn refuse<P: Protocol>(questions: &mut mpsc::UnboundedReceiver<Question<P>>, error: Error) {
    questions.close();
    let mut error = Some(error);
    while let Ok(question) = questions.try_recv() {
        let _ = question.answer.send(Err(error.take().unwrap_or(Error::Closed)));
    }
}

//! The daemon skeleton: what every daemon does at its birth, between sessions, and at its end.
//!
//! The order of birth is fixed: arguments → log → parameters → open what lies outside the jail → jail → runtime → accept.
//! Nothing reads a byte from a peer before the jail, and nothing starts a thread before it, since rights are per thread.
//! A daemon is an implementation of [`Service`] (many clients, asynchronous) or of [`solo::Solo`] (one at a time, blocking, able
//! to become other users). master hears of edges only: full, available, ending; never of single sessions.

mod accept;
mod arguments;
mod birth;
mod client;
mod datagrams;
mod disk;
mod handling;
mod life;
mod panics;
mod postmaster;
mod slots;
pub mod solo;
mod standalone;
mod status;
mod tls_level;
mod turns;
mod waker;
mod watchdog;

pub use arguments::{Kind, Operands, ProcessLimit};
pub use client::{Client, Stream};
pub use disk::{disk, file, sync};
pub use handling::handling;
pub use life::Life;
pub use postmaster::postmaster;
pub use slots::{Slot, Work};
pub use tls_level::tls_level;

use config::{Group, Source};
use std::process::ExitCode;
use std::sync::Arc;

/// What ends the process, for the operator to read; master restarts it after a while.
#[derive(Debug)]
pub struct Fatal(String);

impl Fatal {
    /// Ends the process for this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl std::fmt::Display for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Fatal {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// What can still be reached before the jail, and what was said about this service.
#[derive(Debug)]
pub struct Outside {
    /// The parameters as this service sees them.
    pub source: Source,
    /// The name in `master.cf`.
    pub service_name: String,
    /// The program's own name: `smtp` or `lmtp`, say.
    pub process_name: String,
    /// What the service listens on.
    pub kind: Kind,
    /// Whether the jail will be a new root.
    pub chroot: bool,
    /// The arguments that follow the options: `pipe` and `spawn` have some.
    pub arguments: Vec<String>,
    /// The log, for what must be settled before the jail.
    pub log: maillog::Log,
}

/// How clients are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// Every connection is a session, and `maxproc` limits them: `smtpd`.
    Sessions,
    /// Connections of other daemons, kept open and mostly idle; nobody counts them.
    Internal,
    /// One connection at a time, of qmgr, which brings as many deliveries at once as [`Life::share`] says.
    Agent,
}

/// When a process has served enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifeSpan {
    /// After `max_use` sessions per slot, or idle for `max_idle`.
    Usual,
    /// Idle for `max_idle`.
    UntilIdle,
    /// Never by itself.
    Endless,
}

/// A daemon that serves many clients in one process.
pub trait Service: Send + Sync + Sized + 'static {
    /// The program's name.
    const NAME: &'static str;
    /// How clients are counted.
    const CLIENTS: Clients = Clients::Sessions;
    /// When the process has served enough.
    const LIFE_SPAN: LifeSpan = LifeSpan::Usual;
    /// The process limit that it insists on.
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::Any;
    /// Whether connections may bring trigger bytes instead of frames; only where the client speaks first.
    const TRIGGERED: bool = false;
    /// Whether it executes programs with set-id bits, so that `no_new_privs` cannot be set.
    const MAY_GAIN_RIGHTS: bool = false;
    /// Whether it has arguments behind its options.
    const OPERANDS: Operands = Operands::Refused;
    /// All parameters that this daemon may know.
    type Params: Group + Send + Sync;
    /// What is opened before the jail.
    type Opened;

    /// How long the process may be stuck before it is ended, where that is not `daemon_timeout`.
    fn patience(params: &Self::Params) -> Option<std::time::Duration> {
        let _ = params;
        None
    }

    /// Opens what lies outside the jail: tables, certificates, resolv.conf.
    ///
    /// # Errors
    /// What makes the service impossible.
    fn open(params: &Self::Params, outside: &Outside) -> Result<Self::Opened, Fatal>;

    /// Makes the service, in the jail and inside the runtime.
    ///
    /// # Errors
    /// What makes the service impossible.
    fn start(params: Self::Params, opened: Self::Opened, life: Life) -> Result<Self, Fatal>;

    /// Serves one connection to its end.
    fn serve(self: Arc<Self>, client: Client) -> impl Future<Output = ()> + Send;

    /// Looks for work: trigger bytes came, by timer (`W`), FIFO or socket. Never runs twice at a time; bytes that come
    /// meanwhile come together next.
    fn wake(self: Arc<Self>, requests: Vec<u8>) -> impl Future<Output = ()> + Send {
        let _ = requests;
        async {}
    }

    /// Takes one datagram of a `unix-dgram` service.
    fn datagram(&self, bytes: &[u8]) {
        let _ = bytes;
    }

    /// No more datagrams are at hand.
    fn datagrams_end(&self) {}

    /// Runs beside the sessions, from the start on.
    fn run(self: Arc<Self>) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Puts things in order after the last session.
    fn finish(self: Arc<Self>) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Whether something that was opened before the jail has changed since. Asked before each client is accepted: then
    /// the process ends instead, and a successor opens it anew.
    fn changed(&self) -> bool {
        false
    }
}

/// Lives the whole life of a daemon. Its `main` is this call.
#[must_use]
pub fn run<S: Service>() -> ExitCode {
    birth::deliver(|birth| accept::live::<S>(birth), maillog::Patience::Buffer)
}

/// Answers an internal connection (numbered requests, replies in any order) until its caller closes it or, once nothing is in
/// progress, the process drains.
///
/// # Errors
/// The connection broke, or the caller sent what is not `P`.
pub async fn answer<P, F, R>(
    client: Client,
    life: &Life,
    deadline: std::time::Duration,
    handle: F,
) -> Result<(), ipc::Error>
where
    P: ipc::Protocol,
    F: Fn(P::Request) -> R,
    R: Future<Output = P::Reply>,
{
    let (stream, _slot) = client.into_unix()?;
    ipc::answer_until::<P, _, _>(stream, deadline, life.draining(), handle).await
}

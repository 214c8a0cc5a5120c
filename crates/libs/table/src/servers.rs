//! Servers that answer the same questions: which one is asked, what becomes of one that fails, and the connections
//! that are kept.
//!
//! A look-up takes an idle connection or makes one, so that look-ups do not wait for each other. A connection that
//! breaks is replaced once, for the server may only have closed it; a server that does not answer then either is
//! set aside for a while, and the next one is asked. Questions change nothing, so that they may be asked twice.

use std::fmt::{self, Display};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::blocking::Inside;
use crate::client::{Origin, Parameters};
use crate::error::system_text;
use crate::link::Endpoint;
use crate::{Answer, Error, Lookup, Owner, Table};

/// Why a server gave no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Its connection is of no use any more.
    Down(String),
    /// It took too long.
    Slow,
    /// It understood, and refuses.
    Refused(String),
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(reason) | Self::Refused(reason) => f.write_str(reason),
            Self::Slow => f.write_str("no answer in time"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut {
            return Self::Slow;
        }
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Down("connection closed by the server".to_owned());
        }
        Self::Down(system_text(&error))
    }
}

/// How one kind of server is spoken with.
pub(crate) trait Protocol: Send + Sync + 'static {
    /// A server's place, and all that is special about it.
    type Host: Display + Send + Sync + 'static;
    /// A connection that is ready for questions.
    type Session: Send + 'static;
    /// What is asked.
    type Question: Sync;
    /// What is answered.
    type Reply: Send;

    /// Connects, and logs in.
    fn open(&self, host: &Self::Host) -> impl Future<Output = Result<Self::Session, Failure>> + Send;

    /// Asks.
    fn ask(
        &self,
        session: &mut Self::Session,
        question: &Self::Question,
    ) -> impl Future<Output = Result<Self::Reply, Failure>> + Send;
}

/// A table whose answers come from servers.
pub(crate) trait Remote: Send + Sync {
    /// Where its parameters come from.
    fn origin(&self) -> &Origin;

    /// The value of a key.
    fn ask(&self, key: Vec<u8>) -> impl Future<Output = Answer> + Send;
}

impl<T: Remote> Table for T {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        Lookup::Later(Box::pin(self.ask(key.to_vec())))
    }

    fn changed(&self) -> bool {
        self.origin().changed()
    }

    fn owner(&self) -> Owner {
        self.origin().owner()
    }
}

/// In which order servers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Those of this system first, else by chance; those that were set aside are left out.
    Chance,
    /// As they are listed; those that were set aside come last.
    #[cfg(feature = "ldap")]
    Listed,
}

/// Which servers are asked, and how long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) order: Order,
    /// To connect and to log in.
    pub(crate) connect: Duration,
    /// To answer.
    pub(crate) answer: Duration,
    /// How long an idle connection is kept.
    pub(crate) idle: Duration,
    /// How long a server that failed is set aside.
    pub(crate) retry: Duration,
}

impl Limits {
    /// Those of a table.
    pub(crate) fn read(parameters: &Parameters) -> Result<Self, Error> {
        Ok(Self {
            order: Order::Chance,
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            idle: parameters.seconds("idle_interval", 60)?,
            retry: parameters.seconds("retry_interval", 60)?,
        })
    }
}

/// The servers of a table.
pub(crate) struct Servers<P: Protocol> {
    protocol: P,
    servers: Vec<Arc<Server<P>>>,
    limits: Limits,
}

struct Server<P: Protocol> {
    host: P::Host,
    is_local: bool,
    state: Mutex<State<P::Session>>,
}

struct State<S> {
    idle: Vec<(S, Instant)>,
    /// Somebody closes them in time.
    is_watched: bool,
    aside: Option<Instant>,
}

impl<P: Protocol> Server<P> {
    fn state(&self) -> MutexGuard<'_, State<P::Session>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MOST_IDLE: usize = 4;

impl<P: Protocol> Servers<P> {
    /// Servers, each with whether it is on this system.
    pub(crate) fn new(protocol: P, hosts: Vec<(P::Host, bool)>, limits: Limits) -> Self {
        let state = || Mutex::new(State { idle: Vec::new(), is_watched: false, aside: None });
        let server = |(host, is_local)| Arc::new(Server { host, is_local, state: state() });
        Self { protocol, servers: hosts.into_iter().map(server).collect(), limits }
    }

    /// Asks one server after the other, until one answers.
    pub(crate) async fn ask(&self, spec: &str, question: &P::Question) -> Result<P::Reply, Error> {
        Inside.await;
        let mut last = None;
        for server in self.candidates() {
            match self.ask_one(server, question).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => {
                    tracing::warn!("{spec}: server {}: {failure}", server.host);
                    last = Some(failure);
                }
            }
        }
        Err(Error::temporary(spec, last.map_or_else(|| "no server is available".to_owned(), |last| last.to_string())))
    }

    /// The servers to ask, those with a connection at hand first.
    fn candidates(&self) -> Vec<&Arc<Server<P>>> {
        let (now, chance) = (Instant::now(), RandomState::new());
        let mut ranked = Vec::new();
        for (at, server) in self.servers.iter().enumerate() {
            let mut state = server.state();
            state.idle.retain(|(_, since)| since.elapsed() < self.limits.idle);
            let is_aside = state.aside.is_some_and(|until| until > now);
            let rank = match self.limits.order {
                Order::Chance if is_aside => continue,
                Order::Chance => (!server.is_local, chance.hash_one(at)),
                #[cfg(feature = "ldap")]
                Order::Listed => (is_aside, u64::try_from(at).unwrap_or(u64::MAX)),
            };
            ranked.push((state.idle.is_empty(), rank, server));
        }
        ranked.sort_by_key(|(is_new, rank, ..)| (*is_new, *rank));
        ranked.into_iter().map(|(.., server)| server).collect()
    }

    async fn ask_one(&self, server: &Arc<Server<P>>, question: &P::Question) -> Result<P::Reply, Failure> {
        let kept = server.state().idle.pop();
        let mut result = match kept {
            Some((session, _)) => self.exchange(server, session, question).await,
            None => Err(Failure::Down(String::new())),
        };
        if let Err(Failure::Down(_)) = result {
            result = match timeout(self.limits.connect, self.protocol.open(&server.host)).await {
                Ok(Ok(session)) => self.exchange(server, session, question).await,
                // A server that lets nobody in is as good as down.
                Ok(Err(failure)) => Err(Failure::Down(failure.to_string())),
                Err(_) => Err(Failure::Slow),
            };
        }
        let mut state = server.state();
        match &result {
            Err(Failure::Down(_) | Failure::Slow) => {
                state.aside = Some(Instant::now() + self.limits.retry);
                state.idle.clear();
            }
            Ok(_) | Err(Failure::Refused(_)) => state.aside = None,
        }
        result
    }

    async fn exchange(
        &self,
        server: &Arc<Server<P>>,
        mut session: P::Session,
        question: &P::Question,
    ) -> Result<P::Reply, Failure> {
        let result = match timeout(self.limits.answer, self.protocol.ask(&mut session, question)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Slow),
        };
        if let Ok(_) | Err(Failure::Refused(_)) = result {
            let mut state = server.state();
            if state.idle.len() < MOST_IDLE {
                state.idle.push((session, Instant::now()));
            }
            if !state.is_watched {
                state.is_watched = true;
                tokio::spawn(watch(Arc::downgrade(server), self.limits.idle));
            }
        }
        result
    }
}

/// Closes connections that have been idle for too long, as long as there are any.
async fn watch<P: Protocol>(server: Weak<Server<P>>, idle: Duration) {
    loop {
        sleep(idle.max(Duration::from_secs(1))).await;
        let Some(server) = server.upgrade() else { return };
        let mut state = server.state();
        state.idle.retain(|(_, since)| since.elapsed() < idle);
        if state.idle.is_empty() {
            state.is_watched = false;
            return;
        }
    }
}

/// The servers of `hosts`: `inet:host:port`, `unix:path`, or `host` and `host:port` alone.
pub(crate) fn endpoint(text: &str, port: u16) -> Endpoint {
    if let Some(path) = text.strip_prefix("unix:") {
        return Endpoint::Unix(PathBuf::from(path));
    }
    let address = text.strip_prefix("inet:").unwrap_or(text);
    let has_port = match address.rsplit_once(':') {
        Some((host, port)) => (!host.contains(':') || host.ends_with(']')) && !port.is_empty(),
        None => false,
    };
    match (has_port, address.contains(':') && !address.starts_with('[')) {
        (true, _) => Endpoint::Inet(address.to_owned()),
        (false, true) => Endpoint::Inet(format!("[{}]:{port}", address.trim_end_matches(':'))),
        (false, false) => Endpoint::Inet(format!("{}:{port}", address.trim_end_matches(':'))),
    }
}

/// The text behind `%XX` in a URI.
#[cfg(any(feature = "mongodb", feature = "pgsql"))]
pub(crate) fn decoded(text: &str) -> Option<String> {
    String::from_utf8(crate::percent::decoded(text.as_bytes())?).ok().filter(|text| !text.contains('\0'))
}

/// The host's name, as certificates have it; empty for sockets of this system.
pub(crate) fn host_name(endpoint: &Endpoint) -> &str {
    match endpoint {
        Endpoint::Inet(address) => {
            let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
            host.trim_start_matches('[').trim_end_matches(']')
        }
        Endpoint::Unix(_) => "",
    }
}

#[cfg(test)]
#[path = "servers/tests.rs"]
mod tests;

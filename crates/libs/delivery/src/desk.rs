//! The parameters and peers that every agent needs to settle recipients.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use address::{LogForm, quote};
use ipc::bounce::Bounce;
use ipc::deliver::Request;
use ipc::flush::{self, Flush};
use ipc::verify::{self, Verify};
use ipc::{Caller, bounce};
use queue_file::{Layout, QueueId, QueueName, Spool};

use crate::StatusFilter;
use crate::plan::Step;

config::bundle! {
    /// The parameters that [`Policy`] is made from.
    pub struct Params {
        identity: config::params::Identity,
        queue: config::params::Queue,
        ipc: config::params::Ipc,
        verify: config::params::Verify,
        flush: config::params::Flush,
    }
}

/// `address_verify_negative_cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedProbes {
    /// They are remembered.
    Kept,
    /// They are not.
    Forgotten,
}

/// The parameters of main.cf that govern how recipients are settled.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Failures that are final are deferred instead.
    pub soft_bounce: bool,
    /// Digits after the point in delays.
    pub delay_logging_resolution_limit: u32,
    /// How addresses stand in the log (`info_log_address_format`).
    pub log_form: LogForm,
    /// The service that keeps failures.
    pub bounce_service_name: String,
    /// The service that keeps delays.
    pub defer_service_name: String,
    /// The service that keeps what is reported.
    pub trace_service_name: String,
    /// The service that learns what probes found.
    pub address_verify_service_name: String,
    /// Whether it remembers those that failed.
    pub failed_probes: FailedProbes,
    /// The service that knows which mail waits for which site.
    pub flush_service_name: String,
    /// Whether it knows of any site.
    pub fast_flush: bool,
    /// How long any of them may take.
    pub ipc_timeout: Duration,
    /// Where queue files lie, from the working directory on.
    pub spool: Spool,
    /// What an administrator makes of outcomes.
    pub filter: StatusFilter,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            soft_bounce: false,
            delay_logging_resolution_limit: 2,
            log_form: LogForm::External,
            bounce_service_name: "bounce".to_owned(),
            defer_service_name: "defer".to_owned(),
            trace_service_name: "trace".to_owned(),
            address_verify_service_name: "verify".to_owned(),
            flush_service_name: "flush".to_owned(),
            failed_probes: FailedProbes::Kept,
            fast_flush: false,
            ipc_timeout: Duration::from_secs(3600),
            spool: Spool::new("", Layout::default()),
            filter: StatusFilter::none(),
        }
    }
}

impl From<&Params> for Policy {
    fn from(params: &Params) -> Self {
        let Params { identity, queue, ipc, verify, flush } = params;
        let hashed = queue.hash_queue_names.iter().map(String::as_str);
        let layout = Layout::new(hashed, u32::try_from(queue.hash_queue_depth).unwrap_or(1));
        Self {
            soft_bounce: identity.soft_bounce,
            delay_logging_resolution_limit: u32::try_from(queue.delay_logging_resolution_limit).unwrap_or(2),
            // qmgr, without whom nothing is delivered, says so if the value is none.
            log_form: identity.info_log_address_format.parse().unwrap_or_default(),
            bounce_service_name: ipc.bounce_service_name.clone(),
            defer_service_name: ipc.defer_service_name.clone(),
            trace_service_name: ipc.trace_service_name.clone(),
            address_verify_service_name: verify.address_verify_service_name.clone(),
            failed_probes: if verify.address_verify_negative_cache {
                FailedProbes::Kept
            } else {
                FailedProbes::Forgotten
            },
            flush_service_name: ipc.flush_service_name.clone(),
            fast_flush: !flush.fast_flush_domains.is_empty(),
            ipc_timeout: ipc.ipc_timeout,
            spool: Spool::new("", layout),
            filter: StatusFilter::none(),
        }
    }
}

impl Policy {
    /// The same with a filter for outcomes.
    #[must_use]
    pub fn with_filter(self, filter: StatusFilter) -> Self {
        Self { filter, ..self }
    }

    /// The socket of a private service, below the queue directory.
    #[must_use]
    pub fn socket(service: &str) -> PathBuf {
        PathBuf::from("private").join(service)
    }

    /// The socket of flush, which commands may talk to as well.
    pub(crate) fn flush_socket(&self) -> PathBuf {
        PathBuf::from("public").join(&self.flush_service_name)
    }

    /// The queue file that a request names.
    pub(crate) fn queue_file(&self, request: &Request) -> PathBuf {
        match (QueueName::parse(&request.queue_name), QueueId::parse(&request.queue_id)) {
            (Some(queue), Some(id)) => self.spool.path(queue, &id),
            // What is neither cannot be opened.
            _ => PathBuf::new(),
        }
    }
}

/// Whom an agent tells of its deliveries, connected when they are first needed.
#[derive(Debug)]
pub(crate) struct Peers<L, V, F> {
    pub(crate) bounce: L,
    pub(crate) defer: L,
    pub(crate) trace: L,
    pub(crate) verify: V,
    pub(crate) flush: F,
}

impl<L, V, F> Peers<L, V, F> {
    /// Each by its socket, and how long it may take.
    pub(crate) fn new(
        policy: &Policy,
        log: impl Fn(PathBuf, Duration) -> L,
        verify: impl FnOnce(PathBuf, Duration) -> V,
        flush: impl FnOnce(PathBuf, Duration) -> F,
    ) -> Self {
        let timeout = policy.ipc_timeout;
        let log = |service: &str| log(Policy::socket(service), timeout);
        Self {
            bounce: log(&policy.bounce_service_name),
            defer: log(&policy.defer_service_name),
            trace: log(&policy.trace_service_name),
            verify: verify(Policy::socket(&policy.address_verify_service_name), timeout),
            flush: flush(policy.flush_socket(), timeout),
        }
    }
}

/// The desk of an asynchronous agent; one for the life of the process.
#[derive(Debug)]
pub struct Desk {
    pub(crate) policy: Policy,
    peers: Peers<Caller<Bounce>, Caller<Verify>, Caller<Flush>>,
}

impl Desk {
    /// Peers that are connected when they are first needed.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { peers: Peers::new(&policy, Caller::new, Caller::new, Caller::new), policy }
    }

    /// The parameters.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Carries out one step; whether it is done.
    pub(crate) async fn carry_out(&self, step: Step) -> bool {
        match step {
            Step::Verify(update) => matches!(self.peers.verify.call(update).await, Ok(verify::Reply::Done)),
            Step::Bounce(request) => done(&self.peers.bounce.call(request).await),
            Step::Defer(request) => done(&self.peers.defer.call(request).await),
            Step::Trace(request) => done(&self.peers.trace.call(request).await),
            Step::Flush(request) => noted(&self.peers.flush.call(request).await),
        }
    }
}

/// Whether a log service has done what it was asked; what it could not is in the log.
pub(crate) fn done(reply: &Result<bounce::Reply, ipc::Error>) -> bool {
    match reply {
        Ok(bounce::Reply::Done) => true,
        Ok(bounce::Reply::Failed) => false,
        Err(error) => {
            tracing::warn!("{error}");
            false
        }
    }
}

/// Whatever flush says: mail is in the queue with or without it.
pub(crate) fn noted(reply: &Result<flush::Reply, ipc::Error>) -> bool {
    if let Err(error) = reply {
        tracing::warn!("{error}");
    }
    true
}

/// An address in the form of headers and SMTP commands: with quotes where it needs them.
#[must_use]
pub fn external(address: &[u8]) -> Cow<'_, [u8]> {
    quote::quote(address)
}

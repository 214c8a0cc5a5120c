//! The parameters and peers that every agent needs to settle recipients.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipc::bounce::Bounce;
use ipc::deliver::Request;
use ipc::verify::{self, Verify};
use ipc::{Caller, bounce};

use crate::plan::Step;

/// The parameters of main.cf that govern how recipients are settled.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Failures that are final are deferred instead.
    pub soft_bounce: bool,
    /// Digits after the point in delays.
    pub delay_logging_resolution_limit: u32,
    /// The service that keeps failures.
    pub bounce_service_name: String,
    /// The service that keeps delays.
    pub defer_service_name: String,
    /// The service that keeps what is reported.
    pub trace_service_name: String,
    /// The service that learns what probes found.
    pub address_verify_service_name: String,
    /// How long any of them may take.
    pub ipc_timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            soft_bounce: false,
            delay_logging_resolution_limit: 2,
            bounce_service_name: "bounce".to_owned(),
            defer_service_name: "defer".to_owned(),
            trace_service_name: "trace".to_owned(),
            address_verify_service_name: "verify".to_owned(),
            ipc_timeout: Duration::from_secs(3600),
        }
    }
}

impl Policy {
    /// The socket of a private service, below the queue directory.
    pub(crate) fn socket(service: &str) -> PathBuf {
        PathBuf::from("private").join(service)
    }

    /// The queue file that a request names.
    pub(crate) fn queue_file(request: &Request) -> PathBuf {
        PathBuf::from(&request.queue_name).join(&request.queue_id)
    }
}

/// The peers of an asynchronous agent; one for the life of the process.
#[derive(Debug)]
pub struct Desk {
    pub(crate) policy: Policy,
    bounce: Caller<Bounce>,
    defer: Caller<Bounce>,
    trace: Caller<Bounce>,
    verify: Caller<Verify>,
}

impl Desk {
    /// Peers that are connected when they are first needed.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let ask = |service: &str| Caller::new(Policy::socket(service), policy.ipc_timeout);
        Self {
            bounce: ask(&policy.bounce_service_name),
            defer: ask(&policy.defer_service_name),
            trace: ask(&policy.trace_service_name),
            verify: Caller::new(Policy::socket(&policy.address_verify_service_name), policy.ipc_timeout),
            policy,
        }
    }

    /// The parameters.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Carries out one step; whether it is done.
    pub(crate) async fn carry_out(&self, step: Step) -> bool {
        match step {
            Step::Verify(update) => matches!(self.verify.call(update).await, Ok(verify::Reply::Done)),
            Step::Bounce(request) => done(&self.bounce.call(request).await),
            Step::Defer(request) => done(&self.defer.call(request).await),
            Step::Trace(request) => done(&self.trace.call(request).await),
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

/// Microseconds since the epoch.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// An address as log lines show it.
pub(crate) fn shown(address: &[u8]) -> String {
    String::from_utf8_lossy(address).into_owned()
}

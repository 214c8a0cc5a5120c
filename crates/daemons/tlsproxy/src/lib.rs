//! tlsproxy(8): TLS for postscreen, which holds no keys itself.
//!
//! A caller passes a client's socket and speaks plain text from then on (`ipc::tlsproxy`). What comes from either side is passed on
//! in small pieces and never looked at: a side that does not read holds up the other, and nothing piles up.

mod relay;
mod session;
mod setup;

use service::{Client, Fatal, Life, Outside, ProcessLimit, Service};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

use crate::setup::Setup;

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        tlsproxy: config::params::Tlsproxy,
        tls: config::params::TlsproxyTls,
        smtpd: config::params::SmtpdTls,
        crypto: config::params::Tls,
        ipc: config::params::Ipc,
    }
}

/// The daemon.
#[derive(Debug)]
pub struct Tlsproxy {
    setup: Setup,
    ipc_timeout: Duration,
}

impl Service for Tlsproxy {
    const NAME: &'static str = "tlsproxy";
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::Unlimited;
    type Params = Params;
    type Opened = Setup;

    fn patience(params: &Params) -> Option<Duration> {
        Some(params.tlsproxy.tlsproxy_watchdog_timeout)
    }

    fn open(params: &Params, outside: &Outside) -> Result<Setup, Fatal> {
        Setup::open(params, &outside.source, &outside.service_name)
    }

    fn start(params: Params, setup: Setup, _: Life) -> Result<Self, Fatal> {
        Ok(Self { setup, ipc_timeout: params.ipc.ipc_timeout })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        // The slot keeps the process until the session is over.
        match client.into_unix() {
            Ok((stream, _slot)) => Box::pin(session::serve(&self, stream)).await,
            Err(error) => warn!("internal connection: {error}"),
        }
    }

    fn changed(&self) -> bool {
        self.setup.changed()
    }
}

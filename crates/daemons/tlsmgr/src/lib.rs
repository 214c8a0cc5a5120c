//! tlsmgr(8): keeps the keys of TLS session tickets.
//!
//! A key makes tickets for `smtpd_tls_session_cache_timeout`, and those are accepted for as long again. Keys are in memory
//! only: after a restart clients do full handshakes. Sessions live in tickets, which clients keep themselves, so that there
//! are no session caches; who asks for one hears that nothing is in it.

pub mod keys;

use crate::keys::Keys;
use ipc::tlsmgr::{Reply, Request, TicketKey};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        tls: config::params::SmtpdTls,
        ipc: config::params::Ipc,
    }
}

/// The daemon.
#[derive(Debug)]
pub struct Tlsmgr {
    keys: Mutex<Keys>,
    ipc_timeout: Duration,
    life: Life,
}

impl Service for Tlsmgr {
    const NAME: &'static str = "tlsmgr";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::Endless;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::One;
    const TRIGGERED: bool = true;
    type Params = Params;
    type Opened = ();

    fn open(_: &Params, _: &Outside) -> Result<(), Fatal> {
        Ok(())
    }

    fn start(params: Params, (): (), life: Life) -> Result<Self, Fatal> {
        let keys = Mutex::new(Keys::new(params.tls.smtpd_tls_session_cache_timeout));
        Ok(Self { keys, ipc_timeout: params.ipc.ipc_timeout, life })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let handle = |request: Request| std::future::ready(self.reply(&request));
        let result = service::answer::<ipc::tlsmgr::Tlsmgr, _, _>(client, &self.life, self.ipc_timeout, handle).await;
        if let Err(error) = result {
            tracing::warn!("internal connection: {error}");
        }
    }
}

impl Tlsmgr {
    fn reply(&self, request: &Request) -> Reply {
        match request {
            Request::TicketKeys => {
                let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
                if keys.refresh(now(), tls::ticket::Key::random).is_err() {
                    tracing::warn!("cannot make a ticket key: no random bytes");
                }
                Reply::TicketKeys(keys.all().map(handed_out).collect())
            }
            Request::Lookup { .. } => Reply::NotFound,
            Request::Update { .. } | Request::Delete { .. } => Reply::Done,
        }
    }
}

fn handed_out(key: &tls::ticket::Key) -> TicketKey {
    TicketKey { name: key.name.to_vec().into(), secret: key.secret.to_vec().into(), expires: key.expires }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

//! Keys for session tickets, asked of tlsmgr from time to time.

use std::time::Duration;

use ipc::tlsmgr::{Tlsmgr, ticket_keys};
use tls::ticket::{Key, Renewal, Ring};
use tracing::warn;

/// A client does not wait longer than this for keys.
const PATIENCE: Duration = Duration::from_secs(5);

/// The keys of this process.
#[derive(Debug)]
pub(crate) struct Tickets {
    renewal: Renewal,
    tlsmgr: ipc::Caller<Tlsmgr>,
}

impl Tickets {
    /// `lifetime` is that of a session.
    pub(crate) fn new(ring: Ring, ipc: &config::params::Ipc, lifetime: Duration) -> Self {
        let path = format!("private/{}", ipc.tlsmgr_service_name);
        Self { renewal: Renewal::new(ring, lifetime), tlsmgr: ipc::Caller::new(path, ipc.ipc_timeout.min(PATIENCE)) }
    }

    /// Sees to it that the keys are those in use now. Without keys there are full handshakes.
    pub(crate) async fn refresh(&self) {
        let ask = async {
            let keys = ticket_keys(&self.tlsmgr).await;
            let keys = keys.inspect_err(|error| warn!("problem talking to service tlsmgr: {error}")).ok()?;
            Some(keys.iter().filter_map(|key| Key::from_parts(&key.name, &key.secret, key.expires)).collect())
        };
        self.renewal.refresh(ask).await;
    }
}

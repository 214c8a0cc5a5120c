//! Keys for session tickets, asked of tlsmgr from time to time.

use std::time::Duration;

use ::tls::ticket::{Key, Renewal, Ring};
use ipc::tlsmgr::{Tlsmgr, ticket_keys};
use tracing::warn;

/// The keys of this process.
#[derive(Debug)]
pub(crate) struct Tickets {
    renewal: Renewal,
    caller: ipc::Caller<Tlsmgr>,
}

impl Tickets {
    pub(crate) fn new(ring: Ring, caller: ipc::Caller<Tlsmgr>, lifetime: Duration) -> Tickets {
        Tickets { renewal: Renewal::new(ring, lifetime), caller }
    }

    /// Sees to it that the keys are those in use now. Without keys there are full handshakes.
    pub(crate) async fn refresh(&self) {
        let ask = async {
            let keys = ticket_keys(&self.caller).await;
            let keys = keys.inspect_err(|error| warn!("problem talking to service tlsmgr: {error}")).ok()?;
            Some(keys.iter().filter_map(|key| Key::from_parts(&key.name, &key.secret, key.expires)).collect())
        };
        self.renewal.refresh(ask).await;
    }
}

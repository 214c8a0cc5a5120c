//! Keys for session tickets, asked of tlsmgr from time to time.

use std::time::{Duration, Instant};

use ::tls::ticket::{Key, NAME, Ring, SECRET};
use ipc::tlsmgr::{Reply, Request, TicketKey, Tlsmgr};
use tokio::sync::Mutex;
use tracing::warn;

/// The keys of this process.
#[derive(Debug)]
pub(crate) struct Tickets {
    ring: Ring,
    caller: ipc::Caller<Tlsmgr>,
    /// How long keys are used before they are asked for again.
    period: Duration,
    due: Mutex<Option<Instant>>,
}

impl Tickets {
    pub(crate) fn new(ring: Ring, caller: ipc::Caller<Tlsmgr>, lifetime: Duration) -> Tickets {
        let period = (lifetime / 4).clamp(Duration::from_secs(1), Duration::from_secs(600));
        Tickets { ring, caller, period, due: Mutex::new(None) }
    }

    /// Sees to it that the keys are those in use now. Without keys there are full handshakes.
    pub(crate) async fn refresh(&self) {
        let mut due = self.due.lock().await;
        if due.is_some_and(|due| due > Instant::now()) {
            return;
        }
        *due = Some(Instant::now() + self.period);
        match self.caller.call(Request::TicketKeys).await {
            Ok(Reply::TicketKeys(keys)) => self.ring.set(&keys.iter().filter_map(taken).collect::<Vec<_>>()),
            Ok(Reply::Session(_) | Reply::NotFound | Reply::Done) => warn!("unexpected answer of service tlsmgr"),
            Err(error) => warn!("problem talking to service tlsmgr: {error}"),
        }
    }
}

fn taken(key: &TicketKey) -> Option<Key> {
    let name = key.name.first_chunk::<NAME>().copied()?;
    Some(Key { name, secret: key.secret.first_chunk::<SECRET>().copied()?, expires: key.expires })
}

//! anvil(8): counts connections and requests of clients, over `anvil_rate_time_unit`.
//!
//! [`tally`] is the pure counting; this file gives it connections and the clock. What a process has counted as connected
//! ends with its own connection, so that a killed smtpd leaves nothing behind. The largest figures are logged every
//! `anvil_status_update_time` and at the end.

pub mod tally;

use crate::tally::{Peak, Tally};
use ipc::anvil::{Event, Reply, Request};
use maillog::Clock;
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        anvil: config::params::Anvil,
        ipc: config::params::Ipc,
    }
}

/// The daemon.
#[derive(Debug)]
pub struct Anvil {
    counts: Mutex<Counts>,
    status_update: Duration,
    unit: Duration,
    ipc_timeout: Duration,
    life: Life,
}

#[derive(Debug)]
struct Counts {
    tally: Tally,
    clock: Clock,
}

impl Service for Anvil {
    const NAME: &'static str = "anvil";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::UntilIdle;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::One;
    type Params = Params;
    type Opened = Clock;

    fn open(_: &Params, _: &Outside) -> Result<Clock, Fatal> {
        Ok(Clock::new())
    }

    fn start(params: Params, clock: Clock, life: Life) -> Result<Self, Fatal> {
        let unit = params.anvil.anvil_rate_time_unit;
        Ok(Self {
            counts: Mutex::new(Counts { tally: Tally::new(unit), clock }),
            status_update: params.anvil.anvil_status_update_time,
            unit,
            ipc_timeout: params.ipc.ipc_timeout,
            life,
        })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let open = Mutex::new(HashMap::new());
        let handle = |request: Request| std::future::ready(self.count(&request, &open));
        let result = service::answer::<ipc::anvil::Anvil, _, _>(client, &self.life, self.ipc_timeout, handle).await;
        if let Err(error) = result {
            tracing::warn!("internal connection: {error}");
        }
        let left = open.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (identity, connections) in left {
            for _ in 0..connections {
                let _ = self.counts().tally.count(&identity, Event::Disconnect, Instant::now());
            }
        }
    }

    async fn run(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.status_update).await;
            self.report();
        }
    }

    async fn finish(self: Arc<Self>) {
        self.report();
    }
}

impl Anvil {
    fn count(&self, request: &Request, open: &Mutex<HashMap<String, u32>>) -> Reply {
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        match request.event {
            Event::Connect => *open.entry(request.identity.clone()).or_default() += 1,
            Event::Disconnect => release(&mut open, &request.identity),
            Event::Mail | Event::Rcpt | Event::NewTls | Event::Auth | Event::Report => {}
        }
        let Counts { tally, clock } = &mut *self.counts();
        tally.count_at(&request.identity, request.event, Instant::now(), || clock.now().to_owned())
    }

    /// Logs the largest figures since the last report.
    fn report(&self) {
        for Peak { what, value, identity, at } in self.counts().tally.take_peaks() {
            let unit = self.unit.as_secs();
            match (what.is_rate(), identity.is_empty()) {
                (_, true) => tracing::info!("statistics: max {what} {value} at {at}"),
                (true, false) => tracing::info!("statistics: max {what} {value}/{unit}s for ({identity}) at {at}"),
                (false, false) => tracing::info!("statistics: max {what} {value} for ({identity}) at {at}"),
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn release(open: &mut HashMap<String, u32>, identity: &str) {
    if let Some(count) = open.get_mut(identity) {
        *count -= 1;
        if *count == 0 {
            open.remove(identity);
        }
    }
}

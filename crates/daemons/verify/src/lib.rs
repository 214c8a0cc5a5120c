//! verify(8): remembers which addresses are deliverable, and sends probes to find out.
//!
//! [`memory`] decides what a record is good for; this file keeps the records, in `address_verify_map` or in memory, and
//! posts the probes. A probe is a message that delivery agents do not deliver: they report what would have happened.

pub mod memory;

use crate::memory::{Ages, Failures, IN_PROGRESS, Record};
use address::ProbeSender;
use bytes::Bytes;
use ipc::cleanup::{Handling, Origin};
use ipc::post::{Outbox, Unposted};
use ipc::verify::{Reply, Request, Status};
use queue_file::Time;
use queue_file::record::{self, Type};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use table::Class;
use table::store::{self, Purpose, Store};
use table::sweep::Sweep;

/// How long a probe may take.
const PROBE_TIME: Duration = Duration::from_secs(1000);

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        identity: config::params::Identity,
        verify: config::params::Verify,
        ipc: config::params::Ipc,
    }
}

/// The daemon.
pub struct Verify {
    cache: Mutex<Cache>,
    /// Probes that have no result yet, with the time of each.
    probes: Mutex<HashMap<Bytes, i64>>,
    ages: Ages,
    failures: Failures,
    most_pending: usize,
    sender: ProbeSender,
    outbox: Outbox,
    /// `smtputf8_autodetect_classes`.
    autodetected: Vec<String>,
    cleanup_interval: Duration,
    ipc_timeout: Duration,
    life: Life,
}

/// The table of records.
pub struct Cache {
    spec: String,
    store: Box<dyn Store>,
}

/// The table of those who have none: it is there as long as the process lives.
const IN_MEMORY: &str = "internal:verify";

impl Service for Verify {
    const NAME: &'static str = "verify";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::Endless;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::One;
    type Params = Params;
    type Opened = Cache;

    fn open(params: &Params, outside: &Outside) -> Result<Cache, Fatal> {
        let spec = params.verify.address_verify_map.first().map_or(IN_MEMORY, String::as_str);
        let environment = table::Environment::of(&outside.source);
        match Cache::open(spec, &environment) {
            // Clients would wait for an answer as long as the disk stays as it is.
            Err(error) if error.class == Class::Temporary => {
                tracing::error!("address_verify_map: {error}; results are kept in memory only");
                Ok(Cache::open(IN_MEMORY, &environment)?)
            }
            opened => Ok(opened?),
        }
    }

    fn start(params: Params, cache: Cache, life: Life) -> Result<Self, Fatal> {
        let verify = &params.verify;
        Ok(Self {
            cache: Mutex::new(cache),
            probes: Mutex::default(),
            ages: Ages {
                positive_expire: verify.address_verify_positive_expire_time,
                positive_refresh: verify.address_verify_positive_refresh_time,
                negative_expire: verify.address_verify_negative_expire_time,
                negative_refresh: verify.address_verify_negative_refresh_time,
                probe: PROBE_TIME,
            },
            failures: if verify.address_verify_negative_cache { Failures::Kept } else { Failures::Forgotten },
            most_pending: usize::try_from(verify.address_verify_pending_request_limit).unwrap_or(usize::MAX),
            sender: ProbeSender::new(
                &verify.address_verify_sender,
                &params.identity.myorigin,
                verify.address_verify_sender_ttl,
            ),
            outbox: Outbox::new(&params.ipc.cleanup_service_name, params.ipc.ipc_timeout),
            autodetected: params.identity.smtputf8_autodetect_classes,
            cleanup_interval: verify.address_verify_cache_cleanup_interval,
            ipc_timeout: params.ipc.ipc_timeout,
            life,
        })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let handle = |request| self.answer(request);
        let result = service::answer::<ipc::verify::Verify, _, _>(client, &self.life, self.ipc_timeout, handle).await;
        if let Err(error) = result {
            tracing::warn!("internal connection: {error}");
        }
    }

    async fn run(self: Arc<Self>) {
        if self.cleanup_interval.is_zero() {
            return;
        }
        let due = Sweep::due(&mut *self.cache().store, self.cleanup_interval, Time::now().seconds);
        tokio::time::sleep(due.unwrap_or_default()).await;
        loop {
            self.clean().await;
            tokio::time::sleep(self.cleanup_interval).await;
        }
    }
}

impl Verify {
    async fn answer(&self, request: Request) -> Reply {
        let result = match request {
            Request::Query(address) => self.query(&address).await,
            Request::Update { address, status, text } => self.update(&address, status, &text),
        };
        result.unwrap_or_else(|error| {
            tracing::warn!("address verification cache: {error}");
            Reply::Failed
        })
    }

    async fn query(&self, address: &Bytes) -> Result<Reply, table::Error> {
        let now = Time::now().seconds;
        let (known, probe) = self.look_up(address, now)?;
        if probe && let Err(error) = self.probe(address).await {
            tracing::warn!("address probe: {error}");
        }
        Ok(known.map_or_else(
            || Reply::Known(Status::Pending, IN_PROGRESS.to_owned()),
            |known| Reply::Known(known.status, known.text),
        ))
    }

    /// What is known of an address, and whether to send a probe, which is noted.
    fn look_up(&self, address: &Bytes, now: i64) -> Result<(Option<Record>, bool), table::Error> {
        let mut cache = self.cache();
        let record = cache.get(address)?;
        let is_there = record.is_some();
        let known = record.filter(|record| record.is_known(&self.ages, now));
        if is_there && known.is_none() && self.failures == Failures::Forgotten {
            cache.delete(address)?;
        }
        let due = known.as_ref().is_none_or(|record| record.is_due(&self.ages, now));
        if !due || !self.has_room(now) {
            return Ok((known, false));
        }
        self.probes().insert(address.clone(), now);
        if let Some(noted) = Record::probing(known.as_ref(), self.failures, now) {
            cache.put(address, &noted)?;
        }
        Ok((known, true))
    }

    /// Whether another probe may be under way. Those that nobody has heard of for long count no more.
    fn has_room(&self, now: i64) -> bool {
        let mut probes = self.probes();
        if probes.len() >= self.most_pending {
            let oldest = now.saturating_sub(i64::try_from(PROBE_TIME.as_secs()).unwrap_or(i64::MAX));
            probes.retain(|_, sent| *sent >= oldest);
        }
        probes.len() < self.most_pending
    }

    /// Removes what is too old to be told.
    async fn clean(&self) {
        let (mut sweep, began) = (Sweep::default(), Time::now().seconds);
        while !sweep.is_over() {
            if let Err(error) = self.cache().sweep(&mut sweep, &self.ages, began) {
                tracing::warn!("address verification cache: {error}");
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn update(&self, address: &Bytes, status: Status, text: &str) -> Result<Reply, table::Error> {
        self.probes().remove(address);
        let mut cache = self.cache();
        let old = cache.get(address)?;
        if let Some(new) = Record::updated(old.as_ref(), status, text, self.failures, Time::now().seconds) {
            cache.put(address, &new)?;
        }
        Ok(Reply::Done)
    }

    /// Posts a message that nobody will get.
    async fn probe(&self, address: &Bytes) -> Result<(), Unposted> {
        let letter = self.outbox.open().await?;
        let handling = Handling::internal(Origin::Verify, &[], &self.autodetected);
        let now = Time::now();
        let mut envelope = Vec::with_capacity(256);
        record::put_time(&mut envelope, now);
        record::put_attribute(&mut envelope, "trace_flags", ipc::verify::PROBE.to_string().as_bytes());
        record::put_attribute(&mut envelope, "rewrite_context", b"local");
        record::put(&mut envelope, Type::Sender, &self.sender.at(now.seconds.unsigned_abs()));
        record::put(&mut envelope, Type::Recipient, address);
        letter
            .send(
                handling,
                envelope.into(),
                &[b"Subject: address probe\n\nWhether this could be delivered is all that matters.\n"],
            )
            .await
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn probes(&self) -> MutexGuard<'_, HashMap<Bytes, i64>> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn open(spec: &str, environment: &table::Environment) -> Result<Self, table::Error> {
        Ok(Self { spec: spec.to_owned(), store: store::open(spec, Purpose::Update, environment)? })
    }

    fn get(&mut self, address: &[u8]) -> Result<Option<Record>, table::Error> {
        let value = self.store.get(address)?;
        Ok(value.and_then(|value| Record::parse(&String::from_utf8_lossy(&value))))
    }

    fn put(&mut self, address: &[u8], record: &Record) -> Result<(), table::Error> {
        self.store.put(address, record.print().as_bytes(), true)?;
        self.store.save()
    }

    /// Looks at some records, and tells of the end.
    fn sweep(&mut self, sweep: &mut Sweep, ages: &Ages, began: i64) -> Result<(), table::Error> {
        sweep.step(&mut *self.store, Time::now().seconds, |value| {
            Record::parse(&String::from_utf8_lossy(value)).is_some_and(|record| record.is_known(ages, began))
        })?;
        if sweep.is_over() {
            tracing::info!("cache {} {sweep}", self.spec);
        }
        Ok(())
    }

    fn delete(&mut self, address: &[u8]) -> Result<(), table::Error> {
        self.store.delete(address)?;
        self.store.save()
    }
}

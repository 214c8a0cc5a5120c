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

/// The records: in a table, or as long as the process lives.
enum Cache {
    Table(Box<dyn Store>),
    Memory(HashMap<Vec<u8>, Record>),
}

impl Service for Verify {
    const NAME: &'static str = "verify";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::Endless;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::One;
    type Params = Params;
    type Opened = Option<Box<dyn Store>>;

    fn open(params: &Params, outside: &Outside) -> Result<Option<Box<dyn Store>>, Fatal> {
        let Some(spec) = params.verify.address_verify_map.first() else { return Ok(None) };
        let environment = table::Environment::of(&outside.source);
        match store::open(spec, Purpose::Update, &environment) {
            // Clients would wait for an answer as long as the disk stays as it is.
            Err(error) if error.class == Class::Temporary => {
                tracing::error!("address_verify_map: {error}; results are kept in memory only");
                Ok(None)
            }
            opened => Ok(Some(opened?)),
        }
    }

    fn start(params: Params, store: Option<Box<dyn Store>>, life: Life) -> Result<Self, Fatal> {
        let verify = &params.verify;
        Ok(Self {
            cache: Mutex::new(store.map_or_else(|| Cache::Memory(HashMap::new()), Cache::Table)),
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
        loop {
            tokio::time::sleep(self.cleanup_interval).await;
            if let Err(error) = self.cache().forget(&self.ages, Time::now().seconds) {
                tracing::warn!("address verification cache: {error}");
            }
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
    fn get(&mut self, address: &[u8]) -> Result<Option<Record>, table::Error> {
        match self {
            Self::Memory(records) => Ok(records.get(address).cloned()),
            Self::Table(store) => {
                let value = store.get(address)?;
                Ok(value.and_then(|value| Record::parse(&String::from_utf8_lossy(&value))))
            }
        }
    }

    fn put(&mut self, address: &[u8], record: &Record) -> Result<(), table::Error> {
        match self {
            Self::Memory(records) => {
                records.insert(address.to_vec(), record.clone());
            }
            Self::Table(store) => {
                store.put(address, record.print().as_bytes(), true)?;
                store.save()?;
            }
        }
        Ok(())
    }

    fn delete(&mut self, address: &[u8]) -> Result<(), table::Error> {
        match self {
            Self::Memory(records) => {
                records.remove(address);
            }
            Self::Table(store) => {
                store.delete(address)?;
                store.save()?;
            }
        }
        Ok(())
    }

    /// Removes what is too old to be told.
    fn forget(&mut self, ages: &Ages, now: i64) -> Result<(), table::Error> {
        match self {
            Self::Memory(records) => records.retain(|_, record| record.is_known(ages, now)),
            Self::Table(store) => {
                let mut after: Option<Vec<u8>> = None;
                while let Some((key, value)) = store.next(after.as_deref())? {
                    let record = Record::parse(&String::from_utf8_lossy(&value));
                    if record.is_none_or(|record| !record.is_known(ages, now)) {
                        store.delete(&key)?;
                    }
                    after = Some(key);
                }
                store.save()?;
            }
        }
        Ok(())
    }
}

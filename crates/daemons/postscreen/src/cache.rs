//! `postscreen_cache_map`: what clients passed, beyond the life of the process.
//!
//! Records are written as soon as a client has passed, many at once where many pass, and never by the event loop, which would
//! have to wait for the disk. While an old process drains after a reload both use the table, which sees to it itself that this does
//! no harm.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use table::store::{self, Purpose, Store};
use table::sweep::Sweep;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::exam::Record;

/// Records written before others may use the table.
const AT_ONCE: usize = 200;

/// The table. Clones share it.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    spec: String,
    store: Result<tokio::sync::Mutex<Box<dyn Store>>, table::Error>,
    /// What is not written yet.
    pending: Mutex<HashMap<IpAddr, Record>>,
    /// There is something to write.
    news: Notify,
}

impl Cache {
    /// Opens the table; `None` where there is to be none. One that cannot be opened remembers nothing, and says so.
    pub fn open(spec: Option<&String>, environment: &table::Environment) -> Option<Self> {
        let spec = spec?;
        let store = store::open(spec, Purpose::Update, environment);
        if let Err(problem) = &store {
            error!("{problem}");
        }
        let store = store.map(tokio::sync::Mutex::new);
        Some(Self(Arc::new(Inner { spec: spec.clone(), store, pending: Mutex::default(), news: Notify::new() })))
    }

    /// What is known of a client.
    pub async fn get(&self, client: IpAddr) -> Option<Record> {
        let known = self.0.pending().get(&client).copied();
        if known.is_some() {
            return known;
        }
        let value = self.read(client.to_string().as_bytes()).await.unwrap_or_else(|problem| {
            warn!("{}: {problem}", self.0.spec);
            warn!("{}: cache lookup for '{client}' failed due to error", self.0.spec);
            None
        });
        value.and_then(|value| Record::parse(&value))
    }

    /// Remembers a client: here at once, and soon in the table.
    pub fn put(&self, client: IpAddr, record: &Record) {
        self.0.pending().insert(client, *record);
        self.0.news.notify_one();
    }

    /// Writes down what is to be remembered, as long as the process lives.
    pub async fn keep_written(&self) {
        loop {
            self.0.news.notified().await;
            self.write_pending().await;
        }
    }

    /// Writes down all that is not written yet.
    pub async fn write_pending(&self) {
        loop {
            let batch: Vec<(IpAddr, Record)> =
                self.0.pending().iter().take(AT_ONCE).map(|(client, record)| (*client, *record)).collect();
            if batch.is_empty() {
                return;
            }
            let inner = Arc::clone(&self.0);
            service::disk(move || inner.write_batch(&batch)).await;
        }
    }

    /// Removes records that are too old, now and then, as long as the process lives.
    pub async fn keep_clean(&self, interval: Duration, retention: Duration) {
        if interval.is_zero() {
            return;
        }
        tokio::time::sleep(self.due(interval).await.unwrap_or_default()).await;
        loop {
            match self.clean(retention).await {
                Ok(sweep) => info!("cache {} {sweep}", self.0.spec),
                Err(problem) => {
                    warn!("{}: {problem}", self.0.spec);
                    warn!("{}: cache cleanup scan terminated due to error", self.0.spec);
                }
            }
            tokio::time::sleep(interval).await;
        }
    }

    async fn due(&self, interval: Duration) -> Result<Duration, table::Error> {
        Sweep::due(&mut **self.0.store.as_ref().map_err(Clone::clone)?.lock().await, interval, now())
    }

    async fn clean(&self, retention: Duration) -> Result<Sweep, table::Error> {
        let (mut sweep, began) = (Sweep::default(), now());
        while !sweep.is_over() {
            let inner = Arc::clone(&self.0);
            sweep = service::disk(move || inner.sweep(sweep, retention, began)).await?;
        }
        Ok(sweep)
    }

    async fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, table::Error> {
        self.0.store.as_ref().map_err(Clone::clone)?.lock().await.get(key)
    }
}

impl Inner {
    fn pending(&self) -> MutexGuard<'_, HashMap<IpAddr, Record>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes records, which then are no longer pending, unless there is news of them.
    fn write_batch(&self, batch: &[(IpAddr, Record)]) {
        if let Err(problem) = self.try_write(batch) {
            warn!("{}: {problem}", self.spec);
            for (client, _) in batch {
                warn!("{}: could not update entry for {client}", self.spec);
            }
        }
        let mut pending = self.pending();
        for (client, record) in batch {
            if pending.get(client) == Some(record) {
                pending.remove(client);
            }
        }
    }

    fn try_write(&self, batch: &[(IpAddr, Record)]) -> Result<(), table::Error> {
        let mut store = self.store.as_ref().map_err(Clone::clone)?.blocking_lock();
        for (client, record) in batch {
            store.put(client.to_string().as_bytes(), record.print().as_bytes(), true)?;
        }
        store.save()
    }

    /// Looks at some records.
    fn sweep(&self, mut sweep: Sweep, retention: Duration, began: i64) -> Result<Sweep, table::Error> {
        let mut store = self.store.as_ref().map_err(Clone::clone)?.blocking_lock();
        sweep.step(&mut **store, now(), |value| {
            Record::parse(value).is_some_and(|record| record.is_kept(retention, began))
        })?;
        Ok(sweep)
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache({})", self.0.spec)
    }
}

/// The time in seconds since the epoch when something ends that lasts so long.
#[must_use]
pub fn until(time: Duration) -> i64 {
    now().saturating_add(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

/// Seconds since the epoch.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(spec: &str) -> Cache {
        Cache::open(Some(&spec.to_owned()), &table::Environment::default()).unwrap()
    }

    #[tokio::test]
    async fn a_table_that_cannot_be_opened_remembers_nothing_for_long() {
        let cache = open("nonsense:x");
        let client = "192.0.2.1".parse().unwrap();
        cache.put(client, &Record::default());
        assert_eq!(cache.get(client).await, Some(Record::default()));
        cache.write_pending().await;
        assert_eq!(cache.get(client).await, None);
        assert!(Cache::open(None, &table::Environment::default()).is_none());
    }

    #[tokio::test]
    async fn old_records_go_and_others_stay() {
        let cache = open("internal:x");
        let (old, new) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let record = |until: i64| Record::parse(format!("{until};0;0;0;0").as_bytes()).unwrap();
        cache.put(old, &record(now() - 100));
        cache.put(new, &record(now() + 100));
        cache.write_pending().await;
        assert!(cache.0.pending().is_empty());
        let clean = async || cache.clean(Duration::from_secs(10)).await.unwrap().to_string();
        assert_eq!(clean().await, "full cleanup: retained=1 dropped=1 entries");
        assert_eq!((cache.get(old).await, cache.get(new).await.is_some()), (None, true));
        assert_eq!(clean().await, "full cleanup: retained=1 dropped=0 entries");
    }

    #[tokio::test]
    async fn thousands_are_written_and_looked_at() {
        let cache = open("internal:x");
        for number in 0..1000_u32 {
            cache.put(IpAddr::V4(number.into()), &Record::parse(b"1;0;0;0;0").unwrap());
        }
        cache.write_pending().await;
        let sweep = cache.clean(Duration::from_secs(10)).await.unwrap();
        assert_eq!(sweep.to_string(), "full cleanup: retained=0 dropped=1000 entries");
    }
}

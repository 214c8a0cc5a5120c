//! `postscreen_cache_map`: what clients passed, beyond the life of the process.
//!
//! A record is written as soon as a client has passed, so that nothing is lost when the process ends. While an old process drains
//! after a reload both use the table, which sees to it itself that this does no harm.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use table::store::{self, Purpose, Store};
use tracing::{error, info, warn};

use crate::exam::Record;

/// When all records were last looked at, under this key.
const CLEANED: &[u8] = b"_LAST_CACHE_CLEANUP_COMPLETED_";
/// Records looked at before clients get their turn.
const AT_ONCE: usize = 100;

/// The table.
pub struct Cache {
    spec: String,
    store: Result<Mutex<Box<dyn Store>>, table::Error>,
}

/// How far a look at all records has come.
struct Sweep {
    retention: Duration,
    began: i64,
    after: Option<Vec<u8>>,
    kept: usize,
    dropped: usize,
}

impl Cache {
    /// Opens the table; `None` where there is to be none. One that cannot be opened remembers nothing, and says so.
    pub fn open(spec: Option<&String>, environment: &table::Environment) -> Option<Self> {
        let spec = spec?;
        let store = store::open(spec, Purpose::Update, environment);
        if let Err(problem) = &store {
            error!("{problem}");
        }
        Some(Self { spec: spec.clone(), store: store.map(Mutex::new) })
    }

    /// What is known of a client.
    pub fn get(&self, client: IpAddr) -> Option<Record> {
        let value = self.read(client.to_string().as_bytes()).unwrap_or_else(|problem| {
            warn!("{}: {problem}", self.spec);
            warn!("{}: cache lookup for '{client}' failed due to error", self.spec);
            None
        });
        value.and_then(|value| Record::parse(&value))
    }

    /// Remembers a client.
    pub fn put(&self, client: IpAddr, record: &Record) {
        if let Err(problem) = self.write(client.to_string().as_bytes(), &record.print()) {
            warn!("{}: {problem}", self.spec);
            warn!("{}: could not update entry for {client}", self.spec);
        }
    }

    /// Removes records that are too old, now and then, as long as the process lives.
    pub async fn keep_clean(&self, interval: Duration, retention: Duration) {
        if interval.is_zero() {
            return;
        }
        let last = self.read(CLEANED).ok().flatten();
        let last = last.and_then(|text| String::from_utf8_lossy(&text).parse::<i64>().ok()).unwrap_or(0);
        let age = u64::try_from(now().saturating_sub(last)).unwrap_or(0);
        tokio::time::sleep(interval.saturating_sub(Duration::from_secs(age))).await;
        loop {
            match self.clean(retention).await {
                Ok((kept, dropped)) => {
                    info!("cache {} full cleanup: retained={kept} dropped={dropped} entries", self.spec);
                }
                Err(problem) => warn!("{}: {problem}", self.spec),
            }
            tokio::time::sleep(interval).await;
        }
    }

    async fn clean(&self, retention: Duration) -> Result<(usize, usize), table::Error> {
        let mut sweep = Sweep { retention, began: now(), after: None, kept: 0, dropped: 0 };
        while self.sweep(&mut sweep)? {
            tokio::task::yield_now().await;
        }
        self.write(CLEANED, &now().to_string())?;
        Ok((sweep.kept, sweep.dropped))
    }

    /// Looks at some records; false at the end.
    fn sweep(&self, sweep: &mut Sweep) -> Result<bool, table::Error> {
        let mut old = Vec::new();
        let mut store = self.store()?;
        let mut is_more = true;
        for _ in 0..AT_ONCE {
            let Some((key, value)) = store.next(sweep.after.as_deref())? else {
                is_more = false;
                break;
            };
            if key != CLEANED {
                let keeps = Record::parse(&value).is_some_and(|record| record.is_kept(sweep.retention, sweep.began));
                sweep.kept += usize::from(keeps);
                if !keeps {
                    old.push(key.clone());
                }
            }
            sweep.after = Some(key);
        }
        sweep.dropped += old.len();
        for key in &old {
            store.delete(key)?;
        }
        if !old.is_empty() {
            store.save()?;
        }
        Ok(is_more)
    }

    fn write(&self, key: &[u8], value: &str) -> Result<(), table::Error> {
        let mut store = self.store()?;
        store.put(key, value.as_bytes(), true)?;
        store.save()
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, table::Error> {
        self.store()?.get(key)
    }

    fn store(&self) -> Result<MutexGuard<'_, Box<dyn Store>>, table::Error> {
        let store = self.store.as_ref().map_err(Clone::clone)?;
        Ok(store.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache({})", self.spec)
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

    #[test]
    fn a_table_that_cannot_be_opened_remembers_nothing() {
        let cache = Cache::open(Some(&"nonsense:x".to_owned()), &table::Environment::default()).unwrap();
        let client = "192.0.2.1".parse().unwrap();
        cache.put(client, &Record::default());
        assert_eq!(cache.get(client), None);
        assert!(Cache::open(None, &table::Environment::default()).is_none());
    }

    #[test]
    fn old_records_go_and_others_stay() {
        let cache = Cache::open(Some(&"internal:x".to_owned()), &table::Environment::default()).unwrap();
        let (old, new) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let record = |until: i64| Record::parse(format!("{until};0;0;0;0").as_bytes()).unwrap();
        cache.put(old, &record(now() - 100));
        cache.put(new, &record(now() + 100));
        let cleaned = table::block_on(cache.clean(Duration::from_secs(10))).unwrap();
        assert_eq!(cleaned, (1, 1));
        assert_eq!((cache.get(old), cache.get(new).is_some()), (None, true));
        assert_eq!(table::block_on(cache.clean(Duration::from_secs(10))).unwrap(), (1, 0));
    }
}

//! The tables that are open, each under its name and way of folding.
//!
//! A table is opened at the first request, and anew when its file has changed; this daemon has no other root, so
//! that its paths lead where they led. Opening may wait for the disk, so it is done on the pool.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ipc::proxymap::{Folding, Reply};
use table::environment;
use table::store::{self, Purpose, Store};
use table::{Class, Environment, Error, Keys, Table};

type Name = (String, Folding);
type Written = Arc<Mutex<Cursor>>;

/// Open tables.
pub(crate) struct Tables {
    environment: Environment,
    missing: Missing,
    read: Mutex<HashMap<Name, Arc<dyn Table>>>,
    written: Mutex<HashMap<Name, Written>>,
}

/// What is done about a table that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Nothing.
    Told,
    /// It begins empty, as caches do.
    Made,
}

/// A table that is changed, and the entry that was listed last.
struct Cursor {
    store: Box<dyn Store>,
    listed: Option<Vec<u8>>,
}

/// A change or a step of a list.
pub(crate) enum Step {
    /// Set a key.
    Update(Bytes, Bytes),
    /// Remove a key.
    Delete(Bytes),
    /// The first entry.
    First,
    /// The one after.
    Next,
}

impl Step {
    /// What it is called in the log.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Update(..) => "update",
            Self::Delete(_) => "delete",
            Self::First | Self::Next => "sequence",
        }
    }
}

impl Tables {
    pub(crate) fn new(environment: Environment, missing: Missing) -> Self {
        Self { environment, missing, read: Mutex::default(), written: Mutex::default() }
    }

    /// Whether the table can be opened.
    pub(crate) async fn open(&self, name: &Name) -> Reply {
        match self.reader(name).await {
            Ok(table) => Reply::Done { pattern: table.keys() == Keys::Pattern },
            Err(error) => unavailable(name, &error),
        }
    }

    /// Begins an empty table where there is none. What is wrong shows when it is used.
    pub(crate) async fn create(&self, name: &Name) {
        let _ = self.writer(name).await;
    }

    /// Looks a key up.
    pub(crate) async fn lookup(&self, name: &Name, key: &[u8]) -> Reply {
        let table = match self.reader(name).await {
            Ok(table) => table,
            Err(error) => return unavailable(name, &error),
        };
        match table.lookup(key).await {
            Ok(Some(value)) => Reply::Found(value.into()),
            Ok(None) => Reply::NotFound,
            Err(error) => failed(name, &error),
        }
    }

    /// Changes or lists a table.
    pub(crate) async fn step(&self, name: &Name, step: Step) -> Reply {
        let cursor = match self.writer(name).await {
            Ok(cursor) => cursor,
            Err(error) => return failed(name, &error),
        };
        let result = service::disk(move || {
            let mut cursor = cursor.lock().unwrap_or_else(PoisonError::into_inner);
            cursor.step(step)
        });
        result.await.unwrap_or_else(|error| failed(name, &error))
    }

    async fn reader(&self, name: &Name) -> Result<Arc<dyn Table>, Error> {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(table) = known.filter(|table| !table.changed()) {
            return Ok(table);
        }
        let open = || {
            let (spec, environment) = (name.0.clone(), self.environment(name));
            service::disk(move || table::open(&spec, &environment))
        };
        let table: Arc<dyn Table> = match open().await {
            Err(error) if self.missing == Missing::Told || self.make(name).await.is_err() => return Err(error),
            Err(_) => open().await?.into(),
            Ok(table) => table.into(),
        };
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::clone(&table));
        Ok(table)
    }

    /// Makes an empty table where there is none; others stay as they are.
    async fn make(&self, name: &Name) -> Result<(), Error> {
        let cursor = self.writer(name).await?;
        service::disk(move || cursor.lock().unwrap_or_else(PoisonError::into_inner).store.save()).await
    }

    async fn writer(&self, name: &Name) -> Result<Written, Error> {
        if let Some(known) = self.written.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Arc::clone(known));
        }
        let (spec, environment) = (name.0.clone(), self.environment(name));
        let store = service::disk(move || store::open(&spec, Purpose::Update, &environment)).await?;
        let cursor = Arc::new(Mutex::new(Cursor { store, listed: None }));
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(written.entry(name.clone()).or_insert(cursor)))
    }

    fn environment(&self, (_, folding): &Name) -> Environment {
        let folding = match folding {
            Folding::Fixed | Folding::All => environment::Folding::Fixed,
            Folding::None => environment::Folding::None,
        };
        Environment { folding, ..self.environment.clone() }
    }
}

impl Cursor {
    fn step(&mut self, step: Step) -> Result<Reply, Error> {
        match step {
            Step::Update(key, value) => {
                self.store.put(&key, &value, true)?;
                self.store.save()?;
                Ok(Reply::Done { pattern: false })
            }
            Step::Delete(key) => {
                let found = self.store.delete(&key)?;
                self.store.save()?;
                Ok(if found { Reply::Done { pattern: false } } else { Reply::NotFound })
            }
            Step::First => self.list(None),
            Step::Next => {
                let listed = self.listed.take();
                self.list(listed.as_deref())
            }
        }
    }

    fn list(&mut self, after: Option<&[u8]>) -> Result<Reply, Error> {
        let entry = self.store.next(after)?;
        self.listed = entry.as_ref().map(|(key, _)| key.clone());
        Ok(entry.map_or(Reply::NotFound, |(key, value)| Reply::Entry(key.into(), value.into())))
    }
}

/// A table that cannot be opened may be there the next time.
fn unavailable((spec, _): &Name, error: &Error) -> Reply {
    tracing::warn!("{spec} is unavailable. {error}");
    Reply::Retry
}

fn failed((spec, _): &Name, error: &Error) -> Reply {
    tracing::warn!("{spec}: {error}");
    match error.class {
        Class::Temporary => Reply::Retry,
        Class::Config => Reply::Config,
    }
}

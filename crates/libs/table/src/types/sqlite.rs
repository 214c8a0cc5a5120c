//! `sqlite:path`: a query of an SQLite file, as the parameters in `path` say.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use engine::sqlite::Database;
use tokio::runtime::Handle;

use crate::client::{Origin, Parameters, Shape, Template};
use crate::{Answer, Environment, Error, Lookup, Owner, Table};

struct Sqlite {
    spec: String,
    query: Template,
    shape: Shape,
    database: Arc<Mutex<Database>>,
    origin: Origin,
}

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("sqlite:{path}");
    let parameters = Parameters::read("sqlite", path, environment)?;
    let file = PathBuf::from(parameters.required("dbpath")?);
    let (query, shape) = (parameters.sql()?, Shape::read(&parameters, environment)?);
    let database = Database::open(Path::new(&file))
        .map_err(|error| Error::temporary(&spec, format!("open database {}: {error}", file.display())))?;
    Ok(Box::new(Sqlite { spec, query, shape, database: Arc::new(Mutex::new(database)), origin: parameters.origin() }))
}

impl Sqlite {
    async fn ask(&self, key: Vec<u8>) -> Answer {
        let Ok(key) = String::from_utf8(key) else {
            return Ok(None);
        };
        let quote = |part: &str| part.replace('\'', "''");
        if !self.shape.admits(&key).await? {
            return Ok(None);
        }
        let Some(query) = self.query.expand(&key, &key, quote) else {
            return Ok(None);
        };
        let (database, most) = (Arc::clone(&self.database), self.shape.most());
        let run = move || database.lock().unwrap_or_else(PoisonError::into_inner).query(&query, most);
        let rows = match Handle::try_current() {
            Ok(runtime) => runtime.spawn_blocking(run).await.map_err(|_| self.trouble("query ended early"))?,
            Err(_) => run(),
        };
        let rows = rows.map_err(|error| self.trouble(&error.to_string()))?;
        self.shape.value(&key, &rows, &self.spec)
    }

    fn trouble(&self, reason: &str) -> Error {
        Error::temporary(&self.spec, reason)
    }
}

impl Table for Sqlite {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        Lookup::of(self.ask(key.to_vec()))
    }

    fn changed(&self) -> bool {
        self.origin.changed()
    }

    fn owner(&self) -> Owner {
        self.origin.owner()
    }
}

//! `sqlite:path`: a query of an SQLite file, as the parameters in `path` say.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use engine::sqlite::Database;
use tokio::runtime::Handle;

use super::Watched;
use crate::client::{Parameters, Shape};
use crate::{Answer, Environment, Error, Lookup, Owner, Table};

struct Sqlite {
    spec: String,
    shape: Shape,
    database: Arc<Mutex<Database>>,
    file: Watched,
}

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("sqlite:{path}");
    let parameters = Parameters::read("sqlite", path)?;
    let file = PathBuf::from(parameters.required("dbpath")?);
    let shape = Shape::read(&query(&parameters)?, &parameters, environment)?;
    let database = Database::open(Path::new(&file))
        .map_err(|error| Error::temporary(&spec, format!("open database {}: {error}", file.display())))?;
    Ok(Box::new(Sqlite { spec, shape, database: Arc::new(Mutex::new(database)), file: parameters.file }))
}

/// The query, or one made of the parameters that came before it.
fn query(parameters: &Parameters) -> Result<String, Error> {
    if let Some(query) = parameters.text("query") {
        return Ok(query.to_owned());
    }
    let (select_field, table) = (parameters.required("select_field")?, parameters.required("table")?);
    let where_field = parameters.required("where_field")?;
    let more = parameters.text("additional_conditions").unwrap_or_default();
    Ok(format!("SELECT {select_field} FROM {table} WHERE {where_field} = '%s' {more}"))
}

impl Sqlite {
    async fn ask(&self, key: Vec<u8>) -> Answer {
        let Ok(key) = String::from_utf8(key) else {
            return Ok(None);
        };
        let quote = |part: &str| part.replace('\'', "''");
        let Some(query) = self.shape.query(&key, quote).await? else {
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
        self.file.changed()
    }

    fn owner(&self) -> Owner {
        self.file.owner()
    }
}

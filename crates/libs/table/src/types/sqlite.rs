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
        .map_err(|error| Error::temporary(&spec, format!("{spec}: Can't open database: {error}")))?;
    Ok(Box::new(Sqlite { spec, query, shape, database: Arc::new(Mutex::new(database)), origin: parameters.origin() }))
}

impl Sqlite {
    async fn ask(&self, key: Vec<u8>) -> Answer {
        let Some(key) = self.shape.admitted(key).await? else {
            return Ok(None);
        };
        let quote = |part: &str| part.replace('\'', "''");
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A table whose parameters are these, with a file that the shell of SQLite makes; none if that is not installed.
    fn table(folder: &Path, parameters: &str) -> Option<Result<Box<dyn Table>, Error>> {
        let (file, text) = (folder.join("db"), folder.join("cf"));
        let rows = "create table a(k, v, n);
            insert into a values('u@example.com', 'x@y', 1), ('u@example.com', 'second', 2), ('o''b', 'quote', 3),
                ('empty', '', 4), ('nothing', null, 5), ('com', 'top', 6), ('zero', x'610062', 7), ('zeros', x'0062', 8);";
        if !file.exists() {
            Command::new("sqlite3").arg(&file).arg(rows).status().ok()?;
        }
        std::fs::write(&text, format!("dbpath = {}\n{parameters}\n", file.display())).unwrap();
        Some(open(&text.display().to_string(), &Environment::default()))
    }

    #[test]
    fn queries_are_answered() {
        let folder = tempfile::tempdir().unwrap();
        let query = "query = select v from a where k = '%s' order by n";
        for (parameters, key, expected) in [
            (query, "u@example.com", Some("x@y,second")),
            (query, "o'b", Some("quote")),
            (query, "empty", None),
            (query, "nothing", None),
            (query, "zero", Some("a")),
            (query, "zeros", None),
            (query, "", None),
            ("query = select v from a where k = '%1'", "u@example.com.", Some("top")),
            ("query = select v from a where k = '%3'", "u@example.com", None),
            (&format!("{query}\nresult_format = <%u>%D"), "u@example.com", Some("<x>example.com,<second>example.com")),
            (&format!("{query}\nresult_filter = <%s>"), "o'b", Some("quote")),
            (&format!("{query}\ndomain = example.org"), "u@example.com", None),
            (
                "table = a\nselect_field = v\nwhere_field = k\nadditional_conditions = and n > 1",
                "u@example.com",
                Some("second"),
            ),
        ] {
            let Some(table) = table(folder.path(), parameters) else { return };
            let value = table.unwrap().lookup(key.as_bytes()).block().unwrap();
            assert_eq!(value.map(|value| String::from_utf8(value).unwrap()).as_deref(), expected, "{parameters} {key}");
        }
    }

    #[test]
    fn trouble_is_never_not_found() {
        let folder = tempfile::tempdir().unwrap();
        for (parameters, expected) in [
            ("query = select v from a where k = '%s'\nexpansion_limit = 1", "Expansion limit exceeded"),
            ("query = select v from nowhere", "no such table"),
            ("query = delete from a", "readonly"),
            ("query = select '%s", "unrecognized token"),
        ] {
            let Some(table) = table(folder.path(), parameters) else { return };
            let error = table.unwrap().lookup(b"u@example.com").block().unwrap_err().to_string();
            assert!(error.contains(expected), "{parameters}: {error}");
        }
        for (parameters, expected) in [
            ("", "bad string length 0 < 1: table = "),
            ("table = a\nselect_field = v", "bad string length 0 < 1: where_field = "),
            ("query = '%x'", "Invalid query template: '%x'"),
            ("query = '%s'\nresult_format = %", "Invalid result template: %"),
            ("query = '%s'\nexpansion_limit = x", "bad numerical configuration: expansion_limit = x"),
            ("query = '%s'\ndbpath = /nonexistent/x", "Can't open database: unable to open database file"),
        ] {
            let Some(table) = table(folder.path(), parameters) else { return };
            let error = table.err().unwrap().to_string();
            assert!(error.ends_with(expected), "{parameters}: {error}");
        }
    }
}

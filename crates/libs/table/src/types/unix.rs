//! `unix:passwd.byname` and `unix:group.byname`: lines of the system's databases of users and groups.

use engine::accounts;
use tokio::runtime::Handle;

use crate::{Answer, Environment, Error, Lookup, Table};

#[derive(Clone, Copy)]
enum Database {
    Passwd,
    Group,
}

pub(crate) fn open(name: &str, _: &Environment) -> Result<Box<dyn Table>, Error> {
    match name {
        "passwd.byname" => Ok(Box::new(Database::Passwd)),
        "group.byname" => Ok(Box::new(Database::Group)),
        _ => {
            let spec = format!("unix:{name}");
            let reason = format!("unknown table: {spec}");
            Err(Error::config(spec, reason))
        }
    }
}

impl Database {
    fn ask(self, key: &[u8]) -> Answer {
        let Ok(name) = std::str::from_utf8(key) else {
            return Ok(None);
        };
        let (spec, line) = match self {
            Self::Passwd => ("unix:passwd.byname", accounts::passwd_by_name(name)),
            Self::Group => ("unix:group.byname", accounts::group_by_name(name)),
        };
        match line {
            Ok(line) => Ok(line.map(String::into_bytes)),
            Err(error) => Err(Error::temporary(spec, error.desc())),
        }
    }
}

impl Table for Database {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        let database = *self;
        let Ok(runtime) = Handle::try_current() else {
            return Lookup::Now(database.ask(key));
        };
        // The system's libraries may ask a server.
        let key = key.to_vec();
        let answer = runtime.spawn_blocking(move || database.ask(&key));
        Lookup::Later(Box::pin(async move {
            answer.await.unwrap_or_else(|_| Err(Error::temporary("unix", "lookup ended early")))
        }))
    }
}

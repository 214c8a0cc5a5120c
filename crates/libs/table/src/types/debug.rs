//! `debug:type:name`: another table, whose every look-up is logged.

use crate::{Answer, Class, Environment, Error, Keys, Lookup, Owner, Table};

struct Debug {
    name: String,
    table: Box<dyn Table>,
}

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let table = crate::open(name, environment)?;
    Ok(Box::new(Debug { name: name.to_owned(), table }))
}

impl Debug {
    fn log(&self, key: &[u8], answer: Answer) -> Answer {
        let shown = match &answer {
            Ok(Some(value)) => String::from_utf8_lossy(value),
            Ok(None) => "not found".into(),
            Err(Error { class: Class::Temporary, .. }) => "try again".into(),
            Err(Error { class: Class::Config, .. }) => "configuration error".into(),
        };
        tracing::info!("{} lookup: \"{}\" = \"{shown}\"", self.name, String::from_utf8_lossy(key));
        answer
    }
}

impl Table for Debug {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        match self.table.lookup(key) {
            Lookup::Now(answer) => Lookup::Now(self.log(key, answer)),
            Lookup::Later(future) => {
                let key = key.to_vec();
                Lookup::Later(Box::pin(async move { self.log(&key, future.await) }))
            }
        }
    }

    fn keys(&self) -> Keys {
        self.table.keys()
    }

    fn changed(&self) -> bool {
        self.table.changed()
    }

    fn owner(&self) -> Owner {
        self.table.owner()
    }
}

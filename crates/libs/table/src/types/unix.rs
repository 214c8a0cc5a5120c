//! `unix:passwd.byname` and `unix:group.byname`: lines of the system's databases of users and groups.

mod absent;

use std::sync::LazyLock;
use std::time::Duration;

use engine::accounts;
use offload::{Pace, Recent};
use tokio::runtime::Handle;

use crate::{Answer, Environment, Error, Lookup, Table};
use absent::Names;

/// Where the databases are files, asking them takes less than this; a server may take long.
static PACE: Pace = Pace::new(300);

/// An answer is good for so long. Whoever tries out names at random pays for each but once, and `@domain`, which is asked
/// after every name that is not there, costs nothing.
const FRESH: Duration = Duration::from_secs(1);

/// Answers that are kept.
const MOST: usize = 4096;

static KNOWN: LazyLock<Accounts> = LazyLock::new(Accounts::default);

static USERS: LazyLock<Names> = LazyLock::new(|| Names::new("/", "passwd"));
static GROUPS: LazyLock<Names> = LazyLock::new(|| Names::new("/", "group"));

/// Answers about users and groups, for as long as they are good.
pub(super) struct Accounts(Recent<Option<Vec<u8>>>);

impl Default for Accounts {
    fn default() -> Self {
        Self(Recent::new(MOST))
    }
}

impl Accounts {
    pub(super) fn find(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        self.0.find(key)
    }

    pub(super) fn keep(&self, key: &[u8], answer: &Option<Vec<u8>>) {
        self.0.keep(key.to_vec(), answer.clone(), FRESH);
    }
}

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
    fn name(self) -> &'static str {
        match self {
            Self::Passwd => "unix:passwd.byname",
            Self::Group => "unix:group.byname",
        }
    }

    fn ask(self, key: &[u8]) -> Answer {
        let Ok(name) = std::str::from_utf8(key) else {
            return Ok(None);
        };
        let line = match self {
            Self::Passwd if USERS.lack(key) => Ok(None),
            Self::Passwd => accounts::passwd_by_name(name),
            Self::Group if GROUPS.lack(key) => Ok(None),
            Self::Group => accounts::group_by_name(name),
        };
        match line {
            Ok(line) => Ok(line.map(String::into_bytes)),
            Err(error) => Err(Error::temporary(self.name(), error.desc())),
        }
    }
}

impl Table for Database {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        let database = *self;
        if Handle::try_current().is_err() {
            return Lookup::Now(database.ask(key));
        }
        let known = [self.name().as_bytes(), key].concat();
        if let Some(answer) = KNOWN.find(&known) {
            return Lookup::Now(Ok(answer));
        }
        let key = key.to_vec();
        Lookup::of(async move {
            let answer = PACE.run(move || database.ask(&key)).await?;
            KNOWN.keep(&known, &answer);
            Ok(answer)
        })
    }
}

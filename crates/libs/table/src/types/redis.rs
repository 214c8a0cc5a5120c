//! `redis:path`: a command to Redis servers, as the parameters in `path` say. Postfix has no such type.
//!
//! `hosts` (`inet:localhost:6379`), `user`, `password` and `dbname` (a number) say where; `query` (`GET %s`) is the
//! command: its words are taken apart before the parts of the key are put in, so that a key is never more than part of
//! one word. Each value of an answer is a result. `domain`, `result_format`, `expansion_limit`, `idle_interval` and
//! `retry_interval` are those of SQL tables; `tls = yes` and the `tls_` parameters of MySQL tables encrypt.

mod reply;

use crate::client::{Origin, Parameters, Shape, Template};
use crate::link::{Connection, Endpoint};
use crate::secure::{Check, Files, Tls};
use crate::servers::{Failure, Limits, Protocol, Remote, Servers, endpoint, host_name};
use crate::split::{SEPARATORS, items};
use crate::{Answer, Environment, Error, Table};

use tokio::io::AsyncWriteExt;

struct Redis {
    spec: String,
    words: Vec<Template>,
    shape: Shape,
    servers: Servers<Resp>,
    origin: Origin,
}

/// The protocol, and who we are.
struct Resp {
    /// What is said first: who we are, and which database is meant.
    greeting: Vec<Vec<String>>,
    tls: Option<Tls>,
}

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let parameters = Parameters::read("redis", path, environment)?;
    let query = parameters.text("query").unwrap_or_else(|| "GET %s".to_owned());
    let words: Result<Vec<_>, _> =
        query.split_ascii_whitespace().map(|word| parameters.template("query", word)).collect();
    let hosts = parameters.text("hosts").unwrap_or_else(|| "inet:localhost:6379".to_owned());
    let hosts = items(&hosts, SEPARATORS).into_iter().map(|host| endpoint(host, 6379));
    let hosts = hosts.map(|host| {
        let is_local = matches!(host, Endpoint::Unix(_));
        (host, is_local)
    });
    let limits = Limits::read(&parameters)?;
    Ok(Box::new(Redis {
        spec: format!("redis:{path}"),
        words: words?,
        shape: Shape::read(&parameters, environment)?,
        servers: Servers::new(protocol(&parameters)?, hosts.collect(), limits),
        origin: parameters.origin(),
    }))
}

fn protocol(parameters: &Parameters) -> Result<Resp, Error> {
    let mut greeting = Vec::new();
    if let Some(password) = parameters.text("password") {
        let words = ["AUTH".to_owned()].into_iter().chain(parameters.text("user")).chain([password]);
        greeting.push(words.collect());
    }
    if let Some(database) = parameters.text("dbname") {
        greeting.push(vec!["SELECT".to_owned(), database]);
    }
    let tls = match parameters.text("tls").as_deref() {
        Some("yes") => Some(tls(parameters)?),
        None | Some("no") => None,
        Some(_) => return Err(parameters.mistake("tls is neither yes nor no")),
    };
    Ok(Resp { greeting, tls })
}

fn tls(parameters: &Parameters) -> Result<Tls, Error> {
    let text = |name: &str| parameters.text(name).unwrap_or_default();
    let files = Files {
        authorities: text("tls_CAfile"),
        folder: text("tls_CApath"),
        certificate: text("tls_cert_file"),
        key: text("tls_key_file"),
    };
    Tls::open(&files, Check::wanted(parameters, &files), parameters)
}

/// See [`super::read_answers`].
pub(super) fn read_answers(mut bytes: &[u8]) {
    let _ = crate::block_on(reply::read(&mut bytes));
}

impl Protocol for Resp {
    type Host = Endpoint;
    type Session = Connection;
    type Question = Vec<String>;
    type Reply = Vec<Vec<u8>>;

    async fn open(&self, host: &Endpoint) -> Result<Connection, Failure> {
        let mut connection = host.connect().await?;
        if let (Some(tls), Endpoint::Inet(_)) = (&self.tls, host) {
            connection = tls.secure(connection, host_name(host)).await?;
        }
        for words in &self.greeting {
            self.ask(&mut connection, words).await?;
        }
        Ok(connection)
    }

    async fn ask(&self, connection: &mut Connection, words: &Vec<String>) -> Result<Vec<Vec<u8>>, Failure> {
        connection.write_all(&reply::command(words)).await?;
        connection.flush().await?;
        reply::read(connection).await?.map_err(Failure::Refused)
    }
}

impl Remote for Redis {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn ask(&self, key: Vec<u8>) -> Answer {
        let Some(key) = self.shape.admitted(key).await? else {
            return Ok(None);
        };
        let words: Option<Vec<_>> = self.words.iter().map(|word| word.expand(&key, &key, str::to_owned)).collect();
        let Some(words) = words else {
            return Ok(None);
        };
        let results = self.servers.ask(&self.spec, &words).await?;
        self.shape.value(&key, &results, &self.spec)
    }
}

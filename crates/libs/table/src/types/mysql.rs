//! `mysql:path`: a query of MySQL or MariaDB servers, as the parameters in `path` say. See mysql_table(5).

mod login;
mod packet;
mod session;
mod settings;

use crate::client::{Origin, Parameters, Shape, Template};
use crate::link::Endpoint;
use crate::servers::{Failure, Limits, Protocol, Remote, Servers};
use crate::{Answer, Environment, Error, Table};

use session::{Results, Session};
use settings::Settings;

struct Mysql {
    spec: String,
    query: Template,
    shape: Shape,
    nothing: Nothing,
    servers: Servers<Wire>,
    origin: Origin,
}

/// What an answer without a result set is (`require_result_set`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nothing {
    Trouble,
    NotFound,
}

/// The protocol.
struct Wire(Settings);

/// A query.
struct Question {
    text: String,
    most: usize,
}

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let parameters = Parameters::read("mysql", path, environment)?;
    let nothing = match parameters.text("require_result_set").as_deref() {
        None | Some("yes") => Nothing::Trouble,
        Some("no") => Nothing::NotFound,
        Some(_) => return Err(parameters.mistake("require_result_set is neither yes nor no")),
    };
    let (settings, hosts) = settings::read(&parameters)?;
    let hosts = hosts.into_iter().map(|host| {
        let is_local = matches!(host, Endpoint::Unix(_));
        (host, is_local)
    });
    let limits = Limits::read(&parameters)?;
    Ok(Box::new(Mysql {
        spec: format!("mysql:{path}"),
        query: parameters.sql()?,
        shape: Shape::read(&parameters, environment)?,
        nothing,
        servers: Servers::new(Wire(settings), hosts.collect(), limits),
        origin: parameters.origin(),
    }))
}

/// See [`super::read_answers`].
pub(super) fn read_answers(mut bytes: &[u8]) {
    while let Ok(packet) = crate::block_on(packet::read(&mut bytes)) {
        let _ = (packet.greeting().is_ok(), packet.heading().is_ok(), packet.end().is_ok(), packet.row().is_ok());
    }
    let _ = login::sealed("password", b"challenge", bytes).is_ok();
}

impl Protocol for Wire {
    type Host = Endpoint;
    type Session = Session;
    type Question = Question;
    type Reply = Results;

    async fn open(&self, host: &Endpoint) -> Result<Session, Failure> {
        Session::open(host, &self.0).await
    }

    async fn ask(&self, session: &mut Session, question: &Question) -> Result<Results, Failure> {
        session.ask(&question.text, question.most).await
    }
}

/// A part of a key, to stand between quotes of either kind.
fn quoted(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for letter in part.chars() {
        match letter {
            '\0' => text.push_str("\\0"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\x1a' => text.push_str("\\Z"),
            '\\' | '\'' | '"' => text.extend(['\\', letter]),
            _ => text.push(letter),
        }
    }
    text
}

impl Remote for Mysql {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn ask(&self, key: Vec<u8>) -> Answer {
        let Some(key) = self.shape.admitted(key).await? else {
            return Ok(None);
        };
        let Some(text) = self.query.expand(&key, &key, quoted) else {
            return Ok(None);
        };
        let question = Question { text, most: self.shape.most() };
        let results = self.servers.ask(&self.spec, &question).await?;
        match (results.as_slice(), self.nothing) {
            ([values], _) => self.shape.value(&key, values, &self.spec),
            ([], Nothing::NotFound) => Ok(None),
            ([], Nothing::Trouble) => Err(Error::temporary(&self.spec, "query has no result set")),
            _ => Err(Error::temporary(&self.spec, "multiple result sets returning data are not supported")),
        }
    }
}

//! `mongodb:path`: a query of MongoDB servers, as the parameters in `path` say.
//!
//! `uri` (`mongodb://user:password@host,host/database`), `dbname` and `collection` say where; `query_filter` is the
//! filter in JSON, whose `%s` and its kind stand between double quotes. `result_attribute` lists the fields that make
//! the result, or `projection` says in JSON how they are made: texts, whole numbers, and lists of them.
//! `result_format`, `domain` and `expansion_limit` (10) are those of SQL tables, as are `idle_interval` and
//! `retry_interval`.
//!
//! Replicas answer where the primary does not. Of extended JSON nothing is known.

mod bson;
mod json;
mod session;
mod uri;

use crate::client::{Origin, Parameters, Shape, Template};
use crate::link::Endpoint;
use crate::servers::{Failure, Limits, Protocol, Remote, Servers};
use crate::split::{SEPARATORS, items};
use crate::{Answer, Environment, Error, Table};

use bson::Document;
use session::Session;
use uri::Uri;

struct Mongodb {
    spec: String,
    query_filter: Template,
    shape: Shape,
    servers: Servers<Wire>,
    origin: Origin,
}

/// The protocol, who we are, and where documents are.
struct Wire {
    uri: Uri,
    database: String,
    collection: String,
    projection: Document,
    spec: String,
}

/// How many results there may be where the parameters do not say.
const MOST_RESULTS: usize = 10;
/// How many documents may match.
const MOST_DOCUMENTS: i32 = 1000;

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("mongodb:{path}");
    let parameters = Parameters::read("mongodb", path, environment)?;
    let uri = Uri::read(&parameters.required("uri")?, &parameters)?;
    let hosts = uri.hosts.iter().map(|host| (host.clone(), matches!(host, Endpoint::Unix(_)))).collect();
    let limits = Limits::read(&parameters)?;
    let wire = Wire {
        uri,
        database: parameters.required("dbname")?,
        collection: parameters.required("collection")?,
        projection: projection(&parameters)?,
        spec: spec.clone(),
    };
    Ok(Box::new(Mongodb {
        spec,
        query_filter: parameters.template("query", &parameters.required("query_filter")?)?,
        shape: Shape::read_with(MOST_RESULTS, &parameters, environment)?,
        servers: Servers::new(wire, hosts, limits),
        origin: parameters.origin(),
    }))
}

/// Which fields are wanted; the document's own id is not.
fn projection(parameters: &Parameters) -> Result<Document, Error> {
    let mut wanted = match (parameters.text("projection"), parameters.text("result_attribute")) {
        (Some(projection), None) => json::document(&projection)
            .map_err(|reason| parameters.mistake(&format!("bad projection '{projection}': {reason}")))?,
        (None, Some(names)) => {
            let mut wanted = Document::default();
            items(&names, SEPARATORS).into_iter().for_each(|name| wanted.integer(name, 1));
            wanted
        }
        _ => return Err(parameters.mistake("need either projection or result_attribute")),
    };
    wanted.integer("_id", 0);
    Ok(wanted)
}

/// See [`super::read_answers`].
pub(super) fn read_answers(mut bytes: &[u8]) {
    let _ = json::document(&String::from_utf8_lossy(bytes)).is_ok();
    while let Ok(reply) = crate::block_on(session::read(&mut bytes)) {
        let _ = session::documents(&reply).and_then(|documents| results(&documents, "")).is_ok();
    }
}

/// The values of all fields, lists of lists in one.
fn results(documents: &[&[u8]], spec: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let mut values = Vec::new();
    for document in documents {
        bson::values(document, spec, &mut values)?;
    }
    Ok(values)
}

impl Protocol for Wire {
    type Host = Endpoint;
    type Session = Session;
    type Question = Document;
    type Reply = Vec<Vec<u8>>;

    async fn open(&self, host: &Endpoint) -> Result<Session, Failure> {
        Session::open(host, &self.uri).await
    }

    async fn ask(&self, session: &mut Session, filter: &Document) -> Result<Vec<Vec<u8>>, Failure> {
        let mut replicas_too = Document::default();
        replicas_too.text("mode", "primaryPreferred");
        let mut command = Document::default();
        command.text("find", &self.collection);
        command.document("filter", filter);
        command.document("projection", &self.projection);
        command.integer("limit", MOST_DOCUMENTS);
        command.integer("batchSize", MOST_DOCUMENTS);
        command.boolean("singleBatch", true);
        command.text("$db", &self.database);
        command.document("$readPreference", &replicas_too);
        let reply = session.call(command).await?;
        let documents = session::documents(&reply)?;
        if i32::try_from(documents.len()).is_ok_and(|count| count < MOST_DOCUMENTS) {
            return results(&documents, &self.spec);
        }
        Err(Failure::Refused("too many documents match".to_owned()))
    }
}

impl Remote for Mongodb {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn ask(&self, key: Vec<u8>) -> Answer {
        let Some(key) = self.shape.admitted(key).await? else {
            return Ok(None);
        };
        let Some(text) = self.query_filter.expand(&key, &key, json::quoted) else {
            return Ok(None);
        };
        let filter = json::document(&text).map_err(|reason| {
            let reason = format!("failed to create a query from '{text}': {reason}");
            Error::temporary(&self.spec, reason)
        })?;
        let results = self.servers.ask(&self.spec, &filter).await?;
        self.shape.value(&key, &results, &self.spec)
    }
}

#[cfg(test)]
mod tests;

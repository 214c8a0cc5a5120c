//! `ldap:path`: a search of LDAP servers, as the parameters in `path` say. See ldap_table(5).
//!
//! Servers are asked in their order. Referrals are not followed, and of SASL there are EXTERNAL and PLAIN.

mod ber;
mod expand;
mod filter;
mod message;
mod session;
mod settings;
mod url;

use std::time::Duration;

use crate::client::{Origin, Parameters, Shape, Template};
use crate::link::Endpoint;
use crate::servers::{Failure, Limits, Order, Protocol, Remote, Servers};
use crate::{Answer, Environment, Error, Table};

use expand::{Origin as Base, Reach, Wanted};
use message::{Scope, Search};
use session::{Host, Manner, Session};

struct Ldap {
    spec: String,
    search_base: Template,
    query_filter: Template,
    scope: Scope,
    attributes: Vec<String>,
    shape: Shape,
    servers: Servers<Wire>,
    origin: Origin,
}

/// The protocol, and what is made of answers.
struct Wire {
    manner: Manner,
    wanted: Wanted,
    reach: Reach,
}

/// All searches for one key.
const LONGEST: Duration = Duration::from_secs(600);

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let parameters = Parameters::read("ldap", path, environment)?;
    let filter = parameters.text("query_filter").unwrap_or_else(|| "(mailacceptinggeneralid=%s)".to_owned());
    let query_filter = parameters.template("query_filter", &filter)?;
    if query_filter.is_fixed() {
        tracing::warn!("ldap:{path}: Fixed query_filter {filter} is probably useless");
    }
    let base = parameters.text("search_base").unwrap_or_default();
    let hosts = settings::hosts(&parameters)?.into_iter().map(|host| {
        let is_local = matches!(host.endpoint, Endpoint::Unix(_));
        (host, is_local)
    });
    let limits = Limits { order: Order::Listed, answer: LONGEST, ..Limits::read(&parameters)? };
    let wanted = settings::wanted(&parameters);
    let attributes = wanted.names();
    if attributes.is_empty() {
        return Err(parameters.mistake("no result attribute is given"));
    }
    let wire = Wire { manner: settings::manner(&parameters)?, wanted, reach: settings::reach(&parameters)? };
    let limits = Limits { connect: wire.manner.timeout, ..limits };
    Ok(Box::new(Ldap {
        spec: format!("ldap:{path}"),
        search_base: parameters.template("search_base", &base)?,
        query_filter,
        scope: settings::scope(&parameters),
        attributes,
        shape: Shape::read(&parameters, environment)?,
        servers: Servers::new(wire, hosts.collect(), limits),
        origin: parameters.origin(),
    }))
}

/// See [`super::read_answers`].
pub(super) fn read_answers(mut bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let _ = (url::Url::parse(&text).is_some(), filter::encode(&text).is_some());
    while let Ok(message) = crate::block_on(message::read(&mut bytes)) {
        let _ = (message.outcome().is_ok(), message.attributes().is_ok());
    }
}

impl Protocol for Wire {
    type Host = Host;
    type Session = Session;
    type Question = (Search, Base);
    type Reply = Vec<Vec<u8>>;

    async fn open(&self, host: &Host) -> Result<Session, Failure> {
        Session::open(host, &self.manner).await
    }

    async fn ask(&self, session: &mut Session, (search, base): &(Search, Base)) -> Result<Vec<Vec<u8>>, Failure> {
        expand::expand(session, &self.manner, &self.wanted, self.reach, (search, *base)).await
    }
}

impl Remote for Ldap {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn ask(&self, key: Vec<u8>) -> Answer {
        let Some(key) = self.shape.admitted(key).await? else {
            return Ok(None);
        };
        let base = self.search_base.expand(&key, &key, filter::quoted_name);
        let filter = self.query_filter.expand(&key, &key, filter::quoted);
        let (Some(base), Some(text)) = (base, filter) else {
            return Ok(None);
        };
        let Some(filter) = filter::encode(&text) else {
            return Err(Error::config(&self.spec, format!("bad search filter: {text}")));
        };
        let search = Search { base, scope: self.scope, filter, attributes: self.attributes.clone() };
        let origin = if self.search_base.is_fixed() { Base::Fixed } else { Base::Derived };
        let results = self.servers.ask(&self.spec, &(search, origin)).await?;
        self.shape.value(&key, &results, &self.spec)
    }
}

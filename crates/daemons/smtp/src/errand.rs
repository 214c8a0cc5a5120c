//! One delivery: from its next hops to an outcome for every recipient.
//!
//! Servers are tried in order. What may be better elsewhere is only noted while there is another server to try; the last
//! one decides. A recipient that was settled is never tried again. What is left in the end waits, or comes back, for the
//! reason that was seen last.

mod admit;
mod greet;
mod pass;
mod settle;

use std::collections::BTreeSet;

use delivery::Attempt;
use delivery::agent::{Delivery, Destination};
use dsn::{Class, Detail, Status};
use ipc::deliver::Request;
use queue_file::{TLS_NOT_REQUIRED, TLS_REQUIRED, Time};
use smtp_proto::ehlo::Keyword;
use tracing::{info, warn};

use crate::auth::Dependence;
use crate::carrier::{Carrier, Demand, OutputConversion};
use crate::content::{Conversion, Message};
use crate::dialogue::Farewell;
use crate::envelope::{Terms, needs_utf8};
use crate::failure::{Failure, Scope};
use crate::flavor::Flavor;
use crate::nexthop::{self, Mx, Nexthop};
use crate::order::Candidate;
use crate::peer::Peer;
use crate::pix::Item;
use crate::requiretls::{self, Enforcement};
use crate::route::{Detour, LOOP, Loops, Route, Target, Unroutable};
use crate::secure::Reuse;
use crate::session::{Fitness, Mirror, Ready};
use crate::transaction::{Broken, Envelope, Verdicts};

/// The port on which mail could come back to us.
const SMTP_PORT: u16 = 25;

/// A delivery in progress.
pub struct Errand<'a> {
    carrier: &'a Carrier,
    delivery: &'a Delivery,
    /// Numbers of the recipients without an outcome.
    left: BTreeSet<usize>,
    /// What went wrong last.
    why: Option<Detail>,
    turn: Turn,
    /// How strictly the sender's request for TLS is kept on the way to the next hop.
    enforcement: Enforcement,
    attempt: Attempt,
    destination: Destination,
}

/// Whether another server can be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    More,
    Last,
}

/// A member of the list of next hops.
#[derive(Debug, Clone, Copy)]
struct Hop<'a> {
    text: &'a str,
    turn: Turn,
}

/// A server to be tried.
struct Server<'a> {
    peer: Peer,
    /// The host or domain that it serves.
    domain: &'a str,
    mirror: Mirror,
}

/// How an exchange over a kept connection went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchanged {
    Done,
    Stale,
}

impl<'a> Errand<'a> {
    /// A delivery at its start.
    #[must_use]
    pub fn new(carrier: &'a Carrier, delivery: &'a Delivery) -> Self {
        Self {
            carrier,
            delivery,
            left: (0..delivery.request().recipients.len()).collect(),
            why: None,
            turn: Turn::More,
            enforcement: Enforcement::None,
            attempt: Attempt::by("none"),
            destination: Destination::Reached,
        }
    }

    /// Carries it out.
    pub async fn run(mut self) -> Destination {
        self.admit().await;
        let request = self.request();
        let mut hops: Vec<_> = nexthop::split(&request.nexthop).collect();
        let own = hops.len();
        if !hops.first().is_some_and(|hop| hop.starts_with("unix:")) {
            hops.extend(self.carrier.rules.fallback.iter().map(String::as_str));
        }
        let mut reached_fallback = false;
        for (at, text) in hops.iter().enumerate() {
            if self.left.is_empty() {
                break;
            }
            reached_fallback = at >= own;
            self.why = None;
            self.attempt = Attempt::by("none");
            let turn = if at + 1 == hops.len() { Turn::Last } else { Turn::More };
            let detour = self.hop(Hop { text, turn }).await;
            // A backup would only send it round once more.
            if detour == Detour::Closed || self.why.as_ref().is_some_and(|why| why.status == LOOP) {
                break;
            }
        }
        self.leave(reached_fallback).await;
        self.destination
    }

    fn request(&self) -> &'a Request {
        self.delivery.request()
    }

    async fn hop(&mut self, hop: Hop<'_>) -> Detour {
        let (servers, detour) = match self.servers(hop.text).await {
            Ok(found) => found,
            Err(Unroutable { detail, detour }) => {
                self.why = Some(detail);
                return detour;
            }
        };
        let name = servers.first().map_or(hop.text, |server| server.domain);
        match self.strictness(name).await {
            Ok(enforcement) => self.enforcement = enforcement,
            Err(detail) => {
                self.why = Some(detail);
                return detour;
            }
        }
        let turn = if detour == Detour::Closed { Turn::Last } else { hop.turn };
        self.visit(servers, Hop { turn, ..hop }).await;
        detour
    }

    /// The servers of a next hop, best first.
    async fn servers<'t>(&self, text: &'t str) -> Result<(Vec<Server<'t>>, Detour), Unroutable>
    where
        'a: 't,
    {
        let misconfigured = |reason: String| {
            warn!("{reason}");
            Detail::new(Status::temporary(3, 5), reason)
        };
        let carrier = self.carrier;
        let dialect = &carrier.dialect;
        let (host, port, mx) =
            match Nexthop::parse(text, dialect.flavor).map_err(|error| misconfigured(error.to_string()))? {
                Nexthop::Unix(path) => {
                    let domain = &dialect.myhostname;
                    let server = Server { peer: Peer::unix(domain, path), domain, mirror: Mirror::Harmless };
                    return Ok((vec![server], Detour::Open));
                }
                Nexthop::Inet { host, port, mx } => (host, port, mx),
            };
        let service = port.unwrap_or(&self.carrier.rules.default_port);
        let number = self.carrier.services.port(service);
        let number = number.ok_or_else(|| misconfigured(format!("unknown service: {service}/tcp")))?;
        let loops = if number == SMTP_PORT && dialect.flavor == Flavor::Smtp { Loops::Detect } else { Loops::Ignore };
        let target = Target { host, service: port, mx, loops };
        let Route { candidates, detour } = self.carrier.router.route(target).await?;
        let best = candidates.iter().map(|candidate| candidate.preference).min();
        let server = |candidate: Candidate| Server {
            peer: Peer {
                alias: candidate.alias,
                ..Peer::inet(candidate.name, candidate.address, candidate.port.unwrap_or(number))
            },
            domain: host,
            mirror: match loops {
                Loops::Ignore => Mirror::Harmless,
                Loops::Detect if Some(candidate.preference) == best || mx == Mx::Suppressed => Mirror::Final,
                Loops::Detect => Mirror::Later,
            },
        };
        Ok((candidates.into_iter().map(server).collect(), detour))
    }

    /// Tries servers until all recipients have an outcome or a limit is reached.
    async fn visit(&mut self, mut servers: Vec<Server<'_>>, hop: Hop<'_>) {
        let (most_sessions, most_addresses) = (self.carrier.rules.sessions, self.carrier.rules.addresses);
        let mut sessions = 0;
        while !self.left.is_empty()
            && let Some(ready) = self.carrier.pool.take(&self.key(hop.text))
        {
            let peer = ready.peer().clone();
            let others = servers.iter().any(|server| server.peer != peer) && sessions + 1 != most_sessions;
            self.turn = if others { Turn::More } else { hop.turn };
            if let Some(words) = &ready.reused {
                info!("{words}");
            }
            if self.exchange(ready, hop).await == Exchanged::Stale {
                continue;
            }
            sessions += 1;
            servers.retain(|server| server.peer != peer);
            if sessions == most_sessions {
                return;
            }
        }
        if most_addresses > 0 {
            servers.truncate(most_addresses);
        }
        let mut servers = servers.into_iter().peekable();
        while !self.left.is_empty()
            && let Some(server) = servers.next()
        {
            let more = servers.peek().is_some();
            self.turn = if more { Turn::More } else { hop.turn };
            // Few deliveries need a new connection, and the others no room for its handshakes.
            let Some(ready) = Box::pin(self.greet(&server, hop)).await else { continue };
            sessions += 1;
            if sessions == most_sessions {
                self.turn = hop.turn;
            }
            self.exchange(ready, hop).await;
            if sessions == most_sessions {
                return;
            }
        }
    }

    /// Whether the sender does without TLS.
    fn waives_tls(&self) -> bool {
        self.request().message.smtputf8 & TLS_NOT_REQUIRED != 0 && self.enforcement == Enforcement::None
    }

    /// How strictly the sender's request for TLS is kept on the way to a host or domain.
    async fn strictness(&self, name: &str) -> Result<Enforcement, Detail> {
        let requested = self.request().message.smtputf8 & TLS_REQUIRED != 0;
        match self.carrier.policies.requiretls.as_ref().filter(|_| requested) {
            Some(policy) => policy.of(name).await,
            None => Ok(Enforcement::None),
        }
    }

    /// What a kept session is known by: whose password was used is a part of it, and so is how much TLS it had to have.
    fn key(&self, hop: &str) -> String {
        let waived = match self.enforcement {
            Enforcement::None if self.waives_tls() => " TLS-Required: no",
            Enforcement::None => "",
            Enforcement::Opportunistic | Enforcement::Starttls | Enforcement::Full => " REQUIRETLS",
        };
        match &self.carrier.auth {
            Some(auth) if auth.dependence == Dependence::Sender => {
                format!("{hop}{waived} {}", String::from_utf8_lossy(&self.request().message.sender))
            }
            Some(_) | None => format!("{hop}{waived}"),
        }
    }

    /// Sends the message to all that are left over a session.
    async fn exchange(&mut self, mut ready: Ready, hop: Hop<'_>) -> Exchanged {
        self.attempt = Attempt {
            relay: ready.dialogue.relay().to_owned(),
            connected: Some(Time::now().as_microseconds()),
            conn_use: ready.uses + 1,
            tls: self.attempt.tls.take(),
            ..Attempt::default()
        };
        if let Some(failure) = self.unfit(&ready) {
            self.fail(failure).await;
            self.release(ready, hop).await;
            return Exchanged::Done;
        }
        let (request, carrier) = (self.request(), self.carrier);
        ready.dialogue.concern(Item::of(request));
        ready.dialogue.carry(&request.message.sender);
        let conversion = self.conversion(&ready);
        let requiretls = requiretls::Request::over(&ready, self.enforcement);
        let terms = Terms { offer: &ready.offer, conversion, login: ready.login, requiretls };
        let (envelope, head) = match self.addressed(terms).await {
            Ok(both) => both,
            Err(detail) => {
                self.fail(Failure::message(detail)).await;
                self.release(ready, hop).await;
                return Exchanged::Done;
            }
        };
        let mut body = Message::new(request, self.delivery.file(), conversion, &carrier.treatment).headed_by(head);
        let mut verdicts = Verdicts::default();
        let result = ready.transact(&envelope, &mut body, &mut verdicts).await;
        let put_off = self.judge(&ready, verdicts, envelope.goal).await;
        let exchanged = self.conclude(ready, result, hop).await;
        self.left.extend(put_off);
        exchanged
    }

    /// The message's envelope, and what is put before it, with addresses as they are outside.
    async fn addressed(&self, terms: Terms<'_>) -> Result<(Envelope, Vec<u8>), Detail> {
        let (request, carrier) = (self.request(), self.carrier);
        let generic = &carrier.treatment.generic;
        let recipients = self.left.iter().filter_map(|number| request.recipients.get(*number));
        let head = carrier.attributes.head(&request.message.sender, recipients, generic).await?;
        Ok((carrier.style.envelope(request, &self.left, terms, generic).await?, head))
    }

    /// What a transaction as a whole has come to, for those that had no reply of their own.
    async fn conclude(&mut self, mut ready: Ready, result: Result<(), Broken>, hop: Hop<'_>) -> Exchanged {
        match result {
            Ok(()) => self.release(ready, hop).await,
            Err(Broken::Stale) => return Exchanged::Stale,
            Err(Broken::Failed(failure)) => {
                let scope = failure.scope;
                self.fail(failure).await;
                match scope {
                    Scope::Message => self.release(ready, hop).await,
                    Scope::Site => ready.dialogue.conclude().await,
                }
            }
        }
        Exchanged::Done
    }

    /// Why a server cannot have this message at all.
    fn unfit(&self, ready: &Ready) -> Option<Failure> {
        let message = &self.request().message;
        let peer = ready.peer();
        match ready.offer.size {
            Some(limit) if limit > 0 && message.data_size > limit => {
                let size = message.data_size;
                let reason = format!("message size {size} exceeds size limit {limit} of server {peer}");
                return Some(Failure::message(Detail::new(Status::permanent(3, 4), reason)));
            }
            Some(_) | None => {}
        }
        if !needs_utf8(message) || ready.offer.has(Keyword::SmtpUtf8) {
            return None;
        }
        let reason = format!(
            "message requires SMTPUTF8, but no server was found that supports SMTPUTF8. \
             The last attempted server was {peer}"
        );
        let class = if self.turn == Turn::Last { Class::Permanent } else { Class::Temporary };
        Some(Failure::message(Detail::new(Status::permanent(6, 7).in_class(class), reason)))
    }

    fn conversion(&self, ready: &Ready) -> Conversion {
        let able = ready.offer.has(Keyword::EightBitMime);
        let declared = self.request().message.encoding == "7bit";
        match self.carrier.rules.conversion {
            OutputConversion::Enabled if !able && !declared => Conversion::SevenBit,
            OutputConversion::Enabled | OutputConversion::Disabled => Conversion::None,
        }
    }

    /// Keeps a session for the next delivery, or ends it.
    async fn release(&self, mut ready: Ready, hop: Hop<'_>) {
        let carrier = self.carrier;
        ready.abandon().await;
        if self.is_wanted(&ready, hop.text).await && carrier.keeping.allows(&ready) {
            ready.dialogue.conclude().await;
            carrier.pool.keep(self.key(hop.text), ready, carrier.keeping);
            return;
        }
        let farewell = if ready.fitness == Fitness::Fit { carrier.keeping.farewell } else { Farewell::Skip };
        match farewell {
            Farewell::Skip => ready.dialogue.quit(farewell).await,
            Farewell::Wait => drop(tokio::spawn(ready.dialogue.quit(farewell))),
        }
    }

    async fn is_wanted(&self, ready: &Ready, hop: &str) -> bool {
        let carrier = self.carrier;
        if ready.trust.is_some() && ready.reuse == Reuse::Never {
            return false;
        }
        let demanded = carrier.rules.demand == Demand::Observed
            && (ready.uses > 1 || carrier.crowd.has_others(&self.request().nexthop));
        if demanded || carrier.kept_destinations.is_empty() {
            return demanded;
        }
        let bare = match Nexthop::parse(hop, carrier.dialect.flavor) {
            Ok(Nexthop::Inet { host, .. }) => host,
            Ok(Nexthop::Unix(_)) | Err(_) => return false,
        };
        let listed = |name: String| async move { carrier.kept_destinations.matches_domain(name.as_bytes()).await };
        matches!(listed(bare.to_owned()).await, Ok(true)) || matches!(listed(hop.to_owned()).await, Ok(true))
    }
}

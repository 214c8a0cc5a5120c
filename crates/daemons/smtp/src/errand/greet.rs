//! From a server's address to a session that takes mail: connection, greetings, TLS, authentication.

use std::time::Duration;

use delivery::Attempt;
use dsn::Detail;
use ipc::deliver::{Request, Times};
use queue_file::Time;
use tls::client::{Level, Policy};
use tracing::{info, warn};

use super::{Errand, Hop, Server, Turn};
use crate::carrier::Carrier;
use crate::dane;
use crate::dialogue::Farewell;
use crate::external_policy::External;
use crate::failure::Failure;
use crate::peer::Peer;
use crate::pix::Item;
use crate::requiretls::{self, Breach, Enforcement};
use crate::secure::{FeatureStatus, Greeting, Shortfall, Start, Terms};
use crate::session::{Connected, Ready};
use crate::tls_policy::{Asked, Destination, Wish};
use crate::tls_report::Case;

impl Errand<'_> {
    /// Connects and greets; a failure is noted, or settles all that is left.
    pub(super) async fn greet(&mut self, server: &Server<'_>, hop: Hop<'_>) -> Option<Ready> {
        self.attempt = Attempt::by("none");
        let destination = Destination { nexthop: hop.text, domain: server.domain, peer: &server.peer };
        let Asked { wish, mut policy, way, external, reuse } = match self.policy(destination).await {
            Ok(found) => found,
            Err(detail) => {
                warn!("TLS policy lookup for {}/{}: {}", hop.text, server.peer.name, detail.reason);
                self.fail(Failure::site(detail)).await;
                return None;
            }
        };
        if self.carrier.tls.start == Start::FirstByte && policy.level < Level::Encrypt {
            self.warn_of_wrapper();
            return None;
        }
        let report = report(self.carrier, server, &policy, &external).await;
        let forced = external.failure();
        let terms = Terms { report: report.as_ref(), forced, enforcement: self.enforcement, way };
        loop {
            let Some(connected) = self.connect(server).await else {
                self.attempt.tls = self.undecided(wish);
                return None;
            };
            match self.establish(connected, &policy, terms, server).await {
                Ok(ready) => {
                    self.attempt.tls = self.feature_status(wish, &ready);
                    let ready = self.authenticated(ready, hop).await?;
                    return Some(Ready { reuse: reuse.unwrap_or(self.carrier.tls.reuse), ..ready });
                }
                Err(Shortfall::PlainWillDo(failure)) if self.may_go_plain(&server.peer, hop).await => {
                    info!("{}: {}", self.request().queue_id, failure.detail.reason);
                    policy.level = Level::None;
                }
                Err(Shortfall::Failed(failure) | Shortfall::PlainWillDo(failure)) => {
                    self.attempt.tls = self.undecided(wish);
                    self.fail_connected(failure).await;
                    return None;
                }
                Err(Shortfall::Unsafe(Breach { failure, status })) => {
                    self.attempt.tls = self.shown(wish, status);
                    let failure = if self.turn == Turn::More { requiretls::for_now(failure) } else { failure };
                    self.fail_connected(failure).await;
                    return None;
                }
            }
        }
    }

    /// A session in which we have logged in, where we have to.
    async fn authenticated(&mut self, mut ready: Ready, hop: Hop<'_>) -> Option<Ready> {
        let Some(auth) = &self.carrier.auth else { return Some(ready) };
        match auth.authenticate(&mut ready, &self.request().message.sender, hop.text).await {
            Ok(()) => Some(ready),
            Err(failure) => {
                ready.dialogue.quit(Farewell::Skip).await;
                self.fail_connected(failure).await;
                None
            }
        }
    }

    /// A failure once there was a connection.
    async fn fail_connected(&mut self, failure: Failure) {
        self.attempt.connected = Some(Time::now().as_microseconds());
        self.fail(failure).await;
    }

    fn warn_of_wrapper(&self) {
        let parameter = |name| self.carrier.dialect.flavor.parameter(name);
        let (mode, level) = (parameter("smtp_tls_wrappermode"), parameter("smtp_tls_security_level"));
        warn!("{mode} requires \"{level} = encrypt\" (or stronger)");
    }

    /// Whether the message may go in plain to a server that fails at TLS: it has waited for a better one, and no password
    /// goes with it.
    async fn may_go_plain(&self, peer: &Peer, hop: Hop<'_>) -> bool {
        let Request { times, message, .. } = self.request();
        match &self.carrier.auth {
            _ if !has_waited(*times, self.carrier.rules.plain_after) => false,
            Some(auth) => auth.knows_none(&peer.name, &message.sender, hop.text).await,
            None => true,
        }
    }

    async fn connect(&mut self, server: &Server<'_>) -> Option<Connected> {
        let carrier = self.carrier;
        match Connected::open(&server.peer, &carrier.dialect, &carrier.source).await {
            Ok(mut connected) => {
                connected.carry(Item::of(self.request()), &self.request().message.sender);
                self.attempt = Attempt::by(server.peer.relay());
                Some(connected)
            }
            Err(failure) => {
                if server.peer.address().is_some() {
                    info!("{}", failure.detail.reason);
                }
                self.why = Some(*failure.detail);
                None
            }
        }
    }

    async fn establish(
        &self,
        connected: Connected,
        policy: &Policy,
        terms: Terms<'_>,
        server: &Server<'_>,
    ) -> Result<Ready, Shortfall> {
        let greeting = Greeting { mirror: server.mirror, nexthop: &self.request().nexthop, terms };
        self.carrier.tls.establish(connected, policy, greeting).await
    }

    /// What is asked for, and with DANE what the TLSA records make of it.
    async fn policy(&self, destination: Destination<'_>) -> Result<Asked, Detail> {
        let policies = &self.carrier.policies;
        let mut asked = policies.of(destination).await?;
        if self.waives_tls() {
            asked = policies.waived(asked, destination);
        }
        let Asked { wish, mut policy, mut way, external, reuse } = asked;
        if let Some(dane) = wish.dane {
            let rules = &policies.defaults.tlsa;
            (policy, way) = dane::policy(&self.carrier.router.resolver, (dane, rules), destination, policy).await?;
        }
        policy = policies.raised(policy, self.enforcement, destination);
        Ok(Asked { wish, policy, way, external, reuse })
    }

    /// `tls=` on the delivery line: the level that was wanted, and what came of it where that is less.
    fn feature_status(&self, wish: Wish, ready: &Ready) -> Option<String> {
        let fallen = wish.level == Level::May && ready.trust.is_none();
        let request = requiretls::status(ready, self.enforcement);
        self.shown(wish, &format!("{}{request}", if fallen { ":none" } else { "" }))
    }

    /// Before there is TLS, or a reason why not.
    fn undecided(&self, wish: Wish) -> Option<String> {
        let level = if wish.level == Level::None { "" } else { "?" };
        let request = if self.enforcement == Enforcement::None { "" } else { "/requiretls?" };
        self.shown(wish, &format!("{level}{request}"))
    }

    fn shown(&self, wish: Wish, rest: &str) -> Option<String> {
        (self.carrier.tls.status == FeatureStatus::Shown).then(|| format!("{}{rest}", wish.name()))
    }
}

/// Whether a message had been in the queue for some time when its turn came.
fn has_waited(times: Times, time: Duration) -> bool {
    u64::try_from(times.active.saturating_sub(times.arrived)).is_ok_and(|waited| Duration::from_micros(waited) >= time)
}

/// Whom to tell what comes of TLS with a server, if its domain wants that.
async fn report<'c>(
    carrier: &'c Carrier,
    server: &Server<'_>,
    policy: &Policy,
    external: &External,
) -> Option<Case<'c>> {
    let reporter =
        carrier.reporter.as_ref().filter(|_| policy.level != Level::None && dns::is_hostname(server.domain))?;
    let subject = reporter.asked_by(&carrier.router.resolver, server.domain).await?;
    Some(reporter.case(subject, policy, external))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_from_the_queue_has_waited() {
        let second = 1_000_000;
        for (active, expected) in [(0, false), (299, false), (300, true), (4000, true), (-1, false)] {
            let times = Times { arrived: 5, active: 5 + active * second, handed: 0 };
            assert_eq!(has_waited(times, Duration::from_secs(300)), expected, "{active}");
        }
    }
}

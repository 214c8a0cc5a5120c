//! From a server's address to a session that takes mail: connection, greetings, TLS, authentication.

use delivery::Attempt;
use dsn::Detail;
use queue_file::Time;
use tls::client::{Level, Policy};
use tracing::info;

use super::{Errand, Hop, Server, Turn};
use crate::dane;
use crate::dialogue::Farewell;
use crate::failure::Failure;
use crate::requiretls;
use crate::secure::{FeatureStatus, Greeting, Shortfall};
use crate::session::{Connected, Ready};
use crate::tls_policy::{Destination, Wish};

impl Errand<'_> {
    /// Connects and greets; a failure is noted, or settles all that is left.
    pub(super) async fn greet(&mut self, server: &Server<'_>, hop: Hop<'_>) -> Option<Ready> {
        self.attempt = Attempt::by("none");
        let destination = Destination { nexthop: hop.text, domain: server.domain, peer: &server.peer };
        let (wish, mut policy) = match self.policy(destination).await {
            Ok(found) => found,
            Err(detail) => {
                self.fail(Failure::site(detail)).await;
                return None;
            }
        };
        loop {
            let connected = self.connect(server).await?;
            match self.establish(connected, &policy, server, hop).await {
                Ok(ready) => {
                    self.attempt.tls = self.feature_status(wish, &ready);
                    return Some(ready);
                }
                Err(Shortfall::PlainWillDo(words)) => {
                    info!("{words}");
                    policy.level = Level::None;
                }
                Err(Shortfall::Failed(failure)) => {
                    self.attempt.connected = Some(Time::now().as_microseconds());
                    self.fail(failure).await;
                    return None;
                }
                Err(Shortfall::Unsafe(failure)) => {
                    self.attempt.connected = Some(Time::now().as_microseconds());
                    self.attempt.tls = self.shown(wish, "/!requiretls");
                    self.fail(if self.turn == Turn::More { requiretls::for_now(failure) } else { failure }).await;
                    return None;
                }
            }
        }
    }

    async fn connect(&mut self, server: &Server<'_>) -> Option<Connected> {
        let carrier = self.carrier;
        match Connected::open(&server.peer, &carrier.dialect, &carrier.source).await {
            Ok(mut connected) => {
                connected.carry(&self.request().message.sender);
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
        server: &Server<'_>,
        hop: Hop<'_>,
    ) -> Result<Ready, Shortfall> {
        let request = self.request();
        let enforcement = self.enforcement;
        let greeting = Greeting { mirror: server.mirror, nexthop: &request.nexthop, enforcement };
        let mut ready = self.carrier.tls.establish(connected, policy, greeting).await?;
        if let Some(auth) = &self.carrier.auth
            && let Err(failure) = auth.authenticate(&mut ready, &request.message.sender, hop.text).await
        {
            ready.dialogue.quit(Farewell::Skip).await;
            return Err(failure.into());
        }
        Ok(ready)
    }

    /// What is asked for, and with DANE what the TLSA records make of it.
    async fn policy(&self, destination: Destination<'_>) -> Result<(Wish, Policy), Detail> {
        let policies = &self.carrier.policies;
        let (mut wish, mut policy) = policies.of(destination).await?;
        if self.waives_tls() {
            (wish, policy) = policies.waived((wish, policy), destination);
        }
        if let Some(dane) = wish.dane {
            let rules = &policies.defaults.tlsa;
            policy = dane::policy(&self.carrier.router.resolver, (dane, rules), destination, policy).await?;
        }
        Ok((wish, policies.raised(policy, self.enforcement, destination)))
    }

    /// `tls=` on the delivery line: the level that was wanted, and what came of it where that is less.
    fn feature_status(&self, wish: Wish, ready: &Ready) -> Option<String> {
        let fallen = wish.level == Level::May && ready.trust.is_none();
        let request = requiretls::status(ready, self.enforcement);
        self.shown(wish, &format!("{}{request}", if fallen { ":none" } else { "" }))
    }

    fn shown(&self, wish: Wish, rest: &str) -> Option<String> {
        (self.carrier.tls.status == FeatureStatus::Shown).then(|| format!("{}{rest}", wish.name()))
    }
}

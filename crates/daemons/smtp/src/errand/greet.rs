//! From a server's address to a session that takes mail: connection, greetings, TLS, authentication.

use delivery::Attempt;
use tls::client::{Level, Policy};
use tracing::info;

use super::{Errand, Hop, Server};
use crate::failure::Failure;
use crate::secure::{FeatureStatus, Greeting, Shortfall};
use crate::session::{Connected, Ready};
use crate::tls_policy;

impl Errand<'_> {
    /// Connects and greets; a failure is noted, or settles all that is left.
    pub(super) async fn greet(&mut self, server: &Server, hop: Hop<'_>) -> Option<Ready> {
        self.attempt = Attempt::by("none");
        let destination = tls_policy::Destination { nexthop: hop.text, domain: &server.domain, peer: &server.peer };
        let mut policy = match self.carrier.policies.of(destination).await {
            Ok(policy) => policy,
            Err(detail) => {
                self.fail(Failure::site(detail)).await;
                return None;
            }
        };
        let wanted = policy.level;
        loop {
            let connected = self.connect(server).await?;
            match self.establish(connected, &policy, server, hop).await {
                Ok(ready) => {
                    self.attempt.tls = self.feature_status(wanted, &ready);
                    return Some(ready);
                }
                Err(Shortfall::PlainWillDo(words)) => {
                    info!("{words}");
                    policy.level = Level::None;
                }
                Err(Shortfall::Failed(failure)) => {
                    self.fail(failure).await;
                    return None;
                }
            }
        }
    }

    async fn connect(&mut self, server: &Server) -> Option<Connected> {
        let carrier = self.carrier;
        match Connected::open(&server.peer, &carrier.dialect, &carrier.source).await {
            Ok(connected) => {
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
        server: &Server,
        hop: Hop<'_>,
    ) -> Result<Ready, Shortfall> {
        let request = self.request();
        let greeting = Greeting { mirror: server.mirror, nexthop: &request.nexthop };
        let mut ready = self.carrier.tls.establish(connected, policy, greeting).await?;
        if let Some(auth) = &self.carrier.auth {
            auth.authenticate(&mut ready, &request.message.sender, hop.text).await?;
        }
        Ok(ready)
    }

    /// `tls=` on the delivery line: the level that was wanted, and what came of it where that is less.
    fn feature_status(&self, wanted: Level, ready: &Ready) -> Option<String> {
        if self.carrier.tls.status == FeatureStatus::Hidden {
            return None;
        }
        let name = match wanted {
            Level::None => "none",
            Level::May if ready.trust.is_none() => "may:none",
            Level::May => "may",
            Level::Encrypt => "encrypt",
            Level::Fingerprint => "fingerprint",
            Level::Verify => "verify",
            Level::Secure => "secure",
        };
        Some(name.to_owned())
    }
}

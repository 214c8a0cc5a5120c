//! TLS on the way to a server: STARTTLS or from the first byte, and what is made of the certificate.
//!
//! At level `may` a server that fails at TLS is spoken to in plain, over a new connection, with mail that has waited for it
//! long enough and needs no password. All other mail waits. Bytes that came before the handshake are never taken for bytes from within it.

use dsn::{Detail, Status};
use smtp_proto::ehlo::Keyword;
use table::Maps;
use tls::client::{Client, Level, Policy};
use tls::doubt::{Doubt, Owner};
use tls::loglevel::Loglevel;
use tls::summary::Trust;
use tracing::info;

use crate::dane::Way;
use crate::dialogue::{Dialogue, Farewell};
use crate::failure::{Failure, logged, said};
use crate::peer::Peer;
use crate::requiretls::{self, Breach, Enforcement};
use crate::session::{Connected, Greeted, Mirror, Ready};
use crate::stage::Stage;
use crate::tls_report::{self, Case, Cause, Connection};

/// `smtp_tls_wrappermode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// After STARTTLS.
    Command,
    /// With the first byte.
    FirstByte,
}

/// `smtp_tls_connection_reuse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// A session under TLS carries several messages.
    Allowed,
    /// It carries one.
    Never,
}

/// What handshakes are made with.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Authorities and our own certificate; `None` where they could not be read.
    pub client: Option<Client>,
    /// When TLS begins.
    pub start: Start,
    /// `smtp_tls_loglevel`.
    pub loglevel: Loglevel,
    /// `smtp_tls_loglevel_maps`: the same by next hop, host name or address.
    pub loglevels: Maps,
    /// Whether offers that were not taken up are logged (`smtp_tls_note_starttls_offer`).
    pub notes: Notes,
    /// What is made of replies that nobody asked for.
    pub early: EarlyReplies,
    /// Whether sessions are kept.
    pub reuse: Reuse,
    /// Whether delivery lines show the level (`smtp_log_tls_feature_status`).
    pub status: FeatureStatus,
}

/// `smtp_tls_block_early_mail_reply`: of replies right behind the one to the first greeting within TLS. A server that lets a handshake
/// be renewed may have heard commands of somebody else in its session (CVE-2009-3555).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyReplies {
    /// They pass for replies to what is said next.
    Taken,
    /// The mail waits.
    Refused,
}

/// `smtp_tls_note_starttls_offer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notes {
    /// They are.
    Taken,
    /// They are not.
    Omitted,
}

/// `smtp_log_tls_feature_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureStatus {
    /// They do.
    Shown,
    /// They do not.
    Hidden,
}

/// Why a session did not get as far as it should.
#[derive(Debug)]
pub enum Shortfall {
    /// TLS failed, and need not be: mail that has waited long enough goes without.
    PlainWillDo(Failure),
    /// The mail waits, or goes elsewhere.
    Failed(Failure),
    /// The sender wants more than the server can give: the mail goes elsewhere, or comes back.
    Unsafe(Breach),
}

impl Shortfall {
    /// TLS failed, which matters at every level but `may`.
    fn of_tls(level: Level, failure: Failure) -> Self {
        if level == Level::May { Self::PlainWillDo(failure) } else { Self::Failed(failure) }
    }
}

impl From<Failure> for Shortfall {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What is needed for the greetings around a handshake.
#[derive(Debug, Clone, Copy)]
pub struct Greeting<'a> {
    /// What finding ourselves means.
    pub mirror: Mirror,
    /// The next hop of the delivery.
    pub nexthop: &'a str,
    /// What is asked of TLS besides the policy.
    pub terms: Terms<'a>,
}

/// What is asked of TLS besides the policy, and who hears what comes of it.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// How strictly the sender's request for TLS is kept.
    pub enforcement: Enforcement,
    /// How the server's name came to be known.
    pub way: Way,
    /// Why no certificate will do, where one must (`policy_failure`).
    pub forced: Option<Cause>,
    /// Who hears what came of it.
    pub report: Option<&'a Case<'a>>,
}

impl Terms<'_> {
    fn failed(&self, dialogue: &Dialogue, hello: &[u8], cause: Cause) {
        if let Some(case) = self.report {
            case.failed(connection(dialogue, hello), cause);
        }
    }
}

fn connection<'a>(dialogue: &'a Dialogue, hello: &'a [u8]) -> Connection<'a> {
    Connection { peer: dialogue.peer(), local: dialogue.local(), hello }
}

impl Tls {
    /// Takes a new connection to the security that its policy asks for.
    pub async fn establish(
        &self,
        connected: Connected,
        policy: &Policy,
        greeting: Greeting<'_>,
    ) -> Result<Ready, Shortfall> {
        if self.start == Start::FirstByte && policy.level != Level::None {
            self.engine()?;
            let (dialogue, shaken) = self.handshake(connected.into_dialogue(), policy, (greeting, &[])).await?;
            let ready = Connected::over(dialogue).greeting().await?.hello(greeting.mirror, greeting.nexthop).await?;
            return promised(shaken.over(ready), greeting.terms.enforcement).await;
        }
        let ready = connected.greeting().await?.hello(greeting.mirror, greeting.nexthop).await?;
        promised(self.upgrade(ready, policy, greeting).await?, greeting.terms.enforcement).await
    }

    async fn upgrade(&self, mut ready: Ready, policy: &Policy, greeting: Greeting<'_>) -> Result<Ready, Shortfall> {
        let offered = ready.offer.has(Keyword::Starttls);
        match (policy.level, offered) {
            (Level::None, true) if self.notes == Notes::Taken => {
                info!("Host offered STARTTLS: [{}]", ready.peer().name)
            }
            (Level::None, _) | (Level::May, false) => {}
            (_, false) => {
                let reason = format!("TLS is required, but was not offered by host {}", ready.peer());
                let refusal = requiretls::plain(ready.peer(), None, greeting.terms.enforcement);
                greeting.terms.failed(&ready.dialogue, &ready.hello, Cause::NotSupported);
                ready.dialogue.quit(Farewell::Skip).await;
                let failure = || Failure::site(Detail::new(Status::temporary(7, 4), reason)).into();
                return Err(refusal.map_or_else(failure, Shortfall::Unsafe));
            }
            (Level::May, true) if self.client.is_none() => {}
            (_, true) => {
                if let Err(failure) = self.engine() {
                    ready.dialogue.quit(Farewell::Skip).await;
                    return Err(failure.into());
                }
                ready.dialogue.say(b"STARTTLS");
                let answer = ready.dialogue.hear(Stage::Starttls).await?;
                if answer.class() == 2 {
                    return self.go_on_secured(ready, policy, greeting).await;
                }
                greeting.terms.failed(&ready.dialogue, &ready.hello, Cause::NotSupported);
                if policy.level != Level::May {
                    let (peer, said_so) = (ready.peer(), logged(&answer));
                    let reason = format!("TLS is required, but host {peer} refused to start TLS: {said_so}");
                    let failure = Failure::site(said(peer, &answer, reason));
                    let refusal = requiretls::plain(peer, Some(&said_so), greeting.terms.enforcement);
                    ready.dialogue.quit(Farewell::Skip).await;
                    return Err(refusal.map_or_else(|| failure.into(), Shortfall::Unsafe));
                }
            }
        }
        Ok(ready)
    }

    async fn go_on_secured(&self, ready: Ready, policy: &Policy, greeting: Greeting<'_>) -> Result<Ready, Shortfall> {
        let (dialogue, shaken) = self.handshake(ready.dialogue, policy, (greeting, &ready.hello)).await?;
        let hello = Greeted::secured(dialogue).hello(greeting.mirror, greeting.nexthop).await;
        let mut ready = hello.map_err(|failure| {
            // A server may find fault with a handshake that we take for done.
            if failure.is_of_connection() { Shortfall::of_tls(policy.level, failure) } else { failure.into() }
        })?;
        if self.early == EarlyReplies::Refused && ready.dialogue.is_stale() {
            ready.dialogue.quit(Farewell::Skip).await;
            return Err(Failure::site(Detail::new(Status::temporary(7, 0), "unexpected server message")).into());
        }
        Ok(shaken.over(ready))
    }

    fn engine(&self) -> Result<&Client, Failure> {
        self.client.as_ref().ok_or_else(|| {
            let reason = "TLS is required, but our TLS engine is unavailable";
            Failure::site(Detail::new(Status::temporary(7, 5), reason))
        })
    }

    /// How much is logged of a server.
    async fn loglevel_for(&self, nexthop: &str, peer: &Peer) -> Loglevel {
        if self.loglevels.is_empty() {
            return self.loglevel;
        }
        let address = peer.address().map(|address| address.to_string());
        let keys = [nexthop, &peer.name, address.as_deref().unwrap_or_default()];
        self.loglevels.setting(&keys, Loglevel::named, self.loglevel).await
    }

    async fn handshake(
        &self,
        dialogue: Dialogue,
        policy: &Policy,
        (Greeting { nexthop, terms, .. }, hello): (Greeting<'_>, &[u8]),
    ) -> Result<(Dialogue, Shaken), Shortfall> {
        let (relay, watch, local) = (dialogue.relay().to_owned(), dialogue.watch(), dialogue.local());
        let peer = dialogue.peer().clone();
        let failed = |words: String| {
            if let Some(case) = terms.report {
                case.failed(Connection { peer: &peer, local, hello }, Cause::Validation);
            }
            info!("{words}");
            let detail = Detail::new(Status::temporary(7, 5), "Cannot start TLS: handshake failure");
            Shortfall::of_tls(policy.level, Failure::site(detail))
        };
        let (stream, _drained, _, dialect) = dialogue
            .into_drained()
            .map_err(|_| failed(format!("unsent text before the TLS handshake with {relay}")))?;
        let limit = dialect.timeouts.of(Stage::Starttls);
        let (stream, summary) = match self.engine()?.connect(stream, policy, limit).await {
            Ok(done) => done,
            Err(error) => return Err(failed(format!("SSL_connect error to {relay}: {error}"))),
        };
        if let Some(doubt) = summary.doubt.as_ref().filter(|_| policy.level > Level::Encrypt) {
            info!("{}", doubt.line(Owner::Server, &relay));
        }
        let mut reused = None;
        if self.loglevel_for(nexthop, &peer).await == Loglevel::Handshakes {
            let trust = shown(summary.trust, summary.doubt.as_ref(), terms.way);
            info!("{trust} TLS connection established to {relay}: {summary}");
            reused = Some(format!("{trust} TLS connection reused to {relay}: {summary}"));
        }
        let dialogue = Dialogue::new(Box::new(stream), peer, dialect).watched(watch).bound(local);
        let unsafe_for_sender = requiretls::distrusted(dialogue.peer(), summary.trust, terms.enforcement);
        let distrusted = distrust(policy.level, summary.trust, terms.forced);
        if let Some(case) = terms.report {
            let failed = distrusted.is_some() || unsafe_for_sender.is_some();
            let cause = failed.then(|| terms.forced.unwrap_or_else(|| tls_report::cause(&summary)));
            case.shaken(connection(&dialogue, hello), &summary, cause);
        }
        if let Some(failure) = unsafe_for_sender {
            dialogue.quit(Farewell::Skip).await;
            return Err(Shortfall::Unsafe(failure));
        }
        if let Some(reason) = distrusted {
            dialogue.quit(Farewell::Skip).await;
            return Err(Failure::site(Detail::new(Status::temporary(7, 5), reason)).into());
        }
        Ok((dialogue, Shaken { trust: summary.trust, reused }))
    }
}

/// What a handshake has come to.
struct Shaken {
    trust: Trust,
    /// What the log is to say where the session is used again.
    reused: Option<String>,
}

impl Shaken {
    /// A session behind it.
    fn over(self, ready: Ready) -> Ready {
        Ready { trust: Some(self.trust), reused: self.reused, ..ready }
    }
}

/// A session whose server promises what the sender wants.
async fn promised(ready: Ready, enforcement: Enforcement) -> Result<Ready, Shortfall> {
    match requiretls::missing(&ready, enforcement) {
        Some(breach) => {
            ready.dialogue.quit(Farewell::Skip).await;
            Err(Shortfall::Unsafe(breach))
        }
        None => Ok(ready),
    }
}

/// What the log calls a certificate.
fn shown(trust: Trust, doubt: Option<&Doubt>, way: Way) -> Trust {
    // One of somebody else is worth nothing where a name is asked for.
    if doubt == Some(&Doubt::Name) {
        return Trust::Untrusted;
    }
    // It may be that of a host to which somebody else has led us.
    if trust == Trust::Verified && way == Way::Forgeable { Trust::Trusted } else { trust }
}

/// Why a certificate will not do.
fn distrust(level: Level, trust: Trust, forced: Option<Cause>) -> Option<&'static str> {
    match (level, trust) {
        (Level::None | Level::May | Level::Encrypt, _) => None,
        (_, Trust::Verified) if forced.is_none() => None,
        (Level::Fingerprint | Level::Dane | Level::Verify | Level::Secure, _) => {
            Some("Server certificate not verified")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use table::Environment;

    #[test]
    fn certificates_count_where_one_must_be_known() {
        let bad = Some("Server certificate not verified");
        for (level, trust, forced, expected) in [
            (Level::May, Trust::Untrusted, None, None),
            (Level::Encrypt, Trust::Untrusted, Some(Cause::StsInvalid), None),
            (Level::Secure, Trust::Trusted, None, bad),
            (Level::Secure, Trust::Verified, None, None),
            (Level::Secure, Trust::Verified, Some(Cause::StsInvalid), bad),
        ] {
            assert_eq!(distrust(level, trust, forced), expected, "{level:?} {trust:?} {forced:?}");
        }
    }

    #[test]
    fn the_log_trusts_a_host_no_more_than_the_way_to_it() {
        for (trust, doubt, way, expected) in [
            (Trust::Verified, None, Way::Sure, Trust::Verified),
            (Trust::Verified, None, Way::Forgeable, Trust::Trusted),
            (Trust::Untrusted, None, Way::Forgeable, Trust::Untrusted),
            (Trust::Trusted, Some(Doubt::Name), Way::Sure, Trust::Untrusted),
        ] {
            assert_eq!(shown(trust, doubt.as_ref(), way), expected, "{trust:?} {doubt:?} {way:?}");
        }
    }

    #[test]
    fn handshakes_are_logged_by_server() {
        use Loglevel::{Handshakes, Nothing};
        let specs = ["inline:{a.test=1, [b.test]:25=summary, mx.c.test=0, 192.0.2.1=1}"];
        let tls = |loglevel| Tls {
            client: None,
            start: Start::Command,
            loglevel,
            loglevels: Maps::open("smtp_tls_loglevel_maps", &specs, &Environment::default()),
            early: EarlyReplies::Taken,
            notes: Notes::Omitted,
            reuse: Reuse::Never,
            status: FeatureStatus::Hidden,
        };
        for (nexthop, host, address, general, expected) in [
            ("a.test", "mx.c.test", [192, 0, 2, 9], Nothing, Handshakes),
            ("[b.test]:25", "b.test", [192, 0, 2, 9], Nothing, Handshakes),
            ("b.test", "b.test", [192, 0, 2, 9], Nothing, Nothing),
            ("c.test", "mx.c.test", [192, 0, 2, 1], Handshakes, Nothing),
            ("d.test", "mx.d.test", [192, 0, 2, 1], Nothing, Handshakes),
            ("d.test", "mx.d.test", [192, 0, 2, 9], Handshakes, Handshakes),
        ] {
            let found = table::block_on(tls(general).loglevel_for(nexthop, &Peer::inet(host, address.into(), 25)));
            assert_eq!(found, expected, "{nexthop} {host}");
        }
    }
}

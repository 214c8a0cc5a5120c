//! The client side: a handshake per connection under the policy of its destination.

use crate::Error;
use crate::dane::Association;
use crate::doubt::Doubt;
use crate::fingerprint::{Algorithm, Fingerprints};
use crate::identities::Identities;
use crate::material::Authorities;
use crate::names::Wildcards;
use crate::protocols::Protocols;
use crate::suites::Suites;
use crate::summary::{Summary, Trust};
use crate::verifier::{Strictness, Verifier, trust};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ProtocolVersion};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How much TLS a destination wants. See `smtp_tls_security_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// None.
    None,
    /// If offered, else in clear.
    May,
    /// Mandatory, with anyone.
    Encrypt,
    /// With a certificate of a known digest.
    Fingerprint,
    /// With a certificate that TLSA records announce.
    Dane,
    /// With a trusted certificate for the server's name.
    Verify,
    /// With a trusted certificate for the next hop's name.
    Secure,
}

impl Level {
    /// By its name in main.cf; the DANE levels are not among them.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "none" => Self::None,
            "may" => Self::May,
            "encrypt" => Self::Encrypt,
            "fingerprint" => Self::Fingerprint,
            "verify" => Self::Verify,
            "secure" => Self::Secure,
            _ => return None,
        })
    }
}

/// What a handshake must achieve.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How much is wanted.
    pub level: Level,
    /// The protocol versions of the level.
    pub protocols: Protocols,
    /// Host names and `.domain` patterns, for [`Level::Verify`], [`Level::Secure`], and [`Level::Dane`] where an authority vouches.
    pub names: Vec<String>,
    /// Digests, for [`Level::Fingerprint`].
    pub fingerprints: Vec<String>,
    /// Their algorithm.
    pub digest: Algorithm,
    /// The TLSA records that count, for [`Level::Dane`]; without any nobody will do.
    pub associations: Vec<Association>,
    /// The name to send as SNI; empty for none.
    pub server_name: String,
    /// The cipher suites of the level.
    pub suites: Suites,
    /// What `*` in a certificate's name stands for.
    pub wildcards: Wildcards,
    /// Who may vouch for the server, instead of those whom the client knows.
    pub anchors: Option<Authorities>,
}

impl Policy {
    /// A level with its protocol versions, and nothing said of the rest: no names, digests or records to compare, no SNI, all
    /// suites, and `*` for one label.
    #[must_use]
    pub fn new(level: Level, protocols: Protocols) -> Self {
        Self {
            level,
            protocols,
            names: Vec::new(),
            fingerprints: Vec::new(),
            digest: Algorithm::Sha256,
            associations: Vec::new(),
            server_name: String::new(),
            suites: Suites::default(),
            wildcards: Wildcards::OneLabel,
            anchors: None,
        }
    }
}

/// Whether sessions are resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// Every handshake is a full one.
    Forgotten,
    /// A session of the same [`Connector`] is taken up again, with what was found out of the peer then.
    Kept,
}

/// A connection after the handshake.
pub type Secured<S> = TlsStream<S>;

/// Whether the server has given what it takes to resume the session; known after the first bytes from it.
#[must_use]
pub fn is_resumable<S>(stream: &Secured<S>) -> bool {
    let (_, state) = stream.get_ref();
    state.protocol_version() == Some(ProtocolVersion::TLSv1_2) || state.tls13_tickets_received() > 0
}

/// Handshakes under one policy.
#[derive(Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
    name: ServerName<'static>,
    policy: Policy,
}

/// A client's set-up, shared by all its connections.
#[derive(Debug, Clone)]
pub struct Client {
    authorities: Authorities,
    identities: Option<Identities>,
}

impl Client {
    /// From what was read outside the jail.
    #[must_use]
    pub fn new(authorities: Authorities, identities: Option<Identities>) -> Self {
        Self { authorities, identities }
    }

    /// The handshake, within `deadline` (`smtp_starttls_timeout`). It succeeds with any peer; whether the peer is the one that the
    /// policy wants is in the summary: at [`Level::Fingerprint`] and above only [`Trust::Verified`] will do.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn connect<S>(
        &self,
        stream: S,
        policy: &Policy,
        deadline: Duration,
    ) -> Result<(TlsStream<S>, Summary), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.connector(policy, Sessions::Forgotten)?.connect(stream, deadline).await
    }

    /// What makes the handshakes of one policy.
    ///
    /// # Errors
    /// What rustls says of the set-up.
    pub fn connector(&self, policy: &Policy, sessions: Sessions) -> Result<Connector, Error> {
        let provider = policy.suites.provider();
        let strictness =
            if policy.level >= Level::Fingerprint { Strictness::Strict } else { Strictness::Opportunistic };
        let verifier = Arc::new(Verifier {
            provider: Arc::clone(&provider),
            authorities: policy.anchors.clone().unwrap_or_else(|| self.authorities.clone()),
            strictness,
            finding: Mutex::default(),
        });
        let builder =
            ClientConfig::builder_with_provider(provider).with_protocol_versions(&policy.protocols.versions())?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::<Verifier>::clone(&verifier));
        let mut config = match &self.identities {
            Some(identities) => builder.with_client_cert_resolver(Arc::new(identities.clone())),
            None => builder.with_no_client_auth(),
        };
        if sessions == Sessions::Forgotten {
            // A resumed session would skip the verifier.
            config.resumption = Resumption::disabled();
        }
        config.enable_sni = !policy.server_name.is_empty();
        let name =
            ServerName::try_from(policy.server_name.clone()).or_else(|_| ServerName::try_from("localhost".to_owned()));
        let name = name.map_err(|_| rustls::Error::General("server name".to_owned()))?;
        Ok(Connector { config: Arc::new(config), verifier, name, policy: policy.clone() })
    }
}

impl Connector {
    /// What a handshake must achieve.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// As [`Client::connect`].
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn connect<S>(&self, stream: S, deadline: Duration) -> Result<(TlsStream<S>, Summary), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { config, verifier, name, policy } = self;
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream);
        let stream = match timeout(deadline, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Error::Handshake(error)),
            Err(_) => return Err(Error::Timeout),
        };
        let (_, state) = stream.get_ref();
        let finding = verifier.finding();
        let mut summary = Summary::of(state, trust(&finding, state.peer_certificates().is_some()), finding);
        if policy.level == Level::Dane {
            let shown = state.peer_certificates().unwrap_or_default();
            summary.doubt = verifier.doubt_announced(shown, policy);
            summary.trust = if summary.doubt.is_none() { Trust::Verified } else { Trust::Untrusted };
        } else if is_wanted(policy, &summary) {
            (summary.trust, summary.doubt) = (Trust::Verified, None);
        } else if policy.level == Level::Fingerprint {
            summary.doubt = Some(Doubt::Digest);
        } else if policy.level > Level::Fingerprint && summary.trust == Trust::Trusted {
            summary.doubt = Some(Doubt::Name);
        }
        Ok((stream, summary))
    }
}

/// Whether the peer has proved to be the one that the policy wants.
fn is_wanted(policy: &Policy, summary: &Summary) -> bool {
    match policy.level {
        Level::None | Level::May | Level::Encrypt | Level::Dane => false,
        Level::Fingerprint => summary.certificate.as_deref().is_some_and(|certificate| {
            Fingerprints::of(certificate, policy.digest).is_listed(policy.fingerprints.iter().map(String::as_str))
        }),
        Level::Verify | Level::Secure => {
            summary.trust >= Trust::Trusted && summary.names.matching(&policy.names, policy.wildcards).is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubt::Owner;
    use crate::material::Identity;
    use crate::server::{ClientCertificate, Preference, Purpose, Server, Setup};
    use std::path::PathBuf;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const PATIENCE: Duration = Duration::from_secs(5);

    fn file(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/testdata").join(name)
    }

    fn policy(level: Level, names: &[&str], fingerprints: &[&str]) -> Policy {
        Policy {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            fingerprints: fingerprints.iter().map(|digest| (*digest).to_owned()).collect(),
            ..Policy::new(level, Protocols::parse(">=TLSv1.2").unwrap())
        }
    }

    fn authority() -> Authorities {
        Authorities::read(file("authority.pem").to_str().unwrap(), "").unwrap()
    }

    async fn handshake(client: &Client, policy: &Policy) -> (Summary, Summary) {
        handshake_with(("cert.pem", "key.pem"), client, policy).await
    }

    /// The server knows `authority.pem`.
    async fn handshake_with(files: (&str, &str), client: &Client, policy: &Policy) -> (Summary, Summary) {
        let identity = Identity::read(&file(files.0), &file(files.1)).unwrap();
        let server = Server::new(Setup {
            identities: Identities::new(vec![identity]).unwrap(),
            authorities: authority(),
            certificate: ClientCertificate::Asked,
            purpose: Purpose::Client,
            protocols: policy.protocols.clone(),
            suites: Suites::default(),
            preference: Preference::Client,
            tickets: None,
        })
        .unwrap();
        let (near, far) = tokio::io::duplex(16 * 1024);
        let serving = tokio::spawn(async move {
            let (mut stream, summary) = server.accept(far, PATIENCE).await.unwrap();
            stream.write_all(b"220").await.unwrap();
            stream.flush().await.unwrap();
            summary
        });
        let (mut stream, summary) = client.connect(near, policy, PATIENCE).await.unwrap();
        let mut code = [0; 3];
        stream.read_exact(&mut code).await.unwrap();
        (summary, serving.await.unwrap())
    }

    #[tokio::test]
    async fn trust_is_what_the_level_asks_for() {
        let strangers = Client::new(Authorities::none(), None);
        let listed = Authorities::read(file("cert.pem").to_str().unwrap(), "").unwrap();
        let friends = Client::new(
            listed,
            Some(Identities::new(vec![Identity::read(&file("cert.pem"), &file("key.pem")).unwrap()]).unwrap()),
        );
        let digest = {
            let (summary, _) = handshake(&strangers, &policy(Level::May, &[], &[])).await;
            assert_eq!(summary.trust, Trust::Untrusted);
            assert!(summary.to_string().starts_with("TLSv1.3 with cipher TLS_"), "{summary}");
            Fingerprints::of(summary.certificate.as_deref().unwrap(), Algorithm::Sha256).public_key
        };
        let cases = [
            (&friends, policy(Level::Encrypt, &[], &[]), Trust::Trusted, "an authority"),
            (&friends, policy(Level::Verify, &["mx.example.org"], &[]), Trust::Verified, "and the right name"),
            (&friends, policy(Level::Secure, &[".example.net"], &[]), Trust::Trusted, "but the wrong name"),
            (&strangers, policy(Level::Verify, &["mx.example.org"], &[]), Trust::Untrusted, "the name alone"),
            (&strangers, policy(Level::Fingerprint, &[], &[&digest]), Trust::Verified, "a known digest"),
            (&strangers, policy(Level::Fingerprint, &[], &["00:11"]), Trust::Untrusted, "another digest"),
        ];
        for (client, policy, expected, why) in cases {
            let (ours, theirs) = handshake(client, &policy).await;
            assert_eq!(ours.trust, expected, "{why}");
            let shown = if std::ptr::eq(client, &friends) { Trust::Untrusted } else { Trust::Anonymous };
            assert_eq!(theirs.trust, shown);
        }
    }

    #[tokio::test]
    async fn a_client_may_show_a_certificate_of_an_old_kind() {
        let old = Identity::read(&file("version1.pem"), &file("version1.pem")).unwrap();
        let client = Client::new(Authorities::none(), Some(Identities::new(vec![old]).unwrap()));
        for protocols in ["TLSv1.2", "TLSv1.3"] {
            let policy = Policy { protocols: Protocols::parse(protocols).unwrap(), ..policy(Level::May, &[], &[]) };
            let (_, shown) = handshake(&client, &policy).await;
            assert_eq!((shown.trust, shown.names.subject.as_str()), (Trust::Untrusted, "old.example.org"));
        }
    }

    #[tokio::test]
    async fn both_sides_tell_the_same_of_a_handshake() {
        let client = Client::new(Authorities::none(), None);
        for (protocols, tells) in [("TLSv1.2", false), ("TLSv1.3", true)] {
            let policy = Policy { protocols: Protocols::parse(protocols).unwrap(), ..policy(Level::May, &[], &[]) };
            let (ours, theirs) = handshake(&client, &policy).await;
            assert_eq!(ours.to_string(), theirs.to_string());
            let line = theirs.to_string();
            assert_eq!(
                (line.contains(" key-exchange "), line.contains(" server-signature ")),
                (tells, tells),
                "{line}"
            );
        }
    }

    #[tokio::test]
    async fn what_an_authority_has_signed_itself_is_trusted() {
        let names = ["signed_version1.pem", "signed_authority.pem"];
        let protocols = ["TLSv1.2", "TLSv1.3"].map(|list| Protocols::parse(list).unwrap());
        for (name, protocols) in names.into_iter().flat_map(|name| protocols.iter().map(move |list| (name, list))) {
            let identities = Identities::new(vec![Identity::read(&file(name), &file(name)).unwrap()]).unwrap();
            let client = Client::new(authority(), Some(identities));
            for (level, wanted, trust, doubt) in [
                (Level::Verify, "mx.example.org", Trust::Verified, None),
                (Level::Secure, "other.test", Trust::Trusted, Some(Doubt::Name)),
                (Level::May, "", Trust::Trusted, None),
            ] {
                let policy = Policy { protocols: protocols.clone(), ..policy(level, &[wanted], &[]) };
                let (ours, theirs) = handshake_with((name, name), &client, &policy).await;
                assert_eq!((ours.trust, ours.doubt, theirs.trust), (trust, doubt, Trust::Trusted), "{name}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_believed_has_a_reason() {
        let stranger = Client::new(Authorities::read(file("cert.pem").to_str().unwrap(), "").unwrap(), None);
        let old = "signed_version1.pem";
        for (files, level, expected) in [
            (
                (old, old),
                Level::Verify,
                "certificate verification failed for X: untrusted issuer /CN=Example authority",
            ),
            (
                ("version1.pem", "version1.pem"),
                Level::May,
                "certificate verification failed for X: self-signed certificate",
            ),
            (
                (old, old),
                Level::Fingerprint,
                "server certificate verification failed for X: num=65:no matching DANE TLSA records",
            ),
        ] {
            let (summary, _) = handshake_with(files, &stranger, &policy(level, &["mx.example.org"], &["00:11"])).await;
            assert_eq!(summary.trust, Trust::Untrusted);
            assert_eq!(summary.doubt.unwrap().line(Owner::Server, "X"), expected);
        }
    }

    #[tokio::test]
    async fn a_server_is_who_is_announced() {
        let client = Client::new(authority(), None);
        let (summary, _) = handshake(&client, &policy(Level::May, &[], &[])).await;
        let data = summary.certificate.unwrap();
        let announced = |usage, data: &[u8]| {
            let associations = vec![Association { usage, selector: 0, matching: 0, data: data.to_vec() }];
            Policy { associations, ..policy(Level::Dane, &["mx.example.org"], &[]) }
        };
        for (policy, doubt) in [
            (announced(3, &data), None),
            (announced(2, &data), Some(Doubt::Digest)),
            (announced(3, &data[1..]), Some(Doubt::Digest)),
        ] {
            let (summary, _) = handshake(&client, &policy).await;
            let trust = if doubt.is_none() { Trust::Verified } else { Trust::Untrusted };
            assert_eq!((summary.trust, summary.doubt), (trust, doubt));
        }
    }

    #[tokio::test]
    async fn anchors_of_a_policy_stand_for_all_other_authorities() {
        let old = "signed_version1.pem";
        let policy = policy(Level::Verify, &["mx.example.org"], &[]);
        let client = Client::new(Authorities::none(), None);
        let (summary, _) = handshake_with((old, old), &client, &policy).await;
        assert_eq!(summary.trust, Trust::Untrusted);
        let anchored = Policy { anchors: Some(authority()), ..policy.clone() };
        assert_eq!(handshake_with((old, old), &client, &anchored).await.0.trust, Trust::Verified);
        let knows = Client::new(authority(), None);
        let elsewhere = Policy { anchors: Some(Authorities::none()), ..policy };
        assert_eq!(handshake_with((old, old), &knows, &elsewhere).await.0.trust, Trust::Untrusted);
    }

    #[tokio::test]
    async fn a_server_has_certificates_by_its_name() {
        let identities = |text: &[u8]| Identities::new(Identity::parse_chains("x", text).unwrap()).unwrap();
        let named = include_bytes!("testdata/chains.pem");
        let usual = Identity::read(&file("cert.pem"), &file("key.pem")).unwrap();
        let server = Server::new(Setup {
            identities: Identities::new(vec![usual]).unwrap(),
            authorities: Authorities::none(),
            certificate: ClientCertificate::Ignored,
            purpose: Purpose::Client,
            protocols: Protocols::parse("").unwrap(),
            suites: Suites::default(),
            preference: Preference::Server,
            tickets: None,
        })
        .unwrap();
        let mut shown = Vec::new();
        for (name, known) in [("", false), ("other.test", false), ("a.test", true)] {
            let (server, (near, far)) = (server.clone(), tokio::io::duplex(16 * 1024));
            let identities = known.then(|| identities(named));
            let serving = tokio::spawn(async move {
                let greeted = server.greet(far, PATIENCE).await.unwrap();
                let asked = greeted.server_name();
                (asked, greeted.finish(identities).await.unwrap())
            });
            let policy = Policy { server_name: name.to_owned(), ..policy(Level::Encrypt, &[], &[]) };
            let (_stream, summary) =
                Client::new(Authorities::none(), None).connect(near, &policy, PATIENCE).await.unwrap();
            let (asked, _) = serving.await.unwrap();
            assert_eq!(asked.as_deref(), Some(name).filter(|name| !name.is_empty()));
            shown.push(summary.certificate.unwrap());
        }
        assert!(shown[0] == shown[1] && shown[0] != shown[2]);
    }
}

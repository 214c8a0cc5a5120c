//! The server side: one set-up per process, one handshake per connection.

use crate::Error;
use crate::chain::Shown;
use crate::identities::Identities;
use crate::material::Authorities;
use crate::protocols::Protocols;
use crate::suites::Suites;
use crate::summary::Summary;
use crate::ticket::Ring;
use crate::verifier::{Finding, Strictness, Verifier, trust};
use rustls::pki_types::UnixTime;
use rustls::server::{Acceptor, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureScheme};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

/// A connection after the handshake.
pub type Secured<S> = TlsStream<S>;

/// Whether clients are asked for a certificate. See `smtpd_tls_ask_ccert`; who requires one looks at what was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// They are not.
    Ignored,
    /// They may show one.
    Asked,
}

/// What client certificates may have been made for. See `tls_trust_server_ccerts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// For clients.
    Client,
    /// For clients, or for servers.
    Any,
}

/// Whose order of cipher suites counts. See `tls_preempt_cipherlist`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preference {
    /// The client's.
    Client,
    /// Ours.
    Server,
}

/// What a server is made of, all of it read outside the jail.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Its certificates.
    pub identities: Identities,
    /// Who may vouch for clients.
    pub authorities: Authorities,
    /// Whether clients show certificates.
    pub certificate: ClientCertificate,
    /// What these were made for.
    pub purpose: Purpose,
    /// The versions.
    pub protocols: Protocols,
    /// The cipher suites.
    pub suites: Suites,
    /// In whose order.
    pub preference: Preference,
    /// Keys for tickets; without them no session is resumed.
    pub tickets: Option<Ring>,
}

/// A server's set-up.
#[derive(Clone)]
pub struct Server {
    config: Arc<ServerConfig>,
    authorities: Authorities,
    purpose: Purpose,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server {{ authorities: {} }}", self.authorities.listed.len())
    }
}

impl Server {
    /// Makes the set-up.
    ///
    /// # Errors
    /// [`Error::Setup`]: no protocol version or no cipher suite is left.
    pub fn new(setup: Setup) -> Result<Self, Error> {
        let Setup { identities, authorities, certificate, purpose, protocols, suites, preference, tickets } = setup;
        let provider = suites.provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&protocols.versions())?;
        let builder = match certificate {
            ClientCertificate::Ignored => builder.with_no_client_auth(),
            ClientCertificate::Asked => builder.with_client_cert_verifier(Arc::new(Verifier {
                provider,
                authorities: authorities.clone(),
                strictness: Strictness::Strict,
                finding: std::sync::Mutex::default(),
            })),
        };
        let mut config = builder.with_cert_resolver(Arc::new(identities));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ignore_client_order = preference == Preference::Server;
        match tickets {
            Some(ring) => config.ticketer = Arc::new(ring),
            None => config.send_tls13_tickets = 0,
        }
        Ok(Self { config: Arc::new(config), authorities, purpose })
    }

    /// Hears what the client wants. The whole handshake has until `deadline` (`smtpd_starttls_timeout`).
    ///
    /// # Errors
    /// [`Error::Handshake`], [`Error::Timeout`].
    pub async fn greet<S>(&self, stream: S, deadline: Duration) -> Result<Greeted<'_, S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let until = Instant::now() + deadline;
        let hello = in_time(until, LazyConfigAcceptor::new(Acceptor::default(), stream)).await?;
        Ok(Greeted { server: self, hello, until })
    }

    /// A handshake with the certificates of the set-up.
    ///
    /// # Errors
    /// [`Error::Handshake`], [`Error::Timeout`].
    pub async fn accept<S>(&self, stream: S, deadline: Duration) -> Result<(TlsStream<S>, Summary), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.greet(stream, deadline).await?.finish(None).await
    }
}

/// A handshake that has begun.
pub struct Greeted<'s, S> {
    server: &'s Server,
    hello: StartHandshake<S>,
    until: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Greeted<'_, S> {
    /// The name that the client gives to the server.
    #[must_use]
    pub fn server_name(&self) -> Option<String> {
        self.hello.client_hello().server_name().map(str::to_owned)
    }

    /// The rest of the handshake, with these certificates or those of the set-up.
    ///
    /// # Errors
    /// [`Error::Handshake`], [`Error::Timeout`].
    pub async fn finish(self, identities: Option<Identities>) -> Result<(TlsStream<S>, Summary), Error> {
        let Self { server, hello, until } = self;
        let server_name = identities.is_some().then(|| hello.client_hello().server_name().map(str::to_owned)).flatten();
        let config = match identities {
            None => Arc::clone(&server.config),
            Some(identities) => {
                let mut config = ServerConfig::clone(&server.config);
                config.cert_resolver = Arc::new(identities);
                Arc::new(config)
            }
        };
        let provider = Arc::clone(config.crypto_provider());
        let signature = Signature::of(&config, &hello);
        let stream = in_time(until, hello.into_stream(config)).await?;
        let (_, state) = stream.get_ref();
        let chain = state.peer_certificates().unwrap_or_default();
        let doubt = chain.split_first().and_then(|(leaf, chain)| {
            let shown = Shown { leaf, chain, now: UnixTime::now() };
            shown.judge_client(&provider, (&server.authorities, server.purpose)).err()
        });
        let finding = Finding { trusted: doubt.is_none(), doubt, scheme: None };
        let summary = Summary::of(state, trust(&finding, !chain.is_empty()), finding);
        let summary =
            signature.into_iter().fold(summary, |summary, Signature { scheme, key }| summary.signed(scheme, &key));
        Ok((stream, Summary { server_name, ..summary }))
    }
}

/// How the server signs.
struct Signature {
    scheme: SignatureScheme,
    key: Arc<CertifiedKey>,
}

impl Signature {
    fn of<S>(config: &ServerConfig, hello: &StartHandshake<S>) -> Option<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let key = config.cert_resolver.resolve(hello.client_hello())?;
        let scheme = key.key.choose_scheme(hello.client_hello().signature_schemes())?.scheme();
        Some(Self { scheme, key })
    }
}

async fn in_time<T>(until: Instant, step: impl Future<Output = std::io::Result<T>>) -> Result<T, Error> {
    match timeout_at(until, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Error::Handshake(error)),
        Err(_) => Err(Error::Timeout),
    }
}

//! The server side: one set-up per process, one handshake per connection.

use crate::Error;
use crate::material::{Authorities, Identity};
use crate::protocols::Protocols;
use crate::summary::Summary;
use crate::ticket::Ring;
use crate::verifier::{Finding, Strictness, Verifier, is_trusted, trust};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::UnixTime;
use rustls::server::NoServerSessionStorage;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Whether clients are asked for a certificate. See `smtpd_tls_ask_ccert`, `smtpd_tls_req_ccert`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// They are not.
    Ignored,
    /// They may show one.
    Asked,
    /// They must.
    Required,
}

/// A server's set-up.
#[derive(Clone)]
pub struct Server {
    acceptor: TlsAcceptor,
    authorities: Authorities,
    provider: Arc<rustls::crypto::CryptoProvider>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server {{ authorities: {} }}", self.authorities.listed.len())
    }
}

impl Server {
    /// Makes the set-up from what was read outside the jail. Without `tickets` no session is resumed.
    ///
    /// # Errors
    /// [`Error::Setup`]: the key does not fit the certificate, or no protocol version is left.
    pub fn new(
        identity: Identity,
        authorities: Authorities,
        certificate: ClientCertificate,
        protocols: &Protocols,
        tickets: Option<Ring>,
    ) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&protocols.versions())?;
        let builder = match certificate {
            ClientCertificate::Ignored => builder.with_no_client_auth(),
            ClientCertificate::Asked | ClientCertificate::Required => {
                builder.with_client_cert_verifier(Arc::new(Verifier {
                    provider: Arc::clone(&provider),
                    authorities: authorities.clone(),
                    strictness: Strictness::Strict,
                    mandatory: certificate == ClientCertificate::Required,
                    finding: std::sync::Mutex::default(),
                }))
            }
        };
        let mut config = builder.with_single_cert(identity.chain, identity.key)?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match tickets {
            Some(ring) => config.ticketer = Arc::new(ring),
            None => config.send_tls13_tickets = 0,
        }
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), authorities, provider })
    }

    /// The handshake, within `deadline` (`smtpd_starttls_timeout`).
    ///
    /// # Errors
    /// [`Error::Handshake`], [`Error::Timeout`].
    pub async fn accept<S>(&self, stream: S, deadline: Duration) -> Result<(TlsStream<S>, Summary), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = match timeout(deadline, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Error::Handshake(error)),
            Err(_) => return Err(Error::Timeout),
        };
        let (_, state) = stream.get_ref();
        let chain = state.peer_certificates().unwrap_or_default();
        let trusted = chain
            .split_first()
            .is_some_and(|(leaf, rest)| is_trusted(&self.provider, &self.authorities, leaf, rest, UnixTime::now()));
        let finding = Finding { trusted, scheme: None };
        let summary = Summary::of(state, trust(finding, !chain.is_empty()), None);
        Ok((stream, summary))
    }
}

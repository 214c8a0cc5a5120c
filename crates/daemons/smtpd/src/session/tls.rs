//! Encryption: what is set up for the process, the handshake of a session, and what is known after it.

use std::path::Path;

use ::tls::fingerprint::{Algorithm, Fingerprints};
use ::tls::material::{Authorities, Identity};
use ::tls::protocols::Protocols;
use ::tls::server::{ClientCertificate, Server};
use ::tls::summary::{Summary, Trust};
use ::tls::ticket::Ring;
use smtp_proto::Conn;
use smtp_proto::conn::{self, Pace};
use tracing::{info, warn};

use super::Session;
use super::stream::Stream;
use super::tickets::Tickets;
use crate::Params;

/// A client does not wait longer than this for ticket keys.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// What is set up for the process.
#[derive(Debug)]
pub(crate) struct Tls {
    /// `None`: certificates could not be loaded.
    server: Option<Server>,
    pub(crate) level: Level,
    /// TLS from the first byte on.
    pub(crate) wrapped: bool,
    asks: bool,
    digest: Algorithm,
    log: Log,
    /// `None`: sessions are not resumed.
    tickets: Option<Tickets>,
}

/// Whether handshakes are logged (`smtpd_tls_loglevel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    Nothing,
    Handshakes,
}

/// `smtpd_tls_security_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    May,
    Encrypt,
}

/// Facts for checks, logs, and the `Received:` header.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) protocol: String,
    pub(crate) cipher: String,
    pub(crate) bits: u16,
    /// Subject of the client's certificate.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) fingerprint: String,
    pub(crate) key_fingerprint: String,
    /// The client's certificate was verified.
    pub(crate) trusted: bool,
    /// The lines of the `Received:` header.
    pub(crate) received: String,
}

impl Facts {
    /// Keys under which a certificate may be listed.
    pub(crate) fn fingerprints(&self) -> impl Iterator<Item = &str> {
        [self.fingerprint.as_str(), self.key_fingerprint.as_str()].into_iter().filter(|key| !key.is_empty())
    }

    fn new(summary: &Summary, tls: &Tls) -> Facts {
        let prints = summary.certificate.as_deref().map(|leaf| Fingerprints::of(leaf, tls.digest)).unwrap_or_default();
        Facts {
            protocol: summary.protocol.to_owned(),
            cipher: summary.cipher.clone(),
            bits: summary.bits,
            subject: summary.names.subject.clone(),
            issuer: summary.names.issuer.clone(),
            fingerprint: prints.certificate,
            key_fingerprint: prints.public_key,
            trusted: summary.trust >= Trust::Trusted,
            received: received(summary, tls.asks),
        }
    }
}

/// The lines that `smtpd_tls_received_header` adds.
fn received(summary: &Summary, asks: bool) -> String {
    let text = summary.to_string();
    let mut lines = match text.split_once(" key-exchange ") {
        Some((first, rest)) => format!("\t(using {first}\n\t key-exchange {rest})\n"),
        None => format!("\t(using {text})\n"),
    };
    if summary.certificate.is_some() {
        let verified = if summary.trust >= Trust::Trusted { "verified OK" } else { "not verified" };
        let names = &summary.names;
        lines.push_str(&format!("\t(Client CN \"{}\", Issuer \"{}\" ({verified}))\n", names.subject, names.issuer));
    } else if asks {
        lines.push_str("\t(Client did not present a certificate)\n");
    } else {
        lines.push_str("\t(No client certificate requested)\n");
    }
    lines
}

impl Tls {
    /// Loads certificates, before the jail. `None`: no TLS here.
    pub(crate) fn open(params: &Params, service_name: &str) -> Option<Tls> {
        let tls = &params.tls;
        let level = match tls.smtpd_tls_security_level.to_ascii_lowercase().as_str() {
            "encrypt" => Level::Encrypt,
            "may" => Level::May,
            "" if tls.smtpd_enforce_tls => Level::Encrypt,
            "" if tls.smtpd_use_tls => Level::May,
            "" if tls.smtpd_tls_wrappermode => Level::May,
            "" | "none" => return None,
            other => {
                warn!("unsupported smtpd_tls_security_level: \"{other}\"; using \"encrypt\"");
                Level::Encrypt
            }
        };
        let timeout = tls.smtpd_tls_session_cache_timeout;
        let lifetime = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX);
        let ring = (lifetime > 0).then(|| Ring::new(service_name, lifetime));
        let server = match server(params, level, ring.clone()) {
            Ok(Some(server)) => Some(server),
            Ok(None) => {
                warn!("No server certs available. TLS can't be enabled");
                return None;
            }
            Err(problem) => {
                warn!("{problem}: disabling TLS support");
                None
            }
        };
        let digest = Algorithm::named(&tls.smtpd_tls_fingerprint_digest).unwrap_or_else(|| {
            warn!("unknown smtpd_tls_fingerprint_digest \"{}\"; using sha256", tls.smtpd_tls_fingerprint_digest);
            Algorithm::Sha256
        });
        Some(Tls {
            server,
            level,
            wrapped: tls.smtpd_tls_wrappermode,
            asks: tls.smtpd_tls_ask_ccert || tls.smtpd_tls_req_ccert,
            digest,
            tickets: ring.map(|ring| {
                let caller = ipc::Caller::new(
                    format!("private/{}", params.ipc.tlsmgr_service_name),
                    params.ipc.ipc_timeout.min(PATIENCE),
                );
                Tickets::new(ring, caller, timeout)
            }),
            log: if matches!(tls.smtpd_tls_loglevel.as_str(), "" | "0") { Log::Nothing } else { Log::Handshakes },
        })
    }

    /// Whether a handshake is possible.
    pub(crate) fn is_ready(&self) -> bool {
        self.server.is_some()
    }
}

fn server(params: &Params, level: Level, tickets: Option<Ring>) -> Result<Option<Server>, String> {
    let tls = &params.tls;
    let (cert, key) = if let Some(chain) = tls.smtpd_tls_chain_files.first() {
        (chain.as_str(), chain.as_str())
    } else if !tls.smtpd_tls_cert_file.is_empty() {
        (tls.smtpd_tls_cert_file.as_str(), tls.smtpd_tls_key_file.as_str())
    } else if !tls.smtpd_tls_eccert_file.is_empty() {
        (tls.smtpd_tls_eccert_file.as_str(), tls.smtpd_tls_eckey_file.as_str())
    } else {
        return Ok(None);
    };
    let identity = Identity::read(Path::new(cert), Path::new(key)).map_err(|error| error.to_string())?;
    let authorities =
        Authorities::read(&tls.smtpd_tls_CAfile, &tls.smtpd_tls_CApath).map_err(|error| error.to_string())?;
    let list = if level == Level::Encrypt { &tls.smtpd_tls_mandatory_protocols } else { &tls.smtpd_tls_protocols };
    let protocols = Protocols::parse(&list.join(" ")).map_err(|error| error.to_string())?;
    let certificate = match (tls.smtpd_tls_req_ccert && level == Level::Encrypt, tls.smtpd_tls_ask_ccert) {
        (true, _) => ClientCertificate::Required,
        (false, true) => ClientCertificate::Asked,
        (false, false) => ClientCertificate::Ignored,
    };
    Server::new(identity, authorities, certificate, &protocols, tickets).map(Some).map_err(|error| error.to_string())
}

impl Session {
    /// The handshake. What was read ahead has been dropped before the client was told to begin.
    pub(crate) async fn encrypt(&mut self) -> Result<(), conn::Error> {
        let server = std::sync::Arc::clone(&self.server);
        let Some(tls) = &server.tls else { return Err(conn::Error::Lost) };
        let Some(acceptor) = &tls.server else { return Err(conn::Error::Lost) };
        let pace = Pace::Each(self.limits.smtpd_timeout);
        let plain = std::mem::replace(&mut self.conn, Conn::new(Stream::Gone, pace));
        let Ok((stream, _drained)) = plain.into_drained() else { return Err(conn::Error::Lost) };
        if let Some(tickets) = &tls.tickets {
            tickets.refresh().await;
        }
        match acceptor.accept(stream, self.limits.smtpd_starttls_timeout).await {
            Ok((stream, summary)) => {
                if tls.log == Log::Handshakes {
                    info!("{} TLS connection established from {}: {summary}", summary.trust, self.peer.namaddr);
                }
                self.tls = Some(Facts::new(&summary, tls));
                self.conn = Conn::new(Stream::Secured(Box::new(stream)), pace);
                Ok(())
            }
            Err(error) => {
                match &error {
                    ::tls::Error::Handshake(cause) => {
                        info!("SSL_accept error from {}: -1", self.peer.namaddr);
                        warn!("TLS library problem: {cause}");
                    }
                    ::tls::Error::Timeout => info!("SSL_accept error from {}: Connection timed out", self.peer.namaddr),
                    ::tls::Error::Read { .. } | ::tls::Error::Content { .. } | ::tls::Error::Setup(_) => {
                        warn!("{error}")
                    }
                }
                Err(conn::Error::Lost)
            }
        }
    }
}

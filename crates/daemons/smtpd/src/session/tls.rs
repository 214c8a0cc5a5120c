//! Encryption: what is set up for the process, the handshake of a session, and what is known after it.

use ::tls::doubt::Owner;
use ::tls::fingerprint::{Algorithm, Fingerprints};
use ::tls::loglevel::Loglevel;
use ::tls::names::lookup_keys;
use ::tls::server::ClientCertificate;
use ::tls::summary::{Summary, Trust};
pub(crate) use config::TlsLevel as Level;
use service::Fatal;
use smtp_proto::conn::{self, Pace};
use smtp_proto::{Conn, Enhanced, Reply};
use table::{Environment, Maps};
use tls_server::{Acceptor, Wanted};
use tracing::{info, warn};

use super::Session;
use super::peer::Peer;
use super::stream::Stream;
use crate::Params;

/// What is set up for the process.
#[derive(Debug)]
pub(crate) struct Tls {
    acceptor: Acceptor,
    pub(crate) level: Level,
    /// TLS from the first byte on.
    pub(crate) wrapped: bool,
    demand: Demand,
    digest: Algorithm,
    /// `smtpd_tls_loglevel`.
    loglevel: Loglevel,
    /// `smtpd_tls_loglevel_maps`: the same by name or address of the client.
    loglevels: Maps,
}

/// `None`: no TLS here. Where it comes first, nobody gets around it.
fn level(tls: &config::params::SmtpdTls) -> Result<Option<Level>, Fatal> {
    let (name, wrapped) = (&tls.smtpd_tls_security_level, tls.smtpd_tls_wrappermode);
    let level = service::tls_level("smtpd_tls_security_level", name, tls.smtpd_enforce_tls, tls.smtpd_use_tls)?;
    Ok(if wrapped { Some(Level::Encrypt) } else { level })
}

/// What is expected of clients in the way of certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    Nothing,
    MayShow,
    /// Who shows no trusted one is sent away, after the handshake so that it learns why.
    MustShow,
}

impl Demand {
    fn of(asked: bool, required: bool, level: Level) -> Demand {
        match (asked, required && level == Level::Encrypt) {
            (_, true) => Demand::MustShow,
            (true, false) => Demand::MayShow,
            (false, false) => Demand::Nothing,
        }
    }
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

    /// What a client lacks where a trusted certificate is required.
    fn lacks(&self) -> Option<&'static str> {
        match (self.trusted, self.fingerprint.is_empty()) {
            (true, _) => None,
            (false, true) => Some("No client certificate presented"),
            (false, false) => Some("Client certificate not trusted"),
        }
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
            received: received(summary, tls.demand),
        }
    }
}

/// The lines that `smtpd_tls_received_header` adds.
fn received(summary: &Summary, demand: Demand) -> String {
    let text = summary.to_string();
    let mut lines = match text.split_once(" key-exchange ") {
        Some((first, rest)) => format!("\t(using {first}\n\t key-exchange {rest})\n"),
        None => format!("\t(using {text})\n"),
    };
    if summary.certificate.is_some() {
        let verified = if summary.trust >= Trust::Trusted { "verified OK" } else { "not verified" };
        let (subject, issuer) = (commented(&summary.names.subject), commented(&summary.names.issuer));
        lines.push_str(&format!("\t(Client CN \"{subject}\", Issuer \"{issuer}\" ({verified}))\n"));
    } else if demand != Demand::Nothing {
        lines.push_str("\t(Client did not present a certificate)\n");
    } else {
        lines.push_str("\t(No client certificate requested)\n");
    }
    lines
}

/// A peer's text as it may stand in a comment of a header: printable ASCII that does not end the comment.
fn commented(text: &str) -> String {
    let mut depth = 0_u32;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        out.push(match byte {
            b'(' => {
                depth += 1;
                '('
            }
            b')' if depth > 0 => {
                depth -= 1;
                ')'
            }
            b')' | b'"' | b'\\' => '?',
            b' '..=b'~' => char::from(byte),
            _ => '?',
        });
    }
    (0..depth).for_each(|_| out.push(')'));
    out
}

impl Tls {
    /// Loads certificates, before the jail. `None`: no TLS here.
    pub(crate) fn open(params: &Params, service_name: &str, environment: &Environment) -> Result<Option<Tls>, Fatal> {
        let tls = &params.tls;
        let Some(level) = level(tls)? else { return Ok(None) };
        // Without certificates the level holds all the same: what has to be encrypted is not taken in clear.
        let acceptor = Acceptor::open(&wanted(tls, level), (&params.crypto, &params.ipc), service_name, environment);
        let digest = Algorithm::named(&tls.smtpd_tls_fingerprint_digest).unwrap_or_else(|| {
            warn!("unknown smtpd_tls_fingerprint_digest \"{}\"; using sha256", tls.smtpd_tls_fingerprint_digest);
            Algorithm::Sha256
        });
        Ok(Some(Tls {
            acceptor,
            level,
            wrapped: tls.smtpd_tls_wrappermode,
            demand: Demand::of(tls.smtpd_tls_ask_ccert, tls.smtpd_tls_req_ccert, level),
            digest,
            loglevel: Loglevel::of("smtpd_tls_loglevel", &tls.smtpd_tls_loglevel).unwrap_or_else(|unknown| {
                warn!("{unknown}");
                Loglevel::Nothing
            }),
            loglevels: Maps::open("smtpd_tls_loglevel_maps", &tls.smtpd_tls_loglevel_maps, environment),
        }))
    }

    /// How much is logged of a client.
    async fn loglevel_for(&self, peer: &Peer) -> Loglevel {
        if self.loglevels.is_empty() {
            return self.loglevel;
        }
        loglevel(&self.loglevels, self.loglevel, (&peer.name, &peer.address)).await
    }

    /// Whether a file behind this is no longer what was read.
    pub(crate) fn changed(&self) -> bool {
        self.acceptor.changed() || self.loglevels.changed()
    }

    /// Whether a handshake is possible.
    pub(crate) fn is_ready(&self) -> bool {
        self.acceptor.ready().is_some()
    }
}

/// The level of a client: by its name, the domains above that with a dot before them, or its address.
async fn loglevel(maps: &Maps, general: Loglevel, (name, address): (&str, &str)) -> Loglevel {
    let keys: Vec<_> = lookup_keys(name).chain([address]).collect();
    maps.setting(&keys, Loglevel::named, general).await
}

/// What is wanted of TLS at a level.
fn wanted(tls: &config::params::SmtpdTls, level: Level) -> Wanted<'_> {
    Wanted {
        level,
        chain_files: &tls.smtpd_tls_chain_files,
        pairs: [
            (&tls.smtpd_tls_cert_file, &tls.smtpd_tls_key_file),
            (&tls.smtpd_tls_eccert_file, &tls.smtpd_tls_eckey_file),
        ],
        ca_file: &tls.smtpd_tls_CAfile,
        ca_path: &tls.smtpd_tls_CApath,
        verify_depth: tls.smtpd_tls_ccert_verifydepth,
        protocols: match level {
            Level::Encrypt => &tls.smtpd_tls_mandatory_protocols,
            Level::May => &tls.smtpd_tls_protocols,
        },
        exclude_ciphers: &tls.smtpd_tls_exclude_ciphers,
        mandatory_exclude_ciphers: &tls.smtpd_tls_mandatory_exclude_ciphers,
        certificate: match Demand::of(tls.smtpd_tls_ask_ccert, tls.smtpd_tls_req_ccert, level) {
            Demand::Nothing => ClientCertificate::Ignored,
            Demand::MayShow | Demand::MustShow => ClientCertificate::Asked,
        },
        session_lifetime: tls.smtpd_tls_session_cache_timeout,
        bare: "No server certs available. TLS won't be enabled",
    }
}

impl Session {
    /// The handshake. What was read ahead has been dropped before the client was told to begin.
    ///
    /// `Some`: the reply with which the session ends, for want of a certificate or because there were too many sessions.
    pub(crate) async fn encrypt(&mut self) -> Result<Option<Reply>, conn::Error> {
        let server = std::sync::Arc::clone(&self.server);
        let Some(tls) = &server.tls else { return Err(conn::Error::Lost) };
        let Some(acceptor) = tls.acceptor.ready() else { return Err(conn::Error::Lost) };
        let pace = Pace::Each(self.limits.smtpd_timeout);
        let plain = std::mem::replace(&mut self.conn, Conn::new(Stream::Gone, pace));
        let Ok((stream, _drained)) = plain.into_drained() else { return Err(conn::Error::Lost) };
        let shaken = acceptor.shake_hands(stream, (&self.peer.namaddr, self.limits.smtpd_starttls_timeout)).await;
        let resumed = shaken.as_ref().is_ok_and(|(_, summary)| summary.resumed);
        let refusal = if resumed { None } else { self.count_tls_session().await };
        match shaken {
            Ok((stream, summary)) => {
                let shown = summary.certificate.is_some() && tls.demand == Demand::MustShow;
                if let Some(doubt) = summary.doubt.as_ref().filter(|_| shown) {
                    info!("{}", doubt.line(Owner::Client, &self.peer.namaddr.to_string()));
                }
                if tls.loglevel_for(&self.peer).await == Loglevel::Handshakes {
                    let to = summary.destination();
                    info!("{} TLS connection established from {}{to}: {summary}", summary.trust, self.peer.namaddr);
                }
                let facts = Facts::new(&summary, tls);
                let lacks = facts.lacks().filter(|_| tls.demand == Demand::MustShow);
                self.tls = Some(facts);
                self.conn = Conn::new(Stream::Secured(Box::new(stream)), pace);
                Ok(refusal.or_else(|| lacks.map(|what| self.uncertified(what))))
            }
            Err(error) => {
                match &error {
                    lost if lost.is_lost() => info!("SSL_accept error from {}: lost connection", self.peer.namaddr),
                    ::tls::Error::Handshake(cause) => {
                        info!("SSL_accept error from {}: -1", self.peer.namaddr);
                        warn!("TLS library problem: {cause}");
                    }
                    ::tls::Error::Timeout => info!("SSL_accept error from {}: Connection timed out", self.peer.namaddr),
                    ::tls::Error::Read { .. }
                    | ::tls::Error::Content { .. }
                    | ::tls::Error::Setup(_)
                    | ::tls::Error::Protocols(_) => {
                        warn!("{error}")
                    }
                }
                Err(conn::Error::Lost)
            }
        }
    }

    fn uncertified(&self, what: &str) -> Reply {
        info!("NOQUEUE: abort: TLS from {}: {what}", self.peer.namaddr);
        let text = format!("{} Error: {what}", self.server.params.identity.myhostname);
        Reply::new(421, Some(Enhanced(4, 7, 1)), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_clients_stay_within_their_comment() {
        for (text, expected) in [
            ("mx.example.org", "mx.example.org"),
            ("Example (Mail)", "Example (Mail)"),
            ("a) (b", "a? (b)"),
            ("a\nX-Spam: no\r\n\"\\", "a?X-Spam: no????"),
            ("cliént", "cli??nt"),
        ] {
            assert_eq!(commented(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_required_is_a_certificate_that_is_trusted() {
        let print = "AB:CD".to_owned();
        for (trusted, fingerprint, expected) in [
            (true, print.clone(), None),
            (false, print, Some("Client certificate not trusted")),
            (false, String::new(), Some("No client certificate presented")),
        ] {
            assert_eq!(Facts { trusted, fingerprint, ..Facts::default() }.lacks(), expected);
        }
    }

    #[test]
    fn certificates_are_required_only_where_tls_is() {
        for (asked, required, level, expected) in [
            (false, true, Level::Encrypt, Demand::MustShow),
            (true, true, Level::May, Demand::MayShow),
            (false, true, Level::May, Demand::Nothing),
            (true, false, Level::Encrypt, Demand::MayShow),
        ] {
            assert_eq!(Demand::of(asked, required, level), expected);
        }
    }

    #[test]
    fn handshakes_are_logged_by_client() {
        use Loglevel::{Handshakes, Nothing};
        let specs = ["inline:{mx.a.test=1, .b.test=summary, 192.0.2.1=1, x.b.test=none, c.test=much}"];
        let maps = Maps::open("smtpd_tls_loglevel_maps", &specs, &Environment::default());
        for (name, address, general, expected) in [
            ("mx.a.test", "192.0.2.9", Nothing, Handshakes),
            ("a.test", "192.0.2.9", Nothing, Nothing),
            ("mx.b.test", "192.0.2.9", Nothing, Handshakes),
            ("x.b.test", "192.0.2.1", Handshakes, Nothing),
            ("unknown", "192.0.2.1", Nothing, Handshakes),
            ("c.test", "192.0.2.9", Handshakes, Handshakes),
        ] {
            assert_eq!(table::block_on(loglevel(&maps, general, (name, address))), expected, "{name} {address}");
        }
    }
}

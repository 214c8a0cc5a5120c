//! TLS with clients, for every daemon that serves them: what main.cf says of it (TLS_README), and the handshake.
//!
//! Certificates, keys and authorities are read outside the jail ([`Acceptor::open`]). The certificates of a name that a client
//! asks for come from `tls_server_sni_maps`, the keys of tickets from tlsmgr(8).

mod tickets;

use std::time::Duration;

use config::{TlsLevel, params};
use table::environment::Values;
use table::{Environment, Maps};
use tls::Error;
use tls::identities::Identities;
use tls::material::{Authorities, Identity, Watch};
use tls::names::lookup_keys;
use tls::protocols::Protocols;
use tls::server::{ClientCertificate, Preference, Purpose, Secured, Server, Setup};
use tls::suites::Suites;
use tls::summary::Summary;
use tls::ticket::Ring;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{info, warn};

use crate::tickets::Tickets;

/// What main.cf says for one daemon, by the names of smtpd(8)'s parameters.
#[derive(Debug)]
pub struct Wanted<'p> {
    /// `smtpd_tls_security_level`.
    pub level: TlsLevel,
    /// `smtpd_tls_chain_files`.
    pub chain_files: &'p [String],
    /// `smtpd_tls_cert_file` and `smtpd_tls_key_file`, the same for `ec`.
    pub pairs: [(&'p str, &'p str); 2],
    /// `smtpd_tls_CAfile`.
    pub ca_file: &'p str,
    /// `smtpd_tls_CApath`.
    pub ca_path: &'p str,
    /// `smtpd_tls_ccert_verifydepth`.
    pub verify_depth: i64,
    /// `smtpd_tls_protocols`, or `smtpd_tls_mandatory_protocols` where the level demands TLS.
    pub protocols: &'p [String],
    /// `smtpd_tls_exclude_ciphers`.
    pub exclude_ciphers: &'p [String],
    /// `smtpd_tls_mandatory_exclude_ciphers`, which come to those where the level demands TLS.
    pub mandatory_exclude_ciphers: &'p [String],
    /// Whether clients are asked for a certificate.
    pub certificate: ClientCertificate,
    /// `smtpd_tls_session_cache_timeout`; zero: sessions are not resumed.
    pub session_lifetime: Duration,
    /// What is said where there are no certificates.
    pub bare: &'static str,
}

impl Wanted<'_> {
    /// `None`: there are no certificates, or they cannot be used; the log has the reason.
    fn usable(&self, crypto: &params::Tls, tickets: Option<Ring>) -> Option<Server> {
        match self.server(crypto, tickets) {
            Ok(Some(server)) => return Some(server),
            Ok(None) => warn!("{}", self.bare),
            Err(problem) => warn!("{problem}: disabling TLS support"),
        }
        None
    }

    /// `None`: there are no certificates.
    fn server(&self, crypto: &params::Tls, tickets: Option<Ring>) -> Result<Option<Server>, Error> {
        let identities = Identity::read_all(self.chain_files, &self.pairs)?;
        if identities.is_empty() {
            return Ok(None);
        }
        let authorities = Authorities::read(self.ca_file, self.ca_path)?.within(self.verify_depth);
        let authorities = if crypto.tls_append_default_CA { authorities.with_system()? } else { authorities };
        let excluded = match self.level {
            TlsLevel::Encrypt => [self.exclude_ciphers, self.mandatory_exclude_ciphers].concat(),
            TlsLevel::May => self.exclude_ciphers.to_vec(),
        };
        let server = Server::new(Setup {
            identities: Identities::new(identities)?,
            authorities,
            certificate: self.certificate,
            purpose: if crypto.tls_trust_server_ccerts { Purpose::Any } else { Purpose::Client },
            protocols: Protocols::parse(&self.protocols.join(" "))?,
            suites: Suites::without(&excluded),
            preference: if crypto.tls_preempt_cipherlist { Preference::Server } else { Preference::Client },
            tickets,
        })?;
        Ok(Some(server))
    }

    /// All files whose change makes the set-up another.
    fn files(&self) -> Watch {
        let pairs = self.pairs.into_iter().flat_map(|(certificate, key)| [certificate, key]);
        Watch::of(pairs.chain([self.ca_file]).chain(self.chain_files.iter().map(String::as_str)))
    }
}

/// What is set up for the process.
#[derive(Debug)]
pub struct Acceptor {
    /// `None`: there are no certificates, or they could not be loaded.
    server: Option<Server>,
    /// `tls_server_sni_maps`.
    sni_maps: Maps,
    files: Watch,
    /// `None`: sessions are not resumed.
    tickets: Option<Tickets>,
}

impl Acceptor {
    /// Reads certificates, before the jail. What is wrong with them is logged, and there is no TLS then. Tickets of a service
    /// (`service_name`) are worth nothing to another.
    #[must_use]
    pub fn open(
        wanted: &Wanted<'_>,
        (crypto, ipc): (&params::Tls, &params::Ipc),
        service_name: &str,
        environment: &Environment,
    ) -> Self {
        let lifetime = u32::try_from(wanted.session_lifetime.as_secs()).unwrap_or(u32::MAX);
        let ring = (lifetime > 0).then(|| Ring::new(service_name, lifetime));
        let files = wanted.files();
        let server = wanted.usable(crypto, ring.clone());
        let names_of_files = Environment { values: Values::Files, ..environment.clone() };
        Self {
            server,
            sni_maps: Maps::open("tls_server_sni_maps", &crypto.tls_server_sni_maps, &names_of_files),
            files,
            tickets: ring.map(|ring| Tickets::new(ring, ipc, wanted.session_lifetime)),
        }
    }

    /// Whether a file behind this is no longer what was read.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.sni_maps.changed() || self.files.changed()
    }

    /// `None`: no handshake is possible.
    #[must_use]
    pub fn ready(&self) -> Option<Ready<'_>> {
        self.server.as_ref().map(|server| Ready { server, acceptor: self })
    }

    /// The certificates of a name that a client gives to the server. A name without any gets those of the set-up; where they
    /// cannot be told the handshake ends.
    async fn identities_of(&self, name: &str) -> Result<Option<Identities>, String> {
        let name = name.to_ascii_lowercase();
        let found = self.sni_maps.lookup_first(lookup_keys(&name)).await.map_err(|error| error.to_string())?;
        let Some((key, value)) = found else { return Ok(None) };
        let text = table::source::file_content(&value)?;
        let source = format!("{} {key}", self.sni_maps.parameter());
        let identities = Identity::parse_chains(&source, &text).and_then(Identities::new);
        identities.map(Some).map_err(|error| error.to_string())
    }
}

/// A set-up with which handshakes are possible.
#[derive(Debug, Clone, Copy)]
pub struct Ready<'a> {
    server: &'a Server,
    acceptor: &'a Acceptor,
}

impl Ready<'_> {
    /// The handshake, within `deadline` (`smtpd_starttls_timeout`), with the certificates of the name that the client asks for.
    /// `client` is for the log.
    ///
    /// # Errors
    /// [`Error::Handshake`], [`Error::Timeout`].
    pub async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
        (client, deadline): (&str, Duration),
    ) -> Result<(Secured<S>, Summary), Error> {
        if let Some(tickets) = &self.acceptor.tickets {
            tickets.refresh().await;
        }
        let greeted = self.server.greet(stream, deadline).await?;
        let Some(name) = greeted.server_name().filter(|_| !self.acceptor.sni_maps.is_empty()) else {
            return greeted.finish(None).await;
        };
        let identities =
            self.acceptor.identities_of(&name).await.map_err(|problem| {
                Error::Handshake(std::io::Error::other(format!("certificate of {name}: {problem}")))
            })?;
        if identities.is_none() {
            info!("TLS SNI {name} from {client} not matched, using default chain");
        }
        greeted.finish(identities).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acceptor(sni_maps: &str, values: Values) -> Acceptor {
        let environment = Environment { values, ..Environment::default() };
        Acceptor {
            server: None,
            sni_maps: Maps::open("tls_server_sni_maps", &[sni_maps], &environment),
            files: Watch::of([]),
            tickets: None,
        }
    }

    #[test]
    fn certificates_are_found_by_name_and_domain() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tls/src/testdata/chains.pem");
        let files = acceptor(&format!("inline:{{{{mx.a.test={file}}}, {{.b.test={file}}}}}"), Values::Files);
        let text = acceptor("static:no certificate", Values::Text);
        let found = |of: &Acceptor, name| table::block_on(of.identities_of(name)).map(|found| found.is_some());
        for (name, expected) in
            [("MX.a.test", true), ("a.test", false), ("x.mx.a.test", false), ("x.y.b.test", true), ("b.test", false)]
        {
            assert_eq!(found(&files, name), Ok(expected), "{name}");
        }
        assert!(found(&text, "mx.a.test").is_err());
    }
}

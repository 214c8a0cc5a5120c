//! What is set up for the process before the jail: certificates, authorities, protocols; keys of tickets come later.

use std::path::PathBuf;
use std::time::Duration;

use config::{TlsLevel as Level, params};
use ipc::tlsmgr::{Tlsmgr, ticket_keys};
use service::Fatal;
use table::environment::Values;
use table::{Environment, Maps};
use tls::identities::Identities;
use tls::loglevel::Loglevel;
use tls::material::{Authorities, Identity, Watch};
use tls::names::lookup_keys;
use tls::protocols::Protocols;
use tls::server::{ClientCertificate, Preference, Purpose, Secured, Server};
use tls::suites::Suites;
use tls::summary::Summary;
use tls::ticket::{Key, Renewal, Ring};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{info, warn};

use crate::Params;

/// A client does not wait longer than this for ticket keys.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that a handshake needs.
#[derive(Debug)]
pub struct Setup {
    /// `None`: TLS is off, or there are no certificates, or they could not be loaded.
    server: Option<Server>,
    /// `tls_server_sni_maps`.
    sni_maps: Maps,
    files: Watch,
    /// `None`: sessions are not resumed.
    tickets: Option<Renewal>,
    tlsmgr: ipc::Caller<Tlsmgr>,
    /// Whether handshakes are logged (`tlsproxy_tls_loglevel`).
    pub(crate) log: Log,
}

/// Which handshakes are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    Failures,
    All,
}

impl Setup {
    /// Reads certificates. What is wrong with them is logged, and callers are told that there is no TLS.
    pub(crate) fn open(params: &Params, source: &config::Source, service_name: &str) -> Result<Self, Fatal> {
        let tls = &params.tls;
        let level = level(params)?;
        let timeout = params.smtpd.smtpd_tls_session_cache_timeout;
        let lifetime = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX);
        let ring = (lifetime > 0).then(|| Ring::new(service_name, lifetime));
        let files = watched(tls);
        let environment =
            Environment { values: Values::Files, queue_directory: PathBuf::new(), ..Environment::of(source) };
        Ok(Self {
            server: level.and_then(|level| usable(server(params, level, ring.clone()))),
            sni_maps: Maps::open("tls_server_sni_maps", &params.crypto.tls_server_sni_maps, &environment),
            files,
            tickets: ring.map(|ring| Renewal::new(ring, timeout)),
            tlsmgr: ipc::Caller::new(
                format!("private/{}", params.ipc.tlsmgr_service_name),
                params.ipc.ipc_timeout.min(PATIENCE),
            ),
            log: match Loglevel::of("tlsproxy_tls_loglevel", &tls.tlsproxy_tls_loglevel) {
                Ok(Loglevel::Handshakes) => Log::All,
                Ok(Loglevel::Nothing) => Log::Failures,
                Err(unknown) => {
                    warn!("{unknown}");
                    Log::Failures
                }
            },
        })
    }

    /// Whether a file behind this is no longer what was read.
    pub(crate) fn changed(&self) -> bool {
        self.files.changed() || self.sni_maps.changed()
    }

    /// The server, if handshakes are possible.
    pub(crate) fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// A handshake, with the certificates of the name that the client asks for.
    pub(crate) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        server: &Server,
        stream: S,
        (client, deadline): (&str, Duration),
    ) -> Result<(Secured<S>, Summary), tls::Error> {
        self.refresh_tickets().await;
        let greeted = server.greet(stream, deadline).await?;
        let Some(name) = greeted.server_name().filter(|_| !self.sni_maps.is_empty()) else {
            return greeted.finish(None).await;
        };
        let identities = self.identities_of(&name).await.map_err(|problem| {
            tls::Error::Handshake(std::io::Error::other(format!("certificate of {name}: {problem}")))
        })?;
        if identities.is_none() {
            info!("TLS SNI {name} from {client} not matched, using default chain");
        }
        greeted.finish(identities).await
    }

    async fn refresh_tickets(&self) {
        let Some(tickets) = &self.tickets else { return };
        let ask = async {
            let keys = ticket_keys(&self.tlsmgr).await;
            let keys = keys.inspect_err(|error| warn!("problem talking to service tlsmgr: {error}")).ok()?;
            Some(keys.iter().filter_map(|key| Key::from_parts(&key.name, &key.secret, key.expires)).collect())
        };
        tickets.refresh(ask).await;
    }

    /// The certificates of a name; `None`: those of the set-up.
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

/// `None`: no TLS here.
fn level(params: &Params) -> Result<Option<Level>, Fatal> {
    let (text, former) = (&params.tls.tlsproxy_tls_security_level, &params.tlsproxy);
    let (enforces, uses) = (former.tlsproxy_enforce_tls, former.tlsproxy_use_tls);
    let level = service::tls_level("tlsproxy_tls_security_level", text, enforces, uses)?;
    if level.is_none() {
        warn!("TLS server role is disabled with tlsproxy_tls_security_level or tlsproxy_use_tls");
    }
    Ok(level)
}

/// A server that could be set up; else the reason is logged.
fn usable(server: Result<Option<Server>, tls::Error>) -> Option<Server> {
    match server {
        Ok(Some(server)) => Some(server),
        Ok(None) => {
            warn!("No server certs available. TLS can't be enabled");
            None
        }
        Err(problem) => {
            warn!("{problem}: disabling TLS support");
            None
        }
    }
}

fn server(params: &Params, level: Level, tickets: Option<Ring>) -> Result<Option<Server>, tls::Error> {
    let (tls, crypto) = (&params.tls, &params.crypto);
    let identities = Identity::read_all(&tls.tlsproxy_tls_chain_files, &named(tls))?;
    if identities.is_empty() {
        return Ok(None);
    }
    let authorities = Authorities::read(&tls.tlsproxy_tls_CAfile, &tls.tlsproxy_tls_CApath)?;
    let authorities = authorities.within(tls.tlsproxy_tls_ccert_verifydepth);
    let authorities = if crypto.tls_append_default_CA { authorities.with_system()? } else { authorities };
    let (list, excluded) = match level {
        Level::Encrypt => (
            &tls.tlsproxy_tls_mandatory_protocols,
            [tls.tlsproxy_tls_exclude_ciphers.as_slice(), &tls.tlsproxy_tls_mandatory_exclude_ciphers].concat(),
        ),
        Level::May => (&tls.tlsproxy_tls_protocols, tls.tlsproxy_tls_exclude_ciphers.clone()),
    };
    let required = tls.tlsproxy_tls_req_ccert && level == Level::Encrypt;
    let asked = tls.tlsproxy_tls_ask_ccert || required;
    let server = Server::new(tls::server::Setup {
        identities: Identities::new(identities)?,
        authorities,
        certificate: if asked { ClientCertificate::Asked } else { ClientCertificate::Ignored },
        purpose: if crypto.tls_trust_server_ccerts { Purpose::Any } else { Purpose::Client },
        protocols: Protocols::parse(&list.join(" "))?,
        suites: Suites::without(&excluded),
        preference: if crypto.tls_preempt_cipherlist { Preference::Server } else { Preference::Client },
        tickets,
    })?;
    Ok(Some(server))
}

/// The names of files with our keys and certificates.
fn named(tls: &params::TlsproxyTls) -> [(&str, &str); 2] {
    [
        (&tls.tlsproxy_tls_cert_file, &tls.tlsproxy_tls_key_file),
        (&tls.tlsproxy_tls_eccert_file, &tls.tlsproxy_tls_eckey_file),
    ]
}

/// All files whose change makes the set-up another.
fn watched(tls: &params::TlsproxyTls) -> Watch {
    let pairs = named(tls).into_iter().flat_map(|(certificate, key)| [certificate, key]);
    let chains = tls.tlsproxy_tls_chain_files.iter().map(String::as_str);
    Watch::of(pairs.chain([tls.tlsproxy_tls_CAfile.as_str()]).chain(chains))
}

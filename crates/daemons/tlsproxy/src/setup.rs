//! What is set up for the process before the jail.

use std::path::PathBuf;

use config::{TlsLevel as Level, params};
use service::Fatal;
use table::Environment;
use tls::loglevel::Loglevel;
use tls::server::ClientCertificate;
use tls_server::{Acceptor, Ready, Wanted};
use tracing::warn;

use crate::Params;

/// All that a handshake needs.
#[derive(Debug)]
pub struct Setup {
    /// `None`: TLS is off.
    acceptor: Option<Acceptor>,
    /// `tlsproxy_tls_loglevel`.
    pub(crate) loglevel: Loglevel,
}

impl Setup {
    /// Reads certificates. What is wrong with them is logged, and callers are told that there is no TLS.
    pub(crate) fn open(params: &Params, source: &config::Source, service_name: &str) -> Result<Self, Fatal> {
        let environment = Environment { queue_directory: PathBuf::new(), ..Environment::of(source) };
        let open = |level| {
            let wanted = wanted(params, level);
            Acceptor::open(&wanted, (&params.crypto, &params.ipc), service_name, &environment)
        };
        Ok(Self {
            acceptor: level(params)?.map(open),
            loglevel: Loglevel::of("tlsproxy_tls_loglevel", &params.tls.tlsproxy_tls_loglevel).unwrap_or_else(
                |unknown| {
                    warn!("{unknown}");
                    Loglevel::Nothing
                },
            ),
        })
    }

    /// Whether a file behind this is no longer what was read.
    pub(crate) fn changed(&self) -> bool {
        self.acceptor.as_ref().is_some_and(Acceptor::changed)
    }

    /// `None`: no handshake is possible.
    pub(crate) fn ready(&self) -> Option<Ready<'_>> {
        self.acceptor.as_ref()?.ready()
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

/// What is wanted of TLS at a level.
fn wanted(params: &Params, level: Level) -> Wanted<'_> {
    let tls: &params::TlsproxyTls = &params.tls;
    let required = tls.tlsproxy_tls_req_ccert && level == Level::Encrypt;
    let asked = tls.tlsproxy_tls_ask_ccert || required;
    Wanted {
        level,
        chain_files: &tls.tlsproxy_tls_chain_files,
        pairs: [
            (&tls.tlsproxy_tls_cert_file, &tls.tlsproxy_tls_key_file),
            (&tls.tlsproxy_tls_eccert_file, &tls.tlsproxy_tls_eckey_file),
        ],
        ca_file: &tls.tlsproxy_tls_CAfile,
        ca_path: &tls.tlsproxy_tls_CApath,
        verify_depth: tls.tlsproxy_tls_ccert_verifydepth,
        protocols: match level {
            Level::Encrypt => &tls.tlsproxy_tls_mandatory_protocols,
            Level::May => &tls.tlsproxy_tls_protocols,
        },
        exclude_ciphers: &tls.tlsproxy_tls_exclude_ciphers,
        mandatory_exclude_ciphers: &tls.tlsproxy_tls_mandatory_exclude_ciphers,
        certificate: if asked { ClientCertificate::Asked } else { ClientCertificate::Ignored },
        session_lifetime: params.smtpd.smtpd_tls_session_cache_timeout,
        bare: "No server certs available. TLS can't be enabled",
    }
}

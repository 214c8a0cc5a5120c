//! Connections to the authentication server, kept for the next session.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sasl::dovecot::{Endpoint, Error, Server};
use sasl::mechanism::SecurityOptions;
use service::Fatal;
use tracing::warn;

use crate::Params;

/// Where clients are authenticated.
#[derive(Debug)]
pub(crate) struct Sasl {
    endpoint: Endpoint,
    deadline: Duration,
    plain_options: SecurityOptions,
    tls_options: SecurityOptions,
    idle: Mutex<Vec<Server>>,
}

const KEPT: usize = 10;

/// `inet:host:port`, `unix:path` or a path.
fn endpoint(path: &str, known_tcp_ports: &str) -> Result<Endpoint, Fatal> {
    let Some(place) = path.strip_prefix("inet:") else {
        return Ok(Endpoint::Unix(path.strip_prefix("unix:").unwrap_or(path).to_owned()));
    };
    match config::endpoint::Endpoint::inet(place, known_tcp_ports) {
        Ok(config::endpoint::Endpoint::Inet { host, port }) => Ok(Endpoint::Inet { host, port }),
        Ok(config::endpoint::Endpoint::Unix(path)) => Ok(Endpoint::Unix(path)),
        Err(error) => Err(Fatal::new(format!("smtpd_sasl_path: {error}"))),
    }
}

impl Sasl {
    /// `None`: no authentication here.
    pub(crate) fn new(params: &Params) -> Result<Option<Sasl>, Fatal> {
        if !params.smtpd.smtpd_sasl_auth_enable {
            return Ok(None);
        }
        if !params.sasl.smtpd_sasl_type.eq_ignore_ascii_case("dovecot") {
            warn!("smtpd_sasl_type = {} is not supported; no authentication", params.sasl.smtpd_sasl_type);
            return Ok(None);
        }
        let endpoint = endpoint(&params.sasl.smtpd_sasl_path, &params.daemon.known_tcp_ports)?;
        let options = |words: &[String]| {
            SecurityOptions::parse(words.iter().map(String::as_str)).map_err(|error| Fatal::new(error.to_string()))
        };
        Ok(Some(Sasl {
            endpoint,
            deadline: Duration::from_secs(10),
            plain_options: options(&params.sasl.smtpd_sasl_security_options)?,
            tls_options: options(&params.sasl.smtpd_sasl_tls_security_options)?,
            idle: Mutex::default(),
        }))
    }

    /// What mechanisms have to be like.
    pub(crate) fn options(&self, encrypted: bool) -> &SecurityOptions {
        if encrypted { &self.tls_options } else { &self.plain_options }
    }

    pub(crate) fn idle(&self) -> Option<Server> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(crate) async fn connect(&self) -> Result<Server, Error> {
        Server::connect(&self.endpoint, self.deadline).await
    }

    /// A kept connection, or a new one.
    pub(crate) async fn take(&self) -> Result<Server, Error> {
        match self.idle() {
            Some(server) => Ok(server),
            None => self.connect().await,
        }
    }

    pub(crate) fn keep(&self, server: Server) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(server);
        }
    }
}

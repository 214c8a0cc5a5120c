//! TLS towards the servers of tables: what their parameters ask for, and the handshake.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use tls::client::{Client, Level, Policy};
use tls::identities::Identities;
use tls::material::{Authorities, Identity};
use tls::protocols::Protocols;
use tls::summary::Trust;
use tokio::io::BufReader;

use crate::Error;
use crate::client::Parameters;
use crate::link::Connection;

/// What the server's certificate has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Anything: the connection is encrypted, and that is all.
    Nothing,
    /// Signed by one of the authorities.
    #[cfg(any(feature = "mongodb", feature = "mysql", feature = "pgsql", feature = "redis"))]
    Chain,
    /// And issued for the host's name.
    Name,
}

/// Files, as parameters name them; empty for none.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) authorities: String,
    pub(crate) folder: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// How connections are secured.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    client: Client,
    check: Check,
}

const HANDSHAKE: Duration = Duration::from_secs(10);

#[cfg(any(feature = "mysql", feature = "redis"))]
impl Check {
    /// What tables of MySQL and Redis want: authorities that are given have to vouch for the server, and
    /// `tls_verify_cert = yes` wants its name too.
    pub(crate) fn wanted(parameters: &Parameters, files: &Files) -> Self {
        match parameters.text("tls_verify_cert").as_deref() {
            Some("yes") => Self::Name,
            _ if files.authorities.is_empty() && files.folder.is_empty() => Self::Nothing,
            _ => Self::Chain,
        }
    }
}

impl Tls {
    /// Reads the files; later there may be a jail.
    pub(crate) fn open(files: &Files, check: Check, parameters: &Parameters) -> Result<Self, Error> {
        let mistake = |error: tls::Error| parameters.mistake(&error.to_string());
        let authorities = Authorities::read(&files.authorities, &files.folder).map_err(mistake)?;
        if check != Check::Nothing && authorities.is_empty() {
            return Err(parameters.mistake("a certificate is to be verified, but no authority is given"));
        }
        let key = if files.key.is_empty() { &files.certificate } else { &files.key };
        let identity = match files.certificate.as_str() {
            "" => None,
            certificate => {
                let identity = Identity::read(Path::new(certificate), Path::new(key)).map_err(mistake)?;
                Some(Identities::new(vec![identity]).map_err(mistake)?)
            }
        };
        Ok(Self { client: Client::new(authorities, identity), check })
    }

    /// The handshake with the server that was named `host`.
    pub(crate) async fn secure(&self, connection: Connection, host: &str) -> io::Result<Connection> {
        if !connection.buffer().is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidData, "data before the TLS handshake"));
        }
        let is_name = host.parse::<IpAddr>().is_err();
        let level = if self.check == Check::Nothing { Level::Encrypt } else { Level::Verify };
        let policy = Policy {
            names: vec![host.to_owned()],
            server_name: if is_name { host.to_owned() } else { String::new() },
            ..Policy::new(level, Protocols::parse(">=TLSv1.2").map_err(io::Error::other)?)
        };
        let (stream, summary) = self
            .client
            .connect(connection.into_inner(), &policy, HANDSHAKE)
            .await
            .map_err(|error| io::Error::other(format!("TLS: {error}")))?;
        let wanted = match self.check {
            Check::Nothing => true,
            #[cfg(any(feature = "mongodb", feature = "mysql", feature = "pgsql", feature = "redis"))]
            Check::Chain => summary.trust >= Trust::Trusted,
            Check::Name => summary.trust == Trust::Verified,
        };
        if !wanted {
            return Err(io::Error::other(format!("TLS: the server's certificate is not that of {host}")));
        }
        Ok(BufReader::new(Box::new(stream)))
    }
}

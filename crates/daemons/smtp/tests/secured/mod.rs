//! The TLS side of the tests' servers, with a certificate that nobody vouches for.

use std::path::Path;

use tls::identities::Identities;
use tls::material::{Authorities, Identity};
use tls::protocols::Protocols;
use tls::server::{ClientCertificate, Preference, Purpose, Server, Setup};
use tls::suites::Suites;

/// A server that asks for no certificate.
pub(crate) fn server() -> Result<Server, tls::Error> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../libs/tls/src/testdata");
    let identity = Identity::read(&samples.join("cert.pem"), &samples.join("key.pem"))?;
    Server::new(Setup {
        identities: Identities::new(vec![identity])?,
        authorities: Authorities::none(),
        certificate: ClientCertificate::Ignored,
        purpose: Purpose::Client,
        protocols: Protocols::parse(">=TLSv1.2")?,
        suites: Suites::default(),
        preference: Preference::Server,
        tickets: None,
    })
}

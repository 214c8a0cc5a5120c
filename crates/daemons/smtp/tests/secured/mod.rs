//! TLS as the tests have it: a server whose certificate nobody vouches for, and a client that logs nothing of it.

use std::path::Path;

use smtp::secure::{EarlyReplies, FeatureStatus, Notes, Reuse, Start, Tls};
use table::Maps;
use tls::client::Client;
use tls::identities::Identities;
use tls::loglevel::Loglevel;
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

/// The client's side, after STARTTLS.
pub(crate) fn client(client: Option<Client>) -> Tls {
    Tls {
        client,
        start: Start::Command,
        loglevel: Loglevel::Nothing,
        loglevels: Maps::none("smtp_tls_loglevel_maps"),
        early: EarlyReplies::Taken,
        notes: Notes::Omitted,
        reuse: Reuse::Never,
        status: FeatureStatus::Hidden,
    }
}

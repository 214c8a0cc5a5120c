//! tlsproxy(8): TLS for postscreen.
//!
//! # Description
//!
//! postscreen(8) speaks with clients that it does not know, and holds no keys. Where a client asks for STARTTLS, postscreen passes the
//! connection on to this service, and goes on in plain text with the service instead. A service that is not listed in master.cf is not
//! there: postscreen tells its clients so.
//!
//! Certificates, protocols and cipher suites are those of smtpd(8), unless parameters whose names begin with `tlsproxy_tls_` say otherwise.
//! Certificates are read when a process begins; once a file has changed another process takes the next client.
//!
//! One process serves many sessions. It is only a server of TLS: smtp(8) keeps encrypted connections itself, so that parameters whose names
//! begin with `tlsproxy_client_` have no effect.
//!
//! # Standards
//!
//! RFC 3207 (STARTTLS), 8446 (TLS 1.3), 5246 (TLS 1.2).
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<tlsproxy::Tlsproxy>()
}

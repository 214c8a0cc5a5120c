//! How much TLS a service wants.

use config::TlsLevel;

use crate::Fatal;

/// How much TLS a service wants of its clients, by this parameter; where that is empty, by `*_enforce_tls` and `*_use_tls`, which it
/// took the place of. A level that only clients have is warned about.
///
/// # Errors
/// There is no such level.
pub fn tls_level(parameter: &str, text: &str, enforce_tls: bool, use_tls: bool) -> Result<Option<TlsLevel>, Fatal> {
    if TlsLevel::is_of_clients(text) {
        tracing::warn!("{parameter}: unsupported TLS level \"{text}\", using \"encrypt\"");
    }
    let former = match (enforce_tls, use_tls) {
        (true, _) => Some(TlsLevel::Encrypt),
        (false, true) => Some(TlsLevel::May),
        (false, false) => None,
    };
    Ok(TlsLevel::of(text, former)?)
}

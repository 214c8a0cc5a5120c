//! Lists of what this mail system can do.

use crate::options::Options;
use crate::screen::{Fatal, Screen};

/// Prints a list.
#[expect(clippy::unnecessary_wraps, reason = "as the other commands")]
pub(crate) fn list(screen: &mut Screen, names: &[&str]) -> Result<(), Fatal> {
    for name in names {
        screen.line(name);
    }
    Ok(())
}

/// The types of lookup tables.
pub(crate) fn tables(screen: &mut Screen) -> Result<(), Fatal> {
    let mut names: Vec<&str> = table::TYPES.iter().map(|kind| kind.name).collect();
    names.sort_unstable();
    list(screen, &names)
}

/// What `-T` asks about the TLS library.
pub(crate) fn tls(options: &Options, screen: &mut Screen) -> Result<(), Fatal> {
    match options.tls_mode.as_str() {
        "compile-version" | "run-version" => list(screen, &["rustls 0.23 (aws-lc-rs)"]),
        "public-key-algorithms" => list(screen, &["ecdsa", "ed25519", "rsa"]),
        mode => Err(Fatal(format!("warning: unknown 'postconf -T' mode: {mode}"))),
    }
}

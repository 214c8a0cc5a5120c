//! End-to-end tests: private instances, real SMTP, real crashes.
//!
//! The programs under test are those that lie beside the running test (`cargo xtask test` builds them first). What needs root or a peer
//! that is not installed is left out by name; where `POSTERN_TEST_PEERS=required` a missing peer is a failure.

use std::path::Path;

/// Whether a test that needs `peer` (a program's path) can run here; says so by name where it cannot.
///
/// # Panics
/// The peer is missing where it must be there.
#[must_use]
pub fn has_peer(test: &str, peer: &str) -> bool {
    let found = Path::new(peer).exists();
    assert!(
        found || std::env::var_os("POSTERN_TEST_PEERS").is_none_or(|value| value != "required"),
        "{peer} is missing"
    );
    if !found {
        left_out(test, &format!("{peer} is not installed"));
    }
    found
}

/// Whether a test that needs root (and the accounts of a mail system) can run here; says so by name where it cannot.
#[must_use]
pub fn is_root(test: &str) -> bool {
    let root = nix::unistd::Uid::effective().is_root();
    if !root {
        left_out(test, "needs root");
    }
    root
}

#[expect(clippy::print_stderr, reason = "whoever reads the test's output must see what was left out")]
fn left_out(test: &str, why: &str) {
    eprintln!("{test}: left out: {why}");
}

//! TCP ports for servers that tests start.

use anyhow::{Context as _, Result};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that the system gives to clients, which else could take one before its server does.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;
/// How many a process has before it comes to those of another.
const OWN: u16 = 100;

/// Ports of the loopback given so far.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// A TCP port of the loopback that is free, and is not given twice.
///
/// # Errors
/// None is free.
pub fn free_port() -> Result<u16> {
    let own = u16::try_from(std::process::id() % u32::from(COUNT / OWN))? * OWN;
    let candidates = (0..COUNT).map(|_| GIVEN.fetch_add(1, Ordering::Relaxed));
    candidates
        .map(|given| FIRST + (own + given % COUNT) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no TCP port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_though_nobody_took_the_first() {
        let (one, two) = (free_port().unwrap(), free_port().unwrap());
        assert_ne!(one, two);
        let taken = TcpListener::bind(("127.0.0.1", two + 1)).ok();
        assert_ne!(free_port().unwrap(), two + 1, "{taken:?}");
    }
}

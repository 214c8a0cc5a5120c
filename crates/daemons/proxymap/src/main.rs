//! proxymap(8): answers table look-ups for jailed daemons.
fn main() {}

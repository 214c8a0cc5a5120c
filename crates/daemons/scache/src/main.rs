//! scache(8): keeps connections for reuse.
fn main() {}

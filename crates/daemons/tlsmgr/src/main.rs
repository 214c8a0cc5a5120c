//! tlsmgr(8): keeps TLS ticket keys and session caches.
fn main() {}

//! anvil(8): counts connections and requests of clients.
fn main() {}

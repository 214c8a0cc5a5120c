//! spawn(8): runs a command for each connection.
fn main() {}

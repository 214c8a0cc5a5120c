//! discard(8): discards mail.
fn main() {}

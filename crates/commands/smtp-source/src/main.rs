//! smtp-source(1): an SMTP load generator.
fn main() {}

//! smtp(8): delivers mail by SMTP and LMTP.
fn main() {}

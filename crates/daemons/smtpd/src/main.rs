//! smtpd(8): receives mail by SMTP.
fn main() {}

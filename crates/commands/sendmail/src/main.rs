//! sendmail(1): the Sendmail-compatible command.
fn main() {}

//! postkick(1): wakes a service.
fn main() {}

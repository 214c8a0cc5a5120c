//! flush(8): keeps the fast-flush logs of destinations.
fn main() {}

//! postmap(1): makes and queries lookup tables.
fn main() {}

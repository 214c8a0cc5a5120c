//! postlog(1): logs a line.
fn main() {}

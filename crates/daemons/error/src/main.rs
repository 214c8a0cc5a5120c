//! error(8): fails or defers every recipient it is given.
fn main() {}

//! postsuper(1): maintains the queue.
fn main() {}

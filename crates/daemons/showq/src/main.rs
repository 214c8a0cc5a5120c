//! showq(8): lists the queue.
fn main() {}

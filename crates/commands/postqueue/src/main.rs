//! postqueue(1): lists and flushes the queue.
fn main() {}

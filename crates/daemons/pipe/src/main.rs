//! pipe(8): delivers to external commands.
fn main() {}

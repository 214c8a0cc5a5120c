//! trivial-rewrite(8): rewrites and resolves addresses.
fn main() {}

//! master(8): supervises the daemons that master.cf names.
fn main() {}

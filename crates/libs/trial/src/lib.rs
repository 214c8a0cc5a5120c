//! What programs that put clients and servers on trial share: `load` is what generators send, and over how many sessions,
//! `place` where they connect and where sinks listen, `program` how all of them begin and end.

pub mod load;
pub mod place;
pub mod program;

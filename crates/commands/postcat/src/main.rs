//! postcat(1): shows queue files.
//!
//! # Synopsis
//!
//!     postcat [-bdehoqrv] [-c DIR] [-s OFFSET] [FILE...]
//!
//! # Description
//!
//! Shows messages as they are in the queue: envelope, content, and what came behind it. Without a file it reads one from
//! standard input. A file that is none of the queue is named and passed over.
//!
//! # Options
//!
//! - `-b`: show the body.
//! - `-c DIR`: the configuration directory.
//! - `-d`: show the types of records as numbers.
//! - `-e`: show the envelope.
//! - `-h`: show the header.
//! - `-o`: show the offset of each record.
//! - `-q`: the arguments are queue ids, which are looked for in all queues.
//! - `-r`: show records in their order in the file, without following pointers.
//! - `-s OFFSET`: begin at an offset.
//! - `-v`: be verbose.
use std::process::ExitCode;

fn main() -> ExitCode {
    postcat::run()
}

//! SMTP for both sides: commands, replies, EHLO words, dot and BDAT framing.
//!
//! Everything here is pure but `conn`, which reads and writes any stream. Servers parse what strangers send, so every
//! parser is total, works on bytes, and has a bound; clients get the same care for the replies of servers.
//! See RFC 5321 (SMTP), 2920 (PIPELINING), 3030 (CHUNKING), 3461 (DSN), 6531 (SMTPUTF8).

pub mod attribute;
pub mod bdat;
pub mod command;
pub mod conn;
pub mod dot;
pub mod ehlo;
pub mod parameter;
pub mod path;
pub mod proxy_header;
pub mod reply;
pub mod transcript;

pub use command::Verb;
pub use conn::Conn;
pub use path::Strictness;
pub use reply::{Enhanced, Reply};
pub use transcript::{Transcript, escaped, printable};

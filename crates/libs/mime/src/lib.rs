//! Messages: header fields, the MIME structure, and 8-bit to 7-bit conversion.
//!
//! Everything here works on one line at a time with bounded memory, and is total: any sequence of bytes is a message. The
//! text itself is never changed unless it is converted.

mod content;
mod downgrade;
pub mod encoded_word;
mod field;
mod quoted_printable;
mod walk;

pub use content::{ContentType, Encoding, Top, content_type, encoding};
pub use downgrade::Downgrade;
pub use field::{Addresses, Field, Kind, Resent, field_name_length};
pub use walk::{End, Event, Events, Fault, Limits, Parts, Place, Walker};

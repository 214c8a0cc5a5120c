//! Addresses: what stands before and after the `@`, in envelopes and in headers.
//!
//! Inside the suite an address is in *internal* form: no quotes, no backslashes, everything before the last `@` is
//! the local part. [`quote`] makes the *external* form that goes into SMTP, headers and logs, and undoes it.
//! An address is octets: with SMTPUTF8 it is UTF-8, without it may be anything that a client sent.

pub mod domain;
mod extension;
mod log_form;
mod mailbox;
mod probe;
pub mod quote;
pub mod tree;
mod verp;

pub use extension::{OwnerRequest, split_extension, split_extension_with};
pub use log_form::{LogForm, UnknownForm};
pub use mailbox::{Address, Sender, looks_like_option, printable, shown};
pub use probe::ProbeSender;
pub use verp::verp;

//! The milter protocol, client side: what a mail system says to a content filter, and what it may answer.
//!
//! [`packet`] is pure: commands to bytes, bytes to responses. [`filter`] is one filter's connection, [`spec`] says where it
//! is and what to do without it, and [`chain`] asks the filters of a session one after the other. The envelope is
//! shown by smtpd; the content by cleanup, which is where it gets its last form. See MILTER_README.

pub mod chain;
pub mod filter;
pub mod packet;
pub mod spec;

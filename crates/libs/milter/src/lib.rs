//! The milter protocol, client side: what a mail system says to a content filter, and what it may answer.
//!
//! [`packet`] is pure: commands to bytes, bytes to responses. [`filter`] is one filter's connection, from the negotiation
//! to the verdict on a message. When which filter is asked, and what becomes of its verdicts, is the business of
//! smtpd and cleanup. See MILTER_README.

pub mod endpoint;
pub mod filter;
pub mod packet;

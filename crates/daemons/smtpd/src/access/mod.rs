//! Access control: restriction lists, and what they say about a client and what it wants.
//!
//! Lists are parsed when the process starts, so that walking one reads no text and cannot fail on syntax. A lookup that
//! fails temporarily defers; it never permits. See SMTPD_ACCESS_README and postconf(5) on `smtpd_recipient_restrictions`.

pub(crate) mod action;
pub(crate) mod certificate;
pub(crate) mod client;
pub(crate) mod derived;
pub(crate) mod dnsbl;
pub(crate) mod domain;
pub(crate) mod existence;
pub(crate) mod helo;
pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod parse;
pub(crate) mod policy;
pub(crate) mod relay;
pub(crate) mod restriction;
pub(crate) mod stages;
pub(crate) mod verdict;
pub(crate) mod verification;
pub(crate) mod walk;

pub(crate) use restriction::{Restriction, Rules};
pub(crate) use verdict::{Actions, Facts, Fault, HANGUP, Refusal, Subject, Verdict};
pub(crate) use walk::{Check, Deferral};

//! Host and mail exchanger lookups: MX, A, AAAA, PTR, TXT, TLSA, SRV, NS, with the AD bit asked for.
//!
//! A stub resolver over hickory's message codec. Its own transport, because the high-level resolver of hickory never
//! sets AD in a query, so that a trusted resolver never says whether an answer was validated. Files are read by
//! [`Resolver::system`], before the jail; afterwards nothing but sockets is needed. Errors carry the enhanced status
//! and the words that Postfix logs for them.

mod address_pattern;
mod client;
mod error;
mod files;
mod filter;
mod hosts;
mod record;
mod resolv_conf;
mod resolver;
mod transport;
mod wire;

pub use address_pattern::AddressPattern;
pub use client::{ClientName, NameStatus};
pub use error::{Error, Failure};
pub use filter::filter;
pub use hosts::Hosts;
pub use record::{Answer, Data, Kind, Record, is_hostname};
pub use resolv_conf::ResolvConf;
pub use resolver::{Families, Resolver, Search, gather, reverse_name};
pub use wire::read_reply;

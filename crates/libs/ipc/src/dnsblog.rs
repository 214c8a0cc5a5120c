//! dnsblog: what a list in the DNS says of an address. See dnsblog(8).

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

/// The service; numbered requests.
#[derive(Debug)]
pub struct Dnsblog;

impl crate::Protocol for Dnsblog {
    const NAME: &'static str = "dnsblog";
    const VERSION: u16 = 1;
    type Request = Request;
    type Reply = Reply;
}

/// Asks one list about one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The list's domain.
    pub domain: String,
    /// The client.
    pub address: IpAddr,
}

/// What the list said. A look-up that failed counts as not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Its answer; nothing where the address is not listed.
    pub answer: Vec<Ipv4Addr>,
    /// Seconds that this holds, where the list says so.
    pub ttl: Option<u32>,
}

//! flush: deferred mail by destination. See flush(8).

use serde::{Deserialize, Serialize};

/// The service; numbered requests.
#[derive(Debug)]
pub struct Flush;

impl crate::Protocol for Flush {
    const NAME: &'static str = "flush";
    const VERSION: u16 = 1;
    type Request = Request;
    type Reply = Reply;
}

/// What a caller asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A message for a site was deferred.
    Add {
        /// The destination domain.
        site: String,
        /// The message.
        queue_id: String,
    },
    /// Deliver what waits for a site.
    Site(String),
    /// Deliver one deferred message.
    Message(String),
    /// Deliver what waits for sites whose log is old (`fast_flush_refresh_time`).
    Refresh,
    /// Do all sites.
    Purge,
}

/// What the service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done,
    /// Could not be done now.
    Failed,
    /// The site is not in `fast_flush_domains`.
    Denied,
    /// Not a site, or not an id.
    Malformed,
}

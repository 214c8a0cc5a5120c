//! verify: which addresses are deliverable, as probes have shown. See verify(8).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The service; numbered requests.
#[derive(Debug)]
pub struct Verify;

impl crate::Protocol for Verify {
    const NAME: &'static str = "verify";
    const VERSION: u16 = 1;
    type Request = Request;
    type Reply = Reply;
}

/// In the `trace_flags` attribute of a message: a probe, which ends where its recipient's fate is known.
pub const PROBE: u32 = 1 << 8;

/// What a caller asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// What is known of an address (internal form); starts a probe where that is due.
    Query(Bytes),
    /// The result of a probe, from a delivery agent or qmgr.
    Update {
        /// The probe's recipient.
        address: Bytes,
        /// What was found.
        status: Status,
        /// In words.
        text: String,
    },
}

/// What is known of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Deliverable.
    Ok,
    /// The probe was deferred.
    Deferred,
    /// The probe bounced.
    Bounced,
    /// No result yet.
    Pending,
}

/// What the service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Request::Query`].
    Known(Status, String),
    /// To [`Request::Update`].
    Done,
    /// The cache cannot be used now.
    Failed,
}

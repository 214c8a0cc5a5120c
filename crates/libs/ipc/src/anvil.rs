//! anvil: how many connections and requests each client makes. See anvil(8).
//!
//! A connection to anvil stands for a process; what a process counted as open ends with its connection.

use serde::{Deserialize, Serialize};

/// The service; numbered requests.
#[derive(Debug)]
pub struct Anvil;

impl crate::Protocol for Anvil {
    const NAME: &'static str = "anvil";
    const VERSION: u16 = 1;
    const REPEATABLE: bool = false;
    type Request = Request;
    type Reply = Reply;
}

/// Something a client did; `identity` is `service:client`, as `smtp:192.0.2.1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Service and client.
    pub identity: String,
    /// What happened.
    pub event: Event,
}

/// What a client did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// It connected.
    Connect,
    /// It is gone.
    Disconnect,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// A new TLS session.
    NewTls,
    /// AUTH.
    Auth,
    /// Nothing: only report.
    Report,
}

/// The client's figures after the event, all of this `anvil_rate_time_unit`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Connections open now.
    pub connections: u32,
    /// Connections made.
    pub connects: u32,
    /// MAIL commands.
    pub mails: u32,
    /// RCPT commands.
    pub rcpts: u32,
    /// New TLS sessions.
    pub tls: u32,
    /// AUTH commands.
    pub auths: u32,
}

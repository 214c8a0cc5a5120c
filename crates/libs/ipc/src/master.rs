//! The status channel between master and each daemon process: edges, never single sessions.
//!
//! master makes a socket pair per process; the daemon has the [`Protocol::Request`](crate::Protocol) side.

use serde::{Deserialize, Serialize};

/// The channel; a [`crate::Channel`] over an inherited descriptor, without hello.
#[derive(Debug)]
pub struct Master;

impl crate::Protocol for Master {
    const NAME: &'static str = "master";
    const VERSION: u16 = 1;
    const LIMIT: usize = 4096;
    type Request = Status;
    type Reply = Order;
}

/// What a daemon tells master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// It is past its birth and accepts clients.
    Available,
    /// Every one of its slots is taken; it does not accept.
    Full,
    /// It has more than a few sessions: another process of the service would help.
    Busy,
    /// It has served enough: it wants a successor, and to be drained once that one is there.
    Retiring,
    /// It stops accepting, finishes its sessions and ends; a successor may start.
    Exiting,
}

/// What master tells a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// Stop accepting, finish, end.
    Drain,
    /// The wake-up timer of the service: trigger bytes.
    Wake(Vec<u8>),
    /// The service is (or is no more) under stress.
    Stress(bool),
}

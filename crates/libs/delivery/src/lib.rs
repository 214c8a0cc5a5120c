//! The delivery agent skeleton: what every agent does between qmgr's request and its answer.
//!
//! A request names a queue file and some of its recipients. The agent opens the file under a shared lock, delivers,
//! and settles each recipient: its line is logged, its failure is in the bounce or defer log (or its success in the
//! trace log), and it is marked done in the queue file, all before qmgr hears of it. [`plan`] holds these rules as
//! pure functions; [`agent`] carries them out for the agents that have many deliveries in progress, [`solo`] for those
//! that serve one at a time. An outcome that is lost in any way leaves its recipient in the queue.

pub mod agent;
mod dates;
mod desk;
mod file;
mod filter;
pub mod plan;
pub mod solo;
mod verdict;

pub mod command;
pub mod content;
pub mod copy;
pub mod flags;
pub mod head;
pub mod loops;
pub mod mailbox;

pub use content::{Content, content_of};
pub use dates::Dates;
pub use desk::{Desk, FailedProbes, Params, Policy, external};
pub use file::QueueFile;
pub use filter::StatusFilter;
pub use plan::{Attempt, Settled};
pub use verdict::verdict;

#[cfg(test)]
mod crash_rules;

//! qmgr(8): moves mail from queue to delivery agent.

mod arena;
mod schedule;

//! Work that would hold up an event loop: done on the pool, at once where it is quick, or not at all while the last answer is fresh.

mod average;
mod lane;
mod pace;
mod recent;
mod spread;

pub use lane::Lane;
pub use pace::{Pace, pool};
pub use recent::Recent;
pub use spread::{Shares, divide, spread};

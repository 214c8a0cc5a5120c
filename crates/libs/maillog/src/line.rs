//! Lines that log analysers parse: one type each, with `Display` and a golden test.

mod delivery;

pub use delivery::{Delays, Delivery, Seconds};

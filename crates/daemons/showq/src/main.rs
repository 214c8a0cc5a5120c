//! showq(8): lists the queue.
//!
//! # Description
//!
//! Tells postqueue(1) what is in the queue: id, size, time of arrival, sender, recipients and why they wait, message by message.
//! Each line of a log is as its delivery agent wrote it.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<showq::Showq>()
}

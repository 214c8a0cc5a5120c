//! qmqpd(8): receives mail by QMQP.
//!
//! # Description
//!
//! Takes messages from hosts that keep no queue of their own: one message per connection, with its sender and recipients, in the
//! protocol of qmail. It is handed to cleanup(8), and the one reply tells what became of it: `K` it is in the queue, `Z` try again
//! later, `D` it will never be taken. There is no reply for each recipient, so that none can be refused by itself.
//!
//! Only `qmqpd_authorized_clients` may use the service; by default nobody may. A refusal is delayed by `qmqpd_error_delay`. A message may
//! have `message_size_limit` bytes, an address `line_length_limit`; what is larger is refused as soon as its length is known.
//!
//! A sender that ends in `-@[]` asks for a sender of its own for each recipient, as with qmail: mail from `list-@example.com-@[]` to
//! `user@example.org` goes out from `list-user=example.org@example.com`.
//!
//! One process serves many sessions, and holds each message in memory until it is complete.
//!
//! # Standards
//!
//! QMQP and netstrings, by D. J. Bernstein.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<qmqpd::Qmqpd>()
}

//! A step of the scheduler: a delivery added, selected, finished.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the scheduler is no one else's: its files are compiled in, and not all of it is used here"
)]

#[path = "../src"]
mod src {
    pub(crate) mod arena;
    pub(crate) mod schedule;
}

use src::arena;
use src::schedule::{Feedback, Limits, Schedule};

fn main() {
    divan::main();
}

/// With so many messages waiting.
#[divan::bench(args = [0, 100, 10_000])]
fn step(bencher: divan::Bencher<'_, '_>, waiting: u64) {
    let mut schedule = Schedule::<u64>::default();
    let smtp = schedule.add_transport("smtp", Limits { initial_concurrency: 20, ..Limits::default() });
    for number in 0..waiting {
        schedule.add((smtp, format!("{number}.example.com").as_bytes()), (number, 0), number);
    }
    let mut number = waiting;
    bencher.bench_local(|| {
        number += 1;
        schedule.add((smtp, b"example.com"), (number, 0), number);
        let entry = schedule.select(smtp, 0)?;
        schedule.finish(entry, Feedback::Reached, 0)
    });
}

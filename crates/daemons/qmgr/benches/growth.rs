//! The scheduler with more and more to do: everything added, selected and finished.
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

use src::arena::{self, Key};
use src::schedule::{Entry, Feedback, Limits, Schedule, Tick, Why};
use testkit::growth::curve;

const SIZES: [usize; 3] = [200, 2000, 20_000];

/// What goes where: number of the message, name of the destination.
type Mail = Vec<(u64, String)>;

fn mail(count: usize, one: impl Fn(u64) -> (u64, String)) -> Mail {
    (0..count as u64).map(one).collect()
}

/// Adds all, then delivers until nothing is left; at most 100 deliveries run at once.
fn deliver(mail: &Mail, feedback: impl Fn(u64) -> Feedback) -> u64 {
    let mut schedule = Schedule::<u64>::default();
    let smtp = schedule.add_transport("smtp", Limits::default());
    for (index, (message, destination)) in mail.iter().enumerate() {
        schedule.add((smtp, destination.as_bytes()), (*message, index as Tick), *message);
    }
    let (mut running, mut done, mut now) = (Vec::<Key<Entry<u64>>>::new(), 0, mail.len() as Tick);
    loop {
        while running.len() < 100
            && let Some(entry) = schedule.select(smtp, now)
        {
            running.push(entry);
        }
        if running.is_empty() {
            return done;
        }
        for entry in running.drain(..) {
            now += 1;
            done += schedule.finish(entry, feedback(now), now).map_or(0, |(_, evicted)| 1 + evicted.len() as u64);
        }
    }
}

fn main() {
    let reached = |_: u64| Feedback::Reached;
    let messages = |size| mail(size, |n| (n, format!("{}.example.com", n % 50)));
    curve("qmgr: N messages, 50 destinations", &SIZES, messages, |mail| deliver(mail, reached));
    let apart = |size| mail(size, |n| (n, format!("{n}.example.com")));
    curve("qmgr: N messages, N destinations", &SIZES, apart, |mail| deliver(mail, reached));
    let one = |size| mail(size, |n| (0, format!("{}.example.com", n % 50)));
    curve("qmgr: one message, N recipients", &SIZES, one, |mail| deliver(mail, reached));
    let large = |size| {
        mail(size, |n| if n % 2 == 0 { (0, "list.example.com".to_owned()) } else { (n, format!("{n}.example.com")) })
    };
    curve("qmgr: one large message among N/2 small ones", &SIZES, large, |mail| deliver(mail, reached));
    let lists = |size| mail(size, |n| (n / 1000, format!("{}.example.com", n % 7)));
    curve("qmgr: N recipients, 1000 in each message", &SIZES, lists, |mail| deliver(mail, reached));
    let down = |now: u64| match now % 3 {
        0 => Feedback::Unreachable(Why { status: "4.4.1".to_owned(), reason: "connect".to_owned() }),
        _ => Feedback::Reached,
    };
    curve("qmgr: N messages, a third of deliveries fails", &SIZES, messages, |mail| deliver(mail, down));
}

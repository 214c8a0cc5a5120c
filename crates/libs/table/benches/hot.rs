//! Look-ups in tables of 1000 rules, most of which do not apply.
#![expect(clippy::expect_used, reason = "a benchmark without its table has nothing to say")]

use divan::black_box;
use table::{Environment, Table};

fn main() {
    divan::main();
}

fn rules(kind: &str, rule: impl Fn(usize) -> String) -> Box<dyn Table> {
    let rules: Vec<String> = (0..1000).map(rule).collect();
    table::open(&format!("{kind}:{{{}}}", rules.join(",")), &Environment::default()).expect("table")
}

#[divan::bench(args = ["regexp", "pcre"])]
fn patterns(bencher: divan::Bencher<'_, '_>, kind: &str) {
    let table = rules(kind, |n| format!("{{/^Subject:.*offer{n}$/ REJECT}}"));
    bencher.bench_local(|| table.lookup(black_box(b"Subject: an ordinary letter about nothing much")).block());
}

#[divan::bench]
fn cidr(bencher: divan::Bencher<'_, '_>) {
    let table = rules("cidr", |n| format!("{{10.{}.{}.0/24 REJECT}}", n / 256, n % 256));
    bencher.bench_local(|| table.lookup(black_box(b"192.0.2.1")).block());
}

#[divan::bench(args = ["inline"])]
fn strings(bencher: divan::Bencher<'_, '_>, kind: &str) {
    let table = rules(kind, |n| format!("{{user{n}@example.com = value}}"));
    bencher.bench_local(|| table.lookup(black_box(b"User500@example.com")).block());
}

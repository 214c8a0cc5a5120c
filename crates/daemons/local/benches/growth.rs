//! Aliases and lists with more and more members.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the file is no one else's: it is compiled in, and not all of it is used here"
)]

#[path = "../src/token.rs"]
mod token;

use testkit::growth::curve;

const SIZES: [usize; 3] = [1000, 10_000, 100_000];

fn main() {
    let alias = |size: usize| (0..size).map(|n| format!("user{n}, ")).collect::<String>().into_bytes();
    curve("local: alias of N members", &SIZES, alias, |text| token::parse(text));
    let loose = |size: usize| (0..size).map(|n| format!("user{n} ")).collect::<String>().into_bytes();
    curve("local: alias of N members without commas", &SIZES, loose, |text| token::parse(text));
    let list = |size: usize| (0..size).map(|n| format!("user{n}@example.com\n")).collect::<String>().into_bytes();
    curve("local: :include: file of N lines", &SIZES, list, |text| {
        token::lines(text).iter().map(|line| token::parse(line).len()).sum::<usize>()
    });
}

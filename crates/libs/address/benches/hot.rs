//! Addresses: cut, quoted, found in headers.

use address::{Address, tree};
use divan::black_box;

fn main() {
    divan::main();
}

#[divan::bench]
fn from_external() -> Address {
    Address::from_external(black_box(b"\"some one\"@mail.example.com"))
}

#[divan::bench]
fn external() -> Vec<u8> {
    black_box(Address::from("someone@mail.example.com")).external()
}

#[divan::bench]
fn folded() -> Vec<u8> {
    black_box(Address::from("SomeOne@Mail.Example.com")).folded()
}

#[divan::bench]
fn header() -> Vec<tree::Item> {
    tree::parse(black_box(b"\"Some One\" <one@example.com>, two@example.com (Two), list: a@b.c, d@e.f;"), 1000)
}

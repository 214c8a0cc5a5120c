//! Headers with more and more addresses: read, and written anew as cleanup does.

use address::{Address, tree};
use testkit::growth::curve;

const SIZES: [usize; 3] = [100, 1000, 10_000];

fn header(count: usize) -> Vec<u8> {
    let addresses: Vec<String> = (0..count).map(|n| format!("\"User {n}\" <user{n}@example.com>")).collect();
    addresses.join(",\n\t").into_bytes()
}

fn main() {
    curve("address: header of N addresses parsed", &SIZES, header, |text| tree::parse(text, usize::MAX));
    curve("address: the same rewritten", &SIZES, header, |text| {
        let mut items = tree::parse(text, usize::MAX);
        for address in items.iter_mut().filter_map(tree::Item::address_mut) {
            *address = Address::from_parts(address.local_part(), b"example.org");
        }
        tree::print(&items, 4)
    });
    let comments = |count: usize| "(comment) ".repeat(count).into_bytes();
    curve("address: header of N comments parsed", &SIZES, comments, |text| tree::parse(text, usize::MAX));
    let open = |count: usize| "<a:(b".repeat(count).into_bytes();
    curve("address: N brackets never closed", &SIZES, open, |text| tree::parse(text, usize::MAX));
}

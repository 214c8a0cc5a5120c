//! Puts items together again as the text of a header.

use super::Item;
use crate::quote::{is_atom_byte, quoted_string};

/// A line of a rewritten header, without the tab of a continuation, is broken at a comma before it grows as long as this.
const LINE_LENGTH: usize = 70;

/// Prints items as the value of a header whose first line begins with `column` other characters.
#[must_use]
pub fn print(items: &[Item], column: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut line = column;
    // Behind a comma at the end comes a piece of nothing, and the space before it.
    let nothing = items.last().filter(|last| **last == Item::Comma).map(|_| [].as_slice());
    for piece in items.split_inclusive(|item| *item == Item::Comma).chain(nothing) {
        // A comment of several lines may be broken where it was.
        let text = print_piece(piece);
        for text in text.split(|byte| *byte == b'\n') {
            if out.is_empty() {
                // The first one stands behind the name of the header.
            } else if line + 1 + text.len() >= LINE_LENGTH {
                out.push(b'\n');
                if !text.starts_with(b" ") && !text.starts_with(b"\t") {
                    out.push(b'\t');
                }
                line = 0;
            } else {
                out.push(b' ');
                line += 1;
            }
            line += text.len();
            out.extend_from_slice(text);
        }
    }
    out
}

/// What stands up to and with a comma.
fn print_piece(items: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut before = None;
    for item in items {
        if before.replace(item).is_some_and(|before| is_apart(before, item)) {
            out.push(b' ');
        }
        match item {
            Item::Word(text) | Item::Comment(text) => out.extend_from_slice(text),
            // An address of nothing has quotes, so that there is something.
            Item::Address(address) if address.is_empty() => out.extend_from_slice(b"\"\""),
            Item::Address(address) | Item::Local(address) => out.extend(address.external()),
            Item::Nobody(_) => {}
            Item::Comma => out.push(b','),
            Item::GroupStart => out.push(b':'),
            Item::GroupEnd => out.push(b';'),
            Item::Other(special) => out.push(*special),
        }
    }
    out
}

/// Whether there is a space between two items.
fn is_apart(before: &Item, item: &Item) -> bool {
    let is_text = |item: &Item| matches!(item, Item::Word(_) | Item::Comment(_) | Item::Address(_) | Item::Local(_));
    matches!(before, Item::GroupStart) || matches!(item, Item::Other(b'<')) || is_text(before) && is_text(item)
}

/// A display name for use before `<address>`: quoted unless it is atoms with single spaces between.
#[must_use]
pub fn phrase(name: &[u8]) -> Vec<u8> {
    let plain = !name.is_empty()
        && name.split(|&b| b == b' ').all(|word| !word.is_empty() && word.iter().all(|&b| is_atom_byte(b)));
    if plain { name.to_vec() } else { quoted_string(name) }
}

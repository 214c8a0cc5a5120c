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
    for piece in items.split_inclusive(|item| *item == Item::Comma) {
        let text = print_piece(piece);
        if !out.is_empty() {
            if line + 1 + text.len() >= LINE_LENGTH {
                out.extend_from_slice(b"\n\t");
                line = 0;
            } else {
                out.push(b' ');
                line += 1;
            }
        }
        line += text.len();
        out.extend(text);
    }
    out
}

/// What stands up to and with a comma.
fn print_piece(items: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut before = None;
    for item in items {
        let joins = matches!(item, Item::Comma | Item::GroupStart | Item::GroupEnd);
        let clings = matches!((before.replace(item), item), (Some(Item::Angle(_)), Item::Comment(_)));
        if !joins && !clings && !out.is_empty() {
            out.push(b' ');
        }
        match item {
            Item::Phrase(text) | Item::Comment(text) => out.extend_from_slice(text),
            Item::Bare(address) => out.extend(address.external()),
            Item::Angle(address) => {
                out.push(b'<');
                out.extend(address.external());
                out.push(b'>');
            }
            Item::Comma => out.push(b','),
            Item::GroupStart => out.push(b':'),
            Item::GroupEnd => out.push(b';'),
        }
    }
    out
}

/// A display name for use before `<address>`: quoted unless it is atoms with single spaces between.
#[must_use]
pub fn phrase(name: &[u8]) -> Vec<u8> {
    let plain = !name.is_empty()
        && name.split(|&b| b == b' ').all(|word| !word.is_empty() && word.iter().all(|&b| is_atom_byte(b)));
    if plain { name.to_vec() } else { quoted_string(name) }
}

//! The addresses of a header, and what stands around them.
//!
//! A header such as `To:` holds mailboxes, display names, comments and groups. It is cut into items in one pass; what
//! people wrote around an address stays as it is, so that only the addresses change when a header is rewritten.
//! Whatever comes in, the parser ends in time linear in it. Faults that Postfix repairs are repaired: missing commas,
//! comments within addresses. A source route stays part of its address until rewriting drops it.

mod lex;
mod parse;
mod print;

pub use parse::{Spelling, parse, parse_spelled};
pub use print::{phrase, print};

use crate::Address;

/// A piece of an address header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A word of a display name or of the name of a group, as it goes into a header.
    Word(Vec<u8>),
    /// An address, alone or in angle brackets.
    Address(Address),
    /// An address that is all local part: what would divide it is in quotes, as in `"a@b"`.
    Local(Address),
    /// The empty address that `<>` is.
    Nobody(Address),
    /// `(…)`, as written, with the line ends that it has.
    Comment(Vec<u8>),
    /// `,`
    Comma,
    /// `:` after the name of a group.
    GroupStart,
    /// `;`
    GroupEnd,
    /// Another special character outside addresses, such as the angle brackets.
    Other(u8),
}

impl Item {
    /// The address, where the item is one.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Address(address) | Self::Local(address) | Self::Nobody(address) => Some(address),
            Self::Word(_) | Self::Comment(_) | Self::Comma | Self::GroupStart | Self::GroupEnd | Self::Other(_) => None,
        }
    }

    /// The address, to be changed.
    #[must_use]
    pub fn address_mut(&mut self) -> Option<&mut Address> {
        match self {
            Self::Address(address) | Self::Local(address) | Self::Nobody(address) => Some(address),
            Self::Word(_) | Self::Comment(_) | Self::Comma | Self::GroupStart | Self::GroupEnd | Self::Other(_) => None,
        }
    }
}

/// The addresses of a parsed header, in order, without empty ones.
pub fn addresses(items: &[Item]) -> impl Iterator<Item = &Address> {
    items.iter().filter_map(Item::address).filter(|address| !address.is_empty())
}

#[cfg(test)]
mod tests;

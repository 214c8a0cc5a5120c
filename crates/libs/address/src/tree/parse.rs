//! Groups the tokens of a header into items.

use std::borrow::Cow;

use super::Item;
use super::lex::{Kind, Token, tokens};
use crate::Address;
use crate::quote::{is_dot_string, quoted_string};

/// Room for an address of usual length.
const USUAL: usize = 32;

/// Parses the value of an address header. Of more than `limit` tokens the rest is left out (`header_address_token_limit`).
#[must_use]
pub fn parse(text: &[u8], limit: usize) -> Vec<Item> {
    parse_spelled(text, limit).0
}

/// How the addresses of a header are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// As [`super::print`] would write them.
    Usual,
    /// Some with quotes or backslashes that they do not need.
    Unusual,
}

/// The same as [`parse`], and how the addresses are written.
#[must_use]
pub fn parse_spelled(text: &[u8], limit: usize) -> (Vec<Item>, Spelling) {
    let tokens = tokens(text, limit);
    let groups_left = tokens.iter().filter(|token| token.is(b';')).count();
    let brackets_left = tokens.iter().filter(|token| token.is(b'>')).count();
    let mut parser = Parser {
        text,
        items: Vec::new(),
        unit: Vec::new(),
        groups_left,
        brackets_left,
        in_group: false,
        spelling: Spelling::Usual,
    };
    let mut rest = tokens.into_iter();
    while let Some(token) = rest.next() {
        parser.token(token, &mut rest);
    }
    parser.end_unit();
    (parser.items, parser.spelling)
}

struct Parser<'a> {
    text: &'a [u8],
    items: Vec<Item>,
    /// Tokens since the last separator or bracket.
    unit: Vec<Token<'a>>,
    /// How many `;` are still to come: a `:` without one is no group's.
    groups_left: usize,
    /// How many `>` are still to come.
    brackets_left: usize,
    in_group: bool,
    spelling: Spelling,
}

impl<'a> Parser<'a> {
    fn token(&mut self, token: Token<'a>, rest: &mut std::vec::IntoIter<Token<'a>>) {
        match token.kind {
            Kind::Special(b'<') if self.brackets_left > 0 => {
                self.end_phrase();
                self.bracket(rest);
            }
            Kind::Special(b'>') => self.brackets_left = self.brackets_left.saturating_sub(1),
            Kind::Special(b',') => {
                self.end_unit();
                self.items.push(Item::Comma);
            }
            Kind::Special(b';') => {
                self.groups_left = self.groups_left.saturating_sub(1);
                self.in_group = false;
                self.end_unit();
                self.items.push(Item::GroupEnd);
            }
            Kind::Special(b':') if self.groups_left > 0 && !self.in_group && !self.is_route() => {
                self.in_group = true;
                self.end_phrase();
                self.items.push(Item::GroupStart);
            }
            Kind::Special(_) | Kind::Word(_) | Kind::Comment => self.unit.push(token),
        }
    }

    /// Whether the unit is the `@one,@two` of a source route.
    fn is_route(&self) -> bool {
        self.unit.first().is_some_and(|token| token.is(b'@'))
    }

    /// What stands between `<` and `>`; comments move behind.
    fn bracket(&mut self, rest: &mut std::vec::IntoIter<Token<'a>>) {
        let mut internal = Vec::with_capacity(USUAL);
        let mut comments = Vec::new();
        let mut escaped = false;
        for token in rest.by_ref() {
            let is_escaped = token.kind.is_escaped();
            match token.kind {
                Kind::Special(b'>') => {
                    self.brackets_left = self.brackets_left.saturating_sub(1);
                    break;
                }
                Kind::Special(b';') => {
                    self.groups_left = self.groups_left.saturating_sub(1);
                    internal.push(b';');
                }
                Kind::Special(special) => internal.push(special),
                Kind::Word(word) => {
                    escaped |= is_escaped;
                    internal.extend_from_slice(&word);
                }
                Kind::Comment => comments.push(self.span(token.start, token.end)),
            }
        }
        let address = self.address(internal, escaped);
        self.items.push(Item::Angle(address));
        self.items.extend(comments.into_iter().map(Item::Comment));
    }

    /// The unit was a display name.
    fn end_phrase(&mut self) {
        let unit = std::mem::take(&mut self.unit);
        if unit.iter().all(|token| token.kind == Kind::Comment) {
            for token in unit {
                self.items.push(Item::Comment(self.span(token.start, token.end)));
            }
        } else {
            self.separate();
            self.items.push(Item::Phrase(self.phrase(&unit)));
        }
    }

    /// Words and comments with single spaces between; a word that needs quotes gets them.
    fn phrase(&self, unit: &[Token<'a>]) -> Vec<u8> {
        let mut text = Vec::with_capacity(USUAL);
        let mut after_word = false;
        for token in unit {
            if let Kind::Special(special) = token.kind {
                text.push(special);
                after_word = false;
                continue;
            }
            if after_word {
                text.push(b' ');
            }
            after_word = true;
            let written = self.text.get(token.start..token.end).unwrap_or_default();
            match &token.kind {
                Kind::Word(word) if token.kind.is_escaped() => {
                    let plain = !written.starts_with(b"\"") && is_dot_string(word);
                    text.extend_from_slice(&if plain { word.clone() } else { Cow::Owned(quoted_string(word)) });
                }
                Kind::Word(_) | Kind::Comment | Kind::Special(_) => text.extend_from_slice(written),
            }
        }
        text
    }

    /// The unit was one address, or several without commas.
    fn end_unit(&mut self) {
        if self.unit.is_empty() {
            return;
        }
        let mut internal = Vec::with_capacity(USUAL);
        let mut comments = Vec::new();
        let (mut after_word, mut found, mut escaped) = (false, false, false);
        for token in std::mem::take(&mut self.unit) {
            let is_escaped = token.kind.is_escaped();
            match token.kind {
                Kind::Comment => comments.push(self.span(token.start, token.end)),
                Kind::Special(special) => {
                    internal.push(special);
                    (after_word, found) = (false, true);
                }
                Kind::Word(word) => {
                    if after_word {
                        self.bare(std::mem::take(&mut internal), std::mem::take(&mut escaped), &mut comments);
                    }
                    escaped |= is_escaped;
                    internal.extend_from_slice(&word);
                    (after_word, found) = (true, true);
                }
            }
        }
        if found {
            self.bare(internal, escaped, &mut comments);
        } else {
            self.items.extend(comments.into_iter().map(Item::Comment));
        }
    }

    /// An address of which something was quoted or escaped, or nothing.
    fn address(&mut self, internal: Vec<u8>, escaped: bool) -> Address {
        let address = Address::new(internal);
        if escaped && is_dot_string(address.local_part()) {
            self.spelling = Spelling::Unusual;
        }
        address
    }

    fn bare(&mut self, internal: Vec<u8>, escaped: bool, comments: &mut Vec<Vec<u8>>) {
        self.separate();
        let address = self.address(internal, escaped);
        self.items.push(Item::Bare(address));
        self.items.extend(comments.drain(..).map(Item::Comment));
    }

    /// Puts the comma that was forgotten behind an address or a group.
    fn separate(&mut self) {
        let before = self.items.iter().rev().find(|item| !matches!(item, Item::Comment(_)));
        if matches!(before, Some(Item::Bare(_) | Item::Angle(_) | Item::GroupEnd)) {
            self.items.push(Item::Comma);
        }
    }

    fn span(&self, start: usize, end: usize) -> Vec<u8> {
        self.text.get(start..end).unwrap_or_default().to_vec()
    }
}

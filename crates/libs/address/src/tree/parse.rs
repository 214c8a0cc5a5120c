//! Groups the tokens of a header into items.

use super::Item;
use super::lex::{Kind, Token, tokens};
use crate::Address;

/// Room for an address of usual length.
const USUAL: usize = 32;

/// Parses the value of an address header. Of more than `limit` tokens the rest is left out (`header_address_token_limit`).
#[must_use]
pub fn parse(text: &[u8], limit: usize) -> Vec<Item> {
    let tokens = tokens(text, limit);
    let groups_left = tokens.iter().filter(|token| token.is(b';')).count();
    let brackets_left = tokens.iter().filter(|token| token.is(b'>')).count();
    let mut parser = Parser { text, items: Vec::new(), unit: Vec::new(), groups_left, brackets_left, in_group: false };
    let mut rest = tokens.into_iter();
    while let Some(token) = rest.next() {
        parser.token(token, &mut rest);
    }
    parser.end_unit();
    parser.items
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
        for token in rest.by_ref() {
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
                Kind::Word(word) => internal.extend_from_slice(&word),
                Kind::Comment => comments.push(self.span(token.start, token.end)),
            }
        }
        self.separate();
        self.items.push(Item::Angle(Address::new(internal)));
        self.items.extend(comments.into_iter().map(Item::Comment));
    }

    /// The unit was a display name.
    fn end_phrase(&mut self) {
        let unit = std::mem::take(&mut self.unit);
        if let (Some(first), Some(last)) = (unit.first(), unit.last()) {
            self.separate();
            self.items.push(Item::Phrase(self.span(first.start, last.end)));
        }
    }

    /// The unit was one address, or several without commas.
    fn end_unit(&mut self) {
        if self.unit.is_empty() {
            return;
        }
        let mut internal = Vec::with_capacity(USUAL);
        let mut comments = Vec::new();
        let mut after_word = false;
        let mut found = false;
        for token in std::mem::take(&mut self.unit) {
            match token.kind {
                Kind::Comment => comments.push(self.span(token.start, token.end)),
                Kind::Special(special) => {
                    internal.push(special);
                    (after_word, found) = (false, true);
                }
                Kind::Word(word) => {
                    if after_word {
                        self.bare(std::mem::take(&mut internal), &mut comments);
                    }
                    internal.extend_from_slice(&word);
                    (after_word, found) = (true, true);
                }
            }
        }
        if found {
            self.bare(internal, &mut comments);
        } else {
            self.items.extend(comments.into_iter().map(Item::Comment));
        }
    }

    fn bare(&mut self, internal: Vec<u8>, comments: &mut Vec<Vec<u8>>) {
        self.separate();
        self.items.push(Item::Bare(Address::new(internal)));
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

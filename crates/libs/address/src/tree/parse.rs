//! Groups the tokens of a header into items.
//!
//! This goes from right to left, as in Postfix: so a `>` tells that what follows on its left is an address in brackets, and a `;` that a
//! `:` ends the name of a group. Where brackets and groups are broken, that decides what is taken for an address.

use super::Item;
use super::lex::{Token, tokens};
use crate::Address;

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
    /// Some with quotes that they do not need, or without those that they do.
    Unusual,
}

/// The same as [`parse`], and how the addresses are written.
#[must_use]
pub fn parse_spelled(text: &[u8], limit: usize) -> (Vec<Item>, Spelling) {
    let mut parser = Parser {
        left: tokens(text, limit),
        held: Vec::new(),
        items: Vec::new(),
        word: Word::Welcome,
        group: Group::Outside,
        spelling: Spelling::Usual,
    };
    while let Some(token) = parser.left.pop() {
        parser.token(token);
    }
    parser.end_address(Comma::Written);
    parser.items.reverse();
    (parser.items, parser.spelling)
}

/// Whether a comma is missing on the left of an address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comma {
    Written,
    Missing,
}

/// Whether a word continues the address on its right, or is one of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Welcome,
    Apart,
}

/// Whether a `;` was seen, so that a `:` starts a group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Outside,
    Inside,
}

struct Parser<'a> {
    /// Tokens that are still to come, the next one last.
    left: Vec<Token<'a>>,
    /// Those of the address that is being gathered, the first one last.
    held: Vec<Token<'a>>,
    /// What is done, the first one last.
    items: Vec<Item>,
    word: Word,
    group: Group,
    spelling: Spelling,
}

impl<'a> Parser<'a> {
    fn token(&mut self, token: Token<'a>) {
        match token {
            Token::Comment(text) => self.items.push(Item::Comment(text.to_vec())),
            Token::Special(b';') => {
                self.end_address(Comma::Missing);
                self.items.push(Item::GroupEnd);
                (self.group, self.word) = (Group::Inside, Word::Welcome);
            }
            Token::Special(b':') if self.group == Group::Inside => {
                self.end_address(Comma::Written);
                self.items.push(Item::GroupStart);
                self.keep_until(b",");
            }
            Token::Special(b'>') => self.bracket(),
            Token::Special(b',') => {
                self.end_address(Comma::Written);
                self.items.push(Item::Comma);
                self.word = Word::Welcome;
            }
            Token::Special(_) => {
                self.held.push(token);
                self.word = Word::Welcome;
            }
            Token::Atom(_) | Token::Quoted(_) | Token::Literal(_) => {
                if self.word == Word::Apart {
                    self.end_address(Comma::Missing);
                }
                self.held.push(token);
                self.word = Word::Apart;
            }
        }
    }

    /// An address that ends with `>`, and the name before it. Comments move behind the address.
    fn bracket(&mut self) {
        self.end_address(Comma::Missing);
        self.items.push(Item::Other(b'>'));
        while let Some(token) = self.left.pop_if(|token| *token != Token::Special(b'<')) {
            match token {
                Token::Comment(text) => self.items.push(Item::Comment(text.to_vec())),
                Token::Atom(_) | Token::Quoted(_) | Token::Literal(_) | Token::Special(_) => self.held.push(token),
            }
        }
        if self.held.is_empty() && self.left.last() == Some(&Token::Special(b'<')) {
            self.items.push(Item::Nobody(Address::default()));
        }
        self.end_address(Comma::Written);
        self.keep_until(b">;,:");
        if self.group == Group::Outside && self.left.pop_if(|token| *token == Token::Special(b':')).is_some() {
            self.items.push(Item::Other(b':'));
        }
        self.word = Word::Welcome;
    }

    /// What is no address stays as it is, up to one of these.
    fn keep_until(&mut self, ends: &[u8]) {
        let stays = |token: &mut Token<'_>| !matches!(token, Token::Special(special) if ends.contains(special));
        while let Some(token) = self.left.pop_if(stays) {
            let item = match &token {
                Token::Comment(text) => Item::Comment(text.to_vec()),
                Token::Special(b',') => Item::Comma,
                Token::Special(b';') => Item::GroupEnd,
                Token::Special(special) => Item::Other(*special),
                Token::Atom(_) | Token::Quoted(_) | Token::Literal(_) => {
                    let mut text = Vec::with_capacity(USUAL);
                    token.push_external(&mut text);
                    Item::Word(text)
                }
            };
            self.items.push(item);
        }
    }

    /// What has been gathered is an address.
    fn end_address(&mut self, comma: Comma) {
        if self.held.is_empty() {
            return;
        }
        let is_written = |special: u8| self.held.contains(&Token::Special(special));
        let (at, percent, bang) = (is_written(b'@'), is_written(b'%'), is_written(b'!'));
        let (mut internal, mut written) = (Vec::with_capacity(USUAL), Vec::with_capacity(USUAL));
        for token in self.held.drain(..).rev() {
            token.push_internal(&mut internal);
            token.push_external(&mut written);
        }
        let divides = |byte: &u8| matches!(byte, b'@') || *byte == b'%' && !percent || *byte == b'!' && !bang;
        let is_local = !at && internal.iter().any(divides);
        let address = Address::new(internal);
        if address.external() != written {
            self.spelling = Spelling::Unusual;
        }
        self.items.push(if is_local { Item::Local(address) } else { Item::Address(address) });
        if comma == Comma::Missing {
            self.items.push(Item::Comma);
        }
    }
}

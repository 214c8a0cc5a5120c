//! `$name` expansion: references, conditions, comparisons and functions.
//!
//! Forms: `$name`, `${name}`, `$(name)`, `${name?text}`, `${name:text}`, `${name?{text}:{text}}`,
//! `${{a} == {b}?{text}:{text}}` with `==`, `!=`, `<`, `<=`, `>=`, `>` (by number where both sides are numbers) and
//! the same followed by `level`, `${domain_to_ascii{text}}`, and `$$` for a dollar sign. Names that have no value are empty.
//! Recursion and work are bounded, so no text makes this run on.

use crate::compatibility::{Level, Malformed};
use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Ordering;

/// How deep values may refer to other values.
pub const MAX_NESTING: usize = 100;
/// How many references one value may lead to, however deep.
const MAX_REFERENCES: usize = 100_000;
/// How long an expanded value may grow.
const MAX_LENGTH: usize = 16 << 20;

/// Finds values of names.
pub type Names<'n> = dyn Fn(&str) -> Option<Cow<'n, str>> + 'n;

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A brace or parenthesis is not closed.
    #[error("truncated macro reference: \"{0}\"")]
    Truncated(String),
    /// A dollar sign without a name.
    #[error("empty macro name: \"{0}\"")]
    EmptyName(String),
    /// Values refer to each other in a circle, or nearly so.
    #[error("unreasonable macro call nesting: \"{0}\"")]
    Nesting(String),
    /// Something other than this stands there.
    #[error("{what} expected at: \"...{before}>>>{after}\"")]
    Expected {
        /// What could stand there.
        what: &'static str,
        /// The text before.
        before: String,
        /// The text behind, or some of it.
        after: String,
    },
    /// A name with characters that names do not have.
    #[error("attribute name syntax error at: \"...{before}>>>{after}\"")]
    NameSyntax {
        /// The name so far.
        before: String,
        /// What follows it.
        after: String,
    },
    /// Text behind the end of a condition.
    #[error("unexpected input at: \"...{before}}}>>>{after}\"")]
    Unexpected {
        /// The last alternative.
        before: String,
        /// What follows it.
        after: String,
    },
    /// A comparison of levels with something that is none.
    #[error(transparent)]
    Level(#[from] Malformed),
    /// A number too large to compare.
    #[error("bad conversion: {0}")]
    Number(String),
    /// A domain that has no ASCII form.
    #[error("no ASCII form of domain: {0}")]
    Domain(String),
}

/// Expands all references in `text`, and those in the values they lead to.
///
/// # Errors
/// When the text, or one that it leads to, is malformed.
pub fn expand<'n>(text: &str, names: &Names<'n>) -> Result<String, Failure> {
    run(text, names, Mode::Recursive)
}

/// Expands the references in `text`; values go in as they are.
///
/// # Errors
/// When the text is malformed.
pub fn expand_once<'n>(text: &str, names: &Names<'n>) -> Result<String, Failure> {
    run(text, names, Mode::Once)
}

/// Replaces names as [`expand_once`] does where all that stands in brackets is the name: there are no conditions.
///
/// # Errors
/// When the text is malformed.
pub fn expand_plain<'n>(text: &str, names: &Names<'n>) -> Result<String, Failure> {
    run(text, names, Mode::Plain)
}

/// Expands as [`expand_once`] does; `None` if a name whose value belongs in the result has none.
///
/// # Errors
/// When the text is malformed.
pub fn expand_defined<'n>(text: &str, names: &Names<'n>) -> Result<Option<String>, Failure> {
    let mut expander = Expander::new(names, Mode::Once);
    expander.text(text, 0)?;
    Ok((!expander.lacks_value).then_some(expander.out))
}

/// All names that a text refers to, in whichever alternative, in their order.
///
/// # Errors
/// When the text is malformed.
pub fn references(text: &str) -> Result<Vec<String>, Failure> {
    let found = RefCell::new(Vec::new());
    let names = |name: &str| {
        found.borrow_mut().push(name.to_owned());
        None
    };
    run(text, &names, Mode::Survey)?;
    Ok(found.into_inner())
}

fn run<'n>(text: &str, names: &Names<'n>, mode: Mode) -> Result<String, Failure> {
    let mut expander = Expander::new(names, mode);
    expander.text(text, 0)?;
    Ok(expander.out)
}

/// What is done with the values of names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// They are expanded too.
    Recursive,
    /// They go in as they are.
    Once,
    /// So they do, and whatever stands in brackets is a name.
    Plain,
    /// Every name is asked for, and no alternative is left out.
    Survey,
}

struct Expander<'e, 'n> {
    names: &'e Names<'n>,
    mode: Mode,
    references: usize,
    /// Whether a name without a value was to go in.
    lacks_value: bool,
    out: String,
}

impl<'e, 'n> Expander<'e, 'n> {
    fn new(names: &'e Names<'n>, mode: Mode) -> Self {
        Self { names, mode, references: 0, lacks_value: false, out: String::new() }
    }

    /// Appends the expansion of a text to the output.
    fn text(&mut self, text: &str, depth: usize) -> Result<(), Failure> {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            self.out.push_str(before);
            rest = match after.chars().next() {
                Some('$') => {
                    self.out.push('$');
                    skip(after, 1)
                }
                Some(open @ ('{' | '(')) => {
                    let close = if open == '{' { '}' } else { ')' };
                    let (inner, rest) =
                        balanced(after, open, close).ok_or_else(|| Failure::Truncated(text.to_owned()))?;
                    if inner.is_empty() {
                        return Err(Failure::EmptyName(text.to_owned()));
                    }
                    match self.mode {
                        Mode::Plain => self.value(inner, depth)?,
                        Mode::Recursive | Mode::Once | Mode::Survey => self.reference(inner, depth)?,
                    }
                    rest
                }
                _ => {
                    let (name, rest) = split_name(after);
                    if name.is_empty() {
                        return Err(Failure::EmptyName(text.to_owned()));
                    }
                    self.value(name, depth)?;
                    rest
                }
            };
        }
        self.out.push_str(rest);
        Ok(())
    }

    /// Appends what a name stands for.
    fn value(&mut self, name: &str, depth: usize) -> Result<(), Failure> {
        self.references += 1;
        if depth >= MAX_NESTING || self.references > MAX_REFERENCES || self.out.len() > MAX_LENGTH {
            return Err(Failure::Nesting(name.to_owned()));
        }
        match (self.names)(name) {
            Some(value) if self.mode == Mode::Recursive => self.text(&value, depth + 1),
            Some(value) => {
                self.out.push_str(&value);
                Ok(())
            }
            None => {
                self.lacks_value = true;
                Ok(())
            }
        }
    }

    /// Expands a text on its own.
    fn apart(&mut self, text: &str, depth: usize) -> Result<String, Failure> {
        if depth >= MAX_NESTING {
            return Err(Failure::Nesting(clip(text)));
        }
        let outer = std::mem::take(&mut self.out);
        let result = self.text(text, depth + 1);
        let value = std::mem::replace(&mut self.out, outer);
        result.map(|()| value)
    }

    /// Appends what stands between `${` and `}`.
    fn reference(&mut self, inner: &str, depth: usize) -> Result<(), Failure> {
        let inner = inner.trim_start_matches(is_space);
        if inner.starts_with('{') {
            return self.comparison(inner, depth);
        }
        let (name, rest) = split_name(inner);
        if rest.starts_with('{') {
            return self.function(name, rest, depth);
        }
        let rest = rest.trim_start_matches(is_space);
        if rest.is_empty() {
            return self.value(name, depth);
        }
        if !rest.starts_with(['?', ':']) {
            return Err(Failure::NameSyntax { before: name.to_owned(), after: clip(rest) });
        }
        let truth = (self.names)(name).is_some_and(|value| !value.is_empty());
        self.choose(truth, rest, depth)
    }

    /// Appends the outcome of `{a} OP {b}`, or of the alternatives behind it.
    fn comparison(&mut self, inner: &str, depth: usize) -> Result<(), Failure> {
        const OPERATORS: &str = r#""==" or "!=" or "<" or "<=" or ">=" or ">""#;
        let unclosed = || Failure::Truncated(inner.to_owned());
        let (left, rest) = balanced(inner, '{', '}').ok_or_else(unclosed)?;
        let rest = rest.trim_start_matches(is_space);
        let (operator, after) = Operator::split(rest).ok_or_else(|| Failure::Expected {
            what: OPERATORS,
            before: format!("{left}}}"),
            after: clip(rest),
        })?;
        let operand = after.trim_start_matches(is_space);
        let (right, rest) = balanced(operand, '{', '}').ok_or_else(|| Failure::Expected {
            what: "\"{expression}\"",
            before: format!("{{{left}}} {}", operator.text),
            after: clip(after),
        })?;
        let (left, right) = (self.apart(left, depth)?, self.apart(right, depth)?);
        let truth = self.mode != Mode::Survey && operator.holds(&left, &right)?;
        let rest = rest.trim_start_matches(is_space);
        if rest.is_empty() {
            self.out.push_str(if truth { "true" } else { "" });
            return Ok(());
        }
        if !rest.starts_with(['?', ':']) {
            let what = "\"?\" or \":\"";
            return Err(Failure::Expected { what, before: "}".to_owned(), after: clip(rest) });
        }
        self.choose(truth, rest, depth)
    }

    /// Appends one of the alternatives of `?{yes}:{no}`, `?yes` or `:no`.
    fn choose(&mut self, truth: bool, alternatives: &str, depth: usize) -> Result<(), Failure> {
        let (yes, no) = split_alternatives(alternatives)?;
        if let (Mode::Survey, Some(yes), true) = (self.mode, yes, depth < MAX_NESTING) {
            self.text(yes, depth + 1)?;
        }
        match if truth { yes } else { no } {
            Some(_) if depth >= MAX_NESTING => Err(Failure::Nesting(clip(alternatives))),
            Some(text) => self.text(text, depth + 1),
            None => Ok(()),
        }
    }

    /// Appends the result of a function.
    fn function(&mut self, name: &str, rest: &str, depth: usize) -> Result<(), Failure> {
        let unclosed = || Failure::Truncated(rest.to_owned());
        let (argument, rest) = balanced(rest, '{', '}').ok_or_else(unclosed)?;
        if name != "domain_to_ascii" {
            return Err(Failure::NameSyntax { before: name.to_owned(), after: clip(rest) });
        }
        if !rest.trim_matches(is_space).is_empty() {
            return Err(Failure::Unexpected { before: argument.to_owned(), after: clip(rest) });
        }
        let domain = self.apart(argument, depth)?;
        if domain.is_ascii() {
            self.out.push_str(&domain);
        } else {
            let ascii = idna::domain_to_ascii(&domain).map_err(|_| Failure::Domain(domain))?;
            self.out.push_str(&ascii);
        }
        Ok(())
    }
}

/// The texts for true and for false, as far as there are any.
fn split_alternatives(text: &str) -> Result<(Option<&str>, Option<&str>), Failure> {
    let after = skip(text, 1);
    let Some((first, rest)) = balanced(after.trim_start_matches(is_space), '{', '}') else {
        return Ok(if text.starts_with('?') { (Some(after), None) } else { (None, Some(after)) });
    };
    let rest = rest.trim_start_matches(is_space);
    let unexpected = |before: &str, rest| Err(Failure::Unexpected { before: before.to_owned(), after: clip(rest) });
    match (text.starts_with('?'), rest.strip_prefix(':')) {
        (true, None) if rest.is_empty() => Ok((Some(first), None)),
        (true, None) => Err(Failure::Expected { what: "\":\"", before: format!("{first}}}"), after: clip(rest) }),
        (true, Some(after)) => match balanced(after.trim_start_matches(is_space), '{', '}') {
            Some((second, "")) => Ok((Some(first), Some(second))),
            Some((second, rest)) if !rest.trim_matches(is_space).is_empty() => unexpected(second, rest),
            Some((second, _)) => Ok((Some(first), Some(second))),
            None => Ok((Some(first), Some(after))),
        },
        (false, _) if rest.is_empty() => Ok((None, Some(first))),
        (false, _) => unexpected(first, rest),
    }
}

type Accepts = fn(Ordering) -> bool;

struct Operator {
    text: &'static str,
    accepts: Accepts,
    levels: bool,
}

impl Operator {
    fn split(text: &str) -> Option<(Self, &str)> {
        const TABLE: [(&str, Accepts); 6] = [
            ("==", Ordering::is_eq),
            ("!=", Ordering::is_ne),
            ("<=", Ordering::is_le),
            (">=", Ordering::is_ge),
            ("<", Ordering::is_lt),
            (">", Ordering::is_gt),
        ];
        TABLE.into_iter().find_map(|(sign, accepts)| {
            let rest = text.strip_prefix(sign)?;
            let (levels, rest) = match rest.strip_prefix("level") {
                Some(rest) => (true, rest),
                None => (false, rest),
            };
            Some((Self { text: sign, accepts, levels }, rest))
        })
    }

    fn holds(&self, left: &str, right: &str) -> Result<bool, Failure> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = |text: &str| text.parse::<u64>().map_err(|_| Failure::Number(text.to_owned()));
        let order = if self.levels {
            left.parse::<Level>()?.cmp(&right.parse()?)
        } else if is_number(left) && is_number(right) {
            number(left)?.cmp(&number(right)?)
        } else {
            left.cmp(right)
        };
        Ok((self.accepts)(order))
    }
}

/// What stands between the bracket that a text starts with and its counterpart, and what follows.
fn balanced(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (place, character) in text.char_indices() {
        if character == open {
            depth += 1;
        } else if depth == 0 {
            return None;
        } else if character == close {
            depth -= 1;
            if depth == 0 {
                let inner = text.get(open.len_utf8()..place)?;
                return Some((inner, text.get(place + close.len_utf8()..)?));
            }
        }
    }
    None
}

fn split_name(text: &str) -> (&str, &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()))
}

fn skip(text: &str, bytes: usize) -> &str {
    text.get(bytes..).unwrap_or_default()
}

fn clip(text: &str) -> String {
    text.chars().take(20).collect()
}

fn is_space(character: char) -> bool {
    character.is_ascii_whitespace()
}

#[cfg(test)]
mod tests;

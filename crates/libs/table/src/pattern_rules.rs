//! What `regexp:` and `pcre:` tables have in common: `/pattern/flags text`, `if`, `!`, `$1`.

mod index;
mod required;

use std::cell::OnceCell;
use std::ffi::{CStr, CString};

use crate::environment::{Trust, Values};
use crate::fold::shown;
use crate::replacement::{Mistake, Replacement};
use crate::rules::{self, Builder, Rule, Rules};
use crate::source::{is_space, stored_value, trim};
use crate::types::Watched;
use crate::{Environment, Error, Keys, Lookup, Owner, Table};

use index::Index;
use required::{Need, required};

pub(crate) use required::Syntax;

/// Where groups matched.
pub(crate) type Span = Option<(usize, usize)>;

/// A kind of regular expressions.
pub(crate) trait Engine: Send + Sync + Sized + 'static {
    /// The table type.
    const KIND: &'static str;
    /// How it calls the number of a group that does not exist.
    const OUT_OF_RANGE: &'static str;
    /// Flags that mean nothing any more.
    const OBSOLETE: &'static [u8];
    /// What happens to a rule whose pattern does not end.
    const UNCLOSED: &'static str;
    /// Whether a rule may go on with a second pattern, as `/one/!/two/ text`: the first has to match and the second not.
    const TWO_PATTERNS: bool = false;

    /// Compiles a pattern with the letters that follow it. `Err` is for the log.
    fn compile(pattern: &[u8], flags: &Flags, groups: Groups) -> Result<Self, String>;

    /// How patterns with these flags are written, if that is known well enough to read them.
    fn syntax(flags: &Flags) -> Option<Syntax>;

    /// Whether the letter is a flag.
    fn knows(flag: u8) -> bool;

    /// How many groups the pattern has.
    fn groups(&self) -> usize;

    /// Whether the subject matches, and where.
    fn matches(&self, subject: &Subject<'_>, spans: &mut [Span]) -> Result<bool, String>;
}

/// Whether anybody wants to know where groups matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Groups {
    Used,
    Unused,
}

/// The letters after a pattern. A letter that is given twice is given no more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags(Vec<u8>);

impl Flags {
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.0.iter().filter(|known| **known == flag).count() % 2 == 1
    }
}

/// What is looked up, in the forms that engines want.
pub(crate) struct Subject<'a> {
    pub(crate) bytes: &'a [u8],
    text: OnceCell<CString>,
}

impl<'a> Subject<'a> {
    fn new(key: &'a [u8]) -> Self {
        let bytes = memchr::memchr(0, key).and_then(|end| key.get(..end)).unwrap_or(key);
        Self { bytes, text: OnceCell::new() }
    }

    pub(crate) fn text(&self) -> &CStr {
        self.text.get_or_init(|| CString::new(self.bytes).unwrap_or_default())
    }
}

struct Pattern<E> {
    engine: E,
    negated: bool,
    /// How many places of groups the value wants to know.
    spans: usize,
}

struct Patterns<E> {
    name: String,
    rules: Rules<Pattern<E>, Replacement>,
    index: Index,
    file: Option<Watched>,
}

/// Opens the table `kind:name`.
pub(crate) fn open<E: Engine>(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    Ok(Box::new(Patterns::<E>::read(name, environment)?))
}

struct Reader<'a, E> {
    name: &'a str,
    trust: Trust,
    values: Values,
    builder: Builder<Pattern<E>, Replacement>,
    /// What each rule requires.
    needs: Vec<Vec<Need>>,
    line: usize,
}

/// A pattern in its text form.
struct Written<'a> {
    negated: bool,
    pattern: &'a [u8],
    flags: Flags,
    rest: &'a [u8],
}

impl<E: Engine> Reader<'_, E> {
    fn warn(&self, warning: &str) {
        tracing::warn!("{} map {}, line {}: {warning}", E::KIND, self.name, self.line);
    }

    fn rule(&mut self, text: &[u8]) -> Result<(), String> {
        let is_word = |word: &[u8]| {
            let start = text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
            start && !text.get(word.len()).is_some_and(u8::is_ascii_alphanumeric)
        };
        if !text.first().is_some_and(u8::is_ascii_alphanumeric) {
            return self.match_rule(text);
        }
        if is_word(b"if") {
            return self.condition(text.get(2..).unwrap_or_default());
        }
        if is_word(b"endif") {
            if !self.builder.close() {
                return Err("ignoring ENDIF without matching IF".to_owned());
            }
            if text.len() > 5 {
                self.warn("ignoring extra text after ENDIF");
            }
            return Ok(());
        }
        Err("ignoring unrecognized request".to_owned())
    }

    fn match_rule(&mut self, text: &[u8]) -> Result<(), String> {
        let written = self.pattern(text)?;
        if E::TWO_PATTERNS && written.rest.starts_with(b"!") {
            let second = self.pattern(written.rest)?;
            let rest = second.rest;
            self.open(&second)?;
            let outcome = self.value(&Written { rest, ..written });
            self.builder.close();
            return outcome;
        }
        self.value(&written)
    }

    /// A rule whose pattern is read.
    fn value(&mut self, written: &Written<'_>) -> Result<(), String> {
        let value = trim(written.rest);
        if value.is_empty() {
            self.warn("no replacement text: using empty string");
        }
        let value = stored_value(value, self.values).map_err(|reason| format!("{reason}: skipping this rule"))?;
        let replacement = self.replacement(&value)?;
        let groups = if replacement.groups().next().is_none() { Groups::Unused } else { Groups::Used };
        if groups == Groups::Used && written.negated {
            return Err("$number found in negative match replacement text: skipping this rule".to_owned());
        }
        if groups == Groups::Used && self.trust != Trust::Ordinary {
            return Err("regular expression substitution is not allowed: skipping this rule".to_owned());
        }
        let engine = E::compile(written.pattern, &written.flags, groups)?;
        if let Some(group) = replacement.groups().max().filter(|group| *group > engine.groups()) {
            return Err(format!("out of range replacement index \"{group}\": skipping this rule"));
        }
        let spans = replacement.groups().max().map_or(0, |group| group + 1);
        self.needs.push(Self::needs(written));
        self.builder.push(Pattern { engine, negated: written.negated, spans }, replacement, self.line);
        Ok(())
    }

    fn condition(&mut self, text: &[u8]) -> Result<(), String> {
        let written = self.pattern(trim(text))?;
        let extra = trim(written.rest);
        if !extra.is_empty() {
            self.warn(&format!("ignoring extra text after IF statement: \"{}\"", shown(extra)));
            self.warn("do not prepend whitespace to statements between IF and ENDIF");
        }
        self.open(&written)
    }

    /// What follows counts only where this matches.
    fn open(&mut self, written: &Written<'_>) -> Result<(), String> {
        let engine = E::compile(written.pattern, &written.flags, Groups::Unused)?;
        self.needs.push(Self::needs(written));
        self.builder.open(Pattern { engine, negated: written.negated, spans: 0 }, self.line);
        Ok(())
    }

    /// What a subject must have for the rule to apply.
    fn needs(written: &Written<'_>) -> Vec<Need> {
        match E::syntax(&written.flags) {
            Some(syntax) if !written.negated => required(written.pattern, syntax),
            _ => Vec::new(),
        }
    }

    fn pattern<'t>(&self, text: &'t [u8]) -> Result<Written<'t>, String> {
        let start = text.iter().position(|byte| *byte != b'!' && !is_space(*byte)).unwrap_or(text.len());
        let (marks, text) = text.split_at_checked(start).unwrap_or_default();
        let negated = marks.iter().filter(|byte| **byte == b'!').count() % 2 == 1;
        let Some((delimiter, text)) = text.split_first() else {
            return Err("no regexp: skipping this rule".to_owned());
        };
        let end = closing(text, *delimiter)
            .ok_or_else(|| format!("no closing regexp delimiter \"{}\": {}", shown(&[*delimiter]), E::UNCLOSED))?;
        let (pattern, after) = text.split_at_checked(end).unwrap_or_default();
        let after = after.get(1..).unwrap_or_default();
        let is_end = |byte: &u8| is_space(*byte) || E::TWO_PATTERNS && *byte == b'!';
        let end = after.iter().position(is_end).unwrap_or(after.len());
        let (flags, rest) = after.split_at_checked(end).unwrap_or_default();
        for flag in flags {
            if !E::knows(*flag) {
                return Err(format!("unknown regexp option \"{}\": skipping this rule", shown(&[*flag])));
            }
            if E::OBSOLETE.contains(flag) {
                self.warn(&format!("ignoring obsolete regexp option \"{}\"", char::from(*flag)));
            }
        }
        Ok(Written { negated, pattern, flags: Flags(flags.to_vec()), rest })
    }

    fn replacement(&self, text: &[u8]) -> Result<Replacement, String> {
        Replacement::parse(text).map_err(|mistakes| {
            for mistake in mistakes {
                match mistake {
                    Mistake::Syntax(warning) => tracing::warn!("{warning}"),
                    Mistake::NonNumeric(name) => {
                        self.warn(&format!("non-numeric replacement index \"{name}\""));
                    }
                    Mistake::Zero => self.warn(&format!("{} replacement index \"0\"", E::OUT_OF_RANGE)),
                }
            }
            "bad replacement syntax: skipping this rule".to_owned()
        })
    }
}

/// Where the pattern ends: at a delimiter that no backslash precedes.
fn closing(text: &[u8], delimiter: u8) -> Option<usize> {
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if *byte == b'\\' {
            bytes.next();
        } else if *byte == delimiter {
            return Some(at);
        }
    }
    None
}

impl<E: Engine> Patterns<E> {
    fn read(name: &str, environment: &Environment) -> Result<Self, Error> {
        let text = rules::read(E::KIND, name, environment)?;
        let mut reader = Reader::<E> {
            name,
            trust: environment.trust,
            values: environment.values,
            builder: Builder::new(),
            needs: Vec::new(),
            line: 0,
        };
        for line in text.lines.iter().filter(|line| !line.text.is_empty()) {
            reader.line = line.number;
            if let Err(warning) = reader.rule(trim(&line.text)) {
                reader.warn(&warning);
            }
        }
        let (rules, unclosed) = std::mem::replace(&mut reader.builder, Builder::new()).finish();
        for line in unclosed {
            reader.line = line;
            reader.warn("IF has no matching ENDIF");
        }
        let index = Index::new(&reader.needs);
        Ok(Self { name: name.to_owned(), rules, index, file: text.file })
    }

    fn find(&self, key: &[u8]) -> Option<Vec<u8>> {
        let subject = Subject::new(key);
        let found = self.index.found(subject.bytes);
        self.first(self.index.candidates(&found), &subject)
    }

    fn first(&self, candidates: impl Iterator<Item = usize>, subject: &Subject<'_>) -> Option<Vec<u8>> {
        let mut spans = Vec::new();
        let value = self.rules.first(candidates, |rule| {
            let (Rule::Match { pattern, line, .. } | Rule::If { pattern, line, .. }) = rule;
            spans.clear();
            spans.resize(pattern.spans, None);
            self.matches(pattern, subject, &mut spans, *line)
        })?;
        Some(value.expand(subject.bytes, &spans))
    }

    fn matches(&self, pattern: &Pattern<E>, subject: &Subject<'_>, spans: &mut [Span], line: usize) -> bool {
        match pattern.engine.matches(subject, spans) {
            Ok(matched) => matched != pattern.negated,
            Err(reason) => {
                tracing::warn!("{} map {}, line {line}: {reason}", E::KIND, self.name);
                false
            }
        }
    }
}

impl<E: Engine> Table for Patterns<E> {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        self.find(key).map_or_else(Lookup::nothing, Lookup::found)
    }

    fn keys(&self) -> Keys {
        Keys::Pattern
    }

    fn changed(&self) -> bool {
        self.file.as_ref().is_some_and(Watched::changed)
    }

    fn owner(&self) -> Owner {
        self.file.as_ref().map_or(Owner::Trusted, Watched::owner)
    }
}

#[cfg(test)]
#[path = "pattern_rules/tests.rs"]
mod tests;

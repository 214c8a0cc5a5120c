//! What `regexp:`, `pcre:` and `cidr:` tables share: rules in order, `if` and `endif` around some of them.
//!
//! Rules come from a file or from the name itself, as `type:{{rule}, {rule}}`. A rule with a mistake is warned
//! about and skipped; the others work.

use std::path::Path;

use crate::source::{Line, lines};
use crate::split::{SEPARATORS, inside_braces, items};
use crate::types::Watched;
use crate::{Environment, Error};

/// The text of the rules.
pub(crate) struct Text {
    /// Each rule with its line, or its place in the list.
    pub(crate) lines: Vec<Line>,
    /// The file they came from.
    pub(crate) file: Option<Watched>,
}

/// Reads the rules of `kind:name`.
pub(crate) fn read(kind: &str, name: &str, _: &Environment) -> Result<Text, Error> {
    let spec = format!("{kind}:{name}");
    if !name.starts_with('{') {
        let (text, file) = Watched::read(Path::new(name)).map_err(|error| Error::file(&spec, "open", name, &error))?;
        return Ok(Text { lines: lines(&text).collect(), file: Some(file) });
    }
    let bad = |reason: String| Error::config(&spec, format!("{kind} map: {reason}"));
    let group = inside_braces(name).map_err(|error| bad(error.to_string()))?;
    let mut rules = Vec::new();
    for (at, item) in items(group, SEPARATORS).into_iter().enumerate() {
        if !item.starts_with('{') {
            return Err(bad(format!("no '{{' at start of text in \"{item}\"")));
        }
        let rule = inside_braces(item).map_err(|error| bad(error.to_string()))?;
        rules.push(Line { number: at + 1, text: rule.as_bytes().to_vec() });
    }
    Ok(Text { lines: rules, file: None })
}

/// A rule, ready to be asked.
pub(crate) enum Rule<P, V> {
    /// The value, where the pattern matches.
    Match { pattern: P, value: V, line: usize },
    /// The rules up to `end` count only where the pattern matches.
    If { pattern: P, end: usize, line: usize },
}

/// Rules as they are read one by one.
pub(crate) struct Builder<P, V> {
    rules: Vec<Rule<P, V>>,
    open: Vec<usize>,
}

impl<P, V> Builder<P, V> {
    pub(crate) fn new() -> Self {
        Self { rules: Vec::new(), open: Vec::new() }
    }

    pub(crate) fn push(&mut self, pattern: P, value: V, line: usize) {
        self.rules.push(Rule::Match { pattern, value, line });
    }

    pub(crate) fn open(&mut self, pattern: P, line: usize) {
        self.open.push(self.rules.len());
        // Until its end is seen, it never ends: a condition that fails then ends the look-up.
        self.rules.push(Rule::If { pattern, end: usize::MAX, line });
    }

    /// Ends the innermost `if`, and tells whether there was one.
    pub(crate) fn close(&mut self) -> bool {
        let next = self.rules.len();
        match self.open.pop().and_then(|at| self.rules.get_mut(at)) {
            Some(Rule::If { end, .. }) => {
                *end = next;
                true
            }
            _ => false,
        }
    }

    /// The rules, and the lines of each `if` that does not end.
    pub(crate) fn finish(self) -> (Vec<Rule<P, V>>, Vec<usize>) {
        let lines = self.open.iter().rev().filter_map(|at| match self.rules.get(*at) {
            Some(Rule::If { line, .. }) => Some(*line),
            _ => None,
        });
        let lines = lines.collect();
        (self.rules, lines)
    }
}

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
        return Ok(Text { lines: lines(&text, name).collect(), file: Some(file) });
    }
    let bad = |reason: String| Error::config(&spec, format!("{kind} map: {reason}"));
    let group = inside_braces(name).map_err(|error| bad(error.to_string()))?;
    // They are read as the lines of a file, so that comments are none.
    let mut text = Vec::new();
    for item in items(group, SEPARATORS) {
        if !item.starts_with('{') {
            return Err(bad(format!("no '{{' at start of text in \"{item}\"")));
        }
        let rule = inside_braces(item).map_err(|error| bad(error.to_string()))?;
        text.extend_from_slice(rule.as_bytes());
        text.push(b'\n');
    }
    Ok(Text { lines: lines(&text, name).collect(), file: None })
}

/// A rule, ready to be asked.
pub(crate) enum Rule<P, V> {
    /// The value, where the pattern matches.
    Match { pattern: P, value: V, line: usize },
    /// The rules up to `end` count only where the pattern matches.
    If { pattern: P, end: usize, line: usize },
}

/// Rules in order, each with the place of the innermost `if` around it.
pub(crate) struct Rules<P, V> {
    list: Vec<(Rule<P, V>, Option<usize>)>,
}

impl<P, V> Rules<P, V> {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule<P, V>> {
        self.list.iter().map(|(rule, _)| rule)
    }

    /// The value of the first rule that counts and matches.
    ///
    /// Only the candidates are asked, whose places are in ascending order: no other rule matches.
    pub(crate) fn first(
        &self,
        candidates: impl Iterator<Item = usize>,
        mut matches: impl FnMut(&Rule<P, V>) -> bool,
    ) -> Option<&V> {
        // The conditions that hold here, with their ends.
        let mut open: Vec<(usize, usize)> = Vec::new();
        for at in candidates {
            let (rule, inside) = self.list.get(at)?;
            while open.last().is_some_and(|(_, end)| *end <= at) {
                open.pop();
            }
            if *inside != open.last().map(|(at, _)| *at) || !matches(rule) {
                continue;
            }
            match rule {
                Rule::Match { value, .. } => return Some(value),
                Rule::If { end, .. } => open.push((at, *end)),
            }
        }
        None
    }
}

/// Rules as they are read one by one.
pub(crate) struct Builder<P, V> {
    rules: Rules<P, V>,
    open: Vec<usize>,
}

impl<P, V> Builder<P, V> {
    pub(crate) fn new() -> Self {
        Self { rules: Rules { list: Vec::new() }, open: Vec::new() }
    }

    pub(crate) fn push(&mut self, pattern: P, value: V, line: usize) {
        self.add(Rule::Match { pattern, value, line });
    }

    pub(crate) fn open(&mut self, pattern: P, line: usize) {
        let at = self.rules.len();
        // Until its end is seen, it never ends: a condition that fails then ends the look-up.
        self.add(Rule::If { pattern, end: usize::MAX, line });
        self.open.push(at);
    }

    fn add(&mut self, rule: Rule<P, V>) {
        self.rules.list.push((rule, self.open.last().copied()));
    }

    /// Ends the innermost `if`, and tells whether there was one.
    pub(crate) fn close(&mut self) -> bool {
        let next = self.rules.len();
        match self.open.pop().and_then(|at| self.rules.list.get_mut(at)) {
            Some((Rule::If { end, .. }, _)) => {
                *end = next;
                true
            }
            _ => false,
        }
    }

    /// The rules, and the lines of each `if` that does not end.
    pub(crate) fn finish(self) -> (Rules<P, V>, Vec<usize>) {
        let lines = self.open.iter().rev().filter_map(|at| match self.rules.list.get(*at) {
            Some((Rule::If { line, .. }, _)) => Some(*line),
            _ => None,
        });
        let lines = lines.collect();
        (self.rules, lines)
    }
}

/// Both lists of places in one ascending order.
pub(crate) fn merged<'a>(left: &'a [usize], right: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    std::iter::from_fn(move || match (left.peek(), right.peek()) {
        (Some(l), Some(r)) if r < l => right.next().copied(),
        (Some(_), _) => left.next().copied(),
        (None, _) => right.next().copied(),
    })
}

//! Entries of master.cf as they are written, which may be less than what master(8) accepts.

use crate::screen::{Fatal, Screen, fatal};
use config::master_cf::{COLUMNS, words};
use config::{LogicalLines, split};
use std::path::Path;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// The eight columns.
    pub(crate) columns: Vec<String>,
    /// The arguments of the command; those with white space are in braces.
    pub(crate) arguments: Vec<String>,
}

impl Service {
    /// Parses a logical line. `place` is what a wrong number of columns is complained about.
    pub(crate) fn parse(line: &str, place: &str) -> Result<Self, Fatal> {
        let mut columns = words(line);
        if columns.len() < COLUMNS.len() {
            return fatal(format!("{place}bad field count"));
        }
        let arguments = separated(columns.split_off(COLUMNS.len()).iter().map(|word| normal(word)).collect());
        let service = Self { columns, arguments };
        for (column, value) in COLUMNS.iter().zip(&service.columns) {
            check(column, value, line)?;
        }
        Ok(service)
    }

    pub(crate) fn name(&self) -> &str {
        self.column(0)
    }

    pub(crate) fn kind(&self) -> &str {
        self.column(1)
    }

    /// The program that serves.
    pub(crate) fn program(&self) -> &str {
        self.column(7)
    }

    pub(crate) fn column(&self, index: usize) -> &str {
        self.columns.get(index).map_or("", String::as_str)
    }

    /// Whether `service/type` with wildcards means this one.
    pub(crate) fn matches(&self, pattern: &Pattern) -> bool {
        let matches = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        matches(&pattern.name, self.name()) && matches(&pattern.kind, self.kind())
    }

    /// The command as one field shows it.
    pub(crate) fn command(&self) -> Vec<&str> {
        let program = std::iter::once(self.program());
        program.chain(self.arguments.iter().map(String::as_str)).collect()
    }

    /// Its parameters, sorted by name; of two with the same name the last.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for value in self.option_places().filter_map(|place| self.arguments.get(place)) {
            if let Some((name, value)) = parameter(value) {
                found.retain(|(known, _)| *known != name);
                found.push((name, value));
            }
        }
        found.sort();
        found
    }

    /// Sets a parameter where it stands first, or behind the other options.
    pub(crate) fn set_parameter(&mut self, name: &str, value: &str) {
        let argument = format!("{name}={value}");
        match self.places_of(name).first() {
            Some(place) => {
                if let Some(old) = self.arguments.get_mut(*place) {
                    *old = argument;
                }
            }
            None => {
                let end = self.end_of_options();
                self.arguments.splice(end..end, ["-o".to_owned(), argument]);
            }
        }
    }

    /// Removes a parameter wherever it stands.
    pub(crate) fn remove_parameter(&mut self, name: &str) {
        for place in self.places_of(name).into_iter().rev() {
            self.arguments.drain(place - 1..=place);
        }
    }

    fn places_of(&self, name: &str) -> Vec<usize> {
        let is_it = |place: &usize| {
            let argument = self.arguments.get(*place);
            argument.and_then(|argument| parameter(argument)).is_some_and(|(known, _)| known == name)
        };
        self.option_places().filter(is_it).collect()
    }

    /// Where the values of `-o` are.
    /// Where the parameters among the options are.
    pub(crate) fn option_places(&self) -> impl Iterator<Item = usize> + '_ {
        let end = self.end_of_options();
        let mut place = 0;
        std::iter::from_fn(move || {
            while place < end {
                place += 1;
                if self.arguments.get(place - 1).is_some_and(|argument| argument == "-o") {
                    place += 1;
                    return Some(place - 1);
                }
            }
            None
        })
    }

    fn end_of_options(&self) -> usize {
        let mut place = 0;
        while let Some(argument) = self.arguments.get(place).filter(|word| word.starts_with('-')) {
            place += if argument == "-o" { 2 } else { 1 };
        }
        place.min(self.arguments.len())
    }
}

/// A `service/type` pattern of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// What follows them, if anything does.
    pub(crate) rest: Option<String>,
}

impl Pattern {
    /// Parses `name`, `name/type` or `name/type/rest`; what is left out is `*`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(str::to_owned);
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let (name, kind, rest) = (part()?, part(), part());
        parts.next().is_none().then(|| Self { name, kind: kind.unwrap_or_else(|| "*".to_owned()), rest })
    }

    /// Whether a field or parameter of this name is meant.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.rest.as_deref().is_none_or(|rest| rest == "*" || rest == name)
    }

    /// Whether no part has a `*` but one that is nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        let parts = [Some(&self.name), Some(&self.kind), self.rest.as_ref()];
        parts.into_iter().flatten().all(|part| part == "*" || !part.contains('*'))
    }
}

/// All entries of a master.cf, in order, with those of the files that add to it.
pub(crate) fn read(directory: &Path, screen: &mut Screen) -> Result<Vec<Service>, Fatal> {
    let path = directory.join("master.cf");
    let mut services = read_one(&path, screen)?;
    for path in config::drop_ins(&path).map_err(|error| Fatal(format!("fatal: {error}")))? {
        for added in read_one(&path, screen)? {
            let same = |known: &&mut Service| (known.name(), known.kind()) == (added.name(), added.kind());
            match services.iter_mut().find(same) {
                Some(known) => *known = added,
                None => services.push(added),
            }
        }
    }
    Ok(services)
}

fn read_one(path: &Path, screen: &mut Screen) -> Result<Vec<Service>, Fatal> {
    let bytes = match command::rewrite::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return fatal(format!("open {}: {}", path.display(), command::said(&error))),
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut services = Vec::new();
    for line in LogicalLines::new(&text) {
        if line.is_orphan() {
            screen.warn(&line.orphan_warning(&path.display().to_string()));
            continue;
        }
        let place = format!("file {}: line {}: ", path.display(), line.first);
        warn_of_braces(&words(&line.text), screen);
        services.push(Service::parse(&line.text, &place)?);
    }
    Ok(services)
}

/// Refuses a value that a column cannot have.
pub(crate) fn check(column: &str, value: &str, line: &str) -> Result<(), Fatal> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let good = match column {
        "type" => config::master_cf::Kind::from_name(value).is_some(),
        "private" | "unprivileged" | "chroot" => ["-", "y", "n"].contains(&value),
        "wakeup" => ["-", "?"].contains(&value) || is_number(value.strip_suffix('?').unwrap_or(value)),
        "process_limit" => value == "-" || is_number(value),
        _ => !value.is_empty(),
    };
    if good { Ok(()) } else { fatal(format!("invalid {column} field \"{value}\" in \"{line}\"")) }
}

/// A name and its value, of an argument with or without braces.
pub(crate) fn parameter(argument: &str) -> Option<(String, String)> {
    let inner = config::value::unbraced(argument).unwrap_or(argument);
    let (name, value) = split(inner).ok()?;
    Some((name.to_owned(), value.to_owned()))
}

/// A word in the form in which it is shown: in braces only where it needs them.
pub(crate) fn normal(word: &str) -> String {
    let Some(inner) = word.strip_prefix('{') else {
        return if word.contains([' ', '\t']) { format!("{{{word}}}") } else { word.to_owned() };
    };
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner).trim();
    let inner = match split(inner) {
        Ok((name, value)) => format!("{name}={value}"),
        Err(_) => inner.to_owned(),
    };
    if inner.contains([' ', '\t']) { format!("{{{inner}}}") } else { inner }
}

/// Arguments whose options have their values apart: `-oa=b` is `-o a=b`.
fn separated(arguments: Vec<String>) -> Vec<String> {
    let mut apart = Vec::with_capacity(arguments.len());
    let (mut is_value, mut is_option) = (false, true);
    for argument in arguments {
        is_option &= is_value || argument.starts_with('-');
        match argument.strip_prefix("-o").filter(|value| is_option && !is_value && !value.is_empty()) {
            Some(value) => apart.extend(["-o".to_owned(), value.to_owned()]),
            None => {
                is_value = is_option && !is_value && argument == "-o";
                apart.push(argument);
            }
        }
    }
    apart
}

/// Warns of words whose braces do not match, and of options in braces that set nothing.
pub(crate) fn warn_of_braces(words: &[String], screen: &mut Screen) {
    let mut is_value = false;
    for word in words.iter().skip(COLUMNS.len()) {
        let of_option = std::mem::replace(&mut is_value, word == "-o");
        if let Some(problem) = brace_problem(word) {
            screen.warn(&format!("master.cf: {problem} in \"{word}\""));
        } else if let Some(inner) = config::value::unbraced(word).filter(|_| of_option)
            && let Err(problem) = split(inner)
        {
            screen.warn(&format!("master.cf: {problem}: \"{inner}\""));
        }
    }
}

pub(crate) fn brace_problem(word: &str) -> Option<&'static str> {
    if !word.starts_with('{') {
        return None;
    }
    match word.rfind('}') {
        None => Some("missing '}'"),
        Some(place) if place + 1 < word.len() => Some("syntax error after '}'"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(line: &str) -> Service {
        Service::parse(line, "").unwrap()
    }

    #[test]
    fn parameters_are_set_and_removed_in_place() {
        let mut smtp = service("smtp inet n - y - - smtpd -o { smtpd_banner = a b } -v -o x=1 -o x=2");
        assert_eq!(smtp.arguments, ["-o", "{smtpd_banner=a b}", "-v", "-o", "x=1", "-o", "x=2"]);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(smtp.parameters(), [pair("smtpd_banner", "a b"), pair("x", "2")]);
        smtp.set_parameter("smtpd_banner", "c");
        smtp.remove_parameter("x");
        smtp.set_parameter("y", "");
        assert_eq!(smtp.arguments, ["-o", "smtpd_banner=c", "-v", "-o", "y="]);
        let mut pipe = service("p unix - n n - - pipe flags=F argv=x -o y=z");
        assert_eq!(pipe.parameters(), []);
        pipe.set_parameter("a", "b");
        assert_eq!(pipe.arguments, ["-o", "a=b", "flags=F", "argv=x", "-o", "y=z"]);
    }

    #[test]
    fn values_with_braces_inside_are_shown_in_braces() {
        let smtp = service("smtp inet n - y - - smtpd -o x=inline:{ {a = b}, c=d } -o y=a{b}c");
        assert_eq!(smtp.arguments, ["-o", "{x=inline:{ {a = b}, c=d }}", "-o", "y=a{b}c"]);
        assert_eq!(smtp.parameters().first().map(|(_, value)| &**value), Some("inline:{ {a = b}, c=d }"));
    }

    #[test]
    fn wrong_columns_are_named() {
        let table = [
            ("bad unix - - n - -", "bad field count"),
            ("bad unix - - maybe - - smtp", "invalid chroot field \"maybe\" in \"bad unix - - maybe - - smtp\""),
            ("bad pipe - - n - - smtp", "invalid type field \"pipe\" in \"bad pipe - - n - - smtp\""),
            ("bad unix - - n -5 5 smtp", "invalid wakeup field \"-5\" in \"bad unix - - n -5 5 smtp\""),
        ];
        for (line, expected) in table {
            assert_eq!(Service::parse(line, "").unwrap_err().0, format!("fatal: {expected}"));
        }
    }

    #[test]
    fn patterns_have_wildcards() {
        let smtp = service("smtp inet n - y - - smtpd");
        for (pattern, expected) in
            [("smtp", true), ("smtp/inet", true), ("*/unix", false), ("*/*/chroot", true), ("x", false)]
        {
            assert_eq!(smtp.matches(&Pattern::parse(pattern).unwrap()), expected, "{pattern}");
        }
    }
}

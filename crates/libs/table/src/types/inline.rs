//! `inline:{key=value, {key = text with spaces}}`: entries written in the configuration itself.

use std::collections::HashMap;

use super::internal::Memory;
use crate::environment::Values;
use crate::source::stored_value;
use crate::split::{SEPARATORS, inside_braces, items};
use crate::store::{Purpose, Store, refusal};
use crate::{Environment, Error, Lookup, Table};

struct Inline(HashMap<Vec<u8>, Vec<u8>>);

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    Ok(Box::new(read(name, environment)?))
}

/// The entries, to be listed.
pub(crate) fn store(
    kind: &str,
    name: &str,
    purpose: Purpose,
    environment: &Environment,
) -> Result<Box<dyn Store>, Error> {
    if purpose != Purpose::Read {
        return Err(refusal(kind, name, purpose));
    }
    Ok(Box::new(read(name, environment)?.0.into_iter().collect::<Memory>()))
}

fn read(name: &str, environment: &Environment) -> Result<Inline, Error> {
    let spec = format!("inline:{name}");
    let value = match environment.values {
        Values::Text => "value",
        Values::Files => "filename",
    };
    let bad = |what: String| Error::config(&spec, format!("{what}: \"{spec}\"; need \"inline:{{name={value}...}}\""));
    let is_group = name.starts_with('{') && name.ends_with('}') && name != "{}";
    let group = if is_group { inside_braces(name).ok() } else { None };
    let group = group.ok_or_else(|| bad("bad syntax".to_owned()))?;
    let mut entries = HashMap::new();
    for item in items(group, SEPARATORS) {
        let item =
            if item.starts_with('{') { inside_braces(item).map_err(|error| bad(error.to_string()))? } else { item };
        let (key, value) = entry(item).map_err(|mistake| bad(mistake.to_owned()))?;
        let key = environment.folded(key.as_bytes()).into_owned();
        let value = stored_value(value.as_bytes(), environment.values).map_err(bad)?;
        entries.insert(key, value.into_owned());
    }
    if entries.is_empty() {
        return Err(bad("empty table".to_owned()));
    }
    Ok(Inline(entries))
}

/// The key and value of `key = value`. The key ends at the first `=` that is not in quotes or after a backslash, and keeps its
/// quotes and backslashes. It may be empty, and have white space in it, which Postfix takes only in quotes.
fn entry(item: &str) -> Result<(&str, &str), &'static str> {
    let item = item.trim();
    if item.is_empty() {
        return Err("no key found; expected format: key = value");
    }
    let (mut quoted, mut escaped) = (false, false);
    let mut is_end = |letter: char| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match letter {
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ => return !quoted && letter == '=',
        }
        false
    };
    let end = item.find(&mut is_end).unwrap_or(item.len());
    if quoted {
        return Err("unbalanced '\"'");
    }
    let (key, rest) = item.split_at_checked(end).unwrap_or((item, ""));
    let value = rest.strip_prefix('=').ok_or("missing '=' after attribute name")?;
    Ok((key.trim_end(), value.trim()))
}

impl Table for Inline {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        Lookup::Now(Ok(self.0.get(key).cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_at_what_is_not_quoted() {
        for (item, expected) in [
            ("a=b", Ok(("a", "b"))),
            (" a\t = b = c ", Ok(("a", "b = c"))),
            ("a =", Ok(("a", ""))),
            ("\"a b\"=c", Ok(("\"a b\"", "c"))),
            ("\"a=b\" = c", Ok(("\"a=b\"", "c"))),
            ("\"a\\\"=b\" = c", Ok(("\"a\\\"=b\"", "c"))),
            ("a\\ b = c", Ok(("a\\ b", "c"))),
            ("= b", Ok(("", "b"))),
            ("a b = c", Ok(("a b", "c"))),
            ("a\\", Err("missing '=' after attribute name")),
            ("\"a = b", Err("unbalanced '\"'")),
            (" ", Err("no key found; expected format: key = value")),
        ] {
            assert_eq!(entry(item), expected, "{item}");
        }
    }

    #[test]
    fn a_table_has_entries_and_ends_at_its_brace() {
        for (name, expected) in [
            ("{a=b}", None),
            ("{}", Some("bad syntax")),
            ("{ }", Some("empty table")),
            ("{,}", Some("empty table")),
            ("{a=b} ", Some("bad syntax")),
            ("{{ }}", Some("no key found; expected format: key = value")),
        ] {
            let error = read(name, &Environment::default()).err().map(|error| error.to_string());
            let expected = expected.map(|what| format!("{what}: \"inline:{name}\"; need \"inline:{{name=value...}}\""));
            assert_eq!(error, expected, "{name}");
        }
    }
}

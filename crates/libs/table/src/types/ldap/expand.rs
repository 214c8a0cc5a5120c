//! What the entries of a search amount to: values of attributes, and those of the entries that they refer to.

use super::filter;
use super::message::{Attribute, NO_SUCH_OBJECT, Outcome, SUCCESS, Scope, Search};
use super::session::{Manner, Session};
use super::url::Url;
use crate::servers::Failure;

/// The attributes that count.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// If an entry has one, nothing else of it counts.
    pub(super) terminal: Vec<String>,
    /// They count in entries that refer to no other.
    pub(super) leaf: Vec<String>,
    pub(super) ordinary: Vec<String>,
    /// They refer to other entries, by name or URL.
    pub(super) special: Vec<String>,
}

/// How far expansion goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    pub(super) recursion_limit: usize,
    /// 0 for any number.
    pub(super) expansion_limit: usize,
    /// Entries of one search; 0 for any number.
    pub(super) size_limit: usize,
}

/// Searches for one key, however they are nested.
const MOST_SEARCHES: usize = 10_000;

/// Codes of servers that have no time or are about to stop.
const AWAY: [u32; 2] = [51, 52];

enum Step {
    Value(Vec<u8>),
    Search { search: Search, depth: usize, origin: Origin },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The table's own search, below a base that is always the same.
    Fixed,
    /// The base is made of the key, or is a value of another entry: it need not be there.
    Derived,
}

impl Wanted {
    /// The names of all.
    pub(super) fn names(&self) -> Vec<String> {
        [&self.terminal, &self.leaf, &self.ordinary, &self.special].into_iter().flatten().cloned().collect()
    }

    /// What an entry gives, in order.
    fn steps(&self, entry: Vec<Attribute>, depth: usize) -> Vec<Step> {
        let has = |names: &[String]| {
            entry.iter().any(|attribute| !attribute.values.is_empty() && is_among(names, &attribute.name))
        };
        let (is_terminal, refers) = (has(&self.terminal), has(&self.special));
        let mut steps = Vec::new();
        for Attribute { name, values } in entry {
            let is_value = if is_terminal {
                is_among(&self.terminal, &name)
            } else {
                is_among(&self.ordinary, &name) || is_among(&self.leaf, &name) && !refers
            };
            if is_value {
                steps.extend(values.into_iter().map(Step::Value));
            } else if !is_terminal && is_among(&self.special, &name) {
                steps.extend(values.iter().filter_map(|value| self.follow(value, depth)));
            }
        }
        steps
    }

    /// The search for the entries that a value refers to.
    fn follow(&self, value: &[u8], depth: usize) -> Option<Step> {
        let value = String::from_utf8_lossy(value);
        let search = match Url::parse(&value) {
            Some(url) => {
                let filter = filter::encode(&url.filter);
                if filter.is_none() {
                    tracing::warn!("malformed LDAP URL {value}");
                }
                let attributes = if url.attributes.is_empty() { self.names() } else { url.attributes };
                Search { base: url.base, scope: url.scope, filter: filter?, attributes }
            }
            None => Search {
                base: value.into_owned(),
                scope: Scope::Base,
                filter: filter::encode("(objectclass=*)")?,
                attributes: self.names(),
            },
        };
        Some(Step::Search { search, depth: depth + 1, origin: Origin::Derived })
    }
}

/// Whether a name is listed, with options or without.
fn is_among(names: &[String], name: &str) -> bool {
    let plain = name.split(';').next().unwrap_or(name);
    names.iter().any(|known| known.eq_ignore_ascii_case(name) || known.eq_ignore_ascii_case(plain))
}

/// All values that a search leads to.
pub(super) async fn expand(
    session: &mut Session,
    manner: &Manner,
    wanted: &Wanted,
    reach: Reach,
    (search, origin): (&Search, Origin),
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut values = Vec::new();
    let mut searches = 0;
    let mut steps = vec![Step::Search { search: search.clone(), depth: 0, origin }];
    while let Some(step) = steps.pop() {
        let (search, depth, origin) = match step {
            Step::Value(value) => {
                values.push(value);
                if reach.expansion_limit > 0 && values.len() > reach.expansion_limit {
                    // Too many; the table says so.
                    return Ok(values);
                }
                continue;
            }
            Step::Search { search, depth, origin } => (search, depth, origin),
        };
        searches += 1;
        if depth > reach.recursion_limit || searches > MOST_SEARCHES {
            return Err(Failure::Refused(format!("Recursion limit exceeded for {}", search.base)));
        }
        let (entries, outcome) = session.search(&search, manner).await?;
        judge(&search, origin, &outcome)?;
        if reach.size_limit > 0 && entries.len() > reach.size_limit {
            return Err(Failure::Refused(format!("Query size limit ({}) exceeded", reach.size_limit)));
        }
        steps.extend(entries.into_iter().rev().flat_map(|entry| wanted.steps(entry, depth).into_iter().rev()));
    }
    Ok(values)
}

fn judge(search: &Search, origin: Origin, outcome: &Outcome) -> Result<(), Failure> {
    match (outcome.code, origin) {
        (SUCCESS, _) | (NO_SUCH_OBJECT, Origin::Derived) => Ok(()),
        (NO_SUCH_OBJECT, Origin::Fixed) => {
            Err(Failure::Refused(format!("Search base '{}' not found: 32: {}", search.base, outcome.text)))
        }
        (code, _) if AWAY.contains(&code) => Err(Failure::Down(format!("Search error {code}: {}", outcome.text))),
        (code, _) => Err(Failure::Refused(format!("Search error {code}: {}", outcome.text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(wanted: &Wanted, entry: &[(&str, &str)]) -> String {
        let attribute = |(name, value): &(&str, &str)| Attribute {
            name: (*name).to_owned(),
            values: vec![value.as_bytes().to_vec()],
        };
        let shown = |step: &Step| match step {
            Step::Value(value) => String::from_utf8_lossy(value).into_owned(),
            Step::Search { search, depth, .. } => format!("{}@{depth}", search.base),
        };
        let steps = wanted.steps(entry.iter().map(attribute).collect(), 0);
        steps.iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn kinds_of_attributes_count_as_they_should() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let wanted = Wanted {
            terminal: list(&["drop"]),
            leaf: list(&["mail"]),
            ordinary: list(&["rfc822"]),
            special: list(&["member", "url"]),
        };
        for (entry, expected) in [
            (&[("MAIL", "a"), ("rfc822;x", "b"), ("cn", "c")][..], "a b"),
            (&[("mail", "a"), ("rfc822", "b"), ("member", "cn=x")], "b cn=x@1"),
            (&[("mail", "a"), ("drop", "d"), ("member", "cn=x")], "d"),
            (&[("url", "ldap:///cn=y??sub?(a=b)")], "cn=y@1"),
            (&[("url", "ldap:///cn=y??sub?(a=")], ""),
            (&[], ""),
        ] {
            assert_eq!(steps(&wanted, entry), expected, "{entry:?}");
        }
    }
}

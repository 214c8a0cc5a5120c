//! Lists of patterns for domains, hosts and addresses: `mynetworks`, `mydestination`, and their kind.
//!
//! The items are read once: names, `!` before what is not to match, `/file` with more items, `type:table`, and
//! networks. The first item that matches decides.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use crate::broken::Broken;
use crate::error::system_text;
use crate::network::Network;
use crate::opening::open;
use crate::types::Watched;
use crate::{Environment, Error, Keys, Table, fold, split};

/// Whether `example.com` also stands for the hosts below it, or only `.example.com` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parents {
    /// `example.com` matches `host.example.com`, as `parent_domain_matches_subdomains` says.
    Plain,
    /// Only `.example.com` does.
    Dotted,
}

impl Parents {
    /// The style of a parameter, given the value of `parent_domain_matches_subdomains`.
    pub fn of<S: AsRef<str>>(parameter: &str, parent_domain_matches_subdomains: &[S]) -> Self {
        let listed = parent_domain_matches_subdomains.iter().any(|p| p.as_ref().eq_ignore_ascii_case(parameter));
        if listed { Self::Plain } else { Self::Dotted }
    }
}

/// A list of patterns.
#[derive(Clone)]
pub struct PatternList {
    parameter: String,
    parents: Parents,
    items: Arc<[Item]>,
    files: Arc<[Watched]>,
}

struct Item {
    verdict: bool,
    pattern: Pattern,
}

enum Pattern {
    Text {
        text: String,
        network: Option<Result<Network, String>>,
    },
    Table {
        spec: String,
        table: Box<dyn Table>,
    },
    /// A file or table that cannot be opened: whoever gets as far has no answer.
    Broken {
        spec: String,
        broken: Broken,
    },
}

const MAX_FILES_DEEP: usize = 20;

impl PatternList {
    /// Reads a list. What cannot be opened is reported when a match gets as far.
    pub fn open<S: AsRef<str>>(parameter: &str, items: &[S], parents: Parents, environment: &Environment) -> Self {
        let mut reader = Reader { parameter, environment, items: Vec::new(), files: Vec::new() };
        for item in items {
            reader.text(item.as_ref(), true, 0);
        }
        Self { parameter: parameter.to_owned(), parents, items: reader.items.into(), files: reader.files.into() }
    }

    /// Whether there are no patterns.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The parameter that holds the list.
    pub fn parameter(&self) -> &str {
        &self.parameter
    }

    /// Whether a string is listed, without regard to case.
    ///
    /// # Errors
    ///
    /// When a file or table of the list fails; it has been logged.
    pub async fn matches_string(&self, string: &[u8]) -> Result<bool, Error> {
        self.matches(&Subject { string: Some(&fold(string)), ..Subject::default() }).await
    }

    /// Whether a domain is listed, itself or through a parent.
    ///
    /// # Errors
    ///
    /// As for [`PatternList::matches_string`].
    pub async fn matches_domain(&self, domain: &[u8]) -> Result<bool, Error> {
        self.matches(&Subject { name: Some(&fold(domain)), ..Subject::default() }).await
    }

    /// Whether an address is listed, itself or through a network.
    ///
    /// # Errors
    ///
    /// As for [`PatternList::matches_string`].
    pub async fn matches_address(&self, address: &str) -> Result<bool, Error> {
        self.matches(&Subject { address: Some(&fold(address.as_bytes())), ..Subject::default() }).await
    }

    /// Whether a client is listed by name or by address.
    ///
    /// # Errors
    ///
    /// As for [`PatternList::matches_string`].
    pub async fn matches_client(&self, name: &[u8], address: &str) -> Result<bool, Error> {
        let (name, address) = (fold(name), fold(address.as_bytes()));
        self.matches(&Subject { name: Some(&name), address: Some(&address), ..Subject::default() }).await
    }

    /// Whether a file behind the list has changed, or one that was missing may be there.
    pub fn changed(&self) -> bool {
        self.files.iter().any(Watched::changed)
            || self.items.iter().any(|item| match &item.pattern {
                Pattern::Table { table, .. } => table.changed(),
                Pattern::Broken { broken, .. } => broken.is_due(),
                Pattern::Text { .. } => false,
            })
    }

    async fn matches(&self, subject: &Subject<'_>) -> Result<bool, Error> {
        let address = subject.parsed_address();
        for item in self.items.iter() {
            let matched = match &item.pattern {
                Pattern::Text { text, network } => {
                    subject.matches_text(text.as_bytes(), self.parents)
                        || self.matches_network(address, text, network.as_ref())?
                }
                Pattern::Table { spec, table } => match self.matches_table(table.as_ref(), subject).await {
                    Ok(matched) => matched,
                    Err(error) => {
                        tracing::warn!("{spec}: {error}");
                        return Err(self.failed(spec, error));
                    }
                },
                Pattern::Broken { spec, broken: Broken { error, .. } } => {
                    tracing::warn!("{} is unavailable. {error}", error.table);
                    return Err(self.failed(spec, error.deferring()));
                }
            };
            if matched {
                return Ok(item.verdict);
            }
        }
        Ok(false)
    }

    fn failed(&self, spec: &str, error: Error) -> Error {
        tracing::warn!("{}: {spec}: table lookup problem", self.parameter);
        error
    }

    fn matches_network(
        &self,
        address: Option<IpAddr>,
        text: &str,
        network: Option<&Result<Network, String>>,
    ) -> Result<bool, Error> {
        let (Some(address), Some(network)) = (address, network) else {
            return Ok(false);
        };
        if address.is_ipv6() != text.contains(':') {
            return Ok(false);
        }
        match network {
            Ok(network) => Ok(network.contains(address)),
            Err(reason) => {
                tracing::warn!("{}: {reason}", self.parameter);
                Err(Error::temporary(text, reason.clone()))
            }
        }
    }

    async fn matches_table(&self, table: &dyn Table, subject: &Subject<'_>) -> Result<bool, Error> {
        if let Some(string) = subject.string {
            return Ok(table.lookup(string).await?.is_some());
        }
        if let Some(name) = subject.name {
            for key in names_and_parents(name, self.parents) {
                if key.len() != name.len() && table.keys() == Keys::Pattern {
                    break;
                }
                if table.lookup(key).await?.is_some() {
                    return Ok(true);
                }
            }
        }
        match subject.address {
            Some(address) => Ok(table.lookup(address).await?.is_some()),
            None => Ok(false),
        }
    }
}

/// What is looked for, in lower case. With both a name and an address either may match.
#[derive(Default)]
struct Subject<'a> {
    string: Option<&'a [u8]>,
    name: Option<&'a [u8]>,
    address: Option<&'a [u8]>,
}

impl Subject<'_> {
    fn parsed_address(&self) -> Option<IpAddr> {
        std::str::from_utf8(self.address?).ok()?.parse().ok()
    }

    fn matches_text(&self, pattern: &[u8], parents: Parents) -> bool {
        if self.string == Some(pattern) || self.address.is_some_and(|a| is_literal(pattern, a)) {
            return true;
        }
        let Some(name) = self.name else {
            return false;
        };
        if name == pattern {
            return true;
        }
        let Some(host) = name.strip_suffix(pattern).filter(|host| !host.is_empty()) else {
            return false;
        };
        match parents {
            Parents::Plain => host.ends_with(b"."),
            Parents::Dotted => pattern.starts_with(b"."),
        }
    }
}

fn is_literal(pattern: &[u8], address: &[u8]) -> bool {
    let bare = pattern.strip_prefix(b"[").and_then(|p| p.strip_suffix(b"]")).unwrap_or(pattern);
    bare == address
}

/// `a.b.c`, then `b.c`, `c`; or `.b.c`, `.c`.
fn names_and_parents(name: &[u8], parents: Parents) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(name), move |current| {
        let rest = current.get(1..)?;
        let dot = memchr::memchr(b'.', rest)?;
        match parents {
            Parents::Plain => rest.get(dot + 1..),
            Parents::Dotted => rest.get(dot..),
        }
    })
}

struct Reader<'a> {
    parameter: &'a str,
    environment: &'a Environment,
    items: Vec<Item>,
    files: Vec<Watched>,
}

impl Reader<'_> {
    fn text(&mut self, text: &str, verdict: bool, depth: usize) {
        for item in split::items(text, split::SEPARATORS) {
            if item.starts_with('#') {
                tracing::warn!("{}: comment at end of line is not supported: {item}", self.parameter);
                break;
            }
            self.item(item, verdict, depth);
        }
    }

    fn item(&mut self, item: &str, verdict: bool, depth: usize) {
        let bare = item.trim_start_matches('!');
        let verdict = verdict ^ ((item.len() - bare.len()) % 2 == 1);
        if bare.is_empty() {
            tracing::warn!("{}: no pattern after '!'", self.parameter);
        } else if bare.starts_with('/') {
            self.file(bare, verdict, depth);
        } else {
            let pattern = self.pattern(bare);
            self.items.push(Item { verdict, pattern });
        }
    }

    fn pattern(&self, item: &str) -> Pattern {
        if item.contains(':') && !item.starts_with('[') && !is_ipv6(item) {
            return match open(item, self.environment) {
                Ok(table) => Pattern::Table { spec: item.to_owned(), table },
                Err(error) => Pattern::Broken { spec: item.to_owned(), broken: error.into() },
            };
        }
        let text = String::from_utf8(fold(item.as_bytes()).into_owned()).unwrap_or_default();
        let network = looks_like_network(&text).then(|| Network::parse(&text));
        Pattern::Text { text, network }
    }

    fn file(&mut self, path: &str, verdict: bool, depth: usize) {
        if depth >= MAX_FILES_DEEP {
            self.unusable(path, verdict, format!("{path}: too many files within files"));
            return;
        }
        match Watched::read(Path::new(path)) {
            Ok((text, watched)) => {
                self.files.push(watched);
                let text: Cow<'_, str> = String::from_utf8_lossy(&text);
                for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
                    self.text(line, verdict, depth + 1);
                }
            }
            Err(error) => self.unusable(path, verdict, format!("open file {path}: {}", system_text(&error))),
        }
    }

    /// A file that cannot be read stands in the list as a table that is not there.
    fn unusable(&mut self, path: &str, verdict: bool, reason: String) {
        let spec = format!("non-existent:{path}");
        let error = Error::temporary(&spec, reason);
        self.environment.settings.note_trouble(&error);
        self.items.push(Item { verdict, pattern: Pattern::Broken { spec, broken: error.into() } });
    }
}

fn is_ipv6(item: &str) -> bool {
    let address = item.split('/').next().unwrap_or(item);
    address.parse::<std::net::Ipv6Addr>().is_ok()
}

/// Whether an item is to be understood as a network: brackets, or nothing but what addresses are made of.
fn looks_like_network(item: &str) -> bool {
    let of_address = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'.' | b':' | b'[' | b']' | b'/');
    let of_v4 = |b: u8| b.is_ascii_digit() || b == b'.';
    let Some((address, _)) = item.split_once('/') else {
        return item.starts_with('[') && item.bytes().all(of_address);
    };
    address.bytes().all(of_v4) || (address.contains(':') && item.bytes().all(of_address))
}

impl std::fmt::Debug for PatternList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PatternList").field("parameter", &self.parameter).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "pattern_list/tests.rs"]
mod tests;

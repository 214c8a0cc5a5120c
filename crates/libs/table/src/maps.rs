//! A list of tables, asked in order.

use std::sync::Arc;

use crate::broken::Broken;
use crate::environment::Trust;
use crate::{Answer, Environment, Error, Keys, Owner, Table, open};

/// Which tables of the list are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of them.
    All,
    /// Those of fixed strings, because the key is only a part of what is looked for.
    Fixed,
}

struct Member {
    spec: String,
    table: Result<Box<dyn Table>, Broken>,
}

/// The tables of one parameter. A table that could not be opened makes look-ups fail that get as far.
#[derive(Clone)]
pub struct Maps {
    parameter: String,
    members: Arc<[Member]>,
}

impl Maps {
    /// Opens the tables that a parameter names. What cannot be opened is reported when it is asked.
    pub fn open<S: AsRef<str>>(parameter: &str, specs: &[S], environment: &Environment) -> Self {
        let member = |spec: &S| {
            let spec = spec.as_ref();
            Member { spec: spec.to_owned(), table: open(spec, environment).map_err(Broken::from) }
        };
        Self { parameter: parameter.to_owned(), members: specs.iter().map(member).collect() }
    }

    /// The same for tables that decide what is run, and as whom. They are read without a go-between.
    pub fn open_paranoid<S: AsRef<str>>(parameter: &str, specs: &[S], environment: &Environment) -> Self {
        let environment = Environment { trust: Trust::Paranoid, ..environment.clone() };
        let direct = |spec: &S| spec.as_ref().strip_prefix("proxy:").unwrap_or(spec.as_ref()).to_owned();
        Self::open(parameter, &specs.iter().map(direct).collect::<Vec<_>>(), &environment)
    }

    /// No tables.
    pub fn none(parameter: &str) -> Self {
        Self { parameter: parameter.to_owned(), members: Arc::new([]) }
    }

    /// The same tables, under the name of another parameter.
    #[must_use]
    pub fn named(&self, parameter: &str) -> Self {
        Self { parameter: parameter.to_owned(), members: Arc::clone(&self.members) }
    }

    /// Whether there are no tables.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The parameter that names the tables.
    pub fn parameter(&self) -> &str {
        &self.parameter
    }

    /// The first table, as the configuration names it; nothing without tables.
    pub fn first(&self) -> &str {
        self.members.first().map_or("", |member| &member.spec)
    }

    /// The value in the first table that has one.
    ///
    /// # Errors
    ///
    /// When a table fails before one has the key; it has been logged.
    pub async fn lookup(&self, key: &[u8]) -> Answer {
        self.lookup_in(key, Scope::All).await
    }

    /// The same for a line that somebody has said, which may be empty: patterns see it all the same.
    ///
    /// # Errors
    ///
    /// As for [`Maps::lookup`].
    pub async fn lookup_line(&self, line: &[u8]) -> Answer {
        Ok(self.ask(line, Scope::All).await?.map(|found| found.value))
    }

    /// The first of some keys that has a value, and the value.
    ///
    /// # Errors
    ///
    /// As for [`Maps::lookup`].
    pub async fn lookup_first<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<Option<(&'k str, Vec<u8>)>, Error> {
        for key in keys {
            if let Some(value) = self.lookup(key.as_bytes()).await? {
                return Ok(Some((key, value)));
            }
        }
        Ok(None)
    }

    /// A setting by key: what the first of some keys that has a value says, else what holds in general. That holds too where
    /// the tables fail, or say what makes no sense; the log tells.
    pub async fn setting<T>(&self, keys: &[&str], read: fn(&str) -> Option<T>, general: T) -> T {
        for key in keys {
            let Ok(found) = self.lookup(key.as_bytes()).await else { break };
            let Some(value) = found else { continue };
            let value = String::from_utf8_lossy(&value);
            return read(&value).unwrap_or_else(|| {
                tracing::warn!("{}: bad value \"{}\" for {key}", self.parameter, value.escape_debug());
                general
            });
        }
        general
    }

    /// The value in the first table of that scope that has one.
    ///
    /// # Errors
    ///
    /// As for [`Maps::lookup`].
    pub async fn lookup_in(&self, key: &[u8], scope: Scope) -> Answer {
        Ok(self.find(key, scope).await?.map(|found| found.value))
    }

    /// The value in the first table of that scope that has one, and that table.
    ///
    /// # Errors
    ///
    /// As for [`Maps::lookup`].
    pub async fn find(&self, key: &[u8], scope: Scope) -> Result<Option<MapsFound<'_>>, Error> {
        // Partial keys may be empty: a pattern that matches everything must not see them.
        if key.is_empty() {
            return Ok(None);
        }
        self.ask(key, scope).await
    }

    async fn ask(&self, key: &[u8], scope: Scope) -> Result<Option<MapsFound<'_>>, Error> {
        for member in self.members.iter() {
            let table = match member.opened() {
                Ok(table) => table,
                Err(error) => {
                    member.warn_of_lookup(key);
                    return Err(error);
                }
            };
            if scope == Scope::Fixed && table.keys() == Keys::Pattern {
                continue;
            }
            match table.lookup(key).await {
                Ok(None) => {}
                Ok(Some(value)) if value.is_empty() => return Err(self.empty_value(key, member)),
                Ok(Some(value)) => {
                    return Ok(Some(MapsFound { value, spec: &member.spec, owner: table.owner() }));
                }
                Err(error) => {
                    tracing::warn!("{}: {error}", member.spec);
                    member.warn_of_lookup(key);
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    fn empty_value(&self, key: &[u8], member: &Member) -> Error {
        let key = String::from_utf8_lossy(key);
        tracing::warn!("{} lookup of {key} returns an empty string result", self.parameter);
        tracing::warn!("{} should return NO RESULT in case of NOT FOUND", self.parameter);
        Error::config(&member.spec, "empty string result")
    }

    /// Whether a file behind a table has changed, or one that was missing may be there, so that the process has to
    /// retire.
    pub fn changed(&self) -> bool {
        self.members.iter().any(|member| match &member.table {
            Ok(table) => table.changed(),
            Err(broken) => broken.is_due(),
        })
    }
}

/// What [`Maps::find`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapsFound<'a> {
    /// The value.
    pub value: Vec<u8>,
    /// The table, as it is named in the configuration.
    pub spec: &'a str,
    /// Who may have written it.
    pub owner: Owner,
}

impl Member {
    fn warn_of_lookup(&self, key: &[u8]) {
        tracing::warn!("{} lookup error for \"{:.100}\"", self.spec, String::from_utf8_lossy(key));
    }

    fn opened(&self) -> Result<&dyn Table, Error> {
        match &self.table {
            Ok(table) => Ok(table.as_ref()),
            Err(Broken { error, .. }) => {
                tracing::warn!("{} is unavailable. {error}", self.spec);
                Err(error.deferring())
            }
        }
    }
}

impl std::fmt::Debug for Maps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let specs = self.members.iter().map(|member| &member.spec);
        f.debug_tuple("Maps").field(&self.parameter).field(&specs.collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;

    #[test]
    fn the_first_table_that_knows_wins() {
        let specs = ["inline:{a=1,b=2}", "inline:{a=3,c=4}", "fail:x", "static:never"];
        let maps = Maps::open("test_maps", &specs, &Environment::default());
        for (key, expected) in [("a", Ok("1")), ("C", Ok("4")), ("d", Err(())), ("", Ok(""))] {
            let found = crate::block_on(maps.lookup(key.as_bytes()));
            let found = found.map(|v| String::from_utf8(v.unwrap_or_default()).unwrap()).map_err(|_| ());
            assert_eq!(found, expected.map(str::to_owned), "{key}");
        }
    }

    #[test]
    fn a_setting_is_that_of_the_first_key_or_the_general_one() {
        let maps = Maps::open("test_maps", &["inline:{a=1, b=x}", "fail:x"], &Environment::default());
        for (keys, expected, why) in [
            (&["a", "b"][..], 1, "the first"),
            (&["b", "a"], 9, "what makes no sense"),
            (&["c"], 9, "tables that fail"),
            (&[], 9, "no keys"),
        ] {
            let found = crate::block_on(maps.setting(keys, |text| text.parse().ok(), 9));
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn a_missing_table_fails_when_asked() {
        let maps = Maps::open("test_maps", &["inline:{a=1}", "texthash:/nonexistent"], &Environment::default());
        assert_eq!(crate::block_on(maps.lookup(b"a")), Ok(Some(b"1".to_vec())));
        let error = crate::block_on(maps.lookup(b"b")).unwrap_err();
        assert_eq!(error.to_string(), "open database /nonexistent: No such file or directory");
    }

    #[test]
    fn what_cannot_be_opened_may_be_there_later_and_what_says_nonsense_is_misconfigured() {
        for (spec, class) in [
            ("texthash:/nonexistent", Class::Temporary),
            ("nosuch:x", Class::Temporary),
            ("mysql:/nonexistent", Class::Temporary),
            ("fail:x", Class::Temporary),
            ("pcre:{{/./ $1}, {/(z*)/ $1}}", Class::Config),
        ] {
            let maps = Maps::open("test_maps", &[spec], &Environment::default());
            assert_eq!(crate::block_on(maps.lookup(b"a")).unwrap_err().class, class, "{spec}");
        }
    }
}

//! What tables behind servers and SQL share: their parameter files, and `%s` templates for queries and results.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use crate::environment::Settings;
use crate::source::{Place, lines, trim};
use crate::types::Watched;
use crate::{Environment, Error, Owner, Parents, PatternList};

/// Parameters of one table: from a file in the format of main.cf, or, where the name is no path, those of main.cf
/// that begin with the name and an underscore.
pub(crate) struct Parameters {
    spec: String,
    origin: Origin,
}

/// Where parameters come from.
pub(crate) enum Origin {
    /// A file of their own.
    File {
        /// Its name.
        path: String,
        /// What it says.
        values: HashMap<String, String>,
        /// To see whether it changes.
        file: Watched,
    },
    /// main.cf.
    Main {
        /// Prefix of the names.
        name: String,
        /// main.cf, where it is known.
        settings: Settings,
    },
}

impl Origin {
    /// Whether the file is no longer the one that was read.
    pub(crate) fn changed(&self) -> bool {
        match self {
            Self::File { file, .. } => file.changed(),
            Self::Main { .. } => false,
        }
    }

    /// Who may have written the parameters.
    pub(crate) fn owner(&self) -> Owner {
        match self {
            Self::File { file, .. } => file.owner(),
            Self::Main { .. } => Owner::Trusted,
        }
    }
}

impl Parameters {
    pub(crate) fn read(kind: &str, name: &str, environment: &Environment) -> Result<Self, Error> {
        let spec = format!("{kind}:{name}");
        if !name.starts_with(['/', '.']) {
            let origin = Origin::Main { name: name.to_owned(), settings: environment.settings.clone() };
            return Ok(Self { spec, origin });
        }
        let (text, file) = Watched::read(Path::new(name)).map_err(|error| Error::file(&spec, "open", name, &error))?;
        let mut values = HashMap::new();
        for line in lines(&text, name) {
            let text = String::from_utf8_lossy(trim(&line.text)).into_owned();
            match text.split_once('=') {
                Some((key, value)) => {
                    if let Some(old) = values.insert(key.trim().to_owned(), value.trim().to_owned()) {
                        let (key, place) = (key.trim(), Place { path: name, line: line.number });
                        tracing::warn!("{place}: overriding earlier entry: {key}={old}");
                    }
                }
                None => {
                    let reason = format!("{name}, line {}: missing '=' after attribute name: \"{text}\"", line.number);
                    return Err(Error::config(spec, reason));
                }
            }
        }
        Ok(Self { spec, origin: Origin::File { path: name.to_owned(), values, file } })
    }

    /// The table, as `type:name`.
    pub(crate) fn spec(&self) -> &str {
        &self.spec
    }

    /// What is left to know once the values are read.
    pub(crate) fn origin(self) -> Origin {
        self.origin
    }

    /// The value of a parameter, if it is given.
    pub(crate) fn given(&self, name: &str) -> Option<String> {
        match &self.origin {
            Origin::File { values, .. } => values.get(name).cloned(),
            Origin::Main { name: prefix, settings } => settings.expanded(&format!("{prefix}_{name}")),
        }
    }

    /// The value of a parameter, if it has one that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that the table cannot do without.
    pub(crate) fn required(&self, name: &str) -> Result<String, Error> {
        self.text(name).ok_or_else(|| match &self.origin {
            Origin::File { .. } => self.mistake(&format!("bad string length 0 < 1: {name} = ")),
            Origin::Main { name: prefix, .. } => {
                Error::config(&self.spec, format!("bad string length 0 < 1: {prefix}_{name} = "))
            }
        })
    }

    /// A number.
    pub(crate) fn number(&self, name: &str, default: usize) -> Result<usize, Error> {
        match self.text(name) {
            None => Ok(default),
            Some(value) => {
                value.parse().map_err(|_| self.mistake(&format!("bad numerical configuration: {name} = {value}")))
            }
        }
    }

    /// A number of seconds.
    pub(crate) fn seconds(&self, name: &str, default: u64) -> Result<Duration, Error> {
        let text = self.text(name);
        let Some(value) = text.as_deref() else { return Ok(Duration::from_secs(default)) };
        let number = value.strip_suffix('s').unwrap_or(value).parse();
        number
            .map(Duration::from_secs)
            .map_err(|_| self.mistake(&format!("bad numerical configuration: {name} = {value}")))
    }

    /// A template with `%s` and its kind, which `what` is.
    pub(crate) fn template(&self, what: &str, text: &str) -> Result<Template, Error> {
        let invalid = || format!("db_common_parse: {}: Invalid {what} template: {text}", self.place());
        Template::parse(text).ok_or_else(|| Error::config(&self.spec, invalid()))
    }

    /// The query, or one made of the parameters that came before it. `%s` stands between single quotes.
    pub(crate) fn sql(&self) -> Result<Template, Error> {
        if let Some(query) = self.text("query") {
            return self.template("query", &query);
        }
        if let Some(function) = self.text("select_function") {
            return self.template("query", &format!("SELECT {function}('%s')"));
        }
        let (table, select_field) = (self.required("table")?, self.required("select_field")?);
        let where_field = self.required("where_field")?;
        let more = self.text("additional_conditions").unwrap_or_default();
        self.template("query", &format!("SELECT {select_field} FROM {table} WHERE {where_field} = '%s' {more}"))
    }

    /// The domains of keys that are looked up, if they are limited.
    pub(crate) fn domains(&self, environment: &Environment) -> Option<PatternList> {
        let domains = self.text("domain")?;
        Some(PatternList::open(&format!("{} domain", self.spec), &[&domains], Parents::Dotted, environment))
    }

    /// Something is wrong with the parameters.
    pub(crate) fn mistake(&self, what: &str) -> Error {
        Error::config(&self.spec, format!("{}: {what}", self.place()))
    }

    /// The file, or the name that stands for it in main.cf.
    fn place(&self) -> &str {
        match &self.origin {
            Origin::File { path, .. } => path,
            Origin::Main { name, .. } => name,
        }
    }
}

/// A text with `%s`, `%u`, `%d` and their kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part(Of, Part),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The text that is put in: the key in a query, the result in a format of results.
    Subject,
    /// Always the key.
    Key,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    User,
    Domain,
    /// A component of the domain, counted from its end.
    Component(usize),
}

impl Template {
    /// Reads a template. None if it has a `%` that stands for nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                plain.push(letter);
                continue;
            }
            let part = match letters.next() {
                Some('%') => {
                    plain.push('%');
                    continue;
                }
                Some('s') => (Of::Subject, Part::Whole),
                Some('u') => (Of::Subject, Part::User),
                Some('d') => (Of::Subject, Part::Domain),
                Some('S') => (Of::Key, Part::Whole),
                Some('U') => (Of::Key, Part::User),
                Some('D') => (Of::Key, Part::Domain),
                Some(digit @ '1'..='9') => {
                    let number = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
                    (Of::Key, Part::Component(number.unwrap_or(1)))
                }
                _ => return None,
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Part(part.0, part.1));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Some(Self(pieces))
    }

    /// Whether it is the same for every key.
    #[cfg(feature = "ldap")]
    pub(crate) fn is_fixed(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// The text with its parts put in, each as `quote` writes it. None if a part is not there.
    pub(crate) fn expand(&self, subject: &str, key: &str, quote: impl Fn(&str) -> String) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Part(Of::Subject, part) => text.push_str(&quote(part.of(subject)?)),
                Piece::Part(Of::Key, part) => text.push_str(&quote(part.of(key)?)),
            }
        }
        Some(text)
    }
}

impl Part {
    fn of(self, text: &str) -> Option<&str> {
        let (user, domain) = match text.rsplit_once('@') {
            Some((user, domain)) => (user, Some(domain)),
            None => (text, None),
        };
        match self {
            Self::Whole => Some(text),
            Self::User => Some(user).filter(|user| !user.is_empty()),
            Self::Domain => domain.filter(|domain| !domain.is_empty()),
            Self::Component(number) => domain?.rsplit('.').filter(|name| !name.is_empty()).nth(number - 1),
        }
    }
}

/// Which keys are asked for, and what becomes of the results.
pub(crate) struct Shape {
    spec: String,
    result_format: Template,
    domains: Option<PatternList>,
    expansion_limit: usize,
}

impl Shape {
    /// Reads `result_format`, `domain` and `expansion_limit`.
    pub(crate) fn read(parameters: &Parameters, environment: &Environment) -> Result<Self, Error> {
        Self::read_with(0, parameters, environment)
    }

    /// The same for a type that has this limit where none is given.
    pub(crate) fn read_with(limit: usize, parameters: &Parameters, environment: &Environment) -> Result<Self, Error> {
        // An old name, which the tables of LDAP still know.
        let old = parameters.text("result_filter").filter(|_| parameters.spec().starts_with("ldap:"));
        let format = parameters.text("result_format").or(old);
        Ok(Self {
            spec: parameters.spec().to_owned(),
            result_format: parameters.template("result", format.as_deref().unwrap_or("%s"))?,
            domains: parameters.domains(environment),
            expansion_limit: parameters.number("expansion_limit", limit)?,
        })
    }

    /// A key that is to be asked for: text whose domain is listed, and that has what the format of results needs.
    pub(crate) async fn admitted(&self, key: Vec<u8>) -> Result<Option<String>, Error> {
        let Ok(key) = String::from_utf8(key) else {
            return Ok(None);
        };
        if key.is_empty() {
            tracing::warn!("table \"{}\": empty query string -- ignored", self.spec);
            return Ok(None);
        }
        if !is_listed(self.domains.as_ref(), &key).await? {
            return Ok(None);
        }
        let has_parts = self.result_format.0.iter().all(|piece| match piece {
            Piece::Part(Of::Key, part) => part.of(&key).is_some(),
            Piece::Part(Of::Subject, _) | Piece::Text(_) => true,
        });
        Ok(has_parts.then_some(key))
    }

    /// How many results are worth reading.
    pub(crate) fn most(&self) -> usize {
        if self.expansion_limit == 0 { usize::MAX } else { self.expansion_limit + 1 }
    }

    /// The value that results make together.
    pub(crate) fn value(&self, key: &str, results: &[Vec<u8>], spec: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut values = Vec::new();
        for result in results {
            if result.is_empty() {
                tracing::warn!("table \"{spec}\": empty lookup result for: \"{key}\" -- ignored");
                continue;
            }
            let result = String::from_utf8_lossy(result);
            values.extend(self.result_format.expand(&result, key, str::to_owned));
        }
        if self.expansion_limit > 0 && values.len() > self.expansion_limit {
            return Err(Error::temporary(spec, format!("Expansion limit exceeded for key: '{key}'")));
        }
        Ok((!values.is_empty()).then(|| values.join(",").into_bytes()))
    }
}

/// Whether a key's domain is one of those that are looked up.
pub(crate) async fn is_listed(domains: Option<&PatternList>, key: &str) -> Result<bool, Error> {
    let Some(domains) = domains else { return Ok(true) };
    match (Part::User.of(key), Part::Domain.of(key)) {
        (Some(_), Some(domain)) => domains.matches_string(domain.as_bytes()).await,
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_may_be_in_main_cf() {
        let text = "users_hosts = a b\nusers_query = $myhostname %s\nmyhostname = h\nusers_empty =\n";
        let source = config::Source::parse(Path::new("/nonexistent"), text).unwrap();
        let parameters = Parameters::read("x", "users", &Environment::of(&source)).unwrap();
        assert_eq!(parameters.text("hosts").as_deref(), Some("a b"));
        assert_eq!(parameters.text("query").as_deref(), Some("h %s"));
        assert_eq!((parameters.given("empty").as_deref(), parameters.text("empty")), (Some(""), None));
        assert_eq!(parameters.required("dbname").unwrap_err().to_string(), "bad string length 0 < 1: users_dbname = ");
        assert!(Parameters::read("x", "./users", &Environment::of(&source)).is_err());
    }

    #[test]
    fn templates_take_keys_apart() {
        for (template, key, expected) in [
            ("a %s b%%", "u@d.e", Some("a <u@d.e> b%")),
            ("%u", "u@d", Some("<u>")),
            ("%u", "name", Some("<name>")),
            ("%u", "@d", None),
            ("%d", "u@d", Some("<d>")),
            ("%d", "name", None),
            ("%1.%2.%3", "u@mail.example.com", Some("<com>.<example>.<mail>")),
            ("%3", "u@example.com", None),
            ("%2.%1", "u@.example..com.", Some("<example>.<com>")),
            ("%U at %D", "u@d", Some("<u> at <d>")),
        ] {
            let text = Template::parse(template).unwrap().expand(key, key, |part| format!("<{part}>"));
            assert_eq!(text.as_deref(), expected, "{template} {key}");
        }
        assert_eq!(Template::parse("%x"), None);
        assert_eq!(Template::parse("%"), None);
    }
}

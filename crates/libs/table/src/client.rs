//! What tables behind servers and SQL share: their parameter files, and `%s` templates for queries and results.

use std::collections::HashMap;
use std::path::Path;

use crate::source::{lines, trim};
use crate::types::Watched;
use crate::{Environment, Error, Parents, PatternList};

/// Parameters of one table, from a file in the format of main.cf.
pub(crate) struct Parameters {
    spec: String,
    path: String,
    values: HashMap<String, String>,
    pub(crate) file: Watched,
}

impl Parameters {
    pub(crate) fn read(kind: &str, path: &str) -> Result<Self, Error> {
        let spec = format!("{kind}:{path}");
        let (text, file) = Watched::read(Path::new(path)).map_err(|error| Error::file(&spec, "open", path, &error))?;
        let mut values = HashMap::new();
        for line in lines(&text) {
            let text = String::from_utf8_lossy(trim(&line.text)).into_owned();
            match text.split_once('=') {
                Some((name, value)) => {
                    values.insert(name.trim().to_owned(), value.trim().to_owned());
                }
                None => {
                    let reason = format!("{path}, line {}: missing '=' after attribute name: \"{text}\"", line.number);
                    return Err(Error::config(spec, reason));
                }
            }
        }
        Ok(Self { spec, path: path.to_owned(), values, file })
    }

    /// The value of a parameter, if it has one that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that the table cannot do without.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Error> {
        self.text(name).ok_or_else(|| self.mistake(&format!("parameter \"{name}\" is not given")))
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

    /// The domains of keys that are looked up, if they are limited.
    pub(crate) fn domains(&self, environment: &Environment) -> Option<PatternList> {
        let domains = self.text("domain")?;
        Some(PatternList::open(&format!("{} domain", self.spec), &[domains], Parents::Dotted, environment))
    }

    /// Something is wrong with the file.
    pub(crate) fn mistake(&self, what: &str) -> Error {
        Error::config(&self.spec, format!("{}: {what}", self.path))
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
    /// Reads a template. `Err` names the letter that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, char> {
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
                other => return Err(other.unwrap_or('%')),
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Part(part.0, part.1));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
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
            Self::Component(number) => domain?.rsplit('.').nth(number - 1).filter(|name| !name.is_empty()),
        }
    }
}

/// Which keys are asked for, and what becomes of the results.
pub(crate) struct Shape {
    pub(crate) query: Template,
    result_format: Template,
    domains: Option<PatternList>,
    expansion_limit: usize,
}

impl Shape {
    /// Reads `result_format`, `domain` and `expansion_limit`; the query is the caller's.
    pub(crate) fn read(query: &str, parameters: &Parameters, environment: &Environment) -> Result<Self, Error> {
        let template = |name: &str, text: &str| {
            Template::parse(text)
                .map_err(|letter| parameters.mistake(&format!("bad {name} template: unknown expansion %{letter}")))
        };
        Ok(Self {
            query: template("query", query)?,
            result_format: template("result_format", parameters.text("result_format").unwrap_or("%s"))?,
            domains: parameters.domains(environment),
            expansion_limit: parameters.number("expansion_limit", 0)?,
        })
    }

    /// The query for a key; none for keys that are not to be asked for.
    pub(crate) async fn query(&self, key: &str, quote: impl Fn(&str) -> String) -> Result<Option<String>, Error> {
        if let Some(domains) = &self.domains {
            let (Some(_), Some(domain)) = (Part::User.of(key), Part::Domain.of(key)) else {
                return Ok(None);
            };
            if !domains.matches_string(domain.as_bytes()).await? {
                return Ok(None);
            }
        }
        // A key without what the format of results needs is not asked for either.
        let needs_key = self.result_format.0.iter().all(|piece| match piece {
            Piece::Part(Of::Key, part) => part.of(key).is_some(),
            Piece::Part(Of::Subject, _) | Piece::Text(_) => true,
        });
        Ok(if needs_key { self.query.expand(key, key, quote) } else { None })
    }

    /// How many results are worth reading.
    pub(crate) fn most(&self) -> usize {
        if self.expansion_limit == 0 { usize::MAX } else { self.expansion_limit + 1 }
    }

    /// The value that results make together.
    pub(crate) fn value(&self, key: &str, results: &[Vec<u8>], spec: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut values = Vec::new();
        for result in results.iter().filter(|result| !result.is_empty()) {
            let result = String::from_utf8_lossy(result);
            values.extend(self.result_format.expand(&result, key, str::to_owned));
        }
        if self.expansion_limit > 0 && values.len() > self.expansion_limit {
            return Err(Error::temporary(spec, format!("Expansion limit exceeded for key: '{key}'")));
        }
        Ok((!values.is_empty()).then(|| values.join(",").into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("%U at %D", "u@d", Some("<u> at <d>")),
        ] {
            let text = Template::parse(template).unwrap().expand(key, key, |part| format!("<{part}>"));
            assert_eq!(text.as_deref(), expected, "{template} {key}");
        }
        assert_eq!(Template::parse("%x"), Err('x'));
        assert_eq!(Template::parse("%"), Err('%'));
    }
}

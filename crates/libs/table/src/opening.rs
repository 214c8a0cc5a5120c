//! Opening a table by its name.

use crate::fold::Folded;
use crate::types::{self, Type};
use crate::{Environment, Error, Table};

/// Opens the table `type:name`. What cannot be opened is noted in the configuration too, for the daemon to tell at its birth.
///
/// # Errors
///
/// When there is no such type, the name is not one, or the file cannot be read.
pub fn open(spec: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    find_and_open(spec, environment).inspect_err(|error| environment.settings.note_trouble(error))
}

fn find_and_open(spec: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let (kind, name) = find_type(spec, environment)?;
    let table = (kind.open)(name, environment)?;
    let whole = format!("{}:{name}", kind.name);
    Ok(Folded::wrap(&whole, table, environment))
}

/// The type and the rest of a table's name.
pub(crate) fn find_type<'a>(spec: &'a str, environment: &Environment) -> Result<(&'static Type, &'a str), Error> {
    let syntax = || {
        let reason = format!("open dictionary: expecting \"type:name\" form instead of \"{spec}\"");
        Error::config(spec, reason)
    };
    let (kind, name) = match spec.split_once(':') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() => (kind, name),
        Some(_) => return Err(syntax()),
        None if spec.is_empty() => return Err(syntax()),
        None => (environment.default_database_type.as_str(), spec),
    };
    match types::find(kind) {
        Some(kind) => Ok((kind, name)),
        None if types::UNSUPPORTED.contains(&kind) => {
            Err(Error::config(spec, format!("{kind} tables are not supported on this system")))
        }
        None => Err(Error::config(spec, format!("unsupported dictionary type: {kind}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Maps, Parents, PatternList};

    #[test]
    fn what_cannot_be_opened_is_noted_once() {
        let source = config::Source::parse(std::path::Path::new("/nonexistent"), "").unwrap();
        let environment = Environment::of(&source);
        let specs = ["texthash:/nonexistent/x", "static:y", "nosuch:z", "unionmap:{texthash:/nonexistent/x}"];
        drop(Maps::open("test_maps", &specs, &environment));
        drop(PatternList::open("test_list", &["nosuch:z", "/nonexistent/y"], Parents::Dotted, &environment));
        let expected = [
            "open database /nonexistent/x: No such file or directory",
            "unsupported dictionary type: nosuch",
            "open file /nonexistent/y: No such file or directory",
        ];
        assert_eq!(source.troubles(), expected);
    }
}

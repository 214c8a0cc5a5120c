//! What postmap(1) and postalias(1) do with tables: make, change, ask, list.

mod asking;
mod making;

use std::io;

use crate::environment::{Folding, Terminator, Text, Values};
use crate::source::Line;
use crate::{Environment, Error};

pub use asking::Asking;
pub use making::Making;

/// What to do about a key that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// Keep the old value, and say so.
    Warn,
    /// Keep the old value (`-w`).
    Ignore,
    /// Take the new value (`-r`).
    Replace,
}

/// How entries are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Key, tab, value.
    Text,
    /// Key, colon, tab, value.
    Alias,
    /// A JSON object per line (`-j`).
    Json,
}

/// What is asked of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make tables from their sources.
    Make,
    /// Add entries from standard input (`-i`).
    Add,
    /// Ask for a key, or for those on standard input.
    Query(Keys),
    /// Remove a key, or those on standard input.
    Delete(Keys),
    /// Show all entries (`-s`).
    List,
}

/// Which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// This one.
    One(Vec<u8>),
    /// Each line of standard input.
    Lines,
}

impl Keys {
    fn read(word: &str) -> Self {
        if word == "-" { Self::Lines } else { Self::One(word.as_bytes().to_vec()) }
    }
}

/// Access rights of new files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// As the source has them.
    Inherited,
    /// 0644 (`-p`).
    Usual,
}

/// Who makes the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// The owner of the source.
    Owner,
    /// Whoever runs the command (`-o`).
    Caller,
}

/// The options that both commands have.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to do.
    pub action: Action,
    /// Parameters, with what the options say of keys and values.
    pub environment: Environment,
    /// About keys that are there already.
    pub duplicates: Duplicates,
    /// How entries are shown.
    pub shown: Shown,
    /// Access rights of new files.
    pub rights: Rights,
    /// Who makes tables.
    pub maker: Maker,
}

/// More than one of `-d`, `-i`, `-q` and `-s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("specify only one of -s -q -d or -i")]
pub struct Conflict;

impl Options {
    /// Reads the letters that both commands know; others are left to the command.
    ///
    /// # Errors
    ///
    /// When letters contradict each other.
    pub fn read(given: &[(char, Option<String>)], shown: Shown, environment: Environment) -> Result<Self, Conflict> {
        let mut options = Self {
            action: Action::Make,
            environment,
            duplicates: Duplicates::Warn,
            shown,
            rights: Rights::Inherited,
            maker: Maker::Owner,
        };
        for (letter, value) in given {
            options.letter(*letter, value.as_deref().unwrap_or_default())?;
        }
        Ok(options)
    }

    /// The same with keys as `bytes` knows them, where they are not what they look like.
    #[must_use]
    pub fn with_bytes(mut self, bytes: impl Fn(&str) -> Vec<u8>) -> Self {
        if let Action::Query(Keys::One(key)) | Action::Delete(Keys::One(key)) = &mut self.action {
            *key = bytes(&String::from_utf8_lossy(key));
        }
        self
    }

    fn letter(&mut self, letter: char, value: &str) -> Result<(), Conflict> {
        match letter {
            'd' => return self.act(Action::Delete(Keys::read(value))),
            'q' => return self.act(Action::Query(Keys::read(value))),
            's' => return self.act(Action::List),
            'i' => return self.act(Action::Add),
            'f' => self.environment.folding = Folding::None,
            'F' => self.environment.values = Values::Files,
            'j' => self.shown = Shown::Json,
            'N' => self.environment.terminator = Terminator::With,
            'n' => self.environment.terminator = Terminator::Without,
            'o' => self.maker = Maker::Caller,
            'p' => self.rights = Rights::Usual,
            'r' => self.duplicates = Duplicates::Replace,
            'u' => self.environment.text = Text::Bytes,
            'w' => self.duplicates = Duplicates::Ignore,
            _ => {}
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), Conflict> {
        match (&self.action, &action) {
            (Action::Make, _) | (Action::Add, Action::Add) => self.action = action,
            _ => return Err(Conflict),
        }
        Ok(())
    }
}

/// Puts the entry of a line into a table; the last argument names the text that has the line.
pub type Fill<'a> = dyn Fn(&mut Making, &Line, &str) -> Result<(), Failure> + 'a;

/// Puts into a table what belongs into a complete one.
pub type Complete<'a> = dyn Fn(&mut Making) -> Result<(), Failure> + 'a;

/// Something to be done.
pub type Work<'a> = dyn FnMut() -> Result<(), Failure> + 'a;

/// Does something with the rights of a user and a group.
pub type AsOwner = dyn Fn(u32, u32, &mut Work<'_>) -> Result<(), Failure>;

/// What differs between the commands.
pub struct Craft<'a> {
    /// Puts the entry of a line, which comes from a file of that name, into a table.
    pub fill: &'a Fill<'a>,
    /// Puts what belongs into a complete table.
    pub complete: &'a Complete<'a>,
    /// Does something with the rights of a user and a group.
    pub as_owner: &'a AsOwner,
}

/// What ends the work: a table, its source, or whoever reads the answers.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A table cannot be opened or changed.
    #[error("{0}")]
    Table(#[from] Error),
    /// A table cannot answer.
    #[error("table {0}: query error: {1}")]
    Query(String, Error),
    /// The source of a table cannot be read.
    #[error("open {0}: {1}")]
    Source(String, String),
    /// The rights of the source's owner cannot be taken.
    #[error("{0}")]
    Rights(String),
    /// Reading keys or writing answers.
    #[error("{}", crate::system_text(.0))]
    Io(#[from] io::Error),
    /// A table has a value that is not what it should be.
    #[error("table {0}: query error")]
    Value(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Place;
    use crate::store::Purpose;

    fn options(letters: &str) -> Result<Options, Conflict> {
        let given: Vec<_> = letters.chars().map(|letter| (letter, Some("-".to_owned()))).collect();
        Options::read(&given, Shown::Text, Environment::default())
    }

    #[test]
    fn letters_are_read() {
        assert_eq!(options("").unwrap().action, Action::Make);
        assert_eq!(options("i").unwrap().action, Action::Add);
        assert_eq!(options("q").unwrap().action, Action::Query(Keys::Lines));
        assert_eq!(options("rw").unwrap().duplicates, Duplicates::Ignore);
        assert_eq!(options("ii").unwrap().action, Action::Add);
        for letters in ["qd", "is", "si", "iq"] {
            assert_eq!(options(letters).unwrap_err().to_string(), "specify only one of -s -q -d or -i");
        }
    }

    #[test]
    fn only_tables_that_can_be_made_are_made() {
        for kind in ["internal", "memcache", "inline"] {
            let error = Making::open(&format!("{kind}:x"), Purpose::Update, &options("i").unwrap()).err().unwrap();
            let expected = format!("unsupported dictionary type: {kind} does not support bulk-mode creation.");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn values_that_cannot_be_shown_end_questions_and_not_lists() {
        let making = options("").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let spec = format!("lmdb:{}/t", directory.path().display());
        let mut making = Making::open(&spec, Purpose::Create { mode: 0o600 }, &making).unwrap();
        making.sign(b"a", b"!").unwrap();
        making.sign(b"b", b"eA==").unwrap();
        making.save().unwrap();
        let options = options("F").unwrap();
        let mut output = Vec::new();
        options.list(&spec, &mut output).unwrap();
        assert_eq!(output, b"b\tx\n");
        let failure = Asking::new(std::slice::from_ref(&spec), &options).find(b"a").unwrap_err();
        assert_eq!(failure.to_string(), format!("table {spec}: query error"));
    }

    #[test]
    fn entries_are_shown() {
        for (letters, shown, expected) in [
            ("", Shown::Text, "a\"b\tc\n"),
            ("", Shown::Alias, "a\"b:\tc\n"),
            ("j", Shown::Json, "{\"a\\\"b\": \"c\"}\n"),
        ] {
            let options = Options { shown, ..options(letters).unwrap() };
            let mut output = Vec::new();
            options.show(b"a\"b", b"c", &mut output).unwrap();
            assert_eq!(String::from_utf8(output).unwrap(), expected);
        }
    }

    #[test]
    fn keys_are_asked_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let spec = format!("lmdb:{}/t", directory.path().display());
        let options = options("").unwrap();
        let mut making = Making::open(&spec, Purpose::Create { mode: 0o600 }, &options).unwrap();
        for (key, value) in [("A", "1"), ("a", "2"), ("b", "3")] {
            making.add(key.as_bytes(), value.as_bytes(), Place { path: "f", line: 1 }).unwrap();
        }
        making.save().unwrap();
        let specs = [spec, "inline:{c=4}".to_owned()];
        let mut output = Vec::new();
        let found = Asking::new(&specs, &options).find_lines(&mut &b"A\nx\n\nc"[..], &mut output);
        assert!(found.unwrap());
        assert_eq!(output, b"A\t1\nc\t4\n");
        assert!(options.delete(&Keys::Lines, &specs[..1], &mut &b"B\nz\n"[..]).unwrap());
        assert!(!options.delete(&Keys::One(b"b".to_vec()), &specs[..1], &mut io::empty()).unwrap());
        let mut output = Vec::new();
        options.list(&specs[0], &mut output).unwrap();
        assert_eq!(output, b"a\t1\n");
    }
}

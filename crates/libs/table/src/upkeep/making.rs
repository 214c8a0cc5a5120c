//! Making tables, and adding entries to them.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::MetadataExt;

use super::{Action, Asking, Craft, Duplicates, Failure, Keys, Maker, Options, Rights};
use crate::environment::Text;
use crate::error::system_text;
use crate::opening::find_type;
use crate::source::{Line, Place, each_line, is_text, stored_value};
use crate::store::{self, Purpose, Put, Store};
use crate::{Environment, Error};

/// A table that entries are put into.
pub struct Making {
    /// What its warnings call it.
    shown: String,
    store: Box<dyn Store>,
    environment: Environment,
    duplicates: Duplicates,
}

impl Making {
    /// Opens a table for new entries.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or not changed.
    pub fn open(spec: &str, purpose: Purpose, options: &Options) -> Result<Self, Error> {
        let (kind, name) = find_type(spec, &options.environment)?;
        if !kind.is_made {
            return Err(store::refusal(kind.name, name, purpose));
        }
        let shown = if kind.name == "cdb" { name.to_owned() } else { format!("{}:{name}", kind.name) };
        Ok(Self {
            shown,
            store: store::open(spec, purpose, &options.environment)?,
            environment: options.environment.clone(),
            duplicates: options.duplicates,
        })
    }

    /// Puts an entry with a key that is folded.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn add(&mut self, key: &[u8], value: &[u8], place: Place<'_>) -> Result<(), Error> {
        let value = match stored_value(value, self.environment.values) {
            Ok(value) => value,
            Err(reason) => {
                tracing::warn!("{place}: {reason}: skipping this entry");
                return Ok(());
            }
        };
        let key = self.environment.folded(key);
        let replace = self.duplicates == Duplicates::Replace;
        if self.store.put(&key, &value, replace)? == Put::Duplicate && self.duplicates == Duplicates::Warn {
            let key = String::from_utf8_lossy(&key);
            tracing::warn!("{}: duplicate entry: \"{key}\"", self.shown);
        }
        Ok(())
    }

    /// Puts an entry as it is, in place of any other.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn sign(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.store.put(key, value, true).map(|_| ())
    }

    /// Puts the entries of a text that comes from `path`.
    fn fill(&mut self, input: &mut dyn Read, path: &str, craft: &Craft<'_>) -> Result<(), Failure> {
        each_line(input, path, &mut |line| {
            if self.accepts(line, path) { (craft.fill)(self, line, path) } else { Ok(()) }
        })?;
        (craft.complete)(self)
    }

    /// Whether a line is text; if not, it is warned about.
    fn accepts(&self, line: &Line, path: &str) -> bool {
        self.environment.text == Text::Bytes || is_text(&line.text, Place { path, line: line.number })
    }

    /// Makes the table last.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save(mut self) -> Result<(), Error> {
        self.store.save()
    }
}

impl Options {
    /// Does what is asked; questions are answered on `output`. Tells whether anything was found.
    ///
    /// # Errors
    ///
    /// When a table cannot be read or written.
    pub fn perform(
        &self,
        specs: &[String],
        craft: &Craft<'_>,
        input: &mut dyn BufRead,
        output: &mut dyn io::Write,
    ) -> Result<bool, Failure> {
        match &self.action {
            Action::Make => specs.iter().try_for_each(|spec| self.make(spec, craft)).map(|()| true),
            Action::Add => self.add(specs, craft, input).map(|()| true),
            Action::Query(Keys::One(key)) => Asking::new(specs, self).answer(key, output),
            Action::Query(Keys::Lines) => Asking::new(specs, self).find_lines(input, output),
            Action::Delete(keys) => self.delete(keys, specs, input),
            Action::List => specs.iter().try_for_each(|spec| self.list(spec, output)).map(|()| true),
        }
    }

    /// Makes a table from its source.
    fn make(&self, spec: &str, craft: &Craft<'_>) -> Result<(), Failure> {
        let (_, path) = find_type(spec, &self.environment)?;
        let failed = |error: &io::Error| Failure::Source(path.to_owned(), system_text(error));
        let mut file = File::open(path).map_err(|error| failed(&error))?;
        let metadata = file.metadata().map_err(|error| failed(&error))?;
        let mode = match self.rights {
            Rights::Inherited => 0o644 & (metadata.mode() | 0o600),
            Rights::Usual => 0o644,
        };
        let mut work = || -> Result<(), Failure> {
            let mut making = Making::open(spec, Purpose::Create { mode }, self)?;
            making.fill(&mut file, path, craft)?;
            Ok(making.save()?)
        };
        match self.maker {
            Maker::Owner if metadata.uid() != 0 => (craft.as_owner)(metadata.uid(), metadata.gid(), &mut work),
            Maker::Owner | Maker::Caller => work(),
        }
    }

    /// Adds the entries of the input to every table.
    fn add(&self, specs: &[String], craft: &Craft<'_>, input: &mut dyn BufRead) -> Result<(), Failure> {
        let mut text = Vec::new();
        input.read_to_end(&mut text)?;
        for spec in specs {
            let mut making = Making::open(spec, Purpose::Update, self)?;
            making.fill(&mut text.as_slice(), "stdin", craft)?;
            making.save()?;
        }
        Ok(())
    }
}

//! Asking tables, showing and removing entries.

use std::io::{self, BufRead, Write};

use super::{Failure, Keys, Options, Shown};
use crate::environment::Values;
use crate::opening::find_type;
use crate::source::file_content;
use crate::store::{self, Purpose};
use crate::{Environment, Error, Table};

/// Tables that are asked in order, each opened at its first use.
pub struct Asking<'a> {
    tables: Vec<(&'a str, Option<Box<dyn Table>>)>,
    options: &'a Options,
}

impl<'a> Asking<'a> {
    /// Prepares to ask.
    pub fn new(specs: &'a [String], options: &'a Options) -> Self {
        Self { tables: specs.iter().map(|spec| (spec.as_str(), None)).collect(), options }
    }

    /// The value of a key in the first table that has it.
    ///
    /// # Errors
    ///
    /// When a table before that cannot be opened or asked.
    pub fn find(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let environment = &self.options.environment;
        for (spec, slot) in &mut self.tables {
            let table = match slot {
                Some(table) => table,
                None => slot.insert(crate::open(spec, environment)?),
            };
            let answer = table.lookup(key).block();
            if let Some(value) = answer.map_err(|error| Failure::Query(whole(spec, environment), error))? {
                let spec = whole(spec, environment);
                let value = self.options.value(&spec, key, value);
                return value.map(Some).ok_or(Failure::Value(spec));
            }
        }
        Ok(None)
    }

    /// Asks for each line of the input, and shows what is found. Tells whether anything was.
    ///
    /// # Errors
    ///
    /// As for [`Asking::find`], and when input or output fail.
    pub fn find_lines(&mut self, input: &mut dyn BufRead, output: &mut dyn Write) -> Result<bool, Failure> {
        let mut found = false;
        let mut line = Vec::new();
        while next_line(input, &mut line)? {
            found |= self.show(&line, output)?;
        }
        Ok(found)
    }

    /// Asks for a key, and shows its value alone if there is one.
    ///
    /// # Errors
    ///
    /// As for [`Asking::find`], and when output fails.
    pub fn answer(&mut self, key: &[u8], output: &mut dyn Write) -> Result<bool, Failure> {
        let Some(value) = self.find(key)? else {
            return Ok(false);
        };
        match self.options.shown {
            Shown::Json => self.options.show(key, &value, output)?,
            Shown::Text | Shown::Alias => {
                output.write_all(&value)?;
                output.write_all(b"\n")?;
            }
        }
        Ok(true)
    }

    /// Asks for a key, and shows the entry if there is one.
    ///
    /// # Errors
    ///
    /// As for [`Asking::find`], and when output fails.
    pub fn show(&mut self, key: &[u8], output: &mut dyn Write) -> Result<bool, Failure> {
        let Some(value) = self.find(key)? else {
            return Ok(false);
        };
        self.options.show(key, &value, output)?;
        Ok(true)
    }
}

fn next_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if input.read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(true)
}

impl Options {
    /// Shows an entry.
    ///
    /// # Errors
    ///
    /// When output fails.
    pub fn show(&self, key: &[u8], value: &[u8], output: &mut dyn Write) -> io::Result<()> {
        let line = match self.shown {
            Shown::Text => [key, b"\t", value].concat(),
            Shown::Alias => [key, b":\t", value].concat(),
            Shown::Json => format!("{{{}: {}}}", json(key), json(value)).into_bytes(),
        };
        output.write_all(&line)?;
        output.write_all(b"\n")
    }

    /// The value as it is to be shown, with a warning if it is empty; none, with a warning, if it cannot be shown.
    fn value(&self, spec: &str, key: &[u8], value: Vec<u8>) -> Option<Vec<u8>> {
        let shown = || String::from_utf8_lossy(key).into_owned();
        if value.is_empty() {
            tracing::warn!("table {spec}: key {}: empty string result is not allowed", shown());
            tracing::warn!("table {spec} should return NO RESULT in case of NOT FOUND");
        }
        match self.environment.values {
            Values::Text => Some(value),
            Values::Files => file_content(&value)
                .inspect_err(|reason| tracing::warn!("table {spec}: key {}: {reason}", shown()))
                .ok(),
        }
    }

    /// Shows all entries of a table.
    ///
    /// # Errors
    ///
    /// When its type cannot list, or the file cannot be read.
    pub fn list(&self, spec: &str, output: &mut dyn Write) -> Result<(), Failure> {
        let mut store = store::open(spec, Purpose::Read, &self.environment)?;
        let whole = whole(spec, &self.environment);
        let mut after: Option<Vec<u8>> = None;
        while let Some((key, value)) = store.next(after.as_deref())? {
            if key.is_empty() {
                tracing::warn!("table {whole}: empty lookup key value is not allowed");
            }
            if let Some(value) = self.value(&whole, &key, value) {
                self.show(&key, &value, output)?;
            }
            after = Some(key);
        }
        Ok(())
    }

    /// Removes keys from every table, and tells whether any was there.
    ///
    /// # Errors
    ///
    /// When a table cannot be changed.
    pub fn delete(&self, keys: &Keys, specs: &[String], input: &mut dyn BufRead) -> Result<bool, Failure> {
        let mut stores = Vec::new();
        for spec in specs {
            stores.push(store::open(spec, Purpose::Amend, &self.environment)?);
        }
        let mut found = false;
        let mut remove = |key: &[u8]| -> Result<(), Error> {
            let key = self.environment.folded(key);
            for store in &mut stores {
                found |= store.delete(&key)?;
            }
            Ok(())
        };
        match keys {
            Keys::One(key) => remove(key)?,
            Keys::Lines => {
                let mut line = Vec::new();
                while next_line(input, &mut line)? {
                    remove(&line)?;
                }
            }
        }
        for store in &mut stores {
            store.save()?;
        }
        Ok(found)
    }
}

/// A table's name, with its type even if it was left out.
fn whole(spec: &str, environment: &Environment) -> String {
    find_type(spec, environment).map_or_else(|_| spec.to_owned(), |(kind, name)| format!("{}:{name}", kind.name))
}

/// A JSON string. Bytes that are not UTF-8 become replacement characters.
fn json(text: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for letter in String::from_utf8_lossy(text).chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter if letter.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

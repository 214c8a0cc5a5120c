//! main.cf: `name = value` entries, last one wins.
//!
//! The file is read in one go and compared with what `fstat` said before and after, so a half-written file is
//! not taken for a whole one and nobody need wait for it to settle.

use crate::drop_in::drop_ins;
use crate::error::Error;
use crate::logical_lines::LogicalLines;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// No configuration file is larger than this.
const MAX_SIZE: u64 = 16 << 20;
/// How often a file that changes under our eyes is read again.
const MAX_READS: usize = 5;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value as written, continuation lines joined.
    pub value: String,
    /// Its first physical line.
    pub line: usize,
    /// The file, if it is not main.cf itself but one of those in `main.cf.d`.
    pub file: Option<PathBuf>,
}

/// The entries of a main.cf, unexpanded.
#[derive(Clone, Debug, Default)]
pub struct MainCf {
    entries: HashMap<String, Entry>,
    warnings: Vec<String>,
}

impl MainCf {
    /// Reads and parses the file, and those that add to it.
    ///
    /// # Errors
    /// When one cannot be read, or a line is no `name = value`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut file = Self::parse(path, &read_whole(path)?)?;
        for path in drop_ins(path)? {
            let added = Self::parse(&path, &read_whole(&path)?)?;
            let origin = |(name, entry)| (name, Entry { file: Some(path.clone()), ..entry });
            file.entries.extend(added.entries.into_iter().map(origin));
            file.warnings.extend(added.warnings);
        }
        Ok(file)
    }

    /// Parses a text; `path` is for messages.
    ///
    /// # Errors
    /// When a line is no `name = value`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let mut file = Self::default();
        for line in LogicalLines::new(text) {
            if line.is_orphan() {
                file.warnings.push(line.orphan_warning(&path.display().to_string()));
                continue;
            }
            let (name, value) = split(&line.text).map_err(|problem| Error::MainCf {
                path: path.to_owned(),
                line: line.first,
                problem,
                text: line.text.clone(),
            })?;
            let entry = Entry { value: value.to_owned(), line: line.first, file: None };
            let earlier = file.entries.insert(name.to_owned(), entry);
            if let Some(earlier) = earlier.filter(|earlier| earlier.value != value) {
                let place = format!("{}, line {}", path.display(), line.first);
                file.warnings.push(format!("{place}: overriding earlier entry: {name}={}", earlier.value));
            }
        }
        Ok(file)
    }

    /// The entry of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// All names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// What is odd but harmless.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Splits `name = value`, with the white space around both removed.
///
/// # Errors
/// What is missing.
pub fn split(text: &str) -> Result<(&str, &str), &'static str> {
    let text = text.trim_matches(is_space);
    let end = text.find(|c: char| is_space(c) || c == '=').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return Err("missing attribute name");
    }
    let Some(value) = rest.trim_start_matches(is_space).strip_prefix('=') else {
        return Err("missing '=' after attribute name");
    };
    Ok((name, value.trim_matches(is_space)))
}

/// Reads a file whole, again while somebody is writing it.
pub(crate) fn read_whole(path: &Path) -> Result<String, Error> {
    let open = |source| Error::Open { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    for _ in 0..MAX_READS {
        let mut file = File::open(path).map_err(open)?;
        let before = file.metadata().map_err(open)?;
        bytes.clear();
        // One byte more than there is, so that the first read sees the end.
        bytes.reserve(usize::try_from(before.size().min(MAX_SIZE)).unwrap_or(0) + 1);
        file.by_ref().take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(open)?;
        let after = file.metadata().map_err(open)?;
        let stamp = |m: &std::fs::Metadata| (m.size(), m.mtime(), m.mtime_nsec(), m.ino());
        let whole = !after.is_file() || bytes.len() as u64 == after.size();
        if whole && stamp(&before) == stamp(&after) {
            break;
        }
    }
    if bytes.len() as u64 > MAX_SIZE {
        return Err(Error::TooLarge { path: path.to_owned() });
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n' | '\u{b}' | '\u{c}')
}

//! master.cf: the services that master(8) runs.
//!
//! An entry has eight columns and the arguments of its command; `-` stands for a column's default. Arguments in braces
//! are one word. What is wrong is said with file and line, and is fatal.

use crate::drop_in::drop_ins;
use crate::error::Error;
use crate::logical_lines::LogicalLines;
use crate::main_cf;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// The names of the columns, as `postconf -F` has them.
pub const COLUMNS: [&str; 8] =
    ["service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"];

/// How a service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A TCP port.
    Inet,
    /// A stream socket below the queue directory.
    Unix,
    /// A named pipe.
    Fifo,
    /// A socket over which connections are handed.
    Pass,
    /// A datagram socket.
    UnixDgram,
}

/// When a service is woken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// How often.
    pub every: Duration,
    /// Whether only after its first use, as a `?` says.
    pub if_used: bool,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the columns of the file")]
pub struct Entry {
    /// The name: of a socket, or `port` or `host:port`.
    pub name: String,
    /// How it is reached.
    pub kind: Kind,
    /// Whether only the mail system may reach it.
    pub private: bool,
    /// Whether it runs as `mail_owner`.
    pub unprivileged: bool,
    /// Whether its root directory is the queue directory.
    pub chroot: bool,
    /// When it is woken up, if at all.
    pub wakeup: Option<Wakeup>,
    /// How many sessions it serves at once; none means any number.
    pub max_processes: Option<u32>,
    /// The program, in `daemon_directory`.
    pub command: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The line on which the entry ends.
    pub line: usize,
}

/// What `-` stands for, as far as main.cf decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Whether services have the queue directory as root, as below compatibility level 1.
    pub chroot: bool,
    /// `default_process_limit`.
    pub max_processes: u32,
}

/// The services of a master.cf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MasterCf {
    /// The entries, in the order of the file; of two with the same name and type, the last.
    pub entries: Vec<Entry>,
    /// What is odd but harmless.
    pub warnings: Vec<String>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { chroot: false, max_processes: 100 }
    }
}

impl Kind {
    /// The type of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "inet" => Some(Self::Inet),
            "unix" => Some(Self::Unix),
            "fifo" => Some(Self::Fifo),
            "pass" => Some(Self::Pass),
            "unix-dgram" => Some(Self::UnixDgram),
            _ => None,
        }
    }

    /// The name in master.cf.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Unix => "unix",
            Self::Fifo => "fifo",
            Self::Pass => "pass",
            Self::UnixDgram => "unix-dgram",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl MasterCf {
    /// Reads and parses the file, and those that add to it.
    ///
    /// # Errors
    /// When one cannot be read, or an entry makes no sense.
    pub fn read(path: &Path, defaults: Defaults) -> Result<Self, Error> {
        let mut file = Self::parse(path, &main_cf::read_whole(path)?, defaults)?;
        for path in drop_ins(path)? {
            let added = Self::parse(&path, &main_cf::read_whole(&path)?, defaults)?;
            for entry in added.entries {
                match file.place(&entry) {
                    Some(known) => *known = entry,
                    None => file.entries.push(entry),
                }
            }
            file.warnings.extend(added.warnings);
        }
        Ok(file)
    }

    /// Parses a text; `path` is for messages.
    ///
    /// # Errors
    /// When an entry makes no sense.
    pub fn parse(path: &Path, text: &str, defaults: Defaults) -> Result<Self, Error> {
        let mut file = Self::default();
        for line in LogicalLines::new(text) {
            if line.is_orphan() {
                file.warnings.push(line.orphan_warning(&path.display().to_string()));
                continue;
            }
            let mut entry = Entry::parse(&line.text, defaults).map_err(|problem| Error::MasterCf {
                path: path.to_owned(),
                line: line.first,
                problem,
            })?;
            entry.line = line.first;
            file.add(entry);
        }
        Ok(file)
    }

    fn add(&mut self, entry: Entry) {
        match self.place(&entry) {
            Some(known) => {
                let place = match (entry.kind, entry.private) {
                    (Kind::Inet, _) => "",
                    (Kind::Unix | Kind::Fifo | Kind::Pass | Kind::UnixDgram, true) => "private/",
                    (Kind::Unix | Kind::Fifo | Kind::Pass | Kind::UnixDgram, false) => "public/",
                };
                let name = &entry.name;
                let warning =
                    format!("duplicate master.cf entry for service \"{name}\" ({place}{name}) -- using the last entry");
                *known = entry;
                self.warnings.push(warning);
            }
            None => self.entries.push(entry),
        }
    }

    /// The entry that another one replaces.
    fn place(&mut self, entry: &Entry) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|known| known.name == entry.name && known.kind == entry.kind)
    }

    /// The service of this name and type.
    #[must_use]
    pub fn find(&self, name: &str, kind: Kind) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name && entry.kind == kind)
    }
}

impl Entry {
    /// Parses a logical line.
    ///
    /// # Errors
    /// What is wrong with it, for use behind file and line.
    pub fn parse(line: &str, defaults: Defaults) -> Result<Self, String> {
        let mut columns = Columns { words: words(line).into_iter() };
        let name = columns.text("service name")?;
        let kind = columns.text("transport type")?;
        let kind = Kind::from_name(&kind).ok_or_else(|| format!("bad transport type: {kind}"))?;
        let private = columns.yes_or_no("private", true)?;
        if kind == Kind::Inet && private {
            return Err("inet service cannot be private".to_owned());
        }
        let unprivileged = columns.yes_or_no("unprivileged", true)?;
        let chroot = columns.yes_or_no("chroot", defaults.chroot)?;
        let wakeup = columns.wakeup()?;
        let max_processes = match columns.number("max_proc", defaults.max_processes)? {
            0 => None,
            limit => Some(limit),
        };
        let command = columns.text("command")?;
        let arguments = columns.words.map(|word| unbrace(&word)).collect::<Result<_, _>>()?;
        Ok(Self { name, kind, private, unprivileged, chroot, wakeup, max_processes, command, arguments, line: 0 })
    }

    /// The `-o name=value` pairs among the arguments.
    ///
    /// # Errors
    /// The argument that is no such pair.
    pub fn overrides(&self) -> Result<Vec<(String, String)>, String> {
        overrides(&self.arguments)
    }
}

/// The `-o name=value` pairs among the arguments of a command; the others are passed over.
///
/// # Errors
/// The argument that is no such pair, with what is wrong.
pub fn overrides(arguments: &[String]) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(option) = argument.strip_prefix("-o") else {
            continue;
        };
        let pair = match option {
            "" => rest.next().map_or("", String::as_str),
            glued => glued,
        };
        let (name, value) = main_cf::split(pair).map_err(|problem| format!("-o option: {problem}: \"{pair}\""))?;
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// The words of a logical line, braces and all. Wherever a brace opens, the word goes on to where it closes.
#[must_use]
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut depth = 0_usize;
    for character in line.chars() {
        match character {
            ' ' | '\t' | '\r' | '\n' if depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        word.push(character);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// A word without the braces around it.
fn unbrace(word: &str) -> Result<String, String> {
    let Some(inner) = word.strip_prefix('{') else {
        return Ok(word.to_owned());
    };
    let mut depth = 1_usize;
    for (place, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (inner, rest) = inner.split_at(place);
            if rest.len() > 1 {
                return Err(format!("syntax error after '}}' in \"{word}\""));
            }
            return Ok(inner.trim().to_owned());
        }
    }
    Err(format!("missing '}}' in \"{word}\""))
}

struct Columns {
    words: std::vec::IntoIter<String>,
}

impl Columns {
    fn word(&mut self, column: &str) -> Result<String, String> {
        self.words.next().ok_or_else(|| format!("missing \"{column}\" field"))
    }

    fn text(&mut self, column: &str) -> Result<String, String> {
        match self.word(column)? {
            word if word == "-" => Err(format!("field \"{column}\" has no default value")),
            word => Ok(word),
        }
    }

    fn yes_or_no(&mut self, column: &str, default: bool) -> Result<bool, String> {
        match self.word(column)?.as_str() {
            "-" => Ok(default),
            "y" => Ok(true),
            "n" => Ok(false),
            word => Err(bad_value(column, word)),
        }
    }

    fn number(&mut self, column: &str, default: u32) -> Result<u32, String> {
        match self.word(column)?.as_str() {
            "-" => Ok(default),
            word => number(column, word),
        }
    }

    fn wakeup(&mut self) -> Result<Option<Wakeup>, String> {
        const COLUMN: &str = "wakeup_time";
        let word = self.word(COLUMN)?;
        let (digits, if_used) = match word.strip_suffix('?') {
            Some(digits) => (digits, true),
            None => (word.as_str(), false),
        };
        let bad = |_| bad_value(COLUMN, &word);
        let seconds = if digits == "-" { 0 } else { number(COLUMN, digits).map_err(bad)? };
        let every = Duration::from_secs(u64::from(seconds));
        Ok((seconds > 0).then_some(Wakeup { every, if_used }))
    }
}

fn bad_value(column: &str, word: &str) -> String {
    format!("field \"{column}\": bad value: \"{word}\"")
}

fn number(column: &str, word: &str) -> Result<u32, String> {
    let bad = || bad_value(column, word);
    if !word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    word.parse().ok().filter(|number| i32::try_from(*number).is_ok()).ok_or_else(bad)
}

#[cfg(test)]
mod tests;

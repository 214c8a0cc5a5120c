//! The command line of master.

use crate::Fatal;
use std::path::PathBuf;
use std::time::Duration;

/// How master runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As a daemon.
    Usual,
    /// `-s`: standard output stays, for a log that goes there.
    Foreground,
    /// `-i`: as process 1 of a container.
    Init,
    /// `-d`: standard streams and terminal stay.
    Debug,
    /// `-t`: only says whether master runs.
    Test,
}

/// The options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// What is asked for.
    pub(crate) mode: Mode,
    /// `-c`.
    pub(crate) directory: Option<PathBuf>,
    /// `-e`: when to end.
    pub(crate) end_after: Option<Duration>,
    /// `-w`: a process in front waits for the beginning.
    pub(crate) wait: bool,
    /// `-v`, counted.
    pub(crate) verbose: u8,
}

impl Options {
    /// Parses the words after the program's name.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, Fatal> {
        let mut found = Self { mode: Mode::Usual, directory: None, end_after: None, wait: false, verbose: 0 };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty()).ok_or_else(usage)?;
            for (at, letter) in letters.char_indices() {
                if matches!(letter, 'c' | 'e') {
                    let attached = letters.get(at + 1..).filter(|attached| !attached.is_empty());
                    let value = attached.map(str::to_owned).or_else(|| words.next()).ok_or_else(usage)?;
                    found.set(letter, &value)?;
                    break;
                }
                found.flag(letter)?;
            }
        }
        if found.mode == Mode::Init && std::process::id() != 1 {
            return Err(Fatal::new("-i is allowed only for PID 1 process"));
        }
        if found.wait && found.mode != Mode::Usual {
            return Err(Fatal::new("the -w option does not go with -d, -i, -s or -t"));
        }
        Ok(found)
    }

    fn set(&mut self, letter: char, value: &str) -> Result<(), Fatal> {
        if letter == 'c' {
            self.directory = Some(value.into());
        } else {
            let seconds = value.parse().map_err(|_| usage())?;
            self.end_after = Some(Duration::from_secs(seconds));
        }
        Ok(())
    }

    fn flag(&mut self, letter: char) -> Result<(), Fatal> {
        match letter {
            's' => self.mode = Mode::Foreground,
            'i' => self.mode = Mode::Init,
            'd' => self.mode = Mode::Debug,
            't' => self.mode = Mode::Test,
            'w' => self.wait = true,
            'v' => self.verbose = self.verbose.saturating_add(1),
            // Debuggers attach by themselves.
            'D' => {}
            _ => return Err(usage()),
        }
        Ok(())
    }
}

fn usage() -> Fatal {
    Fatal::new(
        "usage: master [-c config_dir] [-D (debug)] [-d (don't detach)] [-e exit_time] [-i (PID 1)] [-s (stdout)] [-t (test)] [-v] [-w (wait for initialization)]",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, Fatal> {
        Options::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_understood() {
        let found = parse("-w -v -vc /etc/x -e 60").unwrap();
        assert_eq!(found.directory, Some("/etc/x".into()));
        assert_eq!((found.mode, found.wait, found.verbose), (Mode::Usual, true, 2));
        assert_eq!(found.end_after, Some(Duration::from_secs(60)));
        assert_eq!(parse("-t").unwrap().mode, Mode::Test);
    }

    #[test]
    fn wrong_options_are_refused() {
        for text in ["-x", "operand", "-c", "-e soon", "-i", "-w -s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

//! The command line: single letters, some with a value, then operands.

use crate::screen::{Fatal, fatal};
use std::collections::BTreeSet;

const USAGE: &str = "usage: postconf [-a (server SASL types)] [-A (client SASL types)] \
    [-b (bounce templates)] [-c config_dir] [-C param_class] [-d (parameter defaults)] \
    [-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] [-h (no names)] \
    [-H (no values)] [-j (JSON output)] [-l (lock types)] [-m (map types)] [-M (master.cf)] \
    [-n (non-default parameters)] [-o name=value (override parameter value)] [-p (main.cf, default)] \
    [-P (master.cf parameters)] [-q (quiet)] [-t (bounce templates)] \
    [-T compile-version|run-version|public-key-algorithms] [-v (verbose)] \
    [-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]";

/// All letters, in the order of messages.
const LETTERS: &str = "aAbcCdefFhHjlmMnopPqtTvxX#";
/// Letters that list what there is, whatever the configuration says.
const LISTS: &str = "aAblmtT";

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// main.cf.
    Main,
    /// Entries of master.cf.
    Entries,
    /// Fields of its entries.
    Fields,
    /// Parameters of its entries.
    Parameters,
    /// Kinds of SASL servers.
    Server,
    /// Kinds of SASL clients.
    Client,
    /// Ways to lock a mailbox.
    Locks,
    /// Types of tables.
    Tables,
    /// The TLS library.
    Tls,
    /// Texts of notices.
    Texts,
    /// Templates of notices.
    Templates,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing is changed.
    Show,
    /// Values are set.
    Edit,
    /// Entries are removed.
    Remove,
    /// Entries become comments.
    Comment,
}

impl Mode {
    /// What is for `-M`, `-F` or `-P`.
    pub(crate) fn of_services(self, [entries, fields, parameters]: [&'static str; 3]) -> &'static str {
        if self == Self::Fields {
            fields
        } else if self == Self::Parameters {
            parameters
        } else {
            entries
        }
    }
}

/// A parsed command line.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) action: Action,
    letters: BTreeSet<char>,
    /// `-PP`: also the parameters that services do not set.
    pub(crate) inherits: bool,
    pub(crate) config_directory: Option<String>,
    pub(crate) classes: Vec<String>,
    pub(crate) overrides: Vec<(String, String)>,
    pub(crate) tls_mode: String,
    pub(crate) operands: Vec<String>,
}

impl Options {
    /// Parses a command line without the name of the program.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Fatal> {
        let mut options = Self {
            mode: Mode::Main,
            action: Action::Show,
            letters: BTreeSet::new(),
            inherits: false,
            config_directory: None,
            classes: Vec::new(),
            overrides: Vec::new(),
            tls_mode: String::new(),
            operands: Vec::new(),
        };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            match argument.strip_prefix('-') {
                Some("-") => break,
                Some(letters) if !letters.is_empty() && options.operands.is_empty() => {
                    options.letters(letters, &mut arguments)?;
                }
                _ => {
                    options.operands.push(argument);
                    break;
                }
            }
        }
        options.operands.extend(arguments);
        options.settle()?;
        Ok(options)
    }

    /// Whether a letter was given.
    pub(crate) fn has(&self, letter: char) -> bool {
        self.letters.contains(&letter)
    }

    fn letters(&mut self, letters: &str, more: &mut impl Iterator<Item = String>) -> Result<(), Fatal> {
        let mut rest = letters.chars();
        while let Some(letter) = rest.next() {
            match letter {
                'c' | 'C' | 'o' | 'T' => {
                    let glued = rest.as_str().to_owned();
                    let value = if glued.is_empty() { more.next() } else { Some(glued) };
                    let Some(value) = value else {
                        return Err(Fatal(format!("option requires an argument -- '{letter}'\nfatal: {USAGE}")));
                    };
                    self.letters.insert(letter);
                    return self.value(letter, value);
                }
                _ if "aAbdeFfHhjlmMnpPqtvxX#".contains(letter) => {
                    let is_new = self.letters.insert(letter);
                    self.inherits |= letter == 'P' && !is_new;
                }
                _ => {
                    return Err(Fatal(format!("invalid option -- '{letter}'\nfatal: {USAGE}")));
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, letter: char, value: String) -> Result<(), Fatal> {
        match letter {
            'c' => self.config_directory = Some(value),
            'T' => self.tls_mode = value,
            'C' => {
                for class in value.split([',', ' ']).filter(|class| !class.is_empty()) {
                    if !["builtin", "service", "user", "all"].contains(&class) {
                        return fatal(format!("unknown -C option value \"{class}\" in \"{value}\""));
                    }
                    self.classes.push(class.to_owned());
                }
            }
            _ => match config::split(&value) {
                Ok((name, text)) => self.overrides.push((name.to_owned(), text.to_owned())),
                Err(problem) => {
                    return fatal(format!("invalid parameter override: {value}: {problem}"));
                }
            },
        }
        Ok(())
    }

    /// Finds out what is to be done, and refuses what does not go together.
    fn settle(&mut self) -> Result<(), Fatal> {
        if self.has('b') && self.has('t') {
            return fatal("specify one of -b and -t");
        }
        self.one_of("aAbFlmMpPtT")?;
        // The first operand decides.
        let assigns = self.operands.first().is_some_and(|operand| operand.contains('='));
        if assigns && !LISTS.chars().any(|list| self.has(list)) {
            self.letters.insert('e');
        }
        self.mode_and_action();
        if !LISTS.chars().any(|list| self.has(list)) {
            for exclusive in ["denX#", "efX#", "exX#", "eoX#", "ehHjX#", "do"] {
                self.one_of(exclusive)?;
            }
        }
        self.compatible()
    }

    fn mode_and_action(&mut self) {
        const MODES: [(char, Mode); 10] = [
            ('M', Mode::Entries),
            ('F', Mode::Fields),
            ('P', Mode::Parameters),
            ('a', Mode::Server),
            ('A', Mode::Client),
            ('l', Mode::Locks),
            ('m', Mode::Tables),
            ('T', Mode::Tls),
            ('b', Mode::Texts),
            ('t', Mode::Templates),
        ];
        let mode = MODES.iter().find(|(letter, _)| self.has(*letter));
        self.mode = mode.map_or(Mode::Main, |(_, mode)| *mode);
        const ACTIONS: [(char, Action); 3] = [('e', Action::Edit), ('X', Action::Remove), ('#', Action::Comment)];
        let action = ACTIONS.iter().find(|(letter, _)| self.has(*letter));
        self.action = action.map_or(Action::Show, |(_, action)| *action);
    }

    fn compatible(&self) -> Result<(), Fatal> {
        let refused = match self.mode {
            Mode::Entries => "dhHn",
            Mode::Fields => "dnX#",
            Mode::Parameters => "dn#",
            Mode::Main => "",
            Mode::Server | Mode::Client | Mode::Locks | Mode::Tables => "defhHjnoxX#",
            Mode::Tls | Mode::Texts | Mode::Templates => "defhHjnoxX#",
        };
        let mode = "FMPaAbltmT".chars().find(|letter| self.has(*letter)).unwrap_or('p');
        if let Some(letter) = refused.chars().find(|letter| self.has(*letter)) {
            return fatal(format!("with option -{mode}, do not specify -{letter}"));
        }
        match (self.action, self.operands.is_empty()) {
            (Action::Edit, true) => fatal("-e requires name=value argument"),
            (Action::Remove, true) => fatal("missing service argument"),
            (Action::Comment, true) => fatal("missing service argument"),
            _ => Ok(()),
        }
    }

    /// Refuses more than one of some letters.
    fn one_of(&self, exclusive: &str) -> Result<(), Fatal> {
        let given = LETTERS.chars().filter(|letter| exclusive.contains(*letter) && self.has(*letter));
        let given: Vec<_> = given.map(|letter| format!(" -{letter}")).collect();
        if given.len() > 1 { fatal(format!("specify one of{}", given.concat())) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned)).map_err(|fatal| fatal.0)
    }

    #[test]
    fn letters_and_values_are_told_apart() {
        let options = parse("-nhc/etc/x -C user,builtin -o a=b always_bcc").unwrap();
        assert!(options.has('n') && options.has('h') && !options.has('e'));
        assert_eq!(options.config_directory.as_deref(), Some("/etc/x"));
        assert_eq!(options.classes, ["user", "builtin"]);
        assert_eq!(options.overrides, [("a".to_owned(), "b".to_owned())]);
        assert_eq!(options.operands, ["always_bcc"]);
        assert_eq!(parse("a=b").unwrap().action, Action::Edit);
        assert_eq!(parse("-MX a/b").unwrap().mode, Mode::Entries);
    }

    #[test]
    fn nonsense_is_refused() {
        let table = [
            ("-M -F", "specify one of -F -M"),
            ("-d -n", "specify one of -d -n"),
            ("-h -H", "specify one of -h -H"),
            ("-X a=b", "specify one of -e -X"),
            ("-# a=b", "specify one of -e -#"),
            ("-e -M", "-e requires name=value argument"),
            ("-F# a", "with option -F, do not specify -#"),
            ("-d a=b", "specify one of -d -e"),
            ("-hH a=b", "specify one of -e -h -H"),
            ("-f -X a", "specify one of -f -X"),
            ("-a -x", "with option -a, do not specify -x"),
            ("-b -t", "specify one of -b and -t"),
            ("-C nope", "unknown -C option value \"nope\" in \"nope\""),
            ("-o foo x", "invalid parameter override: foo: missing '=' after attribute name"),
        ];
        for (line, expected) in table {
            assert_eq!(parse(line).unwrap_err(), format!("fatal: {expected}"), "{line}");
        }
        assert!(parse("-Z").unwrap_err().starts_with("invalid option -- 'Z'\nfatal: usage: postconf "));
    }
}

//! What the command line asks for.

use command::{Fatal, Options};
use std::path::Path;

/// The options.
pub(crate) const LETTERS: &str = "ae:g:i:G:I:lpRvx";
/// What is said of wrong ones.
pub(crate) const USAGE: &str = "Usage:postmulti -l [-v] [-a] [-g group] [-i instance] | \
    postmulti -p [-v] [-a] [-g group] [-i instance] command... | \
    postmulti -x [-v] [-a] [-i name] [-g group] command... | \
    postmulti -e action [-v] [-a] [-i name] [-g group] [-I name] [-G group] [param=value ...]";
/// How every name of an instance starts.
const PREFIX: &str = "postfix-";
/// What names and groups may have besides letters and digits.
const SAFE: &str = "!@%-_=+:./";

/// What to do, and for which instances.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) task: Task,
    pub(crate) selection: Selection,
    pub(crate) reverse: bool,
    pub(crate) verbose: bool,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    List,
    Postfix(Vec<String>),
    Command(Vec<String>),
    Edit(Change),
}

/// Which instances are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All, without a word.
    Default,
    /// All, by `-a`.
    All,
    Group(String),
    Name(String),
}

/// A change to one instance.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) action: Action,
    /// `-I`; `-` for none.
    pub(crate) name: Option<String>,
    /// `-G`; `-` for none.
    pub(crate) group: Option<String>,
    /// The directories that operands name.
    pub(crate) directories: Vec<(String, String)>,
}

/// The changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Destroy,
    Import,
    Deport,
    Enable,
    Disable,
    Assign,
    Init,
}

impl Action {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "create" => Self::Create,
            "destroy" => Self::Destroy,
            "import" => Self::Import,
            "deport" => Self::Deport,
            "enable" => Self::Enable,
            "disable" => Self::Disable,
            "assign" => Self::Assign,
            "init" => Self::Init,
            _ => return None,
        })
    }

    /// Whether it makes an instance ours that was not.
    pub(crate) fn adds(self) -> bool {
        matches!(self, Self::Create | Self::Import)
    }

    /// The parameters that its operands may set.
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Create => &["config_directory", "queue_directory", "data_directory"],
            Self::Import => &["config_directory"],
            Self::Destroy | Self::Deport | Self::Enable | Self::Disable | Self::Assign | Self::Init => &[],
        }
    }
}

fn fatal<T>(reason: impl Into<String>) -> Result<T, Fatal> {
    Err(Fatal::new(reason))
}

impl Request {
    /// What the options say.
    pub(crate) fn of(options: &Options) -> Result<Self, Fatal> {
        for letter in ['G', 'I'] {
            if options.count(letter) > 1 {
                return fatal(format!("Specify at most one '-{letter}' option"));
            }
        }
        if options.count('a') + options.count('g') + options.count('i') > 1 {
            return fatal("Specity no more than one of '-a', '-g', '-i'");
        }
        if options.count('e') + options.count('l') + options.count('p') + options.count('x') != 1 {
            return fatal("Specify exactly one of '-e', '-l', '-p', '-x'");
        }
        let selection = match (options.value('g'), options.value('i')) {
            (Some(group), _) => Selection::Group(group.to_owned()),
            (None, Some(name)) => Selection::Name(name.to_owned()),
            (None, None) if options.has('a') => Selection::All,
            (None, None) => Selection::Default,
        };
        let task = task(options, &selection)?;
        Ok(Self { task, selection, reverse: options.has('R'), verbose: options.has('v') })
    }
}

fn task(options: &Options, selection: &Selection) -> Result<Task, Fatal> {
    let words = &options.operands;
    if options.has('R') && (options.has('p') || options.has('e')) {
        return fatal("The '-p' and '-e' options preclude the use of '-R'");
    }
    if let Some(action) = options.value('e') {
        return Ok(Task::Edit(change(action, options, selection)?));
    }
    if options.has('G') || options.has('I') {
        return fatal("Cannot assign instance name or group without '-e assign'");
    }
    match (options.has('l'), options.has('p')) {
        (true, _) if words.is_empty() => Ok(Task::List),
        (true, _) => fatal("Command not allowed with '-l'"),
        (false, _) if words.is_empty() => fatal("Command required with '-p' or '-x' option"),
        (false, true) => Ok(Task::Postfix(words.clone())),
        (false, false) => Ok(Task::Command(words.clone())),
    }
}

fn change(name: &str, options: &Options, selection: &Selection) -> Result<Change, Fatal> {
    let Some(action) = Action::named(name) else {
        return fatal(format!(
            "Invalid '-e' edit action '{name}'. Specify 'create', 'destroy', 'import', 'deport', 'enable', 'disable', \
             'assign' or 'init'"
        ));
    };
    let names = options.has('I') || options.has('G');
    if names && !action.adds() && action != Action::Assign {
        return fatal(format!("Cannot assign instance name or group with '-e {name}'"));
    }
    if !action.adds() && !options.operands.is_empty() {
        return fatal(format!("Parameter overrides not valid with '-e {name}'"));
    }
    let directories = directories(name, action, &options.operands)?;
    if !action.adds() && action != Action::Init && !matches!(selection, Selection::Name(_)) {
        return fatal("Select an instance via '-i name'");
    }
    if action == Action::Assign && !names {
        return fatal("Specify new instance name or group with '-e assign'");
    }
    let own = |letter| options.value(letter).filter(|value| !value.is_empty()).map(str::to_owned);
    let change = Change { action, name: own('I'), group: own('G'), directories };
    change.check_names()?;
    Ok(change)
}

impl Change {
    fn check_names(&self) -> Result<(), Fatal> {
        if let Some(name) = self.name.as_deref().filter(|name| *name != "-") {
            if !is_safe(name) {
                return fatal(format!("Unsafe characters in new instance name: '{name}'"));
            }
            if name.contains('/') {
                return fatal(format!("Illegal '/' character in new instance name: '{name}'"));
            }
            if !name.starts_with(PREFIX) {
                return fatal(format!("New instance name must start with '{PREFIX}'"));
            }
        }
        match self.group.as_deref().filter(|group| *group != "-" && !is_safe(group)) {
            Some(group) => fatal(format!("Unsafe characters in '-G {group}'")),
            None => Ok(()),
        }
    }

    /// The directory that an operand names.
    pub(crate) fn directory(&self, parameter: &str) -> Option<&str> {
        self.directories.iter().rev().find(|(name, _)| name == parameter).map(|(_, value)| value.as_str())
    }
}

fn is_safe(text: &str) -> bool {
    text.chars().all(|character| character.is_ascii_alphanumeric() || SAFE.contains(character))
}

fn directories(name: &str, action: Action, words: &[String]) -> Result<Vec<(String, String)>, Fatal> {
    let mut directories = Vec::with_capacity(words.len());
    for word in words {
        let Ok((parameter, value)) = config::split(word) else {
            return fatal(format!("Malformed parameter setting '{word}'"));
        };
        if !action.parameters().contains(&parameter) {
            return fatal(format!("Parameter '{parameter}' not valid with action {name}"));
        }
        if !value.starts_with('/') {
            return fatal(format!("Parameter setting '{parameter}' is not an absolute path"));
        }
        let value = value.trim_end_matches('/');
        if value.is_empty() {
            return fatal(format!("Parameter setting '{parameter}' is the root directory"));
        }
        if !is_safe(value) || Path::new(value).components().any(|part| part.as_os_str() == "..") {
            return fatal(format!("Malformed parameter setting '{word}'"));
        }
        directories.push((parameter.to_owned(), value.to_owned()));
    }
    Ok(directories)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Result<Request, String> {
        let words: Vec<String> = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let options = Options::parse(LETTERS, &words).unwrap();
        Request::of(&options).map_err(|fatal| fatal.to_string())
    }

    #[test]
    fn tasks_are_understood() {
        let listed = request("-Rlg out").unwrap();
        assert_eq!((listed.task, listed.reverse), (Task::List, true));
        assert_eq!(listed.selection, Selection::Group("out".to_owned()));
        let started = request("-p -- start").unwrap();
        assert_eq!((started.task, started.selection), (Task::Postfix(vec!["start".to_owned()]), Selection::Default));
        let created = request("-e create -I postfix-a -G - config_directory=/a/b/ queue_directory=/q").unwrap();
        let Task::Edit(change) = created.task else { panic!("no change") };
        assert_eq!((change.name.as_deref(), change.group.as_deref()), (Some("postfix-a"), Some("-")));
        assert_eq!(change.directory("config_directory"), Some("/a/b"));
        assert_eq!(change.directory("data_directory"), None);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let table = [
            ("", "Specify exactly one of '-e', '-l', '-p', '-x'"),
            ("-l -x foo", "Specify exactly one of '-e', '-l', '-p', '-x'"),
            ("-l foo", "Command not allowed with '-l'"),
            ("-p", "Command required with '-p' or '-x' option"),
            ("-R -p status", "The '-p' and '-e' options preclude the use of '-R'"),
            ("-G x -l", "Cannot assign instance name or group without '-e assign'"),
            ("-G x -G y -l", "Specify at most one '-G' option"),
            ("-l -a -i x", "Specity no more than one of '-a', '-g', '-i'"),
            ("-e enable", "Select an instance via '-i name'"),
            ("-e enable -g h", "Select an instance via '-i name'"),
            ("-e assign -i -", "Specify new instance name or group with '-e assign'"),
            ("-e create -I foo", "New instance name must start with 'postfix-'"),
            ("-e create -I postfix/z", "Illegal '/' character in new instance name: 'postfix/z'"),
            ("-e create -I postfix~", "Unsafe characters in new instance name: 'postfix~'"),
            ("-e create -G g*", "Unsafe characters in '-G g*'"),
            ("-e init foo", "Parameter overrides not valid with '-e init'"),
            ("-e init -I x", "Cannot assign instance name or group with '-e init'"),
            ("-e enable -i a foo=bar", "Parameter overrides not valid with '-e enable'"),
            ("-e create foo=bar", "Parameter 'foo' not valid with action create"),
            ("-e import queue_directory=/x", "Parameter 'queue_directory' not valid with action import"),
            ("-e create queue_directory=bar", "Parameter setting 'queue_directory' is not an absolute path"),
            ("-e create queue_directory=/", "Parameter setting 'queue_directory' is the root directory"),
            ("-e create queue_directory", "Malformed parameter setting 'queue_directory'"),
        ];
        for (line, reason) in table {
            assert_eq!(request(line).unwrap_err(), reason, "{line}");
        }
        assert!(request("-e bogus").unwrap_err().starts_with("Invalid '-e' edit action 'bogus'. Specify 'create', "));
    }
}

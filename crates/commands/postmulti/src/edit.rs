//! `-e`: adds, removes, names and enables instances.
//!
//! Every change to a main.cf is one run of postconf(1), which keeps comments, owner and permissions.

use crate::instance::{Instance, Instances};
use crate::iterate::{finish, finish_silently, prepare};
use crate::request::{Action, Change, Request, Selection};
use command::{Context, Fatal};
use config::QUEUE_DIRECTORIES;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The configuration that is shipped, for where there are no files to copy.
const MAIN_CF: &str = include_str!("../../../../main.cf");
const MASTER_CF: &str = include_str!("../../../../master.cf");
/// What all instances have of the primary one, where its main.cf says it.
const SHARED: [&str; 13] = [
    "command_directory",
    "daemon_directory",
    "meta_directory",
    "mail_owner",
    "setgid_group",
    "sendmail_path",
    "mailq_path",
    "newaliases_path",
    "html_directory",
    "manpage_directory",
    "sample_directory",
    "readme_directory",
    "shlib_directory",
];
/// The other directories of a queue.
const OTHER_QUEUES: [&str; 3] = ["maildrop", "pid", "public"];

/// Changes an instance.
pub(crate) fn edit(
    context: &Context,
    mut instances: Instances,
    request: &Request,
    change: &Change,
) -> Result<ExitCode, Fatal> {
    if change.action == Action::Init {
        let set = ["multi_instance_wrapper = ${command_directory}/postmulti -p --", "multi_instance_enable = yes"];
        let main = Main { instances: &instances, request };
        main.set(&instances.primary, &set.map(str::to_owned))?;
        return Ok(ExitCode::SUCCESS);
    }
    let target = if change.action.adds() {
        let place = instances.place(&request.selection)?;
        let new = newcomer(&instances, change)?;
        instances.check(&new)?;
        instances.secondary.insert(place, new.clone());
        new
    } else {
        let found = instances.selected(&request.selection, false).first().map(|found| (*found).clone());
        let found = found.ok_or_else(|| Fatal::new(format!("No instance named {}", selected(request))))?;
        may_change(&instances, &found, change)?;
        found
    };
    let tag = format!("{}/postmulti-script", instances.params.identity.syslog_name);
    context.log.rename(&tag);
    is_ready(&instances)?;
    let main = Main { instances: &instances, request };
    match change.action {
        Action::Create | Action::Import => main.add(&target, change),
        Action::Deport => main.deport(&target),
        Action::Destroy => main.destroy(&target),
        Action::Enable => main.set(&target, &["multi_instance_enable = yes".to_owned()]),
        Action::Disable => main.set(&target, &["multi_instance_enable = no".to_owned()]),
        Action::Assign => main.assign(&target, change),
        Action::Init => Ok(()),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn selected(request: &Request) -> &str {
    match &request.selection {
        Selection::Name(name) | Selection::Group(name) => name,
        Selection::Default | Selection::All => "-",
    }
}

fn may_change(instances: &Instances, target: &Instance, change: &Change) -> Result<(), Fatal> {
    let removes = matches!(change.action, Action::Deport | Action::Destroy);
    if removes && instances.is_primary(target) {
        return Err(Fatal::new("Cannot remove the primary instance"));
    }
    if removes && target.enabled {
        return Err(Fatal::new("Cannot remove enabled instances"));
    }
    Ok(())
}

/// Nothing changes before `-e init`.
fn is_ready(instances: &Instances) -> Result<(), Fatal> {
    let identity = &instances.params.identity;
    if identity.multi_instance_wrapper.is_empty() {
        return Err(Fatal::new("multi_instance_wrapper is empty, run 'postmulti -e init' first."));
    }
    if !identity.multi_instance_enable {
        return Err(Fatal::new("multi_instance_enable!=yes, run 'postmulti -e init' first."));
    }
    Ok(())
}

/// The instance that is to be one of ours.
fn newcomer(instances: &Instances, change: &Change) -> Result<Instance, Fatal> {
    let name = change.name.as_deref().filter(|name| *name != "-");
    let primary = &instances.primary;
    let chosen = |parameter: &str, model: &str| {
        let beside = || Some(Path::new(model).with_file_name(name?).to_string_lossy().into_owned());
        let chosen = change.directory(parameter).map(str::to_owned).or_else(beside);
        chosen.ok_or_else(|| Fatal::new(format!("Missing {parameter} parameter value")))
    };
    let directory = chosen("config_directory", &primary.directory)?;
    if let Some(old) = instances.secondary.iter().chain([primary]).find(|old| old.directory == directory) {
        let old = &old.directory;
        return Err(Fatal::new(format!(
            "new config_directory={directory} is already in use by instance {old}, config_directory={old}"
        )));
    }
    let mut new = if change.action == Action::Import || is_complete(&directory) {
        Instance::read(&directory)?
    } else {
        Instance {
            queue_directory: chosen("queue_directory", &primary.queue_directory)?,
            data_directory: chosen("data_directory", &primary.data_directory)?,
            directory,
            name: String::new(),
            group: String::new(),
            enabled: false,
        }
    };
    for (given, place) in [(&change.name, &mut new.name), (&change.group, &mut new.group)] {
        match given.as_deref() {
            Some("-") => place.clear(),
            Some(given) => given.clone_into(place),
            None => {}
        }
    }
    Ok(new)
}

/// Whether a directory has a configuration.
fn is_complete(directory: &str) -> bool {
    ["main.cf", "master.cf"].iter().all(|name| Path::new(directory).join(name).is_file())
}

/// The primary instance, whose main.cf names the others.
struct Main<'a> {
    instances: &'a Instances,
    request: &'a Request,
}

impl Main<'_> {
    fn add(&self, target: &Instance, change: &Change) -> Result<(), Fatal> {
        if !is_complete(&target.directory) {
            for name in ["main.cf", "master.cf"] {
                if change.action == Action::Import && !Path::new(&target.directory).join(name).is_file() {
                    return Err(Fatal::new(format!("'{}' lacks a {name} file", target.directory)));
                }
            }
            self.install(target)?;
        }
        self.assign(target, change)?;
        // Before permissions are set: an instance that is not listed looks after shared files.
        self.list(target, Fate::Listed)?;
        self.succeed("postfix", ["-c", &target.directory, "set-permissions"])
    }

    /// Makes the directories, and main.cf and master.cf; the latter last, as it makes the instance complete.
    fn install(&self, target: &Instance) -> Result<(), Fatal> {
        let directories =
            [(&target.directory, 0o755), (&target.queue_directory, 0o755), (&target.data_directory, 0o700)];
        for (path, mode) in directories {
            make_directory(Path::new(path), mode)?;
        }
        let beside = Path::new(&target.directory).join(".tmp");
        make_directory(&beside, 0o700)?;
        write(&beside.join("main.cf"), &self.template("main.cf", MAIN_CF)?)?;
        write(&beside.join("master.cf"), &self.template("master.cf", MASTER_CF)?)?;
        let (set, unset) = self.shared()?;
        let directory = beside.to_string_lossy();
        let words =
            |option: &str, rest: Vec<String>| [["-c", &directory, option].map(str::to_owned).to_vec(), rest].concat();
        if !unset.is_empty() {
            self.succeed("postconf", words("-#", unset))?;
        }
        let own = [
            format!("queue_directory = {}", target.queue_directory),
            format!("data_directory = {}", target.data_directory),
            "authorized_submit_users =".to_owned(),
            "master_service_disable = inet".to_owned(),
        ];
        self.succeed("postconf", words("-e", [own.to_vec(), set].concat()))?;
        for name in ["main.cf", "master.cf"] {
            let path = Path::new(&target.directory).join(name);
            fs::rename(beside.join(name), &path).map_err(|error| failed("create", &path, &error))?;
        }
        fs::remove_dir(&beside).map_err(|error| failed("remove", &beside, &error))
    }

    /// A file to start from.
    fn template(&self, name: &str, shipped: &str) -> Result<String, Fatal> {
        let path = Path::new(&self.instances.params.layout.meta_directory).join(format!("{name}.proto"));
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(shipped.to_owned()),
            Err(error) => Err(failed("open", &path, &error)),
        }
    }

    /// What the primary main.cf says of shared files, as entries, and the names it says nothing of.
    fn shared(&self) -> Result<(Vec<String>, Vec<String>), Fatal> {
        let source = config::Source::load(Path::new(&self.instances.primary.directory))?;
        let (mut set, mut unset) = (Vec::new(), Vec::new());
        for name in SHARED {
            match source.set(name).filter(|value| !value.is_empty()) {
                Some(value) => set.push(format!("{name} = {value}")),
                None => unset.push(name.to_owned()),
            }
        }
        Ok((set, unset))
    }

    fn assign(&self, target: &Instance, change: &Change) -> Result<(), Fatal> {
        let given = [("multi_instance_name", &change.name), ("multi_instance_group", &change.group)];
        let entry = |(parameter, value): (&str, &Option<String>)| {
            let value = value.as_deref()?;
            Some(format!("{parameter} = {}", if value == "-" { "" } else { value }))
        };
        let entries: Vec<String> = given.into_iter().filter_map(entry).collect();
        if entries.is_empty() { Ok(()) } else { self.set(target, &entries) }
    }

    fn deport(&self, target: &Instance) -> Result<(), Fatal> {
        if Path::new(&target.directory).join("main.cf").is_file() {
            self.refuse_running(target)?;
            return self.list(target, Fate::Alternate);
        }
        self.list(target, Fate::Gone)
    }

    /// Removes what `create` makes, and nothing else.
    fn destroy(&self, target: &Instance) -> Result<(), Fatal> {
        let main_cf = Path::new(&target.directory).join("main.cf");
        if !main_cf.is_file() {
            return Err(Fatal::new(format!("{} file not found", main_cf.display())));
        }
        self.refuse_running(target)?;
        self.list(target, Fate::Gone)?;
        let queue = Path::new(&target.queue_directory);
        for name in QUEUE_DIRECTORIES.iter().chain(&OTHER_QUEUES) {
            remove_directory(&queue.join(name));
        }
        remove_directory(Path::new(&target.data_directory));
        remove_directory(queue);
        for name in ["master.cf", "main.cf"] {
            let path = Path::new(&target.directory).join(name);
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!("remove {}: {}", path.display(), command::said(&error));
            }
        }
        remove_directory(Path::new(&target.directory));
        Ok(())
    }

    fn refuse_running(&self, target: &Instance) -> Result<(), Fatal> {
        let words = ["-c", &target.directory, "status"];
        if finish_silently(prepare(self.instances, self.request, target, &self.path("postfix")).args(words)) {
            return Err(Fatal::new(format!("Instance '{}' is not stopped", target.directory)));
        }
        Ok(())
    }

    /// Writes the two lists of configuration directories.
    fn list(&self, target: &Instance, fate: Fate) -> Result<(), Fatal> {
        let source = config::Source::load(Path::new(&self.instances.primary.directory))?;
        let alternate = source.set("alternate_config_directories").unwrap_or_default();
        let all = self.instances.secondary.iter().map(|instance| instance.directory.as_str());
        let entries = entries(&all.collect::<Vec<_>>(), alternate, &target.directory, fate);
        self.set(&self.instances.primary, &entries)
    }

    /// Sets parameters of an instance.
    fn set(&self, target: &Instance, entries: &[String]) -> Result<(), Fatal> {
        let words = ["-c", &target.directory, "-e"].into_iter();
        self.succeed("postconf", words.chain(entries.iter().map(String::as_str)))
    }

    fn succeed(&self, name: &str, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<(), Fatal> {
        let path = self.path(name);
        if finish(prepare(self.instances, self.request, &self.instances.primary, &path).args(words)) {
            return Ok(());
        }
        Err(Fatal::new(format!("{} failed", path.display())))
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.instances.params.layout.command_directory).join(name)
    }
}

/// What becomes of a configuration directory in the primary main.cf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Listed,
    /// Not managed, but still good for `-c`.
    Alternate,
    Gone,
}

fn entries(all: &[&str], alternate: &str, target: &str, fate: Fate) -> Vec<String> {
    let is_kept = |directory: &&&str| fate == Fate::Listed || **directory != target;
    let managed: Vec<&str> = all.iter().filter(is_kept).copied().collect();
    let mut entries = vec![format!("multi_instance_directories = {}", managed.join(" "))];
    let old: Vec<&str> = alternate.split([' ', '\t', ',', '\n']).filter(|word| !word.is_empty()).collect();
    let mut new: Vec<&str> = old.iter().copied().filter(|word| *word != target).collect();
    if fate == Fate::Alternate {
        new.push(target);
    }
    if new.len() != old.len() {
        entries.push(format!("alternate_config_directories = {}", new.join(" ")));
    }
    entries
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Fatal {
    Fatal::new(format!("{what} {}: {}", path.display(), command::said(error)))
}

fn make_directory(path: &Path, mode: u32) -> Result<(), Fatal> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|error| failed("create", path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), Fatal> {
    fs::write(path, text).map_err(|error| failed("create", path, &error))
}

/// Removes a directory if nothing is in it.
fn remove_directory(path: &Path) {
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("{}: please verify contents and remove by hand", path.display());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::tests::instances;

    fn change(action: Action, name: Option<&str>, directories: &[(&str, &str)]) -> Change {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let directories = directories.iter().map(own).collect();
        Change { action, name: name.map(str::to_owned), group: Some("g".to_owned()), directories }
    }

    #[test]
    fn new_instances_live_beside_the_primary_one() {
        let new =
            newcomer(&instances(), &change(Action::Create, Some("postfix-x"), &[("data_directory", "/d")])).unwrap();
        assert_eq!((new.directory.as_str(), new.data_directory.as_str()), ("/etc/postfix-x", "/d"));
        assert_eq!((new.queue_directory.as_str(), new.group.as_str()), ("/var/spool/postfix-x", "g"));
        assert!(!new.enabled);
    }

    #[test]
    fn a_new_instance_needs_a_place_of_its_own() {
        let table = [
            (change(Action::Create, None, &[]), "Missing config_directory parameter value"),
            (
                change(Action::Create, None, &[("config_directory", "/etc/postfix-in")]),
                "new config_directory=/etc/postfix-in is already in use by instance /etc/postfix-in, \
                 config_directory=/etc/postfix-in",
            ),
        ];
        for (change, reason) in table {
            assert_eq!(newcomer(&instances(), &change).unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn an_enabled_instance_stays() {
        let instances = instances();
        let mut target =
            newcomer(&instances, &change(Action::Create, Some("postfix-x"), &[("data_directory", "/d")])).unwrap();
        for action in [Action::Deport, Action::Destroy] {
            for (enabled, refused) in [(true, true), (false, false)] {
                target.enabled = enabled;
                let result = may_change(&instances, &target, &change(action, None, &[]));
                assert_eq!(result.is_err(), refused, "{action:?}");
            }
        }
    }

    #[test]
    fn directories_are_listed_once() {
        let table: [(&str, Fate, &[&str]); 4] = [
            ("", Fate::Listed, &["multi_instance_directories = /a /b"]),
            ("/x, /b", Fate::Listed, &["multi_instance_directories = /a /b", "alternate_config_directories = /x"]),
            ("/x", Fate::Alternate, &["multi_instance_directories = /a", "alternate_config_directories = /x /b"]),
            ("/x", Fate::Gone, &["multi_instance_directories = /a"]),
        ];
        for (alternate, fate, expected) in table {
            assert_eq!(entries(&["/a", "/b"], alternate, "/b", fate), expected);
        }
    }
}

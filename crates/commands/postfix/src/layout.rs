//! The directories and files of an instance, with their owners and permissions.

use crate::instance::Instance;
use command::Fatal;
use config::QUEUE_DIRECTORIES;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Directories of the queue with sockets, which are as master made them.
const OF_SOCKETS: [&str; 2] = ["private", "submission"];

/// Who owns a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// root.
    Root,
    /// `mail_owner`.
    Mail,
    /// `mail_owner`, with `setgid_group` as group.
    MailAndDrop,
    /// root, with `setgid_group` as group.
    RootAndDrop,
}

/// A file or directory, below the queue directory unless absolute.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
    pub(crate) mode: u32,
}

/// All directories that an instance owns, parents first.
pub(crate) fn directories(instance: &Instance) -> Vec<Item> {
    let item = |path: PathBuf, owner, mode| Item { path, owner, mode };
    let mut items = vec![
        item(instance.layout.queue_directory.clone().into(), Owner::Root, 0o755),
        item(instance.queue(&instance.layout.process_id_directory), Owner::Root, 0o755),
        item(instance.layout.data_directory.clone().into(), Owner::Mail, 0o700),
        item(instance.queue("maildrop"), Owner::MailAndDrop, 0o1730),
        item(instance.queue("public"), Owner::MailAndDrop, 0o2710),
    ];
    for name in QUEUE_DIRECTORIES {
        let mode = if name == "submission" { 0o755 } else { 0o700 };
        items.push(item(instance.queue(name), Owner::Mail, mode));
    }
    items
}

/// The configuration, which all may read and only root may change.
fn configuration(instance: &Instance) -> Vec<Item> {
    let item = |path: PathBuf, mode| Item { path, owner: Owner::Root, mode };
    let files = ["main.cf", "master.cf"].map(|name| item(instance.directory.join(name), 0o644));
    [item(instance.directory.clone(), 0o755)].into_iter().chain(files).collect()
}

/// The set-gid programs.
pub(crate) fn programs(instance: &Instance) -> Vec<Item> {
    let path = |name| Path::new(&instance.layout.command_directory).join(name);
    ["postdrop", "postqueue", "postlog"]
        .map(|name| Item { path: path(name), owner: Owner::RootAndDrop, mode: 0o2755 })
        .into()
}

/// Makes the directories that are missing.
pub(crate) fn create_missing(instance: &Instance) -> Result<(), Fatal> {
    for item in directories(instance) {
        if item.path.is_dir() {
            continue;
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&item.path);
        made.map_err(|error| failed("unable to create missing queue directories", &item.path, &error))?;
        apply(instance, &item)?;
    }
    Ok(())
}

/// Gives the directories in which daemons create files a part of the disk of their own, while no daemon runs: master's lock is
/// held meanwhile.
pub(crate) fn give_room(instance: &Instance) {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o644);
    let Ok(lock) = options.open(instance.pid_file()) else { return };
    if lock.try_lock().is_err() {
        return;
    }
    for name in ["incoming", "bounce", "defer", "trace"] {
        // What is not possible here is as well done without.
        if let Err(error) = privsep::move_directory_apart(&instance.queue(name)) {
            tracing::debug!("move {name} apart: {error}");
        }
    }
}

/// Gives directories, the configuration and set-gid programs their owners and permissions, and what is in the queue its owner.
pub(crate) fn set_permissions(instance: &Instance) -> Result<(), Fatal> {
    let programs = programs(instance).into_iter().filter(|item| item.path.exists());
    let mut items = directories(instance).into_iter().chain(configuration(instance)).chain(programs);
    items.try_for_each(|item| apply(instance, &item))?;
    if privsep::is_root() { own_queue(instance) } else { Ok(()) }
}

/// Gives all queue files to `mail_owner`: they may have been brought back by root from elsewhere. chown(1) follows no link.
fn own_queue(instance: &Instance) -> Result<(), Fatal> {
    let owner = instance.owner()?.ok_or_else(|| unknown(instance, "mail_owner"))?;
    let queues = QUEUE_DIRECTORIES.iter().filter(|name| !OF_SOCKETS.contains(name));
    let status = Command::new("chown")
        .args(["-R", "-h", "-P", "--", &owner.uid.to_string()])
        .args(queues.map(|name| instance.queue(name)))
        .status()
        .map_err(|error| Fatal::new(format!("cannot execute chown: {error}")))?;
    if status.success() { Ok(()) } else { Err(Fatal::new("unable to change the owner of queue files")) }
}

fn apply(instance: &Instance, item: &Item) -> Result<(), Fatal> {
    if privsep::is_root() {
        let owner = instance.owner()?.ok_or_else(|| unknown(instance, "mail_owner"))?;
        let group = instance.group()?.ok_or_else(|| unknown(instance, "setgid_group"))?;
        let (uid, gid) = match item.owner {
            Owner::Root => (0, 0),
            Owner::Mail => (owner.uid, 0),
            Owner::MailAndDrop => (owner.uid, group.gid),
            Owner::RootAndDrop => (0, group.gid),
        };
        chown(&item.path, Some(uid), Some(gid)).map_err(|error| failed("change owner of", &item.path, &error))?;
    }
    // After the owner, whose change takes set-id bits away.
    fs::set_permissions(&item.path, Permissions::from_mode(item.mode))
        .map_err(|error| failed("change permissions of", &item.path, &error))
}

fn unknown(instance: &Instance, parameter: &str) -> Fatal {
    let file = instance.directory.join("main.cf");
    let (kind, name) = match parameter {
        "mail_owner" => ("user name value", &instance.layout.mail_owner),
        _ => ("group name", &instance.layout.setgid_group),
    };
    Fatal::new(format!("file {}: parameter {parameter}: unknown {kind}: {name}", file.display()))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Fatal {
    Fatal::new(format!("{what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_root_brought_back_gets_its_owner_and_permissions() {
        let Some(owner) = privsep::User::by_name("nobody").unwrap().filter(|_| privsep::is_root()) else { return };
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let root = directory.path().display();
        let main_cf = format!(
            "queue_directory={root}/queue\ndata_directory={root}/data\ncommand_directory={root}/bin\n\
             mail_owner=nobody\nsetgid_group=daemon\n"
        );
        fs::write(at("main.cf"), main_cf).unwrap();
        fs::write(at("master.cf"), "").unwrap();
        fs::write(at("outside"), "").unwrap();
        fs::create_dir_all(at("queue/deferred/A")).unwrap();
        fs::write(at("queue/deferred/A/ABCDE12345"), "").unwrap();
        fs::create_dir_all(at("queue/active")).unwrap();
        std::os::unix::fs::symlink(at("outside"), at("queue/active/link")).unwrap();
        chown(at("main.cf"), Some(owner.uid), None).unwrap();
        fs::set_permissions(at("main.cf"), Permissions::from_mode(0o666)).unwrap();
        let instance = Instance::of(config::Source::load(directory.path()).unwrap()).unwrap();
        create_missing(&instance).unwrap();
        set_permissions(&instance).unwrap();
        let found = |name| fs::symlink_metadata(at(name)).map(|meta| (meta.uid(), meta.mode() & 0o7777)).unwrap();
        assert_eq!(found("main.cf"), (0, 0o644));
        assert_eq!(found("queue/deferred/A/ABCDE12345").0, owner.uid);
        assert_eq!(found("queue/active/link").0, owner.uid);
        assert_eq!(found("outside").0, 0);
    }

    #[test]
    fn a_file_in_the_place_of_a_directory_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let queue = directory.path().join("queue");
        fs::write(&queue, "").unwrap();
        fs::write(directory.path().join("main.cf"), format!("queue_directory = {}\n", queue.display())).unwrap();
        let instance = Instance::of(config::Source::load(directory.path()).unwrap()).unwrap();
        let told = create_missing(&instance).unwrap_err().to_string();
        assert!(told.starts_with(&format!("unable to create missing queue directories {}", queue.display())), "{told}");
    }
}

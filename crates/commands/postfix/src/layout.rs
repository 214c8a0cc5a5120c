//! The directories and files of an instance, with their owners and permissions.

use crate::instance::Instance;
use command::Fatal;
use config::QUEUE_DIRECTORIES;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

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

/// Gives directories and set-gid programs their owners and permissions.
pub(crate) fn set_permissions(instance: &Instance) -> Result<(), Fatal> {
    let programs = programs(instance).into_iter().filter(|item| item.path.exists());
    directories(instance).into_iter().chain(programs).try_for_each(|item| apply(instance, &item))
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

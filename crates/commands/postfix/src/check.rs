//! Checks of an instance: what makes a start impossible, and what is odd.

use crate::instance::Instance;
use crate::layout::{self, Owner};
use command::Fatal;
use config::master_cf::{Defaults, MasterCf};
use config::{Standing, params};
use privsep::Roles;
use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How deep a tree is looked at.
const DEPTH: usize = 32;
/// What others may not do to most files: write.
const WRITABLE: u32 = 0o022;
/// What a jail may hold copies of.
const JAIL: [&str; 5] = ["bin", "etc", "lib", "sbin", "usr"];

/// What makes a start impossible: an error, or a check of the queue that failed and has told why.
pub(crate) fn fatal(instance: &Instance) -> Result<ExitCode, Fatal> {
    accounts(instance)?;
    instance.source.check_interfaces().map_err(Fatal::new)?;
    layout::create_missing(instance)?;
    let master_cf = instance.directory.join("master.cf");
    if !master_cf.is_file() {
        return Err(Fatal::new(format!("no {} file found", master_cf.display())));
    }
    if instance.lacks_postlog()? {
        return Err(Fatal::new("missing 'postlog' service in master.cf - run 'postfix upgrade-configuration'"));
    }
    instance.run("postsuper", &[])
}

/// Accounts that a mail system of root's must not run with. An ordinary user's has one account for everything.
pub(crate) fn accounts(instance: &Instance) -> Result<(), Fatal> {
    if !privsep::is_root() {
        return Ok(());
    }
    let params::Layout { mail_owner, default_privs, setgid_group, .. } = &instance.layout;
    let roles = Roles { mail_owner, default_privs, setgid_group };
    Ok(roles.check(&instance.directory.join("main.cf")).map(drop)?)
}

/// What is odd; each thing is one line of the log.
pub(crate) fn warn(instance: &Instance) {
    let lines = unused(instance).into_iter().chain(parameters(instance));
    for line in lines.chain(foreign_tables(instance)).chain(files(instance)) {
        tracing::warn!("{line}");
    }
}

/// Parameters that nothing knows, or that will go; postconf(1) tells them from those that something refers to.
fn unused(instance: &Instance) -> Vec<String> {
    let path = Path::new(&instance.layout.command_directory).join("postconf");
    let asked = instance.command(&path).args(["-h", "mail_name"]).output();
    let said = match asked {
        Ok(asked) => String::from_utf8_lossy(&asked.stderr).into_owned(),
        Err(error) => return vec![format!("cannot execute {}: {error}", path.display())],
    };
    let warnings = said.lines().filter_map(|line| line.split_once("warning: ").map(|(_, warning)| warning.to_owned()));
    warnings.filter(|warning| !instance.source.warnings().contains(warning)).collect()
}

/// Parameters that are set and do nothing.
fn parameters(instance: &Instance) -> Vec<String> {
    let source = &instance.source;
    let is_inert = |name: &str| source.row(name).is_some_and(|row| row.standing == Standing::Inert);
    let master_cf = instance.directory.join("master.cf");
    let services = MasterCf::read(&master_cf, Defaults::default()).unwrap_or_default();
    let overrides = services.entries.iter().flat_map(|entry| entry.overrides().unwrap_or_default());
    let of_services: BTreeSet<String> = overrides.map(|(name, _)| name).collect();
    let of_main: BTreeSet<String> = source.main_cf().names().map(str::to_owned).collect();
    let mut lines = Vec::new();
    for (file, names) in [(instance.directory.join("main.cf"), of_main), (master_cf, of_services)] {
        for name in names.into_iter().filter(|name| is_inert(name)) {
            lines.push(format!("{}: parameter {name} is accepted but has no effect", file.display()));
        }
    }
    lines
}

/// Tables that Postfix keeps in Berkeley DB files: what is changed here is not seen there.
fn foreign_tables(instance: &Instance) -> Vec<String> {
    let source = &instance.source;
    let mut specs = BTreeSet::new();
    for name in source.main_cf().names() {
        let value = source.expanded(name).ok().flatten().unwrap_or_default();
        let words = value.split([',', ' ', '\t', '\n', '{', '}']);
        specs.extend(words.filter(|word| has_foreign_file(word)).map(str::to_owned));
    }
    specs.into_iter().map(|spec| format!("table {spec} has a Berkeley DB file, which is read but not changed: run postmap or postalias after changes, and again with Postfix before going back to it")).collect()
}

/// Whether a table of this kind and name has a file of Postfix's.
fn has_foreign_file(spec: &str) -> bool {
    spec.rsplit_once(':').is_some_and(|(kind, path)| {
        (kind.ends_with("hash") || kind.ends_with("btree"))
            && path.starts_with('/')
            && Path::new(&format!("{path}.db")).is_file()
    })
}

/// Files with a wrong owner, group or permission, and files that should not be there.
fn files(instance: &Instance) -> Vec<String> {
    let Some(names) = Names::of(instance) else {
        return vec![format!(
            "unknown mail_owner {} or setgid_group {}",
            instance.layout.mail_owner, instance.layout.setgid_group
        )];
    };
    let mut look = Look { lines: Vec::new(), names };
    let queue = Path::new(&instance.layout.queue_directory);
    look.top(queue, Owner::Root);
    look.top(&instance.queue(&instance.layout.process_id_directory), Owner::Root);
    let shared = !instance.is_secondary();
    let mut trees: BTreeSet<PathBuf> = [instance.directory.clone()].into();
    if shared {
        trees.extend([instance.layout.daemon_directory.clone().into(), instance.layout.meta_directory.clone().into()]);
    }
    trees.iter().for_each(|tree| look.tree(tree, Owner::Root, WRITABLE));
    look.tree(Path::new(&instance.layout.data_directory), Owner::Mail, WRITABLE);
    for name in config::QUEUE_DIRECTORIES.iter().chain(&["public"]) {
        look.tree(&instance.queue(name), Owner::Mail, 0);
    }
    // Never below maildrop, the least trusted of all.
    look.owner(&instance.queue("maildrop"), Owner::Mail);
    look.group(&instance.queue("public"));
    look.group(&instance.queue("maildrop"));
    if shared {
        layout::programs(instance)
            .iter()
            .filter(|item| !item.path.ends_with("postlog"))
            .for_each(|item| look.program(&item.path));
    }
    JAIL.iter().for_each(|name| look.copy(queue, Path::new(name), DEPTH));
    look.damaged(queue, Path::new("corrupt"), DEPTH);
    look.lines
}

/// Whose files should be.
struct Names {
    /// The owner of an ordinary user's instance, which has that user only; what is root's is as good there.
    alone: Option<u32>,
    owner: (u32, String),
    group: (u32, String),
}

impl Names {
    fn of(instance: &Instance) -> Option<Self> {
        let owner = instance.owner().ok().flatten()?;
        let alone = (!privsep::is_root()).then_some(owner.uid);
        let gid = match instance.group().ok().flatten() {
            Some(group) if privsep::is_root() => group.gid,
            Some(_) | None if !privsep::is_root() => u32::MAX,
            Some(_) | None => return None,
        };
        Some(Self {
            alone,
            owner: (owner.uid, instance.layout.mail_owner.clone()),
            group: (gid, instance.layout.setgid_group.clone()),
        })
    }
}

struct Look {
    lines: Vec<String>,
    names: Names,
}

impl Look {
    /// One directory alone.
    fn top(&mut self, path: &Path, owner: Owner) {
        self.owner(path, owner);
        if let Ok(meta) = fs::metadata(path) {
            self.writable(path, &meta, WRITABLE);
        }
    }

    /// A directory and all below it; `forbidden` are permissions that nothing there may have. No link leads out of what is
    /// root's.
    fn tree(&mut self, path: &Path, owner: Owner, forbidden: u32) {
        self.below(path, owner, forbidden, DEPTH);
    }

    fn below(&mut self, path: &Path, owner: Owner, forbidden: u32, depth: usize) {
        let Ok(meta) = fs::symlink_metadata(path) else { return };
        let kind = meta.file_type();
        let is_door = kind.is_fifo() || kind.is_socket();
        if !is_door {
            self.owner(path, owner);
        }
        if !is_door && let Ok(target) = fs::metadata(path) {
            self.writable(path, &target, forbidden);
        }
        let is_far = || fs::read_link(path).is_ok_and(|target| target.components().count() > 1);
        if kind.is_symlink() && owner == Owner::Root && self.names.alone.is_none() && is_far() {
            self.lines.push(format!("symlink leaves directory: {}", path.display()));
        }
        if kind.is_dir() && depth > 0 {
            for inside in children(path) {
                self.below(&inside, owner, forbidden, depth - 1);
            }
        }
    }

    fn owner(&mut self, path: &Path, owner: Owner) {
        let (uid, name) = match owner {
            Owner::Root | Owner::RootAndDrop => (0, "root"),
            Owner::Mail | Owner::MailAndDrop => (self.names.owner.0, self.names.owner.1.as_str()),
        };
        // A link of an ordinary user's instance (to programs elsewhere, say) is judged by where it leads.
        let meta = match self.names.alone {
            Some(_) => fs::metadata(path),
            None => fs::symlink_metadata(path),
        };
        let is_right = |found: u32| found == uid || self.names.alone.is_some_and(|own| [0, own].contains(&found));
        if meta.is_ok_and(|meta| !is_right(meta.uid())) {
            self.lines.push(format!("not owned by {name}: {}", path.display()));
        }
    }

    fn writable(&mut self, path: &Path, meta: &Metadata, forbidden: u32) {
        if meta.mode() & forbidden != 0 {
            self.lines.push(format!("group or other writable: {}", path.display()));
        }
    }

    fn group(&mut self, path: &Path) {
        let (gid, name) = &self.names.group;
        if *gid != u32::MAX && fs::metadata(path).is_ok_and(|meta| meta.gid() != *gid) {
            self.lines.push(format!("not owned by group {name}: {}", path.display()));
        }
    }

    /// A set-gid program.
    fn program(&mut self, path: &Path) {
        self.group(path);
        let is_wrong = fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o2111 != 0o2111);
        if is_wrong && privsep::is_root() {
            self.lines.push(format!("not set-gid or not owner+group+world executable: {}", path.display()));
        }
    }

    /// Copies of system files in the jail; we need none, but what is there should be right.
    fn copy(&mut self, queue: &Path, name: &Path, depth: usize) {
        let path = queue.join(name);
        let Ok(meta) = fs::symlink_metadata(&path) else { return };
        self.owner(&path, Owner::Root);
        let original = Path::new("/").join(name);
        if meta.is_file() && original.is_file() && fs::read(&path).ok() != fs::read(&original).ok() {
            self.lines.push(format!("{} and {} differ", path.display(), original.display()));
        }
        if meta.is_dir() && depth > 0 {
            for inside in children(&path) {
                if let Ok(inside) = inside.strip_prefix(queue) {
                    self.copy(queue, inside, depth - 1);
                }
            }
        }
    }

    /// Files below a directory of the queue, named as seen from there.
    fn damaged(&mut self, queue: &Path, name: &Path, depth: usize) {
        for path in children(&queue.join(name)) {
            let Ok(inside) = path.strip_prefix(queue) else { continue };
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() && depth > 0 => self.damaged(queue, inside, depth - 1),
                Ok(meta) if meta.is_file() => self.lines.push(format!("damaged message: {}", inside.display())),
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// What is in a directory, in order.
fn children(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(path).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One who finds all owned as it should be.
    fn looking() -> Look {
        let nobody = (0, String::new());
        Look { lines: Vec::new(), names: Names { alone: None, owner: nobody.clone(), group: nobody } }
    }

    #[test]
    fn links_may_lead_out_of_what_is_not_of_root() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("far")).unwrap();
        std::os::unix::fs::symlink("far", directory.path().join("near")).unwrap();
        for (owner, expected) in [(Owner::Root, 1), (Owner::Mail, 0)] {
            let mut look = looking();
            look.tree(directory.path(), owner, WRITABLE);
            let links = look.lines.iter().filter(|line| line.starts_with("symlink leaves directory: "));
            assert_eq!(links.count(), expected, "{owner:?}");
        }
    }

    #[test]
    fn damaged_messages_are_named_as_seen_from_the_queue() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("corrupt/A")).unwrap();
        fs::write(directory.path().join("corrupt/A/ABCDE12345"), "").unwrap();
        let mut look = looking();
        look.damaged(directory.path(), Path::new("corrupt"), DEPTH);
        assert_eq!(look.lines, ["damaged message: corrupt/A/ABCDE12345"]);
    }

    #[test]
    fn tables_of_postfix_are_found_by_their_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("aliases");
        let name = path.display();
        fs::write(directory.path().join("aliases.db"), "").unwrap();
        let table = [
            (format!("hash:{name}"), true),
            (format!("proxy:btree:{name}"), true),
            (format!("lmdb:{name}"), false),
            (format!("hash:{name}2"), false),
            (name.to_string(), false),
        ];
        for (spec, expected) in table {
            assert_eq!(has_foreign_file(&spec), expected, "{spec}");
        }
    }
}

//! `install`: lays the suite out below a root, as `etc/layout.toml` says.

use crate::build::{self, Profile};
use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Group, Uid, User};
use serde::Deserialize;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// `etc/layout.toml`.
#[derive(Debug, Deserialize)]
struct Layout {
    /// Directories, parents first.
    #[serde(default)]
    directory: Vec<Row>,
    /// Files, from the project or from what was built.
    #[serde(default)]
    file: Vec<Row>,
    /// Folders of files of the project, with what is below them.
    #[serde(default)]
    folder: Vec<Row>,
    /// Second names.
    #[serde(default)]
    link: Vec<Link>,
}

/// A path with owner and mode.
#[derive(Debug, Deserialize)]
struct Row {
    /// Below the root.
    path: String,
    /// `program:NAME`, or a file of the project; none for directories.
    #[serde(default)]
    source: String,
    /// A user, by name; `root` by default.
    #[serde(default)]
    owner: Option<String>,
    /// A group, by name; the owner's world is `root` by default.
    #[serde(default)]
    group: Option<String>,
    /// Octal, as a string.
    mode: String,
    /// An existing file stays as it is (configuration).
    #[serde(default)]
    keep: bool,
}

/// A symbolic link.
#[derive(Debug, Deserialize)]
struct Link {
    /// Below the root.
    path: String,
    /// What it points to, relative to its own folder.
    target: String,
}

/// `cargo xtask install`.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<()> {
    let options = options(arguments)?;
    if !options.built {
        build::programs_with(&options.profile, &options.features)?;
    }
    install(&options.root, &options.profile)
}

/// Installs what has been built.
pub(crate) fn install(root: &Path, profile: &Profile) -> Result<()> {
    let text = fs::read_to_string(crate::project().join("etc/layout.toml")).context("etc/layout.toml")?;
    let layout: Layout = toml::from_str(&text).context("etc/layout.toml")?;
    fs::create_dir_all(root)?;
    for row in &layout.directory {
        fs::create_dir_all(below(root, &row.path))?;
        own(root, row)?;
    }
    for row in &layout.file {
        copy(root, row, profile).with_context(|| row.path.clone())?;
    }
    for row in &layout.folder {
        copy_folder(root, row, profile).with_context(|| row.path.clone())?;
    }
    for link in &layout.link {
        let path = below(root, &link.path);
        let _ = fs::remove_file(&path);
        symlink(&link.target, &path).with_context(|| link.path.clone())?;
    }
    Ok(())
}

/// What was asked for.
struct Options {
    root: PathBuf,
    profile: Profile,
    /// Cargo features, separated by commas.
    features: String,
    /// Nothing is built: what has been is installed.
    built: bool,
}

fn options(arguments: Vec<OsString>) -> Result<Options> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let (mut root, mut profile, mut features, mut built) = (None, Profile::release(), String::new(), false);
    while let Some(argument) = parser.next()? {
        if argument == lexopt::Arg::Long("root") {
            root = Some(PathBuf::from(parser.value()?));
        } else if argument == lexopt::Arg::Long("profile") {
            profile = Profile(parser.value()?.to_string_lossy().into_owned());
        } else if argument == lexopt::Arg::Long("features") {
            features = parser.value()?.to_string_lossy().into_owned();
        } else if argument == lexopt::Arg::Long("built") {
            built = true;
        } else {
            return Err(argument.unexpected().into());
        }
    }
    let Some(root) = root else { bail!("install needs --root DIR") };
    Ok(Options { root: std::path::absolute(root)?, profile, features, built })
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Copies every file below a folder; the mode is that of the files.
fn copy_folder(root: &Path, row: &Row, profile: &Profile) -> Result<()> {
    for entry in fs::read_dir(crate::project().join(&row.source))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let inner = Row {
            path: format!("{}/{name}", row.path),
            source: format!("{}/{name}", row.source),
            owner: row.owner.clone(),
            group: row.group.clone(),
            mode: row.mode.clone(),
            keep: row.keep,
        };
        if entry.file_type()?.is_dir() { copy_folder(root, &inner, profile)? } else { copy(root, &inner, profile)? }
    }
    Ok(())
}

/// Copies beside the target, then renames, so that a running program is never cut.
fn copy(root: &Path, row: &Row, profile: &Profile) -> Result<()> {
    let target = below(root, &row.path);
    if row.keep && target.exists() {
        return Ok(());
    }
    let source = match row.source.strip_prefix("program:") {
        Some(name) => profile.folder().join(name),
        None => crate::project().join(&row.source),
    };
    let folder = target.parent().context("a file below the root")?;
    fs::create_dir_all(folder)?;
    let new = target.with_added_extension("new");
    let _ = fs::remove_file(&new);
    fs::copy(&source, &new).with_context(|| source.display().to_string())?;
    fs::rename(&new, &target)?;
    own(root, row)
}

/// Owner and mode; owners are changed by the super-user only.
fn own(root: &Path, row: &Row) -> Result<()> {
    let path = below(root, &row.path);
    if Uid::effective().is_root() {
        let owner = row.owner.as_deref().map(user).transpose()?.unwrap_or(Uid::from_raw(0));
        let group = row.group.as_deref().map(group).transpose()?.unwrap_or(Gid::from_raw(0));
        nix::unistd::chown(&path, Some(owner), Some(group)).with_context(|| row.path.clone())?;
    }
    let mut mode = u32::from_str_radix(&row.mode, 8).with_context(|| format!("mode of {}", row.path))?;
    if !Uid::effective().is_root() {
        // A set-id bit of an ordinary user's own would lend nothing.
        mode &= 0o1777;
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).with_context(|| row.path.clone())
}

fn user(name: &str) -> Result<Uid> {
    let found = User::from_name(name)?;
    Ok(found
        .with_context(|| format!("no user {name}: add the accounts of the mail system first (INSTALL in README.md)"))?
        .uid)
}

fn group(name: &str) -> Result<Gid> {
    let found = Group::from_name(name)?;
    Ok(found
        .with_context(|| format!("no group {name}: add the accounts of the mail system first (INSTALL in README.md)"))?
        .gid)
}

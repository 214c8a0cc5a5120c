//! How an instance is described, and laid out below its folder.

use super::Instance;
use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Group, Uid, User};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// With which rights an instance runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// One ordinary user for everything.
    Ordinary,
    /// root, `postfix` and `postdrop`; only where the tests run as root.
    Root,
}

/// What an instance will be.
#[derive(Debug, Clone)]
pub struct Setup {
    rights: Rights,
    programs: PathBuf,
    main: Vec<(String, String)>,
    master: Vec<String>,
    environment: Option<(String, String)>,
    folder: Option<PathBuf>,
}

/// The services of the instance: those of the shipped master.cf that mail passes.
const MASTER: &str = "\
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
qmgr      unix  n - n 300   1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
verify    unix  - - n -     1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
proxywrite unix - - n -     1 proxymap
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
showq     unix  n - n -     - showq
error     unix  - - n -     - error
retry     unix  - - n -     - error
discard   unix  - - n -     - discard
local     unix  - n n -     - local
virtual   unix  - n n -     - virtual
lmtp      unix  - - n -     - lmtp
anvil     unix  - - n -     1 anvil
scache    unix  - - n -     1 scache
postlog   unix-dgram n - n - 1 postlogd
";

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// An ordinary user's instance of the programs that lie beside the running test.
    #[must_use]
    pub fn new() -> Self {
        Self {
            rights: Rights::Ordinary,
            programs: beside_test(),
            main: Vec::new(),
            master: Vec::new(),
            environment: None,
            folder: None,
        }
    }

    /// With other rights.
    #[must_use]
    pub fn rights(mut self, rights: Rights) -> Self {
        self.rights = rights;
        self
    }

    /// With programs of another folder, which holds commands and daemons alike.
    #[must_use]
    pub fn programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs = folder.into();
        self
    }

    /// Below this folder (its spool on a file system of the caller's making, say) instead of a temporary one.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// With a main.cf setting.
    #[must_use]
    pub fn main(mut self, name: &str, value: impl Into<String>) -> Self {
        self.main.push((name.to_owned(), value.into()));
        self
    }

    /// With a master.cf line; one with the name and type of an earlier line replaces it.
    #[must_use]
    pub fn master(mut self, line: &str) -> Self {
        self.master.push(line.to_owned());
        self
    }

    /// With a variable in the environment of its commands and daemons; `{root}` in its value is the instance's folder.
    #[must_use]
    pub fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        self.main.push(("import_environment".to_owned(), format!("MAIL_CONFIG TZ {name}={value}")));
        self.environment = Some((name.to_owned(), value));
        self
    }

    /// With Maildirs for all that is sent to `virtual.example`.
    ///
    /// # Errors
    /// No account for the instance.
    pub fn virtual_mailboxes(self) -> Result<Self> {
        let (uid, gid) = super::account()?;
        Ok(self
            .main("virtual_mailbox_domains", "virtual.example")
            .main("virtual_mailbox_base", "{root}/mail")
            .main("virtual_mailbox_maps", "static:maildir/")
            .main("virtual_uid_maps", format!("static:{uid}"))
            .main("virtual_gid_maps", format!("static:{gid}"))
            .main("virtual_minimum_uid", "1"))
    }

    /// Makes the instance's files; nothing runs yet.
    ///
    /// # Errors
    /// Files cannot be made, or accounts are missing.
    pub fn create(self) -> Result<Instance> {
        let (owner, user) = self.identity()?;
        let folder = match &self.folder {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("postern-").tempdir()?),
        };
        let root = match (&self.folder, &folder) {
            (Some(given), _) => given.clone(),
            (None, Some(made)) => made.path().to_owned(),
            (None, None) => bail!("no folder"),
        };
        let environment =
            self.environment.clone().map(|(name, value)| (name, value.replace("{root}", &root.display().to_string())));
        let port = crate::port::free_port()?;
        let instance = Instance { root, port, user, owner, environment, running: false, folder };
        self.fill(&instance)?;
        Ok(instance)
    }

    /// Makes and starts an instance, and waits for its greeting.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(self) -> Result<Instance> {
        let mut instance = self.create()?;
        instance.start()?;
        Ok(instance)
    }

    /// The identity that commands run with, and the name of the user that gets mail.
    fn identity(&self) -> Result<(Option<(Uid, Gid)>, String)> {
        let own = Uid::effective();
        if self.rights == Rights::Root {
            if !own.is_root() {
                bail!("needs root");
            }
            return Ok((None, "nobody".to_owned()));
        }
        if own.is_root() {
            let nobody = User::from_name("nobody")?.context("no user nobody")?;
            return Ok((Some((nobody.uid, nobody.gid)), nobody.name));
        }
        let user = User::from_uid(own)?.context("this user has no account")?;
        Ok((None, user.name))
    }

    fn fill(&self, instance: &Instance) -> Result<()> {
        fs::set_permissions(&instance.root, fs::Permissions::from_mode(0o755))?;
        for name in ["etc", "spool", "data", "mail", "bin"] {
            fs::create_dir_all(instance.root.join(name))?;
        }
        // A stranger may not enter every folder that its programs are in.
        let copied = instance.owner.is_some() && !is_open(&self.programs);
        self.lay_programs(&instance.root.join("bin"), copied)?;
        fs::write(instance.root.join("etc/aliases"), format!("postmaster {0}\nroot {0}\n", instance.user))?;
        fs::write(instance.root.join("etc/main.cf"), self.main_cf(instance)?)?;
        fs::write(instance.root.join("etc/master.cf"), self.master_cf(instance.port))?;
        if let Some((uid, gid)) = instance.owner {
            for name in ["", "etc", "spool", "data", "mail"] {
                chown(instance.root.join(name), Some(uid.as_raw()), Some(gid.as_raw()))?;
            }
        } else if self.rights == Rights::Root {
            let owner = User::from_name("postfix")?.context("no user postfix")?;
            chown(instance.root.join("data"), Some(owner.uid.as_raw()), None)?;
            fs::set_permissions(instance.root.join("mail"), fs::Permissions::from_mode(0o1777))?;
        }
        Ok(())
    }

    fn lay_programs(&self, bin: &Path, copied: bool) -> Result<()> {
        for entry in fs::read_dir(&self.programs).context("programs of the suite")? {
            let path = entry?.path();
            let Some(name) = path.file_name() else { continue };
            let executable = path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
            if executable && path.extension().is_none() && !bin.join(name).exists() {
                if copied {
                    fs::copy(&path, bin.join(name))?;
                } else {
                    symlink(&path, bin.join(name))?;
                }
            }
        }
        for (name, program) in [("lmtp", "smtp"), ("mailq", "sendmail"), ("newaliases", "sendmail")] {
            if !bin.join(name).exists() {
                symlink(program, bin.join(name))?;
            }
        }
        Ok(())
    }

    fn main_cf(&self, instance: &Instance) -> Result<String> {
        let root = instance.root.display();
        let (owner, group) = match (self.rights, instance.owner) {
            (Rights::Root, _) => ("postfix".to_owned(), "postdrop".to_owned()),
            (Rights::Ordinary, Some((_, gid))) => (instance.user.clone(), group_name(gid)?),
            (Rights::Ordinary, None) => (instance.user.clone(), group_name(Gid::effective())?),
        };
        let base = format!(
            "compatibility_level = 3.11\nqueue_directory = {root}/spool\ndata_directory = {root}/data\n\
             command_directory = {root}/bin\ndaemon_directory = {root}/bin\nsendmail_path = {root}/bin/sendmail\n\
             mailq_path = {root}/bin/mailq\nnewaliases_path = {root}/bin/newaliases\n\
             mail_owner = {owner}\nsetgid_group = {group}\ndefault_privs = {user}\n\
             myhostname = mail.example.test\nmydomain = example.test\nmydestination = $myhostname, localhost\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\n\
             alias_maps = texthash:{root}/etc/aliases\nalias_database =\nmail_spool_directory = {root}/mail\nforward_path =\n\
             maillog_file = {root}/maillog\nmaillog_file_prefixes = {root}\nsmtp_host_lookup = native\nin_flow_delay = 0\n",
            user = instance.user,
        );
        let extra: String = self.main.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
        Ok(base + &extra.replace("{root}", &root.to_string()))
    }

    fn master_cf(&self, port: u16) -> String {
        let mut lines = vec![format!("127.0.0.1:{port} inet n - n - - smtpd")];
        lines.extend(MASTER.lines().map(str::to_owned));
        for line in &self.master {
            let key = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
            lines.retain(|old| key(old) != key(line));
            lines.push(line.clone());
        }
        lines.join("\n") + "\n"
    }
}

/// Whether everyone may enter a folder and all above it.
fn is_open(folder: &Path) -> bool {
    folder.ancestors().all(|folder| folder.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o005 == 0o005))
}

fn group_name(gid: Gid) -> Result<String> {
    Ok(Group::from_gid(gid)?.with_context(|| format!("group {gid} has no name"))?.name)
}

/// The folder of the programs that were built with the running test.
fn beside_test() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let deps = test.parent().map(Path::to_owned).unwrap_or_default();
    if deps.ends_with("deps") { deps.parent().map(Path::to_owned).unwrap_or_default() } else { deps }
}

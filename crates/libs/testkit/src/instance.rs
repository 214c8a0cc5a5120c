//! A private instance of the mail system below a temporary folder, on ports above 1024.
//!
//! By default it runs without any rights: as the user who runs the tests, or as `nobody` when that is
//! root. [`Rights::Root`] gives the real thing with its accounts, for the privileged paths.

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Group, Uid, User};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a condition is waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(10);

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
    folder: Option<PathBuf>,
}

/// A running (or stopped) instance; dropping it stops it and removes its files.
#[derive(Debug)]
pub struct Instance {
    /// Where everything of it lies.
    pub root: PathBuf,
    /// Its SMTP port on 127.0.0.1.
    pub port: u16,
    /// The user that local mail can be delivered to.
    pub user: String,
    owner: Option<(Uid, Gid)>,
    running: bool,
    folder: Option<TempDir>,
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
        Self { rights: Rights::Ordinary, programs: beside_test(), main: Vec::new(), master: Vec::new(), folder: None }
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
        let instance = Instance { root, port: crate::port::free_port()?, user, owner, running: false, folder };
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

impl Instance {
    /// `postfix start`, and the wait for the greeting.
    ///
    /// # Errors
    /// It does not start; the error has the log.
    pub fn start(&mut self) -> Result<()> {
        let output = self.run("postfix", ["start"], "")?;
        self.running = true;
        if !output.status.success() {
            bail!("postfix start: {}{}", String::from_utf8_lossy(&output.stderr), self.log());
        }
        let port = self.port;
        let greeted = self.wait("greeting", || greeting(port));
        greeted.with_context(|| self.log())
    }

    /// `postfix stop`, and the wait until all its processes are gone.
    ///
    /// # Errors
    /// Something is left after [`PATIENCE`].
    pub fn stop(&mut self) -> Result<()> {
        if !self.running {
            return Ok(());
        }
        self.running = false;
        let output = self.run("postfix", ["stop"], "")?;
        if !output.status.success() {
            bail!("postfix stop: {}", String::from_utf8_lossy(&output.stderr));
        }
        self.wait("end of all processes", || self.processes().is_empty())
    }

    /// A command of the suite, with this instance's configuration, rights and environment.
    #[must_use]
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.root.join("bin").join(name));
        self.as_owner(&mut command);
        command
    }

    /// Gives a command of another system this instance's configuration, rights and environment.
    pub fn as_owner(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("MAIL_CONFIG", self.root.join("etc"))
            .env("TZ", "UTC");
        command.current_dir("/");
        if let Some((uid, gid)) = self.owner {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run<S: AsRef<OsStr>>(
        &self,
        name: &str,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Result<Output> {
        let mut command = self.command(name);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child: Child = command.spawn().with_context(|| format!("start {name}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that refuses its input early closes it.
            let _ = stdin.write_all(input.as_bytes());
        }
        Ok(child.wait_with_output()?)
    }

    /// What has been logged.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.root.join("maillog")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the log has `count` lines with all of these words.
    ///
    /// # Errors
    /// Not within [`PATIENCE`]; the error has the log.
    pub fn wait_log(&self, words: &[&str], count: usize) -> Result<Vec<String>> {
        let found = || -> Vec<String> {
            let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
            self.log().lines().filter(has_all).map(str::to_owned).collect()
        };
        self.wait(&format!("log line with {words:?}"), || found().len() >= count)?;
        Ok(found())
    }

    /// The mbox of a user, as text.
    #[must_use]
    pub fn mailbox(&self, user: &str) -> String {
        let bytes = fs::read(self.root.join("mail").join(user)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for a condition.
    ///
    /// # Errors
    /// Not within [`PATIENCE`]; the error has the end of the log.
    pub fn wait(&self, what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            if Instant::now() > deadline {
                let log = self.log();
                let tail: Vec<_> = log.lines().rev().take(30).collect();
                bail!("no {what}; log (latest first):\n{}", tail.join("\n"));
            }
            std::thread::park_timeout(LOOK);
        }
        Ok(())
    }

    /// Whether nothing is in the queue.
    #[must_use]
    pub fn queue_is_empty(&self) -> bool {
        self.run("postqueue", ["-j"], "").is_ok_and(|output| output.status.success() && output.stdout.is_empty())
    }

    /// How many files are in the queue's working directories, without asking any daemon.
    #[must_use]
    pub fn queue_files(&self) -> usize {
        ["maildrop", "incoming", "active", "deferred"]
            .iter()
            .map(|name| count_files(&self.root.join("spool").join(name)))
            .sum()
    }

    /// The processes of this instance: those that run its programs with its configuration.
    #[must_use]
    pub fn processes(&self) -> Vec<(u32, String)> {
        let mut found = Vec::new();
        let spool = self.root.join("spool");
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let here = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&spool));
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if here && !line.is_empty() {
                found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()));
            }
        }
        found
    }

    /// Keeps files and processes when this value goes; the user has been told where they are.
    pub fn leave(mut self) {
        self.running = false;
        if let Some(folder) = self.folder.take() {
            let _ = folder.keep();
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.running {
            let _ = self.stop();
        }
    }
}

/// Whether everyone may enter a folder and all above it.
fn is_open(folder: &Path) -> bool {
    folder.ancestors().all(|folder| folder.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o005 == 0o005))
}

/// The queue files below a folder.
fn count_files(folder: &Path) -> usize {
    let mut waiting = vec![folder.to_owned()];
    let mut files = 0;
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                waiting.push(entry.path());
            } else if meta.permissions().mode() & 0o100 != 0 {
                // A file without its x bit is one that cleanup holds ready for the next message.
                files += 1;
            }
        }
    }
    files
}

/// The user and group that an ordinary instance runs as.
///
/// # Errors
/// That user has no account.
pub fn account() -> Result<(Uid, Gid)> {
    let own = Uid::effective();
    let user = if own.is_root() { User::from_name("nobody") } else { User::from_uid(own) };
    let user = user?.context("no account for the instance")?;
    Ok((user.uid, user.gid))
}

fn greeting(port: u16) -> bool {
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut code = [0; 3];
    std::io::Read::read_exact(&mut stream, &mut code).is_ok()
        && code == *b"220"
        && stream.write_all(b"QUIT\r\n").is_ok()
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

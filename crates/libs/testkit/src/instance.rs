//! A private instance of the mail system below a temporary folder, on ports above 1024.
//!
//! By default it runs without any rights: as the user who runs the tests, or as `nobody` when that is
//! root. [`Rights::Root`] gives the real thing with its accounts, for the privileged paths.

mod setup;

pub use setup::{Rights, Setup};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, User};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a condition is waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(10);

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
    environment: Option<(String, String)>,
    running: bool,
    folder: Option<TempDir>,
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
            .env("TZ", "UTC")
            .envs(self.environment.clone());
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

    /// Sends a signal to all processes of this instance that run a program. One that has just ended needs none.
    ///
    /// # Errors
    /// What kill(2) says.
    pub fn signal(&self, program: &str, signal: Signal) -> Result<()> {
        let runs =
            |line: &str| line.split_whitespace().next().is_some_and(|path| path.rsplit('/').next() == Some(program));
        self.signal_those(runs, signal)
    }

    /// Sends a signal to all processes of this instance.
    ///
    /// # Errors
    /// What kill(2) says.
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        self.signal_those(|_| true, signal)
    }

    fn signal_those(&self, are_meant: impl Fn(&str) -> bool, signal: Signal) -> Result<()> {
        for (pid, _) in self.processes().into_iter().filter(|(_, line)| are_meant(line)) {
            match kill(Pid::from_raw(i32::try_from(pid)?), signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
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
fn account() -> Result<(Uid, Gid)> {
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

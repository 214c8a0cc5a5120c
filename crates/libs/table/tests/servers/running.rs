//! Servers that run as an ordinary user as long as a test needs them, and tables that ask them.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use table::{Class, Environment, Error, Table};
use tempfile::TempDir;

/// The user and group nobody.
const NOBODY: u32 = 65534;
/// Servers have a while to start and to stop, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a program is there; says so by name where it is not.
pub(crate) fn has_peer(test: &str, program: &str) -> bool {
    let found = Path::new(program).exists();
    let required = std::env::var_os("POSTERN_TEST_PEERS").is_some_and(|value| value == "required");
    assert!(found || !required, "{program} is missing");
    if !found {
        eprintln!("{test}: left out: {program} is not installed");
    }
    found
}

fn is_root() -> bool {
    let own = std::fs::metadata("/proc/self").unwrap();
    std::os::unix::fs::MetadataExt::uid(&own) == 0
}

/// A folder that the server owns.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("postern").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.text(name)
    }

    /// A certificate and its key, which belong to the server.
    #[cfg(any(feature = "ldap", feature = "mysql", feature = "pgsql"))]
    pub(crate) fn certificate(&self) {
        for name in ["cert.pem", "key.pem"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tls/src/testdata").join(name);
            self.write("copied", &std::fs::read_to_string(source).unwrap());
            self.run("/usr/bin/install", &["-m", "600", "copied", name]);
            std::fs::remove_file(self.path("copied")).unwrap();
        }
    }

    /// A command that runs here, as the server's user.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("HOME", self.folder.path()).env("TMPDIR", self.folder.path());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Runs a command to its end.
    #[cfg(any(feature = "ldap", feature = "mysql", feature = "pgsql"))]
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program, arguments).output().unwrap();
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&said));
    }

    /// Starts a server, and waits until it is ready.
    pub(crate) fn start(&self, program: &str, arguments: &[&str], is_ready: impl Fn() -> bool) -> Running {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut command = self.command(program, arguments);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        // PostgreSQL would wait for its clients.
        let signal = if program.ends_with("/postgres") { "-INT" } else { "-TERM" };
        let mut running = Running { child, signal };
        wait(program, || {
            let ended = running.child.try_wait().unwrap();
            let said = || std::fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(ended.is_none(), "{program} ended: {}", said());
            is_ready()
        });
        running
    }

    /// A table whose parameters are `text`.
    pub(crate) fn table(&self, kind: &str, text: &str) -> Box<dyn Table> {
        let path = self.write("table.cf", text);
        table::open(&format!("{kind}:{path}"), &Environment::default()).unwrap()
    }
}

/// A server.
pub(crate) struct Running {
    child: Child,
    /// What ends it.
    signal: &'static str,
}

impl Running {
    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").args([self.signal, &self.child.id().to_string()]).status();
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < PATIENCE {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something to become true.
pub(crate) fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    testkit::port::free_port().unwrap()
}

pub(crate) fn find(table: &dyn Table, key: &str) -> Result<Option<String>, Error> {
    Ok(table.lookup(key.as_bytes()).block()?.map(|value| String::from_utf8(value).unwrap()))
}

/// A look-up that has to succeed.
#[track_caller]
pub(crate) fn expect(table: &dyn Table, key: &str, value: Option<&str>) {
    assert_eq!(find(table, key).unwrap().as_deref(), value, "{key}");
}

/// A look-up that has to fail for a while.
#[track_caller]
pub(crate) fn expect_trouble(table: &dyn Table, key: &str) {
    match find(table, key) {
        Err(error) => assert_eq!(error.class, Class::Temporary, "{error}"),
        Ok(value) => panic!("{key}: {value:?}"),
    }
}

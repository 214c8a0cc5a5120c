//! Master with small daemons of its own, which are this very program under other names.
//!
//! `echo` answers with its process id; `broken` ends at once; `local` serves one client at a time; `bell` writes down
//! that it was woken.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test, though with a main of its own"
)]

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use service::{Client, Fatal, Life, LifeSpan, Outside, Service, Stream, solo};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let path = std::env::args().next().unwrap_or_default();
    match Path::new(&path).file_name().and_then(|name| name.to_str()) {
        Some("echo") => service::run::<Echo>(),
        Some("bell") => service::run::<Bell>(),
        Some("local") => solo::run::<Single>(),
        Some("broken") => ExitCode::from(3),
        _ => tests(),
    }
}

/// Answers each line with its process id, its share and the parameter `myorigin`; panics when asked to.
struct Echo {
    life: Life,
    origin: String,
    file: fs::File,
}

impl Service for Echo {
    const NAME: &'static str = "echo";
    type Params = config::params::Identity;
    type Opened = fs::File;

    fn open(_: &Self::Params, _: &Outside) -> Result<fs::File, Fatal> {
        Ok(fs::File::open("table")?)
    }

    fn start(params: Self::Params, file: fs::File, life: Life) -> Result<Self, Fatal> {
        Ok(Self { life, origin: params.myorigin, file })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let (stream, _, _slot) = client.into_parts();
        let Stream::Unix(mut stream) = stream else { return };
        let mut byte = [0];
        while let Ok(1) = stream.read(&mut byte).await {
            assert_ne!(byte[0], b'!', "asked to");
            let share = self.life.share().unwrap_or(0);
            let line = format!("{} {share} {} {}\n", std::process::id(), self.origin, self.life.stress());
            if stream.write_all(line.as_bytes()).await.is_err() {
                break;
            }
        }
    }

    fn changed(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| meta.len() > 0)
    }
}

/// Writes down that it was woken.
struct Bell;

impl Service for Bell {
    const NAME: &'static str = "bell";
    const LIFE_SPAN: LifeSpan = LifeSpan::Endless;
    const TRIGGERED: bool = true;
    type Params = ();
    type Opened = ();

    fn open((): &(), _: &Outside) -> Result<(), Fatal> {
        Ok(())
    }

    fn start((): (), (): (), _: Life) -> Result<Self, Fatal> {
        Ok(Self)
    }

    async fn serve(self: Arc<Self>, _: Client) {
        let _ = fs::OpenOptions::new().append(true).create(true).open("rung").and_then(|mut file| file.write_all(b"?"));
    }

    async fn wake(self: Arc<Self>, requests: Vec<u8>) {
        let _ = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open("rung")
            .and_then(|mut file| file.write_all(&requests));
    }
}

/// One client at a time.
struct Single;

impl solo::Solo for Single {
    const NAME: &'static str = "local";
    type Params = ();

    fn start((): (), _: Outside, _: &solo::Life) -> Result<Self, Fatal> {
        Ok(Self)
    }

    fn serve(&mut self, stream: solo::Stream, life: &solo::Life) {
        let solo::Stream::Unix(mut stream) = stream else { return };
        let mut byte = [0];
        while life.wait(&stream, PATIENCE) == solo::Next::Ready && stream.read(&mut byte).is_ok_and(|count| count == 1)
        {
            if writeln!(stream, "{} 1 - false", std::process::id()).is_err() {
                break;
            }
        }
    }
}

/// An instance with a master.
struct Instance {
    directory: tempfile::TempDir,
    master: Option<Child>,
}

impl Instance {
    fn new(services: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        for name in ["etc", "spool/pid", "spool/private", "spool/public", "data", "libexec"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::write(root.join("spool/table"), "").unwrap();
        let own = std::env::current_exe().unwrap();
        for name in ["echo", "bell", "local", "broken"] {
            std::os::unix::fs::symlink(&own, root.join("libexec").join(name)).unwrap();
        }
        let instance = Self { directory, master: None };
        instance.write_main("first", "");
        instance.write_services(services);
        // As root, sockets belong to another user, who must be able to make them.
        let _ = Command::new("chown").args(["-R", &owner()]).arg(&root).status();
        let _ = Command::new("chmod").args(["a+rx"]).arg(&root).status();
        instance
    }

    fn write_main(&self, origin: &str, more: &str) {
        let root = self.directory.path().display();
        let text = format!(
            "queue_directory = {root}/spool\ndata_directory = {root}/data\ndaemon_directory = {root}/libexec\n\
             mail_owner = {}\ndefault_privs = daemon\nsetgid_group = bin\nmyorigin = {origin}\nmyhostname = host.example.test\nmaillog_file = {root}/maillog\n\
             maillog_file_prefixes = {root}\nservice_throttle_time = 60s\ncompatibility_level = 3.11\n{more}",
            owner()
        );
        fs::write(self.path("etc/main.cf"), text).unwrap();
    }

    fn write_services(&self, services: &str) {
        fs::write(self.path("etc/master.cf"), services).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_master"));
        command.args(["-s", "-c"]).arg(self.path("etc")).stdin(Stdio::null());
        self.master = Some(command.spawn().unwrap());
        self.wait_log("daemon started");
    }

    fn signal(&self, name: &str) {
        let pid = self.master.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("maillog")).unwrap_or_default()
    }

    fn wait_log(&self, text: &str) {
        wait(text, || self.log().contains(text).then_some(()));
    }

    /// Puts a new table in place of that which `echo` has open.
    fn change_table(&self) {
        fs::write(self.path("spool/new"), "").unwrap();
        fs::rename(self.path("spool/table"), self.path("spool/old")).unwrap();
        fs::rename(self.path("spool/new"), self.path("spool/table")).unwrap();
        fs::write(self.path("spool/old"), "changed").unwrap();
    }

    fn talk(&self, service: &str) -> Talk {
        let path = self.path("spool/private").join(service);
        Talk { stream: UnixStream::connect(path).unwrap() }
    }

    fn stop(&mut self) -> i32 {
        self.signal("-TERM");
        self.master.take().unwrap().wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut master) = self.master.take() {
            let _ = master.kill();
            let _ = master.wait();
        }
    }
}

/// A conversation with `echo` or `local`.
struct Talk {
    stream: UnixStream,
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    pid: u32,
    share: usize,
    origin: String,
    stress: bool,
}

impl Talk {
    fn say(&mut self, byte: u8) -> Option<Answer> {
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.stream.write_all(&[byte]).ok()?;
        let mut line = String::new();
        BufReader::new(&self.stream).read_line(&mut line).ok()?;
        let mut words = line.split_whitespace();
        Some(Answer {
            pid: words.next()?.parse().ok()?,
            share: words.next()?.parse().ok()?,
            origin: words.next()?.to_owned(),
            stress: words.next()? == "true",
        })
    }

    fn ask(&mut self) -> Answer {
        self.say(b'x').expect("an answer")
    }
}

fn owner() -> String {
    let uid = fs::metadata("/proc/self").map(|meta| std::os::unix::fs::MetadataExt::uid(&meta)).unwrap();
    if uid == 0 { "nobody".into() } else { std::env::var("USER").unwrap_or_else(|_| uid.to_string()) }
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

fn gone(pid: u32) {
    wait("the end of a process", || {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        (state.is_empty() || state.contains(") Z")).then_some(())
    });
}

/// Does something, such as the start of a master, with one processor: services have one process then.
fn on_one_processor(work: impl FnOnce()) {
    let own = Pid::from_raw(0);
    let all = sched_getaffinity(own).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::count()).find(|at| all.is_set(*at).unwrap()).unwrap()).unwrap();
    sched_setaffinity(own, &one).unwrap();
    work();
    sched_setaffinity(own, &all).unwrap();
}

type Test = (&'static str, fn());

fn tests() -> ExitCode {
    let table: [Test; 15] = [
        ("accounts with too many rights stop the start", accounts),
        ("shares add up and processes come as needed", shares),
        ("one client at a time", solo_service),
        ("reload replaces processes and drops no client", reload),
        ("addresses stay as they are until the next start", reload_of_addresses),
        ("without protocols there are no ports", no_protocols),
        ("bad start is throttled", throttle),
        ("timer and trigger wake a service", wakeups),
        ("what has changed is opened anew", changed),
        ("what has changed is opened anew at once, in a crowd too", changed_while_busy),
        ("a FIFO carries trigger bytes", fifo),
        ("a connection is passed on with what is known of it", pass),
        ("stress is told while everyone is busy", stress),
        ("panic ends the session and then the process", panics),
        ("second master is refused, stop leaves nothing", lock_and_stop),
    ];
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    for (name, test) in table {
        if wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str())) {
            println!("{name}");
            test();
        }
    }
    ExitCode::SUCCESS
}

/// Only root has more than one account to run with.
fn accounts() {
    if owner() != "nobody" {
        return;
    }
    let instance = Instance::new("");
    for setting in ["mail_owner = root", "default_privs = root", "default_privs = nobody", "setgid_group = root"] {
        instance.write_main("first", setting);
        let mut command = Command::new(env!("CARGO_BIN_EXE_master"));
        command.args(["-s", "-c"]).arg(instance.path("etc")).stdin(Stdio::null()).stderr(Stdio::null());
        assert!(!command.status().unwrap().success(), "{setting}");
    }
}

fn shares() {
    let mut instance = Instance::new("echo unix - n n - 3 echo -o process_id=1\n");
    instance.write_main("first", "echo_process_session_limit = 2\n");
    instance.start();
    let mut talks: Vec<Talk> = (0..3).map(|_| instance.talk("echo")).collect();
    let answers: Vec<Answer> = talks.iter_mut().map(Talk::ask).collect();
    let total: usize = {
        let mut seen: Vec<(u32, usize)> = answers.iter().map(|answer| (answer.pid, answer.share)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 2, "{answers:?}");
        seen.iter().map(|(_, share)| share).sum()
    };
    assert_eq!(total, 3);
    // A fourth client waits until there is room.
    let mut waiting = instance.talk("echo");
    waiting.stream.write_all(b"x").unwrap();
    drop(talks.pop());
    assert_eq!(waiting.ask().origin, "first");
}

fn solo_service() {
    let mut instance = Instance::new("local unix - n n - 2 local\n");
    instance.start();
    let (mut one, mut two) = (instance.talk("local"), instance.talk("local"));
    assert_ne!(one.ask().pid, two.ask().pid);
    let first = one.ask().pid;
    drop(one);
    // The same process serves the next.
    assert_eq!(instance.talk("local").ask().pid, first);
}

fn reload() {
    let services = "echo unix - n n - 10 echo\n";
    let mut instance = Instance::new(services);
    instance.start();
    let mut old = instance.talk("echo");
    let before = old.ask();
    instance.write_main("second", "");
    instance.write_services(&format!("{services}more unix - n n - 10 echo\n"));
    instance.signal("-HUP");
    instance.wait_log("reload -- version ");
    let after =
        wait("the new configuration", || Some(instance.talk("echo").ask()).filter(|answer| answer.origin == "second"));
    assert_ne!(before.pid, after.pid);
    assert_eq!(old.ask(), before, "a client of before is served to its end");
    assert_eq!(instance.talk("more").ask().origin, "second");
    drop(old);
    gone(before.pid);
    instance.write_services(services);
    instance.signal("-HUP");
    wait("the end of a service", || UnixStream::connect(instance.path("spool/private/more")).is_err().then_some(()));
}

fn reload_of_addresses() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut instance = Instance::new(&format!("{port} inet n - n - 10 echo\n"));
    instance.write_main("first", "inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n");
    instance.start();
    for (names, said) in [
        ("loopback-only, 127.0.0.1", "reload: config variable inet_interfaces: host not found: loopback-only; the old"),
        ("192.0.2.1", "reload: parameter inet_interfaces: no local interface found for 192.0.2.1; the old"),
        ("all", &format!("service {port}: ignoring inet_interfaces change")),
    ] {
        instance.write_main("second", &format!("inet_interfaces = {names}\ninet_protocols = ipv4\n"));
        instance.signal("-HUP");
        instance.wait_log(said);
        TcpStream::connect(("127.0.0.1", port)).unwrap();
    }
    instance.write_main("third", "inet_interfaces = all\ninet_protocols = all\n");
    instance.signal("-HUP");
    instance.wait_log("to change inet_protocols, stop and start Postfix");
    TcpStream::connect(("127.0.0.1", port)).unwrap();
}

fn no_protocols() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut instance = Instance::new(&format!("127.0.0.1:{port} inet n - n - 10 echo\necho unix - n n - 1 echo\n"));
    instance.write_main("first", "inet_protocols =\n");
    instance.start();
    instance.wait_log("warning: all network protocols are disabled (inet_protocols = )");
    instance.wait_log("warning: disabling all type \"inet\" services in master.cf");
    instance.write_main("second", "inet_protocols = ipv4\n");
    instance.signal("-HUP");
    instance.wait_log("ignoring inet_protocols parameter value change");
    assert_eq!(instance.talk("echo").ask().origin, "second");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

fn throttle() {
    let mut instance = Instance::new("broken unix - n n - 1 broken\nmissing unix - n n - 1 no-such\n");
    instance.start();
    let _talk = instance.talk("broken");
    instance.wait_log("broken: bad command startup -- throttling");
    assert!(instance.log().contains(" exit status 3\n"));
    let _talk = instance.talk("missing");
    instance.wait_log("no-such: bad command startup -- throttling");
    assert_eq!(instance.log().matches("exit status").count(), 1);
}

fn wakeups() {
    let mut instance = Instance::new("bell unix n n n 3600 1 bell\n");
    instance.start();
    let rung = || fs::read_to_string(instance.path("spool/rung")).unwrap_or_default();
    wait("the first wake-up", || (rung() == "W").then_some(()));
    UnixStream::connect(instance.path("spool/public/bell")).unwrap().write_all(b"A").unwrap();
    wait("a trigger", || (rung() == "WA").then_some(()));
    UnixStream::connect(instance.path("spool/public/bell")).unwrap().write_all(b"\0\0").unwrap();
    wait("a client", || (rung() == "WA?").then_some(()));
}

fn fifo() {
    let mut instance = Instance::new("bell fifo n n n 0 1 bell\n");
    instance.start();
    let rung = || fs::read_to_string(instance.path("spool/rung")).unwrap_or_default();
    let mut fifo = fs::OpenOptions::new().write(true).open(instance.path("spool/public/bell")).unwrap();
    fifo.write_all(b"A").unwrap();
    wait("the first byte", || (rung() == "A").then_some(()));
    fifo.write_all(b"B").unwrap();
    wait("the next byte", || (rung() == "AB").then_some(()));
}

fn pass() {
    let mut instance = Instance::new("echo pass - n n - 5 echo\n");
    instance.start();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let carrier = UnixStream::connect(instance.path("spool/private/echo")).unwrap();
    privsep::send_descriptor(&carrier, b"preamble", &theirs).unwrap();
    drop((carrier, theirs));
    let mut talk = Talk { stream: ours };
    assert_eq!(talk.ask().origin, "first");
}

fn stress() {
    let mut instance = Instance::new("echo pass - n n - 1 echo\n");
    instance.start();
    let pass = || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let carrier = UnixStream::connect(instance.path("spool/private/echo")).unwrap();
        privsep::send_descriptor(&carrier, b"-", &theirs).unwrap();
        Talk { stream: ours }
    };
    let mut first = pass();
    assert!(!first.ask().stress);
    let mut second = pass();
    instance.wait_log("service \"echo\" (echo) has reached its process limit \"1\": new clients may experience");
    wait("the word", || first.ask().stress.then_some(()));
    drop(first);
    assert!(second.ask().stress);
}

fn changed() {
    let mut instance = Instance::new("echo unix - n n - 1 echo\n");
    instance.start();
    let before = instance.talk("echo").ask();
    instance.change_table();
    let after = instance.talk("echo").ask();
    assert_ne!(before.pid, after.pid);
    gone(before.pid);
}

fn changed_while_busy() {
    let mut instance = Instance::new("echo unix - n n - 20 echo\n");
    on_one_processor(|| instance.start());
    // So many that the process would leave the next clients to another one for a moment.
    let mut crowd: Vec<_> = (0..9).map(|_| instance.talk("echo")).collect();
    let before: Vec<_> = crowd.iter_mut().map(Talk::ask).collect();
    instance.change_table();
    let mut next = instance.talk("echo");
    drop(crowd);
    let after = next.ask();
    assert_eq!(
        before.iter().find(|answer| answer.pid == after.pid),
        None,
        "who comes after a change is served with it"
    );
}

fn panics() {
    let mut instance = Instance::new("echo unix - n n - 10 echo\n");
    instance.start();
    let mut other = instance.talk("echo");
    let before = other.ask();
    let mut victim = instance.talk("echo");
    while victim.ask().pid != before.pid {
        victim = instance.talk("echo");
    }
    assert_eq!(victim.say(b'!'), None);
    instance.talk("echo").ask();
    assert_eq!(other.ask(), before, "other sessions go on");
    drop(other);
    gone(before.pid);
    assert!(!instance.log().contains("throttling"));
}

fn lock_and_stop() {
    let mut instance = Instance::new("echo unix - n n - 1 echo\n");
    instance.start();
    let pid = instance.talk("echo").ask().pid;
    let test = || Command::new(env!("CARGO_BIN_EXE_master")).arg("-tc").arg(instance.path("etc")).status().unwrap();
    assert!(!test().success());
    let second = Command::new(env!("CARGO_BIN_EXE_master")).arg("-c").arg(instance.path("etc")).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("master: fatal: open lock file pid/master.pid: unable to set exclusive lock"), "{said}");
    assert!(test().code() == Some(1));
    instance.signal("-ALRM");
    instance.signal("-HUP");
    instance.wait_log("reload -- version");
    assert_eq!(instance.stop(), 0);
    gone(pid);
    assert!(instance.log().contains("terminating on signal 15"));
    let free = Command::new(env!("CARGO_BIN_EXE_master")).arg("-tc").arg(instance.path("etc")).status().unwrap();
    assert!(free.success());
}

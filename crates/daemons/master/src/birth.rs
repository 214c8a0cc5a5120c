//! The birth of master: parameters, log, locks, sockets.

use crate::Fatal;
use crate::lock;
use crate::notify::Manager;
use crate::options::{Mode, Options};
use crate::settings::{Settings, Way};
use crate::supervise::Supervisor;
use maillog::{Echo, Log};
use privsep::{Begun, Signal, Signals, Streams};
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// Descriptors that master may need: one per process, and the listening sockets.
const DESCRIPTORS: u64 = 65536;

/// What master hears: ends of processes, a reload, and three ways to say stop. SIGALRM means nothing, and ends nothing.
const HEARD: [Signal; 6] =
    [Signal::SIGCHLD, Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGALRM];

/// `-t`: successful if master does not run.
pub(crate) fn test(options: &Options, log: &Log) -> Result<ExitCode, Fatal> {
    let settings = settings(options)?;
    log.configure(&settings.log(Way::Direct)?);
    let path = Path::new(&settings.params.layout.queue_directory).join(pid_file(&settings));
    let is_free =
        lock::is_free(&path).map_err(|error| Fatal::new(format!("open lock file {}: {error}", path.display())))?;
    Ok(if is_free { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lives, from the parameters to the end.
pub(crate) fn live(options: &Options, begun: &mut Option<Begun>, log: &Log) -> Result<ExitCode, Fatal> {
    privsep::mask_files(0o077);
    let settings = settings(options)?;
    log.configure(&settings.log(Way::Direct)?);
    let queue = &settings.params.layout.queue_directory;
    std::env::set_current_dir(queue).map_err(|error| Fatal::new(format!("chdir {queue}: {error}")))?;
    let locks = Locks::take(&settings)?;
    privsep::allow_descriptors(DESCRIPTORS)?;
    settings.warn();
    for lack in privsep::kernel_lacks() {
        tracing::warn!("this kernel has no {lack}: daemons run without that part of their confinement");
    }
    let signals = Signals::new(&HEARD)?;
    if options.mode != Mode::Debug {
        let keep = if options.mode == Mode::Usual { Streams::Closed } else { Streams::Output };
        privsep::redirect_streams(keep)?;
    }
    log.echo(Echo::Off);
    let mut supervisor = Supervisor::new(settings, options, log.clone(), Manager::new());
    supervisor.open(Instant::now())?;
    let settings = supervisor.settings();
    log.configure(&settings.log(Way::Service)?);
    let version = &settings.params.identity.mail_version;
    tracing::info!("daemon started -- version {version}, configuration {}", settings.directory.display());
    supervisor.manager().tell("READY=1");
    if let Some(begun) = begun.take() {
        begun.tell();
    }
    let code = supervisor.supervise(signals)?;
    drop(locks);
    Ok(code)
}

fn settings(options: &Options) -> Result<Settings, Fatal> {
    let named = options.directory.as_ref().and_then(|directory| directory.to_str());
    Settings::read(&config::config_directory(named))
}

/// The lock file below the queue directory.
fn pid_file(settings: &Settings) -> String {
    format!("{}/master.pid", settings.params.layout.process_id_directory)
}

/// The locks, held until the end.
struct Locks(#[expect(dead_code, reason = "held")] [File; 2]);

impl Locks {
    fn take(settings: &Settings) -> Result<Self, Fatal> {
        let pid = lock::take(Path::new(&pid_file(settings)))?;
        let data = Path::new(&settings.params.layout.data_directory).join("master.lock");
        let lock = match &settings.owner {
            Some(owner) => privsep::become_user(&owner.user(), || lock::take(&data))??,
            None => lock::take(&data)?,
        };
        lock::write_pid(&pid)?;
        lock::write_pid(&lock)?;
        Ok(Self([pid, lock]))
    }
}

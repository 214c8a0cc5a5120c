//! sendmail(1): the Sendmail-compatible command, under its names `sendmail`, `mailq` and `newaliases`.
//!
//! It has no rights of its own: messages go by the submission socket or through postdrop(1), other wishes to the program
//! that fulfils them. Whatever
//! goes wrong ends with status 75, so that programs try again.

mod channel;
mod message;
mod options;
mod submit;

use command::{Caller, Context, Fatal, Program, is_anyone};
use config::{Source, params};
use mailq::{People, Queue};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::options::{Extract, Mode, Options, Refusal};

/// Exit status of every failure.
const EX_TEMPFAIL: u8 = 75;

config::bundle! {
    /// All that this command may know.
    pub struct Params {
        layout: params::Layout,
        queue: params::Queue,
        ipc: params::Ipc,
        sendmail: params::Sendmail,
        verp: params::Verp,
    }
}

/// Runs the command.
#[must_use]
pub fn run() -> ExitCode {
    Program::new("sendmail").fatal_status(EX_TEMPFAIL).goes_by_links().logs_mistakes().run(obey)
}

fn obey(context: &mut Context) -> Result<ExitCode, Fatal> {
    let options = options::parse(&context.called_as, &context.words()).map_err(|refusal| match refusal {
        Refusal::Usage(usage) => {
            context.complain(&usage);
            Fatal::new(format!("usage: {} [options]", context.called_as))
        }
        Refusal::Other(reason) => Fatal::new(reason),
    })?;
    let directory = options.config.as_deref().map(config_directory);
    let source = context.source(directory.as_deref())?;
    for warning in &options.warnings {
        tracing::warn!("{warning}");
    }
    let params: Params = context.params(&source)?;
    enter(&params.layout.queue_directory)?;
    if let Some(delimiters) = &options.verp {
        submit::verp(delimiters, &params)?;
    }
    if let Some(reason) = misplaced(&options) {
        return Err(Fatal::new(reason));
    }
    if options.interval && options.mode != Mode::Daemon {
        return Ok(ExitCode::SUCCESS);
    }
    forbid_recipients(&options)?;
    let config = source.directory();
    match &options.mode {
        Mode::Submit => deliver(&options, &params, &source),
        Mode::Nothing => Ok(ExitCode::SUCCESS),
        Mode::Mailq => mailq(&params, config),
        Mode::Flush => execute(&command(&params, "postqueue"), &["-f"], config),
        Mode::Daemon => begin(&command(&params, "postfix"), &["start"], config),
        Mode::Smtp => {
            authorize(&params, &source)?;
            let program = Path::new(&params.layout.daemon_directory).join("smtpd");
            execute(&program, &["-S"], config)
        }
        Mode::Newaliases => newaliases(&options, &params, config),
    }
}

/// Enters the queue directory, from which all names are meant; where that cannot be there is no mail system to serve.
fn enter(queue_directory: &str) -> Result<(), Fatal> {
    std::env::set_current_dir(queue_directory)
        .map_err(|error| Fatal::new(format!("chdir {queue_directory}: {}", command::said(&error))))
}

/// Lists the queue: at once where showq(8) lets the caller in, else by postqueue(1), which has the group's right to ask, and
/// knows what to do while the mail system is down.
fn mailq(params: &Params, config: &Path) -> Result<ExitCode, Fatal> {
    let socket = Path::new(&params.layout.queue_directory).join("public").join(&params.ipc.showq_service_name);
    if is_anyone(&params.sendmail.authorized_mailq_users)
        && let Ok(queue) = Queue::connect(&socket, params.ipc.ipc_timeout)
    {
        let mut report = People::default().with_long_ids(params.queue.enable_long_queue_ids);
        queue.list(&mut report, &mut command::output())?;
        return Ok(ExitCode::SUCCESS);
    }
    execute(&command(params, "postqueue"), &["-p"], config)
}

/// Has something delivered: of what is queued, or what is on standard input.
fn deliver(options: &Options, params: &Params, source: &Source) -> Result<ExitCode, Fatal> {
    let config = source.directory();
    if let Some(site) = &options.site {
        return execute(&command(params, "postqueue"), &["-s", site], config);
    }
    if let Some(id) = &options.message {
        return execute(&command(params, "postqueue"), &["-i", id], config);
    }
    authorize(params, source)?;
    submit::submit(options, params, config)?;
    submit::announce(options, &mut std::io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses who may not submit, before anything is read.
fn authorize(params: &Params, source: &Source) -> Result<(), Fatal> {
    let users = &params.sendmail.authorized_submit_users;
    if is_anyone(users) { Ok(()) } else { Caller::find()?.may_submit(users, source) }
}

/// Refuses recipients where they have no meaning.
fn forbid_recipients(options: &Options) -> Result<(), Fatal> {
    let alone = match options.mode {
        Mode::Mailq => "display queue mode",
        Mode::Flush => "flush queue mode",
        Mode::Daemon => "daemon mode",
        Mode::Smtp => "stand-alone mode",
        Mode::Newaliases => "alias initialization mode",
        Mode::Submit if options.site.is_some() => "flush site",
        Mode::Submit if options.message.is_some() => "flush queue_id",
        Mode::Submit | Mode::Nothing => return Ok(()),
    };
    if options.recipients.is_empty() { Ok(()) } else { Err(Fatal::new(format!("{alone} requires no recipient"))) }
}

/// What is said of an option that has no meaning beside others.
fn misplaced(options: &Options) -> Option<&'static str> {
    let extracts = options.extract == Extract::Header;
    let flushes = options.site.is_some() || options.message.is_some();
    let submits = options.mode == Mode::Submit;
    if options.verify {
        match options {
            _ if extracts && submits && !flushes => return Some("-t option cannot be used with -bv"),
            Options { notify, .. } if !notify.is_unset() => return Some("-N option cannot be used with -bv"),
            Options { ret: Some(_), .. } => return Some("-R option cannot be used with -bv"),
            Options { verbose: 1, .. } => return Some("-v option cannot be used with -bv"),
            _ => {}
        }
    }
    if submits {
        return None;
    }
    match flushes {
        _ if extracts => Some("-t can be used only in delivery mode"),
        true if options.site.is_some() => Some("-qR can be used only in delivery mode"),
        true => Some("-qI can be used only in delivery mode"),
        false => None,
    }
}

/// `-C` names main.cf or its directory.
fn config_directory(given: &str) -> String {
    let path = Path::new(given);
    match path.parent() {
        Some(parent) if path.file_name().is_some_and(|name| name == "main.cf") => parent.display().to_string(),
        _ => given.to_owned(),
    }
}

fn command(params: &Params, name: &str) -> PathBuf {
    Path::new(&params.layout.command_directory).join(name)
}

/// Becomes another program.
fn execute(program: &Path, arguments: &[&str], config: &Path) -> Result<ExitCode, Fatal> {
    let error = Command::new(program).args(arguments).env("MAIL_CONFIG", config).exec();
    Err(Fatal::new(format!("execute {}: {error}", program.display())))
}

/// Starts another program, and does not wait for it.
fn begin(program: &Path, arguments: &[&str], config: &Path) -> Result<ExitCode, Fatal> {
    match Command::new(program).args(arguments).env("MAIL_CONFIG", config).spawn() {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Fatal::new(format!("execute {}: {error}", program.display()))),
    }
}

fn newaliases(options: &Options, params: &Params, config: &Path) -> Result<ExitCode, Fatal> {
    let databases = match &options.alias_database {
        Some(database) => vec![database.clone()],
        None => params.sendmail.alias_database.clone(),
    };
    if databases.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let arguments: Vec<&str> = std::iter::once("--").chain(databases.iter().map(String::as_str)).collect();
    execute(&command(params, "postalias"), &arguments, config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{Group, Source};

    #[test]
    fn wishes_that_do_not_go_together_are_refused() {
        for (arguments, refusal) in [
            ("-bp -t", Some("-t can be used only in delivery mode")),
            ("-bp -qRx.test", Some("-qR can be used only in delivery mode")),
            ("-qIABC -q", Some("-qI can be used only in delivery mode")),
            ("-qIABC a", Some("flush queue_id requires no recipient")),
            ("-qRx.test a", Some("flush site requires no recipient")),
            ("-bv -t", Some("-t option cannot be used with -bv")),
            ("-v -bv a", Some("-v option cannot be used with -bv")),
            ("-v -bv -N never a", Some("-N option cannot be used with -bv")),
            ("-t -bv -N never", Some("-t option cannot be used with -bv")),
            ("-bp -bv -N success,delay", Some("-N option cannot be used with -bv")),
            ("-bv -R full a", Some("-R option cannot be used with -bv")),
            ("-bv -N never -N bad a", None),
            ("-bv -N bad a", None),
            ("-bp -bv a", Some("display queue mode requires no recipient")),
            ("-bs a", Some("stand-alone mode requires no recipient")),
            ("-qRx.test -t", None),
            ("-qRx.test -bv", None),
            ("-bv a", None),
            ("-bh a", None),
        ] {
            let words: Vec<Vec<u8>> = arguments.split(' ').map(Vec::from).collect();
            let options = options::parse("sendmail", &words).unwrap();
            let said = misplaced(&options).map(str::to_owned);
            let said = said.or_else(|| forbid_recipients(&options).err().map(|error| error.to_string()));
            assert_eq!(said.as_deref(), refusal, "{arguments}");
        }
    }

    #[test]
    fn what_only_daemons_read_keeps_nobody_from_submitting() {
        let text = "maximal_queue_lifetime = 5 d\nbounce_queue_lifetime = x\ndelay_warning_time = 4hours\n\
                    confirm_delay_cleared = true\nhopcount_limit = x\nbiff = true\nbounce_size_limit = 5k\n\
                    allow_min_user = 1\nconnection_cache_ttl_limit = -1\nalways_add_missing_headers = on\n";
        let source = Source::parse(Path::new("/etc/postfix"), text).unwrap();
        source.check().unwrap();
        assert!(source.get::<Params>().is_ok());
        assert!(Params::rows().iter().all(|row| !text.contains(&format!("{} =", row.name))));
    }
}

//! postalias(1): makes and queries alias databases.
//!
//! The sources are aliases(5): `name: value, value`. Names are kept in quoted form, values as they will be parsed
//! again when they are looked up.

mod tokens;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use command::{Context, Fatal, Program};
use table::Environment;
use table::source::{Line, Place};
use table::upkeep::{Craft, Failure, Making, Options, Shown, Work};

const LETTERS: &str = "c:d:fFijnNopq:rsuvw";

/// Runs the command.
#[must_use]
pub fn run() -> ExitCode {
    Program::new("postalias").run(|context| work(context))
}

fn usage(context: &Context) -> Fatal {
    Fatal::new(format!(
        "usage: {} [-Nfijnoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
        context.called_as
    ))
}

fn work(context: &Context) -> Result<ExitCode, Fatal> {
    let given = context.options(LETTERS).map_err(|_| usage(context))?;
    let source = context.source(given.value('c'))?;
    let options =
        Options::read(&given.given, Shown::Alias, Environment::of(&source))?.with_bytes(|key| context.bytes(key));
    if given.operands.is_empty() {
        return Err(usage(context));
    }
    let identity: config::params::Identity = context.params(&source)?;
    let complete = |making: &mut Making| sign(making, &identity.myhostname);
    let craft = Craft { fill: &fill, complete: &complete, as_owner: &as_owner };
    let mut output = command::output();
    let found = options.perform(&given.operands, &craft, &mut io::stdin().lock(), &mut output)?;
    output.flush()?;
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn fill(making: &mut Making, line: &Line, path: &str) -> Result<(), Failure> {
    let place = Place { path, line: line.number };
    match tokens::entry(&line.text) {
        Ok((name, value)) => making.add(&name, &value, place)?,
        Err(mistake) => tracing::warn!("{place}: {mistake}"),
    }
    Ok(())
}

/// The entries by which sendmail and NIS know a complete database.
fn sign(making: &mut Making, myhostname: &str) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    making.sign(b"@", b"@")?;
    making.sign(b"YP_LAST_MODIFIED", format!("{:010}", now.as_secs()).as_bytes())?;
    Ok(making.sign(b"YP_MASTER_NAME", myhostname.as_bytes())?)
}

fn as_owner(uid: u32, gid: u32, work: &mut Work<'_>) -> Result<(), Failure> {
    let user = privsep::User::of_ids(uid, gid);
    privsep::become_user(&user, work).map_err(|error| Failure::Rights(error.to_string()))?
}

//! postmap(1): makes and queries lookup tables.
//!
//! A table is made from `key value` lines by the owner of its source, and is put in place as a whole. Queries ask
//! for the key as it is given; the daemons' own order of partial keys is theirs.

mod message;

use std::io::{self, Write};
use std::process::ExitCode;

use command::{Context, Fatal, Program};
use table::Environment;
use table::environment::Text;
use table::source::{Line, Place, entry};
use table::upkeep::{Action, Asking, Craft, Failure, Keys, Making, Options, Shown, Work};

use message::Wanted;

const LETTERS: &str = "bc:d:fFhijmnNopq:rsuUvw";

/// Runs the command.
#[must_use]
pub fn run() -> ExitCode {
    Program::new("postmap").run(|context| work(context))
}

fn usage(context: &Context) -> Fatal {
    Fatal::new(format!(
        "usage: {} [-bfFhijmnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
        context.called_as
    ))
}

fn work(context: &Context) -> Result<ExitCode, Fatal> {
    let given = context.options(LETTERS).map_err(|_| usage(context))?;
    let source = context.source(given.value('c'))?;
    let mut options =
        Options::read(&given.given, Shown::Text, Environment::of(&source))?.with_bytes(|key| context.bytes(key));
    if "bhm".chars().any(|letter| given.has(letter)) && options.action != Action::Query(Keys::Lines) {
        return Err(Fatal::new("specify -b -h or -m only with \"-q -\""));
    }
    if given.operands.is_empty() {
        return Err(usage(context));
    }
    let mut output = command::output();
    let mut input = io::stdin().lock();
    let found = match Wanted::read(given.has('b'), given.has('h'), given.has('m')) {
        None => {
            let craft = Craft { fill: &fill, complete: &|_| Ok(()), as_owner: &as_owner };
            options.perform(&given.operands, &craft, &mut input, &mut output)?
        }
        Some(wanted) => {
            if !given.has('U') {
                options.environment.text = Text::Bytes;
            }
            wanted.find(&mut Asking::new(&given.operands, &options), &mut input, &mut output)?
        }
    };
    output.flush()?;
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn fill(making: &mut Making, line: &Line, path: &str) -> Result<(), Failure> {
    let place = Place { path, line: line.number };
    match entry(&line.text, place) {
        Some((key, value)) => Ok(making.add(key, value, place)?),
        None => Ok(()),
    }
}

fn as_owner(uid: u32, gid: u32, work: &mut Work<'_>) -> Result<(), Failure> {
    let user = privsep::User::of_ids(uid, gid);
    privsep::become_user(&user, work).map_err(|error| Failure::Rights(error.to_string()))?
}

//! postconf(1): shows and edits the configuration.
//!
//! Shows main.cf with defaults and expansion, and master.cf as entries, fields and parameters; warns of names that
//! nothing uses or that do not exist; edits both files in place of the administrator. A file is written beside the old one
//! and renamed, so that no reader sees half of it. Comments and the order of entries are kept.

mod builtin;
mod deprecated;
mod dictionary;
mod display;
mod edit_main;
mod edit_master;
mod known;
mod layout;
mod lines;
mod options;
mod screen;
mod service;
mod templates;

use options::{Action, Mode, Options};
use screen::{Fatal, Screen};
use std::process::ExitCode;

/// Does what the command line says. Its first word is the name of the program.
pub fn run(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let mut screen = Screen::new(arguments.next().as_deref().unwrap_or("postconf"));
    match Options::parse(arguments).and_then(|options| obey(&options, &mut screen)) {
        Ok(()) => screen.finish(),
        Err(fatal) => screen.fatal(&fatal),
    }
}

fn obey(options: &Options, screen: &mut Screen) -> Result<(), Fatal> {
    screen.quiet = options.has('q');
    match (options.mode, options.action) {
        (Mode::Main, Action::Edit | Action::Remove | Action::Comment) => edit_main::run(options, screen),
        (Mode::Main, Action::Show) => display::main_cf(options, screen),
        (Mode::Entries | Mode::Fields | Mode::Parameters, Action::Show) => display::master_cf(options, screen),
        (Mode::Entries | Mode::Fields | Mode::Parameters, _) => edit_master::run(options, screen),
        (Mode::Server, _) => builtin::list(screen, &["cyrus", "dovecot"]),
        (Mode::Client, _) => builtin::list(screen, &["cyrus"]),
        (Mode::Locks, _) => builtin::list(screen, &["flock", "fcntl", "dotlock"]),
        (Mode::Tables, _) => builtin::tables(screen),
        (Mode::Tls, _) => builtin::tls(options, screen),
        (Mode::Texts | Mode::Templates, _) => templates::show(options, screen),
    }
}

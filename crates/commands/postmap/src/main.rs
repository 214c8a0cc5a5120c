//! postmap(1): makes and queries lookup tables.
//!
//! # Synopsis
//!
//!     postmap [-bfFhijmnoprsuUvwN] [-c DIR] [-d KEY] [-q KEY] [TYPE:]FILE...
//!
//! # Description
//!
//! Makes an indexed table of a source of `key value` lines, or asks, changes or lists a table of any type. Lines that begin
//! with white space continue the line before; empty lines and those that begin with `#` are skipped. The type is that of
//! `default_database_type` unless one is given. The table is made by the owner of its source, with its modes, and takes the
//! place of the old one as a whole, so that daemons never see half of it.
//!
//! Queries ask for the key as it is given. The order in which daemons try parts of addresses is theirs: see access(5),
//! virtual(5) and the like.
//!
//! # Options
//!
//! - `-b`: apply queries to the body of the message on standard input, as body_checks(5) does; with `-m`, body parts as MIME says.
//! - `-c DIR`: the configuration directory.
//! - `-d KEY`: remove an entry; `-` reads keys from standard input. The status is 1 if none was there.
//! - `-f`: do not fold keys to lower case.
//! - `-F`: values are names of files; their content, in base64, becomes the value.
//! - `-h`: apply queries to the header of the message on standard input, as header_checks(5) does.
//! - `-i`: add entries from standard input to an existing table.
//! - `-j`: write lists and answers as JSON.
//! - `-m`: with `-b` or `-h`, know MIME.
//! - `-n`: do not end keys and values with a null byte; `-N` does. By default look-ups try both.
//! - `-o`: do not become the owner of the source.
//! - `-p`: do not take over the modes of the source.
//! - `-q KEY`: print the value of a key; `-` reads keys from standard input. The status is 1 if nothing was found.
//! - `-r`: replace entries that are there already, without a warning.
//! - `-s`: list all entries.
//! - `-U`: force SMTPUTF8 handling of keys in messages.
//! - `-u`: text need not be UTF-8.
//! - `-v`: be verbose.
//! - `-w`: do not warn of entries that are there already; the first one is kept in any case.
//!
//! # Examples
//!
//!     postmap lmdb:/etc/postfix/access
//!     postmap -q user@example.com lmdb:/etc/postfix/virtual
use std::process::ExitCode;

fn main() -> ExitCode {
    postmap::run()
}

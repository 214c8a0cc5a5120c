//! postalias(1): makes and queries alias databases.
//!
//! # Synopsis
//!
//!     postalias [-fijmnoprsuvwN] [-c DIR] [-d KEY] [-q KEY] [TYPE:]FILE...
//!
//! # Description
//!
//! Makes an indexed alias database of a source in the form of aliases(5), `name: value, value`, or asks, changes or lists one.
//! Names are folded to lower case and kept in quoted form. The type is that of `default_database_type` unless one is given. The
//! database is made beside the old one by the owner of its source, and takes its place as a whole.
//!
//! `newaliases`, a name of sendmail(1), makes every database of `alias_database`.
//!
//! # Options
//!
//! - `-c DIR`: the configuration directory.
//! - `-d KEY`: remove an entry; `-` reads keys from standard input. The status is 1 if none was there.
//! - `-f`: do not fold keys to lower case.
//! - `-i`: add entries from standard input to an existing database.
//! - `-j`: write lists and answers as JSON.
//! - `-n`: do not end names and values with a null byte; `-N` does. By default what an existing database does is done.
//! - `-o`: do not become the owner of the source.
//! - `-p`: do not take over the modes of the source.
//! - `-q KEY`: print the value of a key; `-` reads keys from standard input. The status is 1 if nothing was found.
//! - `-r`: replace entries that are there already, without a warning.
//! - `-s`: list all entries.
//! - `-u`: text need not be UTF-8.
//! - `-v`: be verbose.
//! - `-w`: do not warn of entries that are there already; the first one is kept in any case.
//!
//! # Files
//!
//! - `/etc/aliases`: the usual source.
use std::process::ExitCode;

fn main() -> ExitCode {
    postalias::run()
}

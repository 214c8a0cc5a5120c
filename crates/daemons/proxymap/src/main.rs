//! proxymap(8): looks up tables for other daemons.
//!
//! # Description
//!
//! Daemons that are in a jail, or too many to open every table, ask it for tables of the type `proxy:`. It serves only tables that
//! `proxy_read_maps` names with `proxy:`. Under the name `proxywrite` it changes tables too, for one client at a time, those of
//! `proxy_write_maps`. It runs with the rights of `mail_owner`, outside the jail.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<proxymap::Proxymap>()
}

//! postconf(1): shows and edits the configuration.
//!
//! # Synopsis
//!
//!     postconf [-dfhHjnopqvx] [-C CLASS] [-c DIR] [-o NAME=VALUE] [NAME...]
//!     postconf [-e] [-c DIR] NAME=VALUE...
//!     postconf -X|-# [-c DIR] NAME...
//!     postconf -M|-F|-P [-fhHjovx] [-c DIR] [SERVICE[/TYPE[/FIELD]]...]
//!     postconf -M|-F|-P [-e] [-c DIR] SERVICE/TYPE[/FIELD]=VALUE...
//!     postconf -MX|-M#|-PX [-c DIR] SERVICE/TYPE[/PARAMETER]...
//!     postconf -a|-A|-l|-m|-T MODE|-b [FILE]|-t [FILE]
//!
//! # Description
//!
//! Without options it shows the parameters that are named, or all, with their values in main.cf or their defaults. With
//! operands of the form `NAME=VALUE` it changes main.cf. Comments, the order of entries, owner and modes stay; the new file is
//! written beside the old one and takes its place, so that nobody reads half of it.
//!
//! It warns of what is set but used by nothing, of names that are referred to but not set, of comments behind values, and
//! of settings that something else should be used for. With `-n` it also names the parameters that are accepted here
//! but have no effect.
//!
//! # Options for main.cf
//!
//! - `-c DIR`: the configuration directory, otherwise `MAIL_CONFIG` or `/etc/postfix`.
//! - `-C CLASS`: only parameters of some classes: `builtin`, `service` (named after services of master.cf), `user`, `all`.
//! - `-d`: show defaults instead of values.
//! - `-e`: set parameters; the default where an operand has an equals sign.
//! - `-f`: fold long lines.
//! - `-h`: show values without names; `-H`: names without values.
//! - `-j`: show each as a JSON object on a line of its own.
//! - `-n`: only what main.cf sets.
//! - `-o NAME=VALUE`: as if main.cf had this.
//! - `-p`: main.cf is meant; the default.
//! - `-q`: no warnings.
//! - `-v`: show file and line of each value that is set in main.cf or in a file of `main.cf.d`.
//! - `-x`: expand `$name` in values.
//! - `-X`: remove entries from main.cf.
//! - `-#`: make entries of main.cf comments.
//!
//! # Options for master.cf
//!
//! - `-M`: show entries; set with `-e`, remove with `-MX`, comment out with `-M#`.
//! - `-F`: show fields: service, type, private, unprivileged, chroot, wakeup, process_limit, command; or set them.
//! - `-P`: show the parameters that services set with `-o`; set, or remove them with `-PX`.
//! - `-PP`: show also what services leave to main.cf; with `-x`, as each of them sees it.
//!
//! `*` stands for any service, type or field where entries are shown, and for any service or type where fields and
//! parameters are set.
//!
//! # Options for what is built in
//!
//! - `-a`: types of SASL servers; `-A`: of SASL clients.
//! - `-b [FILE]`: the texts of notices, with values filled in; `-t [FILE]`: as templates.
//! - `-l`: ways to lock a mailbox.
//! - `-m`: types of lookup tables.
//! - `-T MODE`: what the TLS library is: `compile-version`, `run-version`, `public-key-algorithms`.
//!
//! # Files that add to main.cf and master.cf
//!
//! Files in `main.cf.d` and `master.cf.d` whose names end with `.cf` are read after main.cf and master.cf, in the order of their
//! names, and what is read later wins. Edits always go to main.cf and master.cf; where a file of `main.cf.d` sets the same
//! parameter, a warning says that the edit does not count.
//!
//! # Files
//!
//! - `/etc/postfix/main.cf`: parameters.
//! - `/etc/postfix/master.cf`: services.

fn main() -> std::process::ExitCode {
    postconf::run(std::env::args())
}

//! What pages say of parameters: all of them in postconf(5), and in a program's page those that its code names.

use super::roff::QUOTE;
use anyhow::Result;
use config::{Kind, Row, Standing};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Libraries whose parameters a program has when it uses them.
const SHARED: [&str; 2] = ["delivery", "dns"];
/// Functions of the library `service`, each in a file of its name, whose parameters a daemon has when it calls them.
const CALLED: [&str; 1] = ["postmaster"];

/// The longest default that stands beside a name.
const SHORT: usize = 40;

/// Every parameter, by name.
pub(super) fn all() -> String {
    let mut rows: Vec<Row> = config::params::all().filter(|row| row.standing != Standing::Hidden).collect();
    rows.sort_by_key(|row| row.name);
    let mut text = "\n# Configuration parameters\n\n".to_owned();
    for row in rows {
        text.push_str(&entry(&row));
    }
    let mut former: Vec<&str> = config::params::all()
        .filter(|row| row.standing == Standing::Hidden && !row.name.starts_with("transport_"))
        .map(|row| row.name)
        .collect();
    former.sort_unstable();
    let families = config::params::all().filter(|row| row.name.starts_with("transport_"));
    text.push_str(
        "\n# Parameters of one transport\n\nIn these, `transport` stands for the name of a service of master.cf.\n\n",
    );
    text.push_str(&families.map(|row| entry(&row)).collect::<String>());
    text.push_str("\n# Former names\n\nThese count where the parameter that replaced them has its default:\n");
    text.push_str(&former.join(", "));
    text.push_str(".\n\n# See also\n\nmaster(5), postconf(1), postfix(1)\n");
    text
}

/// The parameters of a program, and where to read on.
pub(super) fn of_program(folder: &Path, is_service: bool) -> Result<String> {
    let program = code(&folder.join("src"), &[])?;
    let mut words = words(&program);
    let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
    let libraries = crate::project().join("crates/libs");
    for library in SHARED.iter().filter(|library| manifest.contains(&format!("\n{library}.workspace"))) {
        words.extend(self::words(&code(&libraries.join(library).join("src"), &[])?));
    }
    for function in CALLED.iter().filter(|function| program.contains(&format!("service::{function}("))) {
        let text = fs::read_to_string(libraries.join(format!("service/src/{function}.rs")))?;
        words.extend(self::words(&bare(&text)));
    }
    let mut text = String::new();
    let own = named(&words);
    if !own.is_empty() {
        text.push_str("\n# Configuration parameters\n\nThe parameters of main.cf that this program reads; postconf(5) has all of them.\n");
        if own.iter().any(|row| row.name.starts_with("smtp_tls_")) && is_service {
            text.push_str(
                "A program named lmtp reads those that begin with `smtp_` under names that begin with `lmtp_`.\n",
            );
        }
        text.push('\n');
        own.iter().for_each(|row| text.push_str(&entry(row)));
    }
    if is_service {
        let every = code(&libraries.join("service/src"), &CALLED)?;
        let shared: Vec<&str> = named(&self::words(&every)).iter().map(|row| row.name).collect();
        text.push_str(&format!("\nEvery daemon also reads: {}.\n", shared.join(", ")));
        text.push_str("\n# See also\n\nmaster(5), postconf(5), master(8), postconf(1), postlogd(8)\n");
    } else {
        text.push_str("\n# See also\n\npostfix(1), postconf(1), postconf(5), master(5)\n");
    }
    Ok(text)
}

/// The parameters that have an effect and are among the words.
fn named(words: &BTreeSet<String>) -> Vec<Row> {
    let mut rows: Vec<Row> = config::params::all()
        .filter(|row| row.standing == Standing::Active)
        .filter(|row| words.contains(row.name) || words.contains(row.field))
        .collect();
    rows.sort_by_key(|row| row.name);
    rows
}

/// The code below a folder, tests and comments apart, without the files of these names.
fn code(folder: &Path, without: &[&str]) -> Result<String> {
    let mut all = String::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_left_out = path.file_stem().is_some_and(|stem| without.iter().any(|name| stem == *name));
        if path.is_dir() {
            all.push_str(&code(&path, without)?);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
            && !is_left_out
        {
            all.push_str(&bare(&fs::read_to_string(&path)?));
        }
    }
    Ok(all)
}

/// The code of a file, tests and comments apart.
fn bare(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect()
}

/// The words of code.
fn words(code: &str) -> BTreeSet<String> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
}

/// A parameter as an item of a list.
fn entry(row: &Row) -> String {
    let kind = match row.kind {
        Kind::Bool => "yes or no",
        Kind::Int => "a number",
        Kind::Size => "a size or count",
        Kind::Duration => "a time",
        Kind::Text => "text",
        Kind::Host => "a host name",
        Kind::Raw => "text that is expanded when it is used",
        Kind::List => "a list",
        Kind::Words => &format!("some of {}", row.words.replace(' ', ", ")),
        Kind::TableList => "lookup tables",
    };
    let numeric = matches!(row.kind, Kind::Int | Kind::Size | Kind::Duration);
    let unit = if row.kind == Kind::Duration { "s" } else { "" };
    let range = match (row.min, row.max) {
        (Some(min), Some(max)) if numeric => format!(", from {min}{unit} to {max}{unit}"),
        (Some(min), None) if numeric => format!(", at least {min}{unit}"),
        (Some(1), None) => ", not empty".to_owned(),
        _ => String::new(),
    };
    let standing = match row.standing {
        Standing::Inert => " Accepted without effect.",
        Standing::Active | Standing::Hidden => "",
    };
    let default = row.default.replace('`', &QUOTE.to_string());
    let (behind_name, behind_text) = match default.as_str() {
        "" => (" (default: empty)".to_owned(), String::new()),
        short if short.len() <= SHORT => (format!(" (default: {short})"), String::new()),
        long => (String::new(), format!(" The default is {long}")),
    };
    format!("- `{}`{behind_name}: {} Value: {kind}{range}.{standing}{behind_text}\n", row.name, row.doc.trim())
}

//! Larger tables: made, opened, asked.
#![expect(clippy::expect_used, reason = "a benchmark without its table has nothing to say")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use table::store::{self, Purpose};
use table::{Environment, Table};
use testkit::growth::curve;

/// Keys asked for, whatever the size: what a table costs per look-up must hardly grow.
const ASKED: usize = 1000;

fn open(spec: &str) -> Box<dyn Table> {
    table::open(spec, &Environment::default()).expect("table")
}

fn ask(table: &dyn Table, keys: usize, key: impl Fn(usize) -> String) -> usize {
    (0..keys).filter(|&n| matches!(table.lookup(key(n).as_bytes()).block(), Ok(Some(_)))).count()
}

fn text(folder: &Path, kind: &str, size: usize, line: impl Fn(usize) -> String) -> String {
    let path = folder.join(format!("{kind}-{size}"));
    let mut text = String::new();
    for number in 0..size {
        let _ = writeln!(text, "{}", line(number));
    }
    std::fs::write(&path, text).expect("source");
    format!("{kind}:{}", path.display())
}

/// Tables that are read whole.
fn rules(folder: &Path, kind: &str, line: fn(usize) -> String, key: fn(usize) -> String) {
    let sizes = [100, 1000, 10_000];
    let spec = |size| text(folder, kind, size, line);
    curve(&format!("table: {kind} of N rules opened"), &sizes, spec, |spec| open(spec));
    let opened = |size| open(&spec(size));
    curve(&format!("table: {kind} of N rules, asked for {ASKED}"), &sizes, opened, |table| ask(&**table, ASKED, key));
    curve(
        &format!("table: {kind} of N rules, asked for N"),
        &sizes,
        |size| (size, opened(size)),
        |(size, table)| ask(&**table, *size, key),
    );
}

fn made(spec: &str, size: usize) {
    let mut table = store::open(spec, Purpose::Create { mode: 0o600 }, &Environment::default()).expect("table");
    for number in 0..size {
        table.put(user(number).as_bytes(), b"value", false).expect("put");
    }
    table.save().expect("save");
}

fn user(number: usize) -> String {
    format!("user{number}@example.com")
}

/// Tables that postmap makes.
fn stored(folder: &Path, kind: &str) {
    let sizes = [1000, 10_000, 100_000];
    let path: PathBuf = folder.join(kind);
    let spec = format!("{kind}:{}", path.display());
    curve(&format!("table: {kind} of N entries made"), &sizes, |size| size, |size| made(&spec, *size));
    let opened = |size| {
        made(&spec, size);
        (size, open(&spec))
    };
    curve(&format!("table: {kind} of N entries, asked for N"), &sizes, opened, |(size, table)| {
        ask(&**table, *size, user)
    });
}

fn network(number: usize) -> String {
    format!("10.{}.{}.0/24 OK", number / 256, number % 256)
}

fn main() {
    let folder = tempfile::tempdir().expect("folder");
    let folder = folder.path();
    rules(folder, "texthash", |n| format!("{} value", user(n)), user);
    rules(folder, "regexp", |n| format!("/^user{n}@/ OK"), user);
    rules(folder, "pcre", |n| format!("/^user{n}@/ OK"), user);
    rules(folder, "cidr", network, |n| format!("10.{}.{}.1", n / 256, n % 256));
    for kind in ["hash", "lmdb", "cdb"] {
        stored(folder, kind);
    }
}

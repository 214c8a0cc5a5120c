//! Tests of the types of tables: their list, and what the stored ones keep.
use std::process::Command;

use super::*;
use crate::environment::Terminator;
use crate::store;

#[test]
fn types_are_sorted_and_described() {
    assert!(TYPES.is_sorted_by_key(|kind| kind.name));
    for kind in TYPES {
        assert!(!kind.summary.is_empty(), "{}", kind.name);
        assert!(UNSUPPORTED.iter().all(|name| *name != kind.name));
    }
}

#[test]
fn a_missing_file_is_an_error() {
    for kind in ["btree", "cdb", "cidr", "hash", "lmdb", "pcre", "regexp", "texthash"] {
        let error = crate::open(&format!("{kind}:/nonexistent/x"), &Environment::default()).err().unwrap();
        assert!(error.to_string().ends_with(": No such file or directory"), "{kind}: {error}");
        assert!(error.to_string().starts_with("open "), "{kind}: {error}");
    }
}

#[test]
fn names_with_mistakes_are_errors() {
    for (spec, expected) in [
        ("foo:x", "unsupported dictionary type: foo"),
        ("static:", "open dictionary: expecting \"type:name\" form instead of \"static:\""),
        ("inline:none", "bad syntax: \"inline:none\"; need \"inline:{name=value...}\""),
        ("inline:{none}", "missing '=' after attribute name: \"inline:{none}\"; need \"inline:{name=value...}\""),
        ("unionmap:{}", "bad syntax: \"unionmap:{}\"; need \"unionmap:{type:name...}\""),
        ("randmap:a", "bad syntax: \"randmap:a\"; need \"randmap:{value...}\""),
        ("static:{a=b", "bad static:name syntax: missing '}' in \"{a=b\""),
        ("unix:foo", "unknown table: unix:foo"),
        ("regexp:{/a/ x}", "regexp map: no '{' at start of text in \"/a/\""),
        ("regexp:{{/a/ x}", "regexp map: missing '}' in \"{{/a/ x}\""),
        ("socketmap:inet:[::1]:x", "[::1]: missing service information"),
        ("tcp:[::1]25", "[::1]25: garbage after \"]\""),
    ] {
        let error = crate::open(spec, &Environment::default()).err().unwrap();
        assert_eq!(error.to_string(), expected, "{spec}");
    }
}

#[test]
fn composed_tables_combine() {
    let (a, b) = ("inline:{x=1, y=2}", "inline:{x=9, 1=one, 2=two}");
    let find = |spec: String, key: &str| {
        let table = crate::open(&spec, &Environment::default()).unwrap();
        let value = table.lookup(key.as_bytes()).block().unwrap();
        value.map(|value| String::from_utf8(value).unwrap())
    };
    for (key, union, pipe) in [("x", Some("1,9"), Some("one")), ("y", Some("2"), Some("two")), ("z", None, None)] {
        assert_eq!(find(format!("unionmap:{{{a}, {b}}}"), key).as_deref(), union);
        assert_eq!(find(format!("pipemap:{{{a}, {b}}}"), key).as_deref(), pipe);
    }
    let failing = crate::open("unionmap:{static:x, fail:y}", &Environment::default()).unwrap();
    assert!(failing.lookup(b"x").block().is_err());
    assert!(["a", "b"].contains(&find("randmap:{a, b}".to_owned(), "x").unwrap().as_str()));
}

fn create(spec: &str, entries: &[(&str, &str)]) {
    let mut table = store::open(spec, Purpose::Create { mode: 0o600 }, &Environment::default()).unwrap();
    for (key, value) in entries {
        assert_eq!(table.put(key.as_bytes(), value.as_bytes(), false).unwrap(), store::Put::Stored);
    }
    table.save().unwrap();
}

fn list(spec: &str) -> Vec<(String, String)> {
    let mut table = store::open(spec, Purpose::Read, &Environment::default()).unwrap();
    let mut entries = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    while let Some((key, value)) = table.next(after.as_deref()).unwrap() {
        entries.push((String::from_utf8(key.clone()).unwrap(), String::from_utf8(value).unwrap()));
        after = Some(key);
    }
    entries
}

#[test]
fn stored_tables_keep_what_they_are_given() {
    let directory = tempfile::tempdir().unwrap();
    for kind in ["lmdb", "cdb", "hash", "btree"] {
        let spec = format!("{kind}:{}/{kind}", directory.path().display());
        create(&spec, &[("b", "2"), ("a", "1"), ("c", "3")]);
        let table = crate::open(&spec, &Environment::default()).unwrap();
        assert_eq!(table.lookup(b"A").block(), Ok(Some(b"1".to_vec())), "{kind}");
        assert_eq!(table.lookup(b"x").block(), Ok(None), "{kind}");
        assert_eq!(table.lookup(b"").block(), Ok(None), "{kind}");
        let mut entries = list(&spec);
        entries.sort();
        assert_eq!(entries.concat_pairs(), "a1b2c3", "{kind}");
        create(&spec, &[("d", "4")]);
        assert_eq!(list(&spec).concat_pairs(), "d4", "{kind}");
        assert_eq!(table.changed(), kind == "cdb", "{kind}");
    }
}

#[test]
fn a_table_that_was_cut_off_does_not_lack_keys() {
    let directory = tempfile::tempdir().unwrap();
    let spec = format!("cdb:{}/cut", directory.path().display());
    create(&spec, &[("a", "1")]);
    let path = directory.path().join("cut.cdb");
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(crate::open(&spec, &Environment::default()).is_err(), "{length}");
    }
}

#[test]
fn a_damaged_table_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let environment = Environment::default();
    for kind in ["hash", "btree"] {
        let name = format!("{}/{kind}", directory.path().display());
        let spec = format!("{kind}:{name}");
        std::fs::write(format!("{name}.lmdb"), [b'x'; 9000]).unwrap();
        assert!(crate::open(&spec, &environment).is_err());
        assert!(store::open(&spec, Purpose::Amend, &environment).is_err(), "single entries");
        create(&spec, &[("a", "1")]);
        assert_eq!(list(&spec).concat_pairs(), "a1", "{kind}");
    }
}

trait ConcatPairs {
    fn concat_pairs(&self) -> String;
}

impl ConcatPairs for Vec<(String, String)> {
    fn concat_pairs(&self) -> String {
        self.iter().map(|(key, value)| format!("{key}{value}")).collect()
    }
}

#[test]
fn single_entries_change() {
    let directory = tempfile::tempdir().unwrap();
    let spec = format!("lmdb:{}/t", directory.path().display());
    create(&spec, &[("a", "1"), ("b", "2")]);
    let mut table = store::open(&spec, Purpose::Update, &Environment::default()).unwrap();
    assert_eq!(table.put(b"a", b"x", false).unwrap(), store::Put::Duplicate);
    assert_eq!(table.put(b"a", b"y", true).unwrap(), store::Put::Stored);
    assert!(table.delete(b"b").unwrap());
    assert!(!table.delete(b"b").unwrap());
    assert_eq!(list(&spec).concat_pairs(), "a1b2", "not saved yet");
    table.save().unwrap();
    assert_eq!(list(&spec).concat_pairs(), "ay");
}

#[test]
fn a_large_table_outgrows_its_map() {
    let directory = tempfile::tempdir().unwrap();
    let environment = Environment { lmdb_map_size: 65536, ..Environment::default() };
    for purpose in [Purpose::Create { mode: 0o600 }, Purpose::Update] {
        let spec = format!("lmdb:{}/t{}", directory.path().display(), purpose == Purpose::Update);
        let mut table = store::open(&spec, purpose, &environment).unwrap();
        for number in 0..3000 {
            table.put(format!("key{number}").as_bytes(), &[b'v'; 60], false).unwrap();
        }
        table.save().unwrap();
        assert_eq!(list(&spec).len(), 3000, "{purpose:?}");
    }
}

#[test]
fn the_newer_of_two_files_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t");
    let spec = format!("hash:{}", path.display());
    let sample = include_bytes!("../../../engine/src/berkeley/samples/hash-little.db");
    std::fs::write(path.with_extension("db"), sample).unwrap();
    let old = crate::open(&spec, &Environment::default()).unwrap();
    assert_eq!(old.lookup(b"key7").block(), Ok(Some(b"value 7".to_vec())));
    assert_eq!(list(&spec).len(), 62);
    // An update takes over what is there.
    let mut table = store::open(&spec, Purpose::Update, &Environment::default()).unwrap();
    table.put(b"new", b"entry", false).unwrap();
    table.save().unwrap();
    assert!(old.changed());
    let new = crate::open(&spec, &Environment::default()).unwrap();
    assert_eq!(new.lookup(b"new").block(), Ok(Some(b"entry".to_vec())));
    assert_eq!(new.lookup(b"key7").block(), Ok(Some(b"value 7".to_vec())));
    assert!(!new.changed());
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::File::open(path.with_extension("db")).unwrap().set_modified(later).unwrap();
    assert!(new.changed());
    assert_eq!(crate::open(&spec, &Environment::default()).unwrap().lookup(b"new").block(), Ok(None));
}

/// The distribution's postmap, where it is installed, reads what we write and writes what we read.
#[test]
fn files_are_exchanged_with_postfix() {
    let postmap = "/usr/sbin/postmap";
    let is_postfix = Command::new("/usr/sbin/postconf").args(["-dh", "mail_name"]).output();
    if !is_postfix.is_ok_and(|output| output.stdout.starts_with(b"Postfix")) {
        eprintln!("skipped: no Postfix is installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(postmap);
        command.arg("-c").arg(directory.path()).args(arguments).current_dir(directory.path());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    std::fs::write(directory.path().join("main.cf"), "compatibility_level = 3.6\n").unwrap();
    std::fs::write(directory.path().join("source"), "one first value\nTwo second\n").unwrap();
    for kind in ["lmdb", "cdb", "hash", "btree"] {
        for form in ["-o", "-N", "-n"] {
            run(&[form, &format!("{kind}:source")]);
            let spec = format!("{kind}:{}/source", directory.path().display());
            let table = crate::open(&spec, &Environment::default()).unwrap();
            assert_eq!(table.lookup(b"one").block(), Ok(Some(b"first value".to_vec())), "{kind} {form}");
            assert_eq!(table.lookup(b"TWO").block(), Ok(Some(b"second".to_vec())), "{kind} {form}");
            assert_eq!(table.lookup(b"three").block(), Ok(None), "{kind} {form}");
            assert_eq!(list(&spec).len(), 2);
        }
    }
    for kind in ["lmdb", "cdb"] {
        create(&format!("{kind}:{}/ours", directory.path().display()), &[("b", "2 x"), ("a", "1")]);
        assert_eq!(run(&["-q", "b", &format!("{kind}:ours")]), "2 x\n", "{kind}");
    }
    assert_eq!(run(&["-s", "lmdb:ours"]), "a\t1\nb\t2 x\n");
}

#[test]
fn tables_in_memory_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t");
    std::fs::write(&path, "b 2\nA 1\nb 3\n").unwrap();
    let texthash = format!("texthash:{}", path.display());
    for spec in [texthash.as_str(), "inline:{b=2, A=1}"] {
        assert_eq!(list(spec).concat_pairs(), "a1b2", "{spec}");
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let create = Purpose::Create { mode: 0o600 };
    for (spec, purpose, expected) in [
        ("static:x", Purpose::Read, "table static:x: sequence operation is not supported"),
        ("static:x", Purpose::Amend, "table static:x: delete operation is not supported"),
        ("environ:x", Purpose::Amend, "table environ:x: delete operation is not supported"),
        ("inline:{a=b}", Purpose::Amend, "inline:{a=b} map requires O_RDONLY access mode"),
        ("randmap:{a}", Purpose::Amend, "randmap:{a} map requires O_RDONLY access mode"),
        ("inline:{a=b}", create, "unsupported dictionary type: inline does not support bulk-mode creation."),
        ("texthash:/nonexistent", Purpose::Amend, "texthash:/nonexistent map requires O_RDONLY access mode"),
        ("cidr:/nonexistent", Purpose::Amend, "cidr:/nonexistent map requires O_RDONLY access mode"),
        ("cidr:/nonexistent", Purpose::Read, "open /nonexistent: No such file or directory"),
        ("texthash:/nonexistent", Purpose::Read, "open database /nonexistent: No such file or directory"),
    ] {
        let error = store::open(spec, purpose, &Environment::default()).err().unwrap();
        assert_eq!(error.to_string(), expected, "{spec}");
    }
    let mut fail = store::open("fail:x", Purpose::Read, &Environment::default()).unwrap();
    assert_eq!(fail.next(None).unwrap_err().to_string(), "table fail:x: sequence error: Application error");
    assert_eq!(fail.delete(b"a").unwrap_err().to_string(), "table fail:x: delete error: Application error");
    assert_eq!(fail.put(b"a", b"b", true).unwrap_err().to_string(), "table fail:x: write error: Application error");
}

#[test]
fn values_that_name_files_are_their_content() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("content").display().to_string();
    std::fs::write(&path, "hello").unwrap();
    let environment = Environment { values: crate::environment::Values::Files, ..Environment::default() };
    for spec in [
        format!("static:{path}"),
        format!("inline:{{1.2.3.4={path}}}"),
        format!("randmap:{{{path}}}"),
        format!("cidr:{{{{1.2.3.4 {path}}}}}"),
        format!("regexp:{{{{/1/ {path}}}}}"),
        format!("pcre:{{{{/1/ {path}}}}}"),
    ] {
        let table = crate::open(&spec, &environment).unwrap();
        assert_eq!(table.lookup(b"1.2.3.4").block(), Ok(Some(b"aGVsbG8=".to_vec())), "{spec}");
    }
    let table = crate::open(&format!("inline:{{{{a = {path}, {path}}}}}"), &environment).unwrap();
    assert_eq!(table.lookup(b"a").block(), Ok(Some(b"aGVsbG8KaGVsbG8=".to_vec())), "a line end is between files");
    let error = crate::open("inline:{a=/nonexistent}", &environment).err().unwrap().to_string();
    let expected =
        "open /nonexistent: No such file or directory: \"inline:{a=/nonexistent}\"; need \"inline:{name=filename...}\"";
    assert_eq!(error, expected);
}

#[test]
fn terminators_may_be_told() {
    let directory = tempfile::tempdir().unwrap();
    for (kind, other) in [("lmdb", Terminator::Without), ("cdb", Terminator::With)] {
        let spec = format!("{kind}:{}/{kind}", directory.path().display());
        create(&spec, &[("a", "1")]);
        let environment = |terminator| Environment { terminator, ..Environment::default() };
        let find = |terminator| crate::open(&spec, &environment(terminator)).unwrap().lookup(b"a").block().unwrap();
        assert_eq!(find(Terminator::Usual).as_deref(), Some(&b"1"[..]), "{kind}");
        assert_eq!(find(other), None, "{kind}");
    }
}

#[cfg(feature = "servers")]
mod answers {
    use proptest::prelude::*;

    proptest! {
        /// What the fuzz target of the same function tries at length.
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(prop_oneof![Just(0), 0..32_u8, any::<u8>()], 0..200)) {
            super::read_answers(&bytes);
        }

        /// Messages whose lengths fit, as far as each protocol knows them.
        #[test]
        fn whole_messages_are_read(body in proptest::collection::vec(any::<u8>(), 0..100), kind in any::<u8>()) {
            let length = u8::try_from(body.len()).unwrap();
            for start in [
                vec![length, 0, 0, 0],
                vec![kind, 0, 0, 0, length + 4],
                vec![b'$', b'0' + length / 10, b'0' + length % 10, b'\r', b'\n'],
                vec![0x30, length],
                [&[length + 21, 0, 0, 0][..], &[0; 8], &[0xdd, 7, 0, 0, 0, 0, 0, 0, 0]].concat(),
            ] {
                super::read_answers(&[start, body.clone()].concat());
            }
        }
    }
}

//! Files in `main.cf.d` and `master.cf.d` add to main.cf and master.cf; without the folders nothing is different.

use config::Source;
use config::master_cf::{Defaults, Kind, MasterCf};
use std::path::{Path, PathBuf};

#[expect(clippy::unwrap_used, reason = "a test helper")]
/// A configuration directory of this test, with files.
fn directory(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    for (file, text) in files {
        let path = directory.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

#[test]
fn later_files_win() {
    let directory = directory(
        "drop-in-main",
        &[
            ("main.cf", "relayhost = main\nmyorigin = main\nsoft_bounce = yes\n"),
            ("main.cf.d/20-b.cf", "relayhost = b\n"),
            ("main.cf.d/10-a.cf", "# first\nrelayhost = a\nmyorigin = a\n"),
            ("main.cf.d/.hidden.cf", "relayhost = hidden\n"),
            ("main.cf.d/30-c.cf.bak", "relayhost = old\n"),
        ],
    );
    let source = Source::load(&directory).unwrap();
    assert!(source.warnings().is_empty());
    for (name, value, file, line) in [
        ("relayhost", "b", Some("main.cf.d/20-b.cf"), 1),
        ("myorigin", "a", Some("main.cf.d/10-a.cf"), 3),
        ("soft_bounce", "yes", None, 3),
    ] {
        let entry = source.main_cf().get(name).unwrap();
        assert_eq!(entry.value, value);
        assert_eq!((entry.file.clone(), entry.line), (file.map(|file| directory.join(file)), line), "{name}");
    }
}

#[test]
fn a_bad_line_is_complained_about_by_its_file() {
    let directory = directory("drop-in-bad", &[("main.cf", "a = b\n"), ("main.cf.d/x.cf", "nonsense\n")]);
    let error = Source::load(&directory).unwrap_err().to_string();
    assert!(error.contains("main.cf.d/x.cf, line 1: missing '='"), "{error}");
}

#[test]
fn services_are_added_and_replaced() {
    let directory = directory(
        "drop-in-master",
        &[
            ("master.cf", "smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\n"),
            ("master.cf.d/own.cf", "smtp inet n - n - 7 smtpd\nmine unix - n n - - pipe\n  user=x argv=y\n"),
        ],
    );
    let file = MasterCf::read(&directory.join("master.cf"), Defaults::default()).unwrap();
    assert!(file.warnings.is_empty());
    assert_eq!(file.entries.len(), 3);
    assert_eq!(file.find("smtp", Kind::Inet).unwrap().max_processes, Some(7));
    assert_eq!(file.find("mine", Kind::Unix).unwrap().arguments, ["user=x", "argv=y"]);
}

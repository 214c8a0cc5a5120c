//! What happens when nobody reads on.

use std::io::pipe;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

#[test]
fn nothing_is_said_when_the_reader_has_seen_enough() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("main.cf"), "compatibility_level = 3.11\n").unwrap();
    std::fs::write(directory.path().join("master.cf"), "").unwrap();
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_postconf"));
    let child = command.arg("-c").arg(directory.path()).stdout(writer).output().unwrap();
    assert_eq!((String::from_utf8_lossy(&child.stderr).as_ref(), child.status.signal()), ("", Some(13)));
}

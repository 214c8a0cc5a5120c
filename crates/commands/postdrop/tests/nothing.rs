//! What happens where there is nothing to submit.

use std::fs;
use std::process::{Command, Stdio};

#[test]
fn no_input_is_no_message_and_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir(root.join("maildrop")).unwrap();
    let text = format!("compatibility_level = 3.11\nmyhostname = mail.example\nqueue_directory = {}\n", root.display());
    fs::write(root.join("main.cf"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_postdrop"));
    let output = command.arg("-c").arg(root).stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    assert_eq!(fs::read_dir(root.join("maildrop")).unwrap().count(), 0);
}

//! What does not go together on the command line.

use std::process::Command;

#[test]
fn messages_are_looked_up_on_standard_input_only() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("main.cf"), "compatibility_level = 3.11\nmyhostname = mail.example\n")
        .unwrap();
    for arguments in [&["-h"][..], &["-m", "static:y"], &["-m", "-q", "x", "static:y"], &["-b", "-q", "x", "static:y"]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postmap"));
        let output = command.arg("-c").arg(directory.path()).args(arguments).output().unwrap();
        let told = "postmap: fatal: specify -b -h or -m only with \"-q -\"\n";
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
            (Some(1), told),
            "{arguments:?}"
        );
    }
}

//! What the caller learns, and what is left of a message that does not come.

use std::fs;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

/// What postdrop says of this input, with these arguments; and how many files it leaves.
fn run(arguments: &[&str], input: &[u8]) -> io::Result<(Output, usize)> {
    let directory = tempfile::tempdir()?;
    let root = directory.path();
    fs::create_dir(root.join("maildrop"))?;
    let text = format!("compatibility_level = 3.11\nmyhostname = mail.example\nqueue_directory = {}\n", root.display());
    fs::write(root.join("main.cf"), text)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_postdrop"));
    command.arg("-c").arg(root).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // Whoever refuses its arguments does not read.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(input));
    let output = child.wait_with_output()?;
    Ok((output, fs::read_dir(root.join("maildrop"))?.count()))
}

const MESSAGE: &[u8] = b"S\x04a@b.R\x04c@d.M\x00N\x02hiX\x00E\x00";

#[test]
fn no_input_is_no_message_and_no_failure() {
    let (output, files) = run(&[], b"").unwrap();
    assert_eq!((output.status.code(), output.stderr.len(), files), (Some(0), 0, 0));
}

#[test]
fn the_caller_learns_the_queue_id_and_how_it_ended() {
    let (output, files) = run(&["-r"], MESSAGE).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), files), (Some(0), 1), "{said:?}");
    assert!(said.starts_with("protocol\0postdrop_protocol\0queue_id\0"), "{said:?}");
    assert!(said.ends_with("\0\0status\x000\0reason\0\0\0"), "{said:?}");
}

#[test]
fn what_fails_has_the_status_of_a_failure() {
    let (cut, _) = MESSAGE.split_at(20);
    for (arguments, input) in [(&["-z"][..], MESSAGE), (&[], cut), (&[], b"hello\n")] {
        let (output, files) = run(arguments, input).unwrap();
        assert_eq!((output.status.code(), files), (Some(1), 0), "{arguments:?} {output:?}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("status\x000"), "{output:?}");
    }
}

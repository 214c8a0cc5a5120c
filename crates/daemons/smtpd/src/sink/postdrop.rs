//! postdrop(1), which takes mail of a program on standard input while nobody serves the submission socket.
//!
//! The pipes block. The process has the one client, who waits for this.

use std::io::{BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use ipc::postdrop::{self, Verdict};
use tracing::warn;

use super::{Broken, Outcome, write_error};
use crate::access::Fault;

/// One that runs. Without the end of its message it keeps nothing.
#[derive(Debug)]
pub(crate) struct Postdrop {
    child: Child,
    said: BufReader<ChildStdout>,
    pub(crate) id: String,
}

impl Postdrop {
    /// Starts it, and waits until it has a file.
    pub(crate) fn start(command_directory: &str) -> Result<Postdrop, Broken> {
        let path = Path::new(command_directory).join("postdrop");
        let mut child =
            Command::new(&path).arg("-r").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| {
                warn!("unable to execute {} -r: {}", path.display(), crate::system_text(&error));
                Broken
            })?;
        let mut said = BufReader::new(child.stdout.take().ok_or(Broken)?);
        match postdrop::read_greeting(&mut said) {
            Ok(id) => Ok(Postdrop { child, said, id }),
            Err(_) => {
                drop(child.stdin.take());
                tell_failure(&path, &mut child);
                Err(Broken)
            }
        }
    }

    pub(crate) fn write(&mut self, records: &[u8]) -> Result<(), Broken> {
        let pipe = self.child.stdin.as_mut().ok_or(Broken)?;
        pipe.write_all(records).map_err(|error| {
            warn!("write to postdrop: {}", crate::system_text(&error));
            Broken
        })
    }

    /// All is written: waits until it is on disk.
    pub(crate) fn finish(&mut self) -> Outcome {
        drop(self.child.stdin.take());
        match postdrop::read_farewell(&mut self.said) {
            Verdict::Queued => Outcome::Posted(self.id.clone()),
            Verdict::TooLarge => Outcome::Refused(crate::session::content::too_large(), Some(Fault::Bounce)),
            // It has said why.
            Verdict::Failed => Outcome::Refused(write_error(), Some(Fault::Resource)),
        }
    }
}

impl Drop for Postdrop {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn tell_failure(path: &Path, child: &mut Child) {
    if let Ok(status) = child.wait() {
        warn!("command \"{} -r\": {status}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// What becomes of a message that a program takes, and what the program has read.
    fn handed_to(script: &str) -> std::io::Result<(Result<Outcome, Broken>, String)> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("postdrop");
        let text = format!("#!/bin/sh\ncd {}\n{script}", directory.path().display());
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
        let outcome = Postdrop::start(&directory.path().display().to_string()).and_then(|mut postdrop| {
            postdrop.write(b"records")?;
            Ok(postdrop.finish())
        });
        Ok((outcome, std::fs::read_to_string(directory.path().join("read")).unwrap_or_default()))
    }

    #[test]
    fn a_message_is_accepted_only_when_postdrop_says_so() {
        let begin = "printf 'protocol\\0postdrop_protocol\\0queue_id\\0ABC\\0\\0'; cat > read\n";
        let (outcome, read) = handed_to(&format!("{begin}printf 'status\\0000\\0reason\\0\\0\\0'")).unwrap();
        assert!(matches!(&outcome, Ok(Outcome::Posted(id)) if id == "ABC"), "{outcome:?}");
        assert_eq!(read, "records");
        for (end, expected) in
            [("printf 'status\\0004\\0reason\\0\\0\\0'", 552), ("printf 'status\\0001\\0\\0'", 451), ("", 451)]
        {
            let (outcome, _) = handed_to(&format!("{begin}{end}")).unwrap();
            assert!(matches!(&outcome, Ok(Outcome::Refused(reply, Some(_))) if reply.code == expected), "{outcome:?}");
        }
        for script in ["exit 1", "echo something else"] {
            assert!(handed_to(script).unwrap().0.is_err(), "{script}");
        }
    }

    #[test]
    fn without_postdrop_no_message_begins() {
        assert!(Postdrop::start("/nonexistent").is_err());
    }
}

//! Delivery to a command: its exit status and what it says become the recipient's outcome.

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use dsn::{Class, Detail, Diagnostic, Status};
use privsep::{Command, Finished, Line};

use crate::content::Content;
use crate::copy::{self, Layout};

/// The meanings of the exit codes of sysexits.h.
const EXIT_CODES: [(i32, Status, &str); 15] = [
    (64, Status::permanent(3, 0), "command line usage error"),
    (65, Status::permanent(6, 0), "data format error"),
    (66, Status::permanent(3, 0), "cannot open input"),
    (67, Status::permanent(1, 1), "user unknown"),
    (68, Status::permanent(1, 2), "host name unknown"),
    (69, Status::permanent(3, 0), "service unavailable"),
    (70, Status::permanent(3, 0), "internal software error"),
    (71, Status::temporary(3, 0), "system resource problem"),
    (72, Status::permanent(3, 0), "critical OS file missing"),
    (73, Status::permanent(2, 0), "can't create user output file"),
    (74, Status::permanent(3, 0), "input/output error"),
    (75, Status::temporary(3, 0), "temporary failure"),
    (76, Status::permanent(5, 0), "remote error in protocol"),
    (77, Status::permanent(7, 0), "permission denied"),
    (78, Status::permanent(3, 5), "local configuration error"),
];

/// Runs a command for the delivery agent `agent`, with the message on its standard input; what it says is the result.
///
/// # Errors
/// The outcome of every recipient, if the command did not take the message.
pub fn deliver(
    agent: &str,
    command: &Command<'_>,
    content: &mut Content,
    layout: &Layout,
) -> Result<String, Box<Detail>> {
    let mut unreadable = None;
    let finished = privsep::run(command, |input| {
        let mut out = io::BufWriter::with_capacity(16 * 1024, Forward(input));
        match copy::copy(content, layout, &mut out) {
            Ok(()) => Ok(()),
            Err(copy::Error::Write(error)) => {
                // What is left in the buffer has no reader.
                let _ = out.into_parts();
                Err(error)
            }
            Err(copy::Error::Read(error)) => {
                unreadable = Some(error);
                Ok(())
            }
        }
    });
    if let Some(error) = unreadable {
        return Err(Box::new(Detail::new(Status::temporary(3, 0), format!("error reading message: {error}"))));
    }
    let name = name(command);
    match finished {
        Ok(finished) => judge(&finished, &name),
        Err(error) => Err(not_started(&error, agent, command)),
    }
}

struct Forward<'a>(&'a mut dyn Write);

impl Write for Forward<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What messages call the command.
fn name(command: &Command<'_>) -> String {
    match command.line {
        Line::Text(text) => text.to_owned(),
        Line::Words(words) => words.first().cloned().unwrap_or_default(),
    }
}

/// The outcome of a command that has ended.
fn judge(finished: &Finished, name: &str) -> Result<String, Box<Detail>> {
    let output = clean(&finished.output);
    let Some(status) = finished.status else {
        let doing = if finished.input.is_ok() { "read" } else { "write" };
        tracing::warn!("pipe_command_{doing}: {doing} time limit exceeded");
        let text = format!("Command time limit exceeded: \"{name}\"");
        return Err(failure(Status::permanent(3, 0), &text, SOFTWARE, &output));
    };
    if status.success() {
        let unwritten = |error| format!("error writing message: {error}");
        return match finished.input.as_ref().map_err(unwritten) {
            Ok(()) => Ok(output.trim_end().to_owned()),
            Err(text) => Err(failure(Status::temporary(3, 0), &text, &text, &output)),
        };
    }
    let (code, text, said) = meaning(status, name);
    // Its own code counts where it stands at the start, and the command lived to say all of it.
    let own = if status.code().is_none() || output.starts_with(' ') { None } else { dsn::split_status(&output) };
    match own {
        Some((own, rest)) if own.class() != Class::Success => {
            let diagnostic = Diagnostic { kind: "x-unix".to_owned(), text: rest.to_owned() };
            Err(Box::new(Detail { diagnostic: Some(diagnostic), ..Detail::new(own, rest) }))
        }
        Some(_) | None => Err(failure(code, &text, &said, &output)),
    }
}

/// What sysexits(3) says of a command that was ended.
const SOFTWARE: &str = "internal software error";

/// What the end of a command means, in a word for the log, and in one that a command might have said.
fn meaning(status: ExitStatus, name: &str) -> (Status, String, String) {
    if let Some(signal) = status.signal() {
        return (
            Status::temporary(3, 0),
            format!("Command died with signal {signal}: \"{name}\""),
            SOFTWARE.to_owned(),
        );
    }
    let code = status.code().unwrap_or(0);
    match EXIT_CODES.iter().find(|(known, _, _)| *known == code) {
        Some((_, status, text)) => (*status, (*text).to_owned(), (*text).to_owned()),
        None => {
            let text = format!("Command died with status {code}: \"{name}\"");
            (Status::permanent(3, 0), text, format!("unknown mail system error {code}"))
        }
    }
}

/// `said` is quoted of a command without output.
fn failure(status: Status, text: &str, said: &str, output: &str) -> Box<Detail> {
    let (reason, said) =
        if output.is_empty() { (text.to_owned(), said) } else { (format!("{text}. Command output: {output}"), output) };
    let diagnostic = Diagnostic { kind: "x-unix".to_owned(), text: said.to_owned() };
    Box::new(Detail { diagnostic: Some(diagnostic), ..Detail::new(status, reason) })
}

/// What keeps a command from being started is in the log, and looks as if the command had said it; but what became of its
/// directories is no business of the sender.
fn not_started(error: &privsep::Error, agent: &str, command: &Command<'_>) -> Box<Detail> {
    let (text, output) = match error {
        privsep::Error::Execute { path, source } => {
            let is_direct = matches!(command.line, Line::Text(_)) && command.shell.trim().is_empty();
            let place = if is_direct { "" } else { "pipe_command: " };
            let text = format!("{place}execvp {}: {}", path.display(), crate::mailbox::said(source));
            let output = format!("{agent}: fatal: {text} ");
            (text, output)
        }
        privsep::Error::Rights { what, source } => (format!("{what}: {}", crate::mailbox::said(source)), String::new()),
        privsep::Error::Lookup { .. } | privsep::Error::Descriptor { .. } => {
            (format!("{}: {error}", name(command)), String::new())
        }
    };
    maillog::fatal!("{text}");
    failure(Status::temporary(3, 0), "temporary failure", "temporary failure", &output)
}

/// Output as one line, up to a NUL; what cannot be shown becomes `_`.
fn clean(output: &[u8]) -> String {
    let text = output.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut line = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        line.extend(chunk.valid().chars().map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() => '_',
            c => c,
        }));
        line.extend(chunk.invalid().iter().map(|_| '_'));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(raw: i32, output: &str) -> Finished {
        Finished { status: Some(ExitStatus::from_raw(raw)), output: output.as_bytes().to_vec(), input: Ok(()) }
    }

    #[test]
    fn exit_codes_and_output_decide() {
        for (raw, output, status, reason) in [
            (67 << 8, "", "5.1.1", "user unknown"),
            (75 << 8, "", "4.3.0", "temporary failure"),
            (77 << 8, "why\nso\n", "5.7.0", "permission denied. Command output: why so "),
            (1 << 8, "", "5.3.0", "Command died with status 1: \"x\""),
            (9, "", "4.3.0", "Command died with signal 9: \"x\""),
            (1 << 8, "4.2.2 mailbox full\n", "4.2.2", "mailbox full "),
            (75 << 8, "5.2.2 mailbox full", "5.2.2", "mailbox full"),
            (1 << 8, "2.0.0 fine", "5.3.0", "Command died with status 1: \"x\". Command output: 2.0.0 fine"),
            (1 << 8, " 4.2.2 full", "5.3.0", "Command died with status 1: \"x\". Command output:  4.2.2 full"),
            (9, "4.2.2 full", "4.3.0", "Command died with signal 9: \"x\". Command output: 4.2.2 full"),
            (77 << 8, "a\x01b\r\nJ\u{f6}\0d", "5.7.0", "permission denied. Command output: a_b_ J\u{f6}"),
        ] {
            let detail = judge(&finished(raw, output), "x").unwrap_err();
            assert_eq!((&*detail.status.to_string(), &*detail.reason), (status, reason));
            assert_eq!(detail.diagnostic.unwrap().kind, "x-unix");
        }
        for (raw, output, said) in [
            (1 << 8, "", "unknown mail system error 1"),
            (1 << 8, "why", "why"),
            (67 << 8, "", "user unknown"),
            (9, "", "internal software error"),
        ] {
            let detail = judge(&finished(raw, output), "x").unwrap_err();
            assert_eq!(detail.diagnostic.unwrap().text, said);
        }
        assert_eq!(judge(&finished(0, "chatter\n"), "x"), Ok("chatter".to_owned()));
        assert_eq!(clean(b"\xff\x80 x\tJ\xc3\xb6\xc3"), "__ x J\u{f6}_");
    }

    #[test]
    fn a_command_that_runs_for_too_long_fails_for_good() {
        let late = Finished { status: None, output: Vec::new(), input: Ok(()) };
        let detail = judge(&late, "sleep 1").unwrap_err();
        assert_eq!(
            (detail.status.to_string(), &*detail.reason),
            ("5.3.0".into(), "Command time limit exceeded: \"sleep 1\"")
        );
    }

    #[test]
    fn input_that_could_not_be_written_is_not_delivered() {
        let broken = Finished { input: Err(io::ErrorKind::TimedOut.into()), ..finished(0, "") };
        assert_eq!(judge(&broken, "x").unwrap_err().status, Status::temporary(3, 0));
    }

    #[test]
    fn what_is_not_started_waits() {
        let command = |line, directory: Option<&'static str>| Command {
            line,
            shell: "",
            user: None,
            root: None,
            directory: directory.map(std::path::Path::new),
            environment: &[],
            time_limit: std::time::Duration::from_secs(20),
            file_size_limit: 0,
            output_limit: 100,
        };
        let words = ["/nonexistent".to_owned()];
        for (command, expected) in [
            (command(Line::Text("/nonexistent"), None), ". Command output: local: fatal: execvp /nonexistent: "),
            (command(Line::Words(&words), None), ". Command output: local: fatal: pipe_command: execvp /nonexistent: "),
            (command(Line::Text("cat"), Some("/nonexistent")), ""),
        ] {
            let error = privsep::run(&command, |_| Ok(())).unwrap_err();
            let detail = not_started(&error, "local", &command);
            let said = if expected.is_empty() { "" } else { "No such file or directory " };
            assert_eq!(detail.reason, format!("temporary failure{expected}{said}"));
            assert_eq!(detail.status, Status::temporary(3, 0));
        }
    }
}

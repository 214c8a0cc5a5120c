//! Commands, run for real.

use super::*;

fn command(line: Line<'_>) -> Command<'_> {
    Command {
        line,
        shell: "",
        user: None,
        root: None,
        directory: None,
        environment: &[],
        time_limit: Duration::from_secs(20),
        file_size_limit: 0,
        output_limit: 4096,
    }
}

fn output(line: Line<'_>) -> (Option<i32>, String) {
    let finished = run(&command(line), |stdin| stdin.write_all(b"input\n")).unwrap();
    (finished.status.and_then(|status| status.code()), String::from_utf8(finished.output).unwrap())
}

#[test]
fn commands_run_with_and_without_a_shell() {
    let table = [
        ("cat", Some(0), "input\n", "a program"),
        ("cat; echo $0", Some(0), "input\nsh\n", "a shell is needed"),
        ("exit 3", Some(3), "", "a builtin of the shell"),
        ("echo error >&2; exit 75", Some(75), "error\n", "standard error is kept too"),
        ("/bin/echo  a\tb ", Some(0), "a b\n", "split at white space"),
        ("kill -9 $$", None, "", "killed"),
    ];
    for (text, status, said, why) in table {
        assert_eq!(output(Line::Text(text)), (status, said.to_owned()), "{why}");
    }
    assert_eq!(output(Line::Words(&["/bin/echo".into(), "a  b".into()])), (Some(0), "a  b\n".into()));
}

#[test]
fn missing_program_is_an_error() {
    let missing = run(&command(Line::Text("/no/such/program")), |_| Ok(()));
    assert!(matches!(missing, Err(Error::Execute { .. })));
}

#[test]
fn a_directory_that_cannot_be_entered_is_not_a_missing_program() {
    let mut wanted = command(Line::Text("cat"));
    wanted.directory = Some(Path::new("/no/such/directory"));
    let (uid, gid) = own_identity();
    let error = run(&wanted, |_| Ok(())).unwrap_err();
    let expected = format!("cannot change directory to \"/no/such/directory\" for uid={uid} gid={gid}: ");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(matches!(error, Error::Rights { source, .. } if source.kind() == ErrorKind::NotFound));
    if is_root() {
        wanted.root = Some(Path::new("/no/such/root"));
        let error = run(&wanted, |_| Ok(())).unwrap_err();
        assert!(error.to_string().starts_with("chroot(/no/such/root): "), "{error}");
    }
}

#[test]
fn output_is_bounded_and_input_may_stay_unread() {
    let mut wanted = command(Line::Text("head -c 300000 /dev/zero; exec <&-"));
    wanted.output_limit = 100;
    let finished = run(&wanted, |stdin| stdin.write_all(&vec![b'x'; 1_000_000])).unwrap();
    assert_eq!(finished.output.len(), 100);
    assert!(finished.input.is_ok() && finished.status.unwrap().success());
}

#[test]
fn a_file_that_grows_too_large_is_an_error_of_the_command() {
    crate::survive_file_size_limit().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut wanted = command(Line::Text("cat >file; echo $?"));
    wanted.directory = Some(directory.path());
    wanted.file_size_limit = 1000;
    for (size, ends_with, kept) in [(1000, "0\n", 1000), (1001, "1\n", 1000)] {
        let finished = run(&wanted, |stdin| stdin.write_all(&vec![b'x'; size])).unwrap();
        assert!(String::from_utf8(finished.output).unwrap().ends_with(ends_with), "{size}");
        assert_eq!(std::fs::metadata(directory.path().join("file")).unwrap().len(), kept);
    }
}

#[test]
fn time_limit_ends_the_command_and_its_children() {
    let mut wanted = command(Line::Text("echo begun; sleep 60 & sleep 60"));
    wanted.time_limit = Duration::from_millis(200);
    let finished = run(&wanted, |_| Ok(())).unwrap();
    assert!(finished.status.is_none());
    assert_eq!(finished.output, b"begun\n");
}

#[test]
fn directory_environment_and_user_are_as_asked() {
    let nobody = User::by_name("nobody").unwrap().unwrap();
    let environment = [("NAME".to_owned(), "value".to_owned()), ("PATH".to_owned(), "/nonexistent".to_owned())];
    let mut wanted = command(Line::Text("pwd; id -u; id -G; echo $NAME ${HOME-unset} $PATH; ls /proc/self/fd | wc -l"));
    wanted.directory = Some(Path::new("/usr"));
    wanted.environment = &environment;
    wanted.user = Some(&nobody);
    let finished = run(&wanted, |_| Ok(())).unwrap();
    if is_root() {
        let (uid, gid) = (nobody.uid, nobody.gid);
        let text = String::from_utf8(finished.output).unwrap();
        assert_eq!(text, format!("/usr\n{uid}\n{gid}\nvalue unset {PATH}\n4\n"));
    }
}

#[test]
fn variables_are_named_or_set() {
    let words = ["NO_SUCH_VARIABLE", "A=b", "{C = d e}", "PATH"].map(str::to_owned);
    let found = chosen_environment(&words);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(found.first_chunk(), Some(&[pair("A", "b"), pair("C", "d e")]));
    assert_eq!(found.last().map(|(name, _)| name.as_str()), Some("PATH"));
}

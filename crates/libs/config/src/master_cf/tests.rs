//! master.cf: what is understood and what is refused.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<MasterCf, String> {
    MasterCf::parse(Path::new("/etc/postfix/master.cf"), text, Defaults::default()).map_err(|error| error.to_string())
}

#[test]
fn columns_and_arguments_are_understood() {
    let file = parse(
        "# comment\nsmtp inet n - y - - smtpd\n  -o syslog_name=postfix/x -o { smtpd_banner = a b }\n\
         qmgr fifo n - n 300? 1 qmgr\nbounce unix - n - - 0 bounce {x} {}\n",
    )
    .unwrap();
    let [smtp, qmgr, bounce] = file.entries.as_slice() else { panic!("{file:?}") };
    assert_eq!((smtp.kind, smtp.private, smtp.unprivileged, smtp.chroot), (Kind::Inet, false, true, true));
    assert_eq!((smtp.wakeup, smtp.max_processes, smtp.line), (None, Some(100), 2));
    assert_eq!(smtp.arguments, ["-o", "syslog_name=postfix/x", "-o", "smtpd_banner = a b"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(smtp.overrides().unwrap(), [pair("syslog_name", "postfix/x"), pair("smtpd_banner", "a b")]);
    assert_eq!(qmgr.wakeup, Some(Wakeup { every: Duration::from_secs(300), if_used: true }));
    assert_eq!((bounce.max_processes, bounce.unprivileged), (None, false));
    assert_eq!(bounce.arguments, ["x", ""]);
}

#[test]
fn braces_keep_words_together_anywhere() {
    let line = "a inet n - n - - smtpd -o x=inline:{ {a = b}, c=d } -o y=p{q r}s }t {u v}";
    let entry = &parse(&format!("{line}\n")).unwrap().entries[0];
    assert_eq!(entry.arguments, ["-o", "x=inline:{ {a = b}, c=d }", "-o", "y=p{q r}s", "}t", "u v"]);
    assert_eq!(parse("a unix - - n - - b c={d e\n").unwrap().entries[0].arguments, ["c={d e"]);
}

#[test]
fn errors_carry_file_and_line() {
    let table = [
        ("smtp", "missing \"transport type\" field"),
        ("smtp foo - - - - - x", "bad transport type: foo"),
        ("smtp inet - - n - - smtpd", "inet service cannot be private"),
        ("smtp unix x - n - - smtpd", "field \"private\": bad value: \"x\""),
        ("smtp unix - - maybe - - smtpd", "field \"chroot\": bad value: \"maybe\""),
        ("smtp unix - - n x - smtpd", "field \"wakeup_time\": bad value: \"x\""),
        ("smtp unix - - n - -1 smtpd", "field \"max_proc\": bad value: \"-1\""),
        ("smtp - n - y - - smtpd", "field \"transport type\" has no default value"),
        ("smtp unix - x n - - smtpd", "field \"unprivileged\": bad value: \"x\""),
        ("smtp unix - - n ? - smtpd", "field \"wakeup_time\": bad value: \"?\""),
        ("smtp inet", "missing \"private\" field"),
        ("smtp unix - - n - - -", "field \"command\" has no default value"),
        ("smtp unix - - n - -", "missing \"command\" field"),
        ("smtp unix - - n - - smtpd {a", "missing '}' in \"{a\""),
        ("smtp unix - - n - - smtpd {a}b", "syntax error after '}' in \"{a}b\""),
    ];
    for (line, expected) in table {
        let text = format!("# x\n{line}\n");
        assert_eq!(parse(&text), Err(format!("/etc/postfix/master.cf: line 2: {expected}")), "{line}");
    }
}

#[test]
fn the_last_of_two_entries_counts() {
    let file = parse("a unix - - n - 1 x\na unix - - n - 2 x\na fifo - - n - 3 x\n").unwrap();
    let limits: Vec<_> = file.entries.iter().map(|entry| entry.max_processes).collect();
    assert_eq!(limits, [Some(2), Some(3)]);
    assert_eq!(file.warnings, ["duplicate master.cf entry for service \"a\" (private/a) -- using the last entry"]);
    assert!(parse(" orphan\n").unwrap().warnings[0].contains("must not start with whitespace"));
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "[ -~\n\t]{0,120}") {
        let _ = parse(&text);
    }

    #[test]
    fn printed_entries_parse_back(
        name in "[a-z]{1,8}", private in any::<bool>(), limit in 1_u32..1000, words in prop::collection::vec("[a-z=$/]{1,9}", 0..4)
    ) {
        let yes = if private { 'y' } else { 'n' };
        let text = format!("{name} unix {yes} - n - {limit} cmd {}\n", words.join(" "));
        let file = parse(&text).unwrap();
        prop_assert_eq!(&file.entries[0].arguments, &words);
        prop_assert_eq!(file.entries[0].max_processes, Some(limit));
    }
}

//! What postconf says of configurations that are odd, as Postfix says it, and of what only we have.

use std::path::{Path, PathBuf};
use std::process::Command;

const MASTER_CF: &str = "smtp inet n - n - - smtpd\nlocal unix - n n - - local\n";

#[expect(clippy::unwrap_used, reason = "a test helper")]
/// A configuration directory of this test, with files.
fn directory(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&directory);
    for (file, text) in files {
        let path = directory.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

#[expect(clippy::unwrap_used, reason = "a test helper")]
/// Status, output and complaints, with the directory as `DIR` and without the program's name.
fn postconf(directory: &Path, arguments: &[&str]) -> (bool, String, String) {
    let program = env!("CARGO_BIN_EXE_postconf");
    let output = Command::new(program).arg("-c").arg(directory).args(arguments).output().unwrap();
    let plain = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace(&directory.display().to_string(), "DIR").replace(&format!("{program}: "), "")
    };
    (output.status.success(), plain(output.stdout), plain(output.stderr))
}

#[test]
fn odd_values_are_named() {
    let unused = "warning: DIR/main.cf: unused parameter: ";
    let table: &[(&str, &[&str])] = &[
        ("mydestination = a # b\n", &["warning: DIR/main.cf: #comment after other text is not allowed: # b...\n"]),
        (
            "default_process_limit = 200 # raised for the campaign\n",
            &["warning: DIR/main.cf: #comment after other text is not allowed: # raised for the campa...\n"],
        ),
        ("relayhost = {a}b {c\n", &["syntax error after '}' in \"{a}b\"\n", "main.cf: missing '}' in \"{c\"\n"]),
        ("process_name = x\n", &["warning: DIR/main.cf: read-only parameter assignment: process_name=x\n"]),
        ("enable_errors_to = yes\n", &[unused, "enable_errors_to=yes\n"]),
        ("foo = 1\n", &[unused, "foo=1\n"]),
        ("num = 1\nfoo = $num $bar\n", &["DIR/main.cf: undefined parameter: bar\n", unused, "foo=$num $bar\n"]),
        ("relayhost = $bar\n", &["warning: DIR/main.cf: undefined parameter: bar\n"]),
        ("virtual_alias_maps = ldap:/none\n", &["open \"ldap\" configuration \"/none\": No such file or directory\n"]),
        ("virtual_maps = x\n", &["support for parameter \"virtual_maps\" will be removed"]),
        (
            "debug_peer_level = 3\n",
            &["warning: DIR/main.cf: parameter debug_peer_level is accepted but has no effect\n"],
        ),
    ];
    for (number, (main_cf, expected)) in table.iter().enumerate() {
        let directory = directory(&format!("warnings-{number}"), &[("main.cf", main_cf), ("master.cf", MASTER_CF)]);
        let (success, _, complaints) = postconf(&directory, &["-n"]);
        assert!(success, "{main_cf}: {complaints}");
        for part in *expected {
            assert!(complaints.contains(part), "{main_cf}: {complaints}");
        }
    }
}

#[test]
fn what_a_daemon_expands_later_is_not_complained_about() {
    let main_cf = "mailbox_command = procmail -a \"$EXTENSION\"\nforward_path = $home/.forward\n\
                   luser_relay = $user@$nowhere\nsmtpd_reject_footer = $localtime\n";
    let master_cf = "relay unix - - n - - smtp -o fallback_relay=\n\
                     local unix - n n - - local -o mailbox_command=$SHELL\n";
    let directory = directory("expanded-later", &[("main.cf", main_cf), ("master.cf", master_cf)]);
    let (success, _, complaints) = postconf(&directory, &["-n"]);
    assert_eq!((success, complaints.as_str()), (true, ""));
}

#[test]
fn what_counts_is_not_complained_about() {
    let main_cf = "virtual_alias_maps = pipemap:{ldap:l,mysql:$m} proxy:pgsql:p\nm = q\nl_server_host = $h\nh = x\n\
                   q_hosts = a\np_dbname = b\nfallback_relay = c\nlocal_destination_recipient_limit = 5\n\
                   smtpd_restriction_classes = one\none = reject\n";
    let master_cf = "smtp inet n - n - - smtpd -osmtpd_restriction_classes=two -o two=permit\n\
                     x unix - - n - - smtp -o x_destination_rate_delay=1\n";
    let directory = directory("what-counts", &[("main.cf", main_cf), ("master.cf", master_cf)]);
    let (success, shown, complaints) = postconf(&directory, &["-n"]);
    let only = "warning: DIR/main.cf: support for parameter \"fallback_relay\" will be removed; instead, \
                specify \"smtp_fallback_relay\"\n";
    assert_eq!((success, complaints.as_str()), (true, only));
    assert_eq!(shown.lines().count(), main_cf.lines().count() + 1, "all, and config_directory: {shown}");
}

#[test]
fn nonsense_ends_the_command() {
    for (number, (main_cf, expected)) in [
        ("relayhost = ${foo\n", "warning: truncated macro reference: \"${foo\"\nfatal: macro processing error\n"),
        (
            "relayhost = $a\na = $a\n",
            "warning: unreasonable macro call nesting: \"a\"\nfatal: macro processing error\n",
        ),
        (
            "compatibility_level = 3 x\n",
            "malformed compatibility level syntax: \"3 x\"\nfatal: macro processing error\n",
        ),
        ("mynetworks_style = foo\n", "fatal: unknown mynetworks mask style value \"foo\" in \"foo\"\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let directory = directory(&format!("nonsense-{number}"), &[("main.cf", main_cf), ("master.cf", MASTER_CF)]);
        let (success, shown, complaints) = postconf(&directory, &["-n"]);
        assert!(!success && shown.is_empty() && complaints.ends_with(expected), "{main_cf}: {complaints}");
        assert!(postconf(&directory, &["-d"]).0, "{main_cf}: defaults do not depend on it");
    }
}

#[test]
fn files_that_add_to_main_cf_are_shown_and_left_alone() {
    let directory = directory(
        "drop-ins",
        &[
            ("main.cf", "relayhost = a\nmyorigin = b\n"),
            ("main.cf.d/own.cf", "relayhost = c\n"),
            ("master.cf", MASTER_CF),
            ("master.cf.d/own.cf", "smtp inet n - n - 3 smtpd\n"),
        ],
    );
    let (_, shown, complaints) = postconf(&directory, &["-nv", "relayhost", "myorigin"]);
    assert_eq!(shown, "DIR/main.cf.d/own.cf:1: relayhost = c\nDIR/main.cf:2: myorigin = b\n");
    assert_eq!(complaints, "");
    let (success, _, complaints) = postconf(&directory, &["-e", "relayhost=d", "myorigin=e"]);
    assert!(success);
    assert_eq!(complaints, "warning: DIR/main.cf.d/own.cf: \"relayhost\" is set here too, and this counts\n");
    assert_eq!(std::fs::read_to_string(directory.join("main.cf")).unwrap(), "relayhost = d\nmyorigin = e\n");
    assert_eq!(postconf(&directory, &["-h", "relayhost", "myorigin"]).1, "c\ne\n");
    assert_eq!(postconf(&directory, &["-Fh", "smtp/inet/process_limit"]).1, "3\n");
}

#[test]
fn the_first_operand_tells_a_query_from_a_change() {
    let directory = directory("first-operand", &[("main.cf", "mail_name = x\n"), ("master.cf", MASTER_CF)]);
    let (success, _, complaints) = postconf(&directory, &["nosuch", "foo=1"]);
    assert!(success && complaints.contains("warning: foo=1: unknown parameter"), "{complaints}");
    assert!(!postconf(&directory, &["foo=1", "nosuch"]).0);
}

#[test]
fn parameters_that_a_service_leaves_to_main_cf_are_shown_when_asked_for() {
    let main_cf = "myhostname = a.test\nmydestination = $myhostname\n";
    let master_cf = "one unix - - n - - smtp -o myhostname=b.test\ntwo unix - - n - - smtp\n";
    let directory = directory("inherited", &[("main.cf", main_cf), ("master.cf", master_cf)]);
    for (arguments, expected) in [
        (["-P", "*/*/myhostname"], "one/unix/myhostname = b.test\n"),
        (["-PP", "*/*/myhostname"], "one/unix/myhostname = b.test\ntwo/unix/myhostname = a.test\n"),
        (["-PPx", "*/*/mydestination"], "one/unix/mydestination = b.test\ntwo/unix/mydestination = a.test\n"),
        (["-PPx", "two/unix/smtpd_error_sleep_time"], "two/unix/smtpd_error_sleep_time = 1s\n"),
    ] {
        assert_eq!(postconf(&directory, &arguments).1, expected, "{arguments:?}");
    }
    let (success, all, complaints) = postconf(&directory, &["-PPx", "two/unix"]);
    assert!(success && all.contains("two/unix/smtpd_expansion_filter = "), "{complaints}");
}

//! Where values come from, and how they are typed.

use super::*;
use crate::params;
use proptest::prelude::*;
use std::time::Duration;

crate::params! {
    /// Rows of every kind.
    Sample {
        /// A number.
        number: Int = "7" in 1..=9;
        /// Bytes.
        bytes: Size = "100";
        /// A time.
        wait: Duration = "2h" in 1..;
        /// A switch.
        switch: Bool = "${stress?{yes}:{no}}";
        /// A text.
        text: Text = "$mail_name" in 1..;
        /// A text for later.
        raw: Raw = "$user";
        /// Words.
        list: List = "a, b {c d},e";
        /// Words that are known.
        known: Words = "one" of "one two three";
        /// A name that Rust cannot spell.
        second as "2nd": Text = "x";
    }
}

fn source(text: &str) -> Source {
    Source::parse(Path::new("/etc/postfix"), text).unwrap()
}

#[test]
fn defaults_are_typed() {
    let sample: Sample = source("").get().unwrap();
    assert_eq!((sample.number, sample.bytes, sample.wait), (7, 100, Duration::from_secs(7200)));
    assert_eq!((sample.switch, sample.text.as_str(), sample.raw.as_str()), (false, "Postern", "$user"));
    assert_eq!(sample.list, ["a", "b", "{c d}", "e"]);
    assert_eq!(source("known = three, one").get::<Sample>().unwrap().known, ["three", "one"]);
    assert!(source("known =").get::<Sample>().unwrap().known.is_empty());
    let sample: Sample = source("wait = 3\nnumber= +8\n2nd=z").stress(true).get().unwrap();
    assert_eq!((sample.wait, sample.number, sample.switch), (Duration::from_secs(10800), 8, true));
    assert_eq!(sample.second, "z");
}

#[test]
fn negative_sizes_are_none() {
    for text in ["-1", "-9000000000", "0"] {
        assert_eq!(source(&format!("bytes = {text}")).get::<Sample>().unwrap().bytes, 0, "{text}");
    }
    let limits: params::Queue = source("message_size_limit = -1").get().unwrap();
    assert_eq!(limits.message_size_limit, 0);
}

#[test]
fn all_problems_come_at_once() {
    let text = "number = 10\nbytes = -\nwait = 5x\nswitch = maybe\ntext =\nlist = ${\nknown = two One";
    let problems = source(text).get::<Sample>().unwrap_err();
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "invalid number parameter value 10 > 9",
            "bad numerical configuration: bytes = -",
            "parameter wait: bad time value or unit: 5x",
            "bad boolean configuration: switch = maybe",
            "bad string length 0 < 1: text = ",
            "parameter list: truncated macro reference: \"${\"",
            "unknown known value \"One\" in \"two One\"",
        ]
    );
    let problems = source("number = x\nwait = 0").get::<Sample>().unwrap_err();
    assert_eq!(problems.to_string(), "bad numerical configuration: number = x; invalid wait: 0 (min 1)");
}

#[test]
fn overrides_are_stronger_than_the_file() {
    let source = source("custom = main\nsmtpd_banner = $custom $service_name\n");
    assert_eq!(source.expanded("smtpd_banner").unwrap().as_deref(), Some("main "));
    let own = source
        .with_overrides(&[("custom".to_owned(), "first".to_owned()), ("custom".to_owned(), "last".to_owned())])
        .for_service("submission");
    assert_eq!(own.expanded("smtpd_banner").unwrap().as_deref(), Some("last submission"));
    assert_eq!(own.expanded("nothing").unwrap(), None);
}

#[test]
fn compatibility_level_decides_on_defaults() {
    for (level, relay, protocol) in [("0", "x.test", "md5"), ("2", "", "md5"), ("3.6", "", "sha256")] {
        let source = source(&format!("compatibility_level = {level}\nmydestination = x.test\n"));
        assert_eq!(source.expanded("relay_domains").unwrap().as_deref(), Some(relay));
        let digest = source.expanded("smtp_tls_fingerprint_digest").unwrap();
        assert_eq!(digest.as_deref(), Some(protocol));
    }
}

#[test]
fn names_of_the_host_depend_on_each_other() {
    let both = source("myhostname = mail.example.test\n");
    assert_eq!(both.raw("mydomain"), Some("example.test"));
    let bare = source("myhostname = mail\n");
    assert_eq!(bare.raw("mydomain"), Some("localdomain"));
    let circle = source("myhostname = $mydomain\ninet_interfaces = $mydomain\n");
    assert_eq!(circle.raw("mydomain"), Some("localdomain"));
    assert!(source("").raw("myhostname").unwrap().contains('.'));
    assert!(source("inet_interfaces = loopback-only").raw("mynetworks").unwrap().contains("127."));
}

#[test]
fn a_transport_has_limits_of_its_own() {
    let source = source("slow_destination_concurrency_limit = 1\ndefault_destination_rate_delay = 3\n");
    let slow: params::TransportLimits = source.transport("slow").unwrap();
    assert_eq!((slow.destination_concurrency_limit, slow.destination_recipient_limit), (1, 50));
    assert_eq!(slow.destination_rate_delay, Duration::from_secs(3));
    let local: params::TransportLimits = source.transport("local").unwrap();
    assert_eq!((local.destination_concurrency_limit, local.destination_recipient_limit), (2, 1));
    let pipe: params::TransportTime = source.transport("script").unwrap();
    assert_eq!(pipe.time_limit, Duration::from_secs(1000));
    let none: Result<params::TransportTime, _> = self::source("script_time_limit = 0\n").transport("script");
    assert!(none.is_err());
}

#[test]
fn lmtp_reads_its_own_names() {
    let source = source("lmtp_lhlo_name = l.test\nlmtp_tcp_port = 2424\n").for_process("lmtp");
    let params: params::Smtp = source.get().unwrap();
    assert_eq!((params.smtp_helo_name.as_str(), params.smtp_tcp_port.as_str()), ("l.test", "2424"));
    assert!(!params.smtp_skip_quit_response);
}

#[test]
fn a_directory_must_be_listed() {
    let source = source("alternate_config_directories = /a, /b\nmulti_instance_directories = /c\n");
    for (directory, listed) in [("/a", true), ("/c", true), ("/d", false), ("", false)] {
        assert_eq!(is_directory_listed(&source, Path::new(directory)), listed);
    }
}

#[test]
fn names_of_hosts_are_checked() {
    for (name, good) in [
        ("a.test", true),
        ("mail", true),
        ("bücher.test", true),
        ("a..b", false),
        ("-a.b", false),
        ("1.2.3.4", false),
        ("a b", false),
        ("a.b.", false),
        ("[1.2.3.4]", false),
    ] {
        let identity = source(&format!("myhostname = {name}\nmydomain = x.test\n")).get::<params::Identity>();
        match identity {
            Ok(identity) => assert!(good && identity.myhostname == name, "{name}"),
            Err(problems) => assert_eq!(
                (good, problems.to_string()),
                (false, format!("file /etc/postfix/main.cf: parameter myhostname: bad parameter value: {name}"))
            ),
        }
    }
}

#[test]
fn settings_without_effect_are_listed() {
    let source = source("tls_high_cipherlist = x\nrelayhost = y\n");
    let names: Vec<_> = source.inert().iter().map(|row| row.name).collect();
    assert_eq!(names, ["tls_high_cipherlist"]);
}

#[test]
fn every_default_parses() {
    fn all<G: Group>() {
        for stress in [false, true] {
            for level in ["0", "3.11"] {
                let text = format!("compatibility_level = {level}");
                if let Err(problems) = source(&text).stress(stress).get::<G>() {
                    panic!("{problems}");
                }
            }
        }
    }
    use params::*;
    all::<(Identity, Layout, Ipc, Daemon, Queue, Qmgr, Cleanup, Rewrite, Bounce, Delivery, Local, Virtual)>();
    all::<(Pipe, Proxymap, Tables, Smtpd, SmtpdAccess, Smtp, SmtpTls, SmtpdTls, Tls, SmtpdSasl, SmtpSasl)>();
    all::<(Lifetimes, Networks, Scache, Verp)>();
    all::<(Milter, Postscreen, PostscreenTls, Verify, Anvil, Flush, Sendmail, Qmqpd, Tlsproxy, TlsproxyTls)>();
    all::<(TlsproxyClient, Lmtp, LmtpTls, LmtpSasl, TransportLimits, TransportTime, Former)>();
}

proptest! {
    #[test]
    fn any_file_is_parsed_or_refused(text in "[ -~\n\t]{0,200}") {
        if let Ok(file) = Source::parse(Path::new("/x"), &text) {
            for name in file.main_cf().names() {
                let _ = file.expanded(name);
            }
        }
    }

    #[test]
    fn entries_read_back(name in "[a-z_0-9]{1,12}", value in "[!-~]([ -~]{0,20}[!-~])?") {
        let file = Source::parse(Path::new("/x"), &format!("{name} = {value}\n")).unwrap();
        prop_assert_eq!(file.set(&name), Some(value.as_str()));
    }

    #[test]
    fn lists_never_panic(text in ".{0,60}") {
        let _ = words(&text);
    }
}

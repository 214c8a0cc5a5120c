//! Whole dialogues, with the replies and log lines that Postfix has for them.

use config::TlsLevel;
use proptest::prelude::*;

use super::*;

const DUE: PerTest<bool> = PerTest([true; 3]);
const NONE: PerTest<bool> = PerTest([false; 3]);
const DENIED: Reply = Reply::fixed(550, Enhanced(5, 3, 2), "Service currently unavailable");

fn settings(action: Action) -> Settings {
    Settings {
        log_form: address::LogForm::External,
        banner: "mail.test ESMTP".into(),
        message_size_limit: 1000,
        offered: Settings::offer(false, true, None),
        hidden: Keywords::NONE,
        tls: None,
        helo_required: false,
        disable_vrfy_command: false,
        command_count_limit: 20,
        line_length_limit: 64,
        actions: PerTest([action; 3]),
        manner: Manner {
            myhostname: "mail.test".into(),
            soft_bounce: false,
            reject_footer: String::new(),
            expansion_filter: config::ExpansionFilter::parse(""),
        },
    }
}

fn dialogue(settings: Settings, purpose: Purpose) -> Dialogue {
    let client = Client { address: "192.0.2.1".into(), port: "25000".into(), hidden: None };
    Dialogue::new(Arc::new(settings), client, purpose, Greeting::Omit)
}

/// What a filter, and a list of forbidden commands, of this kind have.
fn filter(line: &[u8]) -> Option<Vec<u8>> {
    line.strip_prefix(b"hilo").map(|rest| [b"HELO", rest].concat())
}

fn wire(reply: &Reply) -> String {
    let mut wire = Vec::new();
    reply.print(&mut wire);
    String::from_utf8(wire).unwrap().trim_end().replace("\r\n", "|")
}

/// The events until there are none, as text: replies as on the wire, log lines behind a hash.
fn events(dialogue: &mut Dialogue) -> Vec<String> {
    let mut events = Vec::new();
    while let Some(event) = dialogue.next_event() {
        events.push(match event {
            Event::Reply(reply) => wire(&reply),
            Event::Dismiss(reply) => return [events, vec![wire(&reply), "hang up".into()]].concat(),
            Event::Log(line) => format!("#{}", line.replace("[192.0.2.1]:25000", "PEER")),
            Event::Filter(line) => {
                dialogue.filtered(filter(&line));
                continue;
            }
            Event::Forbidden(word) => {
                dialogue.judged(word.eq_ignore_ascii_case(b"get") || word == b"hilo");
                continue;
            }
            Event::StartTls => "start TLS".into(),
        });
    }
    events
}

/// What follows from each of these inputs; a line end is added where there is none.
fn play(dialogue: &mut Dialogue, inputs: &[&[u8]]) -> Vec<String> {
    let mut found = Vec::new();
    for input in inputs {
        dialogue.feed(input);
        if !input.ends_with(b"\n") {
            dialogue.feed(b"\r\n");
        }
        found.extend(events(dialogue));
    }
    found
}

/// Plays a script: lines behind `C: ` are said, the others have to follow from them.
#[track_caller]
fn check(dialogue: &mut Dialogue, script: &str) {
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let said = line.strip_prefix("C:").unwrap_or_else(|| panic!("nothing leads to {line:?}"));
        let said = said.strip_prefix(' ').unwrap_or(said);
        let found = play(dialogue, &[&config::value::unescaped(said)]);
        let expected: Vec<&str> = std::iter::from_fn(|| lines.next_if(|line| !line.starts_with("C:"))).collect();
        assert_eq!(found, expected, "after {said:?}");
    }
}

#[test]
fn a_denied_client_is_led_to_its_recipients() {
    let mut dialogue = dialogue(settings(Action::Ignore), Purpose::Refuse(DENIED));
    check(
        &mut dialogue,
        r#"
        C: EHLO c.test
        250-mail.test|250-SIZE 1000|250-VRFY|250-ETRN|250-ENHANCEDSTATUSCODES|250-8BITMIME|250-DSN|250-SMTPUTF8|250 CHUNKING
        C: MAIL FROM:<"x y"@b.test> SIZE=1
        250 2.1.0 Ok
        C: RCPT TO:<c@d.test>
        #NOQUEUE: reject: RCPT from PEER: 550 5.3.2 Service currently unavailable; from=<"x y"@b.test>, to=<c@d.test>, proto=ESMTP, helo=<c.test>
        550 5.3.2 Service currently unavailable
        C: RCPT TO:a\377@d.test
        #NOQUEUE: reject: RCPT from PEER: 550 5.3.2 Service currently unavailable; from=<"x y"@b.test>, to=<a?@d.test>, proto=ESMTP, helo=<c.test>
        550 5.3.2 Service currently unavailable
        C: RSET
        250 2.0.0 Ok
        C: RCPT TO:<c@d.test>
        503 5.5.1 Error: need MAIL command
        C: QUIT
        221 2.0.0 Bye
        hang up
        C: NOOP
        "#,
    );
}

#[test]
fn a_client_that_failed_nothing_comes_again() {
    let mut dialogue = dialogue(settings(Action::Enforce), Purpose::Test(DUE));
    assert_eq!(dialogue.verdict(Test::Pipelining), Verdict::Open);
    check(
        &mut dialogue,
        "
        C: MAIL FROM:<>
        250 2.1.0 Ok
        C: RCPT TO:<c@d.test>
        #NOQUEUE: reject: RCPT from PEER: 450 4.3.2 Service currently unavailable; from=<>, to=<c@d.test>, proto=SMTP, helo=<>
        450 4.3.2 Service currently unavailable
        C: DATA
        #DATA without valid RCPT from PEER
        554 5.5.1 Error: no valid recipients
        hang up
        ",
    );
    assert_eq!(Test::ALL.map(|test| dialogue.verdict(test)), [Verdict::Passed; 3]);
}

#[test]
fn the_greeting_comes_first_unless_the_client_was_faster() {
    let client = Client { address: "2001:db8::1".into(), port: "1".into(), hidden: None };
    let settings = Arc::new(settings(Action::Ignore));
    let mut dialogue = Dialogue::new(Arc::clone(&settings), client, Purpose::Test(DUE), Greeting::Say);
    assert_eq!(events(&mut dialogue), ["220 mail.test ESMTP"]);
}

#[test]
fn commands_have_their_replies() {
    let mut dialogue = dialogue(Settings { command_count_limit: 99, ..settings(Action::Enforce) }, Purpose::Test(NONE));
    check(
        &mut dialogue,
        r"
        C: HELO
        501 Syntax: HELO hostname
        C: EHLO  \040
        501 Syntax: EHLO hostname
        C: \040 helo a b c
        250 mail.test
        C: HELO\ta
        502 5.5.2 Error: command not recognized
        C: NOOP\000 x
        250 2.0.0 Ok
        C: NO\000OP
        502 5.5.2 Error: command not recognized
        C: NOOP \rx
        250 2.0.0 Ok
        C: RSET x
        250 2.0.0 Ok
        C: VRFY
        501 5.5.4 Syntax: VRFY address
        C: VRFY a b
        450 4.3.2 Service currently unavailable
        C: ETRN
        500 Syntax: ETRN domain
        C: ETRN a b
        458 Unable to queue messages
        C: XCLIENT NAME=x
        502 5.5.2 Error: command not recognized
        C: XFORWARD NAME=x
        502 5.5.2 Error: command not recognized
        C: AUTH PLAIN AA==
        502 5.5.2 Error: command not recognized
        C: HELP
        502 5.5.2 Error: command not recognized
        C: STARTTLS
        502 5.5.1 Error: command not implemented
        C: STARTTLS x
        501 5.5.4 Syntax: STARTTLS
        C:
        502 5.5.2 Error: command not recognized
        C: QUIT x
        221 2.0.0 Bye
        hang up
        ",
    );
}

#[test]
fn senders_and_recipients_come_in_order() {
    let mut dialogue = dialogue(settings(Action::Enforce), Purpose::Test(NONE));
    check(
        &mut dialogue,
        r"
        C: HELO a b c
        250 mail.test
        C: MAIL FROM
        501 5.5.4 Syntax: MAIL FROM:<address>
        C: MAIL FROM <a@b>
        501 5.5.4 Syntax: MAIL FROM:<address>
        C: MAIL x:y
        250 2.1.0 Ok
        C: MAIL FROM:<a@b>
        503 5.5.1 Error: nested MAIL command
        C: RCPT TO
        501 5.5.4 Syntax: RCPT TO:<address>
        C: RCPT x:A B <c@d>
        #NOQUEUE: reject: RCPT from PEER: 450 4.3.2 Service currently unavailable; from=<y>, to=<A>, proto=SMTP, helo=<a>
        450 4.3.2 Service currently unavailable
        C: EHLO gr\303\274n
        250-mail.test|250-SIZE 1000|250-VRFY|250-ETRN|250-ENHANCEDSTATUSCODES|250-8BITMIME|250-DSN|250-SMTPUTF8|250 CHUNKING
        C: RCPT TO:<a@b>
        503 5.5.1 Error: need MAIL command
        ",
    );
}

#[test]
fn what_would_bring_content_ends_the_session() {
    for (said, log, reply) in [
        ("DATA", "DATA", "503 5.5.1 Error: need RCPT command"),
        ("DATA x", "DATA", "501 5.5.4 Syntax: DATA"),
        ("BDAT", "BDAT", "501 5.5.4 Syntax: BDAT count [LAST]"),
        ("BDAT 3", "BDAT", "554 5.5.1 Error: need MAIL command"),
        ("MAIL FROM:<>\r\nBDAT x y z", "BDAT", "554 5.5.1 Error: no valid recipients"),
    ] {
        let mut dialogue = dialogue(settings(Action::Enforce), Purpose::Test(NONE));
        let found = play(&mut dialogue, &[said.as_bytes()]);
        let expected = [format!("#{log} without valid RCPT from PEER"), reply.into(), "hang up".into()];
        assert_eq!(found[found.len() - 3..], expected, "{said}");
    }
}

#[test]
fn bare_newlines_are_noticed_once() {
    let mut dialogue = dialogue(settings(Action::Enforce), Purpose::Test(DUE));
    check(
        &mut dialogue,
        r#"
        C: NOOP \377\t"\a\b\v\f\033\r\303\274\n
        #BARE NEWLINE from PEER after NOOP \377\t"\a\b\v\f\033\r\303\274
        250 2.0.0 Ok
        C: MAIL FROM:<a@b>\n
        250 2.1.0 Ok
        C: RCPT TO:<c@d>
        #NOQUEUE: reject: RCPT from PEER: 550 5.5.1 Protocol error; from=<a@b>, to=<c@d>, proto=SMTP, helo=<>
        550 5.5.1 Protocol error
        "#,
    );
    assert_eq!(
        Test::ALL.map(|test| dialogue.verdict(test)),
        [Verdict::Passed, Verdict::Passed, Verdict::Failed],
        "the other tests are passed"
    );
}

#[test]
fn pipelining_is_noticed_whatever_comes_behind() {
    for (said, expected) in [
        ("NOOP\r\nM", "#COMMAND PIPELINING from PEER after NOOP: M"),
        ("\r\n\r\n", "#COMMAND PIPELINING from PEER after : \\r\\n"),
        ("N\x01O a\r\n\\\"\t\r\n", "#COMMAND PIPELINING from PEER after N?O: \\\\\"\\t\\r\\n"),
        ("QUIT\r\nNOOP\r\n", "#COMMAND PIPELINING from PEER after QUIT: NOOP\\r\\n"),
        ("DATA\r\nSubject: x\r\n", "#COMMAND PIPELINING from PEER after DATA: Subject: x\\r\\n"),
    ] {
        let mut dialogue = dialogue(settings(Action::Drop), Purpose::Test(PerTest([true, false, false])));
        dialogue.feed(said.as_bytes());
        assert_eq!(events(&mut dialogue), [expected, "521 5.5.1 Protocol error", "hang up"]);
        assert_eq!(dialogue.verdict(Test::Pipelining), Verdict::Failed);
    }
    let mut dialogue = dialogue(settings(Action::Drop), Purpose::Test(DUE));
    dialogue.feed(b"BDAT 3 LAST\r\nabcQUIT\r\n");
    assert!(!events(&mut dialogue).iter().any(|line| line.contains("PIPELINING")), "a chunk belongs there");
}

#[test]
fn commands_of_other_protocols_are_noticed() {
    for (said, shown) in [
        (&b"Subject: x"[..], "Subject: x"),
        (b"Host:x y z", "Host:x y z"),
        (b"get", "get "),
        (b"From:\x01 \\x\x01\xff\"", "From:? \\\\x\\001\\377\""),
        (b"\xffabc def", "?abc def"),
    ] {
        let mut dialogue = dialogue(settings(Action::Drop), Purpose::Test(DUE));
        let expected = [
            format!("#NON-SMTP COMMAND from PEER after CONNECT: {shown}"),
            "521 5.7.0 Error: I can break rules, too. Goodbye.".into(),
            "hang up".into(),
        ];
        assert_eq!(play(&mut dialogue, &[said]), expected);
    }
    for said in [":", "x :y", "FOO", "NOOP:"] {
        let mut dialogue = dialogue(settings(Action::Ignore), Purpose::Test(DUE));
        let expected: &[&str] = match said {
            "NOOP:" => {
                &["#NON-SMTP COMMAND from PEER after CONNECT: NOOP: ", "502 5.5.2 Error: command not recognized"]
            }
            _ => &["502 5.5.2 Error: command not recognized"],
        };
        assert_eq!(play(&mut dialogue, &[said.as_bytes()]), expected, "{said}");
    }
}

#[test]
fn what_is_ignored_is_logged_all_the_same() {
    let mut dialogue = dialogue(settings(Action::Ignore), Purpose::Test(DUE));
    let found = play(&mut dialogue, &[b"EHLO c\nNOOP\r\n", b"Subject: x", b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>"]);
    let logged: Vec<&str> = found.iter().filter(|line| line.starts_with('#')).map(String::as_str).collect();
    assert_eq!(logged[0], "#BARE NEWLINE from PEER after EHLO c");
    assert_eq!(logged[1], "#COMMAND PIPELINING from PEER after EHLO: NOOP\\r\\n");
    assert_eq!(logged[2], "#NON-SMTP COMMAND from PEER after NOOP: Subject: x");
    assert!(logged[3].contains(": 450 4.3.2 Service currently unavailable; "));
    assert_eq!(Test::ALL.map(|test| dialogue.verdict(test)), [Verdict::Ignored; 3]);
}

#[test]
fn sessions_end_at_their_limits() {
    let limited = || Settings { command_count_limit: 2, ..settings(Action::Ignore) };
    let later = "421 mail.test Service unavailable - try again later";
    let mut many = dialogue(limited(), Purpose::Test(NONE));
    let found = play(&mut many, &[b"NOOP", b"foo", b"RSET", b"NOOP"]);
    assert_eq!(found[2..], ["#COMMAND COUNT LIMIT from PEER after UNIMPLEMENTED", later, "hang up"]);

    let mut patient = dialogue(limited(), Purpose::Test(NONE));
    assert_eq!(play(&mut patient, &[b"NOOP", b"NOOP", b"QUIT"])[2..], ["221 2.0.0 Bye", "hang up"]);

    let mut long = dialogue(limited(), Purpose::Test(NONE));
    let found = play(&mut long, &[b"auth", &[b'x'; 65]]);
    assert_eq!(found[1..], ["#COMMAND LENGTH LIMIT from PEER after AUTH", later, "hang up"]);

    let mut slow = dialogue(limited(), Purpose::Test(NONE));
    slow.feed(b"EHLO c\r\nMA");
    events(&mut slow);
    assert_eq!(slow.commands(), 1);
    slow.time_out();
    let late = "421 4.4.2 mail.test Error: timeout exceeded";
    assert_eq!(events(&mut slow), ["#COMMAND TIME LIMIT from PEER after EHLO", late, "hang up"]);
    slow.time_out();
    assert_eq!(events(&mut slow), [""; 0]);
}

#[test]
fn some_parameters_forbid_things() {
    let strict = Settings { helo_required: true, disable_vrfy_command: true, ..settings(Action::Ignore) };
    let first = "503 5.5.1 Error: send HELO/EHLO first";
    check(
        &mut dialogue(strict, Purpose::Test(NONE)),
        &format!(
            "
            C: MAIL FROM:<a@b>
            {first}
            C: ETRN
            {first}
            C: VRFY
            501 5.5.4 Syntax: VRFY address
            C: VRFY x
            502 5.5.1 VRFY command is disabled
            C: HELO x
            250 mail.test
            C: MAIL FROM:<a@b>
            250 2.1.0 Ok
            "
        ),
    );
}

#[test]
fn keywords_are_hidden_from_all_or_from_one() {
    let few = || {
        let keywords = Keywords::parse("vrfy etrn dsn 8bitmime smtputf8 enhancedstatuscodes", |_| ());
        Settings { hidden: keywords, message_size_limit: 0, ..settings(Action::Ignore) }
    };
    assert_eq!(play(&mut dialogue(few(), Purpose::Test(NONE)), &[b"EHLO x"]), ["250-mail.test|250-SIZE|250 CHUNKING"]);
    for (hidden, log) in [("size, Chunking", true), ("silent-discard size chunking", false)] {
        let mut dialogue = dialogue(few(), Purpose::Test(NONE));
        dialogue.client.hidden = Some(Keywords::parse(&format!("{hidden} vrfy etrn dsn 8bitmime smtputf8"), |_| ()));
        let mut expected = vec!["250-mail.test|250 ENHANCEDSTATUSCODES"];
        let discarding = "#[192.0.2.1]25000: discarding EHLO keywords: 8BITMIME ETRN SIZE VRFY DSN SMTPUTF8 CHUNKING";
        if log {
            expected.insert(0, discarding);
        }
        assert_eq!(play(&mut dialogue, &[b"EHLO x"]), expected);
        let ended = play(&mut dialogue, &[b"BDAT 1"]);
        assert_eq!(ended[1], "502 5.5.1 Error: command not implemented");
    }
}

#[test]
fn commands_are_replaced() {
    let mut dialogue = dialogue(settings(Action::Drop), Purpose::Test(DUE));
    let found = play(&mut dialogue, &[b" \thilo x\x00y"]);
    assert_eq!(found, ["#PEER: replacing command \" ?hilo x\" with \"HELO x\"", "250 mail.test"]);
}

#[test]
fn one_who_is_dismissed_may_quit() {
    let farewell = || Purpose::Dismiss(Reply::fixed(421, Enhanced(4, 3, 2), "All server ports are busy"));
    let mut talks = dialogue(settings(Action::Drop), farewell());
    assert_eq!(play(&mut talks, &[b"GET /\n"]), ["421 4.3.2 All server ports are busy", "hang up"]);
    let mut leaves = dialogue(settings(Action::Drop), farewell());
    assert_eq!(play(&mut leaves, &[b"QUIT"]), ["221 2.0.0 Bye", "hang up"]);
}

#[test]
fn soft_bounce_shows_in_the_log() {
    let mut soft = settings(Action::Ignore);
    soft.manner.soft_bounce = true;
    let mut dialogue = dialogue(soft, Purpose::Refuse(DENIED));
    let found = play(&mut dialogue, &[b"MAIL FROM:<>", b"RCPT TO:<>"]);
    assert!(found[1].contains(": 450 4.3.2 Service currently unavailable; from"), "{found:?}");
}

#[test]
fn tls_comes_before_what_matters() {
    let tls = || Settings {
        tls: Some(TlsLevel::Encrypt),
        offered: Settings::offer(false, false, Some(TlsLevel::Encrypt)),
        hidden: Keywords::parse("size dsn etrn 8bitmime chunking enhancedstatuscodes", |_| ()),
        ..settings(Action::Enforce)
    };
    let first = "530 5.7.0 Must issue a STARTTLS command first";
    let mut dialogue = dialogue(tls(), Purpose::Test(DUE));
    for said in ["MAIL", "RCPT", "DATA", "BDAT", "RSET", "VRFY", "ETRN"] {
        assert_eq!(play(&mut dialogue, &[said.as_bytes()]), [first], "{said}");
    }
    let script = "
        C: AUTH
        502 5.5.2 Error: command not recognized
        C: EHLO x
        250-mail.test|250-VRFY|250 STARTTLS
        C: STARTTLS
        start TLS
        ";
    check(&mut dialogue, script);
    dialogue.refuse_tls();
    assert_eq!(events(&mut dialogue), ["454 4.7.0 TLS not available due to local problem"]);
    dialogue.feed(b"STARTTLS\r\nMAIL FROM:<smuggled@x>\r\n");
    let pipelined = "#COMMAND PIPELINING from PEER after STARTTLS: MAIL FROM:<smuggled@x>\\r\\n";
    assert_eq!(events(&mut dialogue), [pipelined, "start TLS"]);
    dialogue.start_tls();
    assert_eq!(events(&mut dialogue), ["220 2.0.0 Ready to start TLS"], "what came too early is gone");
    check(
        &mut dialogue,
        "
        C: RCPT TO:<a@b>
        503 5.5.1 Error: need MAIL command
        C: EHLO x
        250-mail.test|250 VRFY
        C: STARTTLS
        554 5.5.1 Error: TLS already active
        ",
    );
}

/// Bytes that are more often commands than not.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let words = "(EHLO|HELO|MAIL FROM:<a@b>|RCPT TO:|DATA|BDAT 1|NOOP|STARTTLS|QUIT|RSET|GET|hilo|Host:|VRFY|ETRN|[ -~]{0,9}|\r|\n|\r\n|\\x00|\u{fc}| )";
    let said = proptest::string::string_regex(&format!("({words}[ ]?(a|<c@d>)?(\r\n|\r\n|\r\n|\n)){{0,30}}")).unwrap();
    prop_oneof![said.prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..300)]
}

/// All events, with TLS always to be had; the input in pieces of these sizes.
fn all_events(dialogue: &mut Dialogue, input: &[u8], pieces: &[usize]) -> Vec<String> {
    let mut found = events(dialogue);
    let (mut rest, mut sizes) = (input, pieces.iter().copied().cycle());
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
        dialogue.feed(piece);
        rest = behind;
        found.extend(events(dialogue));
        while matches!(dialogue.stage, Stage::Handshake) {
            dialogue.refuse_tls();
            found.extend(events(dialogue));
        }
        assert!(dialogue.lines.ahead().len() <= 65, "more is kept than a line");
    }
    found
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_events(input in input(), pieces in proptest::collection::vec(1..40_usize, 1..9)) {
        // What counts as pipelining is all that goes by pieces.
        let due = PerTest([false, true, true]);
        let tls = || Settings { tls: Some(TlsLevel::May), ..settings(Action::Enforce) };
        let whole = all_events(&mut dialogue(tls(), Purpose::Test(due)), &input, &[input.len().max(1)]);
        let pieced = all_events(&mut dialogue(tls(), Purpose::Test(due)), &input, &pieces);
        prop_assert_eq!(&whole, &pieced);
        let single = all_events(&mut dialogue(tls(), Purpose::Test(due)), &input, &[1]);
        prop_assert_eq!(whole, single);
    }

    #[test]
    fn no_input_brings_mail_or_endless_replies(input in input(), action in 0..3_usize) {
        let action = [Action::Ignore, Action::Enforce, Action::Drop][action];
        let found = all_events(&mut dialogue(settings(action), Purpose::Test(DUE)), &input, &[64]);
        let replies: Vec<_> = found.iter().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
        prop_assert!(replies.len() <= 22, "20 commands, and the last words");
        prop_assert!(!replies.iter().any(|reply| reply.starts_with('3')), "no content is asked for");
        if let Some(end) = found.iter().position(|line| line == "hang up") {
            prop_assert_eq!(end, found.len() - 1);
        }
    }
}

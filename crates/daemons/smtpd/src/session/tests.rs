//! What sessions come to, played as a client hears it.

mod end_of_data;
mod proxies;

use crate::rehearsal::{Heard, server, session, session_with_filter, session_with_login, session_with_milter};

#[test]
fn a_client_that_says_nothing_is_counted_so() {
    let heard = session("", &[""; 0]);
    assert_eq!(heard.replies, ["220 mx.test ESMTP Postern"]);
    heard.assert_logged("disconnect from localhost[127.0.0.1] commands=0/0");
}

#[test]
fn what_is_said_with_a_peer_of_debug_peer_list_is_logged() {
    let heard = session("debug_peer_list = 127.0.0.0/8\nhelpful_warnings = no\n", &["EHLO c.test", "NOOP", "QUIT"]);
    for line in [
        "> localhost[127.0.0.1]: 220 mx.test ESMTP Postern",
        "< localhost[127.0.0.1]: EHLO c.test",
        "> localhost[127.0.0.1]: 250-mx.test",
        "> localhost[127.0.0.1]: 250-PIPELINING",
        "< localhost[127.0.0.1]: QUIT",
        "> localhost[127.0.0.1]: 221 2.0.0 Bye",
    ] {
        heard.assert_logged(line);
    }
}

#[test]
fn a_client_that_is_refused_when_it_comes_can_only_leave() {
    let heard = session(
        "smtpd_delay_reject = no\nsmtpd_client_restrictions = reject\n",
        &["EHLO c.test", "MAIL FROM:<>", "what", "QUIT"],
    );
    let denied = "503 5.7.0 Error: access denied for localhost[127.0.0.1]";
    let refused = "554 5.7.1 <localhost[127.0.0.1]>: Client host rejected: Access denied";
    assert_eq!(heard.replies, [refused, denied, denied, denied, "221 2.0.0 Bye"]);
    heard.assert_logged(" ehlo=0/1 mail=0/1 quit=1 unknown=0/1 commands=1/4");
}

#[test]
fn a_client_that_a_table_cuts_off_hears_nothing() {
    for (stage, said, end) in [
        ("client", 0, "hangup: CONNECT from localhost[127.0.0.1]: gone; proto=SMTP"),
        ("helo", 1, "hangup: EHLO from localhost[127.0.0.1]: gone; proto=SMTP helo=<c.test>"),
        ("sender", 2, "hangup: MAIL from localhost[127.0.0.1]: gone; from=<> proto=ESMTP helo=<c.test>"),
    ] {
        let main = format!(
            "smtpd_delay_reject = no\nsmtpd_{stage}_restrictions = check_client_access static:{{HANGUP gone}}\n"
        );
        let heard = session(&main, &MAIL);
        assert_eq!(heard.replies[said], "", "{stage}");
        heard.assert_logged(end);
        assert!(heard.log.last().unwrap().starts_with("disconnect from"), "{:?}", heard.log);
    }
}

#[test]
fn a_client_that_is_refused_by_its_other_name_can_only_leave() {
    let heard = session(
        "smtpd_delay_reject = no\nsmtpd_authorized_xclient_hosts = 127.0.0.1\n\
         smtpd_client_restrictions = permit_mynetworks, reject\nmynetworks = 127.0.0.0/8\n",
        &["XCLIENT ADDR=192.0.2.1", "EHLO c.test", "QUIT"],
    );
    let denied = "503 5.7.0 Error: access denied for localhost[192.0.2.1]";
    assert_eq!(heard.replies.last().unwrap(), "221 2.0.0 Bye");
    assert_eq!(heard.replies[2], denied);
}

#[test]
fn what_has_to_be_encrypted_is_not_taken_in_clear_without_a_certificate() {
    for certificate in ["", "none"] {
        let main = format!("smtpd_tls_security_level = encrypt\nsmtpd_tls_cert_file = {certificate}\n");
        let heard = session(&main, &["EHLO c.test", "MAIL FROM:<>", "STARTTLS"]);
        assert!(heard.replies[1].contains("\n250-STARTTLS\n"));
        assert_eq!(heard.replies[2], "530 5.7.0 Must issue a STARTTLS command first");
        assert_eq!(heard.replies[3], "454 4.7.0 TLS not available due to local problem");
    }
}

#[test]
fn a_level_of_tls_that_does_not_exist_is_fatal() {
    for (level, fatal) in [("encrypted", true), ("dane", true), ("secure", false), ("none", false), ("", false)] {
        assert_eq!(server(&format!("smtpd_tls_security_level = {level}\n")).is_err(), fatal, "{level}");
    }
}

const DISABLED: &str = "503 5.5.1 Error: authentication not enabled";
const JOE: &str = "AUTH PLAIN AGpvZQB4";

#[test]
fn a_login_that_is_not_offered_is_not_possible() {
    let heard = session_with_login("smtpd_discard_ehlo_keywords = auth\n", &["EHLO c.test", JOE]);
    assert!(!heard.replies[1].contains("AUTH"), "{}", heard.replies[1]);
    assert_eq!(heard.replies[2], DISABLED);
    assert_eq!(session("", &[JOE]).replies[1], DISABLED);
}

#[test]
fn a_login_that_clients_do_not_see_is_possible() {
    let heard = session_with_login("smtpd_sasl_exceptions_networks = static:all\n", &["EHLO c.test", JOE]);
    assert!(!heard.replies[1].contains("AUTH"), "{}", heard.replies[1]);
    assert_eq!(heard.replies[2], "235 2.7.0 Authentication successful");
}

#[test]
fn no_login_is_offered_in_clear_where_all_has_to_be_encrypted() {
    let heard = session_with_login("smtpd_tls_security_level = encrypt\n", &["EHLO c.test", JOE]);
    assert!(!heard.replies[1].contains("AUTH"), "{}", heard.replies[1]);
    assert_eq!(heard.replies[2], "530 5.7.0 Must issue a STARTTLS command first");
}

#[test]
fn the_authentication_servers_reason_is_told() {
    let heard = session_with_login("", &["EHLO c.test", "AUTH PLAIN AGRiAHg="]);
    assert_eq!(heard.replies[2], "535 5.7.8 Error: authentication failed: database is down");
}

#[test]
fn who_is_not_asked_for_a_certificate_has_none() {
    for restriction in ["permit_tls_clientcerts", "permit_tls_all_clientcerts", "check_ccert_access static:OK"] {
        let main = format!("smtpd_delay_reject = no\nsmtpd_client_restrictions = {restriction}\n");
        let name = restriction.split(' ').next().unwrap();
        session(&main, &["QUIT"]).assert_logged(&format!("{name} is requested, but \"smtpd_tls_ask_ccert = no\""));
    }
}

#[test]
fn vrfy_needs_no_helo() {
    let heard = session("smtpd_helo_required = yes\n", &["VRFY"]);
    assert_eq!(heard.replies[1], "501 5.5.4 Syntax: VRFY address [SMTPUTF8]");
}

#[test]
fn a_login_needs_no_helo_unless_that_is_required() {
    let welcome = "235 2.7.0 Authentication successful";
    assert_eq!(session_with_login("", &[JOE]).replies[1], welcome);
    let first = "503 5.5.1 Error: send HELO/EHLO first";
    assert_eq!(session_with_login("smtpd_helo_required = yes\n", &[JOE]).replies[1], first);
}

#[test]
fn a_login_that_nobody_could_check_may_be_tried_again() {
    let heard = session_with_login("", &["EHLO c.test", "AUTH PLAIN AGdvbmUAeA==", JOE]);
    let failure = "Connection lost to authentication server";
    assert_eq!(heard.replies[2], format!("454 4.7.0 Temporary authentication failure: {failure}"));
    heard.assert_logged(&format!("SASL PLAIN authentication failed: {failure}, sasl_username=gone"));
    assert_eq!(heard.replies[3], "235 2.7.0 Authentication successful");
}

#[test]
fn an_unknown_security_option_of_logins_is_fatal() {
    let main = "smtpd_sasl_type = dovecot\nsmtpd_sasl_auth_enable";
    for (rest, fatal) in [
        ("yes\nsmtpd_sasl_security_options = noanonymous, foo\n", true),
        ("yes\nsmtpd_sasl_tls_security_options = foo\n", true),
        ("yes\nsmtpd_sasl_security_options = noanonymous, noplaintext\n", false),
        ("no\nsmtpd_sasl_security_options = foo\n", false),
    ] {
        assert_eq!(server(&format!("{main} = {rest}")).is_err(), fatal, "{rest}");
    }
}

const MAIL: [&str; 3] = ["EHLO c.test", "MAIL FROM:<>", "RCPT TO:<a@mx.test>"];

/// The replies behind those to [`MAIL`], and the log.
fn mail(main: &str, lines: &[&str]) -> (Vec<String>, Heard) {
    let (mut heard, _) = session_with_filter(main, &[&MAIL, lines].concat());
    let replies = heard.replies.split_off(MAIL.len() + 1);
    assert_eq!(heard.replies[3], "250 2.1.5 Ok");
    (replies, heard)
}

#[test]
fn recipients_beyond_the_limit_are_no_errors_at_first() {
    let (replies, heard) = mail("smtpd_recipient_limit = 1\n", &["RCPT TO:<b@mx.test>", "QUIT"]);
    assert_eq!(replies[0], "452 4.5.3 Error: too many recipients");
    heard.assert_logged("ehlo=1 mail=1 rcpt=2 quit=1 commands=5");
}

#[test]
fn a_message_may_be_as_large_as_the_limit() {
    for (text, expected) in [("12345678", "250 2.0.0 Taken"), ("123456789", "552 5.3.4 Error: message file too big")] {
        let (replies, _) = mail("message_size_limit = 10\n", &["DATA", &format!("{text}\r\n.\r\n")]);
        assert!(replies[1].starts_with(expected), "{text}: {}", replies[1]);
    }
}

#[test]
fn commands_without_a_purpose_count_from_the_last_message() {
    let junk = ["NOOP"; 3];
    let main = "smtpd_junk_command_limit = 2\nsmtpd_hard_error_limit = 2\n";
    let (replies, _) = mail(main, &[&junk[..], &["DATA", "x\r\n.\r\n"], &junk].concat());
    assert_eq!(replies.last().unwrap(), "250 2.0.0 Ok");
}

#[test]
fn who_speaks_esmtp_may_pipeline_though_that_is_not_offered() {
    let main = "smtpd_discard_ehlo_keywords = pipelining\nsmtpd_forbid_unauth_pipelining = yes\n";
    for (hello, reply) in [("EHLO", "250 2.0.0 Ok"), ("HELO", "554 5.5.0 Error: SMTP protocol synchronization")] {
        let heard = session(main, &[&format!("{hello} c.test"), "RSET\r\nRSET\r\n"]);
        assert_eq!(heard.replies[2], reply, "{hello}");
    }
}

#[test]
fn commands_are_filtered_or_none_is_obeyed() {
    let heard = session("smtpd_command_filter = inline:{FOO=NOOP}\n", &["FOO", "NOOP"]);
    assert_eq!(heard.replies[1..], ["250 2.0.0 Ok", "250 2.0.0 Ok"]);
    heard.assert_logged("localhost[127.0.0.1]: replacing command \"FOO\" with \"NOOP\"");
    let filter = "smtpd_command_filter = pcre:{{/^$$/ NOOP},{/^FOO $$/ NOOP}}\n";
    let heard = session(filter, &["", " \t", "\tFOO ", "FOO"]);
    assert_eq!(heard.replies[1..4], ["250 2.0.0 Ok"; 3]);
    assert_eq!(heard.replies[4], "500 5.5.2 Error: command not recognized");
    heard.assert_logged("localhost[127.0.0.1]: replacing command \"?FOO \" with \"NOOP\"");
    let heard = session("smtpd_command_filter = fail:x\n", &["NOOP", "NOOP"]);
    let refusal = "421 4.3.0 mx.test Server local data error";
    assert_eq!(heard.replies[1..], [refusal, ""]);
    heard.assert_logged(&format!("NOQUEUE: reject: CONNECT from localhost[127.0.0.1]: {refusal}"));
}

#[test]
fn what_is_not_known_of_a_client_is_not_guessed() {
    let failed = "421 4.3.0 mx.test Server local data error";
    for (list, what) in [
        ("smtpd_authorized_xclient_hosts", "if EHLO feature XCLIENT should be announced"),
        ("smtpd_authorized_xforward_hosts", "if EHLO feature XFORWARD should be announced"),
        ("smtpd_authorized_verp_clients", "if EHLO feature XVERP should be announced"),
        ("smtpd_discard_ehlo_keyword_address_maps", "what EHLO features to announce"),
    ] {
        let heard = session(&format!("{list} = fail:x\n"), &["EHLO c.test", "NOOP"]);
        assert_eq!(heard.replies[1..], [failed, ""], "{list}");
        heard.assert_logged(&format!("don't know {what} to localhost[127.0.0.1]"));
        heard.assert_logged(&format!("NOQUEUE: reject: EHLO from localhost[127.0.0.1]: {failed}"));
    }
    let heard = session("local_header_rewrite_clients = fail:x\n", &MAIL);
    assert_eq!(heard.replies[2], "451 4.3.0 Temporary lookup error");
    heard.assert_logged(
        "reject: MAIL from localhost[127.0.0.1]: 451 4.3.0 Temporary lookup error; proto=ESMTP helo=<c.test>",
    );
    let heard = session("mynetworks = fail:x\n", &MAIL);
    assert_eq!(heard.replies[3], "451 4.3.0 <a@mx.test>: Temporary lookup failure");
}

#[test]
fn bare_line_feeds_are_refused_where_they_are_forbidden() {
    let main = "smtpd_forbid_bare_newline = reject\nsmtpd_forbid_bare_newline_exclusions =\n";
    let refused = "550 5.5.2 mx.test Error: bare <LF> received";
    let about = "END-OF-MESSAGE from localhost[127.0.0.1]: bare <LF> received; from=<> to=<a@mx.test> proto=ESMTP helo=<c.test>";
    let (replies, heard) = mail(main, &["DATA", "a\nb\r\n.\r\n", "NOOP"]);
    assert_eq!(replies[1..], [refused, "250 2.0.0 Ok"]);
    heard.assert_logged(about);
    let (replies, heard) = mail(main, &["BDAT 3 LAST\r\na\nb\n", "NOOP"]);
    assert_eq!(replies[0], refused);
    heard.assert_logged(about);
    let (replies, heard) = mail(main, &["NOOP\n", "NOOP"]);
    assert_eq!(replies, [refused, ""], "the session ends");
    heard.assert_logged(
        "RCPT from localhost[127.0.0.1]: bare <LF> received; from=<> to=<a@mx.test> proto=ESMTP helo=<c.test>",
    );
}

#[test]
fn lost_connections_are_told_with_what_was_lost() {
    let loss = |lines: &[&str]| {
        let log = mail("", lines).1.log;
        let line =
            log.iter().find(|line| line.contains("lost connection")).map(|line| line.split(' ').collect::<Vec<_>>());
        line.map_or(String::new(), |words| words[4..words.len() - 2].join(" "))
    };
    assert_eq!(loss(&["DATA", "a\r\n.\r\n"]), "", "nothing of a message that has its reply");
    assert_eq!(loss(&["DATA", "a\r\n.\r\n", "NOOP"]), "NOOP");
    assert_eq!(loss(&["BDAT 5\r\nabcd\n"]), "BDAT (6 bytes)", "between chunks, too");
    assert_eq!(loss(&["BDAT 5\r\nabcd\n", "NOOP"]), "NOOP");
}

#[test]
fn chunks_behind_one_that_was_refused_are_skipped() {
    let (replies, _) = mail("", &["BDAT 0", "DATA", "BDAT 3\r\nab\n", "BDAT 0 LAST", "MAIL FROM:<>"]);
    let expected = [
        "551 5.7.1 Null BDAT request",
        "503 5.5.1 Error: DATA after BDAT",
        "551 5.0.0 Discarded 3 bytes after earlier error",
    ];
    assert_eq!(replies[..3], expected);
    assert_eq!(replies[3..], ["551 5.0.0 Discarded 0 bytes after earlier error", "250 2.1.0 Ok"]);
}

#[test]
fn a_message_does_not_begin_among_chunks_that_are_skipped() {
    let lines = ["EHLO c.test", "BDAT 2\r\na\n", "MAIL FROM:<>", "BDAT 2 LAST\r\na\n", "MAIL FROM:<>"];
    let replies = session("", &lines).replies;
    let expected = [
        "503 5.5.1 Error: need RCPT command",
        "503 5.5.1 Error: MAIL after BDAT",
        "551 5.0.0 Discarded 2 bytes after earlier error",
        "250 2.1.0 Ok",
    ];
    assert_eq!(replies[2..], expected);
}

#[test]
fn chunks_that_are_not_offered_end_the_session() {
    let heard = session("smtpd_discard_ehlo_keywords = chunking\n", &["BDAT 1 LAST", "NOOP"]);
    assert_eq!(heard.replies[1..], ["521 5.5.1 Error: command not implemented", ""]);
}

#[test]
fn commands_without_a_purpose_become_errors_beyond_their_limit() {
    let main = "smtpd_junk_command_limit = 3\nsmtpd_hard_error_limit = 4\n";
    let replies = session(main, &["NOOP"; 9]).replies;
    assert_eq!(replies[8], "250 2.0.0 Ok");
    assert_eq!(replies[9], "421 4.7.0 mx.test Error: too many errors");
}

#[test]
fn an_address_is_looked_at_before_the_parameters_and_the_number_of_recipients() {
    let main = "smtpd_recipient_limit = 1\nstrict_smtputf8 = yes\n";
    let (sender, recipient) = ("501 5.1.7 Bad sender address syntax", "501 5.1.3 Bad recipient address syntax");
    for (address, expected) in
        [("<-x@a.test>", sender), ("<s@\u{fc}.test>", sender), ("<s@a.test>", "501 5.5.4 Bad message size syntax")]
    {
        assert_eq!(session(main, &[&format!("MAIL FROM:{address} SIZE=x")]).replies[1], expected, "{address}");
    }
    let declared = session(main, &["EHLO c.test", "MAIL FROM:<s@\u{fc}.test> SIZE=1 SMTPUTF8"]);
    assert_eq!(declared.replies[2], "250 2.1.0 Ok");
    let asked = session(main, &["VRFY \u{fc}@a.test", "VRFY \u{fc}@a.test SMTPUTF8"]).replies;
    assert_eq!((&asked[1][..9], &asked[2][..9]), ("553 5.6.7", "451 4.3.0"));
    let over = "452 4.5.3 Error: too many recipients";
    let (heard, _) =
        session_with_filter(main, &["MAIL FROM:<>", "RCPT TO:<a@b.test>", "RCPT TO:<-x@b.test>", "RCPT TO:<c@b.test>"]);
    assert_eq!(heard.replies[2..], ["250 2.1.5 Ok", recipient, over]);
}

#[test]
fn refusals_tell_addresses_without_quotes_and_control_characters() {
    let main = "soft_bounce = yes\nsmtpd_reject_footer = \\c; of $sender\n\
                smtpd_relay_restrictions = warn_if_reject reject, reject\n";
    let large = session("soft_bounce = yes\n", &["MAIL FROM:<> SIZE=99999999999"]);
    large.assert_logged("452 4.3.4 Message size exceeds fixed limit; from=<> proto=SMTP");
    let huge = session("", &["MAIL FROM:<> SIZE=99999999999999999999999"]);
    assert_eq!(huge.replies[1], "552 5.3.4 Message size exceeds file system imposed limit");
    let heard = session(main, &["MAIL FROM:<\"a b\"@c.test>", "RCPT TO:<x\x01y@b.test>"]);
    assert_eq!(heard.replies[2], "454 4.7.1 <x y@b.test>: Recipient address rejected: Access denied; of a b@c.test");
    let warned = "NOQUEUE: reject_warning: RCPT from localhost[127.0.0.1]: 454 4.7.1 <x y@b.test>: ";
    assert!(heard.log.iter().any(|line| line.starts_with(warned)), "{:?}", heard.log);
}

#[test]
fn what_was_held_against_a_client_when_it_came_counts_for_vrfy_and_etrn() {
    let main = "smtpd_delay_reject = no\nsmtpd_client_restrictions = defer_if_permit\nmydestination = mx.test\n";
    let held = "450 4.7.0 <localhost[127.0.0.1]>: Client host rejected: defer_if_permit requested";
    let heard = session(main, &["EHLO c.test", "ETRN mx.test", "VRFY postmaster@mx.test"]);
    assert_eq!(heard.replies[2], held);
}

#[test]
fn senders_and_their_parameters() {
    let (taken, bad) = ("250 2.1.0 Ok", "501 5.1.7 Bad sender address syntax");
    let disabled = "501 5.7.1 DSN support is disabled";
    let delimiters = "501 5.5.4 Error: XVERP needs two characters from -=+";
    let (dsn, verp) = ("smtpd_discard_ehlo_keywords = dsn\n", "smtpd_authorized_verp_clients = 127.0.0.1\n");
    for (main, rest, expected) in [
        ("", "<-x@a.test>", bad),
        ("", "<\"-x\"@a.test>", bad),
        ("allow_min_user = yes\n", "<-x@a.test>", taken),
        ("", "<\"a\"b@a.test>", bad),
        ("", "<@b.test>", taken),
        ("strict_rfc821_envelopes = yes\n", "<@b.test>", bad),
        ("", "<> ENVID=", "501 5.5.4 Bad ENVID parameter syntax"),
        ("", "<> AUTH=+zz", taken),
        (dsn, "<> RET=FULL", disabled),
        (dsn, "<> ENVID=x", disabled),
        (dsn, "<> RET", "555 5.5.4 Unsupported option: RET"),
        (verp, "<a@b.test> XVERP=ab", delimiters),
        (verp, "<a@b.test> XVERP=", delimiters),
        (verp, "<a@b.test> XVERP=-+", taken),
        (verp, "<> XVERP", "503 5.5.4 Error: XVERP requires non-null sender"),
    ] {
        let replies = session(main, &["EHLO c.test", &format!("MAIL FROM:{rest}")]).replies;
        assert_eq!(replies[2], expected, "{main}{rest}");
    }
}

#[test]
fn without_smtputf8_local_parts_may_have_any_bytes() {
    let bytes: [&[u8]; 3] = [b"EHLO c.test", b"MAIL FROM:<a@\xe9.test>", b"MAIL FROM:<\xe9@a.test>"];
    let replies = session("smtputf8_enable = no\n", &bytes).replies;
    assert_eq!(replies[2..], ["501 5.1.7 Bad sender address syntax", "250 2.1.0 Ok"]);
    assert_eq!(session("", &bytes).replies[2], "500 5.5.2 Error: bad UTF-8 syntax");
}

#[test]
fn recipients_and_their_parameters() {
    let (taken, disabled) = ("250 2.1.5 Ok", "501 5.7.1 DSN support is disabled");
    let notify = "501 5.5.4 Error: Bad NOTIFY parameter syntax";
    for (main, rest, expected) in [
        ("", "NOTIFY=SUCCESS,SUCCESS", taken),
        ("", "NOTIFY=,SUCCESS,", taken),
        ("", "NOTIFY=", notify),
        ("", "NOTIFY=SUCCESS,x", notify),
        ("", "ORCPT=rfc822;", taken),
        ("", "ORCPT=utf-8;a\\x{zz}", "501 5.5.4 Error: Bad ORCPT parameter syntax"),
        ("smtpd_discard_ehlo_keywords = dsn\n", "NOTIFY=NEVER", disabled),
        ("smtpd_discard_ehlo_keywords = dsn\n", "ORCPT=rfc822;a", disabled),
    ] {
        let rcpt = format!("RCPT TO:<a@mx.test> {rest}");
        let (heard, _) = session_with_filter(main, &["EHLO c.test", "MAIL FROM:<>", &rcpt]);
        assert_eq!(heard.replies[3], expected, "{main}{rest}");
        let warning = heard.log.iter().find(|line| line.starts_with("unknown DSN NOTIFY"));
        let expected = rest.ends_with('x').then_some("unknown DSN NOTIFY command value \"x\" in \"SUCCESS,x\"");
        assert_eq!(warning.map(String::as_str), expected);
    }
}

#[test]
fn commands_around_mail() {
    let unknown = "500 5.5.2 Error: command not recognized";
    let rejecting = "smtpd_relay_restrictions = reject\n";
    let refused = "554 5.7.1 <a@mx.test>: Recipient address rejected: Access denied";
    let strict = "strict_rfc821_envelopes = yes\nsmtpd_relay_restrictions = reject\n";
    for (main, line, expected) in [
        (rejecting, "VRFY a@mx.test", refused),
        (strict, "VRFY a@mx.test", refused),
        (rejecting, "VRFY a@mx.test SMTPUTF8", refused),
        ("", "VRFY SMTPUTF8", "501 5.5.4 Syntax: VRFY address [SMTPUTF8]"),
        ("smtputf8_enable = no\n", "VRFY", "501 5.5.4 Syntax: VRFY address"),
        ("smtputf8_enable = no\n", "VRFY a@mx.test SMTPUTF8", "501 5.1.3 Bad recipient address syntax"),
        ("", "VRFY -x@mx.test", "501 5.1.3 Bad recipient address syntax"),
        ("", "ETRN ü.test", "501 Error: invalid parameter syntax"),
        ("smtpd_discard_ehlo_keywords = etrn\n", "ETRN", "500 Syntax: ETRN domain"),
        ("", "Host: x", "221 2.7.0 Error: I can break rules, too. Goodbye."),
        ("", "Host : x", unknown),
    ] {
        assert_eq!(session(main, &["EHLO c.test", line]).replies[2], expected, "{main}{line}");
    }
    let heard = session(rejecting, &["EHLO c.test", "MAIL FROM:<>", "VRFY a@mx.test"]);
    heard.assert_logged("Access denied; from=<> to=<a@mx.test> proto=ESMTP helo=<c.test>");
}

#[test]
fn a_login_is_told_as_the_client_wrote_it() {
    let long = "A".repeat(13_000);
    let heard = session_with_login("", &["AUTH plain", "*", "AUTH PLAIN", &long, "AUTH x"]);
    let replies = [
        "334 ",
        "501 5.7.0 Authentication aborted",
        "334 ",
        "500 5.5.6 SASL response limit exceeded",
        "535 5.7.8 Error: authentication failed: Invalid authentication mechanism: 'x'",
    ];
    assert_eq!(heard.replies[1..], replies);
    heard.assert_logged("localhost[127.0.0.1]: SASL plain authentication aborted");
}

#[test]
fn all_discarded_keywords_are_listed() {
    let heard = session("smtpd_discard_ehlo_keywords = dsn, auth, starttls\n", &["EHLO c.test"]);
    heard.assert_logged("discarding EHLO keywords: AUTH STARTTLS DSN");
    let heard = session("smtpd_discard_ehlo_keywords = dsn, silent-discard\n", &["EHLO c.test"]);
    assert!(!heard.log.iter().any(|line| line.starts_with("discarding")));
}

#[test]
fn a_client_that_a_milter_refuses_is_offered_nothing() {
    let heard = session_with_milter(b'H', b"r", &MAIL);
    assert_eq!(heard.replies[1..3], ["250-mx.test\n250 ENHANCEDSTATUSCODES", "550 5.7.1 Command rejected"]);
    heard.assert_logged(
        "milter-reject: EHLO from localhost[127.0.0.1]: 550 5.7.1 Command rejected; proto=SMTP helo=<c.test>",
    );
    let heard = session_with_milter(b'H', b"t", &MAIL);
    assert!(heard.replies[1].contains("\n250-PIPELINING\n"), "it may come again");
    let heard = session_with_milter(b'H', b"y421 4.7.0 Go\0", &MAIL);
    assert_eq!(heard.replies[1..3], ["421 4.7.0 Go", ""]);
}

#[test]
fn a_reply_of_a_milter_that_is_none_is_our_fault() {
    let heard = session_with_milter(b'M', b"y250 ok\0", &MAIL);
    assert_eq!(heard.replies[2], "451 4.3.5 Server configuration problem - try again later");
    heard.assert_logged(": malformed reply: 250 ok");
}

#[test]
fn all_lines_of_a_milters_reply_are_logged() {
    let heard = session_with_milter(b'M', b"y550-5.7.1 Two\r\n550 5.7.1 lines\0", &MAIL);
    assert_eq!(heard.replies[2], "550-5.7.1 Two\n550 5.7.1 lines");
    heard.assert_logged(
        "MAIL from localhost[127.0.0.1]: 550-5.7.1 Two\r\n550 5.7.1 lines; from=<> proto=ESMTP helo=<c.test>",
    );
}

#[test]
fn what_milters_say_to_an_unknown_command_is_logged_with_the_message() {
    let heard = session_with_milter(b'U', b"r", &[&MAIL[..], &["FOO"]].concat());
    assert_eq!(heard.replies.last().unwrap(), "500 5.5.2 Error: command not recognized", "we say it better");
    heard.assert_logged("Command rejected; from=<> to=<a@mx.test> proto=ESMTP helo=<c.test>");
}

#[test]
fn what_milters_say_to_data_is_logged_with_the_first_recipient() {
    let heard = session_with_milter(b'T', b"r", &[&MAIL[..], &["RCPT TO:<b@mx.test>", "DATA"]].concat());
    assert_eq!(heard.replies[5], "550 5.7.1 Command rejected");
    heard.assert_logged("Command rejected; from=<> to=<a@mx.test> proto=ESMTP helo=<c.test>");
}

//! XCLIENT and XFORWARD, as their clients hear them.

use super::MAIL;
use crate::rehearsal::{session, session_with_filter};

#[test]
fn attributes_are_taken_or_refused_as_a_whole() {
    let main = "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_authorized_xforward_hosts = 127.0.0.1\n";
    let value = "501 5.5.4 Error: attribute=value expected";
    let taken = "220 mx.test ESMTP Postern";
    for (command, expected) in [
        ("XCLIENT NAME=", value),
        ("XCLIENT NAME", value),
        ("XCLIENT NAME=[TEMPUNAVAIL]", taken),
        ("XCLIENT REVERSE_NAME=-bad", "501 5.5.4 Bad REVERSE_NAME syntax: -bad"),
        ("XCLIENT ADDR=192.0.2.1", taken),
        ("XCLIENT ADDR=IPv6:2001:db8::1", taken),
        ("XCLIENT ADDR=2001:db8::1", "501 5.5.4 Bad ADDR syntax: 2001:db8::1"),
        ("XCLIENT ADDR=IPv6:1.2.3.4", "501 5.5.4 Bad ADDR syntax: IPv6:1.2.3.4"),
        ("XCLIENT ADDR=[TEMPUNAVAIL]", "501 5.5.4 Bad ADDR syntax: [TEMPUNAVAIL]"),
        ("XCLIENT PROTO=[UNAVAILABLE]", "501 5.5.4 Bad PROTO syntax: [UNAVAILABLE]"),
        ("XCLIENT HELO=h+zz", taken),
        (&format!("XCLIENT HELO={}", "h".repeat(255)), taken),
        (&format!("XCLIENT HELO={}", "h".repeat(256)), "501 5.5.4 Error: attribute value too long"),
        (&format!("XFORWARD NAME={}", "h".repeat(256)), "501 5.5.4 Error: attribute value too long"),
        ("XCLIENT FOO=x", "501 5.5.4 Bad XCLIENT attribute name: FOO"),
        ("XFORWARD HELO=", value),
        ("XFORWARD NAME=-bad", "501 5.5.4 Bad NAME syntax: -bad"),
        ("XFORWARD NAME=[TEMPUNAVAIL]", "501 5.5.4 Bad NAME syntax: [TEMPUNAVAIL]"),
        ("XFORWARD PROTO=[UNAVAILABLE]", "250 2.0.0 Ok"),
        ("XFORWARD SOURCE=x", "501 5.5.4 Bad SOURCE syntax: x"),
        ("XFORWARD LOGIN=x", "501 5.5.4 Bad XFORWARD attribute name: LOGIN"),
    ] {
        assert_eq!(session(main, &[command]).replies[1], expected, "{command}");
    }
}

#[test]
fn a_client_that_a_proxy_names_has_its_own_rights_to_name_another() {
    let main = "smtpd_authorized_xclient_hosts = 127.0.0.1 192.0.2.1\nsmtpd_authorized_xforward_hosts = 127.0.0.1\n";
    let (denied, banner) = ("550 5.7.0 Error: insufficient authorization", "220 mx.test ESMTP Postern");
    for (address, second) in [("192.0.2.1", banner), ("192.0.2.2", denied), ("[UNAVAILABLE]", denied)] {
        let first = format!("XCLIENT ADDR={address}");
        let heard = session(main, &[&first, "XCLIENT NAME=x.test", "XFORWARD NAME=y.test", "QUIT"]);
        assert_eq!(heard.replies[1..4], [banner, second, "250 2.0.0 Ok"], "{address}");
        heard.assert_logged(" xclient=0/2 xforward=1 quit=1 commands=2/4");
    }
}

#[test]
fn what_was_told_of_the_original_client_is_not_told_of_the_next() {
    let main = "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_authorized_xforward_hosts = 127.0.0.1\n";
    let said = [&["XFORWARD NAME=foo.test IDENT=7", "XCLIENT NAME=bar.test"], &MAIL[..]].concat();
    let (heard, told) = session_with_filter(main, &said);
    heard.assert_logged("client=bar.test[127.0.0.1]");
    assert!(!heard.log.iter().any(|line| line.contains("orig_")), "{:?}", heard.log);
    assert!(told.iter().any(|line| line.starts_with("XFORWARD NAME=bar.test ")), "{told:?}");
}

#[test]
fn what_was_told_of_the_original_client_is_for_one_message() {
    let main = "smtpd_authorized_xforward_hosts = 127.0.0.1\n";
    let told = "XFORWARD NAME=foo.test ADDR=192.0.2.1 IDENT=7";
    let logged = |between: &[&str]| {
        let said = [&["EHLO c.test", told], between, &MAIL[1..]].concat();
        let (heard, _) = session_with_filter(main, &said);
        heard.log.iter().rev().find_map(|line| line.split_once("client=localhost[127.0.0.1]")).unwrap().1.to_owned()
    };
    let kept = ", orig_queue_id=7, orig_client=foo.test[192.0.2.1]";
    let message = [&MAIL[1..], &["DATA", "Subject: x\r\n\r\nx\r\n.\r\n"]].concat();
    for (between, expected) in [
        (&[][..], kept),
        (&["NOOP"], kept),
        (&["MAIL FROM:<-x@a.test>"], kept),
        (&["RSET"], ""),
        (&["EHLO c.test"], ""),
        (&["HELO c.test"], ""),
        (&message, ""),
    ] {
        assert_eq!(logged(between), expected, "{between:?}");
    }
}

#[test]
fn a_proxy_tells_what_its_client_said() {
    let main = "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_relay_restrictions = reject\n";
    let refused = |attributes: &str| {
        let heard = session(main, &[&format!("XCLIENT {attributes}"), "MAIL FROM:<>", "RCPT TO:<a@b.test>"]);
        heard.log.iter().find_map(|line| line.split_once("to=<a@b.test> ")).unwrap().1.to_owned()
    };
    assert_eq!(refused("PROTO=ESMTP"), "proto=ESMTP");
    assert_eq!(refused("PROTO=ESMTP HELO=a<b>"), "proto=ESMTP helo=<a?b?>");
    assert_eq!(refused("HELO=x"), "proto=SMTP helo=<x>");
    assert_eq!(refused("HELO=[UNAVAILABLE]"), "proto=SMTP");
    let heard = session(main, &["EHLO c.test", "XCLIENT FOO=x", "MAIL FROM:<>", "RCPT TO:<a@b.test>"]);
    heard.assert_logged("to=<a@b.test> proto=ESMTP helo=<c.test>");
}

#[test]
fn our_own_client_is_not_mixed_with_the_original_one() {
    let main = "smtpd_authorized_xforward_hosts = 127.0.0.1\n";
    let (heard, told) = session_with_filter(main, &[&["XFORWARD NAME=foo.test"], &MAIL[1..]].concat());
    heard.assert_logged("client=localhost[127.0.0.1], orig_client=foo.test");
    let none = "[UNAVAILABLE]";
    let expected =
        format!("XFORWARD NAME=foo.test ADDR={none} PORT={none} HELO={none} IDENT={none} PROTO={none} SOURCE=LOCAL");
    assert!(told.contains(&expected), "our own client is local: {told:?}");
    let main = format!("{main}local_header_rewrite_clients =\n");
    let (_, told) = session_with_filter(&main, &[&["XFORWARD NAME=foo.test"], &MAIL[1..]].concat());
    assert!(told.contains(&expected.replace("LOCAL", "REMOTE")), "{told:?}");
    let main = &main;
    let (heard, told) =
        session_with_filter(main, &[&["XFORWARD ADDR=IPv6:2001:db8::1 SOURCE=LOCAL"], &MAIL[1..]].concat());
    heard.assert_logged("client=localhost[127.0.0.1], orig_client=unknown[2001:db8::1]");
    let expected = format!(
        "XFORWARD NAME={none} ADDR=IPv6:2001:db8::1 PORT={none} HELO={none} IDENT={none} PROTO={none} SOURCE=LOCAL"
    );
    assert!(told.contains(&expected), "{told:?}");
}

#[test]
fn a_name_that_is_not_known_leaves_the_one_that_the_address_claims() {
    let main = "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_client_restrictions = \
                check_reverse_client_hostname_access inline:{{claimed.test=REJECT}}, permit\n";
    let text = "554 5.7.1 <claimed.test>: Unverified Client host rejected: Access denied";
    for (attributes, expected) in [
        ("REVERSE_NAME=claimed.test NAME=[UNAVAILABLE]", true),
        ("REVERSE_NAME=claimed.test NAME=[TEMPUNAVAIL]", true),
        ("REVERSE_NAME=claimed.test NAME=known.test", false),
        ("NAME=claimed.test", true),
        ("NAME=claimed.test REVERSE_NAME=[UNAVAILABLE]", false),
    ] {
        let heard = session(main, &[&format!("XCLIENT {attributes}"), "MAIL FROM:<>", "RCPT TO:<a@b.test>"]);
        assert_eq!(heard.replies[3] == text, expected, "{attributes}: {}", heard.replies[3]);
    }
}

#[test]
fn a_client_that_a_proxy_names_is_as_local_as_the_proxy() {
    let main = "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_relay_restrictions = permit_inet_interfaces, reject\n\
                inet_interfaces = 127.0.0.1\nsmtpd_reject_unlisted_recipient = no\n";
    let (heard, _) =
        session_with_filter(main, &["XCLIENT ADDR=192.0.2.1", "EHLO c.test", "MAIL FROM:<>", "RCPT TO:<a@b.test>"]);
    assert_eq!(heard.replies[4], "250 2.1.5 Ok");
}

#[test]
fn addresses_of_families_that_are_not_in_use_are_none() {
    let main = "inet_protocols = ipv4\nsmtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_authorized_xforward_hosts = 127.0.0.1\n";
    for command in ["XCLIENT ADDR", "XCLIENT DESTADDR", "XFORWARD ADDR"] {
        let heard = session(main, &[&format!("{command}=IPv6:2001:db8::1")]);
        let name = command.rsplit_once(' ').unwrap().1;
        assert_eq!(heard.replies[1], format!("501 5.5.4 Bad {name} syntax: IPv6:2001:db8::1"));
    }
}

#[test]
fn between_two_filters_no_trace_is_left() {
    let main = "smtpd_authorized_xforward_hosts = 127.0.0.1\n";
    let rest = ["MAIL FROM:<>", "RCPT TO:<a@b.test>", "DATA", "a: b\r\n.\r\n"];
    for (first, traces) in [("NOOP", 1), ("XFORWARD IDENT=x", 0)] {
        let (_, told) = session_with_filter(main, &[&[first][..], &rest].concat());
        assert_eq!(told.iter().filter(|line| line.starts_with("Received:")).count(), traces, "{told:?}");
    }
}

#[test]
fn a_filter_hears_who_vouches_for_the_sender() {
    for auth in ["AUTH=<>", "AUTH=a+2Bb"] {
        let mail = format!("MAIL FROM:<> {auth}");
        let (_, told) = session_with_filter("", &[&mail, "RCPT TO:<a@b.test>"]);
        assert!(told.contains(&mail), "{told:?}");
    }
}

#[test]
fn a_login_that_a_proxy_tells_of_counts_where_nobody_can_log_in_here() {
    let main =
        "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_relay_restrictions = permit_sasl_authenticated, reject\n";
    for (login, reply) in [("bob", "250"), ("[UNAVAILABLE]", "554")] {
        let xclient = format!("XCLIENT LOGIN={login}");
        let lines = [xclient.as_str(), "EHLO c.test", "MAIL FROM:<>", "RCPT TO:<a@b.test>"];
        let (heard, _) = session_with_filter(main, &lines);
        assert_eq!(heard.replies[4].get(..3), Some(reply), "{:?}", heard.replies);
    }
}

#[test]
fn a_hidden_session_leaves_neither_client_nor_protocol_behind() {
    let rest = ["EHLO c.test", "MAIL FROM:<>", "RCPT TO:<a@b.test>", "DATA", "a: b\r\n.\r\n"];
    for (main, start) in [
        ("", "Received: from c.test (localhost [127.0.0.1])"),
        ("smtpd_hide_client_session = yes\n", "Received: by mx.test (Postern)"),
    ] {
        let (_, told) = session_with_filter(main, &rest);
        let trace = told.iter().find(|line| line.starts_with("Received:")).unwrap();
        assert_eq!(trace, start);
    }
}

#[test]
fn the_log_tells_who_is_refused() {
    let main = "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_client_restrictions = reject\n";
    let lines = ["XCLIENT LOGIN=bob", "EHLO c.test", "MAIL FROM:<>", "RCPT TO:<a@b.test>"];
    let heard = session(main, &lines);
    heard.assert_logged("from=<> to=<a@b.test> proto=ESMTP helo=<c.test> sasl_method=XCLIENT sasl_username=bob");
}

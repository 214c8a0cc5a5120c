//! What is said and asked when the content of a message is complete.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;

use super::MAIL;
use crate::rehearsal::{Heard, session, session_with_filter, session_with_filter_and};

/// A session with a policy service at `unix:PATH/policy` that has no objections. Gives the lines that it was asked.
fn session_with_policy(main_cf: &str, lines: &[&str]) -> (Heard, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy");
    let main = main_cf.replace("POLICY", &format!("check_policy_service unix:{}", path.display()));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let ours = Arc::clone(&asked);
    let other = async move {
        let listener = UnixListener::bind(path).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.is_empty() {
                    lines.get_mut().get_mut().write_all(b"action=DUNNO\n\n").await.unwrap();
                }
                ours.lock().unwrap().push(line);
            }
        }
    };
    let (heard, _) = session_with_filter_and(other, &main, lines);
    let asked = asked.lock().unwrap().clone();
    (heard, asked)
}

#[test]
fn the_line_that_ends_content_is_no_part_of_its_size() {
    let main = "smtpd_end_of_data_restrictions = POLICY\n";
    for rest in [["DATA", "a: b\r\n\r\nc\r\n.\r\n"], ["BDAT 6\r\na: b\r\n", "BDAT 4 LAST\r\n\r\nc\n"]] {
        let (heard, asked) = session_with_policy(main, &[&MAIL[..], &rest].concat());
        assert_eq!(heard.replies.last().unwrap().get(..3), Some("250"), "{:?}", heard.replies);
        assert!(asked.contains(&"size=11".to_owned()), "{rest:?}: {asked:?}");
    }
}

#[test]
fn footers_know_the_message_that_is_refused_at_its_end() {
    let main = "smtpd_end_of_data_restrictions = reject\n\
                smtpd_reject_footer = \\c; $sender $sender_name $sender_domain $recipient_name@$recipient_domain $other.\n";
    let lines = ["MAIL FROM:<a@c.test>", "RCPT TO:<\"x y\"@b.test>", "DATA", ".\r\n", "what"];
    let (heard, _) = session_with_filter(main, &lines);
    assert!(heard.replies[4].ends_with("; a@c.test a c.test x y@b.test ."), "{}", heard.replies[4]);
    assert!(heard.replies[5].ends_with(";    @ ."), "it is over: {}", heard.replies[5]);
    heard.assert_logged("unknown macro name \"other\" in expansion request");
}

#[test]
fn bare_line_feeds_can_be_noted() {
    let main = "smtpd_forbid_bare_newline = note\nsmtpd_forbid_bare_newline_exclusions =";
    let content = ["DATA", "a: b\nc\r\n.\r\n"];
    for (main, lines, end) in [
        (main.to_owned(), &["NOOP\n"][..], "commands=1 notes=bare_lf"),
        (main.to_owned(), &[&MAIL[..], &content].concat()[..], " notes=bare_lf"),
        (main.to_owned(), &["NOOP"], "commands=1"),
        (format!("{main} 127.0.0.1"), &["NOOP\n"], "commands=1"),
    ] {
        session(&main, lines).assert_logged(end);
    }
}

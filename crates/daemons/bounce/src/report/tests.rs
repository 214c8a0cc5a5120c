//! Notices as their readers get them.

use super::*;
use jiff::Timestamp;
use jiff::tz::TimeZone;

fn at(second: i64) -> Zoned {
    Timestamp::new(second, 0).unwrap().to_zoned(TimeZone::UTC)
}

fn host() -> Host {
    Host { name: "mail.example.test".into(), mail_name: "Postfix".into(), eight_bit: true }
}

fn original(script: Script) -> Original {
    Original {
        queue_id: "435D498E2C7".into(),
        sender: b"lab-bob@example.test".to_vec(),
        envelope_id: "abc=".into(),
        arrived: Some(at(1_795_258_490)),
        encoding: String::new(),
        security: Security::Unsaid,
        script,
        message_id: None,
    }
}

fn entries() -> Vec<Entry> {
    vec![
        Entry {
            recipient: b"nobody-here@mail.example.test".to_vec(),
            original: b"al@example.test".to_vec(),
            dsn_original: "rfc822;al@example.test".into(),
            status: "5.1.1".into(),
            action: "failed".into(),
            reason: "unknown user: \"nobody-here\"".into(),
            ..Entry::default()
        },
        Entry {
            recipient: b"you@example.org".to_vec(),
            dsn_original: "rfc822;Orig+x@example.com".into(),
            status: "5.1.6".into(),
            diagnostic_type: "smtp".into(),
            diagnostic: "550 5.1.6 moved away".into(),
            mta_type: "dns".into(),
            mta: "127.123.115.203".into(),
            reason: "host 127.123.115.203[127.123.115.203] said: 550 5.1.6 moved away (in reply to RCPT TO command)"
                .into(),
            ..Entry::default()
        },
    ]
}

fn template() -> Template {
    Template {
        charset: "us-ascii".into(),
        from: "Mail Delivery System <MAILER-DAEMON>".into(),
        subject: "Undelivered Mail Returned to Sender".into(),
        postmaster_subject: "Postmaster Copy: Undelivered Mail".into(),
        text: b"This is the mail system.\n".to_vec(),
    }
}

fn failure<'a>((template, host): (&'a Template, &'a Host), original: &'a Original, entries: &'a [Entry]) -> Report<'a> {
    Report { kind: Kind::Failure, template, host, original, entries, retried_until: None }
}

fn to_sender(now: &Zoned) -> Letter<'_> {
    Letter {
        queue_id: "50BA098E2CF",
        to: b"lab-bob@example.test",
        audience: Audience::Sender,
        returned: Returned::Full,
        now,
    }
}

#[test]
fn without_smtputf8_notices_are_encoded_as_the_message() {
    let (template, entries, now) = (template(), entries(), at(1_795_258_490));
    let host = Host { eight_bit: false, ..host() };
    for (encoding, charset, whole, parts) in
        [("8bit", "utf-8", 1, 2), ("7bit", "us-ascii", 1, 0), ("", "us-ascii", 0, 0)]
    {
        let original = Original { encoding: encoding.into(), ..original(Script::Ascii) };
        let report = failure((&template, &host), &original, &entries);
        let text = String::from_utf8(report.head(&to_sender(&now))).unwrap();
        assert!(text.contains(&format!("charset={charset}\n")), "{text}");
        let told = text.matches(&format!("Content-Transfer-Encoding: {encoding}\n")).count();
        assert_eq!(told, whole + parts, "{text}");
    }
}

#[test]
fn a_failure_notice_reads_as_mail_programs_know_it() {
    let (template, host, original, entries, now) =
        (template(), host(), original(Script::Ascii), entries(), at(1_795_258_490));
    let report = failure((&template, &host), &original, &entries);
    let letter = to_sender(&now);
    let text = String::from_utf8([report.head(&letter), report.tail(&letter)].concat()).unwrap();
    assert_eq!(text, include_str!("failure.txt"));
}

#[test]
fn what_requires_tls_does_not_waive_it() {
    use queue_file::{TLS_NOT_REQUIRED as WAIVED, TLS_REQUIRED as REQUIRED};
    for (flags, redact, expected) in [
        (0, true, Security::Unsaid),
        (1 | WAIVED, true, Security::Waived),
        (1 | REQUIRED, true, Security::Redacted),
        (REQUIRED | WAIVED, false, Security::Required),
    ] {
        assert_eq!(Security::of(flags, redact), expected, "{flags} {redact}");
    }
}

#[test]
fn international_mail_has_global_parts() {
    let (template, host, original, now) = (template(), host(), original(Script::Utf8), at(0));
    let original = Original { security: Security::Waived, ..original };
    let entries = [Entry { recipient: "ö@example.org".as_bytes().to_vec(), ..Entry::default() }];
    let report = Report {
        kind: Kind::Delay,
        template: &template,
        host: &host,
        original: &original,
        entries: &entries,
        retried_until: Some(&now),
    };
    let letter = Letter {
        queue_id: "X",
        to: b"postmaster",
        audience: Audience::Postmaster,
        returned: Returned::Header,
        now: &now,
    };
    let text = String::from_utf8(report.head(&letter)).unwrap();
    for line in [
        "Subject: Postmaster Copy: Undelivered Mail\nTo: postmaster\nAuto-Submitted: auto-generated\nTLS-Required: no\n",
        "Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: 8bit\n",
        "Final-Recipient: utf-8; ö@example.org\n",
        "Will-Retry-Until: Thu, 01 Jan 1970 00:00:00 +0000 (UTC)\n",
        "Content-Description: Undelivered Message Headers\nContent-Type: message/global-headers\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("This is the mail system."));
}

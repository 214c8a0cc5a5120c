//! Whole messages through all stages, into files of a temporary queue.

use std::time::Duration;

use bytes::Bytes;
use ipc::cleanup::{Cause, Handling, Origin, Switch, Verdict};
use ipc::rewrite::{Reply, Request};
use proptest::prelude::*;
use queue_file::record::{self, Type};
use queue_file::{Buffered, Content, QueueId, QueueName, Time};

use super::*;
use crate::draft::Draft;
use crate::message::Message;

mod content;
mod filters;

/// Mail of a local client, all processing on.
const LOCAL: Handling = Handling::usual(Origin::Smtpd);

/// A queue, and a service that completes addresses with `host.test`.
struct Lab {
    root: tempfile::TempDir,
    desk: Arc<Desk>,
}

/// What is in the queue file.
struct Queued {
    verdict: Verdict,
    queue: Option<QueueName>,
    envelope: queue_file::Message,
    text: String,
}

impl Queued {
    fn recipients(&self) -> Vec<String> {
        let name = |r: &queue_file::Recipient| String::from_utf8_lossy(&r.address).into_owned();
        self.envelope.recipients.iter().map(name).collect()
    }
}

impl Lab {
    fn new(main: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["private", "incoming", "hold"] {
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        let listener = tokio::net::UnixListener::bind(root.path().join("private/rewrite")).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(ipc::answer::<ipc::rewrite::Rewrite, _, _>(stream, Duration::from_secs(9), complete));
            }
        });
        let text = format!(
            "compatibility_level = 3.6\nmyhostname = mail.test\nmyorigin = host.test\nmydestination = host.test\n{main}\n"
        );
        let source = config::Source::parse(root.path(), &text).unwrap();
        let params = source.get::<Params>().unwrap();
        let opened = Opened::new(&params, &source, &table::Environment::of(&source)).unwrap();
        let desk = Arc::new(Desk::new(&params, opened, root.path()));
        Self { root, desk }
    }

    fn begin(&self, handling: Handling) -> Message {
        let draft = Draft::new(self.desk.spool.create(QueueName::Incoming).unwrap());
        Message::new(Arc::clone(&self.desk), draft, handling)
    }

    async fn send(&self, handling: Handling, envelope: &[u8], chunks: &[&[u8]]) -> Queued {
        let mut message = self.begin(handling);
        let id = QueueId::parse(&message.id).unwrap();
        message.take_envelope(envelope).await;
        for chunk in chunks {
            message.take_content(chunk).await;
        }
        let verdict = message.finish().await;
        let queues = [QueueName::Incoming, QueueName::Hold];
        let queue = queues.into_iter().find(|&queue| self.desk.spool.metadata(queue, &id).is_ok());
        let (mut envelope, mut text) = (queue_file::Message::default(), Vec::new());
        if let Some(queue) = queue {
            let file = self.desk.spool.open(queue, &id).unwrap();
            envelope = queue_file::Message::parse(Buffered::small(&file), usize::MAX).unwrap();
            let mut content = Content::new(Buffered::large(&file), envelope.data_offset);
            while content.append_to(&mut text, b"\n", 100_000).unwrap() {}
        }
        Queued { verdict, queue, envelope, text: String::from_utf8_lossy(&text).into_owned() }
    }

    /// A message to `recipients` in one chunk.
    async fn mail(&self, sender: &str, recipients: &[&str], text: &str) -> Queued {
        self.send(LOCAL, &envelope(sender, recipients), &[text.as_bytes()]).await
    }

    fn files(&self) -> usize {
        let count = |queue| std::fs::read_dir(self.root.path().join(queue)).unwrap().count();
        count("incoming") + count("hold")
    }
}

async fn complete(request: Request) -> Reply {
    let Request::Rewrite { address, .. } = request else { return Reply::Failed };
    if address.contains(&b'@') {
        return Reply::Rewritten(address);
    }
    Reply::Rewritten(Bytes::from([&address[..], b"@host.test"].concat()))
}

fn envelope(sender: &str, recipients: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    record::put_time(&mut out, Time { seconds: 1_700_000_000, microseconds: 5 });
    record::put_attribute(&mut out, "rewrite_context", b"local");
    record::put(&mut out, Type::Sender, sender.as_bytes());
    for recipient in recipients {
        record::put(&mut out, Type::Recipient, recipient.as_bytes());
    }
    out
}

#[tokio::test]
async fn a_message_is_completed_and_queued() {
    let lab = Lab::new("");
    let queued =
        lab.mail("me", &["you", "b@example.org"], "Subject: x\nTo: you, b@example.org\nBcc: c\n\nbody\n").await;
    assert_eq!((&queued.verdict, queued.queue), (&Verdict::Queued, Some(QueueName::Incoming)));
    assert_eq!(queued.envelope.sender, b"me@host.test");
    assert_eq!(queued.recipients(), ["you@host.test", "b@example.org"]);
    let (header, body) = queued.text.split_once("\n\n").unwrap();
    assert_eq!(body, "body\n");
    let lines: Vec<&str> = header.lines().collect();
    assert_eq!(lines[..2], ["Subject: x", "To: you@host.test, b@example.org"]);
    assert!(lines[2].starts_with("Message-Id: <") && lines[2].ends_with("@mail.test>"), "{header}");
    assert!(lines[3].starts_with("Date: "), "{header}");
    assert_eq!(lines[4..], ["From: me@host.test"]);
    // What is in quotes has no domain yet.
    let queued = lab.mail("me", &["you"], "To: \"a@b.c\", d@e.f\n\n").await;
    assert!(queued.text.contains("To: \"a@b.c\"@host.test, d@e.f\n"), "{}", queued.text);
}

#[tokio::test]
async fn a_message_has_only_so_many_attributes() {
    let lab = Lab::new("queue_file_attribute_count_limit = 2");
    let mut records = Vec::new();
    record::put_attribute(&mut records, "client_name", b"mx.test");
    for _ in 0..3 {
        record::put_attribute(&mut records, "notify_flags", b"1");
    }
    records.extend(envelope("a@b.c", &["d@e.f"]));
    assert_eq!(lab.send(LOCAL, &records, &[b"\n"]).await.verdict, Verdict::Queued);
    record::put_attribute(&mut records, "helo_name", b"mx.test");
    let refused = Verdict::Refused { cause: Cause::Malformed, reason: String::new() };
    assert_eq!(lab.send(LOCAL, &records, &[b"\n"]).await.verdict, refused);
    assert_eq!(lab.files(), 1);
}

#[tokio::test]
async fn addresses_lose_quotes_that_they_do_not_need() {
    let queued = Lab::new("").mail("me", &["you"], "To: \"a\"@b.c, \"D E\" <\"f g\"@h.i>\n\n").await;
    assert!(queued.text.starts_with("To: a@b.c, \"D E\" <\"f g\"@h.i>\n"), "{}", queued.text);
    let nobody = Lab::new("").mail("me", &["you"], "To: @, a@b.c\n\n").await;
    assert!(nobody.text.starts_with("To: \"\", a@b.c\n"), "{}", nobody.text);
}

#[tokio::test]
async fn an_address_that_is_too_long_to_complete_stays_as_it_is() {
    let lab = Lab::new("");
    let name = "x".repeat(90_000);
    let queued = lab.mail("a@b.test", &["u@b.test"], &format!("To: {name}\n\nx\n")).await;
    assert!(queued.queue.is_some(), "{:?}", queued.verdict);
    assert!(queued.text.contains(&format!("To: {name}\n")));
}

#[tokio::test]
async fn headers_of_remote_clients_are_left_alone() {
    let lab = Lab::new("");
    let mut records = envelope("me@example.com", &["you@host.test"]);
    record::put_attribute(&mut records, "rewrite_context", b"remote");
    let queued = lab.send(LOCAL, &records, &[b"To: you\n\nbody\n"]).await;
    assert_eq!(queued.text, "To: you\n\nbody\n");
    let lab = Lab::new("always_add_missing_headers = yes");
    let queued = lab.send(LOCAL, &records, &[b"To: you\n\nbody\n"]).await;
    assert!(queued.text.starts_with("To: you\nMessage-Id: <") && queued.text.contains("\nFrom: me@example.com\n\n"));
}

#[tokio::test]
async fn a_resent_message_gets_resent_headers() {
    let lab = Lab::new("");
    let queued = lab.mail("me", &["you"], "Resent-To: you\nFrom: a@b.c\n\n").await;
    for header in ["\nResent-Message-Id: <", "\nResent-Date: ", "\nResent-From: me@host.test\n"] {
        assert!(queued.text.contains(header), "{}", queued.text);
    }
}

#[tokio::test]
async fn the_text_survives_however_it_is_cut() {
    let lab = Lab::new("line_length_limit = 512\nheader_checks = regexp:/nonexistent");
    let text =
        format!("From: a@b.c\nMessage-Id: <x>\nDate: y\nX: 1\n\n{}\n\nlast {}", "y".repeat(2000), "z".repeat(600));
    for size in [1, 7, 600, 5000] {
        let handling = Handling { checks: Switch::Off, ..LOCAL };
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let queued = lab.send(handling, &envelope("a@b.c", &["d@e.f"]), &chunks).await;
        assert_eq!(queued.text, format!("{text}\n"), "chunks of {size}");
    }
}

#[tokio::test]
async fn large_messages_are_written_piece_by_piece() {
    let lab = Lab::new("");
    let body: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    let queued = lab.mail("a@b.c", &["d@e.f"], &format!("From: a@b.c\nMessage-Id: <x>\nDate: y\n\n{body}")).await;
    assert_eq!(queued.verdict, Verdict::Queued);
    assert!(queued.text.ends_with(&body));
    let sizes = queued.envelope.sizes.unwrap();
    assert_eq!((sizes.recipient_count, sizes.data_offset), (1, queued.envelope.data_offset));
}

#[tokio::test]
async fn stray_carriage_returns_become_spaces() {
    let lab = Lab::new("");
    let queued =
        lab.mail("a@b.c", &["d@e.f"], "From: a@b.c\nMessage-Id: <x>\nDate: y\n\none\ntwo\r.\rx\nthree\n").await;
    assert!(queued.text.ends_with("\n\none\ntwo . x\nthree\n"), "{:?}", queued.text);
}

#[tokio::test]
async fn aliases_are_expanded_and_duplicates_dropped() {
    let lab = Lab::new(
        "recipient_delimiter = +\nvirtual_alias_maps = inline:{{info@v.test = a@x.org, b@x.org, info@v.test}, {a@x.org = c@x.org}}",
    );
    let queued = lab.mail("s@b.c", &["info@v.test", "b@x.org", "B@X.org", "info+e@v.test"], "\n").await;
    assert_eq!(
        queued.recipients(),
        ["c@x.org", "b@x.org", "info@v.test", "b@x.org", "c+e@x.org", "b+e@x.org", "info+e@v.test"]
    );
    assert_eq!(queued.envelope.recipients[0].original, b"info@v.test");
    let lab = Lab::new("enable_original_recipient = no\nvirtual_alias_maps = inline:{{both@v.test = a@x.org}}");
    let queued = lab.mail("s@b.c", &["both@v.test", "a@x.org", "A@x.org"], "\n").await;
    assert_eq!(queued.recipients(), ["a@x.org"]);
    assert_eq!(queued.envelope.recipients[0].original, b"both@v.test");
}

#[tokio::test]
async fn aliases_may_meet_again_but_not_go_round() {
    let lab = Lab::new(
        "virtual_alias_maps = inline:{{top@v.test = l@v.test, r@v.test}, {l@v.test = end@v.test}, {r@v.test = end@v.test}, \
         {end@v.test = e@x.org}, {loop@v.test = back@v.test}, {back@v.test = loop@v.test}, {none@v.test = (nobody)}}",
    );
    assert_eq!(lab.mail("s@b.c", &["top@v.test"], "\n").await.recipients(), ["e@x.org"]);
    for (recipient, cause) in [("loop@v.test", Cause::Defer), ("none@v.test", Cause::Write)] {
        let verdict = lab.mail("s@b.c", &[recipient], "\n").await.verdict;
        assert!(
            matches!(&verdict, Verdict::Refused { cause: found, .. } if *found == cause),
            "{recipient}: {verdict:?}"
        );
    }
}

#[tokio::test]
async fn alias_limits_defer_the_message() {
    let main = "virtual_alias_expansion_limit = 3\nvirtual_alias_recursion_limit = 2\nvirtual_alias_maps = inline:{\
                {big@v.test = a,b,c,d}, {l1@v.test = l2@v.test}, {l2@v.test = l3@v.test}, {l3@v.test = l4@v.test}}";
    let lab = Lab::new(main);
    for recipient in ["big@v.test", "l1@v.test"] {
        let queued = lab.mail("s@b.c", &[recipient], "\n").await;
        assert!(matches!(queued.verdict, Verdict::Refused { cause: Cause::Defer, .. }), "{recipient}");
    }
    assert_eq!(lab.mail("s@b.c", &["l3@v.test"], "\n").await.recipients(), ["l4@v.test"]);
    assert_eq!(lab.files(), 1);
}

#[tokio::test]
async fn canonical_tables_and_masquerading_rewrite_by_class() {
    let lab = Lab::new(
        "sender_canonical_maps = inline:{{x@e.com = from@e.org}}\nrecipient_canonical_maps = inline:{{x@e.com = to@e.org}}\n\
         canonical_maps = inline:{{from@e.org = final@e.org}, {@old.test = @new.test}}\nmasquerade_domains = hide.test",
    );
    let text = "From: X <x@e.com>\nTo: x@e.com, u@old.test, v@a.hide.test\n\n";
    let queued = lab.mail("x@e.com", &["x@e.com", "u@a.hide.test"], text).await;
    assert_eq!(queued.envelope.sender, b"final@e.org");
    assert_eq!(queued.recipients(), ["to@e.org", "u@a.hide.test"]);
    assert!(
        queued.text.starts_with("From: X <final@e.org>\nTo: to@e.org, u@new.test, v@hide.test\n"),
        "{}",
        queued.text
    );
    let lab_of_null = Lab::new("sender_canonical_maps = inline:{{x@e.com = <>}}");
    assert_eq!(lab_of_null.mail("x@e.com", &["y@e.com"], "\n").await.envelope.sender, b"");
    // Tables that are no lists of keys see the null sender too.
    for (table, sender) in
        [("static:s@e.com", &b"s@e.com"[..]), ("regexp:{{/./ r@e.com}}", b"r@e.com"), ("inline:{a=b}", b"")]
    {
        let lab = Lab::new(&format!("canonical_maps = {table}"));
        assert_eq!(lab.mail("", &["y@e.com"], "\n").await.envelope.sender, sender, "{table}");
    }
    let off = Handling { mapping: Switch::Off, ..LOCAL };
    let queued = lab.send(off, &envelope("x@e.com", &["x@e.com"]), &[text.as_bytes()]).await;
    assert!(queued.text.starts_with(text.trim_end()) && queued.recipients() == ["x@e.com"]);
}

#[tokio::test]
async fn automatic_copies_come_behind_the_content() {
    let lab = Lab::new(
        "always_bcc = all@x.org\nsender_bcc_maps = inline:{{s@b.c = sent@x.org}}\n\
         recipient_bcc_maps = inline:{{@e.f = got@x.org}}",
    );
    let queued = lab.mail("s@b.c", &["d@e.f"], "\n").await;
    assert_eq!(queued.recipients(), ["d@e.f", "got@x.org", "all@x.org", "sent@x.org"]);
    assert_eq!(queued.envelope.recipients[2].notify, dsn::Notify::NEVER.bits());
    assert_eq!(queued.envelope.recipients[0].dsn_original, b"rfc822;d@e.f");
    let lab = Lab::new("canonical_maps = inline:{d@e.f=x@y.z}");
    assert_eq!(lab.mail("s@b.c", &["d@e.f"], "\n").await.envelope.recipients[0].dsn_original, b"rfc822;x@y.z");
    // A domain is nobody there, not the same user.
    let lab = Lab::new("recipient_bcc_maps = inline:{{@e.f = @x.org}}");
    assert_eq!(lab.mail("s@b.c", &["d@e.f"], "\n").await.recipients(), ["d@e.f", "@x.org"]);
}

#[tokio::test]
async fn checks_refuse_change_hold_and_discard() {
    let lab = Lab::new(
        "header_checks = inline:{{Subject: no = REJECT go away}, {Subject: gone = DISCARD}, {Subject: park = HOLD},\
         {X-A: 1 = IGNORE}, {X-B: 1 = REPLACE X-C: 2}, {X-D: 1 = PREPEND X-E: 3}, {X-F: 1 = REPLACE text}, {Subject: f = FILTER smtp:[h]},\
         {Subject: r = REDIRECT r@x.org}, {Subject: b = BCC b@x.org}}\nbody_checks = inline:{{bad = REJECT}, {old = REPLACE new}}",
    );
    let to = ["d@e.f"];
    let refused = |reason: &str| Verdict::Refused { cause: Cause::Content, reason: reason.to_owned() };
    assert_eq!(lab.mail("s@b.c", &to, "Subject: no\n\n").await.verdict, refused("5.7.1 go away"));
    assert_eq!(lab.mail("s@b.c", &to, "\nbad\n").await.verdict, refused("5.7.1 message content rejected"));
    assert_eq!(lab.mail("s@b.c", &to, "Subject: gone\n\n").await.verdict, Verdict::Discarded);
    assert_eq!(lab.files(), 0);
    assert_eq!(lab.mail("s@b.c", &to, "Subject: park\n\n").await.queue, Some(QueueName::Hold));
    let queued = lab.mail("s@b.c", &to, "X-A: 1\nX-B: 1\nX-D: 1\nX-F: 1\n\nold\n").await;
    assert!(
        queued.text.starts_with("X-C: 2\nX-E: 3\nX-D: 1\nX-F: 1\nMessage-Id:") && queued.text.ends_with("\n\nnew\n")
    );
    assert_eq!(lab.mail("s@b.c", &to, "Subject: f\n\n").await.envelope.filter, Some(b"smtp:[h]".to_vec()));
    assert_eq!(lab.mail("s@b.c", &to, "Subject: r\n\n").await.envelope.redirect, Some(b"r@x.org".to_vec()));
    assert_eq!(lab.mail("s@b.c", &to, "Subject: b\n\n").await.recipients(), ["d@e.f", "b@x.org"]);
    let off = Handling { checks: Switch::Off, ..LOCAL };
    let queued = lab.send(off, &envelope("s@b.c", &to), &[b"Subject: no\n\nbad\n"]).await;
    assert_eq!(queued.verdict, Verdict::Queued);
}

#[tokio::test]
async fn the_caller_holds_a_message_at_its_end() {
    let lab = Lab::new("");
    let mut message = lab.begin(LOCAL);
    let id = QueueId::parse(&message.id).unwrap();
    message.take_envelope(&envelope("s@b.c", &["d@e.f"])).await;
    message.take_content(b"Subject: x\n\ny\n").await;
    let mut late = Vec::new();
    record::put(&mut late, Type::Flags, ipc::cleanup::HOLD.to_string().as_bytes());
    message.take_envelope(&late).await;
    assert_eq!(message.finish().await, Verdict::Queued);
    assert!(lab.desk.spool.metadata(QueueName::Hold, &id).is_ok());
}

#[tokio::test]
async fn what_follows_pass_or_redirect_is_not_checked() {
    let lab = Lab::new(
        "header_checks = inline:{{X-P: 1 = PASS}, {X-R: 1 = REDIRECT r@x.org}, {X-J: 1 = REJECT}, {X-F: 1 = FILTER f:},\
         {X-L: 1 = REJECT 4.2.1 later}}\nbody_checks = $header_checks",
    );
    let to = ["d@e.f"];
    let queued = lab.mail("s@b.c", &to, "X-P: 1\nX-J: 1\n\nX-J: 1\n").await;
    assert!(queued.verdict == Verdict::Queued && queued.text.ends_with("\n\nX-J: 1\n"));
    let queued = lab.mail("s@b.c", &to, "X-R: 1\nX-F: 1\n\nX-J: 1\n").await;
    assert_eq!((queued.envelope.redirect.as_deref(), queued.envelope.filter), (Some(&b"r@x.org"[..]), None));
    assert_eq!(lab.mail("s@b.c", &to, "\nX-P: 1\nX-J: 1\n").await.verdict, Verdict::Queued);
    let later = Verdict::Refused { cause: Cause::Defer, reason: "4.2.1 later".to_owned() };
    assert_eq!(lab.mail("s@b.c", &to, "X-L: 1\nX-P: 1\n\n").await.verdict, later);
}

#[tokio::test]
async fn a_header_without_an_end_gets_one() {
    let text = "From: a@b.c\nMessage-Id: <x>\nDate: y\nno header\n";
    for (action, added) in
        [("fix_quietly", "\n"), ("add_header", "MIME-Error: message header was not terminated by empty line\n\n")]
    {
        let lab = Lab::new(&format!("non_empty_end_of_header_action = {action}"));
        let queued = lab.mail("a@b.c", &["d@e.f"], text).await;
        assert_eq!(queued.text, text.replace("no header", &format!("{added}no header")));
    }
    let lab = Lab::new("non_empty_end_of_header_action = reject");
    assert!(matches!(
        lab.mail("a@b.c", &["d@e.f"], text).await.verdict,
        Verdict::Refused { cause: Cause::Content, .. }
    ));
}

#[tokio::test]
async fn eight_bit_text_is_converted_where_that_is_forced() {
    let lab = Lab::new("force_mime_input_conversion = yes");
    let text = "From: a@b.c\nMessage-Id: <x>\nDate: y\nContent-Transfer-Encoding: 8bit\n\n\u{e4}\nlast";
    for size in [1, 1000] {
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let queued = lab.send(LOCAL, &envelope("a@b.c", &["d@e.f"]), &chunks).await;
        assert!(
            queued.text.ends_with("Content-Transfer-Encoding: quoted-printable\n\n=C3=A4\nlast\n"),
            "{}",
            queued.text
        );
    }
}

#[tokio::test]
async fn limits_refuse() {
    let lab = Lab::new("message_size_limit = 2000\nhopcount_limit = 3");
    let cause = |queued: Queued| match queued.verdict {
        Verdict::Refused { cause, .. } => Some(cause),
        Verdict::Queued | Verdict::Discarded => None,
    };
    assert_eq!(cause(lab.mail("a@b.c", &["d@e.f"], &"x\n".repeat(1500)).await), Some(Cause::Size));
    let many: Vec<String> = (0..100).map(|n| format!("d{n}@e.f")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(cause(lab.mail("a@b.c", &many, "x\n").await), Some(Cause::Size));
    assert_eq!(cause(lab.mail("a@b.c", &["d@e.f"], &"Received: x\n".repeat(3)).await), Some(Cause::Hops));
    assert_eq!(cause(lab.mail("a@b.c", &["d@e.f"], &"Received: x\n".repeat(2)).await), None);
    assert_eq!(cause(lab.mail("a@b.c", &[], "x\n").await), Some(Cause::NoRecipients));
    assert_eq!(cause(lab.send(LOCAL, b"garbage", &[]).await), Some(Cause::Malformed));
    assert_eq!(lab.files(), 1);
}

#[tokio::test]
async fn a_header_that_has_grown_is_cut() {
    let lab = Lab::new("header_size_limit = 30");
    let queued = lab.mail("a@b.c", &["d@e.f"], "To: one, two, three\nDate: y\n\n").await;
    assert!(queued.text.starts_with("To: one@host.test, two@host.te\nDate: y\n"), "{}", queued.text);
}

#[tokio::test]
async fn the_time_of_a_delay_warning_is_noted() {
    let lab = Lab::new("delay_warning_time = 1h");
    let warn = |queued: Queued| queued.envelope.warn.map(|(time, _)| time);
    assert_eq!(warn(lab.mail("a@b.c", &["d@e.f"], "\n").await), Some(1_700_003_600));
    assert_eq!(warn(lab.mail("", &["d@e.f"], "\n").await), None);
}

#[tokio::test]
async fn a_broken_table_defers() {
    for main in [
        "canonical_maps = fail:x",
        "virtual_alias_maps = fail:x",
        "recipient_bcc_maps = fail:x",
        "header_checks = fail:x",
    ] {
        let lab = Lab::new(main);
        let queued = lab.mail("a@b.c", &["d@e.f"], "Subject: x\n\n").await;
        assert!(matches!(queued.verdict, Verdict::Refused { cause: Cause::Write, .. }), "{main}");
        assert_eq!(lab.files(), 0);
    }
}

#[tokio::test]
async fn a_probe_of_an_address_that_stands_for_several_has_its_answer() {
    let lab = Lab::new("virtual_alias_maps = inline:{{d@e.f = x@y.z, u@v.w}, {g@e.f = x@y.z}}");
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let listener = tokio::net::UnixListener::bind(lab.root.path().join("private/verify")).unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let answer = move |request| {
            told.send(request).unwrap();
            std::future::ready(ipc::verify::Reply::Done)
        };
        ipc::answer::<ipc::verify::Verify, _, _>(stream, Duration::from_secs(9), answer).await
    });
    let mut probe = Vec::new();
    record::put_attribute(&mut probe, "trace_flags", b"256");
    let asked = |to| [&probe[..], &envelope("a@b.c", &[to])].concat();
    assert_eq!(lab.send(LOCAL, &asked("d@e.f"), &[b"\n"]).await.verdict, Verdict::Discarded);
    let status = ipc::verify::Status::Ok;
    let (address, text) = (Bytes::from("d@e.f"), "aliased to multiple recipients".to_owned());
    assert_eq!(heard.recv().await.unwrap(), ipc::verify::Request::Update { address, status, text });
    assert_eq!(lab.send(LOCAL, &asked("g@e.f"), &[b"\n"]).await.recipients(), ["x@y.z"]);
}

#[tokio::test]
async fn a_wish_for_a_report_stands_behind_the_sender() {
    let mut records = Vec::new();
    record::put_attribute(&mut records, "trace_flags", b"1024");
    records.extend(envelope("a@b.c", &["d@e.f"]));
    let lab = Lab::new("");
    lab.send(LOCAL, &records, &[b"\n"]).await;
    let files = std::fs::read_dir(lab.root.path().join("incoming")).unwrap();
    let bytes: Vec<u8> = files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    let places = [&b"S\x05a@b.c"[..], b"trace_flags=1024", b"d@e.f"].map(|part| memchr::memmem::find(&bytes, part));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
}

#[tokio::test]
async fn a_file_that_is_not_committed_is_not_mail() {
    let lab = Lab::new("");
    let mut message = lab.begin(LOCAL);
    message.take_envelope(&envelope("a@b.c", &["d@e.f"])).await;
    let path = lab.desk.spool.path(QueueName::Incoming, &QueueId::parse(&message.id).unwrap());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions());
    assert_eq!(mode & 0o111, 0);
    drop(message);
    assert_eq!(lab.files(), 0);
}

#[tokio::test]
async fn utf8_is_flagged_where_it_was_asked_for() {
    let text = "Subject: Gr\u{fc}\u{df}e\n\n";
    for (main_cf, smtputf8, autodetect, flags) in [
        ("", Switch::On, Switch::Off, 1 | 2 | 8),
        ("", Switch::Off, Switch::On, 1 | 2 | 8),
        ("", Switch::Off, Switch::Off, 0),
        ("smtputf8_enable = no", Switch::Off, Switch::On, 0),
    ] {
        let lab = Lab::new(main_cf);
        let handling = Handling { smtputf8, autodetect, ..LOCAL };
        let queued = lab.send(handling, &envelope("a@b.c", &["j\u{f6}rg@e.f"]), &[text.as_bytes()]).await;
        assert_eq!(queued.envelope.sizes.unwrap().send_flags, flags);
        assert!(queued.envelope.recipients[0].dsn_original.starts_with(b"utf-8;"));
    }
}

#[tokio::test]
async fn addresses_in_other_encodings_ask_for_no_utf8() {
    let handling = Handling { autodetect: Switch::On, ..LOCAL };
    let mut records = Vec::new();
    for (kind, address) in [(Type::Sender, &b"j\xf6rg@b.c"[..]), (Type::Recipient, b"j\xf6rg@e.f")] {
        record::put(&mut records, kind, address);
    }
    let queued = Lab::new("").send(handling, &records, &[b"Subject: x\n\n"]).await;
    assert_eq!(queued.envelope.sizes.unwrap().send_flags, 0);
    assert!(queued.envelope.recipients[0].dsn_original.starts_with(b"rfc822;"));
}

#[tokio::test]
async fn who_waives_tls_is_flagged() {
    for (main_cf, header, flags) in [
        ("", "TLS-Required: No ", queue_file::TLS_NOT_REQUIRED),
        ("", "tls-required: yes", 0),
        ("", "Subject: x\n\nTLS-Required: no", 0),
        ("tls_required_enable = no", "TLS-Required: no", 0),
    ] {
        let lab = Lab::new(main_cf);
        let text = format!("{header}\n\n");
        let queued = lab.send(LOCAL, &envelope("a@b.c", &["d@e.f"]), &[text.as_bytes()]).await;
        assert_eq!(queued.envelope.sizes.unwrap().send_flags, flags, "{header}");
    }
}

#[tokio::test]
async fn who_requires_tls_is_flagged_and_the_header_tells() {
    const HEADER: &str = "Require-TLS-ESMTP: yes";
    for (main_cf, requiretls, header, flags, shown) in [
        ("", Switch::On, "Subject: x", queue_file::TLS_REQUIRED, 1),
        ("", Switch::On, HEADER, queue_file::TLS_REQUIRED, 1),
        ("", Switch::On, "TLS-Required: no", queue_file::TLS_REQUIRED | queue_file::TLS_NOT_REQUIRED, 1),
        ("", Switch::Off, "require-tls-esmtp: YES ", queue_file::TLS_REQUIRED, 0),
        ("", Switch::Off, "Require-TLS-ESMTP: no", 0, 0),
        ("", Switch::Off, "Subject: x\n\nRequire-TLS-ESMTP: yes", 0, 1),
        ("requiretls_esmtp_header = no", Switch::On, "Subject: x", queue_file::TLS_REQUIRED, 0),
        ("requiretls_esmtp_header = no", Switch::Off, HEADER, 0, 1),
        ("requiretls_enable = no", Switch::On, "Subject: x", 0, 0),
        ("requiretls_enable = no", Switch::Off, HEADER, 0, 1),
    ] {
        let lab = Lab::new(main_cf);
        let handling = Handling { requiretls, ..LOCAL };
        let text = format!("{header}\n\n");
        let queued = lab.send(handling, &envelope("a@b.c", &["d@e.f"]), &[text.as_bytes()]).await;
        assert_eq!(queued.envelope.sizes.unwrap().send_flags, flags, "{main_cf} {header}");
        assert_eq!(queued.text.matches(HEADER).count(), shown, "{main_cf} {header}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_content_and_no_envelope_panics(records: Vec<u8>, chunks in proptest::collection::vec("[\r\n a:-]{0,40}", 0..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lab = Lab::new("header_checks = inline:{{a = REJECT}}\nbody_checks = inline:{{b = REJECT}}\nline_length_limit = 512");
            let chunks: Vec<&[u8]> = chunks.iter().map(String::as_bytes).collect();
            let _ = lab.send(LOCAL, &records, &chunks).await.verdict;
            let _ = lab.send(LOCAL, &envelope("a@b.c", &["d@e.f"]), &chunks).await.verdict;
        });
    }
}

//! Messages that mail filters change.

use super::*;
use ::milter::packet::{Options, write_raw};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Mail that was made here, which filters of our own see.
const MADE_HERE: Handling = Handling { origin: Origin::Pickup, ..LOCAL };

/// What a filter has heard: each event's letter, and its data.
type Heard = Arc<std::sync::Mutex<Vec<(char, Vec<u8>)>>>;

/// A filter that says this at the end of a message, and "continue" before that, but of recipients that begin with `refused`.
async fn filter(answers: Vec<Vec<u8>>) -> (tempfile::TempDir, String, Heard) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filter");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let heard = Heard::default();
    let noted = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            while let Ok(size) = stream.read_u32().await {
                let mut packet = vec![0; size as usize];
                stream.read_exact(&mut packet).await.unwrap();
                let mut out = Vec::new();
                match packet[0] {
                    b'O' => Options { version: 6, actions: 0x1ff, protocol: 0 }.write(&mut out),
                    b'D' | b'A' | b'Q' => {}
                    b'R' if packet.starts_with(b"Rrefused") => write_raw(&mut out, b"r"),
                    b'E' => answers.iter().for_each(|answer| write_raw(&mut out, answer)),
                    _ => write_raw(&mut out, b"c"),
                }
                noted.lock().unwrap().push((char::from(packet[0]), packet[1..].to_vec()));
                stream.write_all(&out).await.unwrap();
            }
        }
    });
    let main = format!("non_smtpd_milters = unix:{}\n", path.display());
    (folder, main, heard)
}

fn answers(list: &[&[u8]]) -> Vec<Vec<u8>> {
    list.iter().map(|answer| answer.to_vec()).collect()
}

/// What becomes of a message with these envelope records that a filter answers so.
async fn filtered(more: &str, records: &[u8], list: &[&[u8]]) -> Queued {
    let (_folder, main, _) = filter(answers(list)).await;
    Lab::new(&format!("{main}{more}")).send(MADE_HERE, records, &[TEXT.as_bytes()]).await
}

const TEXT: &str = "Received: here\nSubject: x\nTo: you\nX-Old: 1\nX-Old: 2\nMessage-Id: <i>\nDate: d\nFrom: f@g.h\n\n";

#[tokio::test]
async fn headers_are_changed_in_small_and_large_messages() {
    let (_folder, main, heard) = filter(answers(&[
        b"hX-Last\0z\0",
        b"i\0\0\0\0X-First\0a\0",
        b"m\0\0\0\x01Subject\0changed\0",
        b"m\0\0\0\x02X-Old\0\0",
        b"c",
    ]))
    .await;
    let lab = Lab::new(&main);
    for count in [1, 10_000] {
        heard.lock().unwrap().clear();
        let body = "some line of a body\n".repeat(count);
        let text = format!("{TEXT}{body}");
        let queued = lab.send(MADE_HERE, &envelope("a@b.c", &["d@e.f"]), &[text.as_bytes()]).await;
        assert_eq!(queued.verdict, Verdict::Queued);
        let (header, rest) = queued.text.split_once("\n\n").unwrap();
        let expected = "X-First: a\nReceived: here\nSubject: changed\nTo: you@host.test\nX-Old: 1\n\
                        Message-Id: <i>\nDate: d\nFrom: f@g.h\nX-Last: z";
        assert_eq!(header, expected);
        assert!(rest == body, "{count} lines");
        let heard = heard.lock().unwrap();
        let shown: Vec<u8> = heard.iter().filter(|(letter, _)| *letter == 'B').flat_map(|(_, d)| d.clone()).collect();
        assert!(shown == body.replace('\n', "\r\n").into_bytes());
        assert_eq!(heard.iter().find(|(letter, _)| *letter == 'L').unwrap().1, b"Subject\0x\0");
        assert_eq!(heard.iter().find(|(letter, _)| *letter == 'R').unwrap().1, b"d@e.f\0");
    }
}

#[tokio::test]
async fn envelope_and_body_are_changed() {
    let (_folder, main, _) = filter(answers(&[
        b"e<new@b.c>\0",
        b"-<gone@e.f>\0",
        b"-<G@e.f>\0",
        b"+<more@e.f>\0",
        b"bnew\r\nbo",
        b"bdy\r\n",
        b"qsuspicious\0",
        b"a",
    ]))
    .await;
    let lab = Lab::new(&main);
    for count in [1, 10_000] {
        let text = format!("{TEXT}{}", "old\n".repeat(count));
        let queued = lab.send(MADE_HERE, &envelope("a@b.c", &["d@e.f", "gone@e.f", "g@e.f"]), &[text.as_bytes()]).await;
        assert_eq!((queued.verdict.clone(), queued.queue), (Verdict::Queued, Some(QueueName::Hold)));
        assert_eq!(queued.envelope.sender, b"new@b.c");
        assert_eq!(queued.recipients(), ["d@e.f", "g@e.f", "more@e.f"]);
        assert_eq!(queued.envelope.sizes.unwrap().recipient_count, 3);
        assert_eq!(queued.text.split_once("\n\n").unwrap().1, "new\nbody\n");
    }
}

#[tokio::test]
async fn a_message_waits_whose_recipient_a_filter_refuses_when_there_is_no_client_to_tell() {
    let (_folder, main, _) = filter(answers(&[b"c"])).await;
    let records = envelope("a@b.c", &["d@e.f", "refused@e.f"]);
    let queued = Lab::new(&main).send(MADE_HERE, &records, &[TEXT.as_bytes()]).await;
    assert!(matches!(queued.verdict, Verdict::Refused { cause: Cause::Defer, .. }), "{:?}", queued.verdict);
}

#[tokio::test]
async fn the_log_tells_which_recipient_a_filter_has_refused() {
    let (_folder, main, _) = filter(answers(&[b"c"])).await;
    let mut message = Lab::new(&main).begin(MADE_HERE);
    message.take_envelope(&envelope("a@b.c", &["d@e.f", "refused@e.f", "g@h.i"])).await;
    message.take_content(TEXT.as_bytes()).await;
    message.filter(None).await.unwrap();
    assert_eq!(message.addresses(), " from=<a@b.c> to=<refused@e.f>");
}

#[tokio::test]
async fn what_is_refused_after_all_is_not_held() {
    for (verdict, queue) in
        [(&b"c"[..], Some(QueueName::Hold)), (b"a", Some(QueueName::Hold)), (b"d", None), (b"r", None)]
    {
        let queued = filtered("", &envelope("a@b.c", &["d@e.f"]), &[b"qwhy\0", b"q\0", verdict]).await;
        assert_eq!(queued.queue, queue, "{verdict:?}");
    }
}

#[tokio::test]
async fn a_message_may_be_left_without_recipients() {
    let queued = filtered("", &envelope("a@b.c", &["d@e.f"]), &[b"-<d@e.f>\0", b"c"]).await;
    assert_eq!((queued.verdict.clone(), queued.recipients().len()), (Verdict::Queued, 0));
}

/// The headers that a filter sees of a message, with their names only.
async fn seen(more: &str, text: &str) -> Vec<String> {
    let (_folder, main, heard) = filter(answers(&[b"c"])).await;
    let lab = Lab::new(&format!("{main}{more}"));
    lab.send(MADE_HERE, &envelope("a@b.c", &["d@e.f"]), &[text.as_bytes()]).await;
    let heard = heard.lock().unwrap();
    let names = heard.iter().filter(|(letter, _)| *letter == 'L').map(|(_, data)| {
        let end = data.iter().position(|byte| *byte == 0).unwrap();
        String::from_utf8_lossy(&data[..end]).into_owned()
    });
    names.collect()
}

#[tokio::test]
async fn filters_see_all_headers_but_our_trace() {
    let text = "X-P: 1\nReceived: here\nReceived: there\nSubject: x\n\n";
    let added = ["Message-Id", "Date", "From"];
    let drops = "header_checks = inline:{{Received: here = IGNORE}}";
    for (more, text, first) in [
        ("", text, &["X-P", "Received", "Subject"][..]),
        (drops, text, &["X-P", "Received", "Subject"]),
        ("", "Received: here\nSubject: x\n\n", &["Subject"]),
        (drops, "Received: here\nSubject: x\n\n", &["Subject"]),
    ] {
        assert_eq!(seen(more, text).await, [first, &added].concat(), "{more} {text}");
    }
    // It is not counted either.
    let change = [&b"m\0\0\0\x01Received\0gone\0"[..], b"c"];
    let (_folder, main, _) = filter(answers(&change)).await;
    let queued = Lab::new(&main).send(MADE_HERE, &envelope("a@b.c", &["d@e.f"]), &[text.as_bytes()]).await;
    assert!(queued.text.starts_with("X-P: 1\nReceived: here\nReceived: gone\nSubject: x\n"), "{}", queued.text);
}

#[tokio::test]
async fn headers_are_counted_from_our_own_wherever_it_is() {
    let list: [&[u8]; 6] = [
        b"i\0\0\0\0X-Old\x000\0",
        b"m\0\0\0\x01X-Old\0changed\0",
        b"m\0\0\0\x01Received\0\0",
        b"m\0\0\0\0SUBJECT\0y\0",
        b"m\0\0\0\x03X-Old\0\0",
        b"c",
    ];
    let queued = filtered("", &envelope("a@b.c", &["d@e.f"]), &list).await;
    let start = "X-Old: changed\nReceived: here\nSUBJECT: y\nTo: you@host.test\nX-Old: 1\nMessage-Id:";
    assert!(queued.text.starts_with(start), "{}", queued.text);
}

#[tokio::test]
async fn addresses_of_filters_are_read_like_those_of_headers() {
    let list: [&[u8]; 7] = [
        b"eNew <new@b.c>\0RET=HDRS ENVID=a+2Bb\0",
        b"+\0",
        b"+<>\0",
        b"+<one@e.f>, <two@e.f>\0",
        b"2Name <par@e.f>\0NOTIFY=NEVER ORCPT=rfc822;o@e.f\0",
        b"-Name <d@e.f>\0",
        b"c",
    ];
    let mut records = Vec::new();
    record::put_attribute(&mut records, "envelope_id", b"old");
    records.extend(envelope("a@b.c", &["d@e.f"]));
    let queued = filtered("", &records, &list).await;
    assert_eq!(queued.recipients(), ["one@e.f", "par@e.f"]);
    let envelope = &queued.envelope;
    let wishes = ["ret_flags", "envelope_id"].map(|name| envelope.attributes.value(name));
    assert_eq!((envelope.sender.as_slice(), wishes), (&b"new@b.c"[..], [Some(&b"2"[..]), Some(b"a+b")]));
    assert!(envelope.recipients[0].dsn_original.is_empty());
    assert_eq!(
        (envelope.recipients[1].dsn_original.as_slice(), envelope.recipients[1].notify),
        (&b"rfc822;o@e.f"[..], 1)
    );
}

#[tokio::test]
async fn checks_of_new_headers_ask_for_copies() {
    let checks = "milter_header_checks = inline:{{X-New: y = BCC copy@e.f}}";
    let queued = filtered(checks, &envelope("a@b.c", &["d@e.f"]), &[b"hX-New\0y\0", b"c"]).await;
    assert_eq!(queued.recipients(), ["d@e.f", "copy@e.f"]);
}

/// What it costs to remove half of so many recipients.
async fn removal(count: usize) -> Duration {
    let names: Vec<String> = (0..count).map(|number| format!("user{number}@e.f")).collect();
    let gone = names.iter().step_by(2).map(|name| format!("-<{name}>\0").into_bytes());
    let (_folder, main, _) = filter(gone.chain([b"a".to_vec()]).collect()).await;
    let lab = Lab::new(&main);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let begin = std::time::Instant::now();
    let queued = lab.send(MADE_HERE, &envelope("a@b.c", &names), &[TEXT.as_bytes()]).await;
    let time = begin.elapsed();
    assert!(queued.recipients().iter().eq(names.iter().skip(1).step_by(2)));
    time
}

#[tokio::test]
async fn many_recipients_are_removed_together() {
    let mut factor = f64::MAX;
    for _ in 0..3 {
        factor = factor.min(removal(4000).await.as_secs_f64() / removal(400).await.as_secs_f64());
    }
    assert!(factor < 40.0, "ten times the recipients cost {factor:.0} times as much");
}

#[tokio::test]
async fn verdicts_are_obeyed() {
    let refused = |cause, reason: &str| Verdict::Refused { cause, reason: reason.to_owned() };
    for (answer, main, verdict) in [
        (&b"r"[..], "", refused(Cause::Content, "550 5.7.1 Command rejected")),
        (b"t", "", refused(Cause::Defer, "451 4.7.1 Service unavailable - try again later")),
        (b"y550 5.7.9 no\0", "", refused(Cause::Content, "550 5.7.9 no")),
        (b"d", "", Verdict::Discarded),
        (b"?", "", refused(Cause::Shutdown, "421 4.7.0 Server closing connection")),
        (b"?", "milter_default_action = accept", Verdict::Queued),
        (
            b"hX-Bad\0yes\0",
            "milter_header_checks = inline:{{X-Bad: yes = REJECT bad}}",
            refused(Cause::Content, "5.7.1 bad"),
        ),
    ] {
        let (_folder, own, _) = filter(answers(&[answer, b"c"])).await;
        let lab = Lab::new(&format!("{own}{main}"));
        let queued = lab.send(MADE_HERE, &envelope("a@b.c", &["d@e.f"]), &[TEXT.as_bytes()]).await;
        assert_eq!(queued.verdict, verdict);
        assert_eq!(lab.files(), usize::from(verdict == Verdict::Queued));
    }
}

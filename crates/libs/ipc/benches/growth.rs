//! Longer streams of frames, requests with more recipients.

use bytes::BytesMut;
use ipc::deliver::Recipient;
use ipc::frame;
use testkit::growth::curve;

fn recipients(count: usize) -> Vec<Recipient> {
    let recipient = |number: usize| Recipient {
        offset: 0,
        address: format!("user{number}@example.com").into_bytes().into(),
        original: b"user@example.com".to_vec().into(),
        dsn_original: "rfc822;user@example.com".to_owned(),
        notify: 0,
    };
    (0..count).map(recipient).collect()
}

fn written(recipients: &[Recipient]) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = frame::write_message(&mut out, &recipients, frame::MESSAGE_LIMIT);
    out
}

fn main() {
    let sizes = [1000, 10_000, 100_000];
    curve("ipc: frame of N recipients written", &sizes, recipients, |recipients| written(recipients));
    curve(
        "ipc: the same decoded",
        &sizes,
        |size| written(&recipients(size)),
        |bytes| frame::decode::<Vec<Recipient>>(bytes.get(frame::HEADER..).unwrap_or_default()).is_ok(),
    );
    let stream = |count: usize| BytesMut::from(&written(&recipients(1)).repeat(count)[..]);
    curve("ipc: N frames taken off a stream", &sizes, stream, |input| {
        let mut input = input.clone();
        let mut count = 0;
        while let Ok(Some(_)) = frame::take::<Vec<Recipient>>(&mut input, 65_536) {
            count += 1;
        }
        count
    });
}

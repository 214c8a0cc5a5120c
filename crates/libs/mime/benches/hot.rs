//! Headers told from bodies.

use divan::black_box;
use mime::{End, Field, Kind, Limits, Parts, Walker};

const LIMITS: Limits = Limits { header: 102_400, boundary: 2048, nesting: 100 };

fn main() {
    divan::main();
}

#[divan::bench]
fn field() -> Option<Kind> {
    Field::new(black_box(b"Content-Type: multipart/mixed; boundary=\"one\"")).map(Field::kind)
}

#[divan::bench]
fn header(bencher: divan::Bencher<'_, '_>) {
    let lines: Vec<String> =
        (0..20).map(|n| format!("X-Header-{n}: the value of a header of ordinary length")).collect();
    bencher.bench(|| {
        let mut walker = Walker::new(Parts::Message, LIMITS);
        let events = lines.iter().flat_map(|line| walker.line(line.as_bytes(), End::Line)).count();
        (events, walker.finish().count())
    });
}

#[divan::bench]
fn content_type() -> mime::ContentType {
    mime::content_type(black_box(b"multipart/mixed; charset=utf-8; boundary=\"----=_Part_1\""), 2048)
}

//! Messages: the walk loses no line, and the way to 7 bits ends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mime::{Downgrade, End, Event, Field, Limits, Parts, Walker, encoded_word};

const LIMITS: Limits = Limits { header: 102_400, boundary: 2048, nesting: 10 };

fn take<'a>(events: impl Iterator<Item = Event<'a>>, out: &mut Vec<u8>) {
    for event in events {
        match event {
            Event::Header(_, text) => {
                let _ = Field::new(&text).map(|field| (field.kind(), encoded_word::decode(field.value())));
                out.extend_from_slice(&text);
                out.push(b'\n');
            }
            Event::Body(line, _) => {
                out.extend_from_slice(line);
                out.push(b'\n');
            }
            Event::HeaderEnd(_) | Event::Separator | Event::Fault(..) => {}
        }
    }
}

/// All but blanks: those before a header's colon go away.
fn solid(mut text: Vec<u8>) -> Vec<u8> {
    text.retain(|byte| !matches!(byte, b' ' | b'\t'));
    text
}

fuzz_target!(|message: &[u8]| {
    for parts in [Parts::Message, Parts::All] {
        let (mut walker, mut out, mut lines) = (Walker::new(parts, LIMITS), Vec::new(), Vec::new());
        for line in message.split(|byte| *byte == b'\n') {
            take(walker.line(line, End::Line), &mut out);
            lines.extend_from_slice(line);
            lines.push(b'\n');
        }
        take(walker.finish(), &mut out);
        if message.len() < LIMITS.header {
            assert_eq!(solid(out), solid(lines));
        }
    }
    let (mut downgrade, mut out) = (Downgrade::new(LIMITS), Vec::new());
    for line in message.split(|byte| *byte == b'\n') {
        downgrade.line(line, End::Line, &mut out);
    }
    downgrade.finish(&mut out);
});

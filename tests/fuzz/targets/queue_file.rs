//! Queue files: the envelope, and every record.

#![no_main]

use libfuzzer_sys::fuzz_target;
use queue_file::Message;
use queue_file::record::{Pointers, Records};

const MOST: usize = 3;

fuzz_target!(|file: &[u8]| {
    if let Ok(message) = Message::parse(file, MOST) {
        let mut more = message.more.map(|(position, _)| position);
        for _ in 0..file.len() {
            let Some(position) = more else { break };
            let Ok((_, next)) = Message::more_recipients(file, position, MOST) else { break };
            more = next;
        }
    }
    let _ = Message::parse_leading(file, MOST);
    for pointers in [Pointers::Follow, Pointers::Show] {
        let mut records = Records::new(file, 0, pointers);
        for _ in 0..=file.len() {
            if records.next().is_err() {
                break;
            }
        }
    }
});

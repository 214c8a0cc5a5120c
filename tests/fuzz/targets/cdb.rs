//! cdb files, damaged in any way, and those that we write.

#![no_main]

use std::io::Cursor;

use engine::cdb::{Maker, find, records};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    for (key, _) in records(file).map_while(Result::ok).take(1000) {
        let _ = find(file, key);
    }
    let mut maker = Maker::new(Cursor::new(Vec::new())).expect("it fits");
    for line in file.split(|byte| *byte == b'\n') {
        maker.add(line, line).expect("it fits");
    }
    let made = maker.finish().expect("it fits").into_inner();
    for line in file.split(|byte| *byte == b'\n') {
        assert_eq!(find(&made, line), Ok(Some(line)));
    }
});

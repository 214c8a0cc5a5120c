//! Records written and read.

use divan::black_box;
use queue_file::record::{self, Pointers, Records, Type};

fn main() {
    divan::main();
}

#[divan::bench]
fn written(bencher: divan::Bencher<'_, '_>) {
    let mut out = Vec::with_capacity(1 << 16);
    bencher.counter(divan::counter::ItemsCount::new(100_usize)).bench_local(|| {
        out.clear();
        for _ in 0..100 {
            record::put(&mut out, Type::Line, black_box(b"a line of text as it comes in a message"));
        }
        out.len()
    });
}

#[divan::bench]
fn read(bencher: divan::Bencher<'_, '_>) {
    let mut bytes = Vec::new();
    for _ in 0..100 {
        record::put(&mut bytes, Type::Line, b"a line of text as it comes in a message");
    }
    bencher.counter(divan::counter::ItemsCount::new(100_usize)).bench(|| {
        let mut records = Records::new(&bytes[..], 0, Pointers::Follow);
        let mut sum = 0;
        while let Ok(Some(record)) = records.next() {
            sum += record.data.len();
        }
        sum
    });
}

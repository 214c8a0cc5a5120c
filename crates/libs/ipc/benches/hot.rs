//! Frames made and taken apart.

use bytes::BytesMut;
use divan::black_box;
use ipc::frame::{self, Frame};
use ipc::rewrite::{Context, Request};

fn main() {
    divan::main();
}

fn request() -> Request {
    Request::Rewrite { context: Context::Local, address: b"someone@example.com".to_vec().into() }
}

#[divan::bench]
fn written(bencher: divan::Bencher<'_, '_>) {
    let (request, mut out) = (request(), Vec::with_capacity(4096));
    bencher.bench_local(|| {
        out.clear();
        frame::write_message(&mut out, black_box(&request), 65_536).is_ok()
    });
}

#[divan::bench]
fn taken(bencher: divan::Bencher<'_, '_>) {
    let mut bytes = Vec::new();
    let _ = frame::write_message(&mut bytes, &request(), 65_536);
    bencher
        .with_inputs(|| BytesMut::from(&bytes[..]))
        .bench_refs(|input| matches!(frame::take::<Request>(input, 65_536), Ok(Some(Frame::Message(_)))));
}

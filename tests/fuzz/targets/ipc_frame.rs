//! Frames of every internal service.

#![no_main]

use bytes::BytesMut;
use ipc::frame::{Frame, Hello, is_complete, take};
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;

const LIMIT: usize = 64 * 1024;

fn all<T: DeserializeOwned>(bytes: &[u8]) {
    let mut input = BytesMut::from(bytes);
    loop {
        let (before, complete) = (input.len(), is_complete(&input));
        match take::<T>(&mut input, LIMIT) {
            Ok(Some(Frame::Message(_) | Frame::Raw(_))) => assert!(complete && input.len() < before),
            Ok(None) => return assert!(!complete && input.len() == before),
            Err(_) => return,
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    all::<Hello>(bytes);
    all::<ipc::anvil::Request>(bytes);
    all::<ipc::bounce::Request>(bytes);
    all::<ipc::cleanup::Request>(bytes);
    all::<ipc::cleanup::Reply>(bytes);
    all::<ipc::deliver::Request>(bytes);
    all::<ipc::deliver::Reply>(bytes);
    all::<ipc::dnsblog::Request>(bytes);
    all::<ipc::dnsblog::Reply>(bytes);
    all::<ipc::flush::Request>(bytes);
    all::<ipc::pass::Passed>(bytes);
    let _ = ipc::pass::Passed::decode(bytes);
    all::<ipc::proxymap::Request>(bytes);
    all::<ipc::proxymap::Reply>(bytes);
    all::<ipc::qmgr::Request>(bytes);
    all::<ipc::rewrite::Request>(bytes);
    all::<ipc::rewrite::Reply>(bytes);
    all::<ipc::showq::Request>(bytes);
    all::<ipc::showq::Reply>(bytes);
    all::<ipc::submit::Request>(bytes);
    all::<ipc::tlsmgr::Request>(bytes);
    all::<ipc::tlsproxy::Request>(bytes);
    all::<ipc::verify::Request>(bytes);
});

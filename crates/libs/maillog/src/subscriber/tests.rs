//! Lines as they arrive.

use super::*;
use crate::target::{LogFile, Place};
use std::os::unix::net::UnixDatagram;
use tracing::{debug, error, info, warn};

fn settings(place: Place) -> Settings {
    Settings {
        syslog_name: "mail".into(),
        facility: Facility::MAIL,
        hostname: "host.example.test".into(),
        place,
        characters: Characters::Utf8,
    }
}

#[test]
fn lines_reach_the_log_daemon_as_it_expects_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("postlog");
    let socket = UnixDatagram::bind(&path).unwrap();
    let log = Log::new("smtpd", Echo::Off, Patience::Buffer, Verbosity::Normal);
    log.configure(&settings(Place::Postlog { socket: path, fallback: None }));
    tracing::subscriber::with_default(log.subscriber(), || {
        info!("connect from {}", "x\ny");
        warn!("odd");
        error!("bad");
        debug!("not seen");
        crate::fatal!("worse {}", 1);
        crate::panicked!("a bug");
        info!(target: "hickory_resolver::x", "not ours");
        info!("last");
    });
    let pid = std::process::id();
    for text in ["connect from x?y", "warning: odd", "error: bad", "fatal: worse 1", "panic: a bug", "last"] {
        let mut line = [0; 256];
        let length = socket.recv(&mut line).unwrap();
        let line = String::from_utf8(line[..length].to_vec()).unwrap();
        assert_eq!(line[15..], format!(" host mail/smtpd[{pid}]: {text}\n"));
    }
}

#[test]
fn nothing_waits_for_a_log_that_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("postlog");
    let socket = UnixDatagram::bind(&path).unwrap();
    let log = Log::new("smtpd", Echo::Off, Patience::Buffer, Verbosity::Normal);
    log.configure(&settings(Place::Postlog { socket: path, fallback: None }));
    let text = "x".repeat(1000);
    tracing::subscriber::with_default(log.subscriber(), || {
        for _ in 0..6000 {
            info!("{text}");
        }
        warn!("kept");
    });
    assert!(log.is_pending());
    socket.set_nonblocking(true).unwrap();
    let mut seen = Vec::new();
    let mut line = vec![0; 64 * 1024];
    while log.is_pending() {
        while let Ok(length) = socket.recv(&mut line) {
            seen.push(String::from_utf8(line[..length].to_vec()).unwrap());
        }
        log.flush();
    }
    while let Ok(length) = socket.recv(&mut line) {
        seen.push(String::from_utf8(line[..length].to_vec()).unwrap());
    }
    assert!(seen.iter().any(|line| line.ends_with("warning: kept\n")));
    assert!(seen.last().unwrap().ends_with("log lines were lost, because the log was not read\n"));
}

#[test]
fn last_lines_wait_for_a_log_that_is_read_slowly() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("postlog");
    let socket = UnixDatagram::bind(&path).unwrap();
    let log = Log::new("smtpd", Echo::Off, Patience::Buffer, Verbosity::Normal);
    log.configure(&settings(Place::Postlog { socket: path, fallback: None }));
    let text = "x".repeat(10_000);
    tracing::subscriber::with_default(log.subscriber(), || {
        while !log.is_pending() {
            info!("{text}");
        }
        info!("last");
    });
    let reader = std::thread::spawn(move || {
        let mut line = vec![0; 64 * 1024];
        loop {
            let length = socket.recv(&mut line).unwrap();
            if line[..length].ends_with(b": last\n") {
                return;
            }
        }
    });
    log.finish();
    assert!(!log.is_pending());
    reader.join().unwrap();
}

#[test]
fn file_is_the_fallback_of_those_who_may_write_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("maillog");
    let log = Log::new("postfix", Echo::Off, Patience::Wait, Verbosity::Normal);
    let place = Place::Postlog {
        socket: directory.path().join("missing"),
        fallback: Some(LogFile { path: file.clone(), mode: 0o600 }),
    };
    log.configure(&settings(place));
    log.rename("postfix/postfix-script");
    tracing::subscriber::with_default(log.subscriber(), || info!("starting"));
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(" host postfix/postfix-script[") && text.ends_with("]: starting\n"));
}

#[test]
fn long_text_is_cut_between_characters() {
    assert_eq!(printable(&"é".repeat(3000), Characters::Utf8).len(), LONGEST);
    assert_eq!(printable(&format!("a{}", "é".repeat(3000)), Characters::Utf8).len(), LONGEST - 1);
}

#[test]
fn numbers_of_errors_are_not_shown() {
    let error = io::Error::from_raw_os_error(13);
    assert_eq!(
        printable(&format!("open x: {error}; open y: {error}"), Characters::Utf8),
        "open x: Permission denied; open y: Permission denied"
    );
    assert_eq!(printable("caf\u{e9}\t", Characters::Utf8), "caf\u{e9}?");
    assert_eq!(printable("caf\u{e9}\t", Characters::Ascii), "caf???");
    for characters in [Characters::Utf8, Characters::Ascii] {
        assert_eq!(printable(&String::from_utf8_lossy(b"caf\xe9 \xff"), characters), "caf? ?");
    }
    assert_eq!(printable("a (os error x) b", Characters::Utf8), "a (os error x) b");
}

#[test]
fn lines_of_a_turn_go_together_but_before_what_others_see() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("postlog");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let receive = || {
        let mut lines = [0; 4096];
        socket.recv(&mut lines).ok().map(|length| String::from_utf8(lines[..length].to_vec()).unwrap().lines().count())
    };
    let log = Log::new("smtpd", Echo::Off, Patience::Buffer, Verbosity::Normal);
    log.configure(&settings(Place::Postlog { socket: path, fallback: None }));
    log.batch();
    tracing::subscriber::with_default(log.subscriber(), || {
        info!("one");
        info!("two");
        assert_eq!(receive(), None);
        info!(target: "maillog::barrier", "");
        assert_eq!(receive(), Some(2));
        info!("three");
        warn!("four");
        assert_eq!((receive(), receive()), (Some(1), Some(1)));
        info!("five");
        log.flush();
        assert_eq!((receive(), receive()), (Some(1), None));
    });
}

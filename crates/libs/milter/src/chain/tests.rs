//! A chain against scripted filters.

use super::answer::MALFORMED;
use super::*;
use crate::spec::LATER;
use std::sync::LazyLock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

/// The macros that a filter has heard: each event's letter, and the words.
type Heard = Arc<std::sync::Mutex<Vec<String>>>;

/// A filter that answers each event by its letter; 0 hangs up.
fn filter(answer: fn(u8) -> &'static [u8]) -> (tempfile::TempDir, Heard) {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("filter")).unwrap();
    let heard = Heard::default();
    let noted = Arc::clone(&heard);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while let Ok(size) = stream.read_u32().await {
            let mut packet = vec![0; size as usize];
            stream.read_exact(&mut packet).await.unwrap();
            let mut out = Vec::new();
            match packet[0] {
                b'O' => packet::Options { version: 6, actions: 0, protocol: 0 }.write(&mut out),
                b'D' => noted.lock().unwrap().push(String::from_utf8_lossy(&packet[1..]).replace('\0', ".")),
                b'A' => {}
                letter => match answer(letter) {
                    b"" => return,
                    answer => answer.split(|b| *b == b'|').for_each(|one| packet::write_raw(&mut out, one)),
                },
            }
            stream.write_all(&out).await.unwrap();
        }
    });
    (folder, heard)
}

/// A chain of the one filter in this folder.
async fn connected(main: &str, folder: &tempfile::TempDir) -> Chain {
    let source = config::Source::parse(std::path::Path::new("/nonexistent"), main).unwrap();
    let path = folder.path().join("filter");
    let specs = Spec::list(&[format!("unix:{}", path.display())], &source.get().unwrap(), "");
    let names = Arc::new(MacroNames::new(&source.get().unwrap()));
    let mut chain = Chain::new(&specs.into_iter().map(Arc::new).collect::<Vec<_>>(), names);
    chain.open().await;
    chain
}

async fn chain(main: &str, answer: fn(u8) -> &'static [u8]) -> (Chain, tempfile::TempDir) {
    let (folder, _) = filter(answer);
    (connected(main, &folder).await, folder)
}

fn none(_: &str) -> Option<String> {
    None
}

#[tokio::test]
async fn a_refused_session_stays_refused() {
    let (mut chain, _folder) = chain("", |letter| if letter == b'H' { b"r" } else { b"c" }).await;
    let refused = Verdict::Reply(REJECTED.to_owned());
    assert_eq!(chain.standing(), Verdict::Continue);
    assert_eq!(chain.tell(&Command::Helo(b"x".to_vec()), &none).await, refused);
    assert_eq!(chain.tell(&Command::Mail(vec![]), &none).await, refused);
    assert_eq!((chain.standing(), chain.readers()), (refused, vec![]));
}

#[tokio::test]
async fn a_message_that_was_accepted_is_not_shown() {
    let (mut chain, _folder) = chain("", |letter| if letter == b'M' { b"a" } else { b"r" }).await;
    assert_eq!(chain.tell(&Command::Mail(vec![]), &none).await, Verdict::Continue);
    assert_eq!(chain.tell(&Command::Rcpt(vec![]), &none).await, Verdict::Continue);
    assert_eq!(chain.readers(), vec![]);
    chain.forget_message();
    assert_eq!(chain.tell(&Command::Rcpt(vec![]), &none).await, Verdict::Reply(REJECTED.to_owned()));
    assert_eq!(chain.readers(), vec![(0, 0)]);
}

#[tokio::test]
async fn the_default_action_stands_for_a_filter_that_is_gone() {
    let main = "milter_default_action = tempfail\n";
    let (mut chain, _folder) = chain(main, |letter| if letter == b'R' { b"" } else { b"c" }).await;
    assert_eq!(chain.tell(&Command::Mail(vec![]), &none).await, Verdict::Continue);
    assert_eq!(chain.tell(&Command::Rcpt(vec![]), &none).await, Verdict::Reply(LATER.to_owned()));
    assert_eq!(chain.tell(&Command::Data, &none).await, Verdict::Reply(LATER.to_owned()));
}

#[tokio::test]
async fn a_filter_that_says_no_reply_is_not_asked_any_more() {
    let (mut chain, _folder) = chain("", |letter| if letter == b'M' { b"y250 ok\0" } else { b"c" }).await;
    let malformed = Verdict::Reply(MALFORMED.to_owned());
    for command in [Command::Mail(vec![]), Command::Rcpt(vec![]), Command::Data] {
        assert_eq!(chain.tell(&command, &none).await, malformed);
        chain.forget_message();
    }
}

#[tokio::test]
async fn a_message_may_be_held_before_its_end() {
    let (mut chain, _folder) = chain("", |letter| match letter {
        b'M' => b"qwhy\0|q\0|c",
        b'T' => b"q\0|r",
        b'R' | b'L' => b"qa\0|qb\0|c",
        _ => b"c",
    })
    .await;
    assert_eq!(chain.tell(&Command::Data, &none).await, Verdict::Reply(REJECTED.to_owned()), "it refuses after all");
    let held = Verdict::Hold("why".to_owned());
    assert_eq!(chain.tell(&Command::Mail(vec![]), &none).await, held);
    assert_eq!(chain.tell(&Command::Rcpt(vec![]), &none).await, held);
    assert_eq!(chain.readers(), vec![]);
    chain.forget_message();
    let mut packets = Vec::new();
    Command::Header(b"A".to_vec(), b"b".to_vec()).write(&mut packets);
    let answers = chain.pass(0, &packets, &none).await;
    assert_eq!(packet::split(&answers).collect::<Vec<_>>(), [&b"qa\0"[..], b"qb\0", b"c"]);
}

#[tokio::test]
async fn a_filter_may_say_hold_as_often_as_it_likes() {
    static HOLDS: LazyLock<Vec<u8>> = LazyLock::new(|| [b"q\0|".repeat(50_000), b"c".to_vec()].concat());
    let (mut chain, _folder) = chain("", |letter| if letter == b'M' { &HOLDS } else { b"c" }).await;
    assert_eq!(chain.tell(&Command::Mail(vec![]), &none).await, Verdict::Hold(String::new()));
}

#[tokio::test]
async fn content_is_passed_until_there_is_an_answer() {
    let (mut chain, _folder) = chain("", |letter| match letter {
        b'B' => b"s",
        b'E' => b"p|hX\0y\0|a",
        _ => b"c",
    })
    .await;
    let mut packets = Vec::new();
    Command::Header(b"A".to_vec(), b"b".to_vec()).write(&mut packets);
    Command::Body(b"x".to_vec()).write(&mut packets);
    Command::Body(b"y".to_vec()).write(&mut packets);
    let answers = chain.pass(0, &packets, &none).await;
    assert_eq!(packet::split(&answers).collect::<Vec<_>>(), [b"s"]);
    packets.clear();
    Command::EndOfMessage.write(&mut packets);
    let answers = chain.pass(0, &packets, &none).await;
    assert_eq!(packet::split(&answers).collect::<Vec<_>>(), [&b"hX\0y\0"[..], b"a"]);
}

#[tokio::test]
async fn a_client_cannot_be_thrown_away() {
    let (mut chain, _folder) = chain("", |letter| if letter == b'R' { b"r" } else { b"d" }).await;
    assert_eq!(chain.tell(&Command::Helo(b"x".to_vec()), &none).await, Verdict::Continue);
    assert_eq!(chain.tell(&Command::Rcpt(vec![]), &none).await, Verdict::Reply(REJECTED.to_owned()), "it is asked on");
    assert_eq!(chain.tell(&Command::Mail(vec![]), &none).await, Verdict::Discard);
}

#[test]
fn replies_of_filters_are_whole() {
    for (text, expected) in [
        ("550 5.7.1 Out", "550 5.7.1 Out"),
        ("450-a\r\n450 b", "450-a\r\n450 b"),
        ("550 Sure to 99%%", "550 Sure to 99%"),
        ("550 Sure to 99%", "550 Sure to 99"),
        ("550 4.7.1 not now", MALFORMED),
        ("450-5.1.1 a\r\n450 5.1.1 b", MALFORMED),
        ("550 5 of 5", "550 5 of 5"),
        ("550 4 of 5", MALFORMED),
        ("550 100%% sure", MALFORMED),
        ("550", MALFORMED),
        ("250 ok", MALFORMED),
        ("x", MALFORMED),
    ] {
        let expected = Plain::Verdict(Verdict::Reply(expected.to_owned()));
        assert_eq!(plain(Response::Reply(text.as_bytes().to_vec())), Some(expected), "{text}");
    }
}

#[tokio::test]
async fn what_is_held_is_held_from_the_start() {
    let main = "milter_default_action = quarantine\n";
    let (mut chain, _folder) = chain(main, |_| b"").await;
    for command in [Command::Helo(b"x".to_vec()), Command::Helo(b"x".to_vec()), Command::Mail(vec![])] {
        assert_eq!(chain.tell(&command, &none).await, Verdict::Hold("default_action".to_owned()));
    }
}

#[test]
fn answers_are_bounded() {
    assert!(has_room(0, ANSWERS - 4));
    assert!(has_room(ANSWERS - 5, 1));
    assert!(!has_room(ANSWERS - 4, 1));
    assert!(!has_room(1, usize::MAX));
}

#[tokio::test]
async fn content_comes_with_the_macros_of_its_end() {
    let (folder, heard) = filter(|_| b"c");
    let mut chain = connected("milter_end_of_header_macros = i\nmilter_end_of_data_macros = i, last\n", &folder).await;
    let mut packets = Vec::new();
    Command::Header(b"A".to_vec(), b"b".to_vec()).write(&mut packets);
    Command::EndOfHeader.write(&mut packets);
    Command::Body(b"x".to_vec()).write(&mut packets);
    Command::EndOfMessage.write(&mut packets);
    chain.pass(0, &packets, &|name| Some(name.trim_matches(['{', '}']).to_uppercase())).await;
    assert_eq!(*heard.lock().unwrap(), ["Li.I.", "Ni.I.", "Bi.I.last.LAST.", "Ei.I.last.LAST."]);
}

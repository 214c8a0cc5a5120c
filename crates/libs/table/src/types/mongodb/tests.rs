//! Tests of `mongodb:` tables, with a server in a thread.
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use aws_lc_rs::{digest, hmac, pbkdf2};
use data_encoding::BASE64;

use super::bson::{Value, fields, find};
use super::*;

/// A server that answers each document that is sent with another.
fn serve(answer: impl Fn(&[u8]) -> Document + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 4];
            while stream.read_exact(&mut length).is_ok() {
                let mut rest = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap() - 4];
                stream.read_exact(&mut rest).unwrap();
                assert_eq!(rest[8..17], [0xdd, 7, 0, 0, 0, 0, 0, 0, 0]);
                stream.write_all(&session::message(1, &answer(&rest[17..]).bytes())).unwrap();
            }
        }
    });
    port
}

fn text(document: &[u8], name: &str) -> String {
    match find(document, name).unwrap() {
        Some(Value::Text(text)) => String::from_utf8(text.to_vec()).unwrap(),
        other => panic!("{name}: {other:?}"),
    }
}

fn inside<'a>(document: &'a [u8], name: &str) -> &'a [u8] {
    match find(document, name).unwrap() {
        Some(Value::Document(inner)) => inner,
        other => panic!("{name}: {other:?}"),
    }
}

fn refused(code: i32) -> Document {
    let mut reply = Document::default();
    reply.double("ok", 0.0);
    reply.text("errmsg", "no such thing");
    reply.integer("code", code);
    reply
}

/// Finds two documents with three values for `user@example.com`, one without any for `empty`, and nothing else.
fn query(command: &[u8]) -> Document {
    assert_eq!(fields(command).unwrap()[0].0, b"find");
    let seen = ["find", "$db"].map(|name| text(command, name));
    assert_eq!(seen, ["mailbox", "mail"]);
    assert_eq!(find(inside(command, "projection"), "_id").unwrap(), Some(Value::Number(0)));
    assert_eq!(find(inside(command, "projection"), "path").unwrap(), Some(Value::Number(1)));
    let key = text(inside(command, "filter"), "name");
    let mut batch = Document::default();
    let mut add = |name: &str, path: &str| {
        let (mut list, mut document) = (Document::default(), Document::default());
        list.integer("0", 7);
        document.text("path", path);
        document.list("more", &list);
        batch.document(name, &document);
    };
    match key.as_str() {
        "refused" => return refused(2),
        "user@example.com" => {
            add("0", "x@y");
            add("1", "second");
        }
        "say \"it\"" => add("0", "quoted"),
        "empty" => batch.document("0", &Document::default()),
        _ => {}
    }
    let mut cursor = Document::default();
    cursor.list("firstBatch", &batch);
    cursor.long("id", 0);
    let mut reply = Document::default();
    reply.document("cursor", &cursor);
    reply.double("ok", 1.0);
    reply
}

fn table(folder: &Path, parameters: &str) -> Result<Box<dyn Table>, Error> {
    let path = folder.join("cf").display().to_string();
    std::fs::write(&path, format!("dbname = mail\ncollection = mailbox\n{parameters}\n")).unwrap();
    open(&path, &Environment::default())
}

const FILTER: &str = "query_filter = {\"name\": \"%s\"}\nresult_attribute = path, more";

#[test]
fn documents_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("uri = mongodb://127.0.0.1:{}", serve(query));
    for (parameters, key, expected) in [
        ("", "user@example.com", Ok(Some("x@y,7,second,7"))),
        ("", "nobody", Ok(None)),
        ("", "empty", Ok(None)),
        ("", "", Ok(None)),
        ("", "say \"it\"", Ok(Some("quoted,7"))),
        ("", "refused", Err("no such thing")),
        ("result_format = <%u>", "user@example.com", Ok(Some("<x>,<7>,<second>,<7>"))),
        ("domain = example.org", "user@example.com", Ok(None)),
        ("expansion_limit = 3", "user@example.com", Err("Expansion limit exceeded for key: 'user@example.com'")),
    ] {
        let table = table(folder.path(), &format!("{uri}\n{FILTER}\n{parameters}")).unwrap();
        let value = table.lookup(key.as_bytes()).block();
        let value = value.map(|value| value.map(|value| String::from_utf8(value).unwrap()));
        let value = value.as_ref().map(|value| value.as_deref()).map_err(ToString::to_string);
        assert_eq!(value, expected.map_err(str::to_owned), "{parameters} {key}");
    }
}

#[test]
fn servers_that_stop_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let ports = [serve(|_| refused(91)), serve(query)];
    let uri = format!("uri = mongodb://127.0.0.1:{},127.0.0.1:{}", ports[0], ports[1]);
    let table = table(folder.path(), &format!("{uri}\n{FILTER}")).unwrap();
    for _ in 0..4 {
        assert_eq!(table.lookup(b"nobody").block(), Ok(None));
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

/// The server's part of SCRAM for the password `secret`, with what the client has said before in `said`.
fn check(payload: &str, said: &std::sync::Mutex<String>) -> String {
    let mut said = said.lock().unwrap();
    if let Some(bare) = payload.strip_prefix("n,,") {
        let challenge = format!("r={}more,s={},i=10", bare.split_once(",r=").unwrap().1, BASE64.encode(b"salt"));
        *said = format!("{bare},{challenge}");
        return challenge;
    }
    let (last, proof) = payload.split_once(",p=").unwrap();
    let signed = format!("{said},{last}");
    let mut salted = [0; 32];
    let rounds = std::num::NonZeroU32::new(10).unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, b"salt", b"secret", &mut salted);
    let key = mac(&salted, b"Client Key");
    let signature = mac(digest::digest(&digest::SHA256, &key).as_ref(), signed.as_bytes());
    let expected: Vec<u8> = key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
    assert_eq!(proof, BASE64.encode(&expected));
    format!("v={}", BASE64.encode(&mac(&mac(&salted, b"Server Key"), signed.as_bytes())))
}

#[test]
fn passwords_are_proved() {
    let folder = tempfile::tempdir().unwrap();
    let said = std::sync::Mutex::default();
    let port = serve(move |command| {
        let Some(Value::Binary(payload)) = find(command, "payload").unwrap() else { return query(command) };
        assert_eq!(text(command, "$db"), "users");
        let mut reply = Document::default();
        if !payload.is_empty() {
            reply.binary("payload", check(std::str::from_utf8(payload).unwrap(), &said).as_bytes());
        }
        reply.integer("conversationId", 5);
        reply.boolean("done", payload.is_empty());
        reply.integer("ok", 1);
        reply
    });
    let uri = format!("uri = mongodb://me:secret@127.0.0.1:{port}/users");
    let table = table(folder.path(), &format!("{uri}\n{FILTER}")).unwrap();
    assert_eq!(table.lookup(b"nobody").block(), Ok(None));
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let query = "query_filter = {\"name\": \"%s\"}";
    for (parameters, expected) in [
        ("", "bad string length 0 < 1: uri = "),
        ("uri = mongodb://a", "need either projection or result_attribute"),
        ("uri = mongodb://a\nprojection = {}\nresult_attribute = a", "need either projection or result_attribute"),
        ("uri = mongodb://a\nresult_attribute = a", "bad string length 0 < 1: query_filter = "),
        (
            &format!("uri = mongodb+srv://a\nresult_attribute = a\n{query}"),
            "mongodb+srv is not supported; name the servers",
        ),
        ("uri = mysql://a", "malformed uri"),
        ("uri = mongodb://a/?authMechanism=PLAIN", "authMechanism is not SCRAM-SHA-256"),
        ("uri = mongodb://a\nresult_attribute = a\nquery_filter = %x", "Invalid query template: %x"),
    ] {
        let error = table(folder.path(), parameters).err().unwrap().to_string();
        assert!(error.ends_with(expected), "{parameters}: {error}");
    }
    let wrong = table(folder.path(), "uri = mongodb://a\nresult_attribute = a\nquery_filter = {%s").unwrap();
    let error = wrong.lookup(b"key").block().unwrap_err().to_string();
    assert!(error.starts_with("failed to create a query from '{key': "), "{error}");
}

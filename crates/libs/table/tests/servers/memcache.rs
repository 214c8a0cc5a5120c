//! `memcache:`, alone and before another table.

use std::io::{Read, Write};
use std::net::TcpStream;

use table::Environment;
use table::store::{self, Purpose, Put};

use crate::running::{Place, Running, expect, expect_trouble, free_port, has_peer};

const SERVER: &str = "/usr/bin/memcached";

fn start(place: &Place, port: u16) -> Running {
    let port = port.to_string();
    place.start(SERVER, &["-l", "127.0.0.1", "-p", &port, "-U", "0"], || {
        TcpStream::connect(format!("127.0.0.1:{port}")).is_ok()
    })
}

fn say(port: u16, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = [0; 100];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[test]
fn memcached_is_asked_and_changed() {
    if !has_peer("memcached_is_asked_and_changed", SERVER) {
        return;
    }
    let (place, port) = (Place::new(), free_port());
    let server = start(&place, port);
    assert_eq!(say(port, "set p:a@b.example 0 60 5\r\nx\r\ny,\r\n"), "STORED\r\n");
    let text =
        format!("memcache = inet:127.0.0.1:{port}\nkey_format = p:%s\ndomain = b.example\nmax_try = 1\nttl = 60\n");
    let table = place.table("memcache", &text);
    expect(&*table, "a@b.example", Some("x\r\ny,"));
    expect(&*table, "A@B.example", Some("x\r\ny,"));
    expect(&*table, "other@b.example", None);
    expect(&*table, "a@elsewhere.example", None);
    expect(&*table, "a\r\nflush_all@b.example", None);
    expect(&*table, "a@b.example", Some("x\r\ny,"));

    let path = place.text("table.cf");
    let mut cache = store::open(&format!("memcache:{path}"), Purpose::Update, &Environment::default()).unwrap();
    assert_eq!(cache.put(b"n@b.example", b"new", false), Ok(Put::Stored));
    assert_eq!(cache.put(b"n@b.example", b"newer", false), Ok(Put::Duplicate));
    expect(&*table, "n@b.example", Some("new"));
    assert_eq!(cache.delete(b"n@b.example"), Ok(true));
    assert_eq!(cache.delete(b"n@b.example"), Ok(false));
    assert!(cache.put(b"n@elsewhere.example", b"new", true).is_err());
    assert!(cache.next(None).is_err());

    server.stop();
    expect_trouble(&*table, "a@b.example");
    let _server = start(&place, port);
    expect(&*table, "a@b.example", None);
}

#[test]
fn memcached_stands_before_another_table() {
    if !has_peer("memcached_stands_before_another_table", SERVER) {
        return;
    }
    let (place, port) = (Place::new(), free_port());
    let server = start(&place, port);
    let behind = place.text("behind");
    let text = format!("memcache = inet:127.0.0.1:{port}\nbackup = lmdb:{behind}\nmax_try = 1\n");
    let path = place.write("cache.cf", &text);
    let spec = format!("memcache:{path}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut cache = store::open(&spec, Purpose::Update, &Environment::default()).unwrap();
    // Daemons change it from inside their runtime.
    runtime.block_on(async {
        assert_eq!(cache.put(b"one", b"1", true), Ok(Put::Stored));
        assert_eq!(cache.put(b"key with spaces", b"2", true), Ok(Put::Stored));
        cache.save().unwrap();
        assert_eq!(cache.get(b"one"), Ok(Some(b"1".to_vec())));
    });
    assert_eq!(say(port, "get one\r\n"), "VALUE one 0 1\r\n1\r\nEND\r\n");
    let table = table::open(&spec, &Environment::default()).unwrap();
    expect(&*table, "key with spaces", Some("2"));
    // What the server has forgotten is told again.
    assert_eq!(say(port, "delete one\r\n"), "DELETED\r\n");
    expect(&*table, "one", Some("1"));
    assert_eq!(say(port, "get one\r\n"), "VALUE one 0 1\r\n1\r\nEND\r\n");
    let listed = cache.next(None).unwrap().unwrap();
    assert_eq!(listed, (b"key with spaces".to_vec(), b"2".to_vec()));
    server.stop();
    expect(&*table, "one", Some("1"));
    expect(&*table, "two", None);
    assert_eq!(cache.put(b"two", b"2", true), Ok(Put::Stored));
    cache.save().unwrap();
    expect(&*table, "two", Some("2"));
}

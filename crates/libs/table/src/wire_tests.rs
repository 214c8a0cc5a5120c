//! Tests of tables behind servers, with servers in threads.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::{Environment, Keys};

fn serve(answer: impl Fn(&mut BufReader<TcpStream>) -> Option<String> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while let Some(answer) = answer(&mut stream) {
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    port
}

fn netstring(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut length = Vec::new();
    stream.read_until(b':', &mut length).unwrap();
    length.pop()?;
    let length: usize = String::from_utf8(length).unwrap().parse().unwrap();
    let mut question = vec![0; length + 1];
    stream.read_exact(&mut question).unwrap();
    let answer = match question.as_slice() {
        b"names hit," => "OK the value",
        b"names miss," => "NOTFOUND ",
        b"names bare," => "OK",
        b"names close," => return None,
        _ => "TEMP later",
    };
    Some(format!("{}:{answer},", answer.len()))
}

#[test]
fn socketmap_servers_are_asked() {
    let port = serve(netstring);
    let table = crate::open(&format!("socketmap:inet:127.0.0.1:{port}:names"), &Environment::default()).unwrap();
    for _ in 0..2 {
        assert_eq!(table.lookup(b"hit").block(), Ok(Some(b"the value".to_vec())));
        assert_eq!(table.lookup(b"miss").block(), Ok(None));
        assert_eq!(table.lookup(b"bare").block(), Ok(None));
        assert!(table.lookup(b"other").block().is_err());
        assert!(table.lookup(b"close").block().is_err());
    }
}

#[test]
fn socketmap_servers_are_not_asked_at_any_length() {
    let spec = format!("socketmap:inet:127.0.0.1:{}:names", serve(netstring));
    let table = |socketmap_max_query_size| {
        crate::open(&spec, &Environment { socketmap_max_query_size, ..Environment::default() }).unwrap()
    };
    assert_eq!(table("names hit".len()).lookup(b"hit").block(), Ok(Some(b"the value".to_vec())));
    assert_eq!(table(0).lookup(b"hit").block(), Ok(Some(b"the value".to_vec())));
    let error = table("names hit".len() - 1).lookup(b"hit").block().unwrap_err();
    assert_eq!(error.to_string(), "query is longer than 8 bytes");
}

#[test]
fn tcp_servers_are_asked() {
    let port = serve(|stream| {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.as_str() {
            "" => None,
            "get hit\n" => Some("200 a%20value\n".to_owned()),
            "get a%20b\n" => Some("200 spaced%25\n".to_owned()),
            "get bad\n" => Some("400 later\n".to_owned()),
            _ => Some("500 no\n".to_owned()),
        }
    });
    let table = crate::open(&format!("tcp:127.0.0.1:{port}"), &Environment::default()).unwrap();
    assert_eq!(table.lookup(b"hit").block(), Ok(Some(b"a value".to_vec())));
    assert_eq!(table.lookup(b"a b").block(), Ok(Some(b"spaced%".to_vec())));
    assert_eq!(table.lookup(b"miss").block(), Ok(None));
    assert!(table.lookup(b"bad").block().is_err());
}

#[test]
fn servers_that_may_know_patterns_get_whole_keys_as_they_are() {
    let port = serve(|stream| {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        (line == "get User@Example\n").then(|| "200 as it is\n".to_owned())
    });
    let socketmap = crate::open("socketmap:unix:/nonexistent:x", &Environment::default()).unwrap();
    assert!(crate::open("socketmap:inet:2525:x", &Environment::default()).is_ok(), "a port of this host");
    assert_eq!(socketmap.keys(), Keys::Pattern);
    let tcp = crate::open(&format!("tcp:[127.0.0.1]:{port}"), &Environment::default()).unwrap();
    assert_eq!(tcp.keys(), Keys::Pattern);
    assert_eq!(tcp.lookup(b"User@Example").block(), Ok(Some(b"as it is".to_vec())));
}

#[test]
fn a_server_that_is_down_is_an_error() {
    let table = crate::open("socketmap:unix:/nonexistent:x", &Environment::default()).unwrap();
    assert_eq!(table.lookup(b"x").block().unwrap_err().to_string(), "No such file or directory");
    assert!(crate::open("socketmap:foo:bar", &Environment::default()).is_err());
}

#[test]
fn memcache_servers_are_asked_before_the_table_behind() {
    let port = serve(|stream| {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.split_ascii_whitespace().collect::<Vec<_>>().as_slice() {
            [] => None,
            ["get", "p:hit"] => Some("VALUE p:hit 0 5\r\na\nbcd\r\nEND\r\n".to_owned()),
            ["get", _] => Some("END\r\n".to_owned()),
            ["set", "p:back", "0", "3600", "6"] => {
                stream.read_line(&mut line).unwrap();
                Some("STORED\r\n".to_owned())
            }
            _ => Some("ERROR\r\n".to_owned()),
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.cf");
    let text = format!("memcache = inet:127.0.0.1:{port}\nkey_format = p:%s\nbackup = inline:{{back=behind}}\n");
    std::fs::write(&path, text).unwrap();
    let table = crate::open(&format!("memcache:{}", path.display()), &Environment::default()).unwrap();
    for (key, expected) in [("hit", Some("a\nbcd")), ("back", Some("behind")), ("miss", None)] {
        let found = table.lookup(key.as_bytes()).block().unwrap();
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{key}");
    }
}

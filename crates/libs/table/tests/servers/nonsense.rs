//! Servers that are none: whatever they say is a temporary error.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::running::{Place, expect_trouble};

/// Says the same to whoever connects.
fn serve(text: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The client may be gone before it has heard everything.
            let _ = stream.write_all(text);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0; 1000]);
        }
    });
    port
}

#[test]
fn nonsense_is_never_not_found() {
    let login = "user = u\npassword = p\ndbname = d\nquery = GET %s\n";
    let types = [
        (
            "ldap",
            cfg!(feature = "ldap"),
            "server_host = 127.0.0.1:PORT\nversion = 3\nsearch_base = x\nquery_filter = a=%s\n",
        ),
        ("memcache", true, "memcache = inet:127.0.0.1:PORT\nmax_try = 1\n"),
        (
            "mongodb",
            cfg!(feature = "mongodb"),
            "uri = mongodb://127.0.0.1:PORT\ncollection = c\nquery_filter = {\"a\": \"%s\"}\nresult_attribute = b\n",
        ),
        ("mysql", cfg!(feature = "mysql"), "hosts = 127.0.0.1:PORT\n"),
        ("pgsql", cfg!(feature = "pgsql"), "hosts = 127.0.0.1:PORT\n"),
        ("redis", cfg!(feature = "redis"), "hosts = 127.0.0.1:PORT\n"),
    ];
    let place = Place::new();
    for text in [
        &b""[..],
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        &[0; 5000],
        &[0xff; 5000],
        b"N",
        b"+OK\r\n",
        b"0\x84\xff\xff\xff\xff",
        b"\x1a\0\0\0\0\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x05\0\0\0\0",
    ] {
        let port = serve(text).to_string();
        for (kind, _, parameters) in types.iter().filter(|(_, is_there, _)| *is_there) {
            let parameters = parameters.replace("PORT", &port);
            let table = place.table(kind, &format!("{parameters}{login}"));
            expect_trouble(&*table, "key");
        }
    }
}

//! `redis:`.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::running::{Place, Running, expect, expect_trouble, free_port, has_peer};

const SERVER: &str = "/usr/bin/redis-server";

fn start(place: &Place, port: u16) -> Running {
    let (port, socket) = (port.to_string(), place.text("socket"));
    let arguments =
        ["--port", &port, "--bind", "127.0.0.1", "--unixsocket", &socket, "--save", "", "--requirepass", "secret"];
    place.start(SERVER, &arguments, || TcpStream::connect(format!("127.0.0.1:{port}")).is_ok())
}

fn fill(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let commands = "AUTH secret\r\nSELECT 3\r\nSET user@b.example value\r\nSADD list:b.example one two\r\n\
                    SET \"it's \\\"so\\\" %s\" quoted\r\nHSET names a@b.example x@y.example\r\nSET empty \"\"\r\n";
    for command in commands.split_inclusive('\n') {
        stream.write_all(command.as_bytes()).unwrap();
        let mut answer = [0; 100];
        let length = stream.read(&mut answer).unwrap();
        assert_ne!(answer[0], b'-', "{command} {}", String::from_utf8_lossy(&answer[..length]));
    }
}

#[test]
fn redis_answers() {
    if !has_peer("redis_answers", SERVER) {
        return;
    }
    let (place, port, dead) = (Place::new(), free_port(), free_port());
    let server = start(&place, port);
    fill(port);
    let login = "password = secret\ndbname = 3\nretry_interval = 0\n";
    let hosts = format!("hosts = inet:127.0.0.1:{dead}, inet:127.0.0.1:{port}\n{login}");
    let table = place.table("redis", &hosts);
    for _ in 0..4 {
        expect(&*table, "user@b.example", Some("value"));
    }
    expect(&*table, "nobody@b.example", None);
    expect(&*table, "empty", None);
    expect(&*table, "it's \"so\" %s", Some("quoted"));
    expect(&*table, "x\r\nSET user@b.example changed", None);
    expect(&*table, "user@b.example", Some("value"));

    let local = format!("hosts = unix:{}\n{login}", place.text("socket"));
    let lists = place.table("redis", &format!("{local}query = SMEMBERS list:%d\nresult_format = %s@%D\n"));
    let members = crate::running::find(&*lists, "all@b.example").unwrap().unwrap();
    let mut members: Vec<_> = members.split(',').collect();
    members.sort_unstable();
    assert_eq!(members, ["one@b.example", "two@b.example"]);
    let short = place.table("redis", &format!("{local}query = SMEMBERS list:%d\nexpansion_limit = 1\n"));
    expect_trouble(&*short, "all@b.example");
    let hashes = place.table("redis", &format!("{local}query = HGET names %s\ndomain = b.example\n"));
    expect(&*hashes, "a@b.example", Some("x@y.example"));
    expect(&*hashes, "a@c.example", None);
    let wrong = place.table("redis", &format!("{local}query = SMEMBERS %s\n"));
    expect_trouble(&*wrong, "user@b.example");
    let refused = place.table("redis", &local.replace("secret", "guess"));
    expect_trouble(&*refused, "user@b.example");

    server.stop();
    expect_trouble(&*table, "user@b.example");
    let _server = start(&place, port);
    fill(port);
    expect(&*table, "user@b.example", Some("value"));
}

//! `mysql:`.

use std::os::unix::net::UnixStream;

use crate::running::{Place, Running, expect, expect_trouble, free_port, has_peer};

const SERVER: &str = "/usr/sbin/mariadbd";

const SCHEMA: &str = r#"
CREATE USER reader IDENTIFIED BY 'se''cret';
CREATE USER nobody_knows@localhost IDENTIFIED BY '';
CREATE DATABASE mail CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
GRANT ALL ON mail.* TO reader;
USE mail;
CREATE TABLE names (name varchar(200), value varchar(200), other varchar(200));
INSERT INTO names VALUES ('one', '1', NULL), ('two', '1', '2'), ('two', '3', NULL), ('o''neil', 'quoted', NULL),
    ('back\\slash', 'slashed', NULL), ('"so"', 'double', NULL), ('a@b.example', 'x', NULL), ('empty', '', NULL),
    ('null', NULL, NULL), ('müller', 'ümlaut', NULL), ('100%', 'percent', NULL), ('line\nend', 'folded', NULL);
CREATE PROCEDURE ask(IN wanted varchar(200)) SELECT value FROM names WHERE name = wanted;
DELIMITER //
CREATE PROCEDURE nothing(IN wanted varchar(200)) BEGIN DECLARE x INT; SET x = 1; END //
CREATE PROCEDURE much(IN wanted varchar(200)) BEGIN SELECT 1; SELECT 2; END //
DELIMITER ;
"#;

/// Keys, and what the table has for them.
const KEYS: [(&str, Option<&str>); 14] = [
    ("one", Some("1")),
    ("two", Some("1,2,3")),
    ("none", None),
    ("o'neil", Some("quoted")),
    ("back\\slash", Some("slashed")),
    ("\"so\"", Some("double")),
    ("line\nend", Some("folded")),
    ("MÜLLER", Some("ümlaut")),
    ("100%", Some("percent")),
    ("empty", None),
    ("null", None),
    ("x' OR '1'='1", None),
    ("x\\' OR 1=1 -- ", None),
    ("x'; DROP TABLE names; -- ", None),
];

fn start(place: &Place, port: u16, more: &[&str]) -> Running {
    let (data, socket, port) = (place.text("data"), place.text("socket"), port.to_string());
    let [data, path, port] = [format!("--datadir={data}"), format!("--socket={socket}"), format!("--port={port}")];
    let pid = format!("--pid-file={}", place.text("pid"));
    let mut arguments =
        vec!["--no-defaults", &data, &path, &port, &pid, "--bind-address=127.0.0.1", "--skip-name-resolve"];
    arguments.extend(more);
    place.start(SERVER, &arguments, || UnixStream::connect(&socket).is_ok())
}

fn made() -> Place {
    let place = Place::new();
    let data = format!("--datadir={}", place.text("data"));
    let install = ["--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"];
    place.run("/usr/bin/mariadb-install-db", &install);
    let server = start(&place, free_port(), &["--skip-networking"]);
    let schema = place.write("schema.sql", SCHEMA);
    let socket = format!("--socket={}", place.text("socket"));
    let source = format!("source {schema}");
    place.run(
        "/usr/bin/mariadb",
        &["--no-defaults", &socket, "-u", "root", "--default-character-set=utf8mb4", "-e", &source],
    );
    server.stop();
    place
}

#[test]
fn mariadb_answers() {
    if !has_peer("mariadb_answers", SERVER) {
        return;
    }
    let (place, port, dead) = (made(), free_port(), free_port());
    let server = start(&place, port, &[]);
    let login = "user = reader\npassword = se'cret\ndbname = mail\nretry_interval = 0\n";
    let query = "query = SELECT value, other FROM names WHERE name = '%s'\n";
    let here = format!("hosts = inet:127.0.0.1:{port}\n");
    let both = place.table("mysql", &format!("hosts = 127.0.0.1:{dead} 127.0.0.1:{port}\n{login}{query}"));
    for (key, value) in KEYS {
        expect(&*both, key, value);
    }
    let double = place.table("mysql", &format!("{here}{login}{}", query.replace('\'', "\"")));
    expect(&*double, "\"so\"", Some("double"));
    expect(&*double, "x\" OR \"1\"=\"1", None);
    let wrong = place.table("mysql", &format!("{here}{}{query}", login.replace("cret", "guess")));
    expect_trouble(&*wrong, "one");
    let broken = place.table("mysql", &format!("{here}{login}query = SELECT x FROM nowhere\n"));
    expect_trouble(&*broken, "one");
    let two = place.table("mysql", &format!("{here}{login}query = SELECT 1; SELECT 2\n"));
    expect_trouble(&*two, "one");
    let limited = place.table("mysql", &format!("{here}{login}{query}expansion_limit = 2\n"));
    expect(&*limited, "one", Some("1"));
    expect_trouble(&*limited, "two");
    let options = place.write("my.cnf", &format!("[mail]\nsocket={}\nuser=nobody_knows\n", place.text("socket")));
    let denied = format!("hosts = localhost\noption_file = {options}\noption_group = mail\ndbname = mail\n{query}");
    expect_trouble(&*place.table("mysql", &denied), "one");
    let fields = "select_field = value\ntable = names\nwhere_field = name\nadditional_conditions = AND other IS NULL\n";
    let format = "domain = b.example\nresult_format = %s@%D\ncharset = latin1\n";
    let local = denied.replace(query, "").replace("dbname", "user = reader\npassword = se'cret\ndbname");
    let legacy = place.table("mysql", &format!("{local}{fields}{format}"));
    expect(&*legacy, "a@b.example", Some("x@b.example"));
    expect(&*legacy, "one", None);

    server.stop();
    expect_trouble(&*both, "one");
    expect_trouble(&*both, "none");
    let _server = start(&place, port, &["--sql-mode=NO_BACKSLASH_ESCAPES"]);
    for (key, value) in KEYS {
        expect(&*both, key, value);
    }
    let procedures = |name: &str, more: &str| {
        let text = format!("{here}{login}query = CALL {name}('%s')\n{more}");
        place.table("mysql", &text)
    };
    expect(&*procedures("ask", ""), "two", Some("1,3"));
    expect(&*procedures("ask", ""), "none", None);
    expect_trouble(&*procedures("nothing", ""), "one");
    expect(&*procedures("nothing", "require_result_set = no\n"), "one", None);
    expect_trouble(&*procedures("much", ""), "one");
}

#[test]
fn mariadb_is_encrypted_as_wanted() {
    if !has_peer("mariadb_is_encrypted_as_wanted", SERVER) {
        return;
    }
    let (place, port) = (made(), free_port());
    place.certificate();
    let [cert, key] = ["cert", "key"].map(|name| format!("--ssl-{name}={}", place.text(&format!("{name}.pem"))));
    let server = start(&place, port, &[&cert, &key]);
    let table = |more: &str| {
        let login = format!("hosts = 127.0.0.1:{port}\nuser = reader\npassword = se'cret\ndbname = mail\n");
        let query = "query = SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS \
                     WHERE VARIABLE_NAME = 'Ssl_cipher' AND '%s' <> ''\n";
        place.table("mysql", &format!("{login}{query}{more}"))
    };
    let authority = format!("tls_CAfile = {}\n", place.text("cert.pem"));
    expect(&*table(""), "x", Some("0"));
    expect(&*table(&authority), "x", Some("1"));
    expect_trouble(&*table(&format!("{authority}tls_verify_cert = yes\n")), "x");
    server.stop();
    let _server = start(&place, port, &[]);
    expect_trouble(&*table(&authority), "x");
}

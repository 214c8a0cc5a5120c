//! `pgsql:`.

use std::process::Command;

use crate::running::{Place, Running, expect, expect_trouble, free_port, has_peer};

/// The folder of the newest version that is installed.
fn programs() -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|entry| entry.path()).filter(|path| path.join("bin/postgres").exists()).max();
    newest.map_or_else(|| "/usr/lib/postgresql/bin".to_owned(), |path| path.join("bin").display().to_string())
}

fn start(place: &Place, port: u16) -> Running {
    let (programs, port, folder) = (programs(), port.to_string(), place.text(""));
    let data = place.text("data");
    let arguments = ["-D", &data, "-p", &port, "-k", &folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"];
    let is_ready = || {
        let ready = Command::new(format!("{programs}/pg_isready")).args(["-q", "-h", &folder, "-p", &port]).status();
        ready.unwrap().success()
    };
    place.start(&format!("{programs}/postgres"), &arguments, is_ready)
}

const SCHEMA: &str = r"
CREATE ROLE scram LOGIN PASSWORD 'se''cret';
SET password_encryption = 'md5';
CREATE ROLE old LOGIN PASSWORD 'secret';
CREATE ROLE plain LOGIN PASSWORD 'secret';
CREATE DATABASE mail;
\c mail
CREATE TABLE names (name text, value text, other text);
INSERT INTO names VALUES ('one', '1', NULL), ('two', '1', '2'), ('two', '3', NULL), ('o''neil', 'quoted', NULL),
    ('back\slash', 'slashed', NULL), ('a@b.example', 'x', NULL), ('empty', '', NULL), ('null', NULL, NULL),
    ('müller', 'ümlaut', NULL), ('100%', 'percent', NULL);
GRANT SELECT ON names TO PUBLIC;
CREATE FUNCTION upper_name(text) RETURNS SETOF text AS 'SELECT value FROM names WHERE name = $1' LANGUAGE sql;
";

fn made() -> Place {
    let place = Place::new();
    let (programs, data) = (programs(), place.text("data"));
    place.run(
        &format!("{programs}/initdb"),
        &["-D", &data, "-U", "boss", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"],
    );
    let schema = place.write("schema.sql", SCHEMA);
    let port = free_port();
    let server = start(&place, port);
    let (folder, port) = (place.text(""), port.to_string());
    let arguments =
        ["-q", "-v", "ON_ERROR_STOP=1", "-h", &folder, "-p", &port, "-U", "boss", "-f", &schema, "postgres"];
    place.run(&format!("{programs}/psql"), &arguments);
    server.stop();
    place.write(
        "data/pg_hba.conf",
        "host all scram 127.0.0.1/32 scram-sha-256\nhost all old 127.0.0.1/32 md5\nhost all plain 127.0.0.1/32 password\n\
         local all all trust\n",
    );
    place
}

#[test]
fn postgres_answers() {
    if !has_peer("postgres_answers", &format!("{}/postgres", programs())) {
        return;
    }
    let (place, port, dead) = (made(), free_port(), free_port());
    let server = start(&place, port);
    let login = "user = scram\npassword = se'cret\ndbname = mail\nretry_interval = 0\n";
    let query = "query = SELECT value, other FROM names WHERE name = '%s'\n";
    let here = format!("hosts = inet:127.0.0.1:{port}\n");
    let both = place.table("pgsql", &format!("hosts = 127.0.0.1:{dead} 127.0.0.1:{port}\n{login}{query}"));
    for (key, value) in [
        ("one", Some("1")),
        ("two", Some("1,2,3")),
        ("none", None),
        ("o'neil", Some("quoted")),
        ("back\\slash", Some("slashed")),
        ("MÜLLER", Some("ümlaut")),
        ("100%", Some("percent")),
        ("empty", None),
        ("null", None),
        ("x' OR '1'='1", None),
        ("x\\' OR 1=1 --", None),
        ("x'; DROP TABLE names; --", None),
    ] {
        expect(&*both, key, value);
    }
    for user in ["old", "plain"] {
        let login = format!("{here}user = {user}\npassword = secret\ndbname = mail\n{query}");
        expect(&*place.table("pgsql", &login), "one", Some("1"));
    }
    let wrong = place.table("pgsql", &format!("{here}user = scram\npassword = guess\ndbname = mail\n{query}"));
    expect_trouble(&*wrong, "one");
    let broken = place.table("pgsql", &format!("{here}{login}query = SELECT x FROM nowhere\n"));
    expect_trouble(&*broken, "one");
    let limited = place.table("pgsql", &format!("{here}{login}{query}expansion_limit = 2\n"));
    expect(&*limited, "one", Some("1"));
    expect_trouble(&*limited, "two");
    let function = place.table("pgsql", &format!("{here}{login}select_function = upper_name\n"));
    expect(&*function, "two", Some("1,3"));
    let uri = format!("hosts = postgresql://scram:se%27cret@127.0.0.1:{port}/mail?sslmode=disable\n");
    let fields = "select_field = value\ntable = names\nwhere_field = name\nadditional_conditions = AND other IS NULL\n";
    let format = "domain = b.example\nresult_format = %s@%D\n";
    let legacy = place.table("pgsql", &format!("{uri}{fields}{format}"));
    expect(&*legacy, "a@b.example", Some("x@b.example"));
    expect(&*legacy, "one", None);
    let escaping = format!("hosts = postgresql:///?host={}&port={port}\n", place.text(""));
    let local = place.table("pgsql", &format!("{escaping}user = boss\ndbname = mail\n{query}"));
    expect(&*local, "back\\slash", Some("slashed"));

    server.stop();
    expect_trouble(&*both, "one");
    expect_trouble(&*both, "none");
    let _server = start(&place, port);
    expect(&*both, "one", Some("1"));
    expect(&*both, "none", None);
}

#[test]
fn postgres_is_encrypted_as_wanted() {
    if !has_peer("postgres_is_encrypted_as_wanted", &format!("{}/postgres", programs())) {
        return;
    }
    let (place, port) = (made(), free_port());
    place.certificate();
    let configuration = std::fs::read_to_string(place.path("data/postgresql.conf")).unwrap();
    let here = place.text("");
    let tls = format!("ssl = on\nssl_cert_file = '{here}cert.pem'\nssl_key_file = '{here}key.pem'\n");
    place.write("data/postgresql.conf", &format!("{configuration}\n{tls}"));
    let server = start(&place, port);
    let ask = |options: &str| {
        let uri = format!("hosts = postgresql://scram:se%27cret@127.0.0.1:{port}/mail{options}\n");
        place.table("pgsql", &format!("{uri}query = SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid() -- %s\n"))
    };
    expect(&*ask(""), "x", Some("t"));
    expect(&*ask("?sslmode=disable"), "x", Some("f"));
    expect(&*ask("?sslmode=require"), "x", Some("t"));
    expect(&*ask(&format!("?sslmode=verify-ca&sslrootcert={here}cert.pem")), "x", Some("t"));
    expect_trouble(&*ask(&format!("?sslmode=verify-full&sslrootcert={here}cert.pem")), "x");
    server.stop();
    place.write("data/postgresql.conf", &configuration);
    let _server = start(&place, port);
    expect(&*ask(""), "x", Some("f"));
    expect_trouble(&*ask("?sslmode=require"), "x");
}

#[test]
fn old_quoting_is_known_and_obeyed() {
    if !has_peer("old_quoting_is_known_and_obeyed", &format!("{}/postgres", programs())) {
        return;
    }
    let (place, port) = (made(), free_port());
    let configuration = std::fs::read_to_string(place.path("data/postgresql.conf")).unwrap();
    place.write("data/postgresql.conf", &format!("{configuration}\nstandard_conforming_strings = off\n"));
    let _server = start(&place, port);
    let table = place.table(
        "pgsql",
        &format!(
            "hosts = 127.0.0.1:{port}\nuser = old\npassword = secret\ndbname = mail\nquery = SELECT value FROM names WHERE name = '%s'\n"
        ),
    );
    expect(&*table, "back\\slash", Some("slashed"));
    expect(&*table, "x\\' OR 1=1 --", None);
    expect(&*table, "o'neil", Some("quoted"));
}

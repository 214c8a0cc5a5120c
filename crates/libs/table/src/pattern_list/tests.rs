//! Tests of pattern lists.
use super::*;

fn list(items: &str, parents: Parents) -> PatternList {
    PatternList::open("test_list", &[items], parents, &Environment::default())
}

#[test]
fn domains_match_by_style() {
    for (items, parents, name, expected) in [
        ("example.com", Parents::Plain, "host.Example.com", true),
        ("example.com", Parents::Dotted, "host.example.com", false),
        (".example.com", Parents::Dotted, "host.example.com", true),
        (".example.com", Parents::Dotted, "example.com", false),
        (".example.com", Parents::Plain, "host.example.com", false),
        ("example.com", Parents::Plain, "badexample.com", false),
        ("!a.example.com, .example.com", Parents::Dotted, "a.example.com", false),
        ("inline:{example.com=x}", Parents::Plain, "a.b.example.com", true),
        ("inline:{.example.com=x}", Parents::Dotted, "a.b.example.com", true),
        ("inline:{example.com=x}", Parents::Dotted, "a.example.com", false),
        ("static:x", Parents::Dotted, "any", true),
        ("!static:x any", Parents::Dotted, "any", false),
    ] {
        let found = crate::block_on(list(items, parents).matches_domain(name.as_bytes()));
        assert_eq!(found, Ok(expected), "{items} {name}");
    }
}

#[test]
fn clients_match_by_name_or_network() {
    for (items, name, address, expected) in [
        ("127.0.0.0/8 [::1]/128", "localhost", "127.0.0.2", Ok(true)),
        ("127.0.0.0/8 [::1]/128", "localhost", "::1", Ok(true)),
        ("[::1]", "x", "::1", Ok(true)),
        ("::1", "x", "::1", Ok(true)),
        ("2001:db8::/32", "x", "2001:db8::5", Ok(true)),
        ("10.0.0.0/8", "x", "::1", Ok(false)),
        ("!10.0.0.1 10.0.0.0/8", "x", "10.0.0.1", Ok(false)),
        ("!10.0.0.1 10.0.0.0/8", "x", "10.0.0.2", Ok(true)),
        ("10.0.0.1/8", "x", "10.0.0.2", Err(())),
        ("10.0.0.1/8", "x", "::1", Ok(false)),
        ("10.0.0.0/x", "x", "10.0.0.2", Err(())),
        ("[::1]/129", "x", "::1", Err(())),
        ("[::1]/128x", "x", "::1", Ok(false)),
        ("host.example", "host.example", "10.0.0.2", Ok(true)),
        ("cidr:{{10.0.0.0/8 yes}}", "x", "10.0.0.2", Ok(true)),
        ("texthash:/nonexistent", "x", "10.0.0.2", Err(())),
        ("/nonexistent", "x", "10.0.0.2", Err(())),
    ] {
        let list = list(items, Parents::Dotted);
        let found = crate::block_on(list.matches_client(name.as_bytes(), address)).map_err(|_| ());
        assert_eq!(found, expected, "{items} {address}");
    }
}

#[test]
fn files_are_read_in_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("list");
    std::fs::write(&path, "# comment\none, two\n!three\n").unwrap();
    let plain = list(path.to_str().unwrap(), Parents::Dotted);
    let negated = list(&format!("!{} three", path.display()), Parents::Dotted);
    for (name, in_plain, in_negated) in [("one", true, false), ("two", true, false), ("three", false, true)] {
        assert_eq!(crate::block_on(plain.matches_string(name.as_bytes())), Ok(in_plain));
        assert_eq!(crate::block_on(negated.matches_string(name.as_bytes())), Ok(in_negated));
    }
    assert!(!plain.changed());
    std::fs::remove_file(&path).unwrap();
    assert!(plain.changed());
}

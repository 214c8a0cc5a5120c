//! Resolving with parameters as an administrator writes them.

use ipc::rewrite::{Class, Fault, Resolved, Scope};

use super::*;

/// An engine for a host of the usual names.
fn engine(main: &str) -> Engine {
    let text = format!(
        "compatibility_level = 3.6\nmyhostname = mail.example.test\nmydomain = example.test\n\
         mydestination = $myhostname, localhost, example.test\nrelay_domains =\n{main}\n"
    );
    let source = config::Source::parse(std::path::Path::new("/etc/postfix"), &text).unwrap();
    let params = source.get::<Params>().unwrap();
    Engine::open(&params, &source, &table::Environment::of(&source))
}

fn resolve(engine: &Engine, sender: &str, address: impl AsRef<[u8]>) -> Resolved {
    let request = Request::RewriteAndResolve {
        context: Context::Local,
        sender: Bytes::copy_from_slice(sender.as_bytes()),
        address: Bytes::copy_from_slice(address.as_ref()),
    };
    match table::block_on(engine.answer(request)) {
        Reply::Resolved(resolved) => resolved,
        other @ (Reply::Rewritten(_) | Reply::Failed) => panic!("{other:?}"),
    }
}

/// `transport:nexthop recipient`.
fn route(engine: &Engine, address: &str) -> String {
    let found = resolve(engine, "sender@example.net", address);
    if found.fault != Fault::None {
        return "malformed".to_owned();
    }
    format!("{}:{} {}", found.transport, found.nexthop, String::from_utf8_lossy(&found.recipient))
}

#[test]
fn classes_have_transports() {
    let engine = engine(
        "relay_domains = relay.example\nvirtual_mailbox_domains = box.example\nvirtual_alias_domains = alias.example\n\
         default_transport = smtp:[hub.example]\n",
    );
    for (address, expected, class) in [
        ("user", "local:mail.example.test user@mail.example.test", Class::Local),
        ("user@Example.TEST", "local:mail.example.test user@Example.TEST", Class::Local),
        ("user@relay.example", "relay:relay.example user@relay.example", Class::Relay),
        ("user@sub.relay.example", "relay:sub.relay.example user@sub.relay.example", Class::Relay),
        ("user@box.example", "virtual:box.example user@box.example", Class::VirtualMailbox),
        (
            "user@alias.example",
            "error:5.1.1 User unknown in virtual alias table user@alias.example",
            Class::VirtualAlias,
        ),
        ("user@Example.ORG", "smtp:[hub.example] user@Example.ORG", Class::Default),
    ] {
        assert_eq!(route(&engine, address), expected);
        assert_eq!(resolve(&engine, "", address).class, class, "{address}");
    }
}

#[test]
fn our_own_domains_are_peeled_off() {
    let engine = engine("");
    for (address, expected) in [
        ("three%example.net@mail.example.test", "smtp:example.net three@example.net"),
        ("a@example.net@localhost", "smtp:example.net a@example.net"),
        ("example.net!four@localhost", "smtp:example.net four@example.net"),
        ("user%localhost@example.test", "local:mail.example.test user@localhost"),
        ("user@localhost", "local:mail.example.test user@localhost"),
        ("se ven@example.net", "smtp:example.net se ven@example.net"),
        ("", "local:mail.example.test MAILER-DAEMON@mail.example.test"),
        ("@example.test", "local:mail.example.test MAILER-DAEMON@example.test"),
        ("%example.net@example.test", "smtp:example.net @example.net"),
    ] {
        assert_eq!(route(&engine, address), expected, "{address}");
    }
}

#[test]
fn addresses_are_utf8_where_that_is_enabled() {
    let fault = |main: &str, address: &[u8]| resolve(&engine(main), "", address).fault;
    for address in
        [&b"j\xfcrgen@example.org"[..], b"j\xfcrgen", b"a\xc3@example.test", b"j\xfcrgen%example.org@example.test"]
    {
        assert_eq!(fault("", address), Fault::Malformed, "{}", address.escape_ascii());
        assert_eq!(fault("smtputf8_enable = no", address), Fault::None, "{}", address.escape_ascii());
    }
    assert_eq!(fault("", "j\u{fc}rgen@example.org".as_bytes()), Fault::None);
    assert_eq!(fault("", b"j\xfcrgen@[127.0.0.1]"), Fault::None);
}

#[test]
fn impossible_domains_are_malformed() {
    let strict = engine("");
    for address in ["user@1.2.3.4", "user@", "user@-x.example", "user@[1.2.3", "user@a..b", "user@[1.2.3.4.5]", "@"] {
        assert_eq!(route(&strict, address), "malformed", "{address}");
    }
    let lax = engine("resolve_numeric_domain = yes\nresolve_null_domain = yes\n");
    assert_eq!(route(&lax, "user@192.0.2.1"), "smtp:[192.0.2.1] user@[192.0.2.1]");
    assert_eq!(route(&lax, "user@127.0.0.1"), "local:mail.example.test user@[127.0.0.1]");
    assert_eq!(route(&lax, "user@"), "local:mail.example.test user@mail.example.test");
    assert_eq!(route(&lax, "user%@example.test"), "local:mail.example.test user@example.test");
    // Before a domain of nothing there may be one.
    for (address, expected) in [
        ("user@example.org@", "smtp:example.org user@example.org"),
        ("a%example.org@", "smtp:example.org a@example.org"),
    ] {
        assert_eq!(route(&strict, address), expected, "{address}");
    }
}

#[test]
fn without_a_domain_mail_is_local_only_where_this_host_is() {
    let engine = engine("mydestination =\nappend_at_myorigin = no\nresolve_null_domain = yes\n");
    for address in ["user", "user@"] {
        assert_eq!(route(&engine, address), "smtp:mail.example.test user@mail.example.test", "{address}");
    }
}

#[test]
fn the_next_hop_is_the_domain_as_written() {
    assert_eq!(route(&engine(""), "a@Example.ORG"), "smtp:Example.ORG a@Example.ORG");
    assert_eq!(route(&engine(""), "a@[IPv6:2001:DB8::1]"), "smtp:[IPv6:2001:DB8::1] a@[IPv6:2001:DB8::1]");
}

#[test]
fn transport_tables_override() {
    let engine = engine(
        "recipient_delimiter = +\nrelayhost = [relay.example]\ntransport_maps = inline:{\
         {example.org = smtp:[a]}, {.example.org = smtp:}, {u+x@example.org = lmtp:unix:/x}, {u@example.org = :[c]},\
         {example.test = :}, {none.example = error:5.7.9 go away},\
         {never.example = error:}, {later.example = retry}}\n",
    );
    for (address, expected) in [
        ("a@example.org", "smtp:[a] a@example.org"),
        ("a@deep.sub.example.org", "smtp:deep.sub.example.org a@deep.sub.example.org"),
        ("u+x@example.org", "lmtp:unix:/x u+x@example.org"),
        ("u+y@example.org", "smtp:[c] u+y@example.org"),
        ("a@example.test", "local:mail.example.test a@example.test"),
        ("a@none.example", "error:5.7.9 go away a@none.example"),
        ("a@never.example", "error:Address is undeliverable a@never.example"),
        ("a@later.example", "retry:Address is undeliverable a@later.example"),
        ("a@example.com", "smtp:[relay.example] a@example.com"),
    ] {
        assert_eq!(route(&engine, address), expected, "{address}");
    }
}

#[test]
fn a_star_matches_the_rest() {
    let engine = engine("relayhost = [relay.example]\ntransport_maps = inline:{{* = smtp:[a]}, {example.org = :}}\n");
    assert_eq!(route(&engine, "a@example.net"), "smtp:[a] a@example.net");
    assert_eq!(route(&engine, "a@example.org"), "smtp:[relay.example] a@example.org");
}

#[test]
fn senders_have_relay_hosts_and_transports() {
    let engine = engine(
        "relayhost = [rest]\nsender_dependent_relayhost_maps = inline:{\
         {me@example.org = [person]}, {@example.org = [domain]}, {@dunno.example = DUNNO}, {<> = [null]}}\n\
         sender_dependent_default_transport_maps = inline:{{@special.example = special:[s]}}\n",
    );
    for (sender, expected) in [
        ("me@example.org", "smtp:[person]"),
        ("you@example.org", "smtp:[domain]"),
        ("me@dunno.example", "smtp:[rest]"),
        ("x@example.net", "smtp:[rest]"),
        ("x@special.example", "special:[s]"),
        ("", "smtp:[null]"),
    ] {
        let found = resolve(&engine, sender, "user@example.com");
        assert_eq!(format!("{}:{}", found.transport, found.nexthop), expected, "{sender}");
    }
}

#[test]
fn relocated_users_bounce() {
    let engine = engine("relocated_maps = inline:{{carol = new@example.org}}\n");
    assert_eq!(
        route(&engine, "carol@example.test"),
        "error:5.1.6 User has moved to new@example.org carol@example.test"
    );
}

#[test]
fn the_scope_is_the_domain_where_no_table_looks_at_the_user() {
    let plain = engine("");
    for (address, scope) in [
        ("user@example.com", Scope::Domain),
        ("user%x@example.com", Scope::Address),
        ("user%example.com@localhost", Scope::Address),
        ("user", Scope::Domain),
    ] {
        assert_eq!(resolve(&plain, "", address).scope, scope, "{address}");
    }
    assert!(resolve(&plain, "", "user%x@example.com").routed);
    let by_user = engine("transport_maps = inline:{{u@example.org = smtp:[a]}}\n");
    assert_eq!(resolve(&by_user, "", "user@example.com").scope, Scope::Address);
}

#[test]
fn a_broken_table_means_later() {
    let engine = engine("transport_maps = fail:x\n");
    let request = Request::Resolve {
        purpose: Purpose::Deliver,
        sender: Bytes::new(),
        address: Bytes::from_static(b"user@example.com"),
    };
    assert_eq!(table::block_on(engine.answer(request)), Reply::Failed);
}

#[test]
fn a_list_that_fails_does_not_matter_where_another_has_the_domain() {
    let engine = engine("relay_domains = fail:x\nvirtual_mailbox_domains = boxes.test\n");
    assert_eq!(resolve(&engine, "", "user@boxes.test").class, Class::VirtualMailbox);
    assert_eq!(resolve(&engine, "", "user@example.test").class, Class::Local);
}

#[test]
fn remote_headers_are_rewritten_only_if_asked_for() {
    let rewrite = |engine: &Engine, address: &'static str| {
        let request = Request::Rewrite { context: Context::Remote, address: Bytes::from_static(address.as_bytes()) };
        match table::block_on(engine.answer(request)) {
            Reply::Rewritten(address) => String::from_utf8_lossy(&address).into_owned(),
            other @ (Reply::Resolved(_) | Reply::Failed) => panic!("{other:?}"),
        }
    };
    assert_eq!(rewrite(&engine(""), "user"), "user");
    let set = engine("remote_header_rewrite_domain = domain.invalid\nappend_dot_mydomain = yes\n");
    assert_eq!(rewrite(&set, "user"), "user@domain.invalid");
    assert_eq!(rewrite(&set, "user@host"), "user@host.domain.invalid");
}

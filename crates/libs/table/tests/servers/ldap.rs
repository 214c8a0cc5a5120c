//! `ldap:`.

use std::net::TcpStream;

use crate::running::{Place, Running, expect, expect_trouble, free_port, has_peer};

const SERVER: &str = "/usr/sbin/slapd";

fn configuration(place: &Place) -> String {
    let here = place.text("");
    format!(
        "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
         TLSCertificateFile {here}cert.pem\nTLSCertificateKeyFile {here}key.pem\npidfile {here}pid\n\
         database mdb\nsuffix dc=example\nrootdn cn=boss,dc=example\nrootpw secret\ndirectory {here}data\n\
         access to dn.subtree=ou=guarded,dc=example by users read by * none\naccess to * by * read\n"
    )
}

const ENTRIES: &str = r"
dn: dc=example
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=guarded,dc=example
objectClass: organizationalUnit
ou: guarded

dn: cn=one,dc=example
objectClass: inetOrgPerson
cn: one
sn: 1
mail: one@b.example

dn: cn=two (2)*,dc=example
objectClass: inetOrgPerson
cn: two (2)*
sn: 2
mail: two@b.example
mail: zwei@b.example

dn: cn=o\2c neil,dc=example
objectClass: inetOrgPerson
cn: o, neil
sn: 3

dn: cn=all,dc=example
objectClass: groupOfNames
objectClass: extensibleObject
cn: all
mail: all@b.example
member: cn=one,dc=example
member: cn=inner,dc=example
member: cn=gone,dc=example

dn: cn=inner,dc=example
objectClass: groupOfNames
objectClass: extensibleObject
cn: inner
member: cn=one,dc=example
labeledURI: ldap:///dc=example?mail?one?(sn=2)

dn: cn=loop,dc=example
objectClass: groupOfNames
cn: loop
member: cn=loop,dc=example

dn: cn=hidden,ou=guarded,dc=example
objectClass: inetOrgPerson
cn: hidden
sn: 4
mail: hidden@b.example
";

fn start(place: &Place, port: u16) -> Running {
    let urls = format!("ldap://127.0.0.1:{port} ldapi://{}", place.text("socket").replace('/', "%2f"));
    let conf = place.text("slapd.conf");
    place.start(SERVER, &["-f", &conf, "-h", &urls, "-d", "0"], || TcpStream::connect(("127.0.0.1", port)).is_ok())
}

fn made() -> Place {
    let place = Place::new();
    place.run("/bin/mkdir", &["data"]);
    place.certificate();
    let conf = place.write("slapd.conf", &configuration(&place));
    let entries = place.write("entries.ldif", ENTRIES);
    place.run("/usr/sbin/slapadd", &["-f", &conf, "-l", &entries]);
    place
}

#[test]
fn slapd_answers() {
    if !has_peer("slapd_answers", SERVER) {
        return;
    }
    let (place, port, dead) = (made(), free_port(), free_port());
    let server = start(&place, port);
    let search = "search_base = dc=example\nquery_filter = (cn=%s)\nresult_attribute = mail\n";
    let here = format!("server_host = 127.0.0.1\nserver_port = {port}\nversion = 3\n");
    let urls = format!("server_host = ldap://127.0.0.1:{dead} ldap://127.0.0.1:{port}\nversion = 3\n");
    let both = place.table("ldap", &format!("{urls}{search}"));
    for (key, value) in [
        ("one", Some("one@b.example")),
        ("two (2)*", Some("two@b.example,zwei@b.example")),
        ("none", None),
        ("o, neil", None),
        ("*", None),
        ("one)(cn=*", None),
        ("x)(|(cn=one)", None),
        ("hidden", None),
    ] {
        expect(&*both, key, value);
    }
    let bound = format!("{here}bind_dn = cn=boss,dc=example\nbind_pw = secret\n{search}");
    expect(&*place.table("ldap", &bound), "hidden", Some("hidden@b.example"));
    expect_trouble(&*place.table("ldap", &bound.replace("secret", "guess")), "hidden");
    // slapd does not take binds of version 2; searches without any are another thing.
    expect_trouble(&*place.table("ldap", &bound.replace("version = 3", "version = 2")), "one");
    expect(&*place.table("ldap", &format!("{here}bind = no\n{search}")), "one", Some("one@b.example"));
    expect(&*place.table("ldap", &format!("{bound}start_tls = yes\n")), "hidden", Some("hidden@b.example"));
    let verified =
        format!("{bound}start_tls = yes\ntls_require_cert = yes\ntls_ca_cert_file = {}\n", place.text("cert.pem"));
    expect_trouble(&*place.table("ldap", &verified), "one");
    let socket = place.text("socket").replace('/', "%2F");
    let external = format!("server_host = ldapi://{socket}\nversion = 3\nbind = sasl\nsasl_mechs = EXTERNAL\n{search}");
    expect(&*place.table("ldap", &external), "hidden", Some("hidden@b.example"));

    server.stop();
    expect_trouble(&*both, "one");
    expect_trouble(&*both, "none");
    let _server = start(&place, port);
    expect(&*both, "one", Some("one@b.example"));
    expect(&*both, "none", None);
}

#[test]
fn groups_of_slapd_are_expanded() {
    if !has_peer("groups_of_slapd_are_expanded", SERVER) {
        return;
    }
    let (place, port) = (made(), free_port());
    let _server = start(&place, port);
    let here = format!("server_host = 127.0.0.1:{port}\nversion = 3\nsearch_base = dc=example\nquery_filter = cn=%s\n");
    let groups = format!(
        "{here}result_attribute =\nleaf_result_attribute = mail\nspecial_result_attribute = member, labeledURI\n"
    );
    let table = place.table("ldap", &groups);
    expect(&*table, "inner", Some("one@b.example,two@b.example,zwei@b.example"));
    expect(&*table, "all", Some("one@b.example,one@b.example,two@b.example,zwei@b.example"));
    expect_trouble(&*table, "loop");
    expect_trouble(&*place.table("ldap", &format!("{groups}expansion_limit = 3\nsize_limit = 10\n")), "all");
    expect_trouble(&*place.table("ldap", &format!("{groups}recursion_limit = 1\n")), "all");
    let own = groups.replace("result_attribute =\nleaf_", "");
    expect(
        &*place.table("ldap", &own),
        "all",
        Some("all@b.example,one@b.example,one@b.example,two@b.example,zwei@b.example"),
    );
    let terminal = place.table("ldap", &format!("{own}terminal_result_attribute = mail\n"));
    expect(&*terminal, "all", Some("all@b.example"));

    let derived = here.replace("search_base = dc=example", "search_base = cn=%s,dc=example\nscope = base");
    let derived = place.table("ldap", &format!("{derived}result_attribute = sn\nresult_format = <%s>\n"));
    expect(&*derived, "o, neil", Some("<3>"));
    expect(&*derived, "one", Some("<1>"));
    expect(&*derived, "one,cn=x", None);
    let missing = place.table("ldap", &here.replace("dc=example", "dc=nowhere"));
    expect_trouble(&*missing, "one");
    let sized = here.replace("cn=%s", "(|(cn=%s)(sn=*))");
    expect_trouble(&*place.table("ldap", &format!("{sized}result_attribute = mail\nsize_limit = 1\n")), "one");
}

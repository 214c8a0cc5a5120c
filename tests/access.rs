//! Restrictions and access tables: what a client is told, and what the log says.

use anyhow::Result;
use testkit::client::Client;
use testkit::instance::{Instance, Setup};

/// Results of the sender table, by the local part of the sender.
const RESULTS: [(&str, &str); 12] = [
    ("digits", "550"),
    ("text", "550 no"),
    ("short", "55 x"),
    ("yes", "250 x"),
    ("late", "permit_mynetworks, 550 x"),
    ("ignored", "reject, foo"),
    ("lone", "reject_rbl_client"),
    ("table", "check_client_access hash:/x"),
    ("mapped", "550 5.1.1 x"),
    ("gone", "DISCARD"),
    ("prepend", "PREPEND X A: b"),
    ("both", "defer_if_permit, defer_if_reject, reject"),
];

const MISTAKE: &str = "451 4.3.5 Server configuration error";

fn setup() -> Setup {
    let results = RESULTS.map(|(sender, result)| format!("{{{sender}@a.test={result}}}"));
    Setup::new()
        .main("smtpd_client_restrictions", "warn_if_reject check_client_access fail:x")
        .main("smtpd_helo_restrictions", "check_helo_a_access inline:{{127.0.0.66=REJECT},{127.0.0.67=OK}}")
        .main("smtpd_sender_restrictions", format!("check_sender_access inline:{{{}}}", results.join(",")))
        .main("smtpd_relay_restrictions", "permit_auth_destination, reject")
        .main("smtpd_recipient_restrictions", "warn_if_reject reject_unlisted_recipient, warn_if_reject")
        .main("smtpd_log_access_permit_actions", "static:all")
        .main("canonical_maps", "pcre:{{/^nonsense(z*)@/ $$1}}")
}

/// The reply to RCPT.
fn rcpt(mail: &Instance, helo: &str, sender: &str, recipient: &str) -> Result<String> {
    let mut client = Client::connect(mail.port)?;
    client.say(&format!("EHLO {helo}"), 250)?;
    client.say(&format!("MAIL FROM:<{sender}>"), 250)?;
    client.send(format!("RCPT TO:<{recipient}>\r\n").as_bytes())?;
    let reply = client.reply()?;
    Ok(format!("{} {}", reply.code, reply.text()))
}

#[test]
fn results_of_tables_are_obeyed() -> Result<()> {
    let mail = setup().start()?;
    let user = format!("{}@mail.example.test", mail.user);
    for (sender, reply) in [
        ("digits", "250 2.1.5 Ok"),
        ("text", "550 5.7.1 <text@a.test>: Sender address rejected: no"),
        ("short", MISTAKE),
        ("yes", MISTAKE),
        ("late", "250 2.1.5 Ok"),
        ("ignored", "554 5.7.1 <ignored@a.test>: Sender address rejected: Access denied"),
        ("lone", "250 2.1.5 Ok"),
        ("table", MISTAKE),
        ("mapped", "550 5.1.7 <mapped@a.test>: Sender address rejected: x"),
        ("prepend", "250 2.1.5 Ok"),
        ("both", "450 4.7.0 <both@a.test>: Sender address rejected: defer_if_permit requested"),
    ] {
        assert_eq!(rcpt(&mail, "c.test", &format!("{sender}@a.test"), &user)?, reply, "{sender}");
    }
    assert_eq!(rcpt(&mail, "c.test", "", "nonsense@mail.example.test")?, MISTAKE);
    for words in [
        "warning: unknown smtpd restriction: \"55\"",
        "warning: restriction `foo' after `reject' is ignored",
        "warning: restriction reject_rbl_client requires domain name argument",
        "warning: do not specify lookup tables inside SMTPD access maps",
        "entry \"prepend@a.test\" requires header: text",
        "mapping DSN status 5.1.1 into Sender address status 5.1.7",
        "reject_warning: RCPT from * 451 4.3.5 <*>: Client host rejected: Server configuration error;",
        "permit: RCPT from *: action=550 for Sender address=digits@a.test from inline:{",
        "permit: RCPT from *: action=permit_mynetworks for Client host=*[127.0.0.1] ; from=<late@a.test>",
    ] {
        mail.wait("a line of the log", || {
            mail.log().lines().any(|line| testkit::dialog::matches(&format!("*{words}*"), line))
        })?;
    }
    Ok(())
}

#[test]
fn nothing_is_asked_of_what_is_discarded() -> Result<()> {
    let mail = setup().start()?;
    assert_eq!(rcpt(&mail, "c.test", "gone@a.test", "x@other.test")?, "250 2.1.5 Ok");
    let reply = rcpt(&mail, "c.test", "a@a.test", "x@other.test")?;
    assert_eq!(reply, "554 5.7.1 <x@other.test>: Recipient address rejected: Access denied");
    Ok(())
}

#[test]
fn a_filter_gets_nothing_on_the_word_of_a_discard() -> Result<()> {
    let mail = setup().main("smtpd_proxy_filter", "127.0.0.1:1").start()?;
    let reply = rcpt(&mail, "c.test", "gone@a.test", "x@other.test")?;
    assert_eq!(reply, "554 5.7.1 <x@other.test>: Recipient address rejected: Access denied");
    mail.wait_log(&["with smtpd_proxy_filter specified, action DISCARD is unavailable"], 1)?;
    Ok(())
}

#[test]
fn the_hosts_behind_a_name_let_nobody_in() -> Result<()> {
    let mail = setup().start()?;
    let user = format!("{}@mail.example.test", mail.user);
    for (helo, reply) in [
        ("127.0.0.66", "554 5.7.1 <127.0.0.66>: Helo command rejected: Access denied"),
        ("[127.0.0.66]", "554 5.7.1 <[127.0.0.66]>: Helo command rejected: Access denied"),
        ("[127.0.0.67]", MISTAKE),
        ("[127.0.0.68]", "250 2.1.5 Ok"),
    ] {
        assert_eq!(rcpt(&mail, helo, "a@a.test", &user)?, reply, "{helo}");
    }
    mail.wait_log(&["warning: restriction check_helo_a_access returns OK for [127.0.0.67]"], 1)?;
    Ok(())
}

#[test]
fn notices_have_known_recipients_and_others_need_a_user() -> Result<()> {
    let mail = setup().start()?;
    for (recipient, reply) in [
        ("postmaster@mail.example.test", "250 2.1.5 Ok"),
        ("mailer-daemon@mail.example.test", "250 2.1.5 Ok"),
        ("MAILER-DAEMON", "250 2.1.5 Ok"),
        (
            "nobody-here@mail.example.test",
            "550 5.1.1 <nobody-here@mail.example.test>: Recipient address rejected: User unknown in local recipient table",
        ),
    ] {
        assert_eq!(rcpt(&mail, "c.test", "a@a.test", recipient)?, reply, "{recipient}");
    }
    Ok(())
}

#[test]
fn the_name_of_an_address_is_checked_with_the_address() -> Result<()> {
    for (result, reply) in
        [("REJECT", "554 5.7.1 <*>: Unverified Client host rejected: Access denied"), ("OK", MISTAKE)]
    {
        let restriction = format!("check_reverse_client_hostname_access inline:{{127.0.0={result}}}");
        let mail = setup().main("smtpd_client_restrictions", restriction).start()?;
        let told = rcpt(&mail, "c.test", "a@a.test", &format!("{}@mail.example.test", mail.user))?;
        assert!(testkit::dialog::matches(reply, &told), "{told}");
    }
    Ok(())
}

#[test]
fn logins_mean_nothing_where_nobody_can_log_in() -> Result<()> {
    let mail = setup()
        .main("smtpd_sender_login_maps", "static:joe")
        .main("smtpd_sender_restrictions", "reject_known_sender_login_mismatch")
        .start()?;
    let user = format!("{}@mail.example.test", mail.user);
    assert_eq!(rcpt(&mail, "c.test", "a@a.test", &user)?, "250 2.1.5 Ok");
    let warning = "warning: restriction `reject_known_sender_login_mismatch' ignored: no SASL support";
    mail.wait_log(&[warning], 1)?;
    Ok(())
}

#[test]
fn codes_that_do_not_refuse_are_not_sent() -> Result<()> {
    let mail = setup().main("reject_code", "250").main("smtpd_sender_restrictions", "reject").start()?;
    let user = format!("{}@mail.example.test", mail.user);
    assert_eq!(rcpt(&mail, "c.test", "a@a.test", &user)?, "450 4.7.1 Service unavailable");
    let warning = "SMTP reply code configuration error: 250 5.7.1 <a@a.test>: Sender address rejected: Access denied";
    mail.wait_log(&[warning], 1)?;
    Ok(())
}

#[test]
fn an_address_that_cannot_be_verified_now_is_a_matter_of_policy() -> Result<()> {
    let mail = Setup::new()
        .main("transport_maps", "inline:{x.test=smtp:[127.0.0.1]:1}")
        .main("smtpd_relay_restrictions", "permit_mynetworks, reject")
        .main("unverified_recipient_tempfail_action", "defer")
        .main("address_verify_poll_delay", "1s")
        .main("smtpd_recipient_restrictions", "warn_if_reject reject_unverified_recipient, permit")
        .start()?;
    assert_eq!(rcpt(&mail, "c.test", "a@a.test", "b@x.test")?, "250 2.1.5 Ok");
    mail.wait_log(
        &["reject_warning: RCPT", "450 4.1.1 <b@x.test>: Recipient address rejected: unverified address"],
        1,
    )?;
    Ok(())
}

#[test]
fn unverified_addresses_may_be_taken_all_the_same() -> Result<()> {
    let mail = Setup::new()
        .main("smtpd_sender_restrictions", "reject_unverified_sender")
        .main("smtpd_recipient_restrictions", "reject_unverified_recipient")
        .main("transport_maps", "inline:{x.test=smtp:[127.0.0.1]:1}")
        .main("smtpd_reject_unlisted_recipient", "no")
        .main("unverified_recipient_reject_code", "250")
        .main("unverified_sender_defer_code", "250")
        .main("address_verify_poll_count", "1")
        .start()?;
    let nobody = |sender| rcpt(&mail, "c.test", sender, "nobody-there@mail.example.test");
    assert!(nobody("")?.starts_with("450 4.1.1"), "not verified yet");
    mail.wait_log(&["to=<nobody-there@", "status=undeliverable"], 1)?;
    assert_eq!(nobody("")?, "250 2.1.5 Ok", "undeliverable");
    assert_eq!(nobody("a@x.test")?, "250 2.1.5 Ok", "its sender is not verified yet");
    Ok(())
}

#[test]
fn an_address_exists_whatever_becomes_of_the_mail_behind_it() -> Result<()> {
    let mail = Setup::new()
        .main("smtpd_recipient_restrictions", "reject_unverified_recipient")
        .main("address_verify_map", "")
        .main("alias_maps", "inline:{{dead=nobody-there}}")
        .main("virtual_alias_maps", "inline:{{both@mail.example.test=dead,nobody-there}}")
        .start()?;
    for (name, reply) in [
        ("dead", "250 2.1.5 Ok"),
        ("both", "250 2.1.5 Ok"),
        (
            "nobody-there",
            "450 4.1.1 <nobody-there@mail.example.test>: Recipient address rejected: unverified address: unknown user: \"nobody-there\"",
        ),
    ] {
        assert_eq!(rcpt(&mail, "c.test", "a@a.test", &format!("{name}@mail.example.test"))?, reply);
    }
    mail.wait_log(&["to=<dead@", "status=deliverable (aliased to nobody-there)"], 1)?;
    mail.wait_log(&["to=<both@", "status=deliverable (aliased to multiple recipients)"], 1)?;
    Ok(())
}

#[test]
fn a_list_of_good_clients_does_not_open_the_relay() -> Result<()> {
    let mail = Setup::new()
        .main("smtpd_relay_restrictions", "")
        .main("smtpd_recipient_restrictions", "permit_dnswl_client wl.invalid, reject_unauth_destination")
        .start()?;
    assert_eq!(rcpt(&mail, "c.test", "a@a.test", "x@other.test")?, "554 5.7.1 <x@other.test>: Relay access denied");
    Ok(())
}

#[test]
fn a_table_of_recipients_that_fails_is_trouble_with_data() -> Result<()> {
    let mail = setup().main("local_recipient_maps", "fail:x").main("notify_classes", "data").start()?;
    let reply = "451 4.3.0 <a@mail.example.test>: Temporary lookup failure";
    assert_eq!(rcpt(&mail, "c.test", "x@y.test", "a@mail.example.test")?, reply);
    mail.wait_log(&["from=<double-bounce@"], 1)?;
    // Whom to write to when there is trouble.
    assert_eq!(rcpt(&mail, "c.test", "x@y.test", "postmaster@mail.example.test")?, "250 2.1.5 Ok");
    Ok(())
}

#[test]
fn each_recipient_may_have_its_own_copies() -> Result<()> {
    let mail = Setup::new()
        .main("local_recipient_maps", "")
        .main(
            "smtpd_recipient_restrictions",
            "check_recipient_access inline:{{a@mail.example.test=BCC c@mail.example.test}, \
             {b@mail.example.test=BCC d@mail.example.test}, {e@mail.example.test=BCC c@mail.example.test}}",
        )
        .main("smtpd_end_of_data_restrictions", "check_client_access static:{BCC f@mail.example.test}")
        .main("local_transport", "discard:")
        .start()?;
    let recipients = ["a", "b", "e"].map(|name| format!("{name}@mail.example.test"));
    let recipients = recipients.each_ref().map(String::as_str);
    Client::connect(mail.port)?.deliver("s@a.test", &recipients, "Subject: x\r\n\r\nx\r\n")?;
    for name in ["a", "b", "c", "d", "e", "f"] {
        let address = format!("to=<{name}@mail.example.test>");
        assert_eq!(mail.wait_log(&[&address, "status=sent"], 1)?.len(), 1, "{name}");
    }
    Ok(())
}

#[test]
fn addresses_are_verified_whatever_their_cache() -> Result<()> {
    for (map, told) in [
        ("proxy:lmdb:$data_directory/verify_cache", None),
        ("lmdb:/nonexistent/verify_cache", Some("results are kept in memory only")),
    ] {
        let mail = Setup::new()
            .main("address_verify_map", map)
            .main("smtpd_recipient_restrictions", "reject_unverified_recipient, permit_mynetworks, reject")
            .start()?;
        let mut client = Client::connect(mail.port)?;
        client.say("EHLO client.example", 250)?;
        client.say("MAIL FROM:<a@example.net>", 250)?;
        client.say(&format!("RCPT TO:<{}@mail.example.test>", mail.user), 250)?;
        if let Some(words) = told {
            mail.wait_log(&["verify[", "error: address_verify_map", words], 1)?;
        }
    }
    Ok(())
}

#[test]
fn an_address_that_becomes_another_does_not_need_its_transport() -> Result<()> {
    let transports = "inline:{{err.test=error:5.9.9 no such place},{late.test=retry:4.9.9 later}}";
    let setup = || {
        Setup::new()
            .main("transport_maps", transports)
            .main("relay_domains", "err.test late.test")
            .main("local_recipient_maps", "")
            .main("smtpd_relay_restrictions", "permit_auth_destination, reject")
    };
    let mail = setup()
        .main("virtual_alias_maps", "inline:{a@err.test=x@mail.example.test}")
        .main("canonical_maps", "inline:{a@late.test=x@mail.example.test}")
        .start()?;
    for (recipient, reply) in [
        ("a@err.test", "250 2.1.5 Ok"),
        ("a@late.test", "250 2.1.5 Ok"),
        ("b@err.test", "550 5.9.9 <b@err.test>: Recipient address rejected: no such place"),
        ("b@late.test", "450 4.9.9 <b@late.test>: Recipient address rejected: later"),
    ] {
        assert_eq!(rcpt(&mail, "c.test", "x@y.test", recipient)?, reply);
    }
    let mail = setup().main("virtual_alias_maps", "fail:x").start()?;
    let reply = "451 4.3.0 <b@err.test>: Temporary lookup failure";
    assert_eq!(rcpt(&mail, "c.test", "x@y.test", "b@err.test")?, reply);
    Ok(())
}

#[test]
fn what_is_asked_in_vain_counts_against_the_limits_of_a_client() -> Result<()> {
    let setup =
        Setup::new().main("smtpd_client_recipient_rate_limit", "1").main("smtpd_client_event_limit_exceptions", "");
    let mut mail = setup.main("smtpd_client_auth_rate_limit", "1").create()?;
    mail.start()?;
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.say("VRFY postmaster", 252)?;
    let refused = client.say("VRFY postmaster", 450)?;
    assert!(refused.text().contains("4.7.1 Error: too many recipients from 127.0.0.1"), "{}", refused.text());
    client.say("AUTH PLAIN", 503)?;
    let refused = client.say("AUTH PLAIN", 450)?;
    assert!(refused.text().contains("4.7.1 Error: too many AUTH commands from 127.0.0.1"), "{}", refused.text());
    Ok(())
}

//! Where local mail goes: aliases, lists, `.forward` files, unknown users, files and commands.

use anyhow::Result;
use std::fs;
use testkit::client::{Client, NextHop};
use testkit::instance::{Instance, Rights, Setup};

const TEXT: &str = "Subject: x\n\ntext\n";

/// An instance with these lines in its alias file, and with other files below its folder; `{root}` and `{user}` are replaced
/// in their texts and names.
fn instance(setup: Setup, aliases: &str, files: &[(&str, &str)]) -> Result<Instance> {
    let mut mail = setup
        .main("alias_maps", "texthash:{root}/etc/more")
        .main("local_recipient_maps", "")
        .main("recipient_delimiter", "+")
        .create()?;
    let (root, user) = (mail.root.display().to_string(), mail.user.clone());
    for (name, text) in files.iter().chain([&("etc/more", aliases)]) {
        let filled = |text: &str| text.replace("{root}", &root).replace("{user}", &user);
        fs::write(mail.root.join(filled(name)), filled(text))?;
    }
    mail.start()?;
    Ok(mail)
}

fn send(mail: &Instance, recipients: &[&str], parameters: &str) -> Result<()> {
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.say(&format!("MAIL FROM:<{}@mail.example.test>", mail.user), 250)?;
    for recipient in recipients {
        client.say(&format!("RCPT TO:<{recipient}@mail.example.test>{parameters}"), 250)?;
    }
    client.say("DATA", 354)?;
    client.send(format!("{}.\r\n", TEXT.replace('\n', "\r\n")).as_bytes())?;
    client.expect(250)?;
    Ok(())
}

/// Each recipient of its own message is logged with these words.
fn logged(mail: &Instance, cases: &[(&str, &[&str])]) -> Result<()> {
    for (recipient, words) in cases {
        send(mail, &[recipient], "")?;
        mail.wait_log(words, 1)?;
    }
    Ok(())
}

#[test]
fn a_sender_writes_nothing_into_commands_and_routes() -> Result<()> {
    let rules = "/^(.*)-echo$/ \"|echo $1; exit 1\"\n/^plain-echo$/ \"|exit 77\"\n";
    let mut mail = Setup::new()
        .main("alias_maps", "regexp:{root}/etc/rules")
        .main("mailbox_transport_maps", "regexp:{root}/etc/routes")
        .main("transport_maps", "pcre:{root}/etc/routes")
        .main("local_recipient_maps", "")
        .create()?;
    fs::write(mail.root.join("etc/rules"), rules)?;
    let routes =
        format!("/^(.*)@remote.example$/ error:$1\n/@remote.example$/ error:fixed\n/^({})$/ error:$1\n", mail.user);
    fs::write(mail.root.join("etc/routes"), routes)?;
    mail.start()?;
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.say("MAIL FROM:<>", 250)?;
    client.say("RCPT TO:<a@remote.example>", 550)?;
    mail.wait_log(&["NOQUEUE: reject: RCPT", "fixed; from=<> to=<a@remote.example>"], 1)?;
    logged(
        &mail,
        &[
            ("evil-echo", &["to=<evil-echo@", "status=bounced (unknown user: \"evil-echo\")"]),
            ("plain-echo", &["to=<plain-echo@", "status=bounced (permission denied)"]),
            (&mail.user, &["status=sent (delivered to mailbox)"]),
        ],
    )?;
    mail.wait_log(&["etc/rules, line 1: regular expression substitution is not allowed: skipping this rule"], 1)?;
    Ok(())
}

#[test]
fn luser_relay_is_one_address_whatever_a_sender_writes() -> Result<()> {
    let hop = NextHop::open()?;
    let relay = format!("[127.0.0.1]:{}", hop.port);
    let setup = Setup::new().main("relayhost", relay).main("luser_relay", "$local${client_helo?x}@lu.example");
    let mail = instance(setup, "", &[])?;
    let file = mail.root.join("mail/f");
    send(&mail, &[&format!("\"{},a b\"", file.display())], "")?;
    mail.wait("the relayed message", || hop.count() == 1)?;
    // The local part is in lower case.
    let expected = format!("RCPT TO:<\"{},a b\"@lu.example>", file.display().to_string().to_lowercase());
    assert!(hop.messages().concat().contains(&expected), "{:?}", hop.messages());
    assert!(!file.exists());
    Ok(())
}

#[test]
fn luser_relay_to_an_unknown_user_returns_the_mail() -> Result<()> {
    let mail = instance(Setup::new().main("luser_relay", "nosuch2"), "", &[])?;
    logged(&mail, &[("nosuch", &["to=<nosuch2@", "status=bounced (unknown user: \"nosuch2\")"])])
}

#[test]
fn an_unknown_user_is_returned_once_and_does_not_vanish() -> Result<()> {
    for (relay, failures) in [("", 1), ("$local", 1)] {
        let mail = instance(Setup::new().main("luser_relay", relay), "twice nosuch, nosuch@localhost, x@[]\n", &[])?;
        send(&mail, &["twice"], "")?;
        mail.wait_log(&["status=bounced (bad recipient address syntax: x@[])"], 1)?;
        let lines = mail.wait_log(&["orig_to=<twice@", "status=bounced (unknown user: \"nosuch\")"], failures)?;
        assert_eq!(lines.len(), failures, "{}", mail.log());
    }
    Ok(())
}

#[test]
fn a_list_that_includes_itself_is_read_once() -> Result<()> {
    let list = ":include:{root}/etc/list\n{user}\nback\n";
    let mail = instance(Setup::new(), "back back, :include:{root}/etc/list\n", &[("etc/list", list)])?;
    send(&mail, &["back"], "")?;
    mail.wait_log(&["mail forwarding loop for back@"], 1)?;
    let copies = mail.wait_log(&["orig_to=<back@", "status=sent (delivered to mailbox)"], 1)?;
    assert_eq!(copies.len(), 1, "{}", mail.log());
    assert!(!mail.log().contains("killed by signal"), "{}", mail.log());
    Ok(())
}

#[test]
fn lists_that_share_their_members_are_gone_through_once() -> Result<()> {
    let level = |n: u8| format!("a{n} a{next}, b{next}\nb{n} b{next}, a{next}\n", next = n + 1);
    let lists = (0..20).map(level).collect::<String>();
    let mail = instance(Setup::new(), &format!("{lists}a20 {{user}}\nb20 {{user}}, nobody.knows\n"), &[])?;
    send(&mail, &["a0"], "")?;
    mail.wait_log(&["postfix/qmgr", "removed"], 1)?;
    let copies = mail.wait_log(&["orig_to=<a0@", "status=sent (delivered to mailbox)"], 1)?;
    assert_eq!(copies.len(), 1, "{}", mail.log());
    assert_eq!(mail.wait_log(&["orig_to=<a0@", "status=bounced"], 1)?.len(), 1);
    Ok(())
}

#[test]
fn places_mean_what_they_mean_to_postfix() -> Result<()> {
    let aliases = "null /dev/null\ncommand |\"exit 67\"\nhome ~/x\nnobody-there friends:;\n\
                   group friends: /dev/null, |\"exit 65\";\nuser \\{user}@mail.example.test\nenv \"|env; exit 1\"\n\
                   dash -x\nblanks \"| exit 3 \"\ndirect \"\\\\{user}\"\n";
    let setup = Setup::new()
        .main("forward_path", "{root}/etc/forward.$user$nosuch, {root}/etc/forward.$user")
        .main("command_execution_directory", "/$extension")
        .main("allow_mail_to_files", "alias, forward");
    let mail = instance(setup, aliases, &[("etc/forward.{user}", "~/no/such/box\n")])?;
    logged(
        &mail,
        &[
            ("null", &["to=<null@", "status=sent (delivered to file: /dev/null)"]),
            ("command", &["to=<command@", "status=bounced (user unknown)"]),
            ("home", &["to=<home@", "dsn=5.3.5, status=bounced (mail system configuration error)"]),
            ("nobody-there", &["to=<nobody-there@", "status=deferred (alias database unavailable)"]),
            ("group", &["to=<group@", "status=bounced (data format error)"]),
            ("user", &["orig_to=<user@", "cannot append message to file /", "/no/such/box: "]),
            ("env", &["to=<env@", "status=bounced (Command died with status 1"]),
            ("dash", &["to=<dash@", "status=bounced (bad recipient address syntax: -x@mail.example.test)"]),
            ("blanks", &["to=<blanks@", "(Command died with status 3: \" exit 3 \")"]),
            ("direct", &["orig_to=<direct@", "status=sent (delivered to mailbox)"]),
            ("env+no", &["to=<env+no@", "status=deferred (temporary failure)"]),
        ],
    )?;
    mail.wait_log(&["fatal: cannot change directory to \"/no\" for uid="], 1)?;
    assert!(!mail.log().contains("null.lock"), "{}", mail.log());
    Ok(())
}

#[test]
fn a_list_of_the_administrator_may_be_for_nobody_else() -> Result<()> {
    if !tests::is_root("a_list_of_the_administrator_may_be_for_nobody_else") {
        return Ok(());
    }
    let files = [("etc/list", "member\n")];
    let aliases = "list :include:{root}/etc/list\nmember {user}\n";
    let mail = instance(Setup::new().rights(Rights::Root), aliases, &files)?;
    fs::set_permissions(mail.root.join("etc/list"), std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    // Its members are recipients of a message of their own, also those that are aliases.
    logged(&mail, &[("list", &["to=<list@", "status=sent (forwarded as "])])?;
    mail.wait_log(&["orig_to=<list@", "status=sent (delivered to mailbox)"], 1)?;
    Ok(())
}

#[test]
fn the_owner_of_a_command_hears_of_its_failure_and_the_sender_of_a_mistake_in_a_list() -> Result<()> {
    let aliases = "outer inner\nowner-outer /dev/null\ninner \"|exit 67\"\nowner-inner {root}/mail/owner\n\
                   circle \"|exit 68\"\nowner-circle {root}/mail/circle\nmissing :include:/no/such/list\n\
                   owner-missing {root}/mail/missing\nowner-broken \"|exit 67\"\nowner-owner-broken {root}/mail/chief\n";
    let mail = instance(Setup::new(), aliases, &[])?;
    for (recipient, reader, reason) in [
        ("outer", "owner", "<inner@mail.example.test>: user unknown"),
        ("missing", &*mail.user, "<missing@mail.example.test>: mail system configuration error"),
        ("circle+x", "circle", "<circle+x@mail.example.test>: host name unknown"),
        ("owner-broken", "chief", "<owner-broken@mail.example.test>: user unknown"),
    ] {
        send(&mail, &[recipient], "")?;
        mail.wait(&format!("the notice of {recipient}"), || mail.mailbox(reader).contains(reason))?;
        let sender = format!("Sender: rfc822; {}@mail.example.test\n", mail.user);
        assert!(mail.mailbox(reader).contains(&sender), "{}", mail.mailbox(reader));
    }
    assert!(!mail.mailbox(&mail.user).contains("unknown"), "{}", mail.mailbox(&mail.user));
    Ok(())
}

#[test]
fn what_waits_behind_an_alias_is_not_yet_a_success() -> Result<()> {
    let hop = NextHop::open()?;
    let setup = Setup::new().main("relayhost", format!("[127.0.0.1]:{}", hop.port)).main("luser_relay", "x@lu.example");
    let mail = instance(setup, "later \"|exit 75\", {user}\nnow {user}\n", &[])?;
    send(&mail, &["later"], " NOTIFY=SUCCESS")?;
    mail.wait_log(&["to=<later@", "status=deferred (temporary failure)"], 1)?;
    // Nor is what goes on to a server that tells of it.
    send(&mail, &["nosuch"], " NOTIFY=SUCCESS")?;
    mail.wait_log(&["orig_to=<nosuch@", "status=sent"], 1)?;
    send(&mail, &["now"], " NOTIFY=SUCCESS")?;
    let inbox = || mail.mailbox(&mail.user);
    mail.wait("the report", || inbox().contains("Final-Recipient: rfc822; now@"))?;
    assert!(!inbox().contains("rfc822; later@") && !inbox().contains("forwarded as"), "{}", inbox());
    Ok(())
}

#[test]
fn extensions_that_mean_nothing_here_go_on_where_that_is_wanted() -> Result<()> {
    let hop = NextHop::open()?;
    let aliases = "alias a@r.example\nfull+x b@r.example\nlist :include:{root}/etc/list\n";
    let files = [("etc/list", "c@r.example\n"), ("etc/f", "d@r.example\n"), ("etc/f-own", "e@r.example\n")];
    for (words, sent) in [
        ("alias, include, forward", ["a+x", "b", "c+x", "d+x", "e"]),
        ("canonical, virtual", ["a", "b", "c", "d", "e"]),
    ] {
        let setup = Setup::new()
            .main("relayhost", format!("[127.0.0.1]:{}", hop.port))
            .main("forward_path", "{root}/etc/f-$extension, {root}/etc/f")
            .main("propagate_unmatched_extensions", words);
        let mail = instance(setup, aliases, &files)?;
        for (recipient, to) in ["alias+X", "full+x", "list+x", "user+x", "user+own"].into_iter().zip(sent) {
            let recipient = recipient.replace("user", &mail.user);
            send(&mail, &[&recipient], "")?;
            mail.wait_log(&[&format!("to=<{to}@r.example>, orig_to=<{recipient}@"), "status=sent"], 1)?;
        }
    }
    Ok(())
}

#[test]
fn a_user_who_names_himself_means_his_mailbox_or_the_file_of_an_extension() -> Result<()> {
    let files = [("etc/f", "{user}+x, \"|exit 65\"\n"), ("etc/f-x", "\"|exit 67\", {user}\n")];
    let setup = Setup::new().main("forward_path", "{root}/etc/f-$extension, {root}/etc/f");
    let mail = instance(setup, "", &files)?;
    logged(&mail, &[(&mail.user, &["status=bounced (data format error)"])])?;
    mail.wait_log(&["to=<", "+x@mail.example.test>", "status=bounced (user unknown)"], 1)?;
    mail.wait_log(&["status=sent (delivered to mailbox)"], 1)?;
    Ok(())
}

#[test]
fn commands_know_the_address_that_the_mail_came_to_last() -> Result<()> {
    let setup = Setup::new().main("mailbox_command", "echo $RECIPIENT $LOCAL $EXTENSION; exit 1");
    let mail = instance(setup, "alias {user}+x\n", &[])?;
    let said = |address: &str, local: &str| format!("Command output: {address}@mail.example.test {local} )");
    let user = &mail.user;
    logged(
        &mail,
        &[
            ("alias", &["orig_to=<alias@", &said(&format!("{user}+x"), &format!("{user}+x x"))]),
            (&format!("{user}+a/b"), &["status=bounced", &said(&format!("{user}+a/b"), user)]),
        ],
    )
}

#[test]
fn copies_show_the_address_of_the_alias_or_that_of_its_member() -> Result<()> {
    for (frozen, shown) in [("yes", "alias"), ("no", "{user}")] {
        let mail = instance(Setup::new().main("frozen_delivered_to", frozen), "alias {user}\n", &[])?;
        send(&mail, &["alias"], "")?;
        let expected = format!("\nDelivered-To: {}@mail.example.test\n", shown.replace("{user}", &mail.user));
        mail.wait("the copy", || mail.mailbox(&mail.user).contains(&expected))?;
    }
    Ok(())
}

#[test]
fn a_list_that_a_user_includes_gives_no_rights_of_its_owner() -> Result<()> {
    if !tests::is_root("a_list_that_a_user_includes_gives_no_rights_of_its_owner") {
        return Ok(());
    }
    let setup = Setup::new()
        .rights(Rights::Root)
        .main("allow_mail_to_commands", "alias, forward, include")
        .main("forward_path", "{root}/etc/forward.$user");
    let command = "\"|id -un; exit 1\"\n";
    let files = [("etc/forward.{user}", ":include:{root}/etc/list\n"), ("etc/list", command)];
    let mail = instance(setup, "list :include:{root}/etc/list\n", &files)?;
    std::os::unix::fs::chown(mail.root.join("etc/list"), Some(1), None)?;
    logged(
        &mail,
        &[
            (&mail.user, &["status=bounced", &format!("Command output: {} )", mail.user)]),
            ("list", &["status=bounced", "Command output: daemon )"]),
        ],
    )
}

#[test]
fn who_asked_for_success_hears_of_an_expansion_and_nothing_of_its_members() -> Result<()> {
    let hop = NextHop::open()?;
    let setup = Setup::new()
        .main("relayhost", format!("[127.0.0.1]:{}", hop.port))
        .main("forward_path", "{root}/etc/forward.$extension")
        .main("virtual_alias_maps", "inline:{one@mail.example.test=b@remote.example}");
    let mail = instance(setup, "", &[("etc/forward.fw", "a@remote.example\n")])?;
    for (name, member) in [(format!("{}+fw", mail.user), "a"), ("one".to_owned(), "b")] {
        send(&mail, &[&name], " NOTIFY=SUCCESS")?;
        mail.wait_log(&[&format!("to=<{member}@remote.example>"), "status=sent"], 1)?;
        let report = || mail.mailbox(&mail.user);
        mail.wait("the report", || report().contains(&format!("Final-Recipient: rfc822; {name}@")))?;
        assert!(!report().contains("forwarded as") && !report().contains("remote.example"), "{}", report());
    }
    assert_eq!(mail.mailbox(&mail.user).matches("Action: expanded").count(), 2);
    Ok(())
}

#[test]
fn members_of_a_list_with_an_owner_are_its_recipients() -> Result<()> {
    let hop = NextHop::open()?;
    let relay = format!("[127.0.0.1]:{}", hop.port);
    let aliases = "list a@remote.example\nowner-list {user}\nalias b@remote.example\n";
    let mail = instance(Setup::new().main("relayhost", relay), aliases, &[])?;
    for (name, logged, action) in [
        ("list", "to=<a@remote.example>, relay=", "Action: delivered"),
        ("alias", "to=<b@remote.example>, orig_to=<alias@mail.example.test>, relay=", "Action: expanded"),
    ] {
        send(&mail, &[name], " NOTIFY=SUCCESS")?;
        mail.wait_log(&[logged, "status=sent"], 1)?;
        let report = || mail.mailbox(&mail.user);
        mail.wait("the report", || report().contains(&format!("Final-Recipient: rfc822; {name}@")))?;
        assert!(report().contains(action) && !report().contains("forwarded as"), "{}", report());
    }
    Ok(())
}

#[test]
fn a_report_calls_mail_relayed_that_an_alias_sends_on() -> Result<()> {
    let hop = NextHop::open()?;
    let relay = format!("[127.0.0.1]:{}", hop.port);
    let mail = instance(Setup::new().main("relayhost", relay), "alias b@remote.example\n", &[])?;
    let sent = mail.run("sendmail", ["-v", "-f", &mail.user, "alias"], TEXT)?;
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let report = || mail.mailbox(&mail.user);
    mail.wait("the report", || report().contains("delivery via local: forwarded as"))?;
    assert!(report().contains("\nAction: relayed\nStatus: 2.0.0\n"), "{}", report());
    Ok(())
}

#[test]
fn copies_show_the_address_as_it_is_written() -> Result<()> {
    let mail = instance(Setup::new(), "", &[])?;
    let recipient = format!("{}+Ext", mail.user);
    send(&mail, &[&recipient], "")?;
    let expected = format!("\nDelivered-To: {recipient}@mail.example.test\n");
    mail.wait("the copy", || mail.mailbox(&mail.user).contains(&expected))
}

#[test]
fn files_of_a_maildir_are_named_after_the_machine() -> Result<()> {
    let setup = Setup::new().main("mail_spool_directory", "{root}/mail/");
    let mail = instance(setup, "", &[])?;
    send(&mail, &[&mail.user], "")?;
    mail.wait_log(&["status=sent (delivered to maildir)"], 1)?;
    let folder = fs::read_dir(mail.root.join("mail").join(&mail.user).join("new"))?;
    let names = folder.map(|file| Ok(file?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<_>>>()?;
    let host = nix::unistd::gethostname()?;
    let ending = format!(".{}", host.to_string_lossy());
    assert!(names.len() == 1 && names.iter().all(|name| name.ends_with(&ending)), "{names:?}");
    Ok(())
}

#[test]
fn home_mailbox_is_below_the_home_directory() -> Result<()> {
    let mail = instance(Setup::new().main("home_mailbox", "/no/such/box"), "", &[])?;
    send(&mail, &[&mail.user], "")?;
    let line = mail.wait_log(&["cannot update mailbox /", "/no/such/box for user"], 1)?.concat();
    assert!(!line.contains("mailbox /no/such"), "{line}");
    Ok(())
}

#[test]
fn what_takes_one_recipient_is_given_one() -> Result<()> {
    let setup = Setup::new()
        .main("transport_maps", "inline:{ {mail.example.test = p:} }")
        .master("p unix - n n - - pipe flags=D user=nobody argv=/bin/cat");
    let mail = instance(setup, "", &[])?;
    send(&mail, &["a", "b"], "")?;
    mail.wait_log(&["pipe flag 'D' requires p_destination_recipient_limit = 1"], 1)?;
    mail.wait_log(&["dsn=4.3.5, status=deferred (mail system configuration error)"], 2)?;
    Ok(())
}

#[test]
fn a_configuration_that_loses_mail_is_refused() -> Result<()> {
    let mail = instance(Setup::new().main("mailbox_size_limit", "100"), "", &[])?;
    logged(&mail, &[("x", &["fatal: configuration error: mailbox_size_limit is smaller than message_size_limit"])])?;
    let mail = instance(Setup::new().virtual_mailboxes()?.main("virtual_mailbox_base", ""), "", &[])?;
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.deliver("", &["x@virtual.example"], TEXT)?;
    mail.wait_log(&["fatal: bad string length 0 < 1: virtual_mailbox_base = "], 1)?;
    if tests::is_root("a_configuration_that_loses_mail_is_refused") {
        let error = instance(Setup::new().rights(Rights::Root).main("default_privs", "root"), "", &[]).unwrap_err();
        assert!(format!("{error:#}").contains("default_privs: user root has privileged user ID"), "{error:#}");
    }
    Ok(())
}

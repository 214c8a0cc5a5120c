//! Mail flows: in by SMTP and sendmail, out to mailboxes and a next hop, deferred, bounced, held, deleted.

use anyhow::Result;
use testkit::client::{Client, NextHop};
use testkit::instance::{Instance, Setup};

fn message(subject: &str) -> String {
    format!(
        "From: <sender@example.net>\nTo: <user@mail.example.test>\nSubject: {subject}\n\nHello.\n.A line with a dot.\n"
    )
}

fn send(mail: &Instance, sender: &str, recipients: &[&str], subject: &str) -> Result<String> {
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    let reply = client.deliver(sender, recipients, &message(subject))?;
    client.say("QUIT", 221)?;
    Ok(reply.queue_id().unwrap_or_default().to_owned())
}

#[test]
fn mail_reaches_a_mailbox_by_smtp_and_by_sendmail() -> Result<()> {
    let mail = Setup::new().start()?;
    let user = format!("{}@mail.example.test", mail.user);
    let id = send(&mail, "sender@example.net", &[&user], "by smtp")?;
    let sent = mail.run("sendmail", ["-i", &user], &message("by sendmail"))?;
    assert!(sent.status.success() && sent.stderr.is_empty(), "{}", String::from_utf8_lossy(&sent.stderr));
    mail.wait("both messages", || {
        let text = mail.mailbox(&mail.user);
        text.contains("Subject: by smtp") && text.contains("Subject: by sendmail")
    })?;
    let text = mail.mailbox(&mail.user);
    assert!(text.starts_with("From sender@example.net  ") || text.contains("\nFrom sender@example.net  "));
    assert!(text.contains("\n.A line with a dot.\n"));
    assert!(text.contains(&format!("with ESMTP id {id}\n")));
    mail.wait_log(&[&id, "removed"], 1)?;
    mail.wait("empty queue", || mail.queue_is_empty())
}

#[test]
fn addresses_stand_in_the_log_as_is_wanted() -> Result<()> {
    for (form, sender, recipient) in [
        ("external", "<\"a b\"@example.net>", "<\"c d\"@mail.example.test>"),
        ("Internal", "<a b@example.net>", "<c d@mail.example.test>"),
    ] {
        let mail = Setup::new()
            .main("info_log_address_format", form)
            .main("local_recipient_maps", "static:all")
            .main("smtpd_sender_restrictions", "warn_if_reject, reject")
            .start()?;
        send(&mail, "\"a b\"@example.net", &["\"c d\"@mail.example.test"], "spaced")?;
        mail.wait_log(&["smtpd", "reject_warning: RCPT", &format!("from={sender} to={recipient}")], 1)?;
        mail.wait_log(&["qmgr", &format!("from={sender}, size=")], 1)?;
        mail.wait_log(&["local", &format!("to={recipient}, relay=local"), "status=bounced"], 1)?;
        let user = format!("{}@mail.example.test", mail.user);
        mail.run("sendmail", ["-f", "\"a b\"@example.net", &user], "Subject: x\n\n")?;
        mail.wait_log(&["pickup", &format!("from={sender}")], 1)?;
    }
    Ok(())
}

#[test]
fn text_that_would_continue_our_headers_is_the_body() -> Result<()> {
    let mail = Setup::new().start()?;
    let user = format!("{}@mail.example.test", mail.user);
    let indented = " for <x>; no header\n";
    assert!(mail.run("sendmail", ["-i", &user], indented)?.status.success());
    let mut client = Client::connect(mail.port)?;
    client.say("HELO client.example", 250)?;
    client.deliver("a@example.net", &[&user], indented)?;
    mail.wait("both messages", || mail.mailbox(&mail.user).matches("\n\n for <x>; no header\n").count() == 2)?;
    mail.wait("empty queue", || mail.queue_is_empty())
}

#[test]
fn the_log_tells_of_commands_that_are_called_wrongly() -> Result<()> {
    let mail = Setup::new().start()?;
    for (command, argument, said) in [
        ("sendmail", "-z", "fatal: usage: sendmail [options]"),
        ("postqueue", "-z", "fatal: usage: postqueue -f"),
        ("postsuper", "nowhere", "fatal: invalid directory name: nowhere"),
    ] {
        assert!(!mail.run(command, [argument], "")?.status.success());
        mail.wait_log(&[&format!("{command}["), said], 1)?;
    }
    Ok(())
}

#[test]
fn mail_for_two_domains_is_relayed_and_the_queue_is_empty() -> Result<()> {
    let hop = NextHop::open()?;
    let mail = Setup::new().main("relayhost", format!("[127.0.0.1]:{}", hop.port)).start()?;
    send(&mail, "sender@example.net", &["a@one.example", "b@two.example"], "relayed")?;
    mail.wait("both recipients", || {
        let all = hop.messages().concat();
        all.contains("RCPT TO:<a@one.example>") && all.contains("RCPT TO:<b@two.example>")
    })?;
    assert!(hop.messages().concat().contains("\n..A line with a dot.\n"));
    mail.wait("empty queue", || mail.queue_is_empty())
}

#[test]
fn what_cannot_be_sent_waits_and_is_listed_then_flushed() -> Result<()> {
    let port = testkit::port::free_port()?;
    let mail = Setup::new().main("relayhost", format!("[127.0.0.1]:{port}")).start()?;
    let id = send(&mail, "sender@example.net", &["a@one.example"], "later")?;
    mail.wait_log(&[&id, "status=deferred", "Connection refused"], 1)?;
    let listed = || mail.run("mailq", [""; 0], "").map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    mail.wait("listing", || listed().is_ok_and(|text| text.contains(&id) && text.contains("Connection refused")))?;
    let deferred = mail.wait_log(&[&id, "status=deferred"], 1)?.len();
    assert!(mail.run("postqueue", ["-f"], "")?.status.success());
    mail.wait_log(&[&id, "status=deferred"], deferred + 1)?;
    assert!(mail.run("postsuper", ["-d", &id], "")?.status.success());
    mail.wait("empty queue", || mail.queue_is_empty())
}

#[test]
fn a_flush_tries_again_what_could_not_be_moved() -> Result<()> {
    let port = testkit::port::free_port()?;
    let mail = Setup::new().main("relayhost", format!("[127.0.0.1]:{port}")).start()?;
    let (queue, away) = (mail.root.join("spool/deferred"), mail.root.join("spool/away"));
    std::fs::rename(&queue, &away)?;
    std::fs::write(&queue, "no directory")?;
    let id = send(&mail, "sender@example.net", &["a@one.example"], "later")?;
    mail.wait_log(&["qmgr", &id, "rename"], 1)?;
    std::fs::remove_file(&queue)?;
    std::fs::rename(&away, &queue)?;
    assert!(mail.run("postqueue", ["-f"], "")?.status.success());
    mail.wait_log(&[&id, "status=deferred"], 2).map(drop)
}

#[test]
fn what_all_have_and_is_queued_again_is_returned_to_nobody() -> Result<()> {
    let mail = Setup::new().main("defer_transports", "smtp").main("relayhost", "[127.0.0.1]").start()?;
    let sender = format!("{}@mail.example.test", mail.user);
    let id = send(&mail, &sender, &["a@one.example", "b@one.example"], "x")?;
    mail.wait_log(&[&id, "status=deferred"], 2)?;
    let file = mail.root.join("spool/deferred").join(&id[..1]).join(&id);
    mail.wait("the deferred queue", || file.exists())?;
    let mut bytes = std::fs::read(&file)?;
    for record in [b"R\ra@one.example", b"R\rb@one.example"] {
        let at = bytes.windows(record.len()).position(|found| found == record).expect("a recipient");
        bytes[at] = b'D';
    }
    std::fs::write(&file, bytes)?;
    assert!(mail.run("postsuper", ["-r", &id], "")?.status.success());
    assert!(mail.run("postqueue", ["-f"], "")?.status.success());
    mail.wait_log(&[&format!("maildrop/{id}: error writing "), ": no recipients specified"], 1)?;
    mail.wait("empty queue", || mail.queue_is_empty())?;
    assert!(!mail.log().contains("non-delivery"), "{}", mail.log());
    Ok(())
}

#[test]
fn mail_for_the_services_that_return_and_retry_waits_where_these_are_deferred() -> Result<()> {
    let mail = Setup::new()
        .main("default_transport", "retry:4.2.1 later")
        .main("defer_transports", "retry error")
        .main("virtual_alias_maps", "inline:{bad@one.example=-bad@one.example}")
        .main("smtpd_reject_unlisted_recipient", "no")
        .start()?;
    let id = send(&mail, "sender@example.net", &["a@one.example", "bad@one.example"], "later")?;
    mail.wait_log(&[&id, "dsn=4.3.2, status=deferred (deferred transport)"], 2).map(drop)
}

#[test]
fn what_is_expired_goes_back_and_is_not_tried_again() -> Result<()> {
    let hop = NextHop::open()?;
    let mut mail = Setup::new()
        .main("relayhost", format!("[127.0.0.1]:{}", hop.port))
        .main("defer_transports", "smtp")
        .main("smtpd_data_restrictions", "check_sender_access inline:{held@mail.example.test=HOLD}")
        .main("alias_maps", "texthash:{root}/etc/more")
        .create()?;
    std::fs::write(mail.root.join("etc/more"), format!("held {0}\ntried {0}\n", mail.user))?;
    mail.start()?;
    for (sender, expire, reason) in [
        ("tried", "-e", "status=deferred (deferred transport)"),
        ("held", "-f", "dsn=4.7.0, status=deferred (message is administratively expired)"),
    ] {
        let id = send(&mail, &format!("{sender}@mail.example.test"), &["a@one.example", "b@one.example"], "x")?;
        if sender == "tried" {
            mail.wait_log(&[&id, reason], 2)?;
            mail.wait("the deferred queue", || mail.root.join("spool/deferred").join(&id[..1]).join(&id).exists())?;
        }
        assert!(mail.run("postsuper", [expire, &id], "")?.status.success());
        assert!(mail.run("postqueue", ["-f"], "")?.status.success());
        mail.wait_log(&[&id, "status=force-expired, returned to sender"], 1)?;
        assert_eq!(mail.wait_log(&[&id, reason], 2)?.len(), 2, "{}", mail.log());
        mail.wait("empty queue", || mail.queue_is_empty())?;
    }
    assert_eq!(mail.mailbox(&mail.user).matches("Subject: Undelivered Mail").count(), 2);
    assert_eq!(hop.count(), 0);
    Ok(())
}

#[test]
fn a_program_speaks_smtp_to_sendmail() -> Result<()> {
    let mail = Setup::new().start()?;
    let dialogue = format!(
        "EHLO client.example\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<{}>\r\nDATA\r\nSubject: by dialogue\r\n\r\n.\r\nQUIT\r\n",
        mail.user
    );
    let output = mail.run("sendmail", ["-bs"], &dialogue)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("\n250 2.0.0 Ok: queued as "), "{said}");
    mail.wait("message", || mail.mailbox(&mail.user).contains("Subject: by dialogue"))?;
    mail.wait_log(&["disconnect from", "data=1 quit=1 commands=5"], 1)?;
    assert!(!mail.log().contains("proxy-accept"), "{}", mail.log());
    Ok(())
}

#[test]
fn mail_arrives_after_the_queue_was_emptied() -> Result<()> {
    let mail = Setup::new().start()?;
    let user = format!("{}@mail.example.test", mail.user);
    for subject in ["one", "two", "three"] {
        send(&mail, "sender@example.net", &[&user], subject)?;
        mail.wait(subject, || mail.mailbox(&mail.user).contains(&format!("Subject: {subject}\n")))?;
        mail.wait("empty queue", || mail.queue_is_empty())?;
        let output = mail.run("postsuper", ["-d", "ALL"], "")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("Deleted: 0 messages"), "{said}");
    }
    Ok(())
}

#[test]
fn an_unknown_user_of_a_local_domain_is_refused() -> Result<()> {
    let mail = Setup::new().start()?;
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    let reply = client.say("RCPT TO:<nobody-here@mail.example.test>", 550)?;
    assert!(reply.text().contains("User unknown in local recipient table"), "{reply:?}");
    Ok(())
}

#[test]
fn mail_that_a_command_fails_for_good_is_returned() -> Result<()> {
    let mail = Setup::new().main("transport_maps", "inline:{ {lost.example = error:nobody lives here} }").start()?;
    let sender = format!("{}@mail.example.test", mail.user);
    // error: is refused at RCPT by smtpd, so it comes from sendmail.
    let sent = mail.run("sendmail", ["-i", "-f", &sender, "x@lost.example"], &message("returned"))?;
    assert!(sent.status.success());
    mail.wait("the notice", || mail.mailbox(&mail.user).contains("nobody lives here"))?;
    let notice = mail.mailbox(&mail.user);
    for words in [
        "multipart/report",
        "Undelivered Mail Returned to Sender",
        "Final-Recipient: rfc822; x@lost.example",
        "Subject: returned",
    ] {
        assert!(notice.contains(words), "no {words} in {notice}");
    }
    mail.wait("empty queue", || mail.queue_is_empty())
}

#[test]
fn a_message_under_way_outlives_a_reload() -> Result<()> {
    let mut mail = Setup::new().start()?;
    let user = format!("{}@mail.example.test", mail.user);
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    // The first makes connections that are kept.
    client.deliver("a@example.net", &[&user], &message("before"))?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    client.say(&format!("RCPT TO:<{user}>"), 250)?;
    assert!(mail.run("postfix", ["reload"], "")?.status.success());
    mail.wait_log(&["master[", "reload"], 1)?;
    // Mail of somebody else goes through the next cleanup.
    send(&mail, "a@example.net", &[&user], "meanwhile")?;
    client.say("DATA", 354)?;
    client.say("Subject: across\r\n\r\nx\r\n.", 250)?;
    for subject in ["meanwhile", "across"] {
        mail.wait("the message", || mail.mailbox(&mail.user).contains(&format!("Subject: {subject}\n")))?;
    }
    drop(client);
    mail.stop()?;
    assert_eq!(std::fs::read_dir(mail.root.join("spool/incoming"))?.count(), 0);
    Ok(())
}

#[test]
fn a_reload_keeps_an_open_session() -> Result<()> {
    let mail = Setup::new().start()?;
    let user = format!("{}@mail.example.test", mail.user);
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    assert!(mail.run("postfix", ["reload"], "")?.status.success());
    mail.wait_log(&["master[", "reload"], 1)?;
    client.deliver("a@example.net", &[&user], &message("across"))?;
    mail.wait("the message", || mail.mailbox(&mail.user).contains("Subject: across"))?;
    send(&mail, "a@example.net", &[&user], "after")?;
    mail.wait("the next", || mail.mailbox(&mail.user).contains("Subject: after"))
}

#[test]
fn what_waits_is_found_after_a_reload_with_other_directories() -> Result<()> {
    let port = testkit::port::free_port()?;
    let mail = Setup::new().main("relayhost", format!("[127.0.0.1]:{port}")).start()?;
    let id = send(&mail, "sender@example.net", &["a@one.example"], "moved")?;
    mail.wait_log(&[&id, "status=deferred"], 1)?;
    let main = mail.root.join("etc/main.cf");
    let text = std::fs::read_to_string(&main)?;
    std::fs::write(&main, text + "hash_queue_names = deferred defer\nhash_queue_depth = 3\n")?;
    assert!(mail.run("postfix", ["reload"], "")?.status.success());
    let is_read = || mail.run("postcat", ["-q", &id], "").is_ok_and(|output| output.status.success());
    mail.wait("the file in its place", is_read)?;
    let listed = mail.run("mailq", [""; 0], "")?;
    let listed = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.contains(&id), "{listed}");
    mail.wait_log(&["master[", "reload"], 1)?;
    assert!(mail.run("postqueue", ["-f"], "")?.status.success());
    mail.wait_log(&[&id, "status=deferred"], 2).map(|_| ())
}

#[test]
fn a_message_whose_logs_cannot_be_read_waits_and_is_listed() -> Result<()> {
    let port = testkit::port::free_port()?;
    let mail = Setup::new().main("relayhost", format!("[127.0.0.1]:{port}")).start()?;
    let id = send(&mail, "sender@example.net", &["a@one.example"], "waits")?;
    mail.wait_log(&[&id, "status=deferred"], 1)?;
    let defer = mail.root.join("spool/defer");
    let log = [defer.join(&id), defer.join(&id[..1]).join(&id)].into_iter().find(|path| path.exists());
    let log = log.ok_or_else(|| anyhow::anyhow!("no defer log"))?;
    std::fs::rename(&log, log.with_extension("away"))?;
    std::fs::create_dir(&log)?;
    let listed = mail.run("mailq", [""; 0], "")?;
    let listed = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.contains(&id) && listed.contains("a@one.example"), "{listed}");
    std::fs::remove_dir(&log)?;
    std::fs::create_dir(mail.root.join("spool/bounce").join(&id))?;
    assert!(mail.run("postqueue", ["-f"], "")?.status.success());
    mail.wait_log(&[&id, "status=deferred (bounce failed)"], 1)?;
    mail.wait("the message to be deferred", || {
        mail.run("mailq", [""; 0], "").is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&id))
    })
}

#[test]
fn nothing_is_left_after_stop_and_a_start_finds_the_queue() -> Result<()> {
    let port = testkit::port::free_port()?;
    let mut mail = Setup::new().main("relayhost", format!("[127.0.0.1]:{port}")).start()?;
    let id = send(&mail, "sender@example.net", &["a@one.example"], "kept")?;
    mail.wait_log(&[&id, "status=deferred"], 1)?;
    // What is delivered leaves files to be used again, only as long as somebody can use them.
    let user = format!("{}@mail.example.test", mail.user);
    for part in 1..=20 {
        send(&mail, "sender@example.net", &[&user], "delivered")?;
        mail.wait_log(&["status=sent"], part)?;
        mail.wait_log(&["qmgr", "removed"], part)?;
    }
    mail.stop()?;
    for queue in ["incoming", "maildrop", "active"] {
        assert_eq!(std::fs::read_dir(mail.root.join("spool").join(queue))?.count(), 0, "{queue}");
    }
    let main = mail.root.join("etc/main.cf");
    let hop = NextHop::open()?;
    let text = std::fs::read_to_string(&main)?.replace(&format!("]:{port}"), &format!("]:{}", hop.port));
    std::fs::write(&main, text)?;
    mail.start()?;
    assert!(mail.run("postqueue", ["-f"], "")?.status.success());
    mail.wait("the message", || hop.messages().concat().contains("Subject: kept"))?;
    mail.wait("empty queue", || mail.queue_is_empty())
}

#[test]
fn mail_is_filtered_wherever_it_would_go() -> Result<()> {
    let mail = Setup::new()
        .main("content_filter", "discard:seen")
        .main("receive_override_options", "no_address_mappings")
        .main("virtual_alias_domains", "alias.test")
        .main("virtual_alias_maps", "inline:{you@alias.test=you@example.org}")
        .start()?;
    for recipient in ["you@alias.test", "you@example.net"] {
        send(&mail, "me@example.com", &[recipient], "x")?;
        mail.wait_log(&[&format!("to=<{recipient}>"), "status=sent (seen)"], 1)?;
    }
    Ok(())
}

#[test]
fn a_second_queue_manager_works_beside_the_usual_one() -> Result<()> {
    let mail = Setup::new()
        .main("default_transport", "discard:usual")
        .main("queue_run_delay", "1s")
        .master("watch_qmgr unix n - n 1 1 qmgr -o rewrite_service_name=watch_rewrite")
        .master("watch_rewrite unix - - n - - trivial-rewrite -o default_transport=discard:second")
        .start()?;
    for round in 1..=3 {
        send(&mail, "me@example.com", &["you@example.org"], "x")?;
        mail.wait_log(&["to=<you@example.org>", "status=sent (usual)"], round)?;
    }
    assert!(!mail.log().contains("(second)"), "{}", mail.log());
    Ok(())
}

#[test]
fn an_owner_is_the_sender_of_its_list_unless_that_is_off() -> Result<()> {
    for (special, reset, sender, messages) in [
        ("yes", "no", "owner-list@mail.example.test", 1),
        ("yes", "yes", "owner-list@mail.example.test", 1),
        ("no", "no", "me@example.com", 2),
    ] {
        let mail = Setup::new()
            .main("default_transport", "discard:gone")
            .main("alias_maps", "inline:{list=part, part=you@example.org, owner-list=chief@example.net}")
            .main("owner_request_special", special)
            .main("reset_owner_alias", reset)
            .start()?;
        send(&mail, "me@example.com", &["list@mail.example.test"], "x")?;
        mail.wait_log(&["to=<you@example.org>", "status=sent (gone)"], 1)?;
        mail.wait_log(&["queue active", &format!("from=<{sender}>")], messages)?;
    }
    Ok(())
}

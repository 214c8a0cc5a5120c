//! Mail by QMQP: from a host that keeps no queue to a mailbox here.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;
use testkit::instance::{Instance, Setup};

fn netstring(text: &str) -> String {
    format!("{}:{text},", text.len())
}

/// An instance that takes mail by QMQP.
fn instance(change: impl FnOnce(Setup) -> Setup) -> Result<(Instance, u16)> {
    let port = testkit::port::free_port()?;
    let setup = Setup::new()
        .main("qmqpd_authorized_clients", "127.0.0.1")
        .main("qmqpd_error_delay", "0")
        .master(&format!("127.0.0.1:{port} inet n - n - - qmqpd"));
    Ok((change(setup.virtual_mailboxes()?).start()?, port))
}

/// What the server says to some bytes.
fn answer(port: u16, bytes: &str) -> Result<String> {
    let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(bytes.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn one_message_comes_for_several_recipients() -> Result<()> {
    let (mail, port) = instance(|setup| setup)?;
    let text = "Subject: by qmqp\n\n.\nlast line";
    let [one, other] = ["one@virtual.example", "other@virtual.example"].map(netstring);
    let packet = [netstring(text), netstring("list-@a.example-@[]"), one, other].concat();
    let said = answer(port, &netstring(&packet))?;
    assert!(said.contains(":KOk: queued as "), "{said}");
    for user in ["one", "other"] {
        mail.wait_log(&[&format!("to=<{user}@virtual.example>"), "status=sent"], 1)?;
    }
    mail.wait_log(&["qmqpd", "client=localhost[127.0.0.1]"], 1)?;
    let delivered: Vec<String> = std::fs::read_dir(mail.root.join("mail/maildir/new"))?
        .map(|file| Ok(std::fs::read_to_string(file?.path())?))
        .collect::<Result<_>>()?;
    let delivered = delivered.concat();
    for expected in [
        "Return-Path: <list-one=virtual.example@a.example>",
        "Return-Path: <list-other=virtual.example@a.example>",
        " with QMQP\n\tid ",
        "\nSubject: by qmqp\n",
        "\n\n.\nlast line\n",
    ] {
        assert!(delivered.contains(expected), "{expected} is not in {delivered}");
    }
    Ok(())
}

#[test]
fn what_is_no_message_is_refused_and_leaves_nothing_behind() -> Result<()> {
    let (mail, port) = instance(|setup| setup.main("message_size_limit", "1000"))?;
    let (sender, recipient) = (netstring("a@a.example"), netstring("one@virtual.example"));
    let whole = |text: &str| netstring(&[netstring(text), sender.clone(), recipient.clone()].concat());
    for (bytes, expected) in [
        ("EHLO x\r\n".to_owned(), "58:Dnetstring format error while receiving QMQP packet header,"),
        (whole(&"x".repeat(1001)), "71:Dnetstring length exceeds storage limit while receiving message content,"),
        (whole(&"x\n".repeat(490)), "25:DError: message too large,"),
        (netstring(&[netstring("x\n"), sender.clone()].concat()), "31:DError: no recipients specified,"),
    ] {
        assert_eq!(answer(port, &bytes)?, expected);
    }
    // One that leaves in the middle.
    let begun = whole("Subject: x\n\nx\n");
    TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?.write_all(&begun.as_bytes()[..15])?;
    mail.wait_log(&["qmqpd", "lost connection while receiving message content"], 1)?;
    assert!(answer(port, &begun)?.contains(":KOk: queued as "));
    mail.wait_log(&["to=<one@virtual.example>", "status=sent"], 1)?;
    mail.wait("an empty queue", || mail.queue_is_empty())?;
    Ok(())
}

#[test]
fn only_authorised_clients_are_heard() -> Result<()> {
    let (mail, port) = instance(|setup| setup.main("qmqpd_authorized_clients", "192.0.2.1"))?;
    let refused = answer(port, "")?;
    assert_eq!(refused, "66:DError: localhost[127.0.0.1] is not authorized to use this service,");
    mail.wait_log(&["qmqpd", "disconnect from localhost[127.0.0.1]"], 1)?;
    assert!(!mail.log().contains("client=localhost"));
    Ok(())
}

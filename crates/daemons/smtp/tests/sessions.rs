//! Dialogues with scripted servers: what is said, in which order, and what is made of the replies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sasl::client::Authorization;
use sasl::mechanism::SecurityOptions;
use smtp::auth::{Auth, Dependence, Refusal};
use smtp::dane::Way;
use smtp::dialogue::{Dialect, Dialogue, Farewell};
use smtp::failure::Failure;
use smtp::flavor::Flavor;
use smtp::peer::Peer;
use smtp::pool::{Keeping, Pool};
use smtp::requiretls::{Breach, Enforcement};
use smtp::secure::{EarlyReplies, Shortfall, Terms, Tls};
use smtp::session::{Connected, Fitness, Login, Mirror, Ready};
use smtp::stream::Source;
use smtp::transaction::{Body, Broken, Envelope, Goal, Verdicts};
use table::{AddressFind, Environment, LocalDomains, Maps, Parents, PatternList};
use testkit::dialog;
use tls::client::{Client, Level, Policy};
use tls::loglevel::Loglevel;
use tls::material::Authorities;
use tls::protocols::Protocols;
use tls::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use dialect::dialect;

mod dialect;
mod secured;

struct Text(&'static [u8]);

impl Body for Text {
    async fn send(&mut self, dialogue: &mut Dialogue) -> Result<(), Failure> {
        dialogue.output().extend_from_slice(self.0);
        dialogue.drain().await
    }

    fn ends_in_newline(&self) -> bool {
        self.0.ends_with(b"\n")
    }
}

async fn ready(server: &dialog::Peer, flavor: Flavor) -> Result<Ready, Failure> {
    ready_in(server, dialect(flavor)).await
}

async fn ready_in(server: &dialog::Peer, dialect: Arc<Dialect>) -> Result<Ready, Failure> {
    let peer = Peer::inet("mx.test", server.address.ip(), server.address.port());
    let connected = Connected::open(&peer, &dialect, &Source::default()).await?;
    connected.greeting().await?.hello(Mirror::Final, "x.test").await
}

fn envelope(recipients: &[&str]) -> Envelope {
    let rcpt = recipients.iter().map(|to| format!("RCPT TO:<{to}>").into_bytes()).enumerate();
    Envelope { mail: b"MAIL FROM:<s@x>".to_vec(), rcpt: rcpt.collect(), ..Envelope::default() }
}

fn codes(list: &[(usize, smtp_proto::reply::Answer)]) -> Vec<(usize, u16)> {
    list.iter().map(|(number, answer)| (*number, answer.code)).collect()
}

#[tokio::test]
async fn commands_are_pipelined_and_replies_sorted() {
    let script = "S: 220 mx.test ESMTP\nC: EHLO me.test\nS: 250-mx.test\nS: 250 PIPELINING\n\
                  C: MAIL FROM:<s@x>\nC: RCPT TO:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\n\
                  S: 250 ok\nS: 250 ok\nS: 550 5.1.1 no b\nS: 354 go\n\
                  C: hello\nC: .\nS: 250 2.0.0 taken\n\
                  C: RSET\nC: MAIL FROM:<s@x>\nC: RCPT TO:<a@x>\nC: DATA\n\
                  S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: hello\nC: .\nS: 452 4.3.1 full\nC: QUIT\n";
    let server = dialog::Peer::listen(&[script]).unwrap();
    let mut ready = ready(&server, Flavor::Smtp).await.unwrap();
    let mut verdicts = Verdicts::default();
    ready.transact(&envelope(&["a@x", "b@x"]), &mut Text(b"hello\r\n"), &mut verdicts).await.unwrap();
    assert_eq!((codes(&verdicts.refused), codes(&verdicts.ended)), (vec![(1, 550)], vec![(0, 250)]));

    let mut verdicts = Verdicts::default();
    let again = ready.transact(&envelope(&["a@x"]), &mut Text(b"hello"), &mut verdicts).await;
    let Err(Broken::Failed(failure)) = again else { panic!("the message was refused") };
    let expected = format!("host {} said: 452 4.3.1 full (in reply to end of DATA command)", ready.peer());
    assert_eq!((failure.detail.reason, failure.detail.status.to_string()), (expected, "4.3.1".into()));
    ready.dialogue.quit(Farewell::Skip).await;
    server.finish().unwrap();
}

#[tokio::test]
async fn a_server_without_ehlo_is_greeted_with_helo_and_spoken_to_in_turns() {
    let script = "S: 220 mx.test\nC: EHLO me.test\nS: 502 what?\nC: HELO me.test\nS: 250 mx.test\n\
                  C: MAIL FROM:<s@x>\nS: 250 ok\nC: RCPT TO:<a@x>\nS: 450 later\nC: QUIT\n";
    let server = dialog::Peer::listen(&[script]).unwrap();
    let mut ready = ready(&server, Flavor::Smtp).await.unwrap();
    let mut verdicts = Verdicts::default();
    ready.transact(&envelope(&["a@x"]), &mut Text(b""), &mut verdicts).await.unwrap();
    assert_eq!(codes(&verdicts.refused), [(0, 450)]);
    ready.dialogue.quit(Farewell::Skip).await;
    server.finish().unwrap();
}

#[tokio::test]
async fn empty_lines_are_seen_by_the_filter_of_replies_only() {
    let script = "S: 220 mx.test\nC: EHLO me.test\nS: 250 mx.test\nC: MAIL FROM:<s@x>\nS: \nS: 250 ok\n\
                  C: RCPT TO:<a@x>\nS: \nS: 550 no\nC: QUIT\n";
    for (filter, said) in [("inline:{x=y}", "550 no"), ("pcre:{{/^$/ 550-well}}", "550-well\n550 no")] {
        let server = dialog::Peer::listen(&[script]).unwrap();
        let mut dialect = Arc::into_inner(dialect(Flavor::Smtp)).unwrap();
        dialect.reply_filter = Maps::open("smtp_reply_filter", &[filter], &Environment::default());
        let mut ready = ready_in(&server, Arc::new(dialect)).await.unwrap();
        let mut verdicts = Verdicts::default();
        ready.transact(&envelope(&["a@x"]), &mut Text(b""), &mut verdicts).await.unwrap();
        assert_eq!(verdicts.refused[0].1.text, said.as_bytes());
        ready.dialogue.quit(Farewell::Skip).await;
        server.finish().unwrap();
    }
}

#[tokio::test]
async fn no_more_of_a_reply_is_kept_than_a_line_may_have() {
    for (lines, kept) in [
        ("S: 550 5.1.1 abcdefghijk\n", "550 5.1.1 abcdefghij"),
        ("S: 550 5.1.1 abcdefghij\n", "550 5.1.1 abcdefghij"),
        ("S: 550-5.1.1 no\nS: 550 5.1.1 never\n", "550-5.1.1 no\n550 5.1"),
    ] {
        let script =
            "S: 220 mx.test\nC: EHLO me.test\nS: 250 mx.test\nC: MAIL FROM:<s@x>\nS: 250 ok\nC: RCPT TO:<a@x>\n";
        let script = format!("{script}{lines}C: QUIT\n");
        let server = dialog::Peer::listen(&[script.as_str()]).unwrap();
        let mut dialect = Arc::into_inner(dialect(Flavor::Smtp)).unwrap();
        dialect.reply_limit = 20;
        let mut ready = ready_in(&server, Arc::new(dialect)).await.unwrap();
        let mut verdicts = Verdicts::default();
        ready.transact(&envelope(&["a@x"]), &mut Text(b""), &mut verdicts).await.unwrap();
        let refusal = &verdicts.refused[0].1;
        assert_eq!((String::from_utf8_lossy(&refusal.text).as_ref(), refusal.code), (kept, 550));
        ready.dialogue.quit(Farewell::Skip).await;
        server.finish().unwrap();
    }
}

#[tokio::test]
async fn a_data_command_that_was_pipelined_in_vain_is_ended_at_once() {
    let script = "S: 220 mx.test\nC: EHLO me.test\nS: 250-mx.test\nS: 250 PIPELINING\n\
                  C: MAIL FROM:<s@x>\nC: RCPT TO:<a@x>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 354 go\n\
                  C: .\nS: 554 no recipients\nC: QUIT\n";
    let server = dialog::Peer::listen(&[script]).unwrap();
    let mut ready = ready(&server, Flavor::Smtp).await.unwrap();
    let mut verdicts = Verdicts::default();
    ready.transact(&envelope(&["a@x"]), &mut Text(b"never\r\n"), &mut verdicts).await.unwrap();
    assert_eq!(codes(&verdicts.refused), [(0, 550)]);
    ready.dialogue.quit(Farewell::Skip).await;
    server.finish().unwrap();
}

#[tokio::test]
async fn a_transaction_that_came_to_nothing_is_taken_back() {
    let taken_back = "C: RSET\nS: 250 ok\n";
    for (replies, end) in [
        ("S: 550 no\n", taken_back),
        ("S: 250 ok\nC: RCPT TO:<a@x>\nS: 550 no\n", taken_back),
        ("S: 250 ok\nC: RCPT TO:<a@x>\nS: 250 ok\nC: DATA\nS: 450 no\n", taken_back),
        ("S: 250 ok\nC: RCPT TO:<a@x>\nS: 250 ok\nC: DATA\nS: 354 go\nC: x\nC: .\nS: 550 no\n", ""),
        ("S: 250 ok\nC: RCPT TO:<a@x>\nS: 250 ok\nC: DATA\nS: 354 go\nC: x\nC: .\nS: 250 ok\n", ""),
    ] {
        let script =
            format!("S: 220 mx.test\nC: EHLO me.test\nS: 250 mx.test\nC: MAIL FROM:<s@x>\n{replies}{end}C: QUIT\n");
        let server = dialog::Peer::listen(&[&script]).unwrap();
        let mut ready = ready(&server, Flavor::Smtp).await.unwrap();
        let _ = ready.transact(&envelope(&["a@x"]), &mut Text(b"x\r\n"), &mut Verdicts::default()).await;
        ready.abandon().await;
        ready.dialogue.quit(Farewell::Skip).await;
        server.finish().unwrap();
    }
}

#[tokio::test]
async fn a_session_in_which_somebody_was_misunderstood_is_not_used_again() {
    for (first, end, expected) in [
        ("S: 501 what\n", "S: 250 ok\n", Fitness::Spent),
        ("S: 550 no\n", "S: 250 ok\n", Fitness::Fit),
        ("S: 421 bye\n", "S: 250 ok\n", Fitness::Spent),
        ("S: 250 ok\n", "S: 555 what\n", Fitness::Spent),
        ("S: 250 ok\n", "S: 554 no\n", Fitness::Fit),
    ] {
        let script = format!(
            "S: 220 mx.test\nC: EHLO me.test\nS: 250 mx.test\nC: MAIL FROM:<s@x>\nS: 250 ok\nC: RCPT TO:<a@x>\n{first}\
             C: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 354 go\nC: x\nC: .\n{end}"
        );
        let server = dialog::Peer::listen(&[&script]).unwrap();
        let mut ready = ready(&server, Flavor::Smtp).await.unwrap();
        let _ = ready.transact(&envelope(&["a@x", "b@x"]), &mut Text(b"x\r\n"), &mut Verdicts::default()).await;
        assert_eq!(ready.fitness, expected, "{script}");
        server.finish().unwrap();
    }
}

#[tokio::test]
async fn lmtp_answers_for_each_recipient() {
    let script = "S: 220 mx.test\nC: LHLO me.test\nS: 250 mx.test\n\
                  C: MAIL FROM:<s@x>\nS: 250 ok\nC: RCPT TO:<a@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\n\
                  C: DATA\nS: 354 go\nC: x\nC: .\nS: 250 ok\nS: 552 full\n";
    let server = dialog::Peer::listen(&[script]).unwrap();
    let mut ready = ready(&server, Flavor::Lmtp).await.unwrap();
    let mut verdicts = Verdicts::default();
    ready.transact(&envelope(&["a@x", "b@x"]), &mut Text(b"x\r\n"), &mut verdicts).await.unwrap();
    assert_eq!(codes(&verdicts.ended), [(0, 250), (1, 552)]);
    server.finish().unwrap();
}

#[tokio::test]
async fn servers_that_will_not_talk() {
    for (script, status, words) in [
        ("S: 554 5.3.2 no\n", "4.3.2", "host * refused to talk to me: 554 5.3.2 no"),
        ("S: 421 busy\n", "4.0.0", "host * refused to talk to me: 421 busy"),
        ("S: 354 go\n", "5.5.0", "host * refused to talk to me: 354 go"),
        ("S: 220 x\nC: EHLO me.test\nS: 421 busy\n", "4.0.0", "host * refused to talk to me: 421 busy"),
        (
            "S: 220 x\nC: EHLO me.test\nS: 550 a\nC: HELO me.test\nS: 550 5.7.1 b\n",
            "5.7.1",
            "host * refused to talk to me: 550 5.7.1 b",
        ),
        ("S: 220 x\nC: EHLO me.test\nS: 250 Me.Test hello\n", "5.4.6", "mail for x.test loops back to myself"),
        ("S: 220 x\nC: EHLO me.test\n", "4.4.2", "lost connection with * while performing the EHLO handshake"),
    ] {
        let server = dialog::Peer::listen(&[script]).unwrap();
        let Err(failure) = ready(&server, Flavor::Smtp).await else { panic!("{script}") };
        let detail = failure.detail;
        assert_eq!(detail.status.to_string(), status, "{script}");
        assert!(dialog::matches(words, &detail.reason), "{}", detail.reason);
    }
}

#[tokio::test]
async fn a_server_that_knows_only_helo_may_have_our_name() {
    let script = "S: 220 x\nC: EHLO me.test\nS: 502 what?\nC: HELO me.test\nS: 250 me.test\nC: QUIT\n";
    let server = dialog::Peer::listen(&[script]).unwrap();
    ready(&server, Flavor::Smtp).await.unwrap().dialogue.quit(Farewell::Skip).await;
    server.finish().unwrap();
}

#[tokio::test]
async fn recipients_refused_before_the_connection_broke_are_known() {
    let script = "S: 220 x\nC: EHLO me.test\nS: 250 mx.test\nC: MAIL FROM:<s@x>\nS: 250 ok\n\
                  C: RCPT TO:<a@x>\nS: 550 no\nC: RCPT TO:<b@x>\n";
    let server = dialog::Peer::listen(&[script]).unwrap();
    let mut ready = ready(&server, Flavor::Smtp).await.unwrap();
    let mut verdicts = Verdicts::default();
    let broken = ready.transact(&envelope(&["a@x", "b@x"]), &mut Text(b""), &mut verdicts).await;
    let Err(Broken::Failed(failure)) = broken else { panic!("the connection broke") };
    assert!(dialog::matches("lost connection with * while sending RCPT TO", &failure.detail.reason));
    assert_eq!(codes(&verdicts.refused), [(0, 550)]);
}

/// More than the system takes on its own account.
struct Plenty;

impl Body for Plenty {
    async fn send(&mut self, dialogue: &mut Dialogue) -> Result<(), Failure> {
        for _ in 0..1000 {
            dialogue.output().extend_from_slice(&[b'x'; 60_000]);
            dialogue.drain().await?;
        }
        Ok(())
    }

    fn ends_in_newline(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_a_message_counts_although_the_server_hangs_up() {
    for (said, expected) in [
        ("S: 552 5.3.4 too big\n", "host * said: 552 5.3.4 too big (in reply to end of DATA command)"),
        ("S: 250 2.0.0 enough\n", "lost connection with * while sending message body"),
        ("", "lost connection with * while sending message body"),
    ] {
        let script = format!(
            "S: 220 x\nC: EHLO me.test\nS: 250 mx.test\nC: MAIL FROM:<s@x>\nS: 250 ok\n\
             C: RCPT TO:<a@x>\nS: 250 ok\nC: DATA\nS: 354 go\n{said}"
        );
        let server = dialog::Peer::listen(&[&script]).unwrap();
        let mut ready = ready(&server, Flavor::Smtp).await.unwrap();
        let broken = ready.transact(&envelope(&["a@x"]), &mut Plenty, &mut Verdicts::default()).await;
        let Err(Broken::Failed(failure)) = broken else { panic!("the connection broke") };
        assert!(dialog::matches(expected, &failure.detail.reason), "{}", failure.detail.reason);
    }
}

#[tokio::test]
async fn a_refused_sender_stays_refused_when_the_server_hangs_up() {
    let offer = "S: 220 x\nC: EHLO me.test\nS: 250-mx.test\nS: 250 PIPELINING\n\
                 C: MAIL FROM:<s@x>\nC: RCPT TO:<a@x>\nC: DATA\nS: 550 5.7.1 not you\n";
    for rest in ["", "S: 503 no\nS: 354 go\nC: .\n"] {
        let script = format!("{offer}{rest}");
        let server = dialog::Peer::listen(&[&script]).unwrap();
        let mut ready = ready(&server, Flavor::Smtp).await.unwrap();
        let sent = ready.transact(&envelope(&["a@x"]), &mut Text(b"never\r\n"), &mut Verdicts::default()).await;
        let Err(Broken::Failed(failure)) = sent else { panic!("the sender was refused") };
        let expected = "host * said: 550 5.7.1 not you (in reply to MAIL FROM command)";
        assert!(dialog::matches(expected, &failure.detail.reason), "{}", failure.detail.reason);
        assert_eq!(ready.fitness, Fitness::Spent);
        server.finish().unwrap();
    }
}

#[test]
fn only_a_probe_for_data_ends_well_with_go_on() {
    let answer = |code| smtp_proto::reply::Answer { code, status: None, text: format!("{code} x").into_bytes() };
    for (goal, code, met) in [
        (Goal::Send, 250, true),
        (Goal::Send, 354, false),
        (Goal::ProbeRcpt, 354, false),
        (Goal::ProbeData, 354, true),
        (Goal::ProbeData, 250, false),
    ] {
        assert_eq!(goal.is_met_by(&answer(code)), met, "{goal:?} {code}");
    }
}

#[tokio::test]
async fn what_follows_a_message_that_nobody_was_taken_for_begins_anew() {
    let script = "S: 220 x\nC: EHLO me.test\nS: 250 mx.test\nC: MAIL FROM:<s@x>\nS: 250 ok\nC: RCPT TO:<a@x>\nS: 550 no\n\
                  C: RSET\nS: 250 ok\nC: MAIL FROM:<s@x>\nS: 250 ok\nC: RCPT TO:<a@x>\nS: 550 no\nC: QUIT\n";
    let server = dialog::Peer::listen(&[script]).unwrap();
    let mut ready = ready(&server, Flavor::Smtp).await.unwrap();
    let keeping = Keeping { idle: Duration::ZERO, age: Duration::ZERO, reuses: 1, farewell: Farewell::Skip };
    for again in [true, false] {
        ready.transact(&envelope(&["a@x"]), &mut Text(b""), &mut Verdicts::default()).await.unwrap();
        assert_eq!(keeping.allows(&ready), again);
    }
    ready.dialogue.quit(Farewell::Skip).await;
    server.finish().unwrap();
}

#[tokio::test]
async fn what_we_do_not_understand_ends_a_login() {
    let odd = "AUTH LOGIN\nC: AUTH LOGIN\nS: 334 !!!\n";
    let long = "AUTH PLAIN\nC: AUTH PLAIN AHVzZXIAd29yZA==\nS: 334 \n";
    for (filter, passwords, rest, reason) in [
        (
            "login",
            "static:user:word",
            odd,
            "SASL authentication failed; cannot authenticate to server *: bad protocol / cancel",
        ),
        (
            "plain",
            "static:user:word",
            long,
            "SASL authentication failed; cannot authenticate to server *: generic failure",
        ),
        (
            "!login",
            "static:user:word",
            "AUTH LOGIN\n",
            "SASL authentication failed: server * offered no compatible authentication mechanisms for *",
        ),
        ("login", "fail:", "AUTH LOGIN\n", "local data error while talking to *"),
    ] {
        let script = format!("S: 220 x\nC: EHLO me.test\nS: 250-mx.test\nS: 250 {rest}C: QUIT\n");
        let environment = Environment::default();
        let list = |name, words: &[&str]| PatternList::open(name, words, Parents::Dotted, &environment);
        let auth = Auth {
            passwords: Maps::open("smtp_sasl_password_maps", &[passwords], &environment),
            find: AddressFind {
                recipient_delimiter: String::new(),
                myorigin: "me.test".into(),
                local: LocalDomains::new(list("mydestination", &[]), Vec::new()),
            },
            dependence: Dependence::Destination,
            delimiter: ":".into(),
            filter: list("smtp_sasl_mechanism_filter", &[filter]),
            plain_options: SecurityOptions::default(),
            tls_options: SecurityOptions::default(),
            verified_options: SecurityOptions::default(),
            authorization: Authorization::Unsaid,
            refusal: Refusal::Waits,
            cache: None,
        };
        let server = dialog::Peer::listen(&[&script]).unwrap();
        let mut ready = ready(&server, Flavor::Smtp).await.unwrap();
        let failure = auth.authenticate(&mut ready, b"s@x", "x.test").await.unwrap_err();
        assert!(dialog::matches(reason, &failure.detail.reason), "{}", failure.detail.reason);
        assert_eq!(ready.login, Login::Anonymous);
        ready.dialogue.quit(Farewell::Skip).await;
        server.finish().unwrap();
    }
}

#[tokio::test]
async fn without_authorities_mail_that_needs_no_tls_goes_in_plain() {
    let tls = secured::client(None);
    let script = "S: 220 x\nC: EHLO me.test\nS: 250-mx.test\nS: 250 STARTTLS\n";
    for (level, failure) in [
        (Level::None, None),
        (Level::May, None),
        (Level::Encrypt, Some("4.7.5 TLS is required, but our TLS engine is unavailable")),
    ] {
        let leave = if failure.is_some() { "C: QUIT\n" } else { "" };
        let server = dialog::Peer::listen(&[&format!("{script}{leave}")]).unwrap();
        let session = established(&tls, server.address, level, Enforcement::None).await;
        assert_eq!(session.err().as_deref(), failure, "{level:?}");
        server.finish().unwrap();
    }
}

/// A session of a level, or why there is none.
async fn established(tls: &Tls, address: SocketAddr, level: Level, enforcement: Enforcement) -> Result<Ready, String> {
    let peer = Peer::inet("mx.test", address.ip(), address.port());
    let connected = Connected::open(&peer, &dialect(Flavor::Smtp), &Source::default()).await;
    let policy = Policy::new(level, Protocols::parse(">=TLSv1.2").map_err(|error| error.to_string())?);
    let terms = Terms { enforcement, way: Way::Sure, forced: None, report: None };
    let greeting = smtp::secure::Greeting { mirror: Mirror::Harmless, nexthop: "x.test", terms };
    let connected = connected.map_err(|failure| failure.detail.reason)?;
    tls.establish(connected, &policy, greeting).await.map_err(|shortfall| match shortfall {
        Shortfall::PlainWillDo(failure) => format!("in plain: {}", failure.detail.reason),
        Shortfall::Failed(failure) | Shortfall::Unsafe(Breach { failure, .. }) => {
            format!("{} {}", failure.detail.status, failure.detail.reason)
        }
    })
}

#[tokio::test]
async fn a_server_without_the_tls_that_is_needed_is_taken_leave_of() {
    let tls = secured::client(Some(Client::new(Authorities::none(), None)));
    let without = "S: 250-mx.test\nS: 250 REQUIRETLS\nC: QUIT\n";
    let unwilling = "S: 250-mx.test\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 not now\nC: QUIT\n";
    let never = "S: 250-mx.test\nS: 250 STARTTLS\nC: STARTTLS\nS: 502 no\nC: QUIT\n";
    let request = "REQUIRETLS Failure: sender requested REQUIRETLS, but";
    let offered = format!("5.7.30 {request} TLS service was not offered by host *");
    let started = format!("5.7.10 {request} host * refused to start TLS: 454 4.7.0 not now");
    for (enforcement, rest, reason) in [
        (Enforcement::None, without, "4.7.4 TLS is required, but was not offered by host *"),
        (Enforcement::None, unwilling, "4.7.0 TLS is required, but host * refused to start TLS: 454 4.7.0 not now"),
        (Enforcement::None, never, "5.0.0 TLS is required, but host * refused to start TLS: 502 no"),
        (Enforcement::Opportunistic, without, "4.7.4 TLS is required, but was not offered by host *"),
        (Enforcement::Starttls, without, offered.as_str()),
        (Enforcement::Full, unwilling, started.as_str()),
    ] {
        let script = format!("S: 220 x\nC: EHLO me.test\n{rest}");
        let server = dialog::Peer::listen(&[&script]).unwrap();
        let session = established(&tls, server.address, Level::Encrypt, enforcement).await;
        let Err(why) = session else { panic!("{rest}") };
        assert!(dialog::matches(reason, &why), "{why}");
        server.finish().unwrap();
    }
}

/// A server of one session under TLS, which replies to STARTTLS and to the greeting in it with these.
async fn secured_server(replies: [&'static str; 2]) -> Option<SocketAddr> {
    let (server, listener) = (secured::server().ok()?, TcpListener::bind("127.0.0.1:0").await.ok()?);
    let address = listener.local_addr().ok()?;
    tokio::spawn(async move { serve(&server, &listener, replies).await });
    Some(address)
}

async fn serve(server: &Server, listener: &TcpListener, [go_on, reply]: [&str; 2]) -> Option<()> {
    let (mut stream, _) = listener.accept().await.ok()?;
    let mut line = [0; 512];
    for answer in ["220 mx.test ESMTP\r\n", "250-mx.test\r\n250 STARTTLS\r\n", go_on] {
        stream.write_all(answer.as_bytes()).await.ok()?;
        if answer != go_on {
            stream.read(&mut line).await.ok().filter(|length| *length > 0)?;
        }
    }
    let (mut stream, _) = server.accept(stream, Duration::from_secs(9)).await.ok()?;
    stream.read(&mut line).await.ok().filter(|length| *length > 0)?;
    stream.write_all(reply.as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    // Until the client leaves, or at once without a word.
    while !reply.is_empty() && stream.read(&mut line).await.is_ok_and(|length| length > 0) {}
    Some(())
}

#[tokio::test]
async fn replies_that_come_too_early_within_tls_may_be_refused() {
    let (plain, early) = ("250 mx.test\r\n", "250 mx.test\r\n250 2.1.0 Ok\r\n");
    for (blocked, reply, refusal) in [
        (EarlyReplies::Refused, plain, None),
        (EarlyReplies::Taken, early, None),
        (EarlyReplies::Refused, early, Some("4.7.0 unexpected server message")),
    ] {
        let tls = Tls { early: blocked, ..secured::client(Some(Client::new(Authorities::none(), None))) };
        let session =
            established(&tls, secured_server(["220 go on\r\n", reply]).await.unwrap(), Level::May, Enforcement::None)
                .await;
        assert_eq!(session.err().as_deref(), refusal, "{blocked:?} {reply}");
    }
}

#[tokio::test]
async fn what_comes_in_clear_behind_the_invitation_to_tls_is_not_heard() {
    let tls = secured::client(Some(Client::new(Authorities::none(), None)));
    let address = secured_server(["220 go on\r\n250 mx.test\r\n", "250 mx.test\r\n"]).await.unwrap();
    let ready = established(&tls, address, Level::Encrypt, Enforcement::None).await;
    assert!(ready.is_ok_and(|ready| ready.trust.is_some()));
}

#[tokio::test]
async fn a_session_knows_what_the_log_says_where_it_is_used_again() {
    let tls = secured::client(Some(Client::new(Authorities::none(), None)));
    for (loglevel, expected) in [(Loglevel::Handshakes, true), (Loglevel::Nothing, false)] {
        let address = secured_server(["220 go on\r\n", "250 mx.test\r\n"]).await.unwrap();
        let ready =
            established(&Tls { loglevel, ..tls.clone() }, address, Level::May, Enforcement::None).await.unwrap();
        let start = format!("Untrusted TLS connection reused to mx.test[127.0.0.1]:{}: TLSv1.3 with", address.port());
        assert_eq!(ready.reused.is_some_and(|words| words.starts_with(&start)), expected);
    }
}

#[tokio::test]
async fn plain_may_do_where_a_server_finds_fault_with_the_handshake() {
    let tls = secured::client(Some(Client::new(Authorities::none(), None)));
    let lost = "lost connection with * while performing the EHLO handshake";
    for (level, expected) in [(Level::May, format!("in plain: {lost}")), (Level::Encrypt, format!("4.4.2 {lost}"))] {
        let address = secured_server(["220 go on\r\n", ""]).await.unwrap();
        let why = established(&tls, address, level, Enforcement::None).await.err().unwrap();
        assert!(dialog::matches(&expected, &why), "{why}");
    }
}

#[tokio::test]
async fn a_kept_connection_is_given_away_once_and_left_when_its_time_is_over() {
    let script = "S: 220 mx.test ESMTP\nC: EHLO me.test\nS: 250 mx.test\nC: QUIT\n";
    let first = dialog::Peer::listen(&[script]).unwrap();
    let second = dialog::Peer::listen(&[script]).unwrap();
    let hasty = dialog::Peer::listen(&["S: 220 x\nC: EHLO me.test\nS: 250 x\nS: 421 bye\n"]).unwrap();
    let idle = Duration::from_millis(50);
    let keeping = Keeping { idle, age: Duration::ZERO, reuses: 0, farewell: Farewell::Skip };
    let pool = Arc::new(Pool::default());
    pool.keep("a.test".into(), ready(&first, Flavor::Smtp).await.unwrap(), keeping);
    pool.keep("b.test".into(), ready(&second, Flavor::Smtp).await.unwrap(), keeping);
    let Some(again) = pool.take("a.test") else { panic!("it is kept") };
    assert!(pool.take("a.test").is_none());
    tokio::time::sleep(idle * 2).await;
    assert!(pool.take("b.test").is_none());
    tokio::task::spawn_blocking(|| second.finish()).await.unwrap().unwrap();
    pool.keep("a.test".into(), again, keeping);
    pool.keep("c.test".into(), ready(&hasty, Flavor::Smtp).await.unwrap(), keeping);
    assert!(pool.take("c.test").is_none());
    tokio::time::sleep(idle * 2).await;
    assert!(pool.take("a.test").is_none());
    tokio::task::spawn_blocking(|| first.finish()).await.unwrap().unwrap();
    hasty.finish().unwrap();
}

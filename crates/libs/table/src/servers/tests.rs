//! Tests of the choice of servers, with servers that are numbers.
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Server `n` refuses connections while bit `n` of `down` is set; a session breaks when its bit is set later.
#[derive(Default)]
struct Numbers {
    down: AtomicUsize,
    opened: AtomicUsize,
    broken: AtomicUsize,
}

impl Protocol for Numbers {
    type Host = usize;
    type Session = (usize, usize);
    type Question = ();
    type Reply = usize;

    async fn open(&self, host: &usize) -> Result<(usize, usize), Failure> {
        if self.down.load(Ordering::SeqCst) >> host & 1 == 1 {
            return Err(Failure::Down("refused".to_owned()));
        }
        Ok((*host, self.opened.fetch_add(1, Ordering::SeqCst)))
    }

    async fn ask(&self, (host, number): &mut (usize, usize), (): &()) -> Result<usize, Failure> {
        let is_broken = *number < self.broken.load(Ordering::SeqCst);
        if is_broken { Err(Failure::Down("broken".to_owned())) } else { Ok(*host) }
    }
}

fn servers(count: usize, retry: Duration) -> Servers<Numbers> {
    let second = Duration::from_secs(1);
    let limits = Limits { order: Order::Chance, connect: second, answer: second, idle: 60 * second, retry };
    Servers::new(Numbers::default(), (0..count).map(|number| (number, false)).collect(), limits)
}

fn ask(servers: &Servers<Numbers>) -> Result<usize, Error> {
    crate::block_on(servers.ask("test:x", &()))
}

#[test]
fn a_dead_server_is_set_aside_and_the_other_asked() {
    let servers = servers(2, Duration::from_secs(60));
    servers.protocol.down.store(0b01, Ordering::SeqCst);
    for _ in 0..10 {
        assert_eq!(ask(&servers), Ok(1));
    }
    // Connections are kept.
    assert_eq!(servers.protocol.opened.load(Ordering::SeqCst), 1);
    // The other one breaks too: whatever was set aside is not asked, and the failure is temporary.
    servers.protocol.down.store(0b11, Ordering::SeqCst);
    servers.protocol.broken.store(9, Ordering::SeqCst);
    let error = ask(&servers).unwrap_err();
    assert_eq!(error.class, crate::Class::Temporary);
    servers.protocol.down.store(0, Ordering::SeqCst);
    assert_eq!(ask(&servers).unwrap_err().to_string(), "no server is available");
}

#[test]
fn a_server_that_comes_back_is_asked_again() {
    let servers = servers(1, Duration::ZERO);
    servers.protocol.down.store(1, Ordering::SeqCst);
    assert_eq!(ask(&servers).unwrap_err().to_string(), "refused");
    servers.protocol.down.store(0, Ordering::SeqCst);
    assert_eq!(ask(&servers), Ok(0));
    // A kept connection that broke meanwhile is replaced without an error.
    servers.protocol.broken.store(1, Ordering::SeqCst);
    assert_eq!(ask(&servers), Ok(0));
}

#[test]
fn idle_connections_are_closed() {
    let mut servers = servers(1, Duration::ZERO);
    servers.limits.idle = Duration::from_millis(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        assert_eq!(servers.ask("test:x", &()).await, Ok(0));
        let server = Arc::downgrade(&servers.servers[0]);
        assert!(server.upgrade().unwrap().state().is_watched);
        // The watch looks by the runtime's clock, connections age by the system's.
        while server.upgrade().unwrap().state().is_watched {
            sleep(Duration::from_secs(1)).await;
        }
        assert!(server.upgrade().unwrap().state().idle.is_empty());
    });
}

#[test]
fn servers_are_named_in_several_ways() {
    for (text, expected, host) in [
        ("db.example", "db.example:1", "db.example"),
        ("db.example:7", "db.example:7", "db.example"),
        ("inet:db.example:7", "db.example:7", "db.example"),
        ("[::1]", "[::1]:1", "::1"),
        ("inet:[::1]:7", "[::1]:7", "::1"),
        ("::1", "[::1]:1", "::1"),
        ("unix:/run/db", "unix:/run/db", ""),
    ] {
        let endpoint = endpoint(text, 1);
        assert_eq!((endpoint.to_string().as_str(), host_name(&endpoint)), (expected, host), "{text}");
    }
}

//! Plain text in both directions, until the caller or the client ends.
//!
//! The caller decides: when it closes, what it has said still goes out, encrypted, and the client learns that this was the end. When the
//! client closes, the caller learns so and may still say something. A client that is silent is the caller's to send away, with words of its
//! own; only where the caller does not, the limit here holds.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Passed on at once, at most.
const PIECE: usize = 8 * 1024;

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The caller has closed, or the connection to the client broke.
    Closed,
    /// The client neither read nor wrote for too long.
    Timeout,
}

/// Passes text on to the end. `limit` is what the caller leaves the client for each command: a write may take as long, a read twice that.
pub(crate) async fn run<C, P>(client: C, caller: P, limit: Duration) -> End
where
    C: AsyncRead + AsyncWrite + Unpin,
    P: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_caller, mut to_caller) = tokio::io::split(caller);
    let inward = async {
        let end = inward(&mut from_client, &mut to_caller, limit.saturating_mul(2)).await;
        // The caller sees the end, and closes as well.
        let _ = to_caller.shutdown().await;
        end
    };
    let outward = async {
        let end = outward(&mut from_caller, &mut to_client, limit).await;
        if end == End::Closed {
            // The client is told that nothing was cut off; it may not listen any more.
            let _ = timeout(limit, to_client.shutdown()).await;
        }
        end
    };
    tokio::pin!(inward, outward);
    tokio::select! {
        end = &mut outward => end,
        end = &mut inward => match end {
            End::Timeout => end,
            End::Closed => timeout(limit, outward).await.unwrap_or(End::Timeout),
        },
    }
}

/// From the client to the caller. A caller that does not read holds the client up.
async fn inward(client: &mut (impl AsyncRead + Unpin), caller: &mut (impl AsyncWrite + Unpin), limit: Duration) -> End {
    let mut piece = vec![0; PIECE];
    loop {
        let count = match timeout(limit, client.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) => return End::Closed,
            Ok(Ok(count)) => count,
            Err(_) => return End::Timeout,
        };
        if caller.write_all(piece.get(..count).unwrap_or_default()).await.is_err() {
            return End::Closed;
        }
    }
}

/// From the caller to the client. The caller has its own limits for what it waits for.
async fn outward(
    caller: &mut (impl AsyncRead + Unpin),
    client: &mut (impl AsyncWrite + Unpin),
    limit: Duration,
) -> End {
    let mut piece = vec![0; PIECE];
    loop {
        let count = match caller.read(&mut piece).await {
            Ok(0) | Err(_) => return End::Closed,
            Ok(count) => count,
        };
        let sent = timeout(limit, async {
            client.write_all(piece.get(..count).unwrap_or_default()).await?;
            client.flush().await
        });
        match sent.await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Closed,
            Err(_) => return End::Timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    const LONG: Duration = Duration::from_secs(100);

    #[tokio::test(start_paused = true)]
    async fn text_goes_both_ways_until_the_caller_closes() {
        let (mut client, near) = duplex(64);
        let (mut caller, far) = duplex(64);
        let relay = tokio::spawn(run(near, far, LONG));
        let mut text = [0; 6];
        client.write_all(b"NOOP\r\n").await.unwrap();
        caller.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"NOOP\r\n");
        caller.write_all(b"250 2.0.0 Ok\r\n221 Bye\r\n").await.unwrap();
        drop(caller);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"250 2.0.0 Ok\r\n221 Bye\r\n");
        assert_eq!(relay.await.unwrap(), End::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn the_caller_learns_that_the_client_has_left() {
        let (client, near) = duplex(64);
        let (mut caller, far) = duplex(64);
        let relay = tokio::spawn(run(near, far, LONG));
        drop(client);
        assert_eq!(caller.read(&mut [0; 8]).await.unwrap(), 0);
        drop(caller);
        assert_eq!(relay.await.unwrap(), End::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_not_waited_for() {
        let (client, near) = duplex(64);
        let (caller, far) = duplex(64);
        assert_eq!(run(near, far, LONG).await, End::Timeout);
        drop((client, caller));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_not_waited_for() {
        let (mut client, near) = duplex(64);
        let (mut caller, far) = duplex(64);
        let relay = tokio::spawn(run(near, far, LONG));
        tokio::spawn(async move { while caller.write_all(&[7; 64]).await.is_ok() {} });
        // It goes on talking, which does not help.
        let talk = async {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(LONG / 20).await;
            }
        };
        let (end, ()) = tokio::join!(relay, talk);
        assert_eq!(end.unwrap(), End::Timeout);
    }
}

//! The answering side of services whose requests are numbered: many in progress, replies in any order.

use crate::caller::InAnyOrder;
use crate::{Channel, Error, Protocol};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::time::Duration;
use tokio::net::UnixStream;

/// Requests of one connection that may be in progress; the next is not read before one has ended.
const IN_PROGRESS: usize = 256;

/// Answers a connection until its caller closes it. Replies that are ready in one turn go out in one write.
///
/// # Errors
/// The connection broke, or the caller sent what is not `P`.
pub async fn answer<P, F, R>(stream: UnixStream, deadline: Duration, handle: F) -> Result<(), Error>
where
    P: Protocol,
    F: Fn(P::Request) -> R,
    R: Future<Output = P::Reply>,
{
    answer_until::<P, _, _>(stream, deadline, std::future::pending(), handle).await
}

/// As [`answer`]; once `stop` is done the connection ends as soon as nothing is in progress.
///
/// # Errors
/// The connection broke, or the caller sent what is not `P`.
pub async fn answer_until<P, F, R>(
    stream: UnixStream,
    deadline: Duration,
    stop: impl Future<Output = ()>,
    handle: F,
) -> Result<(), Error>
where
    P: Protocol,
    F: Fn(P::Request) -> R,
    R: Future<Output = P::Reply>,
{
    let mut stop = std::pin::pin!(stop);
    let mut channel = Channel::accept::<InAnyOrder<P>>(stream, deadline).await?;
    let numbered = |(number, request)| {
        let reply = handle(request);
        async move { (number, reply.await) }
    };
    let mut progress = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(reply) = progress.next() => channel.send(&reply)?,
            request = channel.receive(), if progress.len() < IN_PROGRESS => match request? {
                Some(request) => progress.push(numbered(request)),
                None => break,
            },
            () = &mut stop, if progress.is_empty() => break,
        }
        // Whatever else is at hand joins the same write.
        while let Some(Some(reply)) = futures_util::FutureExt::now_or_never(progress.next()) {
            channel.send(&reply)?;
        }
        if !channel.is_ready() {
            channel.flush().await?;
        }
    }
    while let Some(reply) = progress.next().await {
        channel.send(&reply)?;
    }
    channel.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anvil::{Anvil, Event, Reply, Request};
    use crate::{Caller, blocking};

    /// Every other answer is late.
    async fn count(request: Request) -> Reply {
        if request.event == Event::Mail {
            tokio::task::yield_now().await;
        }
        Reply { connects: u32::try_from(request.identity.len()).unwrap_or(0), ..Reply::default() }
    }

    async fn serve(path: &std::path::Path) -> tokio::task::JoinHandle<()> {
        let listener = tokio::net::UnixListener::bind(path).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer::<Anvil, _, _>(stream, Duration::from_secs(5), count));
            }
        })
    }

    fn request(length: usize) -> Request {
        let event = if length.is_multiple_of(2) { Event::Mail } else { Event::Connect };
        Request { identity: "x".repeat(length), event }
    }

    #[tokio::test]
    async fn each_caller_gets_its_own_answer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anvil");
        let _server = serve(&path).await;
        let caller = Caller::<Anvil>::new(&path, Duration::from_secs(5));
        let calls = (0..500).map(|length| {
            let caller = caller.clone();
            async move { (length, caller.call(request(length)).await.unwrap().connects as usize) }
        });
        for (asked, answered) in futures_util::future::join_all(calls).await {
            assert_eq!(asked, answered);
        }
    }

    #[tokio::test]
    async fn a_missing_service_is_an_error_and_a_later_call_connects() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anvil");
        let caller = Caller::<Anvil>::new(&path, Duration::from_secs(5));
        assert!(matches!(caller.call(request(1)).await, Err(Error::Connect { .. })));
        let _server = serve(&path).await;
        assert_eq!(caller.call(request(3)).await.unwrap().connects, 3);
    }

    #[tokio::test]
    async fn a_blocking_caller_is_answered_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anvil");
        let _server = serve(&path).await;
        let asked = tokio::task::spawn_blocking(move || {
            let mut caller = blocking::Caller::<Anvil>::new(&path, Duration::from_secs(5));
            (caller.call(request(2)).unwrap().connects, caller.call(request(5)).unwrap().connects)
        });
        assert_eq!(asked.await.unwrap(), (2, 5));
    }
}

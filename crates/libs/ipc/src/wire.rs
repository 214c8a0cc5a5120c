//! A Unix-domain stream that wakes its process for what there is to read, and for room to write only while it waits for that.
//!
//! The kernel tells a writer each time that its peer has read something. A stream that always listens for it wakes the process
//! once more for every frame it has sent, which costs more than sending it.

use bytes::BytesMut;
use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::task::{Context, Poll, Waker};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Read at once, at most.
const READ: usize = 16 * 1024;

thread_local! {
    /// Where to read to, for all streams of a thread: of its own, each would clear as much for every short frame.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

#[derive(Debug)]
pub(crate) struct Wire(AsyncFd<UnixStream>);

impl Wire {
    pub(crate) async fn connect(path: &Path) -> io::Result<Self> {
        Self::over(tokio::net::UnixStream::connect(path).await?)
    }

    pub(crate) fn over(stream: tokio::net::UnixStream) -> io::Result<Self> {
        Ok(Self(watch(stream.into_std()?, Interest::READABLE)?))
    }

    /// Appends what there is to read, or a good part of it; 0 at the end. Nothing is lost if this is cancelled.
    pub(crate) async fn read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|stream| read_now(stream.get_ref(), buffer)) {
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Ok(count)) if (1..READ).contains(&count) => {
                    // That was all: what comes next makes it ready anew, and nobody has to read to know that there is nothing.
                    ready.clear_ready();
                    return Ok(count);
                }
                Ok(result) => return result,
                Err(_) => {}
            }
        }
    }

    /// Writes what there is room for, waiting until there is some. Nothing is written if this is cancelled.
    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.get_ref().write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let room = watch(self.0.get_ref().try_clone()?, Interest::WRITABLE)?;
                    let _ready = room.writable().await?;
                }
                result => return result,
            }
        }
    }

    /// Whether the peer has closed, or spoke: a byte may be lost then.
    pub(crate) fn has_news(&self) -> bool {
        match self.0.poll_read_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => false,
            Poll::Ready(Err(_)) => true,
            Poll::Ready(Ok(mut ready)) => ready.try_io(|stream| stream.get_ref().read(&mut [0])).is_ok(),
        }
    }
}

/// Appends what there is to read, or a good part of it; 0 at the end.
pub(crate) fn read_now(mut stream: &UnixStream, buffer: &mut BytesMut) -> io::Result<usize> {
    ROOM.with_borrow_mut(|room| {
        let count = stream.read(room)?;
        buffer.extend_from_slice(room.get(..count).unwrap_or_default());
        Ok(count)
    })
}

#[expect(deprecated, reason = "the replacement is unsafe for descriptors that lie; only owned streams come here")]
fn watch<T: AsFd + AsRawFd>(stream: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(stream, interest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Wire, Wire) {
        let (one, other) = tokio::net::UnixStream::pair().unwrap();
        (Wire::over(one).unwrap(), Wire::over(other).unwrap())
    }

    #[tokio::test]
    async fn a_full_stream_is_waited_for() {
        let (one, other) = pair();
        let sent = vec![7; 3_000_000];
        let write = async {
            let mut done = 0;
            while done < sent.len() {
                done += one.write(&sent[done..]).await.unwrap();
            }
            drop(one);
        };
        let read = async {
            let mut heard = BytesMut::new();
            while other.read(&mut heard).await.unwrap() > 0 {}
            heard
        };
        let ((), heard) = tokio::join!(write, read);
        assert!(heard == sent);
    }

    #[tokio::test]
    async fn a_short_read_misses_nothing() {
        let (one, other) = pair();
        let (full, mut heard) = (vec![7; READ], BytesMut::new());
        for part in [&b"ab"[..], b"c", &full, b"d", &full, &full, b"e"] {
            let (sent, read) = tokio::join!(one.write(part), other.read(&mut heard));
            assert_eq!((sent.unwrap(), read.unwrap()), (part.len(), part.len()));
        }
        drop(one);
        assert_eq!(other.read(&mut heard).await.unwrap(), 0);
        assert_eq!(heard.len(), 5 + 3 * READ);
    }

    #[tokio::test]
    async fn news_are_an_end_or_a_byte() {
        let (one, other) = pair();
        assert!(!one.has_news());
        assert_eq!(other.write(b"x").await.unwrap(), 1);
        assert_eq!(one.read(&mut BytesMut::new()).await.unwrap(), 1);
        assert!(!one.has_news());
        drop(other);
        // The end is known once the event loop has run.
        tokio::time::timeout(std::time::Duration::from_secs(5), async {
            while !one.has_news() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}

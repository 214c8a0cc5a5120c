//! Waiting for an answer in a program without a runtime.
//!
//! Nearly every lookup answers at the first poll, without any runtime. For the others one runtime per thread is
//! made at the first need, and kept, because connections of network tables belong to it.

use std::cell::OnceCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::Error;

thread_local! {
    static RUNTIME: OnceCell<Option<Runtime>> = const { OnceCell::new() };
}

/// Waits for a future of this crate.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return output;
    }
    RUNTIME.with(|runtime| {
        let runtime = runtime.get_or_init(|| Builder::new_current_thread().enable_all().build().ok());
        match runtime {
            Some(runtime) => runtime.block_on(future),
            // Out of descriptors: futures that need no runtime still end.
            None => spin(future),
        }
    })
}

/// Waits likewise where a runtime may be running, which cannot wait for itself: then on a thread of its own.
pub(crate) fn block_apart<T: Send>(
    table: &str,
    future: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    if Handle::try_current().is_err() {
        return block_on(future);
    }
    let ended = std::thread::scope(|scope| {
        let waiting = std::thread::Builder::new().spawn_scoped(scope, || block_on(future));
        waiting.ok().and_then(|waiting| waiting.join().ok())
    });
    ended.unwrap_or_else(|| Err(Error::temporary(table, "no thread to wait for the answer")))
}

fn spin<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
        std::thread::yield_now();
    }
}

/// Ends when it is polled inside a runtime. Futures that need one start with this, so that [`block_on`] can try
/// without.
pub(crate) struct Inside;

impl Future for Inside {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Handle::try_current().is_ok() {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

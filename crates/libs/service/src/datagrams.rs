//! Reads the datagrams of a service, in bursts.

use crate::Service;
use crate::accept::{pause_after, watch};
use crate::life::Life;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFdReadyGuard;
use tokio::time::sleep;

/// Between two looks. It is shorter than the system's queue takes to fill up in ordinary times; after that senders wait, and
/// put more into each.
const PAUSE: Duration = Duration::from_millis(2);
/// Datagrams that are handed on together, at most: each may have 32 KiB.
const IN_A_ROW: usize = 64;
/// The longest datagram.
const LONGEST: usize = 64 * 1024;

/// Hands on what comes.
pub(crate) async fn read<S: Service>(service: Arc<S>, life: Life, socket: OwnedFd) {
    let mut buffer = vec![0; LONGEST];
    // Watched only while datagrams are wanted: the process sleeps through a burst, which else would wake it with each.
    while let Ok(watched) = watch(socket.as_fd()) {
        let Ok(mut ready) = watched.readable().await else { return };
        // Whoever waits for room in the queue has it as soon as it is empty.
        while take(&*service, &mut ready, &mut buffer).await {
            tokio::task::yield_now().await;
        }
        drop(watched);
        // A reader of datagrams is idle only when none came for a while.
        life.touch();
        // They come in bursts, one from each daemon that a message passes: a moment later several are at hand.
        sleep(PAUSE).await;
    }
}

/// Takes what is at hand, up to a number; whether there may be more.
async fn take(service: &impl Service, ready: &mut AsyncFdReadyGuard<'_, BorrowedFd<'_>>, buffer: &mut [u8]) -> bool {
    let mut left = IN_A_ROW;
    while left > 0 {
        match ready.try_io(|socket| privsep::read(socket.get_ref(), buffer)) {
            Ok(Ok(count)) => {
                service.datagram(buffer.get(..count).unwrap_or_default());
                left -= 1;
            }
            Ok(Err(error)) => {
                pause_after(&error).await;
                break;
            }
            Err(_) => break,
        }
    }
    service.datagrams_end();
    left == 0
}

/// Hands on what came before the end; there may be no successor.
pub(crate) fn read_last(service: &impl Service, sockets: &[OwnedFd]) {
    let mut buffer = vec![0; LONGEST];
    for socket in sockets {
        while let Ok(count) = privsep::read(socket, &mut buffer) {
            service.datagram(buffer.get(..count).unwrap_or_default());
        }
        service.datagrams_end();
    }
}

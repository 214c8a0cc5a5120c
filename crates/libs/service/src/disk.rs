//! Disk work of a daemon.

use offload::Pace;

static FILES: Pace = Pace::of_files();

/// Does blocking work (directories, name service, files of any size) on the one pool of the process. A panic in there goes on
/// here.
pub async fn disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    offload::pool(work).await
}

/// Does a few system calls on a file or two: at once while this process has no other such work and the disk is quick, and
/// else on the pool, where much is under way together.
pub async fn file<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    FILES.run(work).await
}

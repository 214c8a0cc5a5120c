//! Disk work of a daemon.

use offload::Pace;

static FILES: Pace = Pace::of_files();

/// Measured apart: on many disks an `fsync` takes a hundred times as long as anything else.
static SYNCS: Pace = Pace::of_files();

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

/// Writes a file down and waits until it is on disk: at once while the disk is quick and nothing else is to be synchronised, and
/// else on the pool, where the disk hears of many at the same time.
pub async fn sync<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    SYNCS.run_side_by_side(work).await
}

//! Resource limits of the process.

use crate::{Error, ignore_signal};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

/// Raises the number of descriptors to what the system lets this process have; returns it.
///
/// # Errors
/// [`Error::Rights`].
pub fn allow_descriptors(wanted: u64) -> Result<u64, Error> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(Error::rights("read descriptor limit"))?;
    if soft >= wanted {
        return Ok(soft);
    }
    let new = wanted.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, new, hard).map_err(Error::rights("raise descriptor limit"))?;
    Ok(new)
}

/// Takes these permission bits away from files that are created from now on.
pub fn mask_files(bits: u32) {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(bits));
}

/// Lets no core file appear in the queue.
///
/// # Errors
/// [`Error::Rights`].
pub fn forbid_core_files() -> Result<(), Error> {
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE).map_err(Error::rights("read core limit"))?;
    setrlimit(Resource::RLIMIT_CORE, 0, hard).map_err(Error::rights("set core limit"))
}

/// Makes a file that grows beyond what is allowed an error of the write, in this process and in programs that it executes, and
/// not their end.
///
/// # Errors
/// [`Error::Rights`].
pub fn survive_file_size_limit() -> Result<(), Error> {
    ignore_signal(Signal::SIGXFSZ)
}

/// Lets no file grow beyond so many bytes.
pub(crate) fn limit_file_size(bytes: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE)?;
    setrlimit(Resource::RLIMIT_FSIZE, bytes.min(hard), hard)
}

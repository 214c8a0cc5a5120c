//! What a process gives back when it comes to rest: pages of memory that waiting does not need.

use nix::libc;
use std::ffi::{c_int, c_void};
use std::time::Duration;

/// How long nothing must have happened before the first rest of a process, and at most before a later one.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const PAUSE: Duration = Duration::from_secs(1);
/// What is looked at of the stack: more than a birth needs.
const STACK: usize = 512 * 1024;

/// The rests of a process. Its birth and first work leave the most behind, so it rests soon at first, and later only when
/// nothing has happened for a while: what it needs again costs a little time.
#[derive(Debug)]
pub struct Rest {
    pause: Duration,
}

impl Default for Rest {
    fn default() -> Self {
        Self { pause: FIRST_PAUSE }
    }
}

impl Rest {
    /// How long nothing is to happen before [`Rest::begin`].
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// The process was not idle for so long.
    pub fn put_off(&mut self) {
        self.pause = (self.pause * 2).min(PAUSE);
    }

    /// Gives back pages. Call it directly before the process waits.
    pub fn begin(&mut self) {
        self.put_off();
        release_pages();
    }
}

/// Gives back the pages of the program's code and constants, what is free in the heap, and the unused part of the stack. Code
/// that is needed again is mapped again from the page cache.
fn release_pages() {
    // SAFETY: the function has no preconditions; it gives back what nobody has allocated.
    unsafe { libc::malloc_trim(0) };
    // SAFETY: the callback has the type asked for and takes no data.
    unsafe { libc::dl_iterate_phdr(Some(release_text), std::ptr::null_mut()) };
    release_stack();
}

/// Of the first object, which is the program, the segments that nobody can have written to.
unsafe extern "C" fn release_text(object: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: the loader passes a valid object for the time of the call.
    let object = unsafe { &*object };
    if object.dlpi_phdr.is_null() {
        return 1;
    }
    // SAFETY: its headers are an array of that many entries.
    let headers = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0) {
        let (Some(page), Ok(size)) = (page_size(), usize::try_from(header.p_memsz)) else { continue };
        let Ok(start) = usize::try_from(object.dlpi_addr.wrapping_add(header.p_vaddr)) else { continue };
        // Whole pages only: the first and the last may belong to a neighbour.
        let first = start.next_multiple_of(page);
        let length = (start + size).saturating_sub(first) / page * page;
        // SAFETY: the range lies in a private mapping of the program's file that is never written to, so that what is dropped is
        // read again, the same, from the file.
        unsafe { libc::madvise(first as *mut c_void, length, libc::MADV_DONTNEED) };
    }
    1
}

/// Of the main thread, the stack below what is in use.
#[inline(never)]
fn release_stack() {
    let Some(page) = page_size() else { return };
    if nix::unistd::gettid() != nix::unistd::getpid() {
        return;
    }
    let here = 0_u8;
    // Two pages are left to this function and to what it calls.
    let end = ((&raw const here as usize) / page).saturating_sub(2) * page;
    let mut start = end;
    while end - start < STACK && is_mapped(start.saturating_sub(page), page) {
        start -= page;
    }
    // SAFETY: the pages are the stack's, since they lie without a gap below the part in use, and the system keeps a gap below
    // them. Nothing lives below the stack pointer of the only thread that uses this stack, but for what this function calls, which
    // has two pages.
    unsafe { libc::madvise(start as *mut c_void, end - start, libc::MADV_DONTNEED) };
}

fn is_mapped(at: usize, page: usize) -> bool {
    let mut resident = 0;
    // SAFETY: the call looks at one page, whatever is there, and writes one byte about it.
    unsafe { libc::mincore(at as *mut c_void, page, &raw mut resident) == 0 }
}

fn page_size() -> Option<usize> {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten()?;
    usize::try_from(size).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of this program's code that are mapped into this process, in KiB.
    fn resident() -> u64 {
        let own = std::env::current_exe().unwrap();
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut lines = maps.lines();
        while let Some(line) = lines.next() {
            if line.contains("r-xp") && line.ends_with(own.to_str().unwrap()) {
                let rss = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
                return rss.trim().trim_end_matches(" kB").parse().unwrap();
            }
        }
        panic!("no code of this program");
    }

    #[test]
    fn code_is_given_back_and_still_runs() {
        let before = resident();
        Rest::default().begin();
        assert!(resident() < before, "{before}");
    }

    #[test]
    fn pauses_grow_up_to_a_second() {
        let mut rest = Rest::default();
        let mut pauses = Vec::new();
        for _ in 0..11 {
            pauses.push(rest.pause().as_millis());
            rest.begin();
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000]);
    }
}

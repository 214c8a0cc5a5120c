//! The program's own pages in memory.

use nix::libc;
use std::ffi::{c_int, c_void};

/// Gives back the pages of the program's code and constants: a process that waits has then only those that waiting needs, not
/// all that its birth went through. What is needed again is mapped again from the page cache. Call it once, when births are over.
pub fn release_text() {
    // SAFETY: the callback has the type asked for and takes no data.
    unsafe { libc::dl_iterate_phdr(Some(release), std::ptr::null_mut()) };
}

/// Of the first object, which is the program, the segments that nobody can have written to.
unsafe extern "C" fn release(object: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
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
        release_text();
        assert!(resident() < before, "{before}");
    }
}

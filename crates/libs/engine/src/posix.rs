//! POSIX regular expressions, as the C library understands them.

use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;

/// More than the C library's own structure needs.
#[repr(C, align(16))]
struct RegexT([u8; 128]);

#[repr(C)]
#[derive(Clone, Copy)]
struct RegmatchT {
    start: c_int,
    end: c_int,
}

#[cfg(target_env = "gnu")]
const GROUPS_AT: usize = 6 * size_of::<usize>();
#[cfg(not(target_env = "gnu"))]
const GROUPS_AT: usize = 0;

const REG_EXTENDED: c_int = 1;
const REG_ICASE: c_int = 2;
const REG_NEWLINE: c_int = 4;
const REG_NOSUB: c_int = 8;
const REG_NOMATCH: c_int = 1;

unsafe extern "C" {
    fn regcomp(regex: *mut RegexT, pattern: *const c_char, flags: c_int) -> c_int;
    fn regexec(regex: *const RegexT, text: *const c_char, count: usize, groups: *mut RegmatchT, flags: c_int) -> c_int;
    fn regerror(code: c_int, regex: *const RegexT, buffer: *mut c_char, size: usize) -> usize;
    fn regfree(regex: *mut RegexT);
}

/// How a pattern is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Letters match without regard to case.
    pub ignore_case: bool,
    /// Extended syntax.
    pub extended: bool,
    /// `^` and `$` match at every line, `.` does not match line ends.
    pub newline: bool,
    /// Where groups matched is of no interest.
    pub only_whether: bool,
}

/// Where a group matched, if it did.
pub type Span = Option<(usize, usize)>;

/// A compiled pattern.
pub struct Regex {
    // The C library may keep addresses within it.
    regex: Box<RegexT>,
    groups: usize,
}

// SAFETY: a compiled pattern may be used from any thread; POSIX wants regexec() to be thread-safe.
unsafe impl Send for Regex {}
// SAFETY: as above.
unsafe impl Sync for Regex {}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// What the C library says about it.
    pub fn new(pattern: &CStr, flags: Flags) -> Result<Self, String> {
        let mut bits = 0;
        for (on, bit) in [
            (flags.extended, REG_EXTENDED),
            (flags.ignore_case, REG_ICASE),
            (flags.newline, REG_NEWLINE),
            (flags.only_whether, REG_NOSUB),
        ] {
            if on {
                bits |= bit;
            }
        }
        let mut regex = Box::new(RegexT([0; 128]));
        // SAFETY: `regex` has room for the library's structure, `pattern` ends with NUL; both outlive the call.
        let code = unsafe { regcomp(&raw mut *regex, pattern.as_ptr(), bits) };
        if code != 0 {
            return Err(error_text(code, &regex));
        }
        let count = regex.0.get(GROUPS_AT..GROUPS_AT + size_of::<usize>()).and_then(|bytes| bytes.try_into().ok());
        let groups = count.map_or(0, usize::from_ne_bytes);
        Ok(Self { regex, groups })
    }

    /// How many groups the pattern has.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Whether the text matches; `spans` then tells where the whole pattern and its first groups did.
    ///
    /// # Errors
    ///
    /// What the C library says, such as that memory ran out.
    pub fn matches(&self, text: &CStr, spans: &mut [Span]) -> Result<bool, String> {
        let mut found = [MaybeUninit::<RegmatchT>::uninit(); MAX_SPANS];
        let count = spans.len().min(MAX_SPANS);
        let groups = if count == 0 { std::ptr::null_mut() } else { found.as_mut_ptr().cast() };
        // SAFETY: the pattern is compiled, the text ends with NUL, and `found` has room for `count` groups.
        let code = unsafe { regexec(&raw const *self.regex, text.as_ptr(), count, groups, 0) };
        match code {
            0 => {}
            REG_NOMATCH => return Ok(false),
            _ => return Err(error_text(code, &self.regex)),
        }
        for (span, found) in spans.iter_mut().zip(found.iter().take(count)) {
            // SAFETY: after a match the library has filled all groups that it was given.
            let found = unsafe { found.assume_init() };
            *span = match (usize::try_from(found.start), usize::try_from(found.end)) {
                (Ok(start), Ok(end)) => Some((start, end)),
                _ => None,
            };
        }
        Ok(true)
    }
}

/// The most groups of which places are told.
pub const MAX_SPANS: usize = 100;

fn error_text(code: c_int, regex: &RegexT) -> String {
    let mut buffer = [0_u8; 256];
    // SAFETY: the buffer is as large as is said; the library ends the text with NUL within it.
    unsafe { regerror(code, regex, buffer.as_mut_ptr().cast(), buffer.len()) };
    let text = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
    text.to_string_lossy().into_owned()
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: the pattern was compiled by `new`, and is freed once.
        unsafe { regfree(&raw mut *self.regex) };
    }
}

impl std::fmt::Debug for Regex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Regex").field("groups", &self.groups).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: Flags = Flags { ignore_case: true, extended: true, newline: false, only_whether: false };

    #[test]
    fn longest_alternative_wins() {
        let regex = Regex::new(c"(a|ab)(c|bcd)?", FLAGS).unwrap();
        assert_eq!(regex.groups(), 2);
        let mut spans = [None; 3];
        assert_eq!(regex.matches(c"xABCD", &mut spans), Ok(true));
        assert_eq!(spans, [Some((1, 5)), Some((1, 2)), Some((2, 5))]);
        assert_eq!(regex.matches(c"xyz", &mut spans), Ok(false));
    }

    #[test]
    fn mistakes_are_explained() {
        assert_eq!(Regex::new(c"(", FLAGS).unwrap_err(), "Unmatched ( or \\(");
    }
}

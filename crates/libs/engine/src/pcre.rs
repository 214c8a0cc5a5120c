//! Perl-compatible regular expressions over bytes (PCRE2, 8 bit, no UTF).

use std::ptr::null_mut;
use std::sync::Mutex;

use pcre2_sys as sys;

/// How a pattern is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u32);

impl Flags {
    /// Letters match without regard to case.
    pub const CASELESS: Self = Self(sys::PCRE2_CASELESS);
    /// `.` matches line ends too.
    pub const DOTALL: Self = Self(sys::PCRE2_DOTALL);
    /// White space and comments in the pattern do not count.
    pub const EXTENDED: Self = Self(sys::PCRE2_EXTENDED);
    /// `^` and `$` match at every line.
    pub const MULTILINE: Self = Self(sys::PCRE2_MULTILINE);
    /// Matches only at the start.
    pub const ANCHORED: Self = Self(sys::PCRE2_ANCHORED);
    /// `$` matches only at the very end.
    pub const DOLLAR_ENDONLY: Self = Self(sys::PCRE2_DOLLAR_ENDONLY);
    /// Repetitions take as little as they can.
    pub const UNGREEDY: Self = Self(sys::PCRE2_UNGREEDY);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The other way around where `other` is set.
    #[must_use]
    pub const fn toggled(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

/// Where a group matched, if it did.
pub type Span = Option<(usize, usize)>;

/// A compiled pattern.
pub struct Regex {
    code: *mut sys::pcre2_code_8,
    groups: usize,
    /// Room for places of groups; kept between matches.
    room: Mutex<Room>,
}

struct Room(*mut sys::pcre2_match_data_8);

// SAFETY: match data belongs to whoever holds it; nothing in it is tied to a thread.
unsafe impl Send for Room {}
// SAFETY: compiled code is not changed by matching, and `room` is behind a lock.
unsafe impl Send for Regex {}
// SAFETY: as above.
unsafe impl Sync for Regex {}

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where in the pattern.
    pub offset: usize,
    /// What is wrong.
    pub text: String,
}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn new(pattern: &[u8], flags: Flags) -> Result<Self, Mistake> {
        let (mut code, mut offset) = (0, 0);
        // SAFETY: the pattern is as long as is said; the other pointers are to live values or null, as allowed.
        let compiled = unsafe {
            sys::pcre2_compile_8(pattern.as_ptr(), pattern.len(), flags.0, &raw mut code, &raw mut offset, null_mut())
        };
        if compiled.is_null() {
            return Err(Mistake { offset, text: error_text(code) });
        }
        // Without a compiler for this machine the interpreter does the work.
        // SAFETY: `compiled` is a valid pattern that nobody else uses yet.
        unsafe { sys::pcre2_jit_compile_8(compiled, sys::PCRE2_JIT_COMPLETE) };
        let mut count: u32 = 0;
        // SAFETY: this query writes one u32 to the place given.
        unsafe { sys::pcre2_pattern_info_8(compiled, sys::PCRE2_INFO_CAPTURECOUNT, (&raw mut count).cast()) };
        // SAFETY: `compiled` is valid; null selects the ordinary allocator.
        let room = unsafe { sys::pcre2_match_data_create_from_pattern_8(compiled, null_mut()) };
        let regex = Self { code: compiled, groups: usize::try_from(count).unwrap_or(0), room: Mutex::new(Room(room)) };
        if room.is_null() {
            return Err(Mistake { offset: 0, text: "out of memory".to_owned() });
        }
        Ok(regex)
    }

    /// How many groups the pattern has.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Whether the text matches; `spans` then tells where the whole pattern and its first groups did.
    ///
    /// # Errors
    ///
    /// What PCRE2 says, such as that the search would take too long.
    pub fn matches(&self, text: &[u8], spans: &mut [Span]) -> Result<bool, String> {
        let room = self.room.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // SAFETY: code and match data were made for each other, the text is as long as is said, and the lock
        // keeps other threads off the match data.
        let result = unsafe { sys::pcre2_match_8(self.code, text.as_ptr(), text.len(), 0, 0, room.0, null_mut()) };
        if result == sys::PCRE2_ERROR_NOMATCH {
            return Ok(false);
        }
        if result < 0 {
            return Err(error_text(result));
        }
        if spans.is_empty() {
            return Ok(true);
        }
        // SAFETY: the match data is valid.
        let count = unsafe { sys::pcre2_get_ovector_count_8(room.0) };
        // SAFETY: the match data is valid.
        let pairs = unsafe { sys::pcre2_get_ovector_pointer_8(room.0) };
        // SAFETY: the vector has two numbers for each of its pairs, and lives as long as the match data.
        let pairs = unsafe { std::slice::from_raw_parts(pairs, 2 * usize::try_from(count).unwrap_or(0)) };
        let set = usize::try_from(result).unwrap_or(0);
        let mut pairs = pairs.chunks_exact(2).take(set);
        for span in spans {
            *span = match pairs.next() {
                Some([start, end]) if start <= end && *end <= text.len() => Some((*start, *end)),
                _ => None,
            };
        }
        Ok(true)
    }
}

fn error_text(code: i32) -> String {
    let mut buffer = [0_u8; 256];
    // SAFETY: the buffer is as large as is said; the text ends with NUL within it.
    unsafe { sys::pcre2_get_error_message_8(code, buffer.as_mut_ptr(), buffer.len()) };
    let text = std::ffi::CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
    text.to_string_lossy().into_owned()
}

impl Drop for Regex {
    fn drop(&mut self) {
        let room = self.room.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // SAFETY: made by `new`, freed once; null is allowed.
        unsafe { sys::pcre2_match_data_free_8(room.0) };
        // SAFETY: made by `new`, freed once.
        unsafe { sys::pcre2_code_free_8(self.code) };
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

    #[test]
    fn groups_are_placed() {
        let regex = Regex::new(b"(a)(b)?(c)", Flags::CASELESS.and(Flags::DOTALL)).unwrap();
        assert_eq!(regex.groups(), 3);
        let mut spans = [None; 5];
        assert_eq!(regex.matches(b"x\xffAC", &mut spans), Ok(true));
        assert_eq!(spans, [Some((2, 4)), Some((2, 3)), None, Some((3, 4)), None]);
        assert_eq!(regex.matches(b"", &mut spans), Ok(false));
    }

    #[test]
    fn mistakes_have_a_place() {
        let mistake = Regex::new(b"(", Flags::default()).unwrap_err();
        assert_eq!(mistake, Mistake { offset: 1, text: "missing closing parenthesis".to_owned() });
    }

    #[test]
    fn endless_searches_end() {
        let regex = Regex::new(b"(a+)+$", Flags::default()).unwrap();
        assert!(regex.matches(format!("{}b", "a".repeat(60)).as_bytes(), &mut []).is_err());
    }
}

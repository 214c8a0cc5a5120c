//! A table that could not be opened. Whoever needs it has no answer, and the process is to make room for one that
//! tries again: nobody tells it that the file is there by now, which may lie outside its jail.

use std::time::{Duration, Instant};

use crate::Error;
use crate::error::Class;

/// How long a process does without the table before another one tries to open it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no table, and since when.
pub(crate) struct Broken {
    pub(crate) error: Error,
    since: Instant,
}

impl Broken {
    /// Whether it is time to try again. What is wrong in the configuration stays so until a reload.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due_at(Instant::now())
    }

    fn is_due_at(&self, now: Instant) -> bool {
        self.error.class == Class::Temporary && now.saturating_duration_since(self.since) >= PATIENCE
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self { error, since: Instant::now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Maps, Parents, PatternList, open};

    #[test]
    fn a_missing_file_is_looked_for_again_and_a_mistake_is_not() {
        for (spec, again) in [("texthash:/nonexistent/x", true), ("hash:/nonexistent/x", true), ("foo:x", false)] {
            let broken = Broken::from(open(spec, &Environment::default()).err().unwrap());
            assert!(!broken.is_due(), "{spec}");
            assert_eq!(broken.is_due_at(broken.since + PATIENCE), again, "{spec}");
        }
    }

    #[test]
    fn lists_wait_before_they_try_again() {
        let environment = Environment::default();
        let specs = ["texthash:/nonexistent/x", "/nonexistent/y"];
        assert!(!Maps::open("test_maps", &specs, &environment).changed());
        assert!(!PatternList::open("test_list", &specs, Parents::Dotted, &environment).changed());
    }
}

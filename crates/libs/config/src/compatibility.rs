//! Compatibility levels: `major`, `major.minor` or `major.minor.patch`, compared number by number.

use std::fmt;
use std::str::FromStr;

/// A compatibility level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Level {
    major: u32,
    minor: u32,
    patch: u32,
}

/// A text that is no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed compatibility level syntax: \"{0}\"")]
pub struct Malformed(pub String);

impl Level {
    /// The level with these numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }
}

impl FromStr for Level {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed(text.to_owned());
        let mut numbers = [0; 3];
        let mut places = numbers.iter_mut();
        for part in text.split('.') {
            let place = places.next().ok_or_else(malformed)?;
            if !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(malformed());
            }
            *place = part.parse().map_err(|_| malformed())?;
        }
        let [major, minor, patch] = numbers;
        Ok(Self { major, minor, patch })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.major)?;
        if self.minor != 0 || self.patch != 0 {
            write!(f, ".{}", self.minor)?;
        }
        if self.patch != 0 {
            write!(f, ".{}", self.patch)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_compare_by_number() {
        let level = |text: &str| text.parse::<Level>().unwrap();
        assert!(level("3.10") > level("3.9"));
        assert!(level("3") < level("3.0.1"));
        assert_eq!(level("3.6"), level("3.6.0"));
        assert_eq!(level("3.6").to_string(), "3.6");
        for bad in ["", "3.x", "-3", "3.6.1.2", "3.", ".3", "99999999999", "+3"] {
            assert!(bad.parse::<Level>().is_err(), "{bad}");
        }
    }
}

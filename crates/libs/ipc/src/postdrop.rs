//! What postdrop(1) tells its caller on standard output: the queue id when the file is there, and how it ended.
//!
//! Lists of attributes: each name and each value ends with a null byte, and so does each list. Postfix's programs say the same.

use std::io::{self, BufRead};

/// The name of what is spoken, in the first list.
const NAME: &str = "postdrop_protocol";

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The message is on disk.
    Queued,
    /// It is too large.
    TooLarge,
    /// Anything else: no more is known.
    Failed,
}

impl Verdict {
    /// The number of a verdict, which is postdrop's exit status too.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::TooLarge => 4,
            Self::Failed => 1,
        }
    }
}

/// The first list: the file that is being written.
#[must_use]
pub fn greeting(queue_id: &str) -> Vec<u8> {
    format!("protocol\0{NAME}\0queue_id\0{queue_id}\0\0").into_bytes()
}

/// The last list.
#[must_use]
pub fn farewell(verdict: Verdict) -> Vec<u8> {
    format!("status\0{}\0reason\0\0\0", verdict.status()).into_bytes()
}

/// Reads the queue id.
///
/// # Errors
/// The input ends, or something else is said.
pub fn read_greeting(input: &mut impl BufRead) -> io::Result<String> {
    let list = read_list(input)?;
    if value(&list, "protocol") != Some(NAME) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    value(&list, "queue_id").map(str::to_owned).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Reads how it ended. Where that is not said, it failed.
pub fn read_farewell(input: &mut impl BufRead) -> Verdict {
    let list = read_list(input).unwrap_or_default();
    let known = [Verdict::Queued, Verdict::TooLarge];
    let status = value(&list, "status").and_then(|status| status.parse().ok());
    known.into_iter().find(|verdict| status == Some(verdict.status())).unwrap_or(Verdict::Failed)
}

/// How long a name or value may be, and how many of them there may be.
const LONGEST: u64 = 1024;
const MOST: usize = 16;

fn read_list(input: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut list = Vec::new();
    while list.len() < MOST {
        let mut word = Vec::new();
        io::Read::take(&mut *input, LONGEST).read_until(0, &mut word)?;
        if word.pop() != Some(0) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // A value may be empty, a name may not.
        if word.is_empty() && list.len() % 2 == 0 {
            return Ok(list);
        }
        list.push(String::from_utf8_lossy(&word).into_owned());
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn value<'a>(list: &'a [String], name: &str) -> Option<&'a str> {
    list.chunks_exact(2).find(|pair| pair.first().is_some_and(|found| found == name))?.last().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        for verdict in [Verdict::Queued, Verdict::TooLarge, Verdict::Failed] {
            let said = [greeting("ABC"), farewell(verdict)].concat();
            let mut input = &said[..];
            assert_eq!(read_greeting(&mut input).unwrap(), "ABC");
            assert_eq!(read_farewell(&mut input), verdict);
            assert_eq!(read_farewell(&mut input), Verdict::Failed, "no word of success");
        }
    }

    #[test]
    fn the_bytes_are_those_of_postfix() {
        assert_eq!(greeting("ABC"), b"protocol\0postdrop_protocol\0queue_id\0ABC\0\0");
        assert_eq!(farewell(Verdict::Queued), b"status\x000\0reason\0\0\0");
    }

    #[test]
    fn anything_else_is_no_greeting() {
        let long = [&[b'x'; 5000][..], b"\0"].concat();
        for said in [
            &b""[..],
            b"queue_id\0ABC\0\0",
            b"protocol\0smtp\0queue_id\0A\0\0",
            b"protocol\0",
            &long,
            &[b'x', 0].repeat(90),
        ] {
            assert!(read_greeting(&mut &said[..]).is_err(), "{said:?}");
        }
    }
}

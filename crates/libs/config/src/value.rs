//! The kinds of values, and how each is parsed from expanded text.

use crate::row::Row;
use std::path::Path;
use std::str::FromStr;
use std::time;

/// A kind of value.
pub trait Value {
    /// What a parameter of this kind is in Rust.
    type Out: Default;
    /// Whether `$name` is expanded before the text is parsed.
    const EXPANDED: bool = true;

    /// Parses a text.
    ///
    /// # Errors
    /// What to tell the administrator.
    fn parse(text: &str, context: &Context<'_>) -> Result<Self::Out, String>;
}

/// What a value is parsed for.
pub struct Context<'a> {
    /// The row; its name may be the template of a family.
    pub row: &'a Row,
    /// The name under which the value was found.
    pub name: &'a str,
    /// The file that is complained about.
    pub file: &'a Path,
    /// The row's default, expanded: it decides on the unit of a time without one.
    pub default: &'a dyn Fn() -> String,
}

/// `yes` or `no`.
#[derive(Debug)]
pub struct Bool;
/// A whole number of at most 31 bits and a sign.
#[derive(Debug)]
pub struct Int;
/// A number that means nothing if it is negative, no more than 0 does.
#[derive(Debug)]
pub struct Size;
/// A time: a number and one of `s`, `m`, `h`, `d`, `w`.
#[derive(Debug)]
pub struct Duration;
/// Any text.
#[derive(Debug)]
pub struct Text;
/// The name of a host or domain.
#[derive(Debug)]
pub struct Host;
/// Any text, not expanded.
#[derive(Debug)]
pub struct Raw;
/// Words between commas and white space; what stands in `{ }` is one word.
#[derive(Debug)]
pub struct List;
/// As [`List`], of words that the row knows.
#[derive(Debug)]
pub struct Words;
/// As [`List`], of `type:name` tables.
#[derive(Debug)]
pub struct TableList;

impl Value for Bool {
    type Out = bool;

    fn parse(text: &str, context: &Context<'_>) -> Result<bool, String> {
        if text.eq_ignore_ascii_case("yes") {
            Ok(true)
        } else if text.eq_ignore_ascii_case("no") {
            Ok(false)
        } else {
            Err(format!("bad boolean configuration: {} = {text}", context.name))
        }
    }
}

impl Value for Int {
    type Out = i64;

    fn parse(text: &str, context: &Context<'_>) -> Result<i64, String> {
        number::<i32>(text, context)
    }
}

impl Value for Size {
    type Out = u64;

    fn parse(text: &str, context: &Context<'_>) -> Result<u64, String> {
        Ok(u64::try_from(number::<i64>(text, context)?).unwrap_or(0))
    }
}

impl Value for Duration {
    type Out = time::Duration;

    fn parse(text: &str, context: &Context<'_>) -> Result<time::Duration, String> {
        let bad = || format!("parameter {}: bad time value or unit: {text}", context.name);
        let seconds = seconds(text, context.default).ok_or_else(bad)?;
        let number = i64::from(seconds);
        match (context.row.min, context.row.max) {
            (Some(min), _) if number < min => Err(format!("invalid {}: {number} (min {min})", context.name)),
            (_, Some(max)) if number > max => Err(format!("invalid {}: {number} (max {max})", context.name)),
            _ => Ok(time::Duration::from_secs(u64::from(seconds))),
        }
    }
}

impl Value for Text {
    type Out = String;

    fn parse(text: &str, context: &Context<'_>) -> Result<String, String> {
        let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
        let say = |sign: char, bound: i64| {
            Err(format!("bad string length {length} {sign} {bound}: {} = {text}", context.name))
        };
        match (context.row.min, context.row.max) {
            (Some(min), _) if length < min => say('<', min),
            (_, Some(max)) if length > max => say('>', max),
            _ => Ok(text.to_owned()),
        }
    }
}

impl Value for Host {
    type Out = String;

    fn parse(text: &str, context: &Context<'_>) -> Result<String, String> {
        Text::parse(text, context)?;
        if is_host(text) {
            return Ok(text.to_owned());
        }
        let (file, name) = (context.file.display(), context.name);
        Err(format!("file {file}: parameter {name}: bad parameter value: {text}"))
    }
}

impl Value for Raw {
    type Out = String;
    const EXPANDED: bool = false;

    fn parse(text: &str, context: &Context<'_>) -> Result<String, String> {
        Text::parse(text, context)
    }
}

impl Value for List {
    type Out = Vec<String>;

    fn parse(text: &str, context: &Context<'_>) -> Result<Vec<String>, String> {
        Text::parse(text, context)?;
        Ok(words(text))
    }
}

impl Value for Words {
    type Out = Vec<String>;

    fn parse(text: &str, context: &Context<'_>) -> Result<Vec<String>, String> {
        let words = List::parse(text, context)?;
        match words.iter().find(|word| !context.row.words.split(' ').any(|known| known == *word)) {
            Some(word) => Err(format!("unknown {} value \"{word}\" in \"{text}\"", context.name)),
            None => Ok(words),
        }
    }
}

impl Value for TableList {
    type Out = Vec<String>;

    fn parse(text: &str, context: &Context<'_>) -> Result<Vec<String>, String> {
        List::parse(text, context)
    }
}

/// A number of as many bits as `N` has, within the bounds of its row.
fn number<N: FromStr + Into<i64>>(text: &str, context: &Context<'_>) -> Result<i64, String> {
    let bad = |_| format!("bad numerical configuration: {} = {text}", context.name);
    let number = text.trim().parse::<N>().map_err(bad)?.into();
    let say = |sign: char, bound: i64| Err(format!("invalid {} parameter value {number} {sign} {bound}", context.name));
    match (context.row.min, context.row.max) {
        // Nobody is told that a number is negative: it is as good as none.
        (Some(0), _) if number < 0 => Ok(0),
        (Some(min), _) if number < min => say('<', min),
        (_, Some(max)) if number > max => say('>', max),
        _ => Ok(number),
    }
}

/// A time outside main.cf, such as one in a table: seconds where no unit is given.
#[must_use]
pub fn duration(text: &str) -> Option<time::Duration> {
    seconds(text, &|| String::from("s")).map(|seconds| time::Duration::from_secs(u64::from(seconds)))
}

/// Splits a list at white space and commas. What stands between balanced braces is kept together.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut depth = 0_u32;
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' | ' ' | '\t' | '\r' | '\n' if depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(character);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The content of a word in braces, without them and the white space within their ends.
#[must_use]
pub fn unbraced(word: &str) -> Option<&str> {
    Some(word.strip_prefix('{')?.strip_suffix('}')?.trim())
}

/// Undoes the backslashes of a text that is written as strings in C are: `\n` and its kin, up to three octal digits, of which the
/// lowest eight bits count, and any other character after its own backslash. One at the end is nothing.
#[must_use]
pub fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.extend(bytes.next().map(|byte| match byte {
            b'0'..=b'7' => {
                let more = std::iter::from_fn(|| bytes.next_if(|digit| (b'0'..=b'7').contains(digit))).take(2);
                more.fold(byte - b'0', |value, digit| (value << 3) | (digit - b'0'))
            }
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            other => other,
        }));
    }
    out
}

/// Whether a text can be the name of a host: labels of letters, digits, hyphens and underlines, not all of them digits.
fn is_host(text: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || !c.is_ascii();
    let is_label = |label: &str| {
        let edges = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && label.len() <= 63 && !edges && label.chars().all(is_plain)
    };
    let numeric = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.len() <= 255 && !numeric && text.split('.').all(is_label)
}

/// The seconds of a time, at most what 31 bits hold.
fn seconds(text: &str, default: &dyn Fn() -> String) -> Option<u32> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u32 = number.parse().ok()?;
    let unit = match unit {
        "" => default().chars().find(char::is_ascii_alphabetic).unwrap_or('s'),
        // What follows is not looked at: `${name}h` holds where the name is `2h`.
        _ => unit.chars().next()?,
    };
    let scale = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(scale).filter(|seconds| i32::try_from(*seconds).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_unit_of_a_time_does_not_count() {
        for (text, expected) in
            [("1dx", Some(86400)), ("2hh", Some(7200)), ("1d x", Some(86400)), ("1 h", None), ("1x", None), ("x", None)]
        {
            assert_eq!(duration(text), expected.map(time::Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn backslashes_are_those_of_c() {
        for (text, expected) in [
            ("a\\r\\n\\q!", &b"a\r\nq!"[..]),
            ("\\0a\\177\\\\", b"\0a\x7f\\"),
            ("\\1011\\18", b"A1\x018"),
            ("\\777\\400", b"\xff\0"),
            ("\\8\\x41", b"8x41"),
            ("X\\", b"X"),
        ] {
            assert_eq!(unescaped(text), expected, "{text}");
        }
    }
}

//! The protocol of Redis, version 2: commands, and the values of answers.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::link::malformed;

/// The longest line that announces something.
const LONGEST_LINE: u64 = 4096;
/// How much an answer may hold in all.
const LARGEST: usize = 16 * 1024 * 1024;
/// How many values it may have, however nested.
const MOST_VALUES: usize = 100_000;

/// A command, each word with its length.
pub(super) fn command(words: &[String]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    text.into_bytes()
}

/// The values of an answer, lists of lists in one; or the server's word that it is an error.
pub(super) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Result<Vec<Vec<u8>>, String>> {
    let (mut values, mut refusal) = (Vec::new(), None);
    let (mut pending, mut announced, mut room) = (1_usize, 1_usize, LARGEST);
    while pending > 0 {
        pending -= 1;
        let line = line(stream).await?;
        let (kind, rest) = line.split_first().ok_or_else(|| malformed("empty line in a reply"))?;
        match kind {
            b'+' => values.push(rest.to_vec()),
            b':' => values.push(rest.to_vec()),
            b'-' => refusal = Some(String::from_utf8_lossy(rest).into_owned()),
            b'$' => values.extend(bulk(stream, length(rest)?, &mut room).await?),
            b'*' => {
                let count = length(rest)?.unwrap_or(0);
                announced = announced.saturating_add(count);
                if announced > MOST_VALUES {
                    return Err(malformed("too many values in a reply"));
                }
                pending += count;
            }
            _ => return Err(malformed("unknown kind of reply")),
        }
    }
    Ok(refusal.map_or(Ok(values), Err))
}

async fn bulk(
    stream: &mut (impl AsyncBufRead + Unpin),
    length: Option<usize>,
    room: &mut usize,
) -> io::Result<Option<Vec<u8>>> {
    let Some(length) = length else { return Ok(None) };
    *room = room.checked_sub(length).ok_or_else(|| malformed("reply is too long"))?;
    let mut value = vec![0; length];
    stream.read_exact(&mut value).await?;
    let mut end = [0; 2];
    stream.read_exact(&mut end).await?;
    if end == *b"\r\n" { Ok(Some(value)) } else { Err(malformed("value without end")) }
}

/// A length; -1 says that there is nothing.
fn length(text: &[u8]) -> io::Result<Option<usize>> {
    if text == b"-1" {
        return Ok(None);
    }
    let number = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.and_then(|text| text.parse().ok()).map(Some).ok_or_else(|| malformed("bad length in a reply"))
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    stream.take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
    if !line.ends_with(b"\r\n") {
        return Err(malformed("incomplete reply"));
    }
    line.truncate(line.len() - 2);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(mut text: &[u8]) -> io::Result<Result<Vec<Vec<u8>>, String>> {
        crate::block_on(read(&mut text))
    }

    #[test]
    fn replies_are_values() {
        for (text, expected) in [
            ("$5\r\na\r\nbc\r\n", Ok(vec!["a\r\nbc"])),
            ("$-1\r\n", Ok(vec![])),
            ("*-1\r\n", Ok(vec![])),
            (":42\r\n", Ok(vec!["42"])),
            ("+OK\r\n", Ok(vec!["OK"])),
            ("*3\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n$-1\r\n", Ok(vec!["a", "b"])),
            ("*2\r\n-ERR no\r\n$1\r\nb\r\n", Err("ERR no".to_owned())),
        ] {
            let expected = expected.map(|values| values.into_iter().map(|value| value.as_bytes().to_vec()).collect());
            assert_eq!(parse(text.as_bytes()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in [
            "",
            "\r\n",
            "x\r\n",
            "$3\r\nab\r\n",
            "$3\r\nabcde",
            "$+1\r\na\r\n",
            "*99999999\r\n",
            "$99999999\r\n",
            "+a\n",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_counted_not_quoted() {
        let words = ["GET".to_owned(), "a b\r\nDEL c".to_owned()];
        assert_eq!(command(&words), b"*2\r\n$3\r\nGET\r\n$10\r\na b\r\nDEL c\r\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(text in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'*'), Just(b'$'), Just(b'1'), any::<u8>()], 0..60)) {
            let _ = parse(&text);
        }
    }
}

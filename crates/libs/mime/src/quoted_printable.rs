//! Quoted-printable, RFC 2045 §6.7.

/// Where a line of the encoded text has nothing more but a soft break. With an escape before it and the `=` of the break, the
/// longest line has 76 characters.
const LINE_FULL: usize = 73;

/// Encodes lines one after another.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    column: usize,
    /// White space at the end of a piece: what it becomes depends on what follows.
    held: Option<u8>,
}

impl Encoder {
    /// Encodes a piece of a line.
    pub(crate) fn piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        for &byte in piece {
            if let Some(held) = self.held.take() {
                self.plain(held, out);
            }
            match byte {
                b' ' | b'\t' => self.held = Some(byte),
                b'=' => self.escape(byte, out),
                b'!'..=b'~' => self.plain(byte, out),
                _ => self.escape(byte, out),
            }
        }
    }

    /// Ends the line.
    pub(crate) fn end_line(&mut self, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            self.escape(held, out);
        }
        out.push(b'\n');
        self.column = 0;
    }

    fn plain(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.make_room(1, out);
        out.push(byte);
    }

    fn escape(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.make_room(3, out);
        out.extend([b'=', hex(byte >> 4), hex(byte & 15)]);
    }

    /// Breaks a line softly that is full.
    fn make_room(&mut self, width: usize, out: &mut Vec<u8>) {
        if self.column >= LINE_FULL {
            out.extend_from_slice(b"=\n");
            self.column = 0;
        }
        self.column += width;
    }
}

/// The hexadecimal digit of a number below 16.
pub(crate) fn hex(number: u8) -> u8 {
    if number < 10 { b'0' + number } else { b'A' + number - 10 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(lines: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::default();
        for line in lines {
            encoder.piece(line, &mut out);
            encoder.end_line(&mut out);
        }
        out
    }

    #[test]
    fn what_cannot_stand_is_escaped() {
        assert_eq!(encode(&["Gr\u{fc}\u{df}e = x".as_bytes()]), b"Gr=C3=BC=C3=9Fe =3D x\n");
        assert_eq!(encode(&[b"trailing ", b"a b\t", b""]), b"trailing=20\na b=09\n\n");
    }

    #[test]
    fn a_line_is_broken_where_postfix_breaks_it() {
        let plain = encode(&[&[b'x'; 80]]);
        assert_eq!(plain, [&[b'x'; 73][..], b"=\n", &[b'x'; 7], b"\n"].concat());
        let escaped = String::from_utf8(encode(&[&[255; 30]])).unwrap();
        assert_eq!(escaped.lines().map(str::len).collect::<Vec<_>>(), [76, 15]);
    }

    proptest! {
        #[test]
        fn lines_are_short_and_decode_again(line: Vec<u8>) {
            let encoded = String::from_utf8(encode(&[&line])).unwrap();
            prop_assert!(encoded.lines().all(|l| l.len() <= 76 && !l.ends_with(' ')));
            let joined = encoded.replace("=\n", "");
            let mut bytes = Vec::new();
            let mut rest = joined.strip_suffix('\n').unwrap().bytes();
            while let Some(byte) = rest.next() {
                if byte == b'=' {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                } else {
                    bytes.push(byte);
                }
            }
            prop_assert_eq!(bytes, line);
        }
    }
}

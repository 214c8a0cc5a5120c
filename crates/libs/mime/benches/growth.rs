//! Messages with more and more header lines, longer headers, more parts.

use mime::{Downgrade, End, Limits, Parts, Walker};
use testkit::growth::curve;

const LIMITS: Limits = Limits { header: usize::MAX, boundary: 2048, nesting: 100 };

fn walk(text: &[u8], parts: Parts) -> usize {
    let mut walker = Walker::new(parts, LIMITS);
    let mut events = 0;
    for line in text.split(|&byte| byte == b'\n') {
        events += walker.line(line, End::Line).count();
    }
    events + walker.finish().count()
}

fn multipart(parts: usize) -> Vec<u8> {
    let part = "--edge\nContent-Type: text/plain\n\n-- \nBody of a part\n";
    format!("Content-Type: multipart/mixed; boundary=edge\n\n{}--edge--\n", part.repeat(parts)).into_bytes()
}

/// Multiparts within multiparts, as deep as is allowed, and lines that may be boundaries of each.
fn nested(lines: usize) -> Vec<u8> {
    let open: String = (0..90).map(|n| format!("Content-Type: multipart/mixed; boundary=e{n}\n\n--e{n}\n")).collect();
    format!("{open}\n{}", "--dashes\n".repeat(lines)).into_bytes()
}

fn main() {
    let lines = |count: usize| "X-Header: value\n".repeat(count).into_bytes();
    curve("mime: N header lines", &[1000, 10_000, 100_000], lines, |text| walk(text, Parts::Message));
    let folded = |count: usize| format!("To: a{}\n\n", ",\n\tb@example.com".repeat(count)).into_bytes();
    curve("mime: one header of N lines", &[1000, 10_000, 100_000], folded, |text| walk(text, Parts::Message));
    curve("mime: N parts", &[100, 1000, 10_000], multipart, |text| walk(text, Parts::All));
    curve("mime: N lines of dashes, 90 levels deep", &[100, 1000, 10_000], nested, |text| walk(text, Parts::All));
    let parameters = |count: usize| format!("multipart/mixed{}", "; a=b".repeat(count)).into_bytes();
    curve("mime: content type of N parameters", &[100, 1000, 10_000], parameters, |text| mime::content_type(text, 100));
    let eight = |count: usize| "\u{e4}\u{f6}\u{fc} = 8 bit\n".repeat(count).into_bytes();
    curve("mime: body of N lines made 7-bit", &[1000, 10_000, 100_000], eight, |text| {
        let (mut downgrade, mut out) = (Downgrade::new(LIMITS), Vec::new());
        for line in [&b"Content-Transfer-Encoding: 8bit"[..], b""].into_iter().chain(text.split(|&byte| byte == b'\n'))
        {
            downgrade.line(line, End::Line, &mut out);
        }
        downgrade.finish(&mut out);
        out
    });
}

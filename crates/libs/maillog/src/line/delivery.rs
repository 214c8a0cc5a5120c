//! The line that tells what became of one recipient, as every log analyser reads it.
//!
//! `ID: to=<a>, orig_to=<b>, relay=r, delay=0.1, delays=0.03/0.01/0/0.05, dsn=2.0.0, status=sent (text)`

use std::borrow::Cow;
use std::fmt::{self, Write};

/// What became of one recipient, ready to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The queue id.
    pub queue_id: &'a str,
    /// The recipient in external form.
    pub to: Cow<'a, str>,
    /// The recipient before aliases; not shown if empty or the same.
    pub orig_to: Cow<'a, str>,
    /// The host, or the agent's name, or `none`.
    pub relay: &'a str,
    /// Which delivery over its connection this is; shown from the second on.
    pub conn_use: u32,
    /// Where the time went.
    pub delays: Delays,
    /// The largest number of digits after a point (`delay_logging_resolution_limit`).
    pub resolution: u32,
    /// The security of the connection, if that is to be shown.
    pub tls: Option<&'a str>,
    /// The enhanced status code.
    pub dsn: Cow<'a, str>,
    /// `sent`, `deferred`, `bounced`, …
    pub status: &'a str,
    /// The reason or reply.
    pub text: Cow<'a, str>,
}

impl Delivery<'_> {
    /// The line.
    #[must_use]
    pub fn line(&self) -> String {
        let texts = [self.queue_id, &self.to, &self.orig_to, self.relay, &self.dsn, self.status, &self.text];
        let mut line = String::with_capacity(texts.iter().map(|text| text.len()).sum::<usize>() + WORDS);
        // Writing to a String cannot fail.
        let _ = write!(line, "{self}");
        line
    }
}

impl fmt::Display for Delivery<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        all(to, &[self.queue_id, ": to=<", &self.to])?;
        if !self.orig_to.is_empty() && !self.orig_to.eq_ignore_ascii_case(&self.to) {
            all(to, &[">, orig_to=<", &self.orig_to])?;
        }
        all(to, &[">, relay=", self.relay])?;
        if self.conn_use > 1 {
            all(to, &[", conn_use=", &self.conn_use.to_string()])?;
        }
        to.write_str(", ")?;
        self.delays.write(self.resolution, to)?;
        if let Some(tls) = self.tls {
            all(to, &[", tls=", tls])?;
        }
        all(to, &[", dsn=", &self.dsn, ", status=", self.status, " (", &self.text, ")"])
    }
}

/// Room for the words and numbers of a line besides its texts.
const WORDS: usize = 128;

fn all(to: &mut impl Write, texts: &[&str]) -> fmt::Result {
    texts.iter().try_for_each(|text| to.write_str(text))
}

/// Microseconds that a message spent before the queue manager, in it, while connecting, and being delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delays {
    /// From arrival to the active queue.
    pub before_qmgr: i64,
    /// In the active queue.
    pub in_qmgr: i64,
    /// Name lookups, connections, greetings.
    pub setup: i64,
    /// The delivery itself.
    pub transmission: i64,
}

impl Delays {
    /// Computes the delays from moments in microseconds since the epoch. Moments that are missing or out of order,
    /// as after a clock was set, count as no time.
    #[must_use]
    pub fn between(arrived: i64, active: i64, handed: i64, connected: Option<i64>, done: i64) -> Self {
        let span = |from: i64, to: i64| if from > 0 { to.saturating_sub(from).max(0) } else { 0 };
        let ready = connected.unwrap_or(handed);
        Self {
            before_qmgr: if active > 0 { span(arrived, active) } else { span(arrived, done) },
            in_qmgr: if handed > 0 { span(active, handed) } else { span(active, done) },
            setup: span(handed, ready),
            transmission: span(ready, done),
        }
    }

    /// `delay=…, delays=…` with at most `resolution` digits after a point.
    fn write(self, resolution: u32, to: &mut impl Write) -> fmt::Result {
        to.write_str("delay=")?;
        seconds(to, self.total(), resolution)?;
        let Delays { before_qmgr, in_qmgr, setup, transmission } = self;
        for (before, time) in [(", delays=", before_qmgr), ("/", in_qmgr), ("/", setup), ("/", transmission)] {
            to.write_str(before)?;
            seconds(to, time, resolution)?;
        }
        Ok(())
    }

    fn total(self) -> i64 {
        [self.in_qmgr, self.setup, self.transmission]
            .iter()
            .fold(self.before_qmgr, |sum, part| sum.saturating_add(*part))
    }
}

/// A span of time as it stands in log lines: two significant digits, or all those before the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds {
    /// The span in microseconds.
    pub micros: i64,
    /// `delay_logging_resolution_limit`: at most so many digits after the point.
    pub resolution: u32,
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        seconds(f, self.micros, self.resolution)
    }
}

/// Seconds with two significant digits, or all those before the point, and at most `resolution` after it; no
/// trailing zeros.
fn seconds(to: &mut impl Write, micros: i64, resolution: u32) -> fmt::Result {
    const SECOND: i64 = 1_000_000;
    let mut places = resolution.min(6);
    // The second significant digit is the last one shown.
    let mut unit = 10_i64.pow(6 - places);
    while places > 0 && micros / unit >= 100 {
        unit *= 10;
        places -= 1;
    }
    let rounded = micros.max(0).saturating_add(unit / 2) / unit * unit;
    to.write_str(&(rounded / SECOND).to_string())?;
    let mut fraction = rounded % SECOND;
    if fraction > 0 {
        to.write_char('.')?;
    }
    while fraction > 0 {
        fraction *= 10;
        to.write_char(char::from(b'0' + u8::try_from(fraction / SECOND).unwrap_or(0)))?;
        fraction %= SECOND;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_two_significant_digits_at_most() {
        for (micros, resolution, text) in [
            (0, 2, "0"),
            (4_999, 2, "0"),
            (5_000, 2, "0.01"),
            (34_400, 2, "0.03"),
            (34_400, 6, "0.034"),
            (345_000, 2, "0.35"),
            (1_234_000, 2, "1.2"),
            (9_960_000, 2, "10"),
            (12_700_000, 2, "13"),
            (1_000_000, 0, "1"),
            (400_000, 0, "0"),
            (123_456_000_000, 2, "123456"),
            (100_000, 2, "0.1"),
            (5_400, 6, "0.0054"),
            (1_050_000, 2, "1.1"),
            (i64::MAX, 2, "9223372036854"),
            (-5, 2, "0"),
        ] {
            let mut shown = String::new();
            seconds(&mut shown, micros, resolution).unwrap();
            assert_eq!(shown, text, "{micros} at {resolution}");
        }
    }

    #[test]
    fn the_line_is_as_log_tools_know_it() {
        let second = 1_000_000;
        let mut line = Delivery {
            queue_id: "4ABC",
            to: "a@example.org".into(),
            orig_to: "b@example.org".into(),
            relay: "local",
            conn_use: 1,
            delays: Delays::between(second, second + 30_000, second + 40_000, None, second + 90_000),
            resolution: 2,
            tls: None,
            dsn: "2.0.0".into(),
            status: "sent",
            text: "delivered to mailbox".into(),
        };
        assert_eq!(
            line.line(),
            "4ABC: to=<a@example.org>, orig_to=<b@example.org>, relay=local, delay=0.09, delays=0.03/0.01/0/0.05, \
             dsn=2.0.0, status=sent (delivered to mailbox)"
        );
        line.orig_to = "A@example.org".into();
        line.tls = Some("none");
        line.conn_use = 4;
        assert_eq!(
            line.to_string(),
            "4ABC: to=<a@example.org>, relay=local, conn_use=4, delay=0.09, delays=0.03/0.01/0/0.05, tls=none, dsn=2.0.0, \
             status=sent (delivered to mailbox)"
        );
    }
}

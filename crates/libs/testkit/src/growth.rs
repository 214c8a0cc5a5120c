//! How cost grows: the same work at sizes 10 times apart, and what each step costs.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Ten times the size may cost so many times as much; what costs more is marked.
const LINEAR: f64 = 11.0;
/// Work is done so often that it takes at least this long: the clock is not made for less.
const LEAST: Duration = Duration::from_millis(2);
/// And that is repeated until it has taken so long in all, but at least so often.
const ENOUGH: Duration = Duration::from_millis(200);
const REPETITIONS: u32 = 5;

/// Prints a line about `work` on what `setup` makes of each size: sizes, times on the processor, and factors between them.
///
/// # Panics
/// When standard output is gone.
#[expect(clippy::expect_used, reason = "a benchmark without an output is of no use")]
pub fn curve<T, R>(name: &str, sizes: &[usize], setup: impl Fn(usize) -> T, work: impl Fn(&T) -> R) {
    let mut line = format!("{name:44}");
    let mut last: Option<Duration> = None;
    for &size in sizes {
        let time = fastest(&setup(size), &work);
        let factor = last.map(|last| time.as_secs_f64() / last.as_secs_f64().max(1e-9));
        let shown = factor
            .map_or_else(String::new, |factor| format!(" x{factor:.1}{}", if factor > LINEAR { "!" } else { "" }));
        let _ = write!(line, "{size:>9} {:>10}{shown:<7}", in_words(time));
        last = Some(time);
    }
    writeln!(std::io::stdout().lock(), "{}", line.trim_end()).expect("standard output");
}

/// The shortest of several times.
fn fastest<T, R>(input: &T, work: impl Fn(&T) -> R) -> Duration {
    let (mut best, mut all, mut repetitions, mut times) = (Duration::MAX, Duration::ZERO, 0, 1);
    while repetitions < REPETITIONS || all < ENOUGH {
        let start = processor_time();
        for _ in 0..times {
            drop(black_box(work(black_box(input))));
        }
        let time = processor_time().saturating_sub(start);
        if time < LEAST {
            times *= 2;
            continue;
        }
        best = best.min(time / times);
        all += time;
        repetitions += 1;
    }
    best
}

/// What this process has used of the processors: other programs do not disturb the measure.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (number, unit) = match time.as_nanos() {
        0..10_000 => (seconds * 1e9, "ns"),
        10_000..10_000_000 => (seconds * 1e6, "µs"),
        _ => (seconds * 1e3, "ms"),
    };
    format!("{number:.0} {unit}")
}

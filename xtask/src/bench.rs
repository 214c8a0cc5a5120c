//! `bench`: what the hot functions cost, and how cost grows with size.

use crate::build;
use anyhow::Result;
use std::ffi::OsString;

const GROWTH: &str = "\
Cost by size: ten times the size costs at most eleven times as much; what costs more is marked \"!\".
(Where memory outgrows the caches, a step may cost somewhat more; what grows with the square costs 100 times as much.)
";

/// `cargo xtask bench`; arguments are names of crates.
#[expect(clippy::print_stdout, reason = "a command line program speaks to its user")]
pub(crate) fn run(crates: &[OsString]) -> Result<()> {
    bench("hot", crates)?;
    println!("\n{GROWTH}");
    bench("growth", crates)
}

fn bench(target: &str, crates: &[OsString]) -> Result<()> {
    let mut command = build::cargo();
    command.args(["bench", "--quiet", "--bench", target]);
    if crates.is_empty() {
        command.arg("--workspace");
    }
    for name in crates {
        command.arg("--package").arg(name);
    }
    // The allocator keeps what it has got: what giving memory back and asking for it again costs depends on sizes too.
    command.envs([("MALLOC_MMAP_THRESHOLD_", "1073741824"), ("MALLOC_TRIM_THRESHOLD_", "8589934592")]);
    build::run(&mut command)
}

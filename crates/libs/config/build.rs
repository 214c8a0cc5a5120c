//! Has the unwinder linked into the programs: this is the library that they have in common.
//!
//! What the standard library needs of `libgcc_s.so.1` is a few functions, but each program would load it and run what it
//! does first: CPUID, several times, which takes a virtual machine 110 µs, a tenth of the life of a short command. The
//! compiler's own archive has the same functions; where it is not found, the shared library is used.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the linker finds in place of the shared library: a script that names the archives.
const SCRIPT: &str = "INPUT(-lgcc_eh -lgcc)\n";

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let links_libgcc = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if links_libgcc && has_archive() {
        let folder = std::env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default().join("unwinder");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("libgcc_s.so"), SCRIPT)?;
        println!("cargo::rustc-link-search=native={}", folder.display());
    }
    Ok(())
}

fn is(name: &str, value: &str) -> bool {
    std::env::var(name).is_ok_and(|found| found == value)
}

/// Whether the compiler that links has the archive: it answers with its path, or else with the bare name.
fn has_archive() -> bool {
    let linker = std::env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let asked = Command::new(linker).arg("-print-file-name=libgcc_eh.a").output();
    asked.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_absolute())
}

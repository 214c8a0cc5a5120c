//! The time zone of this host, found as the C library finds it: what `TZ` of the environment says, else `/etc/localtime`, else UTC.
//! See tzset(3).
//!
//! One file is read, which is not there in a jail: daemons ask before that.

use jiff::tz::TimeZone;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where zones are that have names, if `TZDIR` does not say otherwise.
const ZONES: &str = "/usr/share/zoneinfo";
/// What file stands for this host.
const LOCALTIME: &str = "/etc/localtime";
/// More of a file is not read. The largest there are have a few thousand bytes.
const LARGEST: u64 = 1 << 20;
/// When summer time begins and ends where `TZ` names one and does not say when, in the C library too.
const SUMMER: &str = "M3.2.0,M11.1.0";

/// Finds the time zone. What cannot be read or understood is UTC, under the name that stands in `TZ` if any does.
#[must_use]
pub fn local() -> TimeZone {
    let folder = std::env::var_os("TZDIR").map_or_else(|| PathBuf::from(ZONES), PathBuf::from);
    let places = if is_set_id() {
        Places { localtime: Path::new(LOCALTIME), zones: Path::new(ZONES), reach: Reach::Zones }
    } else {
        Places { localtime: Path::new(LOCALTIME), zones: &folder, reach: Reach::Anywhere }
    };
    places.find(std::env::var_os("TZ").as_deref())
}

/// Whether the process has rights that its caller has not.
fn is_set_id() -> bool {
    use nix::unistd::{getegid, geteuid, getgid, getuid};
    getuid() != geteuid() || getgid() != getegid()
}

/// Which files the environment may name.
#[derive(PartialEq, Eq)]
enum Reach {
    Anywhere,
    /// Those below the folder of zones.
    Zones,
}

struct Places<'a> {
    localtime: &'a Path,
    zones: &'a Path,
    reach: Reach,
}

impl Places<'_> {
    fn find(&self, wanted: Option<&OsStr>) -> TimeZone {
        let Some(wanted) = wanted else { return read(self.localtime).unwrap_or(TimeZone::UTC) };
        let wanted = wanted.to_string_lossy();
        match wanted.strip_prefix(':').unwrap_or(&wanted) {
            "" => TimeZone::UTC,
            wanted => self.named(wanted).or_else(|| rule(wanted)).unwrap_or(TimeZone::UTC),
        }
    }

    fn named(&self, name: &str) -> Option<TimeZone> {
        let is_below = !name.starts_with('/') && name.split('/').all(|part| part != "..");
        if is_below || self.reach == Reach::Anywhere { read(&self.zones.join(name)) } else { None }
    }
}

/// A zone that `TZ` describes: POSIX.1-2024, Base Definitions, section 8.3. Letters alone are a name for UTC.
fn rule(text: &str) -> Option<TimeZone> {
    let described = || TimeZone::posix(text).or_else(|_| TimeZone::posix(&format!("{text},{SUMMER}")));
    let name = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    described().or_else(|_| TimeZone::posix(&format!("{name}0"))).ok()
}

fn read(path: &Path) -> Option<TimeZone> {
    let mut data = Vec::new();
    File::open(path).ok()?.take(LARGEST).read_to_end(&mut data).ok()?;
    TimeZone::tzif(&path.to_string_lossy(), &data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    /// A file of tzfile(5), version 2, for a zone that has been nine hours ahead of UTC ever since.
    fn tokyo() -> Vec<u8> {
        let block = |name: &[u8]| {
            let mut block = b"TZif2".to_vec();
            block.extend([0; 15]);
            for count in [0_u32, 0, 0, 0, 1, 4] {
                block.extend(count.to_be_bytes());
            }
            block.extend((9_i32 * 3600).to_be_bytes());
            block.extend([0, 0]);
            block.extend(name);
            block
        };
        [block(b"JST\0"), block(b"JST\0"), b"\nJST-9\n".to_vec()].concat()
    }

    fn shown(zone: TimeZone) -> String {
        let winter = Timestamp::from_second(1_795_000_000).unwrap();
        winter.to_zoned(zone).strftime("%z %Z").to_string()
    }

    #[test]
    fn zones_are_found_by_name_path_and_rule() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("Asia/Tokyo");
        std::fs::create_dir(folder.path().join("Asia")).unwrap();
        std::fs::write(&file, tokyo()).unwrap();
        std::fs::write(folder.path().join("Broken"), "TZif").unwrap();
        let path = file.to_str().unwrap();
        let outside = format!("{}/../{}/Asia/Tokyo", folder.path().display(), folder.path().display());
        let anywhere = Places { localtime: &file, zones: folder.path(), reach: Reach::Anywhere };
        for (wanted, expected) in [
            (None, "+0900 JST"),
            (Some(""), "+0000 UTC"),
            (Some(":"), "+0000 UTC"),
            (Some("Asia/Tokyo"), "+0900 JST"),
            (Some(":Asia/Tokyo"), "+0900 JST"),
            (Some(path), "+0900 JST"),
            (Some("Asia"), "+0000 ASIA"),
            (Some("Asia/Nowhere"), "+0000 ASIA"),
            (Some("Broken"), "+0000 BROKEN"),
            (Some("CET-1CEST,M3.5.0,M10.5.0/3"), "+0100 CET"),
            (Some("CET-1CEST"), "+0100 CET"),
            (Some("<+03>-3"), "+0300 +03"),
            (Some("XY"), "+0000 UTC"),
            (Some("\u{e9}"), "+0000 UTC"),
        ] {
            assert_eq!(shown(anywhere.find(wanted.map(OsStr::new))), expected, "{wanted:?}");
        }
        assert_eq!(shown(Places { localtime: Path::new("/nonexistent"), ..anywhere }.find(None)), "+0000 UTC");
        let within = Places { localtime: &file, zones: folder.path(), reach: Reach::Zones };
        for (wanted, expected) in [("Asia/Tokyo", "+0900 JST"), (path, "+0000 UTC"), (&outside, "+0000 UTC")] {
            assert_eq!(shown(within.find(Some(OsStr::new(wanted)))), expected, "{wanted}");
        }
        assert_eq!(shown(within.find(Some(OsStr::new("../Asia/Tokyo")))), "+0000 UTC");
    }
}

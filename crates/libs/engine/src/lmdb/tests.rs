//! Tests of LMDB files.
use super::*;

const MAP: usize = 1 << 20;
const WRITE: Access = Access::Write { mode: 0o600 };

#[test]
fn entries_are_stored_and_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.lmdb");
    assert!(Database::open(&path, Access::Read, MAP).is_err());
    let mut writer = Database::open(&path, WRITE, MAP).unwrap();
    assert!(writer.put(b"b", b"2", false).unwrap());
    assert!(!writer.put(b"b", b"3", false).unwrap());
    assert!(writer.put(b"a", b"1", true).unwrap());
    assert!(writer.put(b"c", b"", true).unwrap());
    let mut reader = Database::open(&path, Access::Read, MAP).unwrap();
    assert_eq!(reader.get(b"b").unwrap(), None, "not committed yet");
    assert_eq!(writer.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
    writer.commit().unwrap();
    assert_eq!(reader.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
    assert!(writer.delete(b"c").unwrap());
    assert!(!writer.delete(b"x").unwrap());
    writer.abort();
    assert_eq!(reader.get(b"c").unwrap().as_deref(), Some(&b""[..]));
    for key in [&b""[..], &[b'x'; 600]] {
        assert_eq!(reader.get(key).unwrap(), None);
        assert!(matches!(writer.put(key, b"", true), Err(Error::BadSize)));
    }
    let keys = |entries: Entries| entries.into_iter().map(|(key, _)| key).collect::<Vec<_>>().concat();
    assert_eq!(keys(reader.entries(None, 2).unwrap()), b"ab");
    assert_eq!(keys(reader.entries(Some(b"a"), 9).unwrap()), b"bc");
    assert_eq!(keys(reader.entries(Some(b"bb"), 9).unwrap()), b"c");
    assert_eq!(keys(reader.entries(Some(b"c"), 9).unwrap()), b"");
}

#[test]
fn a_full_map_grows_and_readers_follow() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.lmdb");
    let mut writer = Database::open(&path, WRITE, 64 * 1024).unwrap();
    writer.put(b"first", b"1", true).unwrap();
    writer.commit().unwrap();
    let mut reader = Database::open(&path, Access::Read, 64 * 1024).unwrap();
    assert!(reader.get(b"first").unwrap().is_some());
    let fill = |writer: &mut Database| -> Result<(), Error> {
        for number in 0..2000_u32 {
            writer.put(&number.to_be_bytes(), &[7; 100], true)?;
        }
        writer.commit()
    };
    let mut grown = 0;
    while let Err(error) = fill(&mut writer) {
        assert!(matches!(error, Error::MapFull), "{error}");
        writer.grow().unwrap();
        grown += 1;
    }
    assert!(grown > 0);
    assert_eq!(reader.get(&1999_u32.to_be_bytes()).unwrap().unwrap().len(), 100);
}

#[test]
fn room_that_is_reserved_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Database::open(&directory.path().join("t.lmdb"), WRITE, 64 * 1024).unwrap();
    for turn in 0..2 {
        writer.reserve(1 << 20).unwrap();
        writer.clear().unwrap();
        for number in 0..5000_u32 {
            writer.append(&number.to_be_bytes(), &[turn; 100]).unwrap();
        }
        writer.commit().unwrap();
    }
}

#[test]
fn other_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.lmdb");
    std::fs::write(&path, vec![b'x'; 20_000]).unwrap();
    let error = Database::open(&path, Access::Read, MAP).unwrap_err();
    assert_eq!(error.to_string(), "MDB_INVALID: File is not an LMDB file");
}

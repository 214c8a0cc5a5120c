//! Tests of the Berkeley DB reader, on files made by Berkeley DB 5.3 (Perl's DB_File): sixty short entries, an
//! overlong key, an overlong value, a deleted entry; and one with duplicates.
use super::*;
use proptest::prelude::*;

const SAMPLES: [&[u8]; 4] = [
    include_bytes!("samples/hash-little.db"),
    include_bytes!("samples/hash-big.db"),
    include_bytes!("samples/btree-little.db"),
    include_bytes!("samples/btree-big.db"),
];
const DUPLICATES: &[u8] = include_bytes!("samples/btree-duplicates.db");

#[test]
fn keys_are_found_in_both_formats_and_byte_orders() {
    for (at, sample) in SAMPLES.iter().enumerate() {
        let file = Berkeley::new(sample.to_vec()).unwrap();
        for number in 0..60 {
            let value = file.get(format!("key{number}").as_bytes()).unwrap();
            assert_eq!(value, Some(format!("value {number}").into_bytes()), "sample {at}");
        }
        assert_eq!(file.get(&[b'k'; 700]), Ok(Some(b"long key".to_vec())), "sample {at}");
        assert_eq!(file.get(b"long"), Ok(Some(vec![b'v'; 2000])), "sample {at}");
        for key in ["", "gone", "key", "key60", "zzz"] {
            assert_eq!(file.get(key.as_bytes()), Ok(None), "sample {at} {key}");
        }
        let all: Vec<_> = (0..=file.last_page()).flat_map(|page| file.entries_of_page(page).unwrap()).collect();
        assert_eq!(all.len(), 62, "sample {at}");
    }
}

#[test]
fn the_first_of_several_values_counts() {
    let file = Berkeley::new(DUPLICATES.to_vec()).unwrap();
    for (key, value) in [("few", "one"), ("many", "value 000"), ("after", "end")] {
        assert_eq!(file.get(key.as_bytes()), Ok(Some(value.as_bytes().to_vec())), "{key}");
    }
}

#[test]
fn an_unknown_hash_function_means_a_search() {
    let mut bytes = SAMPLES[0].to_vec();
    bytes[92] ^= 0xff;
    let file = Berkeley::new(bytes).unwrap();
    assert_eq!(file.get(b"key7"), Ok(Some(b"value 7".to_vec())));
    assert_eq!(file.get(b"key77"), Ok(None));
}

#[test]
fn other_files_are_refused() {
    assert_eq!(Berkeley::new(vec![0; 4096]).unwrap_err(), Error::Foreign);
    assert_eq!(Berkeley::new(Vec::new()).unwrap_err(), Error::Foreign);
    let mut bytes = SAMPLES[0].to_vec();
    bytes[26] = 1;
    assert_eq!(Berkeley::new(bytes).unwrap_err(), Error::Unsupported);
}

fn ask_everything(bytes: Vec<u8>) {
    if let Ok(file) = Berkeley::new(bytes) {
        for key in ["key1", "long", "many", "none"] {
            let _ = file.get(key.as_bytes());
        }
        for page in 0..=file.last_page().min(200) {
            let _ = file.entries_of_page(page);
        }
    }
}

proptest! {
    #[test]
    fn damage_is_survived(
        sample in 0_usize..5,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = SAMPLES.get(sample).copied().unwrap_or(DUPLICATES).to_vec();
        for (at, byte) in damage {
            // Half of the damage goes where numbers are.
            let at = at.index(bytes.len());
            let at = if byte % 2 == 0 { at } else { at / 512 * 512 + at % 48 };
            bytes[at] = byte;
        }
        ask_everything(bytes.clone());
        bytes.truncate(cut.index(bytes.len()));
        ask_everything(bytes);
    }
}

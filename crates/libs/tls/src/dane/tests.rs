//! Of records and of chains.

use super::*;
use crate::client::Level;
use crate::protocols::Protocols;
use proptest::prelude::*;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use std::time::Duration;

/// A leaf, and the authority that has signed it.
fn chain() -> [CertificateDer<'static>; 2] {
    let text = include_bytes!("../testdata/vouched.pem");
    let found: Vec<_> = CertificateDer::pem_slice_iter(text).map(Result::unwrap).collect();
    found.try_into().unwrap()
}

/// The record about a certificate.
fn record(usage: u8, selector: u8, matching: u8, der: &CertificateDer<'_>) -> Association {
    let key = X509Certificate::from_der(der).unwrap().1.tbs_certificate.subject_pki.raw;
    let selected = if selector == CERTIFICATE { der.as_ref() } else { key };
    let digest = Digest::ALL.iter().find(|digest| digest.matching == matching);
    let data = digest.map_or_else(|| selected.to_vec(), |digest| digest.algorithm.digest(selected));
    Association { usage, selector, matching, data }
}

fn wrong(usage: u8, selector: u8, matching: u8) -> Association {
    Association { usage, selector, matching, data: vec![0xab; 32 * usize::from(matching)] }
}

fn judged(records: Vec<Association>, shown: &[CertificateDer<'_>], name: &str, seconds: u64) -> Result<(), Doubt> {
    let policy = Policy {
        names: vec![name.to_owned()],
        associations: records,
        ..Policy::new(Level::Dane, Protocols::parse(">=TLSv1").unwrap())
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let (leaf, chain) = shown.split_first().unwrap();
    judge(Shown { leaf, chain, now }, &rustls::crypto::aws_lc_rs::default_provider(), &policy)
}

const NOW: u64 = 2_000_000_000;
const NAME: &str = "mx.example.org";

#[test]
fn a_server_that_is_announced_itself_needs_nothing_else() {
    let all = chain();
    let [leaf, _] = &all;
    for (selector, matching) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
        let announced = || vec![wrong(3, 1, 1), record(3, selector, matching, leaf)];
        assert_eq!(judged(announced(), &all[..1], "other.test", 0), Ok(()));
    }
    assert_eq!(judged(vec![wrong(3, 1, 1)], &all, NAME, NOW), Err(Doubt::Digest));
    assert_eq!(judged(vec![], &all, NAME, NOW), Err(Doubt::Digest));
}

#[test]
fn an_announced_authority_vouches_for_names() {
    let all = chain();
    let [leaf, authority] = &all;
    for (selector, matching) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
        let announced = || vec![wrong(2, 0, 1), record(2, selector, matching, authority)];
        assert_eq!(judged(announced(), &all, NAME, NOW), Ok(()), "{selector} {matching}");
        assert_eq!(judged(announced(), &all, "other.test", NOW), Err(Doubt::Name));
        assert_eq!(judged(announced(), &all, NAME, 9_000_000_000), Err(Doubt::Expired));
        // What is announced whole need not be shown.
        let alone = if matching == FULL { Ok(()) } else { Err(Doubt::Digest) };
        assert_eq!(judged(announced(), &all[..1], NAME, NOW), alone, "{selector} {matching}");
        // A server does not vouch for itself.
        let itself = vec![record(2, selector, matching, leaf)];
        assert!(judged(itself, &[leaf.clone(), leaf.clone()], NAME, NOW).is_err());
    }
}

#[test]
fn another_authority_of_the_same_name_vouches_for_nobody() {
    let all = chain();
    let text = include_bytes!("../testdata/authority.pem");
    let stranger = CertificateDer::from_pem_slice(text).unwrap();
    for (selector, matching) in [(0, 0), (1, 0), (0, 1), (1, 2)] {
        let records = vec![record(2, selector, matching, &stranger)];
        assert!(judged(records, &[all[0].clone(), stranger.clone(), all[1].clone()], NAME, NOW).is_err());
    }
}

#[test]
fn records_that_say_nothing_do_not_count() {
    let [leaf, _] = chain();
    for (mut record, usable) in [
        (record(3, 1, 1, &leaf), true),
        (record(2, 0, 2, &leaf), true),
        (record(3, 0, 0, &leaf), true),
        (record(3, 1, 0, &leaf), true),
        (record(1, 1, 1, &leaf), false),
        (record(0, 0, 0, &leaf), false),
        (wrong(3, 2, 1), false),
        (wrong(3, 1, 3), false),
        (wrong(3, 1, 0), false),
        (wrong(2, 0, 0), false),
    ] {
        assert_eq!(record.is_usable(&Digest::ALL), usable, "{record}");
        record.data.push(0);
        assert!(!record.is_usable(&Digest::ALL), "{record}");
    }
    assert!(!wrong(3, 1, 2).is_usable(&Digest::ALL[1..]));
}

#[test]
fn of_digests_the_strongest_counts() {
    let [leaf, _] = chain();
    let count = |records: &[(u8, u8, u8)], digests: &[Digest]| -> Vec<_> {
        let records: Vec<_> =
            records.iter().map(|&(usage, selector, matching)| record(usage, selector, matching, &leaf)).collect();
        counting(&records, digests).iter().map(|record| (record.usage, record.selector, record.matching)).collect()
    };
    assert_eq!(count(&[(3, 1, 1), (3, 1, 2), (3, 1, 0)], &Digest::ALL), [(3, 1, 2), (3, 1, 0)]);
    assert_eq!(count(&[(3, 1, 1), (3, 0, 2), (2, 1, 2)], &Digest::ALL), [(3, 1, 1), (3, 0, 2), (2, 1, 2)]);
    assert_eq!(count(&[(3, 1, 1), (3, 1, 2)], &Digest::ALL[1..]), [(3, 1, 1)]);
}

#[test]
fn records_are_shown_as_a_zone_has_them() {
    let record = |length: u8| Association { usage: 3, selector: 1, matching: 0, data: (0..length).collect() };
    assert_eq!(record(3).to_string(), "3 1 0 000102");
    assert_eq!(record(64).to_string().len(), 6 + 128);
    let long = record(100).to_string();
    assert!(long.starts_with("3 1 0 000102") && long.ends_with("616263") && long.contains("1F...44"), "{long}");
}

#[test]
fn digests_have_names() {
    assert_eq!(["SHA512", "sha256", "md5"].map(Digest::named), [Some(Digest::ALL[0]), Some(Digest::ALL[1]), None]);
}

proptest! {
    #[test]
    fn any_record_is_judged(
        (usage, selector, matching) in (0u8..5, 0u8..4, 0u8..4),
        data in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let records = vec![Association { usage, selector, matching, data }];
        let _ = (records[0].to_string(), records[0].is_usable(&Digest::ALL));
        prop_assert!(judged(records, &chain(), NAME, NOW).is_err());
    }
}

//! Session tickets under keys that all processes of a service share (RFC 5077, RFC 8446 §4.6.1).
//!
//! tlsmgr makes the keys; whoever serves clients puts them into a [`Ring`]. A ticket is the name of its key, a nonce, and
//! the session sealed with AES-256-GCM. The name of the service is authenticated with it, so that what was granted by one is
//! worth nothing to another. A ticket under an unknown or expired key leads to a full handshake.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rustls::server::ProducesTickets;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Mutex;

/// Bytes of a key's public name.
pub const NAME: usize = 16;
/// Bytes of a key's secret.
pub const SECRET: usize = 64;
/// Those of them that AES takes.
const SEALING: usize = 32;

/// A key as it is handed from process to process.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// Its public name.
    pub name: [u8; NAME],
    /// The secret.
    pub secret: [u8; SECRET],
    /// Seconds since the epoch until which its tickets are accepted.
    pub expires: i64,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key {{ expires: {} }}", self.expires)
    }
}

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes")]
pub struct NoRandom;

impl Key {
    /// A key as another process hands it over; `None` if it is too short.
    #[must_use]
    pub fn from_parts(name: &[u8], secret: &[u8], expires: i64) -> Option<Self> {
        let name = name.first_chunk().copied()?;
        Some(Self { name, secret: secret.first_chunk().copied()?, expires })
    }

    /// A new key.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn random(expires: i64) -> Result<Self, NoRandom> {
        let mut key = Self { name: [0; NAME], secret: [0; SECRET], expires };
        let source = SystemRandom::new();
        source.fill(&mut key.name).map_err(|_| NoRandom)?;
        source.fill(&mut key.secret).map_err(|_| NoRandom)?;
        Ok(key)
    }
}

/// A key ready for use.
struct Sealing {
    name: [u8; NAME],
    key: LessSafeKey,
    expires: i64,
}

/// The keys in use, shared by all handshakes of a process. The first one makes tickets, all of them read tickets.
#[derive(Clone)]
pub struct Ring {
    keys: Arc<RwLock<Vec<Sealing>>>,
    service: Arc<[u8]>,
    lifetime: u32,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ring {{ lifetime: {} }}", self.lifetime)
    }
}

impl Ring {
    /// No keys yet: no tickets. `lifetime` is what clients are told, in seconds.
    #[must_use]
    pub fn new(service: &str, lifetime: u32) -> Self {
        Self { keys: Arc::default(), service: service.as_bytes().into(), lifetime }
    }

    /// Takes the current key, and those still accepted, in the place of what was there.
    pub fn set(&self, keys: &[Key]) {
        let ready = |key: &Key| {
            let secret = key.secret.get(..SEALING)?;
            let sealing = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, secret).ok()?);
            Some(Sealing { name: key.name, key: sealing, expires: key.expires })
        };
        let ready = keys.iter().filter_map(ready).collect();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = ready;
    }

    /// What is authenticated besides the session.
    fn context(&self, name: &[u8]) -> Aad<Vec<u8>> {
        Aad::from([name, &self.service].concat())
    }
}

/// Sees to it that the keys of a [`Ring`] are those in use now.
#[derive(Debug)]
pub struct Renewal {
    ring: Ring,
    /// How long keys are used before they are asked for again.
    period: Duration,
    due: Mutex<Option<Instant>>,
}

impl Renewal {
    /// `lifetime` is that of a session.
    #[must_use]
    pub fn new(ring: Ring, lifetime: Duration) -> Self {
        let period = (lifetime / 4).clamp(Duration::from_secs(1), Duration::from_secs(600));
        Self { ring, period, due: Mutex::default() }
    }

    /// Asks for keys when it is time to. Without an answer those that are there stay; without any there are full handshakes.
    pub async fn refresh(&self, ask: impl Future<Output = Option<Vec<Key>>>) {
        let mut due = self.due.lock().await;
        if due.is_some_and(|due| due > Instant::now()) {
            return;
        }
        *due = Some(Instant::now() + self.period);
        if let Some(keys) = ask.await {
            self.ring.set(&keys);
        }
    }
}

impl ProducesTickets for Ring {
    fn enabled(&self) -> bool {
        !self.keys.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn lifetime(&self) -> u32 {
        self.lifetime
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let current = keys.first().filter(|key| key.expires > now())?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let context = self.context(&current.name);
        current.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), context, &mut sealed).ok()?;
        Some([&current.name[..], &nonce, &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.iter().find(|key| key.name == *name && key.expires > now())?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = key.key.open_in_place(nonce, self.context(name), &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ring(service: &str, keys: &[Key]) -> Ring {
        let ring = Ring::new(service, 3600);
        ring.set(keys);
        ring
    }

    #[test]
    fn tickets_are_read_by_processes_of_the_same_service() {
        let (old, new) = (Key::random(now() + 100).unwrap(), Key::random(now() + 200).unwrap());
        let before = ring("smtp", std::slice::from_ref(&old));
        let after = ring("smtp", &[new.clone(), old.clone()]);
        let ticket = before.encrypt(b"session").unwrap();
        assert_eq!(after.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        assert_eq!(before.decrypt(&after.encrypt(b"session").unwrap()), None);
        assert_eq!(ring("submission", std::slice::from_ref(&old)).decrypt(&ticket), None);
        let expired = Key { expires: now() - 1, ..old };
        assert_eq!(ring("smtp", &[expired]).decrypt(&ticket), None);
    }

    #[test]
    fn without_keys_there_are_no_tickets() {
        let ring = ring("smtp", &[]);
        assert!(!ring.enabled());
        assert_eq!(ring.encrypt(b"session"), None);
    }

    proptest! {
        #[test]
        fn what_is_no_ticket_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..80) {
            let ring = ring("smtp", &[Key::random(now() + 100).unwrap()]);
            prop_assert_eq!(ring.decrypt(&bytes), None);
            let mut ticket = ring.encrypt(b"a session of some length").unwrap();
            let at = at % ticket.len();
            ticket[at] ^= 1;
            prop_assert_eq!(ring.decrypt(&ticket), None);
        }
    }
}

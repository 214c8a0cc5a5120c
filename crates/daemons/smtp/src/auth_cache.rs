//! Passwords that servers have refused, so that they are not tried again with every message (`smtp_sasl_auth_cache_name`).
//!
//! The table is behind proxywrite(8), and all clients share it. An entry names the server and the user, and holds when it
//! was made, what only the same password gives, the status, and what the server said. A cache that cannot be read or
//! written is as good as none.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dsn::Status;
use queue_file::Time;
use sasl::client::Credentials;
use table::store::Store;
use tls::fingerprint::Algorithm;

use crate::failure::{logged, status};
use smtp_proto::reply::Answer;

/// The longest text of a refusal that is kept.
const TEXT: usize = 1000;

/// The table.
#[derive(Clone)]
pub struct AuthCache {
    store: Arc<Mutex<Box<dyn Store>>>,
    /// `smtp_sasl_auth_cache_time`.
    lifetime: Duration,
}

impl fmt::Debug for AuthCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthCache").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

/// What a server has said of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status of its reply.
    pub status: Status,
    /// The reply, on one line.
    pub text: String,
}

impl AuthCache {
    /// A cache in a table.
    #[must_use]
    pub fn new(store: Box<dyn Store>, lifetime: Duration) -> Self {
        Self { store: Arc::new(Mutex::new(store)), lifetime }
    }

    /// Whether a server has refused these credentials not long ago. An entry about another password goes.
    pub async fn find(&self, host: &str, credentials: &Credentials) -> Option<Refused> {
        let (key, sum) = (key(host, credentials), sum(host, credentials));
        let (lifetime, now) = (self.lifetime, Time::now().seconds);
        self.with(move |store| {
            let Some(value) = store.get(&key)? else { return Ok(None) };
            let found = parse(&value, &sum, lifetime, now);
            if found.is_none() {
                store.delete(&key)?;
            }
            Ok(found)
        })
        .await
        .flatten()
    }

    /// Remembers a refusal.
    pub async fn keep(&self, host: &str, credentials: &Credentials, answer: &Answer) {
        let (key, sum) = (key(host, credentials), sum(host, credentials));
        let text: String = logged(answer).chars().take(TEXT).collect();
        let value = format!("{};{sum};{};{text}", Time::now().seconds, status(answer));
        self.with(move |store| store.put(&key, value.as_bytes(), true).map(drop)).await;
    }

    /// The table answers through a socket, so that it is waited for on the pool.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Store) -> Result<T, table::Error> + Send + 'static,
    ) -> Option<T> {
        let store = Arc::clone(&self.store);
        let done = service::disk(move || work(store.lock().unwrap_or_else(PoisonError::into_inner).as_mut())).await;
        done.inspect_err(|error| tracing::warn!("smtp_sasl_auth_cache_name: {error}")).ok()
    }
}

fn key(host: &str, credentials: &Credentials) -> Vec<u8> {
    format!("{};{}", host.to_ascii_lowercase(), credentials.user).into_bytes()
}

/// Tells passwords apart without showing them.
fn sum(host: &str, Credentials { user, password }: &Credentials) -> String {
    Algorithm::Sha256.fingerprint(format!("{host}\0{user}\0{password}").as_bytes()).replace(':', "")
}

/// `time;sum;status;text`
fn parse(value: &[u8], sum: &str, lifetime: Duration, now: i64) -> Option<Refused> {
    let value = String::from_utf8_lossy(value);
    let mut columns = value.splitn(4, ';');
    let (made, of, status, text) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let age = u64::try_from(now.saturating_sub(made.parse().ok()?)).ok()?;
    let fits = of == sum && age <= lifetime.as_secs();
    fits.then(|| Some(Refused { status: status.parse().ok()?, text: text.to_owned() }))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_value_is_an_entry_or_none(value: Vec<u8>, now: i64) {
            let _ = parse(&value, "", Duration::ZERO, now);
        }
    }

    #[test]
    fn an_entry_holds_for_its_time_and_its_password() {
        let refused = Refused { status: Status::permanent(7, 8), text: "535 5.7.8 a;b".into() };
        for (value, now, expected) in [
            ("100;AB;5.7.8;535 5.7.8 a;b", 110, Some(&refused)),
            ("100;AB;5.7.8;535 5.7.8 a;b", 100, Some(&refused)),
            ("100;AB;5.7.8;535 5.7.8 a;b", 111, None),
            ("100;AB;5.7.8;535 5.7.8 a;b", 99, None),
            ("100;AC;5.7.8;x", 100, None),
            ("100;AB;5.7;x", 100, None),
            ("x;AB;5.7.8;x", 100, None),
            ("100;AB;5.7.8", 100, None),
            ("", 100, None),
        ] {
            assert_eq!(parse(value.as_bytes(), "AB", Duration::from_secs(10), now).as_ref(), expected, "{value}");
        }
    }
}

//! Wake-ups that wait for the service.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Trigger bytes on their way to the service.
#[derive(Clone)]
pub(crate) struct Waker(Arc<(Mutex<Vec<u8>>, Notify)>);

impl Waker {
    pub(crate) fn new() -> Self {
        Self(Arc::new((Mutex::new(Vec::new()), Notify::new())))
    }

    /// Adds bytes; each is remembered once.
    pub(crate) fn wake(&self, bytes: &[u8]) {
        let mut waiting = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in bytes {
            if !waiting.contains(byte) {
                waiting.push(*byte);
            }
        }
        self.0.1.notify_one();
    }

    pub(crate) async fn next(&self) -> Vec<u8> {
        loop {
            self.0.1.notified().await;
            let waiting = std::mem::take(&mut *self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
            if !waiting.is_empty() {
                return waiting;
            }
        }
    }
}

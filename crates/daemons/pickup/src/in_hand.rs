//! Messages that are being handed over, so that none is taken twice at a time: a scan of the maildrop finds those too
//! that are on their way since they came in by the socket.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use queue_file::QueueId;

#[derive(Debug, Default)]
pub(crate) struct InHand(Mutex<HashSet<QueueId>>);

/// A message in hand, until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Hold<'a> {
    all: &'a InHand,
    id: &'a QueueId,
}

impl InHand {
    /// Takes a message in hand, unless it is already.
    pub(crate) fn take<'a>(&'a self, id: &'a QueueId) -> Option<Hold<'a>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(id.clone()).then(|| Hold { all: self, id })
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_in_one_hand_at_a_time() {
        let (all, id) = (InHand::default(), QueueId::short(1, 2));
        let held = all.take(&id);
        assert!(held.is_some() && all.take(&id).is_none());
        drop(held);
        assert!(all.take(&id).is_some());
    }
}

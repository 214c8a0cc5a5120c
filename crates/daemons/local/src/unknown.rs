//! Names that are neither aliases nor users.

use delivery::Settled;
use dsn::Status;
use tracing::warn;

use crate::errand::{CONFIGURATION, Errand};
use crate::state::State;

impl Errand<'_, '_> {
    /// Hands the mail on as configured, or bounces it.
    pub(crate) fn unknown(&mut self, state: &State) -> Settled {
        let local = &self.office.params.local;
        match self.transport(state, &self.office.tables.fallback_transports, &local.fallback_transport) {
            Ok(Some(transport)) => return self.pass(state, &transport),
            Ok(None) => {}
            Err(()) => return self.defer(state, "table lookup failure"),
        }
        if !local.luser_relay.trim().is_empty() && !state.relayed {
            return self.relay_unknown(state);
        }
        // Bounces of these would go round in circles.
        let name = String::from_utf8_lossy(&state.user).into_owned();
        if ["mailer-daemon", "postmaster"].contains(&&*name) {
            warn!("required alias not found: {name}");
            return self.sent(state, "discarded");
        }
        if name == self.office.params.common.identity.double_bounce_sender {
            return self.sent(state, "undeliverable postmaster notification discarded");
        }
        self.fail(state, Status::permanent(1, 1), format!("unknown user: \"{name}\""))
    }

    /// Whatever the expansion looks like, it is one address: senders choose what goes into it.
    fn relay_unknown(&mut self, state: &State) -> Settled {
        let names = self.names(state, None);
        // A backslash before a user name is another way to write it.
        let relay = self.office.params.local.luser_relay.trim_start_matches('\\');
        let Some(address) = names.expand_loosely(relay, None) else {
            return self.fail(state, Status::temporary(3, 5), CONFIGURATION);
        };
        let inner = State { relayed: true, rights: None, ..state.clone() };
        self.resolve(&inner, address.as_bytes())
    }
}

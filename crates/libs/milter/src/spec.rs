//! One filter as main.cf names it: `inet:host:port`, or `{ inet:host:port, default_action=accept, … }`.

use config::endpoint::Endpoint;
use config::params;
use config::value::{duration, unbraced, words};
use std::time::Duration;

/// Where a filter is, and what to do without it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// As logs name it.
    pub name: String,
    /// `None`: the text is no address, so the filter is never there.
    pub endpoint: Option<Endpoint>,
    /// Waiting for a connection, and for the negotiation.
    pub connect_timeout: Duration,
    /// Waiting for the answer to a command.
    pub command_timeout: Duration,
    /// Waiting for the verdict on the content.
    pub content_timeout: Duration,
    /// What is done while the filter cannot be asked.
    pub default: Fallback,
    /// The protocol version that is offered.
    pub version: u32,
}

/// What is done while a filter cannot be asked (`milter_default_action`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fallback {
    /// Goes on without it.
    Accept,
    /// Says this: `550 5.5.0 text`.
    Reply(String),
    /// Accepts mail and throws it away.
    Discard,
    /// Puts mail on hold.
    Quarantine,
    /// Ends the session.
    Shutdown,
}

/// The words for trouble that may pass.
pub const LATER: &str = "451 4.7.1 Service unavailable - try again later";

impl Fallback {
    fn parse(text: &str, name: &str) -> Self {
        match text {
            "accept" => Self::Accept,
            "reject" => Self::Reply("550 5.5.0 Service unavailable".to_owned()),
            "tempfail" => Self::Reply(LATER.to_owned()),
            "discard" => Self::Discard,
            "quarantine" => Self::Quarantine,
            "shutdown" => Self::Shutdown,
            _ => {
                tracing::warn!("milter {name}: unrecognized default action: {text}");
                Self::Reply(LATER.to_owned())
            }
        }
    }
}

impl Spec {
    /// The filters of a list.
    #[must_use]
    pub fn list(list: &[String], params: &params::Milter, known_tcp_ports: &str) -> Vec<Self> {
        list.iter().map(|text| Self::parse(text, params, known_tcp_ports)).collect()
    }

    fn parse(text: &str, params: &params::Milter, known_tcp_ports: &str) -> Self {
        let inner = unbraced(text).map(words);
        let mut parts = inner.unwrap_or_else(|| vec![text.to_owned()]).into_iter();
        let name = parts.next().unwrap_or_default();
        let endpoint = match Endpoint::parse(&name, known_tcp_ports) {
            Ok(endpoint) => Some(endpoint),
            Err(error) => {
                tracing::warn!("bad Milter service: {error}");
                None
            }
        };
        let mut spec = Self {
            default: Fallback::parse(&params.milter_default_action, &name),
            version: version(&params.milter_protocol, &name),
            name,
            endpoint,
            connect_timeout: params.milter_connect_timeout,
            command_timeout: params.milter_command_timeout,
            content_timeout: params.milter_content_timeout,
        };
        spec.adjust(parts.collect::<Vec<_>>().join(" ").as_str());
        spec
    }

    /// Applies `name=value` settings, which may have blanks around the `=`.
    fn adjust(&mut self, settings: &str) {
        let text = settings.replace(" = ", "=").replace("= ", "=").replace(" =", "=");
        for setting in words(&text) {
            let (key, value) = setting.split_once('=').unwrap_or((&setting, ""));
            let time = || duration(value).filter(|time| !time.is_zero());
            match key {
                "connect_timeout" => self.connect_timeout = time().unwrap_or(self.connect_timeout),
                "command_timeout" => self.command_timeout = time().unwrap_or(self.command_timeout),
                "content_timeout" => self.content_timeout = time().unwrap_or(self.content_timeout),
                "default_action" => self.default = Fallback::parse(value, &self.name),
                "protocol" => self.version = version(value, &self.name),
                _ => tracing::warn!("milter {}: unknown setting: {setting}", self.name),
            }
        }
    }
}

/// The number in `milter_protocol`; its variants add nothing that is not told anyway.
fn version(text: &str, name: &str) -> u32 {
    match text.split([' ', ',', '\t']).next().and_then(|word| word.parse().ok()) {
        Some(version @ 2..=crate::packet::VERSION) => version,
        Some(_) | None => {
            tracing::warn!("milter {name}: unexpected protocol version {text}");
            crate::packet::VERSION
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        let source = config::Source::parse(std::path::Path::new("/nonexistent"), "milter_default_action = tempfail\n");
        Spec::parse(text, &source.unwrap().get().unwrap(), "filter=8891")
    }

    #[test]
    fn a_filter_may_have_a_port_that_main_cf_knows() {
        let endpoint = spec("inet:filter.test:filter").endpoint.map(|endpoint| endpoint.to_string());
        assert_eq!(endpoint.as_deref(), Some("filter.test:8891"));
    }

    #[test]
    fn filters_have_settings_of_their_own() {
        let plain = spec("inet:localhost:8891");
        assert_eq!(plain.default, Fallback::Reply(LATER.to_owned()));
        assert_eq!((plain.connect_timeout, plain.version), (Duration::from_secs(30), 6));
        let own = spec("{ unix:/run/x, default_action = accept, connect_timeout=5s, protocol=4 }");
        assert_eq!((own.name.as_str(), own.default), ("unix:/run/x", Fallback::Accept));
        assert_eq!((own.connect_timeout, own.version), (Duration::from_secs(5), 4));
        assert_eq!(spec("nowhere").endpoint, None);
    }
}

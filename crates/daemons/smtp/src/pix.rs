//! Servers behind a certain firewall, which hides their greeting: `smtp_pix_workarounds`.
//!
//! The firewall does not know EHLO, and could take a final dot that comes in a packet of its own for missing; mail that has
//! waited long enough to make that likely is given time.

use std::time::Duration;

use ipc::deliver::Request;
use smtp_proto::reply::Answer;
use table::Maps;
use tracing::{info, warn};

use crate::envelope;
use crate::peer::Peer;

/// The parameters.
#[derive(Debug, Clone)]
pub struct Pix {
    /// `smtp_pix_workarounds`.
    pub default: Vec<String>,
    /// `smtp_pix_workaround_maps`.
    pub maps: Maps,
    /// `smtp_pix_workaround_delay_time`.
    pub delay: Duration,
    /// `smtp_pix_workaround_threshold_time`.
    pub threshold: Duration,
}

/// `disable_esmtp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Esmtp {
    /// EHLO is used.
    #[default]
    Enabled,
    /// HELO is.
    Disabled,
}

/// What is done for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Workarounds {
    /// `disable_esmtp`.
    pub esmtp: Esmtp,
    /// `delay_dotcrlf`: for messages older than this, the pause before the final dot.
    pub pause: Option<(Duration, Duration)>,
}

/// What is known of the message at hand before the server is asked for anything.
#[derive(Debug, Clone, Default)]
pub struct Item {
    /// Its queue id.
    pub queue_id: String,
    /// How long ago it arrived.
    pub age: Duration,
}

impl Item {
    /// Of a delivery.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        Self { queue_id: request.queue_id.to_string(), age: envelope::age(request) }
    }
}

impl Pix {
    /// What a server with this banner needs; `item` is the message at hand.
    pub async fn workarounds(&self, banner: &Answer, peer: &Peer, item: &Item) -> Workarounds {
        if !is_hidden(banner) {
            return Workarounds::default();
        }
        let mut words = self.default.join(",");
        if let (false, Some(address)) = (self.maps.is_empty(), peer.address())
            && let Ok(Some(found)) = self.maps.lookup(address.to_string().as_bytes()).await
        {
            words = String::from_utf8_lossy(&found).into_owned();
        }
        let mut workarounds = Workarounds::default();
        let mut enabled = Vec::new();
        for word in words.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|word| !word.is_empty()) {
            match word.to_ascii_lowercase().as_str() {
                "disable_esmtp" => workarounds.esmtp = Esmtp::Disabled,
                "delay_dotcrlf" => {
                    workarounds.pause = Some((self.threshold, self.delay));
                    if item.age <= self.threshold {
                        continue;
                    }
                }
                other => {
                    warn!("unknown PIX workaround: {other}");
                    continue;
                }
            }
            enabled.push(word);
        }
        if words.trim().is_empty() {
            return workarounds;
        }
        let Item { queue_id, .. } = item;
        info!("{queue_id}: enabling PIX workarounds: {} for {}", enabled.join(" "), peer.relay());
        workarounds
    }
}

/// Whether a banner is all asterisks; the firewall leaves twos and zeros as they are. One without any text counts too.
fn is_hidden(banner: &Answer) -> bool {
    banner.text.iter().all(|byte| b"20* \n".contains(byte))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use smtp_proto::reply::Assembler;
    use table::Environment;

    use super::*;

    #[test]
    fn only_hidden_banners_count_and_tables_decide() {
        let pix = Pix {
            default: vec!["disable_esmtp".into(), "delay_dotcrlf".into()],
            maps: Maps::open(
                "smtp_pix_workaround_maps",
                &["inline:{127.0.0.2=delay_dotcrlf}"],
                &Environment::default(),
            ),
            delay: Duration::from_secs(10),
            threshold: Duration::from_secs(500),
        };
        let pause = Some((pix.threshold, pix.delay));
        for (banner, host, expected) in [
            ("220 mx.test ESMTP", 1, Workarounds::default()),
            ("220 *****2****0***", 1, Workarounds { esmtp: Esmtp::Disabled, pause }),
            ("220 *****1", 1, Workarounds::default()),
            ("220", 1, Workarounds { esmtp: Esmtp::Disabled, pause }),
            ("220 ********", 2, Workarounds { esmtp: Esmtp::Enabled, pause }),
        ] {
            let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, host]), 25);
            let banner = Assembler::new(100).add(banner.as_bytes()).unwrap();
            assert_eq!(table::block_on(pix.workarounds(&banner, &peer, &Item::default())), expected);
        }
    }
}

//! How the tests' client talks: without tables, with time enough for all.

use std::sync::Arc;
use std::time::Duration;

use smtp::dialogue::{Dialect, Greeting, HardGreeting};
use smtp::flavor::Flavor;
use smtp::pix::Pix;
use smtp::stage::Timeouts;
use smtp_proto::ehlo::Keywords;
use table::{Environment, Maps, Parents, PatternList};

/// As a host called `me.test`.
pub(crate) fn dialect(flavor: Flavor) -> Arc<Dialect> {
    let limit = Duration::from_secs(20);
    Arc::new(Dialect {
        flavor,
        timeouts: Timeouts {
            connect: limit,
            hello: limit,
            starttls: limit,
            xforward: limit,
            mail: limit,
            rcpt: limit,
            data_init: limit,
            data_xfer: limit,
            data_done: limit,
            rset: limit,
            quit: limit,
        },
        deadline: None,
        hello_name: "me.test".into(),
        myhostname: "me.test".into(),
        greeting: Greeting::Always,
        hard_greeting: HardGreeting::Skip,
        hidden: Keywords::NONE,
        hidden_by_address: Maps::none("smtp_discard_ehlo_keyword_address_maps"),
        reply_filter: Maps::none("smtp_reply_filter"),
        pix: Pix {
            default: vec!["disable_esmtp".into()],
            maps: Maps::none("smtp_pix_workaround_maps"),
            delay: Duration::ZERO,
            threshold: Duration::ZERO,
        },
        reply_limit: 2048,
        debug_peers: PatternList::open("debug_peer_list", &[] as &[&str], Parents::Dotted, &Environment::default()),
        complaints: None,
    })
}

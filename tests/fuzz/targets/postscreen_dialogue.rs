//! What clients say to postscreen(8), in pieces.

#![no_main]

use std::sync::Arc;

use address::LogForm;
use config::{ExpansionFilter, TlsLevel};
use libfuzzer_sys::fuzz_target;
use postscreen::action::Action;
use postscreen::dialogue::{Client, Dialogue, Event, Greeting, Manner, PerTest, Purpose, Settings};
use smtp_proto::ehlo::Keywords;

const LIMIT: u32 = 20;

fn dialogue(action: Action) -> Dialogue {
    let manner = Manner {
        myhostname: "mail.test".into(),
        soft_bounce: false,
        reject_footer: "see [$client_address]".into(),
        expansion_filter: ExpansionFilter::parse("0123456789."),
    };
    let settings = Settings {
        banner: "mail.test".into(),
        message_size_limit: 0,
        offered: Settings::offer(false, true, Some(TlsLevel::May)),
        hidden: Keywords::NONE,
        tls: Some(TlsLevel::May),
        helo_required: false,
        disable_vrfy_command: false,
        command_count_limit: LIMIT,
        log_form: LogForm::External,
        line_length_limit: 100,
        actions: PerTest([action; 3]),
        manner,
    };
    let client = Client { address: "192.0.2.1".into(), port: "1".into(), hidden: None };
    Dialogue::new(Arc::new(settings), client, Purpose::Test(PerTest([true; 3])), Greeting::Say)
}

/// Whether the session goes on; counts replies.
fn follow(dialogue: &mut Dialogue, replies: &mut u32) -> bool {
    while let Some(event) = dialogue.next_event() {
        match event {
            Event::Reply(reply) => {
                assert_ne!(reply.code / 100, 3, "no content is asked for");
                *replies += 1;
            }
            Event::Dismiss(_) => {
                *replies += 1;
                return false;
            }
            Event::Log(line) => assert!(!line.contains(['\r', '\n', '\0'])),
            Event::Filter(line) => dialogue.filtered(line.strip_prefix(b"x").map(<[u8]>::to_vec)),
            Event::Forbidden(word) => dialogue.judged(word.len() % 2 == 0),
            Event::StartTls => dialogue.start_tls(),
        }
    }
    true
}

fuzz_target!(|input: (u8, Vec<Vec<u8>>)| {
    let (action, pieces) = input;
    let action = [Action::Ignore, Action::Enforce, Action::Drop][usize::from(action % 3)];
    let mut dialogue = dialogue(action);
    let mut replies = 0;
    let mut goes_on = follow(&mut dialogue, &mut replies);
    for piece in pieces {
        dialogue.feed(&piece);
        goes_on &= follow(&mut dialogue, &mut replies);
    }
    if goes_on {
        dialogue.time_out();
        assert!(!follow(&mut dialogue, &mut replies));
    }
    assert!(replies <= LIMIT + 3, "the greeting, 20 commands, QUIT or the last words");
    assert_eq!(dialogue.next_event(), None);
});

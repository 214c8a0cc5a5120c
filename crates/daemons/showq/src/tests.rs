//! How messages are cut into frames.

use super::*;
use queue_file::{QueueId, QueueName};

fn listed(number: u32, recipients: usize) -> Listed {
    let waiting = |number| Waiting { address: format!("{number}").into(), original: Vec::new(), reason: String::new() };
    Listed {
        queue: QueueName::Deferred,
        id: QueueId::short(number, 1),
        arrived: 0,
        size: 0,
        expiring: false,
        sender: Vec::new(),
        recipients: (0..recipients).map(waiting).collect(),
    }
}

#[test]
fn a_message_of_many_recipients_ends_its_frame_and_goes_on_in_the_next() {
    let counts = [1, 2 * RECIPIENTS + 7, 0, RECIPIENTS, 3];
    let replies = replies((0..).zip(counts).map(|(number, count)| listed(number, count)));
    let mut found: Vec<Vec<Recipient>> = Vec::new();
    for reply in replies {
        match reply {
            Reply::Messages(messages) => {
                assert!(messages.iter().map(|message| message.recipients.len()).sum::<usize>() < 2 * RECIPIENTS);
                found.extend(messages.into_iter().map(|message| message.recipients));
            }
            Reply::More(more) => {
                assert!((1..=RECIPIENTS).contains(&more.len()));
                found.last_mut().unwrap().extend(more);
            }
            Reply::End => panic!(),
        }
    }
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), counts);
    let expected: Vec<_> = (0..counts[1]).map(|number| number.to_string()).collect();
    assert!(found[1].iter().map(|recipient| &recipient.address[..]).eq(expected.iter().map(String::as_bytes)));
}

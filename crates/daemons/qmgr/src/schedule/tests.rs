//! The scheduler on a clock that the test winds.

use super::*;
use proptest::prelude::*;

type Plain = Schedule<u32>;

fn transport(limits: Limits) -> (Plain, Key<Transport<u32>>) {
    let mut schedule = Plain::default();
    let key = schedule.add_transport("smtp", limits);
    (schedule, key)
}

fn down() -> Feedback {
    Feedback::Unreachable(Why { status: "4.4.1".into(), reason: "connect".into() })
}

fn select_all(schedule: &mut Plain, transport: Key<Transport<u32>>, now: Tick) -> Vec<Key<Entry<u32>>> {
    std::iter::from_fn(|| schedule.select(transport, now)).collect()
}

fn window(schedule: &Plain) -> Option<u32> {
    schedule.destinations.iter().next().map(|(_, destination)| destination.window())
}

#[test]
fn a_destination_begins_small_and_grows_to_its_limit() {
    let (mut schedule, smtp) = transport(Limits { concurrency: 7, ..Limits::default() });
    for number in 0..30 {
        schedule.add((smtp, b"a"), (u64::from(number), 0), number);
    }
    let mut running = select_all(&mut schedule, smtp, 0);
    assert_eq!(running.len(), 5);
    for _ in 0..10 {
        schedule.finish(running.remove(0), Feedback::Reached, 0).unwrap();
        running.extend(select_all(&mut schedule, smtp, 0));
        assert!(running.len() <= 7);
    }
    assert_eq!(running.len(), 7);
}

#[test]
fn the_memory_of_a_wave_is_given_back_and_what_waits_is_kept() {
    let (mut schedule, smtp) = transport(Limits::default());
    for number in 0..1000 {
        schedule.add((smtp, number.to_string().as_bytes()), (u64::from(number), 0), number);
    }
    let mut running = select_all(&mut schedule, smtp, 0);
    let last = running.pop().unwrap();
    for key in running {
        schedule.finish(key, Feedback::Reached, 0).unwrap();
    }
    schedule.shrink();
    assert!(schedule.entries.capacity() >= 1000);
    assert_eq!(schedule.finish(last, Feedback::Reached, 0), Some((999, Vec::new())));
    schedule.shrink();
    assert_eq!((schedule.entries.capacity(), schedule.jobs.capacity(), schedule.destinations.capacity()), (0, 0, 0));
    assert_eq!(schedule.transport(smtp).map(|smtp| smtp.jobs.capacity() + smtp.destinations.capacity()), Some(0));
    schedule.add((smtp, b"a"), (1000, 0), 1000);
    assert_eq!(select_all(&mut schedule, smtp, 0).len(), 1);
}

#[test]
fn a_dead_destination_gives_back_what_waits_and_revives() {
    let (mut schedule, smtp) = transport(Limits { initial_concurrency: 1, dead_time: 1000, ..Limits::default() });
    for number in 0..3 {
        schedule.add((smtp, b"a"), (u64::from(number), 0), number);
    }
    let first = schedule.select(smtp, 0).unwrap();
    assert!(schedule.select(smtp, 0).is_none());
    assert_eq!(schedule.finish(first, down(), 0), Some((0, vec![1, 2])));
    assert_eq!(schedule.dead_destination(smtp, b"a").map(|why| &why.status[..]), Some("4.4.1"));
    schedule.tick(999);
    assert!(schedule.dead_destination(smtp, b"a").is_some());
    assert_eq!(schedule.next_alarm(), Some(1000));
    schedule.tick(1000);
    assert!(schedule.dead_destination(smtp, b"a").is_none());
    assert_eq!(schedule.destinations.len(), 0);
}

#[test]
fn fractional_feedback_moves_in_cycles() {
    let rules = Limits {
        concurrency: 20,
        initial_concurrency: 4,
        failed_cohorts: 100,
        positive: "1/concurrency".parse().unwrap(),
        negative: "1/concurrency".parse().unwrap(),
        ..Limits::default()
    };
    let (mut schedule, smtp) = transport(rules);
    for number in 0..100 {
        schedule.add((smtp, b"a"), (u64::from(number), 0), number);
    }
    let mut seen = Vec::new();
    let mut running = select_all(&mut schedule, smtp, 0);
    for round in 0..12 {
        let feedback = if round < 4 { Feedback::Reached } else { down() };
        schedule.finish(running.remove(0), feedback, 0).unwrap();
        seen.push(window(&schedule).unwrap());
        running.extend(select_all(&mut schedule, smtp, 0));
    }
    // Wider at the end of a cycle, narrower at the beginning of one.
    assert_eq!(seen[..5], [4, 4, 4, 5, 4]);
    assert!(seen[4..].is_sorted_by(|a, b| a >= b));
}

#[test]
fn destinations_of_one_message_take_turns() {
    let (mut schedule, smtp) = transport(Limits { concurrency: 2, ..Limits::default() });
    for number in 0..4 {
        schedule.add((smtp, b"a"), (1, 0), number);
        schedule.add((smtp, b"b"), (1, 0), number + 10);
    }
    let chosen: Vec<_> = select_all(&mut schedule, smtp, 0);
    let chosen: Vec<_> = chosen.iter().map(|key| schedule.entry(*key).unwrap().payload).collect();
    assert_eq!(chosen, [0, 10, 1, 11]);
}

#[test]
fn a_slow_destination_does_not_hold_up_another() {
    let (mut schedule, smtp) = transport(Limits::default());
    for number in 0..100 {
        schedule.add((smtp, b"slow"), (u64::from(number), 0), number);
    }
    assert_eq!(select_all(&mut schedule, smtp, 0).len(), 5);
    schedule.add((smtp, b"fast"), (1000, 0), 1000);
    let next = schedule.select(smtp, 0).unwrap();
    assert_eq!(schedule.entry(next).unwrap().payload, 1000);
}

#[test]
fn a_small_message_overtakes_a_large_one_that_has_earned_it() {
    let (mut schedule, smtp) = transport(Limits { concurrency: 1, ..Limits::default() });
    for number in 0..1000 {
        schedule.add((smtp, b"a"), (1, 0), number);
    }
    schedule.add((smtp, b"a"), (2, 0), 5000);
    let mut position = 0;
    loop {
        let key = schedule.select(smtp, 0).unwrap();
        let (payload, _) = schedule.finish(key, Feedback::Reached, 0).unwrap();
        if payload == 5000 {
            break;
        }
        position += 1;
    }
    assert!(position <= 5, "{position}");
    let (mut schedule, smtp) = transport(Limits { concurrency: 1, slot_cost: 0, ..Limits::default() });
    for number in 0..50 {
        schedule.add((smtp, b"a"), (1, 0), number);
    }
    schedule.add((smtp, b"a"), (2, 0), 5000);
    for number in 0..50 {
        let key = schedule.select(smtp, 0).unwrap();
        assert_eq!(schedule.finish(key, Feedback::Reached, 0).unwrap().0, number);
    }
}

#[test]
fn overtaking_costs_the_large_message_a_bounded_share() {
    let (mut schedule, smtp) = transport(Limits { concurrency: 1, ..Limits::default() });
    for number in 0..200 {
        schedule.add((smtp, b"a"), (1, 0), number);
    }
    for number in 0..1000 {
        schedule.add((smtp, b"a"), (10 + u64::from(number), 1), 1000 + number);
    }
    let (mut large, mut small) = (0, 0);
    while large < 200 {
        let key = schedule.select(smtp, 1000).unwrap();
        let (payload, _) = schedule.finish(key, Feedback::Reached, 1000).unwrap();
        *(if payload < 1000 { &mut large } else { &mut small }) += 1;
    }
    assert!((30..=60).contains(&small), "{small}");
}

#[test]
fn rates_are_kept() {
    let (mut schedule, smtp) = transport(Limits { rate_delay: 1000, ..Limits::default() });
    for number in 0..2 {
        schedule.add((smtp, b"a"), (u64::from(number), 0), number);
        schedule.add((smtp, b"b"), (u64::from(number), 0), number);
    }
    let running = select_all(&mut schedule, smtp, 0);
    assert_eq!(running.len(), 2);
    for key in running {
        schedule.finish(key, Feedback::Reached, 50).unwrap();
    }
    schedule.tick(1049);
    assert!(!schedule.is_ready(smtp));
    schedule.tick(1050);
    assert_eq!(select_all(&mut schedule, smtp, 1050).len(), 2);

    let (mut schedule, smtp) = transport(Limits { transport_rate_delay: 1000, ..Limits::default() });
    schedule.add((smtp, b"a"), (1, 0), 1);
    schedule.add((smtp, b"b"), (1, 0), 2);
    let running = select_all(&mut schedule, smtp, 0);
    assert_eq!(running.len(), 1);
    schedule.finish(running[0], Feedback::Reached, 10).unwrap();
    assert!(schedule.select(smtp, 500).is_none());
    schedule.tick(1010);
    assert!(schedule.select(smtp, 1010).is_some());
}

#[test]
fn a_dead_transport_gives_everything_back() {
    let (mut schedule, smtp) = transport(Limits::default());
    for number in 0..9 {
        schedule.add((smtp, b"a"), (u64::from(number), 0), number);
    }
    let running = select_all(&mut schedule, smtp, 0);
    let why = Why { status: "4.3.0".into(), reason: "mail transport unavailable".into() };
    assert_eq!(schedule.bury_transport(smtp, why, 60_000).len(), 4);
    schedule.add((smtp, b"a"), (50, 0), 50);
    for key in running {
        schedule.finish(key, Feedback::Unknown, 0).unwrap();
    }
    assert!(!schedule.is_ready(smtp));
    schedule.revive();
    assert!(schedule.is_ready(smtp));
}

#[test]
fn what_is_put_back_comes_again() {
    let (mut schedule, smtp) = transport(Limits::default());
    schedule.add((smtp, b"a"), (1, 0), 1);
    let key = schedule.select(smtp, 0).unwrap();
    schedule.put_back(key);
    assert_eq!(schedule.select(smtp, 0), Some(key));
    schedule.finish(key, Feedback::Reached, 0).unwrap();
    assert_eq!((schedule.len(), schedule.jobs.len(), schedule.destinations.len()), (0, 0, 0));
}

#[derive(Debug, Clone)]
enum Move {
    Add { message: u64, destination: u8 },
    Select,
    Finish { which: usize, feedback: u8 },
    PutBack(usize),
    Wait(u64),
    Revive,
    Bury,
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0u64..30, 0u8..4).prop_map(|(message, destination)| Move::Add { message, destination }),
        4 => Just(Move::Select),
        4 => (any::<usize>(), 0u8..4).prop_map(|(which, feedback)| Move::Finish { which, feedback }),
        1 => any::<usize>().prop_map(Move::PutBack),
        1 => (0u64..2000).prop_map(Move::Wait),
        1 => Just(Move::Revive),
        1 => Just(Move::Bury),
    ]
}

proptest! {
    #[test]
    fn every_delivery_ends_once_and_limits_hold(
        moves in proptest::collection::vec(moves(), 0..300),
        concurrency in 0u32..6, rate in 0u64..2, slot_cost in 0u32..4,
    ) {
        let limits = Limits { concurrency, rate_delay: rate * 500, slot_cost, dead_time: 700, ..Limits::default() };
        let (mut schedule, smtp) = transport(limits.clone());
        let (mut added, mut ended, mut now) = (0u32, Vec::new(), 0);
        let mut running: Vec<Key<Entry<u32>>> = Vec::new();
        let finish = |schedule: &mut Plain, key, feedback, now, ended: &mut Vec<u32>| {
            let (payload, evicted) = schedule.finish(key, feedback, now).unwrap();
            ended.push(payload);
            ended.extend(evicted);
        };
        for step in moves {
            match step {
                Move::Add { message, destination } => {
                    schedule.add((smtp, &[destination]), (message, now), added);
                    added += 1;
                }
                Move::Select => running.extend(schedule.select(smtp, now)),
                Move::Finish { which, feedback } if !running.is_empty() => {
                    let key = running.swap_remove(which % running.len());
                    let feedback = if feedback == 0 { down() } else { Feedback::Reached };
                    finish(&mut schedule, key, feedback, now, &mut ended);
                }
                Move::PutBack(which) if !running.is_empty() => {
                    let key = running.swap_remove(which % running.len());
                    schedule.put_back(key);
                }
                Move::Finish { .. } | Move::PutBack(_) => {}
                Move::Wait(time) => {
                    now += time;
                    schedule.tick(now);
                }
                Move::Revive => schedule.revive(),
                Move::Bury => {
                    let why = Why { status: String::new(), reason: String::new() };
                    ended.extend(schedule.bury_transport(smtp, why, now + 300));
                }
            }
            if limits.concurrency() > 0 {
                for (_, destination) in schedule.destinations.iter() {
                    prop_assert!(destination.busy <= limits.concurrency());
                }
            }
        }
        for _ in 0..10_000 {
            now += 5000;
            schedule.tick(now);
            running.extend(select_all(&mut schedule, smtp, now));
            if running.is_empty() {
                break;
            }
            for key in running.drain(..) {
                finish(&mut schedule, key, Feedback::Reached, now, &mut ended);
            }
        }
        ended.sort_unstable();
        prop_assert_eq!(ended, (0..added).collect::<Vec<_>>());
        now += 5000;
        schedule.tick(now);
        prop_assert_eq!((schedule.len(), schedule.jobs.len(), schedule.destinations.len()), (0, 0, 0));
        let transport = schedule.transport(smtp).unwrap();
        prop_assert!(transport.ready.is_empty() && transport.order.is_empty() && transport.sizes.is_empty());
    }
}

#[test]
fn crowds_are_told_of_once_in_a_while() {
    let (mut schedule, smtp) = transport(Limits { concurrency: 2, ..Limits::default() });
    for number in 0..4 {
        schedule.add((smtp, b"a"), (u64::from(number), 0), number);
    }
    let causes = |schedule: &mut Plain, most, now| -> Vec<_> {
        schedule
            .crowds(most, now, 100)
            .into_iter()
            .map(|crowd| (crowd.destination, crowd.length, crowd.cause))
            .collect()
    };
    assert_eq!(causes(&mut schedule, 4, 0), []);
    assert_eq!(causes(&mut schedule, 3, 0), [("a".to_owned(), 4, Cause::Slowness)]);
    assert_eq!(causes(&mut schedule, 3, 99), []);
    schedule.add((smtp, b"b"), (9, 0), 9);
    assert_eq!(causes(&mut schedule, 3, 100), [("a".to_owned(), 4, Cause::Company)]);
    select_all(&mut schedule, smtp, 100);
    assert_eq!(causes(&mut schedule, 3, 200), [("a".to_owned(), 4, Cause::Limit(2))]);
}

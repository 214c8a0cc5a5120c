//! The pool on a clock of its own.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const GOOD: End = End::Status(0);
const BAD: End = End::Status(1);

fn pool(limit: Option<u32>, best: u32) -> Pool {
    Pool::new(Shares::new(limit, best, None), MINUTE)
}

fn start(slot: usize, share: u32) -> Vec<Action> {
    vec![Action::Start { slot, share }]
}

#[test]
fn first_client_starts_a_process_and_then_it_accepts_itself() {
    let (mut pool, now) = (pool(Some(3), 2), Instant::now());
    assert!(pool.watches());
    assert_eq!(pool.on_client(now), start(0, 2));
    pool.started(10, 0, now);
    assert!(!pool.watches(), "one is coming");
    assert_eq!(pool.on_status(10, Status::Available), []);
    assert!(!pool.watches());
}

#[test]
fn next_process_comes_when_all_are_full_or_one_is_busy() {
    let (mut pool, now) = (pool(Some(3), 2), Instant::now());
    pool.started(10, 0, now);
    assert_eq!(pool.on_status(10, Status::Full), []);
    assert!(pool.watches());
    assert_eq!(pool.on_client(now), start(1, 1));
    pool.started(11, 1, now);
    assert_eq!(pool.on_status(11, Status::Available), []);
    let mut other = self::pool(None, 2);
    other.started(10, 0, now);
    assert_eq!(other.on_status(10, Status::Available), []);
    assert_eq!(other.on_status(10, Status::Busy), start(1, 0));
    other.started(11, 1, now);
    assert_eq!(other.on_status(11, Status::Busy), [], "there are as many as there may be");
}

#[test]
fn overload_is_told_once_until_someone_is_free() {
    let (mut pool, now) = (pool(Some(1), 2), Instant::now());
    pool.started(10, 0, now);
    assert_eq!(pool.on_status(10, Status::Full), []);
    assert!(pool.watches());
    assert_eq!(pool.on_client(now), [Action::Overload]);
    assert!(pool.is_stressed() && !pool.watches());
    assert_eq!(pool.on_status(10, Status::Available), []);
    assert_eq!(pool.on_status(10, Status::Full), []);
    assert!(pool.watches());
    assert_eq!(pool.on_time(now + STRESS), (vec![], true));
    assert!(!pool.is_stressed());
}

#[test]
fn successor_is_up_before_its_predecessor_drains() {
    let (mut pool, now) = (pool(Some(1), 2), Instant::now());
    pool.started(10, 0, now);
    assert_eq!(pool.on_status(10, Status::Available), []);
    assert_eq!(pool.on_status(10, Status::Retiring), start(0, 1));
    pool.started(11, 0, now);
    assert_eq!(pool.on_status(11, Status::Available), [Action::Drain(10)]);
    assert_eq!(pool.on_status(10, Status::Exiting), []);
    assert_eq!(pool.on_end(10, GOOD, now), []);
    assert_eq!(pool.pids(), [11]);
}

#[test]
fn bad_start_is_throttled() {
    let (mut pool, now) = (pool(Some(10), 2), Instant::now());
    pool.started(10, 0, now);
    assert_eq!(pool.on_end(10, BAD, now), [Action::Throttle]);
    assert!(pool.is_throttled() && !pool.watches() && pool.on_need().is_empty());
    assert_eq!(pool.next_time(), Some(now + MINUTE));
    assert_eq!(pool.on_time(now + MINUTE), (vec![], false));
    assert!(pool.watches());
    assert_eq!(pool.on_need(), start(0, 5));
}

#[test]
fn late_failure_is_not_throttled_but_an_early_crash_is() {
    let (mut pool, now) = (pool(Some(1), 2), Instant::now());
    pool.started(10, 0, now);
    assert_eq!(pool.on_status(10, Status::Available), []);
    assert_eq!(pool.on_end(10, End::Signal(9), now + MINUTE), []);
    pool.started(11, 0, now);
    assert_eq!(pool.on_status(11, Status::Available), []);
    assert_eq!(pool.on_end(11, End::Signal(11), now), [Action::Throttle]);
}

#[test]
fn after_reload_new_processes_come_beside_those_that_finish() {
    let (mut pool, now) = (pool(Some(1), 2), Instant::now());
    pool.started(10, 0, now);
    assert_eq!(pool.on_status(10, Status::Full), []);
    assert_eq!(pool.renew(Shares::new(Some(1), 2, None), MINUTE), [10]);
    assert!(pool.watches());
    assert_eq!(pool.on_client(now), start(0, 1));
    pool.started(11, 0, now);
    assert_eq!(pool.on_end(10, BAD, now), [], "an old one that ends badly holds nobody back");
    assert_eq!(pool.wakeable(), Some(11));
}

#[test]
fn killed_processes_come_again_but_not_for_ever() {
    let (mut pool, now) = (pool(Some(1), 2), Instant::now());
    for (pid, signal) in [(1, 9), (2, 15), (3, 1), (4, 9)] {
        pool.started(pid, 0, now);
        assert_eq!(pool.on_end(pid, End::Signal(signal), now), []);
        assert!(pool.watches());
    }
    pool.started(5, 0, now);
    assert_eq!(pool.on_end(5, End::Signal(9), now), [Action::Throttle]);
}

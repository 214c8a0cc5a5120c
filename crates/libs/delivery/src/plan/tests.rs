//! What becomes of each outcome.

use super::*;
use ipc::deliver::{Client, Message, Times};

fn request(mode: Mode) -> Request {
    Request {
        number: 1,
        queue_name: "active".into(),
        queue_id: "ABC".into(),
        nexthop: "example.org".into(),
        mode,
        message: Message {
            sender: Bytes::from_static(b"s@example.net"),
            size: 1,
            data_offset: 0,
            data_size: 0,
            encoding: "7bit".into(),
            smtputf8: 0,
            envelope_id: String::new(),
            ret: String::new(),
            rewrite_context: "local".into(),
        },
        times: Times { arrived: 1_000_000, active: 1_000_000, handed: 1_000_000 },
        client: Client::default(),
        recipients: vec![recipient(0)],
    }
}

fn recipient(notify: u8) -> Recipient {
    Recipient {
        offset: 7,
        address: Bytes::from_static(b"a@example.org"),
        original: Bytes::from_static(b"a@example.org"),
        dsn_original: String::new(),
        notify,
    }
}

fn planned(mode: Mode, notify: u8, status: Status, soft_bounce: bool) -> Plan {
    let attempt = Attempt::by("x");
    let (request, recipient) = (request(mode), recipient(notify));
    let case = Case { request: &request, recipient: &recipient, attempt: &attempt, now: 1_000_000 };
    case.plan(Detail::new(status, "text").outcome(), &Policy { soft_bounce, ..Policy::default() })
}

fn names(plan: &Plan) -> Vec<&'static str> {
    plan.steps
        .iter()
        .map(|step| match step {
            Step::Verify(_) => "verify",
            Step::Bounce(_) => "bounce",
            Step::Defer(_) => "defer",
            Step::Trace(_) => "trace",
            Step::Flush(_) => "flush",
        })
        .collect()
}

#[test]
fn each_outcome_has_its_log_its_word_and_its_end() {
    use Settled::{Finished, Remains};
    let (ok, later, never) = (Status::SENT, Status::temporary(1, 1), Status::permanent(1, 1));
    for (mode, notify, status, soft, steps, tail, end) in [
        (Mode::Deliver, 0, ok, false, &[][..], "dsn=2.0.0, status=sent (text)", Finished),
        (Mode::Deliver, 2, ok, false, &["trace"], "dsn=2.0.0, status=sent (text)", Finished),
        (Mode::DeliverAndReport, 2, ok, false, &["trace"], "dsn=2.0.0, status=sent (text)", Finished),
        (Mode::DeliverLate, 0, ok, false, &["trace"], "dsn=2.0.0, status=sent (text)", Finished),
        (Mode::DeliverLate, 8, ok, false, &["trace"], "dsn=2.0.0, status=sent (text)", Finished),
        (Mode::DeliverLate, 1, ok, false, &[], "dsn=2.0.0, status=sent (text)", Finished),
        (Mode::DeliverLate, 0, later, false, &["defer"], "dsn=4.1.1, status=deferred (text)", Remains),
        (Mode::Deliver, 0, later, false, &["defer"], "dsn=4.1.1, status=deferred (text)", Remains),
        (Mode::DeliverAndReport, 0, later, false, &["defer", "trace"], "dsn=4.1.1, status=deferred (text)", Remains),
        (Mode::Deliver, 1, never, false, &["bounce"], "dsn=5.1.1, status=bounced (text)", Finished),
        (Mode::Deliver, 0, never, true, &["defer"], "dsn=4.1.1, status=SOFTBOUNCE (text)", Remains),
        (Mode::Expand, 0, ok, false, &["trace"], "dsn=2.0.0, status=deliverable (text)", Finished),
        (Mode::Expand, 0, never, false, &["trace"], "dsn=5.1.1, status=undeliverable (text)", Finished),
        (Mode::Probe, 0, later, false, &["verify"], "dsn=4.1.1, status=undeliverable (text)", Finished),
    ] {
        let plan = planned(mode, notify, status, soft);
        assert_eq!(names(&plan), steps, "{mode:?} {status}");
        assert!(plan.line.ends_with(tail), "{} {tail}", plan.line);
        assert_eq!(plan.settled, end, "{mode:?} {status}");
    }
}

#[test]
fn a_probe_tells_of_the_address_asked_for_and_of_what_it_has_become() {
    let request = request(Mode::Probe);
    let rewritten = Recipient { original: Bytes::from_static(b"alias@example.org"), ..recipient(0) };
    let attempt = Attempt::by("x");
    let case = Case { request: &request, recipient: &rewritten, attempt: &attempt, now: 0 };
    let plan = case.plan(Detail::new(Status::SENT, "text").outcome(), &Policy::default());
    let told = plan.steps.iter().map(|step| {
        let Step::Verify(verify::Request::Update { address, .. }) = step else { panic!("not for verify") };
        &address[..]
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [&b"alias@example.org"[..], b"a@example.org"]);
}

#[test]
fn the_owner_of_a_list_is_told_at_once() {
    let attempt = Attempt { owner: Some(Bytes::from_static(b"owner@x")), ..Attempt::by("local") };
    let (request, recipient) = (request(Mode::Deliver), recipient(0));
    let case = Case { request: &request, recipient: &recipient, attempt: &attempt, now: 0 };
    let plan = case.plan(Detail::new(Status::permanent(1, 1), "no").outcome(), &Policy::default());
    let Some(Step::Bounce(ipc::bounce::Request::One(notice, entry))) = plan.steps.first() else {
        panic!("no notice to the owner")
    };
    assert_eq!(notice.sender, "owner@x");
    assert_eq!(entry.action, "failed");
}

#[test]
fn the_log_tells_which_failed_probe_is_not_remembered() {
    let (request, recipient) = (request(Mode::Probe), recipient(0));
    let attempt = Attempt::by("none");
    let case = Case { request: &request, recipient: &recipient, attempt: &attempt, now: 1_000_000 };
    let policy = Policy { failed_probes: FailedProbes::Forgotten, ..Policy::default() };
    for (status, word) in [(Status::temporary(1, 1), "undeliverable-but-not-cached"), (Status::SENT, "deliverable")] {
        let plan = case.plan(Detail::new(status, "text").outcome(), &policy);
        assert!(plan.line.to_string().contains(&format!("status={word} ")), "{}", plan.line);
    }
}

#[test]
fn a_delay_is_noted_by_site_where_sites_are_known() {
    let (request, recipient) = (request(Mode::Deliver), recipient(0));
    let attempt = Attempt::by("none");
    let case = Case { request: &request, recipient: &recipient, attempt: &attempt, now: 1_000_000 };
    let policy = Policy { fast_flush: true, ..Policy::default() };
    let plan = case.plan(Detail::new(Status::temporary(1, 1), "text").outcome(), &policy);
    assert_eq!(names(&plan), ["defer", "flush"]);
}

#[test]
fn what_no_log_has_is_deferred_all_the_same_and_its_line_says_so() {
    let attempt = Attempt::by("x");
    let (request, recipient) = (request(Mode::Deliver), recipient(0));
    let case = Case { request: &request, recipient: &recipient, attempt: &attempt, now: 1_000_000 };
    let policy = Policy::default();
    let Otherwise::Defer(reason) = case.otherwise(Kind::Bounced, &policy) else { panic!() };
    let plan = case.plan_deferral(reason, &policy);
    assert!(plan.line.ends_with("dsn=4.3.0, status=deferred (bounce or trace service failure)"), "{}", plan.line);
    let warning = Otherwise::Remain("ABC: defer or trace service failure".into());
    assert_eq!(case.otherwise(plan.kind, &policy), warning);
}

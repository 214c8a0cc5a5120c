//! The tests of what a client says after the greeting.
//!
//! A test is passed when the client gets as far as RCPT without offence, and can still be failed after that. An offence is
//! looked for once in a session.

use smtp_proto::{Enhanced, Reply};

use crate::action::Action;

/// What is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Commands are not sent before the reply to the last one.
    Pipelining,
    /// No commands of other protocols are sent.
    NonSmtpCommand,
    /// Lines end with CR and LF.
    BareNewline,
}

impl Test {
    /// All of them, in the order of the results in the cache.
    pub const ALL: [Test; 3] = [Test::Pipelining, Test::NonSmtpCommand, Test::BareNewline];

    /// What a client hears that is dropped for it.
    pub(super) const fn farewell(self) -> Reply {
        match self {
            Test::Pipelining | Test::BareNewline => Reply::fixed(521, Enhanced(5, 5, 1), "Protocol error"),
            Test::NonSmtpCommand => Reply::fixed(521, Enhanced(5, 7, 0), "Error: I can break rules, too. Goodbye."),
        }
    }
}

/// Something for each test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerTest<T>(
    /// In the order of [`Test::ALL`].
    pub [T; 3],
);

impl<T> PerTest<T> {
    /// That of one test.
    #[must_use]
    pub const fn of(&self, test: Test) -> &T {
        let PerTest([pipelining, non_smtp_command, bare_newline]) = self;
        match test {
            Test::Pipelining => pipelining,
            Test::NonSmtpCommand => non_smtp_command,
            Test::BareNewline => bare_newline,
        }
    }

    const fn of_mut(&mut self, test: Test) -> &mut T {
        let PerTest([pipelining, non_smtp_command, bare_newline]) = self;
        match test {
            Test::Pipelining => pipelining,
            Test::NonSmtpCommand => non_smtp_command,
            Test::BareNewline => bare_newline,
        }
    }
}

/// What came out of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was not to be made.
    Off,
    /// It is not decided.
    Open,
    /// The client stood it.
    Passed,
    /// The client failed, and is not minded: a pass for the shortest time.
    Ignored,
    /// The client failed.
    Failed,
}

/// Whether the session goes on after an offence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    GoesOn,
    Ends,
}

/// The verdicts of a session.
#[derive(Debug)]
pub(super) struct Tests(PerTest<Verdict>);

impl Tests {
    pub(super) fn new(due: PerTest<bool>) -> Tests {
        Tests(PerTest(due.0.map(|due| if due { Verdict::Open } else { Verdict::Off })))
    }

    pub(super) const fn verdict(&self, test: Test) -> Verdict {
        *self.0.of(test)
    }

    /// Whether an offence would count.
    pub(super) const fn watches(&self, test: Test) -> bool {
        matches!(self.verdict(test), Verdict::Open | Verdict::Passed)
    }

    /// The client came as far as RCPT.
    pub(super) fn pass(&mut self) {
        for verdict in &mut self.0.0 {
            if *verdict == Verdict::Open {
                *verdict = Verdict::Passed;
            }
        }
    }

    pub(super) const fn fail(&mut self, test: Test, action: Action) {
        *self.0.of_mut(test) = match action {
            Action::Ignore => Verdict::Ignored,
            Action::Enforce | Action::Drop => Verdict::Failed,
        };
    }
}

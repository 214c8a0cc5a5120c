//! The delivery agent skeleton: request, recipients, outcomes, mailboxes, loops.

//! Delivery status: enhanced codes, outcomes, NOTIFY, RET, ENVID, ORCPT, xtext.

//! MAIL: a message begins.

use std::sync::Arc;

use dsn::Ret;
use smtp_proto::command::PathArgument;
use smtp_proto::parameter::{self, Body, Parameter};
use smtp_proto::{Enhanced, Reply, path};
use tracing::warn;

use crate::access::{Check, Facts, Fault};
use crate::session::transaction::{Envelope, Instance, Sender, Transaction};
use crate::session::{Next, Session, faults_of};
use crate::text::printable;
use smtp_proto::ehlo::Keyword;

impl Session {
    pub(super) async fn mail(&mut self, arguments: &[u8]) -> Next {
        if let Some(next) = self.mail_is_early() {
            return next;
        }
        let rewrites_locally = match self.rewrites_locally().await {
            Ok(local) => local,
            Err(reply) => return Next::Error(reply),
        };
        let Some(argument) = PathArgument::of_mail(arguments) else {
            return Next::against_protocol(Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: MAIL FROM:<address>"));
        };
        if let Some(reply) = self.limit_messages().await {
            return Next::against_policy(reply);
        }
        let sender = match self.sender(&argument).await {
            Ok(sender) => sender,
            Err(reply) if reply == BEYOND_FILES => return Next::against_policy(reply),
            Err(reply) => return Next::against_protocol(reply),
        };
        if let Some(reply) = self.no_room(sender.size) {
            let facts = Facts { sender: Some(&sender.address), ..self.facts(None, None) };
            facts.log("reject", &self.server.settings.softened(reply.clone()).to_string());
            let fault = if reply.code < 500 { Fault::Resource } else { Fault::Policy };
            return Next::Fault(fault, reply);
        }
        if let Some(login) = &mut self.login {
            login.sender = sender.auth.clone().filter(|auth| auth != NOBODY).unwrap_or_default();
        }
        self.messages += 1;
        let mut envelope = Box::new(Envelope {
            sender,
            recipients: Default::default(),
            actions: Default::default(),
            deferral: Default::default(),
            instance: Instance { arrived: std::time::SystemTime::now(), number: self.messages },
            rewrites_locally,
            sink: None,
            queue_id: None,
        });
        if let Err(reply) = self.check_sender(&mut envelope).await {
            return Next::Error(*reply);
        }
        if let Err(reply) = self.show_mail(&mut envelope, &argument).await {
            self.forget_message();
            return Next::Error(reply);
        }
        if !self.server.params.smtpd.smtpd_delay_open_until_valid_rcpt
            && let Err(reply) = self.open_sink(&mut envelope).await
        {
            return Next::Error(reply);
        }
        self.transaction = Transaction::Open(envelope);
        Next::Reply(Reply::fixed(250, Enhanced(2, 1, 0), "Ok"))
    }

    fn mail_is_early(&self) -> Option<Next> {
        let reply = if self.helo.is_none() && self.server.params.smtpd.smtpd_helo_required {
            let reply = Reply::fixed(503, Enhanced(5, 5, 1), "Error: send HELO/EHLO first");
            return Some(Next::against_policy(reply));
        } else if self.transaction.envelope().is_some() {
            Reply::fixed(503, Enhanced(5, 5, 1), "Error: nested MAIL command")
        } else if matches!(self.transaction, Transaction::Skipped(_)) {
            Reply::fixed(503, Enhanced(5, 5, 1), "Error: MAIL after BDAT")
        } else {
            return None;
        };
        Some(Next::against_protocol(reply))
    }

    /// The address and the parameters.
    async fn sender(&mut self, argument: &PathArgument<'_>) -> Result<Sender, Reply> {
        let mut sender = Sender::default();
        let address = path::internal(argument.path, self.strictness());
        // What may be in the address is known only with this parameter; whatever is wrong with others comes later.
        let mut parameters = parameter::parameters(argument.parameters);
        sender.smtputf8 = self.server.settings.smtputf8 && parameters.any(|parameter| parameter.is("SMTPUTF8"));
        sender.address = match address {
            Ok(address) if !self.is_bad_address(&sender, &address).await => address,
            Ok(_) | Err(path::Malformed) => {
                self.warn_of_syntax("MAIL", argument.path);
                return Err(Reply::fixed(501, Enhanced(5, 1, 7), "Bad sender address syntax"));
            }
        };
        for parameter in parameter::parameters(argument.parameters) {
            self.sender_parameter(&mut sender, &parameter)?;
        }
        if sender.verp.is_some() && sender.address.is_empty() {
            return Err(Reply::fixed(503, Enhanced(5, 5, 4), "Error: XVERP requires non-null sender"));
        }
        if !sender.address.is_ascii() && self.must_declare(&sender) {
            return Err(MUST_DECLARE);
        }
        Ok(sender)
    }

    fn sender_parameter(&self, sender: &mut Sender, parameter: &Parameter<'_>) -> Result<(), Reply> {
        let value = parameter.value;
        let syntax = |text| Err(Reply::fixed(501, Enhanced(5, 5, 4), text));
        match value {
            Some(_) if ["RET", "ENVID"].iter().any(|word| parameter.is(word)) && self.hidden.has(Keyword::Dsn) => {
                return Err(DSN_DISABLED);
            }
            Some(value) if parameter.is("SIZE") => match parameter::size(value) {
                Some(size) if i64::try_from(size).is_err() => return Err(BEYOND_FILES),
                Some(size) => sender.size = size,
                None => return syntax("Bad message size syntax"),
            },
            Some(value) if parameter.is("BODY") && Body::parse(value).is_some() => sender.body = Body::parse(value),
            Some(value) if parameter.is("RET") => match Ret::parse(value) {
                Ok(ret) if sender.ret.is_none() => sender.ret = Some(ret),
                Ok(_) | Err(_) => return syntax("Bad RET parameter syntax"),
            },
            Some(value) if parameter.is("ENVID") => match smtp_proto::attribute::decode(value) {
                Some(id) if sender.envelope_id.is_none() && is_printable(&id) => sender.envelope_id = Some(id),
                Some(_) | None => return syntax("Bad ENVID parameter syntax"),
            },
            Some(value) if parameter.is("AUTH") => {
                sender.auth = Some(printable(value).into_owned());
            }
            None if parameter.is("SMTPUTF8")
                && self.server.settings.smtputf8
                && !self.hidden.has(Keyword::SmtpUtf8) =>
            {
                sender.smtputf8 = true;
            }
            None if parameter.is("REQUIRETLS") && self.offers_requiretls() && !self.hidden.has(Keyword::RequireTls) => {
                sender.requiretls = true;
            }
            value if parameter.is("XVERP") && self.may_verp => {
                sender.verp = Some(self.verp_delimiters(value)?);
            }
            _ => return Err(unsupported(parameter)),
        }
        Ok(())
    }

    /// The value of `XVERP`, or what stands for it.
    fn verp_delimiters(&self, value: Option<&[u8]>) -> Result<String, Reply> {
        let fallback = &self.server.params.verp.default_verp_delimiters;
        let delimiters = value.map_or_else(|| fallback.clone(), |value| printable(value).into_owned());
        let filter = &self.server.params.verp.verp_delimiter_filter;
        if delimiters.len() == 2 && delimiters.chars().all(|c| filter.contains(c)) {
            return Ok(delimiters);
        }
        let text = format!("Error: XVERP needs two characters from {filter}");
        Err(Reply::new(501, Some(Enhanced(5, 5, 4)), text))
    }

    /// What trivial-rewrite and the extensions in use say about the address.
    /// `strict_smtputf8`.
    pub(super) fn must_declare(&self, sender: &Sender) -> bool {
        self.server.settings.smtputf8 && self.server.params.identity.strict_smtputf8 && !sender.smtputf8
    }

    pub(super) fn strictness(&self) -> path::Strictness {
        if self.server.params.access.strict_rfc821_envelopes {
            path::Strictness::Strict
        } else {
            path::Strictness::Lenient
        }
    }

    pub(super) fn warn_of_syntax(&self, verb: &str, path: &[u8]) {
        warn!("Illegal address syntax from {} in {verb} command: {}", self.peer.namaddr, printable(path));
    }

    /// Whether no mail can ever go to or come from an address.
    pub(super) async fn is_bad_address(&self, sender: &Sender, address: &[u8]) -> bool {
        // What a local user submits is judged by cleanup.
        if address.is_empty() || self.server.life.is_standalone() {
            return false;
        }
        // A client that does not declare SMTPUTF8 may send octets before the @, as it always could.
        let domain = memchr::memrchr(b'@', address).and_then(|at| address.get(at..)).unwrap_or_default();
        let is_utf8 = || !self.server.settings.smtputf8 || std::str::from_utf8(address).is_ok();
        if !sender.smtputf8 && !domain.is_ascii() || !is_utf8() {
            return true;
        }
        if !self.server.params.rewrite.allow_min_user && address::looks_like_option(address) {
            return true;
        }
        let resolved = self.server.resolver.resolve(&sender.address, address).await;
        matches!(resolved, Ok(resolved) if resolved.route.malformed)
    }

    /// The message would be too large, or the disk is too full.
    fn no_room(&self, size: u64) -> Option<Reply> {
        let queue = &self.server.params.queue;
        let limit = queue.message_size_limit;
        if limit > 0 && size > limit {
            return Some(Reply::fixed(552, Enhanced(5, 3, 4), "Message size exceeds fixed limit"));
        }
        let free = self.server.free_space()?;
        let needed = queue.queue_minfree.max(limit.saturating_mul(3) / 2);
        if free < needed || free.saturating_sub(queue.queue_minfree / 2) < size {
            warn!("not enough free space in mail queue: {free} bytes < 1.5*message size limit");
            return Some(Reply::fixed(452, Enhanced(4, 3, 1), "Insufficient system storage"));
        }
        None
    }

    /// `smtpd_sender_restrictions`, where they do not wait for RCPT.
    async fn check_sender(&mut self, envelope: &mut Envelope) -> crate::access::stages::Outcome {
        if self.server.params.access.smtpd_delay_reject {
            return Ok(());
        }
        let server = Arc::clone(&self.server);
        let mut actions = std::mem::take(&mut envelope.actions);
        let mut check = Check::new(&server, self.facts(Some(envelope), None), &mut actions, self.deferral.clone());
        let outcome = Box::pin(check.sender()).await;
        let (faults, deferral) = faults_of(check);
        envelope.actions = actions;
        envelope.deferral = deferral;
        self.faults.extend(faults);
        outcome
    }
}

/// `AUTH=` of a sender that nobody vouches for.
const NOBODY: &str = "<>";

/// No file can be as large as the client says.
const BEYOND_FILES: Reply = Reply::fixed(552, Enhanced(5, 3, 4), "Message size exceeds file system imposed limit");

/// An address has octets that need a declaration.
pub(super) const MUST_DECLARE: Reply =
    Reply::fixed(553, Enhanced(5, 6, 7), "Must declare SMTPUTF8 to send unicode address");

/// Where DSN is among the discarded keywords.
pub(super) const DSN_DISABLED: Reply = Reply::fixed(501, Enhanced(5, 7, 1), "DSN support is disabled");

/// Whether this can be an envelope id.
fn is_printable(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| (b' '..0x7f).contains(byte))
}

/// A parameter that is not known, or not offered.
pub(super) fn unsupported(parameter: &Parameter<'_>) -> Reply {
    Reply::new(555, Some(Enhanced(5, 5, 4)), format!("Unsupported option: {}", printable(parameter.text)))
}

//! pipe(8): delivers to a command that master.cf names, with the rights of the user that it names.
//!
//! The command is the same for every message of the service; only its arguments tell of the delivery, and no shell ever
//! sees them. How it ends decides for all recipients of the request at once.

mod attributes;
mod macros;

use delivery::copy::{End, Layout, Lines};
use delivery::head::Head;
use delivery::loops::Delivered;
use delivery::{Attempt, Policy, StatusFilter, content_of, solo};
use dsn::{Detail, Outcome, Status};
use ipc::deliver::{Mode, Recipient};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use privsep::{Command, Group, Line, User};
use service::Fatal;
use service::solo::{Life, Solo, Stream};
use std::time::Duration;
use tracing::warn;

use crate::attributes::Attributes;
use crate::macros::Macros;

/// How much of a command's output is kept.
const OUTPUT_LIMIT: usize = 4096;
/// How much of what a successful command says is shown.
const SHOWN_LIMIT: usize = 100;

/// A fault that the administrator must mend; it is in the log.
const CONFIGURATION: &str = "mail system configuration error";

config::bundle! {
    /// The parameters of pipe(8).
    pub struct Params {
        /// What all agents share.
        common: delivery::Params,
        layout: config::params::Layout,
        daemon: config::params::Daemon,
        pipe: config::params::Pipe,
    }
}

/// All that lasts longer than a delivery, apart from the peers of [`solo::Desk`].
#[derive(Debug)]
struct Office {
    params: Params,
    attributes: Attributes,
    user: User,
    time_limit: Duration,
    relay: String,
    environment: Vec<(String, String)>,
    time_zone: TimeZone,
}

/// The service.
#[derive(Debug)]
pub struct Pipe {
    office: Office,
    desk: solo::Desk,
}

impl Solo for Pipe {
    const NAME: &'static str = "pipe";
    const OPERANDS: service::Operands = service::Operands::Taken;
    type Params = Params;

    fn start(params: Params, outside: service::Outside, life: &Life) -> Result<Self, Fatal> {
        let attributes = Attributes::parse(&outside.arguments).map_err(Fatal::new)?;
        let times: config::params::TransportTime = outside.source.transport(&life.service_name)?;
        let filter = StatusFilter::open(
            "pipe_delivery_status_filter",
            &params.pipe.pipe_delivery_status_filter,
            &table::Environment::of(&outside.source),
        );
        let office = Office {
            user: user(&attributes, &params.layout)?,
            time_limit: times.time_limit,
            relay: life.service_name.clone(),
            environment: privsep::chosen_environment(&params.layout.export_environment),
            time_zone: time_zone::local(),
            attributes,
            params,
        };
        Ok(Self { desk: solo::Desk::new(Policy::from(&office.params.common).with_filter(filter)), office })
    }

    fn serve(&mut self, stream: Stream, life: &Life) {
        let idle = self.office.params.daemon.max_idle;
        solo::attend(&mut self.office, &mut self.desk, stream, life, idle);
    }
}

/// Whose rights the command has: neither root's nor the mail system's.
fn user(attributes: &Attributes, layout: &config::params::Layout) -> Result<User, Fatal> {
    let name = &attributes.user;
    let mut user = User::by_name(name)?.ok_or_else(|| Fatal::new(format!("unknown username: {name}")))?;
    if let Some(group) = &attributes.group {
        user.gid = Group::by_name(group)?.ok_or_else(|| Fatal::new(format!("unknown group: {group}")))?.gid;
    }
    // A private instance has one user for everything.
    if !privsep::is_root() {
        return Ok(user);
    }
    let owner = User::by_name(&layout.mail_owner)?;
    let postdrop = Group::by_name(&layout.setgid_group)?;
    let refused = |what: String| Err(Fatal::new(format!("user= command-line attribute specifies {what}")));
    if user.uid == 0 {
        return refused("root privileges".to_owned());
    }
    if let Some(owner) = owner.filter(|owner| owner.uid == user.uid || owner.gid == user.gid) {
        let group = if owner.uid == user.uid { String::new() } else { format!(" group id {}", user.gid) };
        return refused(format!("mail system owner {}{group}", layout.mail_owner));
    }
    if user.gid == 0 {
        return refused("privileged group id 0".to_owned());
    }
    if postdrop.is_some_and(|group| group.gid == user.gid) {
        return refused(format!("mail system {} group id {}", layout.setgid_group, user.gid));
    }
    Ok(user)
}

impl solo::Agent for Office {
    fn deliver(&mut self, delivery: &mut solo::Delivery<'_>) {
        let attempt = Attempt::by(self.relay.clone());
        let request = delivery.request();
        let mut recipients: Vec<&Recipient> = request.recipients.iter().collect();
        if let Some(flag) = self.attributes.flags.for_one_recipient()
            && recipients.len() > 1
        {
            warn!("pipe flag '{flag}' requires {}_destination_recipient_limit = 1", self.relay);
            for recipient in recipients {
                delivery.settle(recipient, &attempt, Detail::new(Status::temporary(3, 5), CONFIGURATION).outcome());
            }
            return;
        }
        if self.attributes.flags.has('D') && !self.refuse_loops(delivery, &attempt, &mut recipients) {
            return;
        }
        if recipients.is_empty() {
            return;
        }
        let outcome = self.outcome(delivery, &recipients);
        for recipient in recipients {
            delivery.settle(recipient, &attempt, outcome.clone());
        }
    }
}

impl Office {
    /// Bounces the recipients that have had the message; false if that cannot be told.
    fn refuse_loops(
        &self,
        delivery: &mut solo::Delivery<'_>,
        attempt: &Attempt,
        recipients: &mut Vec<&Recipient>,
    ) -> bool {
        let request = delivery.request();
        let loops = match Delivered::read(&mut content_of(delivery.file(), request.message.data_offset)) {
            Ok(loops) => loops,
            Err(error) => {
                warn!("{}: {error}", request.queue_id);
                return false;
            }
        };
        recipients.retain(|recipient| {
            let refusal = loops.refusal(&recipient.address);
            let fresh = refusal.is_none();
            if let Some(outcome) = refusal {
                delivery.settle(recipient, attempt, outcome);
            }
            fresh
        });
        true
    }

    /// Runs the command for all recipients.
    fn outcome(&self, delivery: &solo::Delivery<'_>, recipients: &[&Recipient]) -> Outcome {
        let request = delivery.request();
        if self.attributes.size.is_some_and(|limit| request.message.data_size > limit) {
            return Detail::new(Status::permanent(2, 3), "message too large").outcome();
        }
        let macros = Macros {
            attributes: &self.attributes,
            request,
            recipients: recipients.to_vec(),
            recipient_delimiter: self.params.common.identity.recipient_delimiter.as_bytes(),
        };
        let words = match macros.expand() {
            Ok(words) => words,
            Err(error) => {
                let directory = &self.params.layout.config_directory;
                warn!("file {directory}/master.cf: service {}: {error}", self.relay);
                return Detail::new(Status::temporary(3, 5), CONFIGURATION).outcome();
            }
        };
        match request.mode {
            Mode::Expand | Mode::Probe => {
                let program = words.first().map_or("", String::as_str);
                return Outcome::Sent(Detail::new(Status::SENT, format!("delivers to command: {program}")));
            }
            Mode::Deliver | Mode::DeliverAndReport | Mode::DeliverLate => {}
        }
        let command = Command {
            line: Line::Words(&words),
            shell: "",
            user: Some(&self.user),
            root: self.attributes.chroot.as_deref(),
            directory: self.attributes.directory.as_deref(),
            environment: &self.environment,
            time_limit: self.time_limit,
            file_size_limit: 0,
            output_limit: OUTPUT_LIMIT,
        };
        let layout = self.layout(&request.message.sender, recipients);
        let mut content = content_of(delivery.file(), request.message.data_offset);
        match delivery::command::deliver("pipe", &command, &mut content, &layout) {
            Ok(said) => {
                let said = if said.is_empty() { said } else { format!(" ({})", cut(&said)) };
                let action = if self.attributes.flags.has('X') { "delivered" } else { "relayed" };
                let text = format!("delivered via {} service{said}", self.relay);
                Outcome::Sent(Detail::new(Status::SENT, text).with_action(action))
            }
            Err(detail) => detail.outcome(),
        }
    }

    /// What the flags make of the message.
    fn layout(&self, sender: &[u8], recipients: &[&Recipient]) -> Layout {
        let Attributes { flags, eol, null_sender, .. } = &self.attributes;
        let sender = if sender.is_empty() { null_sender.as_bytes() } else { sender };
        let first = recipients.first();
        let mut head = Head::ended_by(eol);
        if flags.has('F') {
            head = head.from_line(sender, &Timestamp::now().to_zoned(self.time_zone.clone()));
        }
        if flags.has('R') {
            head = head.return_path(sender);
        }
        if flags.has('O')
            && let Some(recipient) = first
        {
            head = head.original(&recipient.original, self.params.common.queue.enable_original_recipient);
        }
        if flags.has('D')
            && let Some(recipient) = first
        {
            head = head.delivered(&recipient.address);
        }
        let quoted = |flag| if flags.has(flag) { Lines::Quoted } else { Lines::Kept };
        Layout {
            head: head.into_bytes(),
            eol: eol.clone(),
            from_lines: quoted('>'),
            dot_lines: quoted('.'),
            end: if flags.has('B') { End::BlankLine } else { End::Plain },
        }
    }
}

/// As much of a text as is shown.
fn cut(text: &str) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|&end| end <= SHOWN_LIMIT).last();
    text.get(..end.unwrap_or(0)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_characters_are_shown() {
        for (text, expected) in [("", 0), ("short", 5), (&"x".repeat(101), 100), (&format!("{}ää", "x".repeat(97)), 99)]
        {
            assert_eq!(cut(text), &text[..expected]);
        }
    }
}

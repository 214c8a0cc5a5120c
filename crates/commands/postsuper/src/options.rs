//! What is asked for.

use crate::act::Act;
use command::Fatal;
use queue_file::{QueueId, QueueName};

/// What an option of one letter is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    /// `ALL`.
    All,
    /// `-`: ids on standard input.
    Listed,
    /// A message.
    One(QueueId),
}

/// How names are held against inodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Short ids: `-s`.
    Short,
    /// Long ones too: `-S`.
    Long,
}

/// The command line.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) directory: Option<String>,
    pub(crate) structure: Option<Names>,
    pub(crate) purge: bool,
    pub(crate) verbose: bool,
    asked: Vec<(Act, Which)>,
    reported: Vec<Act>,
    queues: Vec<QueueName>,
}

const LETTERS: &str = "c:d:e:f:h:H:pr:sSv";

impl Options {
    pub(crate) fn parse(name: &str, arguments: &[String]) -> Result<Self, Fatal> {
        let parsed = command::Options::parse(LETTERS, arguments).map_err(|error| {
            tracing::info!("{error}");
            usage(name)
        })?;
        let mut options = Self { directory: parsed.value('c').map(str::to_owned), ..Self::default() };
        options.purge = parsed.has('p');
        options.verbose = parsed.has('v');
        options.structure = match (parsed.has('S'), parsed.has('s')) {
            (true, _) => Some(Names::Long),
            (false, true) => Some(Names::Short),
            (false, false) => None,
        };
        for (letter, value) in &parsed.given {
            let act = Act::IN_ORDER.into_iter().find(|act| act.letter() == *letter);
            if let (Some(act), Some(value)) = (act, value) {
                options.ask(act, value);
            }
        }
        if options.reported.is_empty() && !options.purge && options.structure.is_none() {
            options.purge = true;
            options.structure = Some(Names::Short);
        }
        for name in &parsed.operands {
            let queue = QueueName::parse(name).filter(|queue| !matches!(queue, QueueName::Corrupt | QueueName::Saved));
            let queue = queue.ok_or_else(|| Fatal::new(format!("invalid directory name: {name}")))?;
            options.queues.push(queue);
        }
        Ok(options)
    }

    fn ask(&mut self, act: Act, value: &str) {
        self.reported.push(act);
        match value {
            "ALL" => self.asked.push((act, Which::All)),
            "-" => self.asked.push((act, Which::Listed)),
            id => match QueueId::parse(id) {
                Some(id) => self.asked.push((act, Which::One(id))),
                None => tracing::warn!("invalid mail queue id: {id}"),
            },
        }
    }

    /// What is to be done, in its order: to messages that are named as the command line has it, then to all.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &(Act, Which)> {
        let named = self.asked.iter().filter(|(_, which)| *which != Which::All);
        let all = |act| self.asked.iter().filter(move |(found, which)| (*found, which) == (act, &Which::All));
        named.chain(Act::IN_ORDER.into_iter().flat_map(all))
    }

    /// Whether this was asked for at all.
    pub(crate) fn has(&self, act: Act) -> bool {
        self.reported.contains(&act)
    }

    /// Whether all queues are meant.
    pub(crate) fn names_no_queue(&self) -> bool {
        self.queues.is_empty()
    }

    /// In which queues this is done.
    pub(crate) fn queues(&self, act: Act) -> Vec<QueueName> {
        if self.queues.is_empty() {
            return act.usual_queues().to_vec();
        }
        self.queues.iter().copied().filter(|queue| act.is_for(*queue)).collect()
    }

    /// Which directories are checked.
    pub(crate) fn checked(&self) -> Vec<QueueName> {
        // Logs first: they are where they belong when their messages get other names.
        const ALL: [QueueName; 9] = [
            QueueName::Bounce,
            QueueName::Defer,
            QueueName::Trace,
            QueueName::Flush,
            QueueName::Maildrop,
            QueueName::Incoming,
            QueueName::Active,
            QueueName::Deferred,
            QueueName::Hold,
        ];
        if self.queues.is_empty() { ALL.to_vec() } else { self.queues.clone() }
    }
}

fn usage(name: &str) -> Fatal {
    Fatal::new(format!(
        "usage: {name} [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or un-hold)] \
         [-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] \
         [-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_are_named_come_first_and_in_the_order_of_the_command_line() {
        let words = ["-f", "ALL", "-H", "3CCE398E1B0", "-r", "ALL", "-h", "3CCE398E1B0", "-d", "-"];
        let options = Options::parse("postsuper", &words.map(str::to_owned)).unwrap();
        let id = || Which::One(QueueId::parse("3CCE398E1B0").unwrap());
        let expected = [
            (Act::Release, id()),
            (Act::Hold, id()),
            (Act::Delete, Which::Listed),
            (Act::Requeue, Which::All),
            (Act::ExpireAndRelease, Which::All),
        ];
        assert!(options.wanted().eq(&expected), "{options:?}");
    }
}

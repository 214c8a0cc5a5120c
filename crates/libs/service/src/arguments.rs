//! The arguments that master gives a daemon; the same for all.

use crate::Fatal;

/// What a service listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// TCP.
    #[default]
    Inet,
    /// A Unix-domain stream socket.
    Unix,
    /// A FIFO, for trigger bytes.
    Fifo,
    /// A Unix-domain stream socket over which connections are passed.
    Pass,
    /// A Unix-domain datagram socket.
    UnixDgram,
}

/// Whether a daemon has arguments behind its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operands {
    /// None. One that is there is a mistake: the rest of a value with a blank in it, more often than not.
    Refused,
    /// `name=value` pairs, and a command.
    Taken,
}

impl Operands {
    /// Refuses arguments to a daemon that has none.
    pub(crate) fn judge(self, rest: &[String]) -> Result<(), Fatal> {
        match (self, rest) {
            (Self::Refused, [first, ..]) => Err(Fatal::new(format!("unexpected command-line argument: {first}"))),
            (Self::Refused, []) | (Self::Taken, _) => Ok(()),
        }
    }
}

/// The process limit in `master.cf` that a daemon insists on, and the one that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProcessLimit {
    /// Whatever the operator wants.
    #[default]
    Any,
    /// 1: all clients have to come to the same process.
    One,
    /// 0, which is none: who waits for it would hold up the one that it waits for.
    Unlimited,
}

impl ProcessLimit {
    /// Refuses another limit than the one insisted on.
    pub(crate) fn judge(self, found: Self, service_name: &str) -> Result<(), Fatal> {
        let number = match self {
            Self::One => 1,
            Self::Unlimited => 0,
            Self::Any => return Ok(()),
        };
        if self == found {
            return Ok(());
        }
        Err(Fatal::new(format!("service {service_name} requires a process limit of {number}")))
    }
}

/// The arguments, parsed.
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one letter of the command line")]
pub(crate) struct Arguments {
    /// `-c`: new root.
    pub(crate) chroot: bool,
    /// `-u`: as `mail_owner`.
    pub(crate) unprivileged: bool,
    /// `-S`: one client, on standard input.
    pub(crate) stdin: bool,
    /// `-l` and `-z`: the process limit.
    pub(crate) limit: ProcessLimit,
    /// `-v`, counted.
    pub(crate) verbose: u8,
    /// `-n`: the service's name; empty if not given.
    pub(crate) service_name: String,
    /// `-t`.
    pub(crate) kind: Kind,
    /// `-s`: how many listening sockets.
    pub(crate) sockets: usize,
    /// `-o name=value`, in order.
    pub(crate) overrides: Vec<(String, String)>,
    /// What follows the options.
    pub(crate) rest: Vec<String>,
}

impl Arguments {
    /// Parses the arguments that follow the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Fatal> {
        let mut found = Self { sockets: 1, ..Self::default() };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty() && *letters != "-")
            else {
                if argument != "--" {
                    found.rest.push(argument);
                }
                break;
            };
            found.option(letters, &mut arguments)?;
        }
        found.rest.extend(arguments);
        Ok(found)
    }

    /// One argument, such as `-uc` or `-n` with the next one as its value.
    fn option(&mut self, letters: &str, more: &mut impl Iterator<Item = String>) -> Result<(), Fatal> {
        for (at, letter) in letters.char_indices() {
            let mut value = || {
                let attached = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                if attached.is_empty() { more.next() } else { Some(attached.to_owned()) }
                    .ok_or_else(|| Fatal::new(format!("option -{letter} needs a value")))
            };
            match letter {
                'c' => self.chroot = true,
                'u' => self.unprivileged = true,
                'S' => self.stdin = true,
                'v' => self.verbose = self.verbose.saturating_add(1),
                'l' => self.limit = ProcessLimit::One,
                'z' => self.limit = ProcessLimit::Unlimited,
                // Settled by master (-d and -D debugging); known for the sake of old command lines.
                'd' | 'D' | 'V' => {}
                'n' => self.service_name = value()?,
                't' => self.kind = kind(&value()?)?,
                's' => self.sockets = number(&value()?)?,
                'o' => self.overrides.push(setting(&value()?)?),
                'i' => self.overrides.push(("max_idle".into(), value()?)),
                'm' => self.overrides.push(("max_use".into(), value()?)),
                _ => return Err(Fatal::new(format!("invalid option: {letter}"))),
            }
            if matches!(letter, 'n' | 't' | 's' | 'o' | 'i' | 'm') {
                break;
            }
        }
        Ok(())
    }
}

fn kind(text: &str) -> Result<Kind, Fatal> {
    Ok(match text {
        "inet" => Kind::Inet,
        "unix" => Kind::Unix,
        "fifo" => Kind::Fifo,
        "pass" => Kind::Pass,
        "unix-dgram" => Kind::UnixDgram,
        _ => return Err(Fatal::new(format!("unsupported transport type: {text}"))),
    })
}

fn number(text: &str) -> Result<usize, Fatal> {
    text.parse().map_err(|_| Fatal::new(format!("invalid socket_count: {text}")))
}

/// `name=value` or `{ name = value }`.
fn setting(text: &str) -> Result<(String, String), Fatal> {
    let inner = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
    let (name, value) = inner
        .split_once('=')
        .ok_or_else(|| Fatal::new(format!("invalid \"-o {text}\" option value: missing '=' after attribute name")))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arguments, Fatal> {
        Arguments::parse(text.split('|').map(str::to_owned))
    }

    #[test]
    fn a_process_limit_that_makes_no_sense_is_refused() {
        for (wanted, arguments, refusal) in [
            (ProcessLimit::Any, "-n|x", None),
            (ProcessLimit::Any, "-l", None),
            (ProcessLimit::One, "-n|anvil|-l|-t|unix", None),
            (ProcessLimit::One, "-t|unix", Some("service x requires a process limit of 1")),
            (ProcessLimit::One, "-z", Some("service x requires a process limit of 1")),
            (ProcessLimit::Unlimited, "-z|-t|unix", None),
            (ProcessLimit::Unlimited, "-l", Some("service x requires a process limit of 0")),
        ] {
            let judged = wanted.judge(parse(arguments).unwrap().limit, "x").map_err(|fatal| fatal.to_string());
            assert_eq!(judged.err().as_deref(), refusal, "{wanted:?} {arguments}");
        }
    }

    #[test]
    fn arguments_of_master_are_understood() {
        let found = parse("-n|submission|-t|inet|-uc|-s2|-o|a=b=c|-o{ d = e f }|-vv|-m|5|user=x|-argv").unwrap();
        let overrides = [("a", "b=c"), ("d", "e f"), ("max_use", "5")];
        assert_eq!(
            found,
            Arguments {
                chroot: true,
                unprivileged: true,
                stdin: false,
                limit: ProcessLimit::Any,
                verbose: 2,
                service_name: "submission".into(),
                kind: Kind::Inet,
                sockets: 2,
                overrides: overrides.map(|(name, value)| (name.into(), value.into())).into(),
                rest: vec!["user=x".into(), "-argv".into()],
            }
        );
    }

    #[test]
    fn only_some_daemons_have_arguments_behind_their_options() {
        let rest = parse("-o|smtpd_client_restrictions=permit_mynetworks,|reject").unwrap().rest;
        let refused = Operands::Refused.judge(&rest).unwrap_err();
        assert_eq!(refused.to_string(), "unexpected command-line argument: reject");
        assert!(Operands::Taken.judge(&rest).is_ok() && Operands::Refused.judge(&[]).is_ok());
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for text in ["-X", "-n", "-t|tcp", "-s|x", "-o|name"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

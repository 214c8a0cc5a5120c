//! spawn(8): runs a command for each connection.
//!
//! The command has the connection as its standard streams, and the rights of a user who is neither root nor the owner of
//! the mail system. Nothing here reads what the two say.

use config::params::{self, TransportTime};
use privsep::{Attached, End, Group, User};
use service::solo::{Life, Solo, Stream};
use service::{Fatal, Outside};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The daemon.
#[derive(Debug)]
pub struct Spawn {
    service_name: String,
    user: User,
    words: Vec<String>,
    environment: Vec<(String, String)>,
    time_limit: Duration,
}

/// What the arguments of master.cf say.
#[derive(Debug, PartialEq, Eq)]
struct Attributes {
    user: String,
    group: Option<String>,
    words: Vec<String>,
}

impl Solo for Spawn {
    const NAME: &'static str = "spawn";
    const OPERANDS: service::Operands = service::Operands::Taken;
    type Params = params::Layout;

    fn start(layout: params::Layout, outside: Outside, _: &Life) -> Result<Self, Fatal> {
        let attributes = Attributes::parse(&outside.arguments)?;
        let time: TransportTime = outside.source.transport(&outside.service_name)?;
        Ok(Self {
            service_name: outside.service_name,
            user: attributes.find_user(&layout.mail_owner)?,
            words: attributes.words,
            environment: privsep::chosen_environment(&layout.export_environment),
            time_limit: time.time_limit,
        })
    }

    fn serve(&mut self, stream: Stream, _: &Life) {
        let connection = match stream {
            Stream::Tcp(stream) => OwnedFd::from(stream),
            Stream::Unix(stream) => OwnedFd::from(stream),
        };
        let name = self.words.first().map_or("", String::as_str);
        let attached = Attached {
            words: &self.words,
            user: &self.user,
            environment: &self.environment,
            time_limit: self.time_limit,
        };
        match privsep::attach(&attached, connection) {
            Ok(Some(End::Status(0))) => {}
            Ok(Some(end)) => tracing::warn!("command {name} {end}"),
            Ok(None) => tracing::warn!("service {}: command {name}: time limit exceeded", self.service_name),
            Err(error) => tracing::warn!("service {}: {error}", self.service_name),
        }
    }
}

impl Attributes {
    fn parse(arguments: &[String]) -> Result<Self, Fatal> {
        let mut user = None;
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if let Some(name) = argument.strip_prefix("user=") {
                user = Some(name.to_owned());
            } else if let Some(first) = argument.strip_prefix("argv=") {
                let words = [first.to_owned()].into_iter().chain(rest.cloned()).collect();
                let user = user.ok_or_else(|| Fatal::new("missing user= command-line attribute"))?;
                let (user, group) = match user.split_once(':') {
                    Some((user, group)) => (user.to_owned(), Some(group.to_owned())),
                    None => (user, None),
                };
                return Ok(Self { user, group, words });
            } else {
                return Err(Fatal::new(format!("unknown attribute name: {argument}")));
            }
        }
        Err(Fatal::new("missing argv= command-line attribute"))
    }

    fn find_user(&self, mail_owner: &str) -> Result<User, Fatal> {
        let name = &self.user;
        let mut user = User::by_name(name)?.ok_or_else(|| Fatal::new(format!("unknown username: {name}")))?;
        if let Some(group) = &self.group {
            let found = Group::by_name(group)?.ok_or_else(|| Fatal::new(format!("unknown group: {group}")))?;
            user.gid = found.gid;
        }
        let refused = |whose: &str| Err(Fatal::new(format!("user= command-line attribute specifies {whose}")));
        if privsep::is_root() {
            if user.uid == 0 {
                return refused("root privileges");
            }
            if name == mail_owner {
                return refused(&format!("mail system owner {mail_owner}"));
            }
        }
        if user.gid == 0 {
            return refused("privileged group id 0");
        }
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Attributes, Fatal> {
        Attributes::parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn attributes_are_understood() {
        let found = parse("user=nobody:users argv=/bin/x -a user=y").unwrap();
        assert_eq!((found.user.as_str(), found.group.as_deref()), ("nobody", Some("users")));
        assert_eq!(found.words, ["/bin/x", "-a", "user=y"]);
        for text in ["argv=/bin/x", "user=nobody", "flags=R user=nobody argv=x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn privileged_users_are_refused() {
        let user = |name: &str| Attributes { user: name.into(), group: None, words: vec![] }.find_user("daemon");
        assert!(user("root").is_err() && user("no-such-user").is_err());
        if privsep::is_root() {
            assert!(user("daemon").is_err());
        }
        assert!(user("nobody").is_ok());
    }
}

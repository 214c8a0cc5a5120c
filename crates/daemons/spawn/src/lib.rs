//! spawn(8): runs a command for each connection.
//!
//! The command has the connection as its standard streams, and the rights of a user who is neither root nor the owner of
//! the mail system. Nothing here reads what the two say.

use config::params::{self, TransportTime};
use privsep::{Attached, Detached, End, Group, User};
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
            Ok(Detached::Ended(End::Status(0))) => {}
            Ok(Detached::Ended(end)) => tracing::warn!("command {name} {end}"),
            Ok(Detached::Killed(pid)) => tracing::warn!("{name}: pid {pid}: command time limit exceeded"),
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
                let user = user.ok_or_else(|| Fatal::new("missing user= attribute"))?;
                let (user, group) = match user.split_once(':') {
                    Some((user, group)) => (user.to_owned(), Some(group.to_owned())),
                    None => (user, None),
                };
                return Ok(Self { user, group, words });
            } else {
                return Err(Fatal::new(format!("unknown attribute name: {argument}")));
            }
        }
        Err(Fatal::new("missing argv= attribute"))
    }

    fn find_user(&self, mail_owner: &str) -> Result<User, Fatal> {
        let name = &self.user;
        let mut user = User::by_name(name)?.ok_or_else(|| Fatal::new(format!("unknown user name: {name}")))?;
        if let Some(group) = &self.group {
            let found = Group::by_name(group)?.ok_or_else(|| Fatal::new(format!("unknown group name: {group}")))?;
            user.gid = found.gid;
        }
        // A private instance has one user for everything.
        let owner = if privsep::is_root() { User::by_name(mail_owner)? } else { None };
        match refusal(&user, owner.as_ref()) {
            Some(why) => Err(Fatal::new(why)),
            None => Ok(user),
        }
    }
}

/// Why a command may not have these rights.
fn refusal(user: &User, owner: Option<&User>) -> Option<String> {
    let User { uid, gid, .. } = *user;
    match owner {
        Some(_) if uid == 0 => Some("request to deliver as root".to_owned()),
        Some(owner) if uid == owner.uid => Some("request to deliver as mail system owner".to_owned()),
        _ if gid == 0 => Some("request to use privileged group id 0".to_owned()),
        Some(owner) if gid == owner.gid => Some(format!("request to use mail system owner group id {gid}")),
        _ => None,
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
        let account = |uid, gid| User { uid, gid, ..User::by_name("root").unwrap().unwrap() };
        let owner = account(102, 105);
        let cases = [
            (0, 9, Some("request to deliver as root")),
            (102, 9, Some("request to deliver as mail system owner")),
            (9, 0, Some("request to use privileged group id 0")),
            (9, 105, Some("request to use mail system owner group id 105")),
            (9, 9, None),
        ];
        for (uid, gid, why) in cases {
            assert_eq!(refusal(&account(uid, gid), Some(&owner)).as_deref(), why, "{uid}:{gid}");
        }
        let user = Attributes { user: "no-such-user".into(), group: None, words: vec![] };
        assert!(user.find_user("daemon").is_err());
    }
}

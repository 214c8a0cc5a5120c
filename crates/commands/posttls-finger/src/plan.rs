//! What the command line asks for.

use crate::say;
use crate::target::Target;
use command::{Fatal, Options};
use config::params;
use dns::Families;
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;
use tls::client::{Level, Policy};
use tls::fingerprint::Algorithm;
use tls::identities::Identities;
use tls::material::{Authorities, Identity};
use tls::names::Wildcards;
use tls::protocols::Protocols;

/// The options.
pub(crate) const LETTERS: &str = "a:A:cCd:fF:g:h:H:k:K:l:L:m:M:o:p:P:r:s:St:T:vwX";
/// What is said of wrong ones.
pub(crate) const USAGE: &str = "usage: posttls-finger [-acCfSvw] [-t conn_tmout] [-T cmd_tmout] [-L logopts] \\
\t[-h host_lookup] [-l level] [-d mdalg] [-g grade] [-p protocols] \\
\t[-A tafile] [-F CAfile.pem] [-P CApath/] [-s servername] \\
\t[ [-H chainfiles] | [-k certfile [-K keyfile]] ] \\
\t[-m count] [-r delay] [-o name=value] destination [match ...]";
/// Connections of `-r`, unless `-m` says otherwise.
const RECONNECTS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(30);

config::bundle! {
    /// All that this command may know.
    pub struct Params {
        identity: params::Identity,
        tls: params::SmtpTls,
        crypto: params::Tls,
        daemon: params::Daemon,
    }
}

/// What is wanted of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wish {
    /// Look hosts up as the system does, not in the DNS alone.
    NativeLookup,
    Lmtp,
    /// TLS from the first byte on.
    Wrapped,
    /// Show the dialogue.
    Chat,
    /// Show the chain of certificates.
    Chain,
}

/// How to look at a server.
pub(crate) struct Plan {
    pub(crate) target: Target,
    pub(crate) families: Families,
    wishes: HashSet<Wish>,
    pub(crate) log: Log,
    /// The policy, but for servers that have TLSA records.
    pub(crate) policy: Policy,
    pub(crate) dane: Option<Dane>,
    /// Connect again after this time, at most so often.
    pub(crate) reconnect: Option<Duration>,
    pub(crate) most_reconnects: u32,
    pub(crate) client: tls::client::Client,
    pub(crate) connect_limit: Duration,
    pub(crate) command_limit: Duration,
    pub(crate) myhostname: String,
}

/// Whose TLSA records are asked for, though a name on the way to them is not signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dane {
    /// Servers of a domain whose MX records are not.
    pub(crate) insecure_mx: bool,
    /// Servers whose address records are not.
    pub(crate) insecure_host: bool,
}

/// What is said of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    Summary,
    Certificate,
    Matching,
    Cache,
    Verbose,
}

/// All that is said of a handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Log(HashSet<Topic>);

impl Log {
    /// After the first connection all that matters is whether its session was resumed.
    pub(crate) fn of_later() -> Self {
        Self(HashSet::from([Topic::Summary, Topic::Cache]))
    }

    /// Whether this is told.
    pub(crate) fn has(&self, topic: Topic) -> bool {
        self.0.contains(&topic)
    }

    fn parse(list: &str) -> Self {
        use Topic::{Cache, Certificate, Matching, Summary, Verbose};
        let mut log = HashSet::new();
        for word in list.split([',', ' ']).filter(|word| !word.is_empty()) {
            match word.to_ascii_lowercase().as_str() {
                "0" | "none" | "untrusted" => {}
                "1" | "routine" | "summary" => log.extend([Summary]),
                "peercert" => log.extend([Certificate]),
                "certmatch" => log.extend([Matching]),
                "cache" => log.extend([Cache]),
                "verbose" => log.extend([Certificate, Matching, Cache, Verbose]),
                "2" | "3" | "4" | "debug" | "ssl-expert" | "ssl-developer" => {
                    log.extend([Summary, Certificate, Matching, Cache, Verbose]);
                }
                "ssl-debug" | "ssl-handshake-packet-dump" | "ssl-session-packet-dump" => {}
                _ => say(&format!("warning: unknown -L option value \"{word}\" in \"{list}\"")),
            }
        }
        Self(log)
    }
}

/// `-o name=value`.
pub(crate) fn overrides(options: &Options) -> Result<Vec<(String, String)>, Fatal> {
    let given = options.given.iter().filter(|(letter, _)| *letter == 'o').filter_map(|(_, value)| value.as_deref());
    let pair = |text: &str| match config::split(text) {
        Ok((name, value)) => Ok((name.to_owned(), value.to_owned())),
        Err(problem) => Err(Fatal::new(format!("-o {text}: {problem}"))),
    };
    given.map(pair).collect()
}

impl Plan {
    /// Whether this is wanted.
    pub(crate) fn wants(&self, wish: Wish) -> bool {
        self.wishes.contains(&wish)
    }

    /// What the options say.
    pub(crate) fn of(options: &Options, params: &Params) -> Result<Self, Fatal> {
        let Some((destination, matches)) = options.operands.split_first() else { return Err(Fatal::new(USAGE)) };
        let log = Log::parse(options.value('L').unwrap_or("routine,certmatch"));
        if log.has(Topic::Verbose) {
            say("initializing the client-side TLS engine");
        }
        let lmtp = options.has('S');
        let target = Target::parse(destination, lmtp, &params.daemon.known_tcp_ports).map_err(Fatal::new)?;
        let families = match options.value('a') {
            None | Some("any") => Families::of_protocols(&params.identity.inet_protocols),
            Some("ipv4") => Families::V4,
            Some("ipv6") => Families::V6,
            Some(other) => return Err(Fatal::new(format!("bad '-a' option value: {other}"))),
        };
        let seconds = |letter| match options.value(letter) {
            None => Ok(PATIENCE),
            Some(text) => match text.parse::<u64>() {
                Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
                _ => Err(Fatal::new(format!("bad -{letter} time limit: {text}"))),
            },
        };
        Ok(Self {
            policy: policy(options, params, matches, &target)?,
            dane: dane(options),
            client: tls::client::Client::new(authorities(options)?, identities(options)?),
            reconnect: options.value('r').map(|_| seconds('r')).transpose()?,
            most_reconnects: options.value('m').and_then(|text| text.parse().ok()).unwrap_or(RECONNECTS),
            target,
            families,
            wishes: wishes(options),
            log,
            connect_limit: seconds('t')?,
            command_limit: seconds('T')?,
            myhostname: params.identity.myhostname.clone(),
        })
    }
}

fn wishes(options: &Options) -> HashSet<Wish> {
    let wishes = [
        (Wish::NativeLookup, options.value('h').is_some_and(|list| list.contains("native"))),
        (Wish::Lmtp, options.has('S')),
        (Wish::Wrapped, options.has('w')),
        (Wish::Chat, !options.has('c')),
        (Wish::Chain, options.has('C')),
    ];
    wishes.into_iter().filter(|(_, wanted)| *wanted).map(|(wish, _)| wish).collect()
}

/// The default level, and those that are like it.
fn dane(options: &Options) -> Option<Dane> {
    let is_dane = matches!(options.value('l'), None | Some("dane" | "dane-only" | "half-dane"));
    let insecure_mx = options.value('M').is_none_or(|policy| policy == "dane");
    is_dane.then(|| Dane { insecure_mx, insecure_host: options.has('f') })
}

/// Trust anchors stand for all other authorities.
fn authorities(options: &Options) -> Result<Authorities, Fatal> {
    let anchors: Vec<&str> =
        options.given.iter().filter(|(letter, _)| *letter == 'A').filter_map(|(_, file)| file.as_deref()).collect();
    if !anchors.is_empty() {
        return Ok(Authorities::read_all(anchors, "")?);
    }
    Ok(Authorities::read(options.value('F').unwrap_or_default(), options.value('P').unwrap_or_default())?)
}

fn identities(options: &Options) -> Result<Option<Identities>, Fatal> {
    if let Some(list) = options.value('H') {
        if options.has('k') || options.has('K') {
            return Err(Fatal::new("When the -H option is used, neither the -k nor the -K options may be used"));
        }
        let files: Vec<&str> = list.split([',', ' ', '\t']).filter(|file| !file.is_empty()).collect();
        return Ok(Some(Identities::new(Identity::read_chains(&files)?)?));
    }
    let certificate = options.value('k').or(options.value('K'));
    let key = options.value('K').or(certificate);
    let (Some(certificate), Some(key)) = (certificate, key) else { return Ok(None) };
    Ok(Some(Identities::new(vec![Identity::read(Path::new(certificate), Path::new(key))?])?))
}

fn policy(options: &Options, params: &Params, matches: &[String], target: &Target) -> Result<Policy, Fatal> {
    let level = match options.value('l') {
        None | Some("dane" | "dane-only" | "half-dane") => Level::Secure,
        Some(name) => Level::named(name).ok_or_else(|| Fatal::new(format!("Invalid TLS level \"{name}\"")))?,
    };
    let digest = options.value('d').unwrap_or(&params.tls.smtp_tls_fingerprint_digest);
    let digest = Algorithm::named(digest).ok_or_else(|| Fatal::new(format!("unknown digest algorithm: {digest}")))?;
    let protocols = match options.value('p') {
        Some(list) => list.to_owned(),
        None => params.tls.smtp_tls_mandatory_protocols.join(" "),
    };
    let names = match target {
        Target::Inet { host, .. } if matches.is_empty() => vec![host.clone(), format!(".{host}")],
        Target::Inet { .. } | Target::Unix(_) => matches.to_vec(),
    };
    Ok(Policy {
        names,
        fingerprints: matches.to_vec(),
        digest,
        server_name: options.value('s').unwrap_or_default().to_owned(),
        wildcards: if params.crypto.tls_wildcard_matches_multiple_labels {
            Wildcards::AnyLabels
        } else {
            Wildcards::OneLabel
        },
        ..Policy::new(level, Protocols::parse(&protocols)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> Result<Plan, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let options = Options::parse(LETTERS, &words).unwrap();
        let source = config::Source::parse(Path::new("/etc/postfix"), "myhostname = a.example\n").unwrap();
        Plan::of(&options, &source.get().unwrap()).map_err(|fatal| fatal.to_string())
    }

    #[test]
    fn options_make_a_plan() {
        let plan = plan("-c -a ipv4 -l verify -t 5 -L none -r 2 example.org mx.example.org").ok().unwrap();
        assert_eq!((plan.policy.level, plan.families), (Level::Verify, Families::V4));
        assert_eq!(plan.policy.names, ["mx.example.org"]);
        assert_eq!((plan.connect_limit, plan.command_limit), (Duration::from_secs(5), PATIENCE));
        assert_eq!((plan.reconnect, plan.most_reconnects, plan.dane), (Some(Duration::from_secs(2)), 5, None));
        assert!(!plan.wants(Wish::Chat) && plan.log == Log::default());
    }

    #[test]
    fn mistakes_are_told() {
        let table = [
            ("-l bogus x", "Invalid TLS level \"bogus\""),
            ("-a ipv5 x", "bad '-a' option value: ipv5"),
            ("-d crc x", "unknown digest algorithm: crc"),
            ("-t 0 x", "bad -t time limit: 0"),
            ("-k a -H b x", "When the -H option is used, neither the -k nor the -K options may be used"),
        ];
        for (line, reason) in table {
            assert_eq!(plan(line).err().as_deref(), Some(reason), "{line}");
        }
    }
}

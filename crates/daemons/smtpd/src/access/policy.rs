//! Policy servers: SMTPD_POLICY_README. One request is a list of attributes, the answer an access table action.
//!
//! Connections are kept for the next request of any session. A server that cannot be asked means its default action, a
//! temporary failure unless it was configured otherwise.

use std::fmt::Write as _;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use config::endpoint::Endpoint;
use config::value::{duration, unbraced, words};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tracing::warn;

use super::action::Origin;
use super::{Check, Facts, Subject, Verdict};
use crate::Smtpd;
use crate::text::printable;

/// What holds where a service says nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    pub(crate) action: String,
    pub(crate) context: String,
    pub(crate) max_idle: Duration,
    pub(crate) max_ttl: Duration,
    pub(crate) request_limit: u32,
    pub(crate) retry_delay: Duration,
    pub(crate) timeout: Duration,
    pub(crate) try_limit: u32,
    /// Names of ports besides those of the system.
    pub(crate) known_tcp_ports: String,
}

impl Default for Defaults {
    fn default() -> Defaults {
        Defaults {
            action: "451 4.3.5 Server configuration problem".to_owned(),
            context: String::new(),
            max_idle: Duration::from_secs(300),
            max_ttl: Duration::from_secs(1000),
            request_limit: 0,
            retry_delay: Duration::from_secs(1),
            timeout: Duration::from_secs(100),
            try_limit: 2,
            known_tcp_ports: String::new(),
        }
    }
}

/// A server.
#[derive(Debug)]
pub(crate) struct Service {
    endpoint: Endpoint,
    /// As it is configured.
    spec: String,
    /// Where it is, without the kind of place.
    name: String,
    options: Defaults,
    idle: Mutex<Vec<Connection>>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Stream for T {}

#[derive(Debug)]
struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    born: Instant,
    used: Instant,
    requests: u32,
}

/// Answers are one short line; what is longer is no answer.
const ANSWER_LIMIT: u64 = 64 * 1024;
const KEPT: usize = 20;

/// What logs call it that a server hangs up, or answers nothing that can be used.
const SERVER_FAULT: &str = "Application error";

impl Service {
    /// `unix:path`, `inet:host:port`, or the same in braces with options.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(spec: &str, defaults: &Defaults) -> Result<Service, String> {
        let mut parts = match unbraced(spec) {
            Some(inner) => words_or_braced(inner),
            None => vec![spec.to_owned()],
        }
        .into_iter();
        let name = parts.next().ok_or("missing server name")?;
        let mut options = defaults.clone();
        for option in parts {
            set_option(&mut options, &option)?;
        }
        let endpoint = Endpoint::parse(&name, &options.known_tcp_ports).map_err(|error| error.to_string())?;
        let name = name.split_once(':').map_or(name.as_str(), |(_, place)| place).to_owned();
        Ok(Service { endpoint, spec: spec.to_owned(), name, options, idle: Mutex::default() })
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| {
            let limit = self.options.request_limit;
            connection.used.elapsed() < self.options.max_idle
                && connection.born.elapsed() < self.options.max_ttl
                && (limit == 0 || connection.requests < limit)
        });
        idle.pop()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }

    async fn connect(&self, server: &Smtpd) -> io::Result<Connection> {
        let stream: Box<dyn Stream> = match &self.endpoint {
            Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Endpoint::Inet { host, port } => Box::new(connect_to(host, *port, server).await?),
        };
        let now = Instant::now();
        Ok(Connection { stream: BufReader::new(stream), born: now, used: now, requests: 0 })
    }

    /// Asks, on a kept connection if there is one.
    async fn ask(&self, request: &str, server: &Smtpd) -> Option<Vec<u8>> {
        let mut attempt = 1;
        loop {
            let kept = self.take_idle();
            let fresh = kept.is_none();
            let problem = match tokio::time::timeout(self.options.timeout, self.converse(kept, request, server)).await {
                Ok(Ok(action)) => return Some(action),
                // The server may close an idle connection at any time; that is no attempt.
                Ok(Err(_)) if !fresh => continue,
                Ok(Err(error)) => self.told(&error),
                Err(_) => "Connection timed out".to_owned(),
            };
            if attempt >= self.options.try_limit {
                warn!("problem talking to server {}: {problem}", self.name);
                return None;
            }
            attempt += 1;
            tokio::time::sleep(self.options.retry_delay).await;
        }
    }

    /// A failure in the words of logs. What the server itself did wrong is told each time.
    fn told(&self, error: &io::Error) -> String {
        let kind = error.kind();
        if kind == io::ErrorKind::InvalidData {
            warn!("missing attribute action in input from {}", self.name);
        }
        let is_its_own = matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof);
        if is_its_own { SERVER_FAULT.to_owned() } else { crate::system_text(error) }
    }

    async fn converse(&self, kept: Option<Connection>, request: &str, server: &Smtpd) -> io::Result<Vec<u8>> {
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect(server).await.inspect_err(|error| {
                warn!("connect to {}: {}", self.name, crate::system_text(error));
            })?,
        };
        connection.stream.get_mut().write_all(request.as_bytes()).await?;
        connection.stream.get_mut().flush().await?;
        let action = read_action(&mut connection.stream).await?;
        connection.used = Instant::now();
        connection.requests += 1;
        self.keep(connection);
        Ok(action)
    }
}

pub(crate) async fn connect_to(host: &str, port: u16, server: &Smtpd) -> io::Result<TcpStream> {
    let addresses = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => {
            let unknown = |error: dns::Error| io::Error::new(io::ErrorKind::NotFound, error.to_string());
            server.dns.native().native_addresses(host, server.settings.families).await.map_err(unknown)?
        }
    };
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect((address, port)).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads attributes up to an empty line, and returns the action among them, the first if there are several.
async fn read_action(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Vec<u8>> {
    let mut stream = stream.take(ANSWER_LIMIT);
    let (mut action, mut line) = (None, Vec::new());
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            return action.ok_or_else(|| io::ErrorKind::InvalidData.into());
        }
        if let Some(value) = text.strip_prefix(b"action=") {
            action.get_or_insert_with(|| value.to_vec());
        }
    }
}

/// Options are separated by commas or white space; `{ default_action = 451 text }` keeps its spaces.
fn words_or_braced(inner: &str) -> Vec<String> {
    words(inner).into_iter().map(|word| unbraced(&word).map_or(word.clone(), str::to_owned)).collect()
}

fn set_option(options: &mut Defaults, option: &str) -> Result<(), String> {
    let (name, value) = option.split_once('=').ok_or_else(|| format!("missing '=' after attribute name: {option}"))?;
    let (name, value) = (name.trim(), value.trim());
    let time = || duration(value).ok_or_else(|| format!("bad time: {option}"));
    let number = || value.parse().map_err(|_| format!("bad number: {option}"));
    match name {
        "default_action" => options.action = value.to_owned(),
        "policy_context" => options.context = value.to_owned(),
        "max_idle" => options.max_idle = time()?,
        "max_ttl" => options.max_ttl = time()?,
        "retry_delay" => options.retry_delay = time()?,
        "timeout" => options.timeout = time()?,
        "request_limit" => options.request_limit = number()?,
        "try_limit" => options.try_limit = number()?,
        _ => return Err(format!("bad attribute name: {name}")),
    }
    Ok(())
}

impl Check<'_> {
    pub(crate) async fn check_policy(&mut self, service: &Service, subject: &Subject<'_>) -> Verdict {
        let request = request(&self.facts, self.server, &service.options.context);
        let answer = service.ask(&request, self.server).await;
        let action = answer.and_then(|answer| self.readable(&answer, service));
        let action = action.unwrap_or_else(|| service.options.action.clone());
        self.act(action.trim(), &Origin { table: &service.spec, key: "policy query" }, subject).await
    }

    /// The answer as text, unless it has to be UTF-8 and is not.
    fn readable(&self, answer: &[u8], service: &Service) -> Option<String> {
        let text = printable(answer).into_owned();
        if self.server.params.identity.smtputf8_enable && std::str::from_utf8(answer).is_err() {
            warn!("malformed UTF-8 in policy server {} response: \"{text}\"", service.spec);
            return None;
        }
        Some(text)
    }
}

/// The request, in the order in which Postfix has its attributes.
fn request(facts: &Facts<'_>, server: &Smtpd, context: &str) -> String {
    let peer = facts.peer;
    let (login, tls) = (facts.login, facts.tls);
    let tls_text = |pick: fn(&crate::session::tls::Facts) -> String| tls.map(pick).unwrap_or_default();
    // Anybody can put any name into a certificate of his own.
    let trusted = |pick: fn(&crate::session::tls::Facts) -> &String| {
        tls.filter(|tls| tls.trusted).map(pick).cloned().unwrap_or_default()
    };
    let bits = tls.map_or(0, |tls| tls.bits).to_string();
    let lossy = |bytes: Option<&[u8]>| printable(bytes.unwrap_or_default()).into_owned();
    let size = facts.size.to_string();
    let instance = facts.instance.map(|instance| instance.to_string()).unwrap_or_default();
    // Policy servers know one name for both ways to send content.
    let stage = if facts.stage == "BDAT" { "DATA" } else { facts.stage };
    let count = if matches!(stage, "DATA" | "END-OF-MESSAGE") { facts.recipients } else { 0 };
    let count = count.to_string();
    let mut text = String::with_capacity(1024);
    for (name, value) in [
        ("request", "smtpd_access_policy"),
        ("protocol_state", stage),
        ("protocol_name", facts.protocol),
        ("client_address", &peer.address),
        ("client_name", &peer.name),
        ("client_port", &peer.port),
        ("reverse_client_name", &peer.reverse_name),
        ("server_address", &peer.server_address),
        ("server_port", &peer.server_port),
        ("helo_name", facts.helo.unwrap_or_default()),
        ("sender", &lossy(facts.sender)),
        ("recipient", &lossy(facts.recipient)),
        ("recipient_count", &count),
        ("queue_id", facts.queue_id.unwrap_or_default()),
        ("instance", &instance),
        ("size", &size),
        ("etrn_domain", facts.etrn.unwrap_or_default()),
        ("stress", if server.life.stress() { "yes" } else { "" }),
        ("sasl_method", login.map_or("", |login| &login.method)),
        ("sasl_username", login.map_or("", |login| &login.username)),
        ("sasl_sender", login.map_or("", |login| &login.sender)),
        ("ccert_subject", &trusted(|tls| &tls.subject)),
        ("ccert_issuer", &trusted(|tls| &tls.issuer)),
        ("ccert_fingerprint", &tls_text(|tls| tls.fingerprint.clone())),
        ("ccert_pubkey_fingerprint", &tls_text(|tls| tls.key_fingerprint.clone())),
        ("encryption_protocol", &tls_text(|tls| tls.protocol.clone())),
        ("encryption_cipher", &tls_text(|tls| tls.cipher.clone())),
        ("encryption_keysize", &bits),
        ("policy_context", context),
        ("compatibility_level", &server.params.identity.compatibility_level),
        ("mail_version", &server.params.identity.mail_version),
    ] {
        let _ = writeln!(text, "{name}={value}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_options() {
        let service =
            Service::parse("{ inet:127.0.0.1:1, default_action=DUNNO, try_limit=1 }", &Defaults::default()).unwrap();
        assert_eq!((service.options.action.as_str(), service.options.try_limit), ("DUNNO", 1));
        assert!(matches!(&service.endpoint, Endpoint::Inet { host, port: 1 } if host == "127.0.0.1"));
        let service =
            Service::parse("{ unix:private/p, { default_action = 451 4.3.5 later } }", &Defaults::default()).unwrap();
        assert_eq!(service.options.action, "451 4.3.5 later");
        for bad in ["x", "inet:x", "127.0.0.1:1", "{ unix:p, nonsense=1 }", "{ unix:p, timeout=x }"] {
            assert!(Service::parse(bad, &Defaults::default()).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn the_action_is_found() {
        let mut answer = &b"x=y\naction=DEFER_IF_PERMIT Wait\r\n\nrest"[..];
        assert_eq!(read_action(&mut answer).await.unwrap(), b"DEFER_IF_PERMIT Wait");
        assert_eq!(read_action(&mut &b"action=REJECT\naction=OK\n\n"[..]).await.unwrap(), b"REJECT");
        let failure = async |mut text: &[u8]| read_action(&mut text).await.unwrap_err().kind();
        assert_eq!(failure(b"action=OK").await, io::ErrorKind::UnexpectedEof);
        assert_eq!(failure(b"\n").await, io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_server_is_in_trouble_when_it_was_tried_often_enough() {
        let main = "smtpd_relay_restrictions = check_policy_service { unix:/nonexistent, try_limit=2, retry_delay=0s }, reject\n";
        let heard = crate::rehearsal::session(main, &["MAIL FROM:<>", "RCPT TO:<a@b.test>"]);
        let lines = |begin: &str| heard.log.iter().filter(|line| line.starts_with(begin)).count();
        assert_eq!((lines("connect to /nonexistent: "), lines("problem talking to server /nonexistent: ")), (2, 1));
    }
}

//! For tests: whole sessions without a master, a queue, or any other daemon.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use crate::open::Opened;
use crate::session::Session;
use crate::{Params, Process, Smtpd};

/// A process that serves one client after the other.
#[derive(Debug)]
struct Calm;

impl Process for Calm {
    fn is_standalone(&self) -> bool {
        false
    }

    fn stress(&self) -> bool {
        false
    }
}

/// The process that a main.cf makes, unless that is not possible.
pub(crate) fn server(main_cf: &str) -> Result<Smtpd, service::Fatal> {
    let text = format!("compatibility_level = 3.6\nmyhostname = mx.test\nmydestination = mx.test\n{main_cf}");
    let source = config::Source::parse(std::path::Path::new("/nonexistent"), &text).unwrap();
    let params: Params = source.get().unwrap();
    let opened = Opened::open(&params, &source, "smtp")?;
    Smtpd::new(params, opened, Box::new(Calm))
}

/// What came of a session.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The greeting, and a reply for each thing said; empty where the connection was closed.
    pub(crate) replies: Vec<String>,
    /// Lines of the log.
    pub(crate) log: Vec<String>,
}

impl Heard {
    /// Whether some line of the log ends like this.
    #[track_caller]
    pub(crate) fn assert_logged(&self, end: &str) {
        assert!(self.log.iter().any(|line| line.ends_with(end)), "{end} is not in {:#?}", self.log);
    }
}

/// A session of a local client, that says one line after the other and waits for the replies. What ends with a line feed is
/// said as it is, other lines get their CR LF.
pub(crate) fn session(main_cf: &str, lines: &[impl AsRef<[u8]>]) -> Heard {
    session_with(std::future::ready(()), main_cf, lines)
}

/// The same, with some other server at work.
pub(crate) fn session_with(
    other: impl Future<Output = ()> + Send + 'static,
    main_cf: &str,
    lines: &[impl AsRef<[u8]>],
) -> Heard {
    let log = Log::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let replies = tracing::subscriber::with_default(log.clone(), || {
        let server = Arc::new(server(main_cf).unwrap());
        runtime.block_on(async {
            tokio::spawn(other);
            let (client, ours) = UnixStream::pair().unwrap();
            let served = tokio::spawn(Session::serve(server, service::Stream::Unix(ours), Vec::new()));
            let replies = talk(client, lines).await;
            served.await.unwrap();
            replies
        })
    });
    let log = log.0.lock().unwrap().clone();
    Heard { replies, log }
}

async fn talk(client: UnixStream, lines: &[impl AsRef<[u8]>]) -> Vec<String> {
    let mut client = BufReader::new(client);
    let mut replies = vec![reply(&mut client).await];
    for line in lines {
        let line = line.as_ref();
        let end: &[u8] = if line.ends_with(b"\n") { b"" } else { b"\r\n" };
        // The session may be over.
        let _ = client.get_mut().write_all(&[line, end].concat()).await;
        replies.push(reply(&mut client).await);
    }
    replies
}

/// One reply, its lines joined by LF.
async fn reply(client: &mut BufReader<UnixStream>) -> String {
    let mut text = String::new();
    loop {
        let start = text.len();
        if !matches!(client.read_line(&mut text).await, Ok(1..)) || text.as_bytes().get(start + 3) != Some(&b'-') {
            return text.replace("\r\n", "\n").trim_end_matches('\n').to_owned();
        }
    }
}

/// A session with an authentication server that knows PLAIN, asks for what it was not given, and lets everybody in.
pub(crate) fn session_with_login(main_cf: &str, lines: &[&str]) -> Heard {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth");
    let main = format!(
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {}\n{main_cf}",
        path.display()
    );
    let other = async move {
        let listener = UnixListener::bind(path).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(authenticate(stream));
        }
    };
    session_with(other, &main, lines)
}

async fn authenticate(mut stream: UnixStream) {
    stream.write_all(b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nDONE\n").await.unwrap();
    let mut requests = BufReader::new(stream).lines();
    while let Ok(Some(line)) = requests.next_line().await {
        let mut words = line.split('\t');
        let (request, number) = (words.next().unwrap(), words.next().unwrap());
        let answer = match request {
            // It is gone when somebody of that name comes.
            "AUTH" if line.contains("resp=AGdvbmUA") => return,
            // Nobody knows of this one.
            "AUTH" if line.contains("resp=AGRiAHg=") => format!("FAIL\t{number}\ttemp\treason=database is down\n"),
            "AUTH" if !line.contains("\tresp=") => format!("CONT\t{number}\t\n"),
            "AUTH" | "CONT" => format!("OK\t{number}\tuser=joe\n"),
            _ => continue,
        };
        requests.get_mut().get_mut().write_all(answer.as_bytes()).await.unwrap();
    }
}

/// A session whose mail goes to a filter that takes everything. Gives what the filter was told, too.
pub(crate) fn session_with_filter(main_cf: &str, lines: &[&str]) -> (Heard, Vec<String>) {
    session_with_filter_and(std::future::ready(()), main_cf, lines)
}

/// The same, with some other server at work.
pub(crate) fn session_with_filter_and(
    other: impl Future<Output = ()> + Send + 'static,
    main_cf: &str,
    lines: &[&str],
) -> (Heard, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filter");
    let main = format!(
        "smtpd_proxy_filter = unix:{}\nmynetworks = 127.0.0.0/8\nsmtpd_reject_unlisted_recipient = no\n{main_cf}",
        path.display()
    );
    let told = Arc::new(Mutex::new(Vec::new()));
    let ours = Arc::clone(&told);
    let filter = async move {
        tokio::spawn(other);
        let listener = UnixListener::bind(path).unwrap();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"220 filter\r\n").await.unwrap();
            let (mut stream, mut line, mut content) = (BufReader::new(stream), String::new(), false);
            while matches!(stream.read_line(&mut line).await, Ok(1..)) {
                let said = line.trim_end().to_owned();
                let answer = match said.as_str() {
                    "EHLO localhost" | "EHLO mx.test" => {
                        "250-filter\r\n250 XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT"
                    }
                    "DATA" => "354 Go",
                    _ => "250 2.0.0 Taken",
                };
                if !content || said == "." {
                    stream.get_mut().write_all([answer, "\r\n"].concat().as_bytes()).await.unwrap();
                }
                content = said == "DATA" || content && said != ".";
                ours.lock().unwrap().push(said);
                line.clear();
            }
        }
    };
    let heard = session_with(filter, &main, lines);
    let told = told.lock().unwrap().clone();
    (heard, told)
}

/// A session of which a milter hears: it gives its answer to one event, known by its letter, and lets all others pass.
/// Its mail goes to a filter.
pub(crate) fn session_with_milter(event: u8, answer: &'static [u8], lines: &[&str]) -> Heard {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("milter");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut size = [0; 4];
        while stream.read_exact(&mut size).is_ok() {
            let mut packet = vec![0; u32::from_be_bytes(size) as usize];
            stream.read_exact(&mut packet).unwrap();
            let reply = match packet[0] {
                b'O' => [&b"O\0\0\0\x06"[..], &[0; 8]].concat(),
                b'D' | b'A' | b'Q' => continue,
                letter => if letter == event { answer } else { b"c" }.to_vec(),
            };
            let size = u32::try_from(reply.len()).unwrap().to_be_bytes();
            stream.write_all(&[&size[..], &reply].concat()).unwrap();
        }
    });
    session_with_filter(&format!("smtpd_milters = unix:{}\n", path.display()), lines).0
}

/// Keeps what is logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

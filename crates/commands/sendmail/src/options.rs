//! The options of sendmail(1), as old programs give them. Pure.
//!
//! Arguments are bytes: addresses and names need not be UTF-8.

use std::slice::Iter;

use command::Usage;
use dsn::{Notify, Ret};

/// What the command is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Take a message from standard input.
    Submit,
    /// List the queue: `-bp`, `mailq`.
    Mailq,
    /// Compile the alias database: `-bi`, `-I`, `newaliases`.
    Newaliases,
    /// Speak SMTP on standard input and output: `-bs`.
    Smtp,
    /// Start the mail system: `-bd`, `-bl`.
    Daemon,
    /// Say nothing about a host status database: `-bh`, `-bH`.
    Nothing,
    /// Deliver what is queued: `-q`.
    Flush,
}

/// Everything that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// Only find out where mail would go: `-bv`.
    pub(crate) verify: bool,
    /// Begin to deliver what is queued in such intervals, `-q1h`, which only a daemon could.
    pub(crate) interval: bool,
    /// Deliver what is queued for a site: `-qR`.
    pub(crate) site: Option<String>,
    /// Deliver one message: `-qI`.
    pub(crate) message: Option<String>,
    pub(crate) config: Option<String>,
    pub(crate) full_name: Option<Vec<u8>>,
    pub(crate) sender: Option<Vec<u8>>,
    pub(crate) encoding: Option<&'static str>,
    pub(crate) notify: Notify,
    pub(crate) ret: Option<Ret>,
    pub(crate) envelope_id: Option<String>,
    /// What servers on the way must know, as flags of the `C` record: `-O`.
    pub(crate) send_options: u32,
    pub(crate) verp: Option<String>,
    pub(crate) alias_database: Option<String>,
    pub(crate) dot: Dot,
    pub(crate) context: Context,
    pub(crate) extract: Extract,
    /// How often `-v` was given.
    pub(crate) verbose: u32,
    pub(crate) recipients: Vec<Vec<u8>>,
    /// What is to be said before anything is done.
    pub(crate) warnings: Vec<String>,
}

/// What a line with only a dot means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dot {
    Ends,
    Text,
}

/// How incomplete addresses are completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    Local,
    Remote,
}

/// Whether recipients are in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extract {
    Header,
    Nothing,
}

/// RFC 3461 section 4.4.
const LONGEST_ENVELOPE_ID: usize = 100;

/// What is wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// They are not options of this command.
    Usage(Usage),
    /// They ask for what cannot be done.
    Other(String),
}

impl<S: Into<String>> From<S> for Refusal {
    fn from(reason: S) -> Self {
        Self::Other(reason.into())
    }
}

/// Takes the arguments apart; `called_as` is the name of the command.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn parse(called_as: &str, arguments: &[Vec<u8>]) -> Result<Options, Refusal> {
    let mut options = Options {
        mode: match called_as {
            "mailq" => Mode::Mailq,
            "newaliases" => Mode::Newaliases,
            "smtpd" => Mode::Daemon,
            _ => Mode::Submit,
        },
        verify: false,
        interval: false,
        site: None,
        message: None,
        config: None,
        full_name: None,
        sender: None,
        encoding: None,
        notify: Notify::UNSET,
        ret: None,
        envelope_id: None,
        send_options: 0,
        verp: None,
        alias_database: None,
        dot: Dot::Ends,
        context: Context::Local,
        extract: Extract::Nothing,
        verbose: 0,
        recipients: Vec::new(),
        warnings: Vec::new(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.as_slice().first() {
        let Some(letters) = argument.strip_prefix(b"-").filter(|letters| !letters.is_empty()) else {
            break;
        };
        rest.next();
        match letters {
            b"-" => break,
            // A letter whose value may be missing.
            b"q" => options.flush(),
            letters if let Some(delimiters) = old_verp(letters, rest.as_slice()) => {
                options.warnings.push(format!(
                    "option -V{delimiters} is deprecated with Postfix 2.3; specify -XV{delimiters} instead"
                ));
                options.verp = Some(delimiters.to_owned());
            }
            _ => options.cluster(letters, &mut rest)?,
        }
    }
    options.recipients = rest.cloned().collect();
    Ok(options)
}

impl Options {
    /// Letters in one word; a value is the rest of the word, or the next one.
    fn cluster(&mut self, letters: &[u8], rest: &mut Iter<'_, Vec<u8>>) -> Result<(), Refusal> {
        const VALUED: &str = "ABCFLNORVXbefhopqr";
        const PLAIN: &str = "GIUacimntvx";
        let mut letters = letters.iter();
        while let Some(letter) = letters.next().copied().map(char::from) {
            if VALUED.contains(letter) {
                let value = match letters.as_slice() {
                    [] => rest.next().ok_or(Refusal::Usage(Usage::Valueless(letter)))?,
                    attached => attached,
                };
                return self.valued(letter, value, rest);
            }
            if !PLAIN.contains(letter) {
                return Err(Refusal::Usage(Usage::Unknown(letter)));
            }
            self.plain(letter)?;
        }
        Ok(())
    }

    fn plain(&mut self, letter: char) -> Result<(), Refusal> {
        match letter {
            'G' => self.context = Context::Remote,
            'I' => self.mode = Mode::Newaliases,
            'i' => self.dot = Dot::Text,
            't' => self.extract = Extract::Header,
            'v' => self.verbose += 1,
            'n' => return Err("-n option not supported".into()),
            _ => {}
        }
        Ok(())
    }

    fn valued(&mut self, letter: char, bytes: &[u8], rest: &mut Iter<'_, Vec<u8>>) -> Result<(), Refusal> {
        let value = &*String::from_utf8_lossy(bytes);
        match letter {
            'B' => {
                self.encoding = match value {
                    "8BITMIME" => Some("8bit"),
                    "7BIT" => Some("7bit"),
                    _ => return Err("-B option needs 8BITMIME or 7BIT".into()),
                };
            }
            'C' => self.config = Some(value.to_owned()),
            'F' => self.full_name = Some(bytes.to_owned()),
            'f' | 'r' => self.sender = Some(bytes.to_owned()),
            'N' => self.notify(value),
            'R' => match Ret::parse(value.as_bytes()) {
                Ok(ret) => self.ret = Some(ret),
                Err(_) => {
                    self.ret = None;
                    self.warnings.push("bad -R option value -- ignored".to_owned());
                }
            },
            'O' => self.long(value),
            'V' => self.envelope_id(value),
            'X' => match value.strip_prefix('V') {
                Some(delimiters) => self.verp = Some(delimiters.to_owned()),
                None => return Err(format!("unsupported: -X{}", first(value)).into()),
            },
            'b' => self.be(value)?,
            'o' => self.old(value, rest),
            'q' => self.queue(value)?,
            _ => {}
        }
        Ok(())
    }

    fn notify(&mut self, value: &str) {
        self.notify = Notify::parse(value.as_bytes()).unwrap_or_else(|_| {
            let unknown = Notify::unknown_word(value.as_bytes()).map(String::from_utf8_lossy);
            self.warnings
                .extend(unknown.map(|word| format!("unknown DSN NOTIFY command value \"{word}\" in \"{value}\"")));
            self.warnings.push("bad -N option value -- ignored".to_owned());
            Notify::UNSET
        });
    }

    fn envelope_id(&mut self, value: &str) {
        if value.len() > LONGEST_ENVELOPE_ID {
            self.warnings.push("too long -V option value -- ignored".to_owned());
        } else if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            self.warnings.push("bad syntax in -V option value -- ignored".to_owned());
        } else {
            self.envelope_id = Some(value.to_owned());
        }
    }

    /// `-O name=value`: long options, of which those are obeyed that ask for an extension.
    fn long(&mut self, option: &str) {
        let (name, value) = option.split_once('=').unwrap_or((option, "yes"));
        let flag = match name.to_ascii_lowercase().as_str() {
            "smtputf8" => queue_file::SMTPUTF8_REQUESTED,
            "requiretls" => queue_file::TLS_REQUIRED,
            _ => return,
        };
        if value.eq_ignore_ascii_case("yes") {
            self.send_options |= flag;
        } else {
            self.send_options &= !flag;
        }
    }

    /// `-o x value`: old configuration options, of which two are obeyed.
    fn old(&mut self, value: &str, rest: &mut Iter<'_, Vec<u8>>) {
        match value.split_at_checked(1) {
            Some(("A", "")) => {
                self.alias_database = rest.next().map(|database| String::from_utf8_lossy(database).into_owned());
            }
            Some(("A", database)) => self.alias_database = Some(database.to_owned()),
            Some(("i", _)) => self.dot = Dot::Text,
            _ => {}
        }
    }

    /// `-q`
    fn flush(&mut self) {
        if self.mode == Mode::Daemon {
            self.warnings.push(NO_FLUSH.to_owned());
        } else {
            self.mode = Mode::Flush;
        }
    }

    /// `-q` with more.
    fn queue(&mut self, value: &str) -> Result<(), Refusal> {
        match value.split_at_checked(1) {
            None => self.flush(),
            Some(("R", "")) => return Err("specify: -qRsitename".into()),
            Some(("R", site)) => self.site = Some(site.to_owned()),
            Some(("I", "")) => return Err("specify: -qIqueueid".into()),
            Some(("I", id)) => self.message = Some(id.to_owned()),
            Some(_) if value.bytes().all(|b| b.is_ascii_digit() || b"smhdw".contains(&b)) => self.interval = true,
            Some((letter, _)) => return Err(format!("-q{letter} is not implemented").into()),
        }
        Ok(())
    }

    /// `-b` with what the command is to be.
    fn be(&mut self, value: &str) -> Result<(), Refusal> {
        self.mode = match first(value) {
            "d" | "l" => {
                if self.mode == Mode::Flush {
                    self.warnings.push(NO_FLUSH.to_owned());
                }
                Mode::Daemon
            }
            "h" | "H" => Mode::Nothing,
            "i" => Mode::Newaliases,
            "m" => Mode::Submit,
            "p" => Mode::Mailq,
            "s" => Mode::Smtp,
            "v" => {
                self.verify = true;
                return Ok(());
            }
            letter => return Err(format!("unsupported: -b{letter}").into()),
        };
        Ok(())
    }
}

/// What Postfix had before it had DSN: `-V` with two delimiters. It looks like `-V +=` too, but there the word behind it is
/// a recipient.
fn old_verp<'a>(letters: &'a [u8], rest: &[Vec<u8>]) -> Option<&'a str> {
    let delimiters = str::from_utf8(letters.strip_prefix(b"V")?).ok()?;
    match delimiters.len() {
        0 => rest.first().is_some_and(|value| value.len() == 2).then_some(""),
        2 => Some(delimiters),
        _ => None,
    }
}

const NO_FLUSH: &str = "ignoring -q option in daemon mode";

/// The letter that counts of a value.
fn first(value: &str) -> &str {
    value.get(..value.chars().next().map_or(0, char::len_utf8)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &str) -> Result<Options, Refusal> {
        let words: Vec<Vec<u8>> = arguments.split(' ').filter(|w| !w.is_empty()).map(Vec::from).collect();
        parse("sendmail", &words)
    }

    #[test]
    fn modes_are_chosen() {
        for (arguments, mode) in [
            ("", Mode::Submit),
            ("-bm -oi", Mode::Submit),
            ("-bp", Mode::Mailq),
            ("-bs", Mode::Smtp),
            ("-bv a", Mode::Submit),
            ("-bp -bv", Mode::Mailq),
            ("-bi", Mode::Newaliases),
            ("-I", Mode::Newaliases),
            ("-bd -q30m", Mode::Daemon),
            ("-q", Mode::Flush),
            ("-q -bd", Mode::Daemon),
            ("-bd -q", Mode::Daemon),
            ("-qRexample.org", Mode::Submit),
            ("-qIABC -bp", Mode::Mailq),
        ] {
            assert_eq!(parsed(arguments).map(|o| o.mode), Ok(mode), "{arguments}");
        }
        assert_eq!(parse("mailq", &[]).map(|o| o.mode), Ok(Mode::Mailq));
    }

    #[test]
    fn options_of_other_systems_are_ignored() {
        for option in [
            "-Am",
            "-Ac",
            "-B8BITMIME",
            "-G",
            "-h5",
            "-Llabel",
            "-U",
            "-m",
            "-odi",
            "-oem",
            "-om",
            "-em",
            "-ODeliveryMode=b",
            "-oDeliveryMode=b",
        ] {
            let options = parsed(&format!("{option} -- you")).unwrap();
            assert_eq!((options.mode, options.recipients), (Mode::Submit, vec![b"you".to_vec()]), "{option}");
        }
    }

    #[test]
    fn extensions_are_asked_for_by_name() {
        for (line, expected) in [
            ("-O smtputf8", 1),
            ("-ORequireTLS=yes -O SMTPUTF8=yes", 33),
            ("-Orequiretls -Orequiretls=no -OQueueDirectory=/x", 0),
            ("-O requiretls=maybe", 0),
        ] {
            assert_eq!(parsed(line).unwrap().send_options, expected, "{line}");
        }
    }

    #[test]
    fn values_are_taken() {
        let options = parsed("-ti -f me@x -F Joe -N success,delay -R hdrs -V id42 -XV-= -vv a b").unwrap();
        assert_eq!((options.sender.as_deref(), options.full_name.as_deref()), (Some(&b"me@x"[..]), Some(&b"Joe"[..])));
        assert_eq!(options.notify, Notify::SUCCESS | Notify::DELAY);
        assert_eq!((options.ret, options.envelope_id.as_deref()), (Some(Ret::Hdrs), Some("id42")));
        assert_eq!((options.verp.as_deref(), options.verbose), (Some("-="), 2));
        assert_eq!((options.dot, options.extract), (Dot::Text, Extract::Header));
        assert_eq!(options.recipients, [b"a", b"b"]);
        assert_eq!(parsed("-rme").unwrap().sender.as_deref(), Some(&b"me"[..]));
        assert_eq!(parsed("-XV x").unwrap().verp.as_deref(), Some(""));
        assert_eq!(parse("sendmail", &["-f".into(), Vec::new()]).unwrap().sender.as_deref(), Some(&b""[..]));
        let old = parsed("-V += x").unwrap();
        assert_eq!(
            (old.verp.as_deref(), old.recipients, old.warnings.len()),
            (Some(""), vec!["+=".into(), "x".into()], 1)
        );
        let attached = parsed("-V+= x").unwrap();
        assert_eq!((attached.verp.as_deref(), attached.envelope_id), (Some("+="), None));
        assert_eq!(attached.warnings, ["option -V+= is deprecated with Postfix 2.3; specify -XV+= instead"]);
        assert_eq!(parsed("-Vabc x").unwrap().envelope_id.as_deref(), Some("abc"));
        assert_eq!(parsed("-oA hash:/x").unwrap().alias_database.as_deref(), Some("hash:/x"));
        assert_eq!(
            parsed("-N sometimes").unwrap().warnings,
            ["unknown DSN NOTIFY command value \"sometimes\" in \"sometimes\"", "bad -N option value -- ignored"]
        );
        assert_eq!(parse("sendmail", &["-N".into(), Vec::new()]).unwrap().warnings, ["bad -N option value -- ignored"]);
    }

    #[test]
    fn addresses_and_names_keep_their_bytes() {
        let words = [&b"-iF"[..], b"J\xfcrgen", b"-fj\xfcrgen@x", b"\xe4@x", b"\xfc@x"].map(<[u8]>::to_vec);
        let options = parse("sendmail", &words).unwrap();
        assert_eq!(options.full_name.as_deref(), Some(&b"J\xfcrgen"[..]));
        assert_eq!(options.sender.as_deref(), Some(&b"j\xfcrgen@x"[..]));
        assert_eq!(options.recipients, [b"\xe4@x", b"\xfc@x"]);
    }

    #[test]
    fn what_cannot_be_done_is_an_error() {
        for (arguments, error) in [
            ("-bq x", "unsupported: -bq"),
            ("-n", "-n option not supported"),
            ("-XL", "unsupported: -XL"),
            ("-B 9BIT", "-B option needs 8BITMIME or 7BIT"),
            ("-B 8bitmime", "-B option needs 8BITMIME or 7BIT"),
            ("-qSx", "-qS is not implemented"),
            ("-qR", "specify: -qRsitename"),
        ] {
            assert_eq!(parsed(arguments).unwrap_err(), error.into(), "{arguments}");
        }
        for (arguments, error) in
            [("-Q x", Usage::Unknown('Q')), ("-d", Usage::Unknown('d')), ("-f", Usage::Valueless('f'))]
        {
            assert_eq!(parsed(arguments).unwrap_err(), Refusal::Usage(error), "{arguments}");
        }
    }
}

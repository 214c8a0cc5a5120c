//! Makes a maildrop message of standard input and the options, and hands it in.

use std::io::{self, BufRead, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use command::{Fatal, is_anyone};
use config::params::Sendmail;
use privsep::User;
use queue_file::maildrop::SEND_OPTIONS;
use queue_file::record::{self, Type};

use crate::Params;
use crate::channel::{Outlet, Ways};
use crate::message::{self, Error, LineEnds, Reading, addresses, put_recipient};
use crate::options::{Context, Extract, Options};

/// What is asked for besides delivery, in the `trace_flags` attribute.
const EXPAND: u32 = 1 << 9;
const REPORT: u32 = 1 << 10;

/// Submits what is on standard input.
pub(crate) fn submit(options: &Options, params: &Params, config_directory: &Path) -> Result<(), Fatal> {
    let uid = privsep::real_uid();
    let user = User::by_uid(uid)?;
    let reading = reading(options, params)?;
    let nobody = || Fatal::new(format!("no login name found for user ID {uid}"));
    let sender = sender(options, user.as_ref()).ok_or_else(nobody)?;
    let who = format!("{}({uid})", String::from_utf8_lossy(&sender));
    let fatal = |text: &str| Fatal::new(format!("{who}: {text}"));
    if let Some(given) = options.sender.as_ref().filter(|given| addresses(given).len() > 1) {
        tracing::warn!("-f option specified malformed sender: {}", String::from_utf8_lossy(given));
    }
    if options.verp.is_some() && sender.is_empty() {
        return Err(fatal("-V option requires non-null sender address"));
    }
    let given: Vec<Vec<u8>> = options.recipients.iter().flat_map(|word| recipients(word)).collect();
    if given.is_empty() && options.extract == Extract::Nothing {
        return Err(fatal("Recipient addresses must be specified on the command line or via the -t option"));
    }
    let mut records = envelope(options, params, user.as_ref(), &sender)?;
    for recipient in &given {
        put_recipient(&mut records, recipient, options.notify);
    }
    record::put(&mut records, Type::Message, b"");
    let ways = ways(params, config_directory);
    write(ways.begin(), records, options, reading, &given).map_err(|error| match error {
        Error::TooLarge => fatal("message file too big"),
        Error::NoRecipients => fatal("No recipient addresses found in message header"),
        Error::Read(error) => fatal(&format!("error reading input: {error}")),
        Error::Write(error) => fatal(&error.to_string()),
    })
}

/// Users who are restricted go to postdrop, which judges them.
fn ways(params: &Params, config: &Path) -> Ways {
    let Sendmail { authorized_submit_users, local_login_sender_maps, .. } = &params.sendmail;
    let unrestricted = is_anyone(authorized_submit_users) && local_login_sender_maps.as_slice() == ["static:*"];
    Ways {
        socket: unrestricted.then(|| Ways::socket(&params.layout.queue_directory)),
        deadline: params.ipc.ipc_timeout,
        postdrop: Path::new(&params.layout.command_directory).join("postdrop"),
        config: config.to_owned(),
    }
}

/// The envelope sender in internal form; a user without an account has to name one.
fn sender(options: &Options, user: Option<&User>) -> Option<Vec<u8>> {
    match &options.sender {
        Some(given) => Some(addresses(given).into_iter().next().unwrap_or_default()),
        None => user.map(|user| user.name.clone().into_bytes()),
    }
}

/// The recipients of one argument; an empty one is the null address, which cleanup knows what to do with.
fn recipients(argument: &[u8]) -> Vec<Vec<u8>> {
    let found = addresses(argument);
    if found.is_empty() { vec![Vec::new()] } else { found }
}

fn envelope(options: &Options, params: &Params, user: Option<&User>, sender: &[u8]) -> Result<Vec<u8>, Fatal> {
    let mut out = Vec::with_capacity(1024);
    let trace = if options.verify {
        EXPAND
    } else if options.verbose == 1 {
        REPORT
    } else {
        0
    };
    let context = match options.context {
        Context::Local => "local",
        Context::Remote => "remote",
    };
    for (name, value) in [
        ("trace_flags", (trace != 0).then(|| trace.to_string())),
        ("encoding", options.encoding.map(str::to_owned)),
        ("ret_flags", options.ret.map(|ret| ret.bits().to_string())),
        ("envelope_id", options.envelope_id.clone()),
        (SEND_OPTIONS, (options.send_options != 0).then(|| options.send_options.to_string())),
        ("rewrite_context", Some(context.to_owned())),
    ] {
        if let Some(value) = value {
            record::put_attribute(&mut out, name, value.as_bytes());
        }
    }
    if let Some(name) = full_name(options, user) {
        record::put(&mut out, Type::FullName, &name);
    }
    record::put(&mut out, Type::Sender, sender);
    // Postfix takes this from nobody whom it does not know yet.
    if let Some(delimiters) = &options.verp {
        record::put(&mut out, Type::Verp, verp(delimiters, params)?.as_bytes());
    }
    Ok(out)
}

pub(crate) fn verp(delimiters: &str, params: &Params) -> Result<String, Fatal> {
    let delimiters = if delimiters.is_empty() { &params.verp.default_verp_delimiters } else { delimiters };
    let filter = &params.verp.verp_delimiter_filter;
    if delimiters.chars().count() != 2 || !delimiters.chars().all(|c| filter.contains(c)) {
        return Err(Fatal::new(format!("-V requires two characters from {filter}")));
    }
    Ok(delimiters.to_owned())
}

/// `-F`, the environment's `NAME`, or the account's full name.
fn full_name(options: &Options, user: Option<&User>) -> Option<Vec<u8>> {
    if let Some(name) = &options.full_name {
        return Some(name.clone());
    }
    if let Some(name) = std::env::var_os("NAME") {
        return Some(name.into_vec());
    }
    let user = user?;
    let gecos = user.gecos.split([',', ';', '%']).next().unwrap_or_default();
    let mut login = user.name.chars();
    let capital: String = login.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(login).collect();
    Some(gecos.replace('&', &capital).into_bytes()).filter(|name| !name.is_empty())
}

fn write(
    mut outlet: Outlet,
    records: Vec<u8>,
    options: &Options,
    reading: Reading,
    given: &[Vec<u8>],
) -> Result<(), Error> {
    let mut out = records;
    let mut found = Vec::new();
    if options.verify {
        for line in probe(options, given) {
            record::put_line(&mut out, &line, usize::MAX);
        }
    } else {
        outlet.write_all(&out).map_err(Error::Write)?;
        out.clear();
        found = message::copy(&mut input(), &mut outlet, reading)?;
        if given.is_empty() && found.is_empty() {
            return Err(Error::NoRecipients);
        }
    }
    record::put(&mut out, Type::Extracted, b"");
    for recipient in &found {
        put_recipient(&mut out, recipient, options.notify);
    }
    record::put(&mut out, Type::End, b"");
    outlet.write_all(&out).and_then(|()| outlet.finish()).map_err(Error::Write)
}

fn input() -> impl BufRead {
    io::BufReader::with_capacity(16 * 1024, io::stdin().lock())
}

/// How input is read; there is none with `-bv`.
fn reading(options: &Options, params: &Params) -> Result<Reading, Fatal> {
    let line_ends = match params.sendmail.sendmail_fix_line_endings.as_str() {
        "strict" => LineEnds::AsFirst,
        "never" => LineEnds::Kept,
        "always" => LineEnds::Always,
        _ if options.verify => LineEnds::Always,
        value => return Err(Fatal::new(format!("invalid sendmail_fix_line_endings value: {value}"))),
    };
    Ok(Reading {
        dot: options.dot,
        line_ends,
        line_length_limit: usize::try_from(params.ipc.line_length_limit).unwrap_or(2048),
        size_limit: params.queue.message_size_limit,
        extract: options.extract == Extract::Header,
    })
}

/// The message of `-bv`.
fn probe(options: &Options, given: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let user = User::by_uid(privsep::real_uid()).ok().flatten();
    let sender = sender(options, user.as_ref()).unwrap_or_default();
    let from = address::quote::quote(&sender);
    let to: Vec<_> = given.iter().map(|recipient| address::quote::quote(recipient)).collect();
    vec![[b"From: ", &from[..]].concat(), b"Subject: probe".to_vec(), [b"To: ", &to.join(&b", "[..])[..]].concat()]
}

/// Tells where the report of `-bv` or `-v` will go.
pub(crate) fn announce(options: &Options, out: &mut impl Write) -> io::Result<()> {
    if !options.verify && options.verbose != 1 {
        return Ok(());
    }
    let user = User::by_uid(privsep::real_uid()).ok().flatten();
    let sender = sender(options, user.as_ref()).unwrap_or_default();
    let shown = String::from_utf8_lossy(&address::quote::quote(&sender)).into_owned();
    writeln!(out, "Mail Delivery Status Report will be mailed to <{shown}>.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Source;

    #[test]
    fn an_argument_without_an_address_is_the_null_address() {
        for argument in ["", " ", "(c)", ","] {
            assert_eq!(recipients(argument.as_bytes()), [Vec::<u8>::new()], "{argument}");
        }
        assert_eq!(recipients(b"a@b, c"), [b"a@b".to_vec(), b"c".to_vec()]);
    }

    #[test]
    fn who_has_no_account_has_to_name_a_sender() {
        let of = |arguments: &[&str]| {
            let words: Vec<Vec<u8>> = arguments.iter().map(|word| Vec::from(*word)).collect();
            sender(&crate::options::parse("sendmail", &words).unwrap(), None)
        };
        assert_eq!(of(&["you"]), None);
        assert_eq!(of(&["-f", "me@x", "you"]), Some(b"me@x".to_vec()));
        assert_eq!(of(&["-f", "", "you"]), Some(Vec::new()));
    }

    #[test]
    fn nobody_has_no_address_for_each_recipient() {
        let words = ["-XV", "-f", "<>", "you@x.test"].map(Vec::from);
        let options = crate::options::parse("sendmail", &words).unwrap();
        let params: Params = Source::parse(Path::new("/etc/postfix"), "").unwrap().get().unwrap();
        let error = submit(&options, &params, Path::new("/etc/postfix")).unwrap_err().to_string();
        assert!(error.ends_with("): -V option requires non-null sender address") && error.starts_with('('), "{error}");
    }

    #[test]
    fn who_sends_is_told_before_the_wish_for_verp() {
        let words = ["-XV", "-f", "me@x.test", "you@x.test"].map(Vec::from);
        let options = crate::options::parse("sendmail", &words).unwrap();
        let params: Params = Source::parse(Path::new("/etc/postfix"), "").unwrap().get().unwrap();
        let records = envelope(&options, &params, None, b"me@x.test").unwrap();
        assert!(records.ends_with(b"S\x09me@x.testV\x02+="), "{records:?}");
    }

    #[test]
    fn line_endings_are_fixed_in_known_ways() {
        let options = crate::options::parse("sendmail", &["you".into()]).unwrap();
        for (value, expected) in [
            ("always", Some(LineEnds::Always)),
            ("strict", Some(LineEnds::AsFirst)),
            ("never", Some(LineEnds::Kept)),
            ("ALWAYS", None),
        ] {
            let text = format!("sendmail_fix_line_endings = {value}");
            let params: Params = Source::parse(Path::new("/etc/postfix"), &text).unwrap().get().unwrap();
            assert_eq!(reading(&options, &params).ok().map(|reading| reading.line_ends), expected, "{value}");
        }
    }
}

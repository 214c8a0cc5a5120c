//! The words of notices: built in, or from `bounce_template_file`. See bounce(5).
//!
//! Everything is read and expanded before the jail. A template that cannot be used is reported and the built-in one
//! stands in, so that no notice is ever lost over its wording.

use std::borrow::Cow;
use std::time::Duration;

use config::Source;
use tracing::warn;

use crate::builtin;
use crate::template_file::{Definition, definitions, narrow, widen};

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Mail that cannot be delivered.
    Failure,
    /// Mail that waits.
    Delay,
    /// Mail that was delivered.
    Success,
    /// What was asked about addresses, or about a delivery.
    Verify,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Failure, Self::Delay, Self::Success, Self::Verify];

    fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure_template",
            Self::Delay => "delay_template",
            Self::Success => "success_template",
            Self::Verify => "verify_template",
        }
    }

    /// What warnings call it.
    fn class(self) -> &'static str {
        self.name().trim_end_matches("_template")
    }

    fn builtin(self) -> &'static str {
        match self {
            Self::Failure => builtin::FAILURE,
            Self::Delay => builtin::DELAY,
            Self::Success => builtin::SUCCESS,
            Self::Verify => builtin::VERIFY,
        }
    }
}

/// The words of one kind of notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    /// The character set of the text.
    pub charset: String,
    /// The `From:` header.
    pub from: String,
    /// The `Subject:` header.
    pub subject: String,
    /// The `Subject:` header of the postmaster's copy.
    pub postmaster_subject: String,
    /// The text, expanded, with its line ends, in its character set.
    pub text: Vec<u8>,
}

/// The words of all notices.
#[derive(Debug, Clone)]
pub struct Templates {
    failure: Template,
    delay: Template,
    success: Template,
    verify: Template,
}

impl Templates {
    /// Reads and expands the templates of a configuration. Where its file cannot be read, notices have the built-in ones.
    #[must_use]
    pub fn read(source: &Source, path: &str) -> Self {
        let file = file(path).inspect_err(|problem| warn!("{problem}")).unwrap_or_default();
        let found = found(&file, path).inspect_err(|problem| warn!("{problem}")).unwrap_or_default();
        let [failure, delay, success, verify] = unexpanded(&found, path).map(|mut words| {
            expand(&mut words.template, words.kind, &words.origin, source);
            words.template
        });
        Self { failure, delay, success, verify }
    }

    /// The words for a kind of notice.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &Template {
        match kind {
            Kind::Failure => &self.failure,
            Kind::Delay => &self.delay,
            Kind::Success => &self.success,
            Kind::Verify => &self.verify,
        }
    }
}

/// A template before expansion, and where it is from.
struct Words {
    kind: Kind,
    template: Template,
    origin: String,
}

/// Why a template is not used.
#[derive(Debug, PartialEq, Eq)]
enum Problem {
    /// Something that it must not have, or must have.
    Form(String),
    /// Its text is not in its character set.
    EightBit,
}

impl Problem {
    fn warn(&self, path: &str, class: &str) {
        match self {
            Self::Form(what) => warn!("{path}: {what} in {class} template -- ignoring this template"),
            Self::EightBit => {
                warn!("{path}: 8-bit message text in {class} template");
                warn!("please specify a charset value other than us-ascii");
                warn!("-- ignoring this template for now");
            }
        }
    }
}

/// What stands in a file; nothing if there is none.
fn file(path: &str) -> Result<String, String> {
    let file = if path.is_empty() { Ok(Vec::new()) } else { std::fs::read(path) };
    file.map(|bytes| widen(&bytes)).map_err(|error| format!("open {path}: {error}"))
}

fn found<'a>(file: &'a str, path: &str) -> Result<Vec<Definition<'a>>, String> {
    definitions(file).map_err(|problem| format!("{path}, {problem}"))
}

/// The templates that were found, and built-in ones where there is none that can be used.
fn unexpanded(found: &[Definition<'_>], path: &str) -> [Words; 4] {
    found.iter().for_each(|definition| warn_of(path, definition));
    Kind::ALL.map(|kind| {
        // The last one counts.
        let own = found.iter().rfind(|definition| definition.name == kind.name());
        let own = own.and_then(|definition| {
            Template::parse(definition.text, kind).inspect_err(|problem| problem.warn(path, kind.class())).ok()
        });
        let origin = own.as_ref().map_or("[built-in]", |_| path).to_owned();
        Words { kind, template: own.unwrap_or_else(|| builtin(kind)), origin }
    })
}

fn warn_of(path: &str, Definition { name, line, missing, .. }: &Definition<'_>) {
    if let Some(end) = missing {
        warn!("{path}, line {line}: missing \"{end}\" end marker");
    }
    if !Kind::ALL.iter().any(|kind| kind.name() == *name) {
        warn!("{path}, line {line}: unknown template name: {name} -- ignoring this template");
    }
}

/// The templates of a file as they would stand in one, or only their texts, expanded.
///
/// # Errors
/// The file cannot be read, or is none of templates.
pub fn dump(source: &Source, path: &str, expanded: bool) -> Result<Vec<u8>, String> {
    let dumped = unexpanded(&found(&file(path)?, path)?, path).map(|mut words| {
        let head = if expanded {
            expand(&mut words.template, words.kind, &words.origin, source);
            format!("expanded_{}_text = <<EOF\n", words.kind.class())
        } else {
            format!("{} = <<EOF\n{}\n", words.kind.name(), words.template.headers())
        };
        [head.as_bytes(), &words.template.text, b"EOF\n"].concat()
    });
    Ok(dumped.join(&b'\n'))
}

fn builtin(kind: Kind) -> Template {
    Template::of_text(kind.builtin()).unwrap_or_default()
}

impl Template {
    /// Parses headers and text, and fills in the subjects that are left out.
    fn parse(template: &str, kind: Kind) -> Result<Self, Problem> {
        let mut template = Self::of_text(template)?;
        let standard = builtin(kind);
        if standard.postmaster_subject.is_empty() && !template.postmaster_subject.is_empty() {
            return Err(Problem::Form("inapplicable \"Postmaster-Subject\" header label".to_owned()));
        }
        for (own, standard) in
            [(&mut template.subject, standard.subject), (&mut template.postmaster_subject, standard.postmaster_subject)]
        {
            if own.is_empty() {
                *own = standard;
            }
        }
        Ok(template)
    }

    /// The headers as a file has them.
    fn headers(&self) -> String {
        let fields = [
            ("Charset", &self.charset),
            ("From", &self.from),
            ("Subject", &self.subject),
            ("Postmaster-Subject", &self.postmaster_subject),
        ];
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    /// Lines are headers as long as they look like some; the text is what follows, without blank lines before it.
    fn of_text(text: &str) -> Result<Self, Problem> {
        let mut template = Self {
            charset: "us-ascii".to_owned(),
            from: "Mail Delivery System <MAILER-DAEMON>".to_owned(),
            ..Self::default()
        };
        let mut lines = text.split_inclusive('\n').peekable();
        while let Some((name, value)) = lines.peek().and_then(|line| header(line)) {
            template.set(name, value)?;
            lines.next();
        }
        while lines.next_if(|line| line.trim().is_empty()).is_some() {}
        let mut text: String = lines.collect();
        if text.is_empty() {
            return Err(Problem::Form("missing message text".to_owned()));
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if !text.is_ascii() && template.charset.eq_ignore_ascii_case("us-ascii") {
            return Err(Problem::EightBit);
        }
        template.text = narrow(&text);
        Ok(template)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let problem = |what: &str| Err(Problem::Form(format!("{what} \"{name}\" header value")));
        if value.is_empty() {
            return problem("empty");
        }
        if !value.is_ascii() || value.contains('\0') {
            return problem("non-ASCII");
        }
        let field = match name.to_ascii_lowercase().as_str() {
            "charset" => &mut self.charset,
            "from" => &mut self.from,
            "subject" => &mut self.subject,
            "postmaster-subject" => &mut self.postmaster_subject,
            _ => return Err(Problem::Form(format!("unknown \"{name}\" header label"))),
        };
        value.clone_into(field);
        Ok(())
    }
}

/// The name and the value of a line that is a header.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then(|| (name, value.trim()))
}

/// Expands the text of a template. A name without a value stands for nothing, which is reported.
fn expand(template: &mut Template, kind: Kind, origin: &str, source: &Source) {
    // Values are in the text's character set as much as its other bytes.
    let names = |name: &str| -> Option<Cow<'_, str>> {
        let value =
            timed(name, source).map(|time| Cow::Owned(time.result.to_string())).or_else(|| named(name, source))?;
        Some(if value.is_ascii() { value } else { Cow::Owned(widen(value.as_bytes())) })
    };
    let text = widen(&template.text);
    for complaint in complaints(&text, kind.class(), source, &names) {
        format!("{origin}: {complaint}").lines().for_each(|line| warn!("{line}"));
    }
    match config::expand(&text, &names) {
        Ok(text) => template.text = narrow(&text),
        Err(problem) => warn!("{origin}: {}: {problem}", kind.name()),
    }
}

/// What is odd about the names in a text.
fn complaints(text: &str, class: &str, source: &Source, names: &config::Names<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        for name in config::references(line).unwrap_or_default() {
            found.extend(timed(&name, source).and_then(|time| time.complaint(&name, class)));
        }
        if matches!(config::expand_defined(line, names), Ok(None)) {
            let line = narrow(line);
            found.push(format!("undefined $name in {class} template: {}", String::from_utf8_lossy(&line)));
        }
    }
    found
}

fn named<'a>(name: &str, source: &'a Source) -> Option<Cow<'a, str>> {
    let utf8 = matches!(name, "myhostname" | "mydomain")
        && source.expanded("smtputf8_enable").ok().flatten().is_some_and(|on| on == "yes");
    if utf8 {
        let ascii = source.expanded(name).ok().flatten()?;
        return Some(Cow::Owned(address::domain::to_utf8(ascii.as_bytes()).unwrap_or(ascii)));
    }
    source.raw(name).map(Cow::Borrowed)
}

/// A time as a template asks for it.
struct Timed<'n> {
    unit: &'n str,
    time: Duration,
    result: u64,
}

/// `delay_warning_time_hours` and the like.
fn timed<'n>(name: &'n str, source: &Source) -> Option<Timed<'n>> {
    let (parameter, unit) = name.rsplit_once('_')?;
    let lifetimes: config::params::Lifetimes = source.get().ok()?;
    let time = match parameter {
        "delay_warning_time" => lifetimes.delay_warning_time,
        "maximal_queue_lifetime" => lifetimes.maximal_queue_lifetime,
        _ => return None,
    };
    Some(Timed { unit, time, result: in_unit(time, unit)? })
}

impl Timed<'_> {
    /// What is odd about a time in its unit: nobody can read it if that is much too large or too small.
    fn complaint(&self, name: &str, class: &str) -> Option<String> {
        let Self { unit, time, result } = self;
        let (what, remedy) = match result {
            0 if !time.is_zero() => ("zero result".to_owned(), "reduce"),
            1000.. if !["days", "weeks"].contains(unit) => (format!("excessive result \"{result}\""), "increase"),
            _ => return None,
        };
        Some(format!(
            "{what} in {class} template conversion of parameter \"{name}\"\nplease {remedy} time unit \"{unit}\" of \
             \"{name}\" in {class} template\nfor instructions see the bounce(5) manual"
        ))
    }
}

fn in_unit(time: Duration, unit: &str) -> Option<u64> {
    let seconds = match unit {
        "seconds" => 1,
        "minutes" => 60,
        "hours" => 3600,
        "days" => 86400,
        "weeks" => 604_800,
        _ => return None,
    };
    Some(time.as_secs() / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn templates(main_cf: &str, file: impl AsRef<[u8]>) -> Templates {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bounce.cf");
        std::fs::write(&path, file).unwrap();
        let source = Source::parse(Path::new("/etc/postfix"), main_cf).unwrap();
        Templates::read(&source, path.to_str().unwrap())
    }

    #[test]
    fn a_file_replaces_what_it_names() {
        let all = templates(
            "myhostname = mail.example.test\nmydomain = example.test\n",
            "# words\n\nfailure_template = <<EOF\nCharset: utf-8\nFrom: Postmann <MAILER-DAEMON>\nSubject: Leider nicht\n\n\
             Hallö von $myhostname in ${mydomain}, $$1.\nEOF\n",
        );
        let failure = all.of(Kind::Failure);
        assert_eq!((&*failure.charset, &*failure.subject), ("utf-8", "Leider nicht"));
        assert_eq!(failure.postmaster_subject, "Postmaster Copy: Undelivered Mail");
        assert_eq!(failure.text, "Hallö von mail.example.test in example.test, $1.\n".as_bytes());
        assert_eq!(all.of(Kind::Delay).subject, "Delayed Mail (still being retried)");
    }

    #[test]
    fn times_are_given_in_the_unit_asked_for() {
        let all = templates("delay_warning_time = 4h\nmaximal_queue_lifetime = 5d\n", "");
        let text = String::from_utf8(all.of(Kind::Delay).text.clone()).unwrap();
        assert!(text.contains("for more than 4 hour(s).\nIt will be retried until it is 5 day(s) old.\n"));
    }

    #[test]
    fn names_without_a_value_and_times_that_nobody_can_read_are_reported() {
        let main_cf = "myhostname = h.test\ndelay_warning_time = 999h\nmaximal_queue_lifetime = 1000h\nrelayhost =\n";
        let source = Source::parse(Path::new("/etc/postfix"), main_cf).unwrap();
        let names = |name: &str| {
            let time = timed(name, &source).map(|time| Cow::Owned(time.result.to_string()));
            time.or_else(|| named(name, &source))
        };
        for (text, expected) in [
            ("a\nb $nosuch ${myhostname}\n", &["undefined $name in failure template: b $nosuch ${myhostname}"][..]),
            ("$delay_warning_time_years", &["undefined $name in failure template: $delay_warning_time_years"]),
            ("${nosuch?x} ${nosuch:y} $relayhost $$", &[]),
            ("$delay_warning_time_hours $maximal_queue_lifetime_days", &[]),
            ("${maximal_queue_lifetime_hours}", &["excessive result \"1000\" in failure template"]),
            ("$delay_warning_time_weeks", &[]),
            ("$delay_warning_time_minutes", &["excessive result \"59940\" in failure template"]),
        ] {
            let found = complaints(text, "failure", &source, &names);
            assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
            assert!(found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)), "{found:?}");
        }
        let source = Source::parse(Path::new("/etc/postfix"), "delay_warning_time = 90s\n").unwrap();
        let found = complaints("$delay_warning_time_hours", "delay", &source, &|_| Some("0".into()));
        assert!(found.concat().starts_with("zero result in delay template conversion of parameter"), "{found:?}");
    }

    #[test]
    fn templates_can_be_shown() {
        let source = Source::parse(Path::new("/etc/postfix"), "myhostname = h.test\n").unwrap();
        let dump = |expanded| String::from_utf8(dump(&source, "", expanded).unwrap()).unwrap();
        let templates = dump(false);
        assert!(
            templates.starts_with(
                "failure_template = <<EOF\nCharset: us-ascii\nFrom: Mail Delivery System <MAILER-DAEMON>\n"
            )
        );
        assert!(templates.contains("host $myhostname.\n") && !templates.contains("Postmaster-Subject: \n"));
        let texts = dump(true);
        assert!(texts.starts_with("expanded_failure_text = <<EOF\nThis is the mail system at host h.test.\n"));
        assert!(texts.contains("EOF\n\nexpanded_verify_text = <<EOF\n"));
    }

    #[test]
    fn a_file_that_is_none_of_templates_is_not_shown() {
        let source = Source::parse(Path::new("/etc/postfix"), "").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("templates");
        let path = path.to_str().unwrap();
        assert_eq!(
            dump(&source, path, true).unwrap_err(),
            format!("open {path}: No such file or directory (os error 2)")
        );
        std::fs::write(path, "garbage\n").unwrap();
        let problem = format!("{path}, line 2: missing '=' after attribute name: \"garbage\"");
        assert_eq!(dump(&source, path, false).unwrap_err(), problem);
        assert_eq!(Templates::read(&source, path).of(Kind::Delay).subject, builtin(Kind::Delay).subject);
    }

    #[test]
    fn a_text_is_in_its_own_character_set() {
        let file = b"failure_template = <<EOF\nCharset: iso-8859-1\n\nJ\xf6rg $myhostname\nEOF\n";
        let all = templates("myhostname = h\u{e4}.test\n", file);
        assert_eq!(all.of(Kind::Failure).text, b"J\xf6rg h\xc3\xa4.test\n");
    }

    #[test]
    fn the_last_of_a_name_counts_and_needs_no_end() {
        let one = "failure_template = <<EOF\nFrom: c\n\none\nEOF\n";
        let all = templates("", format!("{one}failure_template = <<E2\nFrom: d\nTo : me\n"));
        assert_eq!(all.of(Kind::Failure).from, "Mail Delivery System <MAILER-DAEMON>");
        let all = templates("", format!("other = x\n{one}failure_template = <<E2\nFrom: d\nno header\n\nEOF"));
        assert_eq!(all.of(Kind::Failure).from, "d");
        assert_eq!(all.of(Kind::Failure).text, b"no header\n\nEOF\n");
        assert_eq!(templates("", "failure_template = one line").of(Kind::Failure).text, b"one line\n");
    }

    #[test]
    fn what_is_malformed_is_replaced_by_the_built_in_words() {
        let problem = |text, kind| match Template::parse(text, kind).unwrap_err() {
            Problem::Form(what) => what,
            Problem::EightBit => "8-bit".to_owned(),
        };
        for (text, expected) in [
            ("Nonsense: x\n\ntext\n", "unknown \"Nonsense\" header label"),
            ("Subject:\n\ntext\n", "empty \"Subject\" header value"),
            ("Subject: \u{f6}\n\ntext\n", "non-ASCII \"Subject\" header value"),
            ("Subject: x\n\n \n", "missing message text"),
            ("", "missing message text"),
            ("Subject: x\n\n\u{f6}\n", "8-bit"),
        ] {
            assert_eq!(problem(text, Kind::Failure), expected, "{text}");
            let all = templates("", format!("failure_template = <<EOF\n{text}EOF\n"));
            assert_eq!(all.of(Kind::Failure).subject, "Undelivered Mail Returned to Sender", "{text}");
        }
        let inapplicable = problem("Postmaster-Subject: x\n\ntext\n", Kind::Success);
        assert_eq!(inapplicable, "inapplicable \"Postmaster-Subject\" header label");
        assert_eq!(templates("", "garbage\n").of(Kind::Failure).subject, "Undelivered Mail Returned to Sender");
    }
}

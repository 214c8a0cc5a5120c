//! The words of notices: built in, or from `bounce_template_file`. See bounce(5).
//!
//! Everything is read and expanded before the jail. A template that cannot be used is reported and the built-in one
//! stands in, so that no notice is ever lost over its wording.

use std::borrow::Cow;
use std::time::Duration;

use config::Source;
use tracing::warn;

use crate::builtin;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The character set of the text.
    pub charset: String,
    /// The `From:` header.
    pub from: String,
    /// The `Subject:` header.
    pub subject: String,
    /// The `Subject:` header of the postmaster's copy.
    pub postmaster_subject: String,
    /// The text, expanded, with its line ends.
    pub text: String,
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
    /// Reads and expands the templates of a configuration.
    #[must_use]
    pub fn read(source: &Source, path: &str) -> Self {
        let [failure, delay, success, verify] = unexpanded(path).map(|mut words| {
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

/// The templates of a file, and built-in ones where it has none that can be used.
fn unexpanded(path: &str) -> [Words; 4] {
    let file = if path.is_empty() { Ok(String::new()) } else { std::fs::read_to_string(path) };
    let file = file.unwrap_or_else(|error| {
        warn!("open {path}: {error}");
        String::new()
    });
    let found = match split_file(&file) {
        Ok(found) => found,
        Err(problem) => {
            warn!("{path}: {problem}");
            Vec::new()
        }
    };
    Kind::ALL.map(|kind| {
        let own = found.iter().find(|(name, _)| *name == kind.name());
        let template = match own {
            Some((name, text)) => Template::parse(text).map_err(|problem| warn!("{path}: {name}: {problem}")).ok(),
            None => None,
        };
        let origin = own.map_or("[built-in]", |_| path).to_owned();
        let mut template = template.unwrap_or_else(|| builtin(kind));
        template.complete(kind);
        Words { kind, template, origin }
    })
}

/// The templates of a file as they would stand in one, or only their texts, expanded.
#[must_use]
pub fn dump(source: &Source, path: &str, expanded: bool) -> String {
    let dumped = unexpanded(path).map(|mut words| {
        let name = words.kind.name();
        if expanded {
            expand(&mut words.template, words.kind, &words.origin, source);
            let name = name.replace("_template", "_text");
            return format!("expanded_{name} = <<EOF\n{}EOF\n", words.template.text);
        }
        format!("{name} = <<EOF\n{}\n{}EOF\n", words.template.headers(), words.template.text)
    });
    dumped.join("\n")
}

fn builtin(kind: Kind) -> Template {
    let (head, text) = kind.builtin().split_once("\n\n").unwrap_or_default();
    Template::of_parts(head, text).unwrap_or_else(|_| Template {
        charset: String::new(),
        from: String::new(),
        subject: String::new(),
        postmaster_subject: String::new(),
        text: String::new(),
    })
}

/// The templates of a file, by name, unparsed.
fn split_file(file: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut found = Vec::new();
    let mut rest = file;
    while let Some((line, after)) = rest.split_once('\n').or((!rest.is_empty()).then_some((rest, ""))) {
        rest = after;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, end) =
            line.split_once('=').ok_or_else(|| format!("missing \"=\" after template name: \"{line}\""))?;
        let (name, end) = (name.trim(), end.trim());
        let end = end.strip_prefix("<<").map(str::trim).filter(|end| !end.is_empty());
        let end = end.ok_or_else(|| format!("missing \"<<TOKEN\" after template name: \"{name}\""))?;
        if !Kind::ALL.iter().any(|kind| kind.name() == name) {
            return Err(format!("unknown template name: \"{name}\""));
        }
        let length = length_until(after, end).ok_or_else(|| format!("{name}: missing end of template: \"{end}\""))?;
        let (text, after) = after.split_at_checked(length).unwrap_or((after, ""));
        found.push((name, text));
        rest = after.split_once('\n').map_or("", |(_, after)| after);
    }
    Ok(found)
}

/// How many bytes stand before the line that is only `end`.
fn length_until(text: &str, end: &str) -> Option<usize> {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end_matches(['\n', '\r']) == end {
            return Some(length);
        }
        length += line.len();
    }
    None
}

impl Template {
    /// Parses headers and text.
    fn parse(template: &str) -> Result<Self, String> {
        let (head, text) = match template.split_once("\n\n") {
            Some(parts) if !template.starts_with('\n') => parts,
            _ => ("", template.strip_prefix('\n').unwrap_or(template)),
        };
        Self::of_parts(head, text)
    }

    /// Fills in the subjects that are left out.
    fn complete(&mut self, kind: Kind) {
        let standard = builtin(kind);
        if self.subject.is_empty() {
            self.subject = standard.subject;
        }
        if self.postmaster_subject.is_empty() {
            self.postmaster_subject = standard.postmaster_subject;
        }
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

    fn of_parts(head: &str, text: &str) -> Result<Self, String> {
        let mut template = Self {
            charset: "us-ascii".to_owned(),
            from: "Mail Delivery System <MAILER-DAEMON>".to_owned(),
            subject: String::new(),
            postmaster_subject: String::new(),
            text: text.to_owned(),
        };
        for line in head.lines() {
            let (name, value) = line.split_once(':').ok_or_else(|| format!("malformed header: \"{line}\""))?;
            if !value.is_ascii() || value.contains('\0') {
                return Err(format!("header with characters that are not ASCII: \"{name}\""));
            }
            let field = match name.trim().to_ascii_lowercase().as_str() {
                "charset" => &mut template.charset,
                "from" => &mut template.from,
                "subject" => &mut template.subject,
                "postmaster-subject" => &mut template.postmaster_subject,
                _ => return Err(format!("unknown header: \"{name}\"")),
            };
            value.trim().clone_into(field);
        }
        if !template.text.is_ascii() && template.charset.eq_ignore_ascii_case("us-ascii") {
            return Err("text with characters that are not in the template's character set".to_owned());
        }
        Ok(template)
    }
}

/// Expands the text of a template.
fn expand(template: &mut Template, kind: Kind, origin: &str, source: &Source) {
    let names = |name: &str| -> Option<Cow<'_, str>> {
        let kind = kind.name().trim_end_matches("_template");
        timed(name, kind, origin, source).or_else(|| named(name, source))
    };
    match config::expand(&template.text, &names) {
        Ok(text) => template.text = text,
        Err(problem) => warn!("{origin}: {}: {problem}", kind.name()),
    }
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

/// `delay_warning_time_hours` and the like.
fn timed(name: &str, kind: &str, origin: &str, source: &Source) -> Option<Cow<'static, str>> {
    let (parameter, unit) = name.rsplit_once('_')?;
    let queue: config::params::Queue = source.get().ok()?;
    let time = match parameter {
        "delay_warning_time" => queue.delay_warning_time,
        "maximal_queue_lifetime" => queue.maximal_queue_lifetime,
        _ => return None,
    };
    let result = in_unit(time, unit)?;
    if result == 0 && !time.is_zero() {
        warn!("{origin}: zero result in {kind} template conversion of parameter \"{name}\"");
        warn!("please reduce time unit \"{unit}\" of \"{name}\" in {kind} template");
        warn!("for instructions see the bounce(5) manual");
    }
    Some(Cow::Owned(result.to_string()))
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

    fn templates(main_cf: &str, file: &str) -> Templates {
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
        assert_eq!(failure.text, "Hallö von mail.example.test in example.test, $1.\n");
        assert_eq!(all.of(Kind::Delay).subject, "Delayed Mail (still being retried)");
    }

    #[test]
    fn times_are_given_in_the_unit_asked_for() {
        let all = templates("delay_warning_time = 4h\nmaximal_queue_lifetime = 5d\n", "");
        assert!(
            all.of(Kind::Delay)
                .text
                .contains("for more than 4 hour(s).\nIt will be retried until it is 5 day(s) old.\n")
        );
    }

    #[test]
    fn templates_can_be_shown() {
        let source = Source::parse(Path::new("/etc/postfix"), "myhostname = h.test\n").unwrap();
        let templates = dump(&source, "", false);
        assert!(
            templates.starts_with(
                "failure_template = <<EOF\nCharset: us-ascii\nFrom: Mail Delivery System <MAILER-DAEMON>\n"
            )
        );
        assert!(templates.contains("host $myhostname.\n") && !templates.contains("Postmaster-Subject: \n"));
        let texts = dump(&source, "", true);
        assert!(texts.starts_with("expanded_failure_text = <<EOF\nThis is the mail system at host h.test.\n"));
        assert!(texts.contains("EOF\n\nexpanded_verify_text = <<EOF\n"));
    }

    #[test]
    fn what_is_malformed_is_replaced_by_the_built_in_words() {
        for file in [
            "failure_template = EOF\n",
            "failure_template = <<EOF\nSubject: x\n",
            "other_template = <<EOF\nEOF\n",
            "failure_template = <<EOF\nNonsense: x\n\ntext\nEOF\n",
            "failure_template = <<EOF\nSubject: x\n\nö\nEOF\n",
        ] {
            assert_eq!(templates("", file).of(Kind::Failure).subject, "Undelivered Mail Returned to Sender", "{file}");
        }
    }
}

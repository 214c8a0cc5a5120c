//! `-e`, `-X` and `-#` with `-M`, `-F` and `-P`: changes master.cf.

use crate::edit_main::plain;
use crate::layout;
use crate::lines::{Fate, append, change};
use crate::options::{Action, Mode, Options};
use crate::screen::{Fatal, Screen, fatal};
use crate::service::{self, Pattern, Service, check, normal};
use command::rewrite::{raw, read_raw, replace};
use config::master_cf::{COLUMNS, words};
use config::split;

/// One change.
#[derive(Debug)]
enum Edit {
    /// The entry is replaced, or added.
    Entry(Box<Service>),
    /// The entry is removed.
    Remove,
    /// The entry becomes a comment.
    Comment,
    /// A column gets a value.
    Column(usize, String),
    /// A parameter gets a value.
    Parameter(String, String),
    /// A parameter is removed.
    NoParameter(String),
}

/// Changes master.cf as the operands say.
pub(crate) fn run(options: &Options, screen: &mut Screen) -> Result<(), Fatal> {
    let edits: Vec<_> = options.operands.iter().map(|operand| parse(options, operand)).collect::<Result<_, _>>()?;
    let directory = config::config_directory(options.config_directory.as_deref());
    let path = directory.join("master.cf");
    let mut text = read_raw(&path).or_else(fatal)?;
    if options.mode != Mode::Entries {
        service::read(&directory, screen)?;
    }
    for (operand, _) in options.operands.iter().zip(&edits).filter(|(_, (_, edit))| matches!(edit, Edit::Entry(_))) {
        service::warn_of_braces(&words(operand.split_once('=').map_or("", |(_, entry)| entry)), screen);
    }
    for ((pattern, edit), operand) in edits.iter().zip(&options.operands) {
        let (new, matched) = apply(&text, pattern, edit)?;
        text = new;
        match edit {
            Edit::Entry(service) if !matched => append(&mut text, &printed(service)),
            Edit::Column(..) | Edit::Parameter(..) | Edit::NoParameter(_) if !matched => {
                screen.warn(&format!("unmatched service_name/type: \"{operand}\""));
            }
            Edit::Entry(_) | Edit::Column(..) | Edit::Parameter(..) | Edit::NoParameter(_) => {}
            Edit::Remove | Edit::Comment => {}
        }
    }
    replace(&path, &text).or_else(fatal)
}

/// What an operand asks for, and of which services.
fn parse(options: &Options, operand: &str) -> Result<(Pattern, Edit), Fatal> {
    plain(operand, "-Me, -Fe, -Pe, -X, or -# accept")?;
    let (place, value) = match options.action {
        Action::Edit => match split(operand) {
            Ok(pair) => pair,
            Err(problem) => return fatal(format!("{problem}: \"{operand}\"")),
        },
        Action::Remove | Action::Comment | Action::Show => (operand.trim(), ""),
    };
    let Some(pattern) = Pattern::parse(place).filter(Pattern::is_plain) else {
        return fatal(required(options.mode));
    };
    let edit = match (options.mode, options.action, &pattern.rest) {
        (Mode::Fields, _, Some(field)) if field == "*" => {
            return fatal("-Fe does not accept wild-card field name");
        }
        (Mode::Fields, _, Some(field)) if field != "command" && value.contains([' ', '\t']) => {
            return fatal("-Fe does not accept whitespace in non-command field");
        }
        (Mode::Fields, _, Some(field)) => column(field, value)?,
        (Mode::Fields, _, None) => {
            return fatal(required(options.mode));
        }
        (Mode::Parameters, _, Some(name)) if name == "*" => {
            return fatal("-Pe does not accept wild-card parameter name");
        }
        (Mode::Parameters, Action::Edit, Some(_)) if value.contains([' ', '\t']) => {
            return fatal("-Pe does not accept whitespace in parameter value");
        }
        (Mode::Parameters, Action::Edit, Some(name)) => Edit::Parameter(name.clone(), value.to_owned()),
        (Mode::Parameters, _, Some(name)) => Edit::NoParameter(name.clone()),
        (Mode::Parameters, _, None) => {
            return fatal(required(options.mode));
        }
        (_, _, rest) if rest.is_some() || !place.contains('/') => {
            return fatal(required(options.mode));
        }
        (_, Action::Remove, _) => Edit::Remove,
        (_, Action::Comment, _) => Edit::Comment,
        (..) if words(value).len() < COLUMNS.len() => {
            return fatal(format!("bad field count: \"{operand}\""));
        }
        (..) => Edit::Entry(Box::new(Service::parse(value, "")?)),
    };
    Ok((pattern, edit))
}

/// What an operand must have.
fn required(mode: Mode) -> &'static str {
    mode.of_services([
        "-Me, -MX or -M# requires service_name/type",
        "-Fe or -FX requires service_name/type/field_name",
        "-Pe or -PX requires service_name/type/parameter",
    ])
}

fn column(field: &str, value: &str) -> Result<Edit, Fatal> {
    let Some(index) = COLUMNS.iter().position(|column| *column == field) else {
        return fatal(format!("invalid service attribute name: \"{field}\""));
    };
    check(field, value, value)?;
    Ok(Edit::Column(index, value.to_owned()))
}

/// The text with one change made, and whether any entry was meant.
fn apply(text: &str, pattern: &Pattern, edit: &Edit) -> Result<(String, bool), Fatal> {
    let mut matched = false;
    let mut failure = None;
    let text = change(text, |line| {
        if line.starts_with([' ', '\t']) {
            return Fate::Keep;
        }
        let service = match Service::parse(line, "") {
            Ok(service) => service,
            // What goes away need not make sense.
            Err(_) if matches!(edit, Edit::Remove | Edit::Comment) => {
                Service { columns: words(line), arguments: Vec::new() }
            }
            Err(fatal) => {
                failure.get_or_insert(fatal);
                return Fate::Keep;
            }
        };
        // A new entry takes the place of the one that is named, and of one that has its own name.
        let is_same = |new: &Service| (new.name(), new.kind()) == (service.name(), service.kind());
        if !service.matches(pattern) && !matches!(edit, Edit::Entry(new) if is_same(new)) {
            return Fate::Keep;
        }
        let again = std::mem::replace(&mut matched, true);
        change_entry(service, edit, again)
    });
    match failure {
        Some(fatal) => Err(fatal),
        None => Ok((text, matched)),
    }
}

/// What becomes of an entry. Of several that are replaced by the same one, the first stays.
fn change_entry(mut service: Service, edit: &Edit, again: bool) -> Fate {
    match edit {
        Edit::Remove => return Fate::Remove,
        Edit::Comment => return Fate::Comment,
        Edit::Entry(_) if again => return Fate::Remove,
        Edit::Entry(new) => service = (**new).clone(),
        Edit::Column(7, command) => {
            let mut new = words(command).into_iter();
            service.columns.truncate(7);
            service.columns.extend(new.next());
            service.arguments = new.map(|word| normal(&word)).collect();
        }
        Edit::Column(index, value) => {
            if let Some(column) = service.columns.get_mut(*index) {
                value.clone_into(column);
            }
        }
        Edit::Parameter(name, value) => service.set_parameter(&raw(name), &raw(value)),
        Edit::NoParameter(name) => service.remove_parameter(&raw(name)),
    }
    Fate::Replace(layout::entry(&service.columns, &service.arguments, true))
}

fn printed(service: &Service) -> String {
    raw(&layout::entry(&service.columns, &service.arguments, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# c\nsmtp inet n - y - - smtpd\n  -o a=b -o { c = d e }\nlocal unix - n n - - local\n";

    fn edit(arguments: &[&str]) -> Result<String, String> {
        let options = Options::parse(arguments.iter().map(|word| (*word).to_owned()));
        let options = options.map_err(|fatal| fatal.0)?;
        let mut text = TEXT.to_owned();
        for operand in &options.operands {
            let (pattern, edit) = parse(&options, operand).map_err(|fatal| fatal.0)?;
            let (new, matched) = apply(&text, &pattern, &edit).map_err(|fatal| fatal.0)?;
            text = new;
            if let (Edit::Entry(service), false) = (&edit, matched) {
                append(&mut text, &printed(service));
            }
        }
        Ok(text)
    }

    #[test]
    fn entries_fields_and_parameters_change() {
        let smtp = "# c\nsmtp inet n - y - - smtpd\n  -o a=b -o { c = d e }\n";
        let local = "local unix - n n - - local\n";
        let table: [(&[&str], String); 8] = [
            (
                &["-Me", "smtp/inet=local unix - n n - 3 local"],
                "# c\nlocal      unix  -       n       n       -       3       local\n".to_owned(),
            ),
            (
                &["-Me", "local/unix=local unix - n n - 3 local"],
                format!("{smtp}local      unix  -       n       n       -       3       local\n"),
            ),
            (
                &["-Me", "new/unix=new unix - - n - - smtp -o x=y"],
                format!("{smtp}{local}new        unix  -       -       n       -       -       smtp\n    -o x=y\n"),
            ),
            (&["-M#", "smtp/inet"], format!("# c\n#smtp inet n - y - - smtpd\n#  -o a=b -o {{ c = d e }}\n{local}")),
            (&["-MX", "smtp/inet"], format!("# c\n{local}")),
            (
                &["-F", "smtp/inet/chroot=n", "local/unix/command=x -v"],
                "# c\nsmtp       inet  n       -       n       -       -       smtpd\n    -o a=b\n    -o {c=d e}\n\
                 local      unix  -       n       n       -       -       x -v\n"
                    .to_owned(),
            ),
            (
                &["-P", "smtp/inet/a=new", "smtp/inet/z="],
                format!(
                    "# c\nsmtp       inet  n       -       y       -       -       smtpd\n    -o a=new\n    \
                 -o {{c=d e}}\n    -o z=\n{local}"
                ),
            ),
            (
                &["-PX", "smtp/inet/c"],
                format!("# c\nsmtp       inet  n       -       y       -       -       smtpd\n    -o a=b\n{local}"),
            ),
        ];
        for (arguments, expected) in table {
            assert_eq!(edit(arguments).unwrap(), expected, "{arguments:?}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let table: [(&[&str], &str); 11] = [
            (&["-MX", "s*/unix"], "-Me, -MX or -M# requires service_name/type"),
            (&["-PX", "smtp/inet/sys*"], "-Pe or -PX requires service_name/type/parameter"),
            (&["-Me", "x/unix=x unix"], "bad field count: \"x/unix=x unix\""),
            (&["-Me", "smtp=x"], "-Me, -MX or -M# requires service_name/type"),
            (&["-Pe", "smtp/inet/a/b=x"], "-Pe or -PX requires service_name/type/parameter"),
            (&["-Me", "smtp/inet=a\nb"], "-Me, -Fe, -Pe, -X, or -# accept no multi-line input"),
            (&["-M#", "smtp"], "-Me, -MX or -M# requires service_name/type"),
            (&["-F", "smtp/inet/type=foo"], "invalid type field \"foo\" in \"foo\""),
            (&["-F", "local/unix/colour=x"], "invalid service attribute name: \"colour\""),
            (&["-F", "smtp/inet=x"], "-Fe or -FX requires service_name/type/field_name"),
            (&["-P", "smtp/inet/a=b c"], "-Pe does not accept whitespace in parameter value"),
        ];
        for (arguments, expected) in table {
            assert_eq!(edit(arguments), Err(format!("fatal: {expected}")), "{arguments:?}");
        }
    }

    #[test]
    fn a_wrong_entry_can_be_removed() {
        let edited = |edit| {
            apply("bad unix - - maybe -\nlocal unix - n n - - local\n", &Pattern::parse("bad/unix").unwrap(), &edit)
        };
        assert_eq!(edited(Edit::Remove).unwrap().0, "local unix - n n - - local\n");
        assert!(edited(Edit::Comment).unwrap().0.starts_with("#bad unix"));
        assert!(edited(Edit::NoParameter("a".to_owned())).is_err());
    }
}

//! How names, values and entries are laid out in lines.

use crate::options::Options;
use crate::screen::Screen;

/// How wide a folded line of main.cf may be.
const WIDTH: usize = 80;
/// How wide one of master.cf may be.
const ENTRY_WIDTH: usize = 79;
/// What a continuation line begins with.
const INDENT: &str = "    ";

/// Prints a name and its value as the options say.
pub(crate) fn name_value(screen: &mut Screen, options: &Options, name: &str, value: &str) {
    let mut words = value.split_ascii_whitespace();
    if options.has('H') {
        return screen.line(name);
    }
    if options.has('j') {
        let value = words.collect::<Vec<_>>().join(" ");
        return screen.line(&format!("{{{}: {}}}", quoted(name), quoted(&value)));
    }
    let start = match options.has('h') {
        true => words.next().unwrap_or_default().to_owned(),
        false => format!("{name} ="),
    };
    screen.line(&join(start, words, options.has('f').then_some(WIDTH)));
}

/// Appends words to a line, folded where it would be wider than `width`.
fn join<'a>(start: String, words: impl Iterator<Item = &'a str>, width: Option<usize>) -> String {
    let mut text = start;
    let mut column = text.chars().count();
    for word in words {
        let length = word.chars().count();
        if width.is_some_and(|width| column + 1 + length > width) {
            text.push('\n');
            text.push_str(INDENT);
            column = INDENT.len() + length;
        } else {
            text.push(' ');
            column += 1 + length;
        }
        text.push_str(word);
    }
    text
}

/// An entry of master.cf: its columns at their places, then the command and its arguments.
pub(crate) fn entry(columns: &[String], arguments: &[String], fold: bool) -> String {
    const PLACES: [usize; 8] = [0, 11, 17, 25, 33, 41, 49, 57];
    let mut line = String::new();
    for (column, place) in columns.iter().zip(PLACES) {
        if place > 0 {
            line.push(' ');
        }
        while line.chars().count() < place {
            line.push(' ');
        }
        line.push_str(column);
    }
    command(line, arguments, fold)
}

/// Appends the arguments of a command to a line. When folded, each `-o` among its options has a line of its own.
pub(crate) fn command(start: String, arguments: &[String], fold: bool) -> String {
    if !fold {
        return join(start, arguments.iter().map(String::as_str), None).trim_end().to_owned();
    }
    let mut lines = Vec::new();
    let mut line = start;
    let mut rest = arguments;
    while let Some(at) = parameter(rest) {
        let (before, from) = rest.split_at(at);
        let (option, after) = from.split_at(from.len().min(2));
        lines.extend(filled(line, before));
        lines.push(format!("{INDENT}{}", option.join(" ")));
        (line, rest) = (String::new(), after);
    }
    lines.extend(filled(line, rest));
    lines.join("\n").trim_end().to_owned()
}

/// Where the next `-o` is, unless something that is no option comes first.
fn parameter(words: &[String]) -> Option<usize> {
    let at = words.iter().position(|word| word == "-o" || !word.starts_with('-'))?;
    words.get(at).is_some_and(|word| word == "-o").then_some(at)
}

/// Words behind the start of a line, or on a line of their own; nothing if there is neither.
fn filled(start: String, words: &[String]) -> Option<String> {
    let mut words = words.iter().map(String::as_str);
    let start = if start.is_empty() { format!("{INDENT}{}", words.next()?) } else { start };
    Some(join(start, words, Some(ENTRY_WIDTH)))
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split('|').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn columns_catch_up_after_a_long_name() {
        let columns = words("maildrop-very-long-name|unix|-|n|n|-|10|pipe");
        assert_eq!(
            entry(&columns, &words("flags=DRXhu|user=vmail|argv=/usr/bin/maildrop|-d|${recipient}"), true),
            "maildrop-very-long-name unix - n n       -       10      pipe flags=DRXhu\n    \
             user=vmail argv=/usr/bin/maildrop -d ${recipient}"
        );
    }

    #[test]
    fn folded_options_have_lines_of_their_own() {
        let columns = words("smtp|inet|n|-|y|-|-|smtpd");
        let arguments = words("-o|syslog_name=x|-o|{smtpd_banner=a b}|-v");
        assert_eq!(
            entry(&columns, &arguments, true),
            "smtp       inet  n       -       y       -       -       smtpd\n    -o syslog_name=x\n    \
             -o {smtpd_banner=a b}\n    -v"
        );
        for (arguments, command) in
            [("-v|-D", "smtpd -v -D"), ("-s|3|-v", "smtpd -s 3 -v"), ("-v|-o|a=b|x|y", "smtpd -v\n    -o a=b\n    x y")]
        {
            assert!(entry(&columns, &words(arguments), true).ends_with(command), "{arguments}");
        }
        assert!(entry(&columns, &arguments, false).ends_with("smtpd -o syslog_name=x -o {smtpd_banner=a b} -v"));
    }

    #[test]
    fn entries_are_a_column_narrower_than_values() {
        let columns = words("smtp|unix|-|-|n|-|-|pipe");
        for (length, folds) in [(17, false), (18, true)] {
            let shown = entry(&columns, &["x".repeat(length)], true);
            assert_eq!(shown.lines().count() == 2, folds, "{shown}");
        }
        for (length, folds) in [(68, false), (69, true)] {
            let shown = join("relayhost =".to_owned(), ["x".repeat(length).as_str()].into_iter(), Some(WIDTH));
            assert_eq!(shown.lines().count() == 2, folds, "{shown}");
        }
    }

    #[test]
    fn values_fold_at_the_width() {
        let long = "a".repeat(85);
        assert_eq!(
            join("relayhost =".to_owned(), [long.as_str(), "bb"].into_iter(), Some(WIDTH)),
            format!("relayhost =\n    {long}\n    bb")
        );
        assert_eq!(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }
}

//! `-e`, `-X` and `-#`: changes main.cf.

use crate::lines::{Fate, append, change};
use crate::options::{Action, Options};
use crate::screen::{Fatal, Screen, fatal};
use command::rewrite::{raw, read_raw, replace};
use config::split;
use std::collections::BTreeMap;

/// Changes main.cf as the operands say.
pub(crate) fn run(options: &Options, screen: &mut Screen) -> Result<(), Fatal> {
    let edits = edits(options, screen)?;
    let directory = config::config_directory(options.config_directory.as_deref());
    let path = directory.join("main.cf");
    let (text, repeated) = edit(&read_raw(&path).or_else(fatal)?, options.action, &edits);
    for name in repeated {
        screen.warn(&format!("{}: multiple entries for \"{name}\"", path.display()));
    }
    replace(&path, &text).or_else(fatal)?;
    if let Ok(source) = config::Source::load(&directory) {
        for (name, _) in &edits {
            if let Some(file) = source.main_cf().get(name).and_then(|entry| entry.file.as_ref()) {
                screen.warn(&format!("{}: \"{name}\" is set here too, and this counts", file.display()));
            }
        }
    }
    Ok(())
}

/// The names of the operands with their values, in order; without values unless something is set.
fn edits(options: &Options, screen: &mut Screen) -> Result<Vec<(String, String)>, Fatal> {
    let mut edits: Vec<(String, String)> = Vec::new();
    for operand in &options.operands {
        plain(operand, "-e, -X, or -# accepts")?;
        let (name, value) = match options.action {
            Action::Edit => match split(operand) {
                Ok((name, value)) => (name, value),
                Err(problem) => return fatal(format!("{problem}: \"{operand}\"")),
            },
            Action::Remove | Action::Comment | Action::Show if operand.trim().is_empty() => {
                return fatal("-X or -# requires non-blank parameter names");
            }
            Action::Remove | Action::Comment | Action::Show => (operand.trim(), ""),
        };
        if let Some(place) = edits.iter().position(|(known, _)| known == name) {
            let (name, value) = edits.remove(place);
            if options.action == Action::Edit {
                screen.warn(&format!("ignoring earlier request: '{name} = {value}'"));
            }
        }
        edits.push((name.to_owned(), value.to_owned()));
    }
    Ok(edits)
}

/// Refuses an operand that would become more than one line, or a comment; `taker` is what says so.
pub(crate) fn plain(operand: &str, taker: &str) -> Result<(), Fatal> {
    if operand.contains(['\n', '\r']) {
        return fatal(format!("{taker} no multi-line input"));
    }
    if operand.trim_start().starts_with('#') {
        return fatal(format!("{taker} no comment input"));
    }
    Ok(())
}

/// The new text, and the names that were there more than once.
fn edit(text: &str, action: Action, edits: &[(String, String)]) -> (String, Vec<String>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut text = change(text, |line| {
        if line.starts_with([' ', '\t']) {
            return Fate::Keep;
        }
        let end = line.find(['=', ' ', '\t']).unwrap_or(line.len());
        let (name, _) = line.split_at(end);
        let Some((name, value)) = edits.iter().find(|(known, _)| raw(known) == name) else {
            return Fate::Keep;
        };
        *seen.entry(name).or_default() += 1;
        match action {
            Action::Comment => Fate::Comment,
            Action::Remove => Fate::Remove,
            Action::Edit | Action::Show => Fate::Replace(raw(&format!("{name} = {value}"))),
        }
    });
    if action == Action::Edit {
        for (name, value) in edits.iter().filter(|(name, _)| !seen.contains_key(name.as_str())) {
            append(&mut text, &raw(&format!("{name} = {value}")));
        }
    }
    let repeated = seen.into_iter().filter(|(_, count)| *count > 1);
    (text, repeated.map(|(name, _)| name.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_set_removed_and_commented_out() {
        let text = "# keep me\nmyhostname = a\nmydestination = x,\n  y\n\nrelayhost =\nrelayhost = z";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let set = [pair("mydestination", "one"), pair("soft_bounce", "yes"), pair("é", "ü")];
        let (new, repeated) = edit(text, Action::Edit, &set);
        assert_eq!(
            new,
            format!(
                "# keep me\nmyhostname = a\nmydestination = one\n\nrelayhost =\nrelayhost = z\n\
                 soft_bounce = yes\n{}\n",
                raw("é = ü")
            )
        );
        assert!(repeated.is_empty());
        let (new, repeated) = edit(text, Action::Remove, &[pair("relayhost", "")]);
        assert_eq!(new, "# keep me\nmyhostname = a\nmydestination = x,\n  y\n\n");
        assert_eq!(repeated, ["relayhost"]);
        let (new, _) = edit(text, Action::Comment, &[pair("mydestination", ""), pair("none", "")]);
        assert_eq!(new, "# keep me\nmyhostname = a\n#mydestination = x,\n#  y\n\nrelayhost =\nrelayhost = z");
    }
}

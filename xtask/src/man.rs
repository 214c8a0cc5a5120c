//! `man`: the manual pages, in `man/`, made of what the sources say.
//!
//! A program's page is the module documentation of its `main.rs`; the parameters it lists are those that its code names. A
//! table type's page is the documentation of its module. postconf(5) is made of the rows. `tidy` finds pages that are
//! not what this would write.

mod parameters;
mod roff;

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where pages are kept.
const FOLDER: &str = "man";
/// Second names of pages.
const LINKS: [(&str, &str); 4] = [
    ("man1/mailq.1", "man1/sendmail.1"),
    ("man1/newaliases.1", "man1/sendmail.1"),
    ("man8/lmtp.8", "man8/smtp.8"),
    ("man5/main.cf.5", "man5/postconf.5"),
];
/// Sample files whose comments are their manual.
const SAMPLES: [&str; 8] =
    ["access", "aliases", "canonical", "generic", "header_checks", "relocated", "transport", "virtual"];

/// A page before it is set.
#[derive(Debug)]
struct Page {
    name: String,
    section: char,
    summary: String,
    /// Paragraphs, headings and lists.
    text: String,
}

/// `cargo xtask man`.
pub(crate) fn run() -> Result<()> {
    let folder = crate::project().join(FOLDER);
    for (path, text) in pages()? {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().context("a page in a folder")?)?;
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The pages that are not what `cargo xtask man` would write.
pub(crate) fn stale() -> Result<Vec<String>> {
    let folder = crate::project().join(FOLDER);
    let stale = |(path, text): (String, String)| {
        let known = fs::read_to_string(folder.join(&path)).unwrap_or_default();
        (known != text).then(|| format!("{FOLDER}/{path}: not fresh, run `cargo xtask man`"))
    };
    Ok(pages()?.into_iter().filter_map(stale).collect())
}

/// Every page, by its path in the folder.
fn pages() -> Result<BTreeMap<String, String>> {
    let date = config::params::all().find(|row| row.name == "mail_release_date").map_or("", |row| row.default);
    let mut pages = programs()?;
    pages.extend(types()?);
    pages.extend(samples()?);
    pages.push(main_cf()?);
    pages.push(document("master")?);
    let set = |page: Page| (format!("man{}/{}.{}", page.section, page.name, page.section), roff::set(&page, date));
    let mut pages: BTreeMap<_, _> = pages.into_iter().map(set).collect();
    pages.extend(LINKS.map(|(link, target)| (link.to_owned(), format!(".so {target}\n"))));
    Ok(pages)
}

/// A page for each command and daemon.
fn programs() -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    for shelf in ["commands", "daemons"] {
        for folder in folders(&crate::project().join("crates").join(shelf))? {
            let mut page = documentation(&folder.join("src/main.rs"))?;
            let service = shelf == "daemons" && page.name != "master";
            page.text.push_str(&parameters::of_program(&folder, service)?);
            pages.push(page);
        }
    }
    Ok(pages)
}

/// A page for each type of table.
fn types() -> Result<Vec<Page>> {
    let folder = crate::project().join("crates/libs/table/src/types");
    let rows = fs::read_to_string(folder.join("mod.rs"))?;
    let mut pages = Vec::new();
    for row in rows.split("row(").skip(1) {
        let mut words = row.split('"');
        let (Some(lead), Some(name), Some(_), Some(summary), Some(rest)) =
            (words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        if !lead.trim().is_empty() {
            continue;
        }
        let module = rest.trim_matches([',', ' ', '\n']).split("::").next().unwrap_or_default().trim();
        let source =
            fs::read_to_string(folder.join(format!("{module}.rs"))).with_context(|| format!("{name}: {module}"))?;
        let text = format!(
            "# Synopsis\n\n    NAME_maps = {name}:NAME\n    postmap -q KEY {name}:NAME\n\n# Description\n\n{}\n\
             # See also\n\npostmap(1), postconf(1), postconf(5)\n",
            plain(&source)
        );
        pages.push(Page { name: format!("{name}_table"), section: '5', summary: summary.to_owned(), text });
    }
    if pages.len() < 20 {
        bail!("only {} types of tables found", pages.len())
    }
    Ok(pages)
}

/// A page for each sample file.
fn samples() -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    for name in SAMPLES {
        let text = fs::read_to_string(crate::project().join("etc").join(name))?;
        let summary = text.lines().next().and_then(|line| line.split_once(": ")).map_or("", |(_, summary)| summary);
        let summary = summary.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned();
        let sample: String = text.lines().map(|line| format!("    {line}\n")).collect();
        let text = format!(
            "# Description\n\nThe sample file `/etc/postfix/{name}` explains itself:\n\n{sample}\n\
             # See also\n\npostmap(1), postconf(5), cleanup(8), smtpd(8), trivial-rewrite(8), local(8)\n"
        );
        pages.push(Page { name: name.to_owned(), section: '5', summary, text });
    }
    Ok(pages)
}

/// postconf(5): how main.cf is written, then every parameter.
fn main_cf() -> Result<Page> {
    let mut page = document("postconf")?;
    page.text.push_str(&parameters::all());
    Ok(page)
}

/// A page of `docs/man`.
fn document(name: &str) -> Result<Page> {
    let path = crate::project().join(format!("docs/man/{name}.5.md"));
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    split(&text, &path)
}

/// The page that a program's module documentation is.
fn documentation(path: &Path) -> Result<Page> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    split(&plain(&text), path)
}

/// Parts `name(section): summary` from what follows.
fn split(text: &str, path: &Path) -> Result<Page> {
    let malformed = || format!("{}: begins with no `name(section): summary.`", path.display());
    let (title, text) = text.split_once('\n').with_context(malformed)?;
    let (name, rest) = title.split_once('(').with_context(malformed)?;
    let (section, summary) = rest.split_once("): ").with_context(malformed)?;
    let section = section.chars().next().with_context(malformed)?;
    let summary = summary.trim_end_matches('.').to_owned();
    Ok(Page { name: name.to_owned(), section, summary, text: text.to_owned() })
}

/// The module documentation of a source, with links to code as plain words.
fn plain(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let text: String = lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect();
    text.replace("[`", "`").replace("`]", "`")
}

fn folders(shelf: &Path) -> Result<Vec<PathBuf>> {
    let mut found = fs::read_dir(shelf)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

//! Shows main.cf and master.cf.

use crate::known::{Class, Known, READ_ONLY};
use crate::layout;
use crate::options::{Mode, Options};
use crate::screen::{Fatal, Screen, fatal};
use crate::service::{self, Pattern, Service, parameter};
use config::master_cf::COLUMNS;
use config::{Kind, Source};
use std::path::Path;

/// Shows parameters.
pub(crate) fn main_cf(options: &Options, screen: &mut Screen) -> Result<(), Fatal> {
    let directory = config::config_directory(options.config_directory.as_deref());
    let defaults = options.has('d');
    let source = if defaults { read_nothing(&directory)? } else { read(&directory, options, screen)? };
    let services = services_if_any(&directory, screen)?;
    let mut known = Known::new(&source, &services);
    if !defaults {
        learn(&mut known, &source, screen)?;
    }
    let shown = Shown { options, source: &source, known: &known };
    if options.operands.is_empty() {
        shown.all(screen)?;
    } else {
        shown.operands(screen)?;
    }
    if !defaults {
        known.warn_unused_in_main(&options.overrides, screen);
        known.warn_unused_in_master(screen);
    }
    if options.has('n') {
        known.warn_inert(screen);
    }
    Ok(())
}

/// Finds the names of the administrator's, and refuses what no program could start with.
fn learn(known: &mut Known<'_>, source: &Source, screen: &mut Screen) -> Result<(), Fatal> {
    if let Err(failure) = source.expand("${{$compatibility_level} <level {1} ? {} : {}}") {
        screen.warn(&failure.to_string());
        return fatal("macro processing error");
    }
    let style = source.expanded("mynetworks_style").ok().flatten().unwrap_or_default();
    config::mynetworks_style(&style).or_else(fatal)?;
    known.add_user_names(screen);
    if known.is_malformed() {
        return fatal("macro processing error");
    }
    known.warn_undefined(screen);
    Ok(())
}

/// Shows services.
pub(crate) fn master_cf(options: &Options, screen: &mut Screen) -> Result<(), Fatal> {
    let directory = config::config_directory(options.config_directory.as_deref());
    let source = read(&directory, options, screen)?;
    let services = service::read(&directory, screen)?;
    let mut known = Known::new(&source, &services);
    learn(&mut known, &source, screen)?;
    let patterns = patterns(options)?;
    let mut matched = vec![options.operands.is_empty(); patterns.len()];
    for service in &services {
        let service = if options.inherits { known.complete(service, &patterns) } else { service.clone() };
        let service = if options.has('x') { expanded(&service, &source, screen)? } else { service };
        for (pattern, matched) in patterns.iter().zip(&mut matched) {
            if service.matches(pattern) {
                *matched |= show_service(&service, pattern, options, screen);
            }
        }
    }
    for (operand, _) in options.operands.iter().zip(matched).filter(|(_, matched)| !matched) {
        screen.warn(&format!("unmatched request: \"{operand}\""));
    }
    known.warn_unused_in_master(screen);
    Ok(())
}

fn read_nothing(directory: &Path) -> Result<Source, Fatal> {
    Source::parse(directory, "").map_err(|error| said(&error))
}

fn read(directory: &Path, options: &Options, screen: &mut Screen) -> Result<Source, Fatal> {
    let source = Source::load(directory).map_err(|error| said(&error))?;
    for warning in source.warnings() {
        screen.warn(warning);
    }
    Ok(source.with_overrides(&options.overrides))
}

fn said(error: &config::Error) -> Fatal {
    Fatal(format!("fatal: {error}"))
}

/// The services; none, with a warning, where there is no master.cf.
fn services_if_any(directory: &Path, screen: &mut Screen) -> Result<Vec<Service>, Fatal> {
    let path = directory.join("master.cf");
    if path.exists() {
        return service::read(directory, screen);
    }
    screen.warn(&format!("open {}: No such file or directory", path.display()));
    Ok(Vec::new())
}

struct Shown<'a> {
    options: &'a Options,
    source: &'a Source,
    known: &'a Known<'a>,
}

impl Shown<'_> {
    /// Shows all parameters that the options ask for.
    fn all(&self, screen: &mut Screen) -> Result<(), Fatal> {
        for (name, class) in self.known.names() {
            let set = !self.options.has('n') || self.is_set(name);
            if set && self.is_wanted(class) {
                self.one(name, screen)?;
            }
        }
        Ok(())
    }

    /// Shows the parameters that were named.
    fn operands(&self, screen: &mut Screen) -> Result<(), Fatal> {
        for name in &self.options.operands {
            if self.known.value(name).is_none() {
                screen.warn(&format!("{name}: unknown parameter"));
            } else if !self.options.has('n') || self.is_set(name) {
                self.one(name, screen)?;
            }
        }
        Ok(())
    }

    fn is_set(&self, name: &str) -> bool {
        let chosen = || {
            let chosen = std::env::var_os("MAIL_CONFIG").is_some();
            chosen || self.options.config_directory.is_some()
        };
        (self.source.set(name).is_some() && !READ_ONLY.contains(&name)) || (name == "config_directory" && chosen())
    }

    fn is_wanted(&self, class: Class) -> bool {
        let name = match class {
            Class::Builtin => "builtin",
            Class::Service => "service",
            Class::User => "user",
        };
        let classes = &self.options.classes;
        classes.is_empty() || classes.iter().any(|wanted| wanted == name || wanted == "all")
    }

    fn one(&self, name: &str, screen: &mut Screen) -> Result<(), Fatal> {
        let value = self.known.value(name).unwrap_or_default();
        let raw = self.source.row(name).is_some_and(|row| row.kind == Kind::Raw);
        if self.options.has('x') && !raw {
            let value = expand(self.source, value, screen)?;
            layout::name_value(screen, self.options, &self.label(name), &value);
        } else {
            layout::name_value(screen, self.options, &self.label(name), value);
        }
        Ok(())
    }

    /// A name, with `-v` behind the file and line that set it.
    fn label(&self, name: &str) -> String {
        match self.source.main_cf().get(name).filter(|_| self.options.has('v')) {
            Some(entry) => {
                let main_cf = self.source.directory().join("main.cf");
                let file = entry.file.as_ref().unwrap_or(&main_cf);
                format!("{}:{}: {name}", file.display(), entry.line)
            }
            None => name.to_owned(),
        }
    }
}

fn expand(source: &Source, value: &str, screen: &mut Screen) -> Result<String, Fatal> {
    source.expand(value).or_else(|failure| {
        screen.warn(&failure.to_string());
        fatal("macro processing error")
    })
}

/// The operands as patterns; all services if there are none.
fn patterns(options: &Options) -> Result<Vec<Pattern>, Fatal> {
    let everything = [String::from("*")];
    let operands = if options.operands.is_empty() { &everything[..] } else { &options.operands };
    let is_right = |pattern: &Pattern| pattern.is_plain() && (options.mode != Mode::Entries || pattern.rest.is_none());
    let patterns: Option<Vec<_>> =
        operands.iter().map(|text| Pattern::parse(text).filter(|pattern| is_right(pattern))).collect();
    let Some(patterns) = patterns else {
        return fatal(options.mode.of_services([
            "-M option requires service_name[/type]",
            "-F option requires service_name[/type[/field]]",
            "-P option requires service_name[/type[/parameter]]",
        ]));
    };
    for pattern in patterns.iter().filter(|_| options.mode == Mode::Fields) {
        let field = pattern.rest.as_deref().unwrap_or("*");
        if field != "*" && !COLUMNS.contains(&field) {
            return fatal(format!("invalid service attribute name: \"{field}\""));
        }
    }
    Ok(patterns)
}

/// A service whose parameters are expanded as it sees them.
fn expanded(service: &Service, source: &Source, screen: &mut Screen) -> Result<Service, Fatal> {
    let parameters = service.parameters();
    let own = source.clone().with_overrides(&parameters).for_service(service.name());
    let mut service = service.clone();
    for place in service.option_places().collect::<Vec<_>>() {
        let Some(argument) = service.arguments.get_mut(place) else { continue };
        let of_this_kind = |name: &str| own.row(name).is_none_or(|row| row.kind != Kind::Raw);
        if let Some((name, value)) = parameter(argument).filter(|(name, _)| of_this_kind(name)) {
            let value = expand(&own, &value, screen)?;
            let wide = value.contains([' ', '\t']);
            *argument = if wide { format!("{{{name}={value}}}") } else { format!("{name}={value}") };
        }
    }
    Ok(service)
}

/// Shows what a pattern wants of a service, and says whether that is anything.
fn show_service(service: &Service, pattern: &Pattern, options: &Options, screen: &mut Screen) -> bool {
    let label = |name: &str| format!("{}/{}/{name}", service.name(), service.kind());
    if options.mode == Mode::Fields {
        for (index, column) in COLUMNS.iter().enumerate().filter(|(_, column)| pattern.wants(column)) {
            show_field(service, index, &label(column), options, screen);
        }
        return true;
    }
    if options.mode == Mode::Parameters {
        let mut found = service.parameters();
        found.retain(|(name, _)| pattern.wants(name));
        for (name, value) in &found {
            layout::name_value(screen, options, &label(name), value);
        }
        return !found.is_empty();
    }
    screen.line(&if options.has('j') { as_json(service) } else { entry(service, options.has('f')) });
    true
}

fn entry(service: &Service, fold: bool) -> String {
    layout::entry(&service.columns, &service.arguments, fold)
}

fn show_field(service: &Service, index: usize, label: &str, options: &Options, screen: &mut Screen) {
    const COMMAND: usize = 7;
    if index != COMMAND {
        return layout::name_value(screen, options, label, service.column(index));
    }
    if !options.has('f') || options.has('H') || options.has('j') {
        return layout::name_value(screen, options, label, &service.command().join(" "));
    }
    let program = service.program();
    let start = if options.has('h') { program.to_owned() } else { format!("{label} = {program}") };
    screen.line(&layout::command(start, &service.arguments, true));
}

fn as_json(service: &Service) -> String {
    let member = |name: &str, value: &str| format!("{}: {}", layout::quoted(name), layout::quoted(value));
    let mut members: Vec<String> =
        COLUMNS.iter().enumerate().map(|(index, name)| member(name, service.column(index))).collect();
    if let Some(command) = members.last_mut() {
        *command = member("command", &service.command().join(" "));
    }
    format!("{{{}}}", members.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_a_command_are_no_parameters() {
        let source = Source::parse(Path::new("/nonexistent"), "mine = value\n").unwrap();
        let line = "p unix - n n - - pipe -v -o a=$mine flags=F argv=x -o y=$mine";
        let service = Service::parse(line, "").unwrap();
        let shown = expanded(&service, &source, &mut Screen::new("postconf")).unwrap();
        assert_eq!(shown.arguments, ["-v", "-o", "a=value", "flags=F", "argv=x", "-o", "y=$mine"]);
    }
}

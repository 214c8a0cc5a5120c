//! The instances of this host, and which of them a command means.

use crate::Params;
use crate::request::Selection;
use command::Fatal;
use config::{CONFIG_DIRECTORY, Source};
use std::path::Path;

/// One mail system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) directory: String,
    /// Empty if it has none.
    pub(crate) name: String,
    /// Empty if it has none.
    pub(crate) group: String,
    pub(crate) enabled: bool,
    pub(crate) queue_directory: String,
    pub(crate) data_directory: String,
}

impl Instance {
    /// Reads the main.cf of a secondary instance.
    pub(crate) fn read(directory: &str) -> Result<Self, Fatal> {
        let failed = |error: String| {
            maillog::fatal!("{error}");
            Fatal::new(format!("Failed to obtain all required {directory}/main.cf parameters"))
        };
        let source = Source::load(Path::new(directory)).map_err(|error| failed(error.to_string()))?;
        let params: Params = source.get().map_err(|problems| failed(problems.to_string()))?;
        Ok(Self::of(directory, &params))
    }

    fn of(directory: &str, params: &Params) -> Self {
        Self {
            directory: directory.to_owned(),
            name: params.identity.multi_instance_name.clone(),
            group: params.identity.multi_instance_group.clone(),
            enabled: params.identity.multi_instance_enable,
            queue_directory: params.layout.queue_directory.clone(),
            data_directory: params.layout.data_directory.clone(),
        }
    }

    fn is_selected(&self, is_primary: bool, selection: &Selection) -> bool {
        match selection {
            Selection::Default | Selection::All => true,
            Selection::Group(group) => self.group == *group,
            Selection::Name(name) if name == "-" => is_primary,
            Selection::Name(name) => *name == self.name || *name == self.directory,
        }
    }

    /// What no two instances may share.
    fn own(&self) -> [(&'static str, &str); 4] {
        [
            ("config_directory", &self.directory),
            ("queue_directory", &self.queue_directory),
            ("data_directory", &self.data_directory),
            ("multi_instance_name", &self.name),
        ]
    }
}

/// All instances.
#[derive(Debug)]
pub(crate) struct Instances {
    pub(crate) params: Params,
    pub(crate) primary: Instance,
    pub(crate) secondary: Vec<Instance>,
}

impl Instances {
    /// Those that the primary instance's main.cf names.
    pub(crate) fn load(params: Params) -> Result<Self, Fatal> {
        let mut primary = Instance::of(CONFIG_DIRECTORY, &params);
        let directories = params.identity.multi_instance_directories.clone();
        if directories.is_empty() {
            primary.enabled = true;
        }
        let mut instances = Self { params, primary, secondary: Vec::new() };
        for directory in &directories {
            if !Path::new(directory).is_dir() {
                let name = "multi_instance_directories";
                return Err(Fatal::new(format!("{name} = '{directory}' is not a directory")));
            }
            let instance = Instance::read(directory)?;
            instances.check(&instance)?;
            instances.secondary.push(instance);
        }
        Ok(instances)
    }

    /// Refuses an instance that shares with another what it must not.
    pub(crate) fn check(&self, new: &Instance) -> Result<(), Fatal> {
        for old in self.all() {
            let pairs = new.own().into_iter().zip(old.own());
            if let Some(((name, value), _)) =
                pairs.filter(|((_, new), _)| !new.is_empty()).find(|(new, old)| new == old)
            {
                return Err(Fatal::new(format!(
                    "instance {}, {name}={value} conflicts with instance {}, {name}={value}",
                    new.directory, old.directory
                )));
            }
        }
        Ok(())
    }

    fn all(&self) -> impl DoubleEndedIterator<Item = &Instance> {
        std::iter::once(&self.primary).chain(&self.secondary)
    }

    /// The instances that are meant, in order.
    pub(crate) fn selected(&self, selection: &Selection, reverse: bool) -> Vec<&Instance> {
        let is_meant = |instance: &&Instance| instance.is_selected(self.is_primary(instance), selection);
        let mut found: Vec<&Instance> = self.all().filter(is_meant).collect();
        if reverse {
            found.reverse();
        }
        found
    }

    /// Whether this is the primary instance.
    pub(crate) fn is_primary(&self, instance: &Instance) -> bool {
        instance.directory == self.primary.directory
    }

    /// Where among the secondary ones a new one belongs.
    pub(crate) fn place(&self, selection: &Selection) -> Result<usize, Fatal> {
        let place = match selection {
            Selection::Default => Some(self.secondary.len()),
            Selection::All => Some(0),
            Selection::Group(_) | Selection::Name(_) => {
                self.secondary.iter().position(|instance| instance.is_selected(false, selection))
            }
        };
        place.ok_or_else(|| Fatal::new("No matching secondary instances"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A primary instance and two others.
    pub(crate) fn instances() -> Instances {
        let source = Source::parse(Path::new(CONFIG_DIRECTORY), "myhostname = a.example\n").unwrap();
        let params: Params = source.get().unwrap();
        let primary = Instance::of(CONFIG_DIRECTORY, &params);
        let secondary = vec![secondary("postfix-in", "mx", true), secondary("postfix-out", "out", false)];
        Instances { params, primary, secondary }
    }

    /// An instance with directories of its own.
    pub(crate) fn secondary(name: &str, group: &str, enabled: bool) -> Instance {
        Instance {
            directory: format!("/etc/{name}"),
            name: name.to_owned(),
            group: group.to_owned(),
            enabled,
            queue_directory: format!("/var/spool/{name}"),
            data_directory: format!("/var/lib/{name}"),
        }
    }

    #[test]
    fn instances_are_found_by_name_directory_and_group() {
        let instances = instances();
        let names = |selection: Selection, reverse| {
            let found = instances.selected(&selection, reverse);
            found.iter().map(|instance| instance.name.clone()).collect::<Vec<_>>()
        };
        let name = |name: &str| Selection::Name(name.to_owned());
        assert_eq!(names(Selection::All, false), ["", "postfix-in", "postfix-out"]);
        assert_eq!(names(Selection::Default, true), ["postfix-out", "postfix-in", ""]);
        assert_eq!(names(name("-"), false), [""]);
        assert_eq!(names(name("/etc/postfix"), false), [""]);
        assert_eq!(names(name("/etc/postfix-in"), false), ["postfix-in"]);
        assert_eq!(names(name("postfix-out"), false), ["postfix-out"]);
        assert_eq!(names(name("other"), false), [""; 0]);
        assert_eq!(names(Selection::Group("mx".to_owned()), false), ["postfix-in"]);
    }

    #[test]
    fn new_instances_have_a_place() {
        let instances = instances();
        let place = |selection: Selection| instances.place(&selection).ok();
        assert_eq!(place(Selection::Default), Some(2));
        assert_eq!(place(Selection::All), Some(0));
        assert_eq!(place(Selection::Group("out".to_owned())), Some(1));
        assert_eq!(place(Selection::Name("postfix-in".to_owned())), Some(0));
        assert_eq!(place(Selection::Name("-".to_owned())), None);
    }

    #[test]
    fn nothing_is_shared() {
        let instances = instances();
        instances.check(&secondary("postfix-new", "mx", false)).unwrap();
        let new =
            Instance { queue_directory: "/var/spool/postfix-in".to_owned(), ..secondary("postfix-new", "", true) };
        assert_eq!(
            instances.check(&new).unwrap_err().to_string(),
            "instance /etc/postfix-new, queue_directory=/var/spool/postfix-in conflicts with instance \
             /etc/postfix-in, queue_directory=/var/spool/postfix-in"
        );
    }
}

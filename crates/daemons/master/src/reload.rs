//! Reload: the configuration is read anew, sockets stay open, processes finish what they do and are replaced.

use crate::Fatal;
use crate::service::Service;
use crate::settings::{Settings, Way};
use crate::supervise::Supervisor;
use std::time::Instant;

impl Supervisor {
    /// Reloads. A configuration that cannot be used changes nothing.
    pub(crate) fn reload(&mut self, now: Instant) {
        let directory = self.settings.directory.clone();
        self.manager.tell("RELOADING=1");
        match Settings::read(&directory) {
            Ok(settings) => {
                settings.warn();
                self.follow(settings, now);
            }
            Err(Fatal(reason)) => tracing::error!("reload: {reason}; the old configuration stays"),
        }
        self.manager.tell("READY=1");
    }

    fn follow(&mut self, mut settings: Settings, now: Instant) {
        // These need a stop and a start.
        let (old, new) = (&self.settings.params.layout, &mut settings.params.layout);
        if old.queue_directory != new.queue_directory {
            tracing::warn!("ignoring queue_directory parameter value change");
            tracing::warn!("old value: \"{}\", new value: \"{}\"", old.queue_directory, new.queue_directory);
            tracing::warn!("to change queue_directory, stop and start Postfix");
            new.queue_directory.clone_from(&old.queue_directory);
        }
        let (old, new) = (&self.settings.params.identity.inet_protocols, &mut settings.params.identity.inet_protocols);
        if old != new {
            tracing::warn!("ignoring inet_protocols parameter value change");
            tracing::warn!("old value: \"{}\", new value: \"{}\"", old.join(" "), new.join(" "));
            tracing::warn!("to change inet_protocols, stop and start Postfix");
            new.clone_from(old);
            settings.addresses.clone_from(&self.settings.addresses);
            settings.wildcards.clone_from(&self.settings.wildcards);
        }
        match settings.log(Way::Service) {
            Ok(log) => self.log.configure(&log),
            Err(Fatal(reason)) => tracing::warn!("{reason}"),
        }
        let version = &settings.params.identity.mail_version;
        tracing::info!("reload -- version {version}, configuration {}", settings.directory.display());
        self.settings = settings;
        self.close_removed();
        let entries = self.settings.services.entries.clone();
        for entry in &entries {
            let number = self.services.iter().find(|(_, service)| service.is(entry)).map(|(number, _)| *number);
            let followed = match number.and_then(|number| self.services.get_mut(&number)) {
                Some(service) => service.renew(entry, &self.settings, now),
                None => Service::open(entry, &self.settings, now).map(|service| {
                    self.last_number += 1;
                    self.services.insert(self.last_number, service);
                    Vec::new()
                }),
            };
            match followed {
                Ok(pids) => self.drain(&pids),
                Err(Fatal(reason)) => tracing::error!("{reason}"),
            }
        }
    }

    /// Services that master.cf has no more.
    fn close_removed(&mut self) {
        let entries = &self.settings.services.entries;
        let removed: Vec<u32> = self
            .services
            .iter()
            .filter(|(_, service)| !entries.iter().any(|entry| service.is(entry)))
            .map(|(number, _)| *number)
            .collect();
        for number in removed {
            if let Some(service) = self.services.remove(&number) {
                Self::terminate(&service.pool.pids());
            }
        }
    }
}

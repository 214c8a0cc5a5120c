//! The loop: signals, what processes say, clients that wait, timers.

use crate::Fatal;
use crate::notify::Manager;
use crate::options::Options;
use crate::pool::Action;
use crate::process::{self, Told};
use crate::service::Service;
use crate::settings::{Settings, Way};
use config::master_cf::Kind;
use ipc::master::{Link, Order, Status};
use maillog::Log;
use privsep::{End, Ended, Rest, Signal, Signals};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long processes may take to end by themselves, so that they leave nothing behind, before SIGTERM: enough for all that
/// are at rest.
const LAST_WORK: Duration = Duration::from_millis(500);
/// How long processes may take to end after SIGTERM.
const LAST_WORDS: Duration = Duration::from_millis(1200);
/// How often lines that the log did not take are tried again.
const LOG_AGAIN: Duration = Duration::from_millis(20);
/// What the wake-up timer sends.
const WAKEUP: u8 = ipc::trigger::WAKEUP;

/// Master, running.
pub(crate) struct Supervisor {
    pub(crate) settings: Settings,
    /// By a number that is never used again.
    pub(crate) services: BTreeMap<u32, Service>,
    pub(crate) last_number: u32,
    /// By process id.
    children: BTreeMap<u32, Child>,
    pub(crate) log: Log,
    pub(crate) manager: Manager,
    verbose: u8,
    end_at: Option<Instant>,
    rest: Rest,
    rest_at: Option<Instant>,
}

/// A process.
#[derive(Debug)]
struct Child {
    service: u32,
    path: String,
    /// `None` once it has closed its end.
    link: Option<Link>,
}

/// What has happened.
enum Event {
    Signals,
    Client(u32),
    Child(u32),
}

impl Supervisor {
    /// Without services yet.
    pub(crate) fn new(settings: Settings, options: &Options, log: Log, manager: Manager) -> Self {
        Self {
            settings,
            services: BTreeMap::new(),
            last_number: 0,
            children: BTreeMap::new(),
            log,
            manager,
            verbose: options.verbose,
            end_at: options.end_after.map(|after| Instant::now() + after),
            rest: Rest::default(),
            rest_at: Some(Instant::now()),
        }
    }

    /// Opens the sockets of all services.
    pub(crate) fn open(&mut self, now: Instant) -> Result<(), Fatal> {
        for entry in &self.settings.services.entries {
            self.last_number += 1;
            self.services.insert(self.last_number, Service::open(entry, &self.settings, now)?);
        }
        Ok(())
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Supervises until a signal ends it.
    pub(crate) fn supervise(&mut self, mut signals: Signals) -> Result<ExitCode, Fatal> {
        loop {
            self.on_time(Instant::now());
            let events = self.wait(&signals)?;
            let now = Instant::now();
            self.rest(events.is_empty(), now);
            for event in events {
                let ends = match event {
                    Event::Child(pid) => {
                        self.hear(pid, now);
                        None
                    }
                    Event::Client(number) => {
                        self.on_client(number, now);
                        None
                    }
                    Event::Signals => self.on_signals(&mut signals, now),
                };
                if let Some(signal) = ends {
                    self.end(signal, &mut signals);
                    return Ok(ExitCode::SUCCESS);
                }
            }
            if self.end_at.is_some_and(|end| end <= now) {
                // Processes end by themselves, once they see that master is gone.
                return Ok(ExitCode::SUCCESS);
            }
            self.log.flush();
        }
    }

    /// What has happened, processes first, so that what one said before its end is heard before that.
    fn wait(&self, signals: &Signals) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut watched: Vec<BorrowedFd<'_>> = Vec::new();
        for (pid, child) in &self.children {
            if let Some(link) = &child.link {
                events.push(Event::Child(*pid));
                watched.push(link.as_fd());
            }
        }
        for (number, service) in self.services.iter().filter(|(_, service)| service.pool.watches()) {
            for listener in &service.listeners {
                events.push(Event::Client(*number));
                watched.push(listener.as_fd());
            }
        }
        events.push(Event::Signals);
        watched.push(signals.as_fd());
        let ready = privsep::wait_readable(&watched, self.next_time())?;
        let mut at = 0;
        events.retain(|_| {
            at += 1;
            ready.contains(&(at - 1))
        });
        Ok(events)
    }

    /// When there is something to do without an event.
    fn next_time(&self) -> Option<Instant> {
        let services =
            self.services.values().flat_map(|service| service.pool.next_time().into_iter().chain(service.next_wakeup));
        let log = self.log.is_pending().then(|| Instant::now() + LOG_AGAIN);
        services.chain(self.end_at).chain(self.rest_at).chain(log).min()
    }

    /// Gives back memory when nothing has happened for a while.
    fn rest(&mut self, is_idle: bool, now: Instant) {
        if !is_idle {
            self.rest_at = Some(now + self.rest.pause());
        } else if self.rest_at.is_some_and(|at| at <= now) {
            self.rest_at = None;
            self.rest.begin();
        }
    }

    fn on_time(&mut self, now: Instant) {
        let numbers: Vec<u32> = self.services.keys().copied().collect();
        for number in numbers {
            let Some(service) = self.services.get_mut(&number) else { continue };
            if service.pool.next_time().is_some_and(|next| next <= now) {
                let (actions, relaxes) = service.pool.on_time(now);
                if relaxes {
                    self.tell_stress(number, false);
                }
                self.act(number, actions, now);
            }
            if self.services.get_mut(&number).is_some_and(|service| service.wakes_up(now)) {
                self.wake(number, now);
            }
        }
    }

    fn on_client(&mut self, number: u32, now: Instant) {
        let Some(service) = self.services.get_mut(&number) else { return };
        service.used(now);
        let actions = service.pool.on_client(now);
        self.act(number, actions, now);
    }

    /// Sends the wake-up to a process, which is started if there is none.
    fn wake(&mut self, number: u32, now: Instant) {
        let Some(service) = self.services.get_mut(&number) else { return };
        let actions = service.pool.on_need();
        self.act(number, actions, now);
        let process = self.services.get(&number).and_then(|service| service.pool.wakeable());
        if let Some(pid) = process {
            self.order(pid, &Order::Wake(vec![WAKEUP]));
        }
    }

    fn hear(&mut self, pid: u32, now: Instant) {
        let Some(child) = self.children.get_mut(&pid) else { return };
        let number = child.service;
        let heard = match child.link.as_mut().map(Link::hear) {
            Some(Ok(heard)) => heard,
            Some(Err(error)) => {
                tracing::warn!("process {} pid {pid}: {error}", child.path);
                vec![None]
            }
            None => return,
        };
        for status in heard {
            match status {
                Some(status) => self.on_status(number, pid, status, now),
                None => {
                    if let Some(child) = self.children.get_mut(&pid) {
                        child.link = None;
                    }
                }
            }
        }
    }

    fn on_status(&mut self, number: u32, pid: u32, status: Status, now: Instant) {
        if let Some(service) = self.services.get_mut(&number) {
            let actions = service.pool.on_status(pid, status);
            self.act(number, actions, now);
        }
    }

    fn act(&mut self, number: u32, actions: Vec<Action>, now: Instant) {
        for action in actions {
            match action {
                Action::Start { slot, share } => self.start(number, slot, share, now),
                Action::Drain(pid) => self.order(pid, &Order::Drain),
                Action::Throttle => self.warn_throttle(number),
                Action::Overload => self.overload(number),
            }
        }
    }

    fn start(&mut self, number: u32, slot: usize, share: u32, now: Instant) {
        let Some(service) = self.services.get_mut(&number) else { return };
        let stress = service.knows_stress().then(|| service.pool.is_stressed());
        let told = Told { share, stress, verbose: self.verbose };
        let path = program_path(&self.settings, service);
        match process::start(service, &self.settings, told) {
            Ok((pid, link)) => {
                service.pool.started(pid, slot, now);
                self.children.insert(pid, Child { service: number, path, link: Some(link) });
            }
            Err(Fatal(reason)) => {
                tracing::warn!("service {}: {reason}", service.entry.name);
                let actions = service.pool.failed_to_start(now);
                self.act(number, actions, now);
            }
        }
    }

    fn order(&mut self, pid: u32, order: &Order) {
        if let Some(link) = self.children.get_mut(&pid).and_then(|child| child.link.as_mut())
            && let Err(error) = link.order(order)
        {
            tracing::debug!("pid {pid}: {error}");
        }
    }

    fn warn_throttle(&self, number: u32) {
        if let Some(service) = self.services.get(&number) {
            tracing::warn!("{}: bad command startup -- throttling", program_path(&self.settings, service));
        }
    }

    fn overload(&mut self, number: u32) {
        let Some(service) = self.services.get(&number) else { return };
        if !service.knows_stress() {
            return;
        }
        tracing::warn!(
            "service \"{}\" ({}) has reached its process limit \"{}\": new clients may experience noticeable delays",
            service.entry.name,
            service.entry.name,
            service.pool.limit()
        );
        tracing::warn!(
            "to avoid this condition, increase the process count in master.cf or reduce the service time per client"
        );
        tracing::warn!(
            "see https://www.postfix.org/STRESS_README.html for examples of stress-adapting configuration settings"
        );
        self.tell_stress(number, true);
    }

    fn tell_stress(&mut self, number: u32, stress: bool) {
        for pid in self.services.get(&number).map(|service| service.pool.pids()).unwrap_or_default() {
            self.order(pid, &Order::Stress(stress));
        }
    }

    /// The signal that ends master, if there is one.
    fn on_signals(&mut self, signals: &mut Signals, now: Instant) -> Option<Signal> {
        while let Some((signal, _)) = signals.take() {
            if signal == Signal::SIGHUP {
                self.reload(now);
            } else if signal != Signal::SIGCHLD && signal != Signal::SIGALRM {
                return Some(signal);
            }
        }
        while let Some(ended) = privsep::reap() {
            self.bury(ended, now);
        }
        None
    }

    fn bury(&mut self, ended: Ended, now: Instant) {
        let Ended { pid, end } = ended;
        // What it said last may still be unread.
        self.hear(pid, now);
        let Some(child) = self.children.remove(&pid) else { return };
        if is_told(end, self.services.contains_key(&child.service)) {
            tracing::warn!("process {} pid {pid} {end}", child.path);
        }
        if let Some(service) = self.services.get_mut(&child.service) {
            let actions = service.pool.on_end(pid, end, now);
            self.act(child.service, actions, now);
        }
    }

    /// Tells the processes of a service to finish.
    pub(crate) fn drain(&mut self, pids: &[u32]) {
        for pid in pids {
            self.order(*pid, &Order::Drain);
        }
    }

    /// Ends the processes of a service that is no more.
    pub(crate) fn terminate(pids: &[u32]) {
        for pid in pids {
            // It may have ended just now.
            let _ = privsep::kill(*pid, Signal::SIGTERM);
        }
    }

    /// Ends everything.
    fn end(&mut self, signal: Signal, signals: &mut Signals) {
        let (last, first): (Vec<u32>, Vec<u32>) = self.children.keys().partition(|pid| self.takes_lines(**pid));
        if let (true, Ok(settings)) = (last.is_empty(), self.settings.log(Way::Direct)) {
            self.log.configure(&settings);
        }
        tracing::info!("terminating on signal {}", signal as i32);
        self.manager.tell("STOPPING=1");
        self.drain(&first);
        self.wait_for_end(&first, signals, LAST_WORK);
        let remaining: Vec<u32> = first.into_iter().filter(|pid| self.children.contains_key(pid)).collect();
        Self::terminate(&remaining);
        self.bring_to_end(&remaining, signals);
        // Those to whom the others have sent their last lines read them first.
        self.drain(&last);
        self.bring_to_end(&last, signals);
        self.log.flush();
    }

    /// Whether a process is one of a datagram service: the log's.
    fn takes_lines(&self, pid: u32) -> bool {
        let service = self.children.get(&pid).and_then(|child| self.services.get(&child.service));
        service.is_some_and(|service| service.entry.kind == Kind::UnixDgram)
    }

    /// Waits for the end of these, and then makes it.
    fn bring_to_end(&mut self, pids: &[u32], signals: &mut Signals) {
        self.wait_for_end(pids, signals, LAST_WORDS);
        for pid in pids.iter().filter(|pid| self.children.contains_key(pid)) {
            let _ = privsep::kill(*pid, Signal::SIGKILL);
        }
    }

    /// Waits until all of these have ended, but not longer than that.
    fn wait_for_end(&mut self, pids: &[u32], signals: &mut Signals, longest: Duration) {
        let deadline = Instant::now() + longest;
        loop {
            while let Some(ended) = privsep::reap() {
                self.children.remove(&ended.pid);
            }
            let remain = pids.iter().any(|pid| self.children.contains_key(pid));
            if !remain || Instant::now() >= deadline {
                break;
            }
            // At worst the deadline comes sooner.
            let _ = privsep::wait_readable(&[signals.as_fd()], Some(deadline));
            while signals.take().is_some() {}
        }
    }
}

/// Whether an end is worth a warning: the processes of a service that master.cf has no more are ended by us.
fn is_told(end: End, is_service: bool) -> bool {
    match end {
        End::Status(_) => !end.is_normal(),
        End::Signal(_) => is_service,
    }
}

fn program_path(settings: &Settings, service: &Service) -> String {
    Path::new(&settings.params.layout.daemon_directory).join(&service.entry.command).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_master_ended_is_not_warned_of() {
        let ends = [End::Status(0), End::Status(1), End::Signal(15)];
        assert_eq!(ends.map(|end| is_told(end, true)), [false, true, true]);
        assert_eq!(ends.map(|end| is_told(end, false)), [false, true, false]);
    }
}

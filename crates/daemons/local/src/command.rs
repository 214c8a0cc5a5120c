//! Delivery to a command, with the rights of whoever asked for it.

use std::path::Path;

use delivery::Settled;
use delivery::copy::Layout;
use dsn::{Outcome, Status};
use privsep::{Command, Line};

use crate::errand::{CONFIGURATION, Errand, Place};
use crate::state::State;

/// How much of a command's output is kept.
const OUTPUT_LIMIT: usize = 4096;

impl Errand<'_, '_> {
    /// Gives the message to a command.
    pub(crate) fn command(&mut self, state: &State, line: &str) -> Settled {
        let user = self.acting(state);
        if self.is_repeated("command", format!("{}:{line}", user.uid).as_bytes()) {
            return Settled::Finished;
        }
        if self.is_dry() {
            return self.sent(state, format!("delivers to command: {line}"));
        }
        let params = &self.office.params;
        // The user of default_privs is nobody in particular, and at home nowhere.
        let names = self.names(state, state.rights.as_ref());
        let filter = Some(params.local.execution_directory_expansion_filter.as_str());
        let Some(directory) = names.expand_loosely(&params.local.command_execution_directory, filter) else {
            return self.fail(state, Status::temporary(3, 5), CONFIGURATION);
        };
        let directory = directory.trim();
        let environment = self.environment(state);
        let command = Command {
            line: Line::Text(line),
            shell: &params.local.local_command_shell,
            user: Some(&user),
            root: None,
            directory: (!directory.is_empty()).then(|| Path::new(directory)),
            environment: &environment,
            time_limit: params.delivery.command_time_limit,
            file_size_limit: params.local.mailbox_size_limit,
            output_limit: OUTPUT_LIMIT,
        };
        let layout = Layout::plain(self.head(state, Some(&self.office.now()), Place::Command));
        match delivery::command::deliver("local", &command, &mut self.content(), &layout) {
            Ok(_) => self.sent(state, format!("delivered to command: {line}")),
            Err(detail) => {
                let outcome: Outcome = detail.outcome();
                self.report_to_owner(state, outcome)
            }
        }
    }
}

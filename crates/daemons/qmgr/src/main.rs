//! qmgr(8): moves mail from queue to delivery agent.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<qmgr::Qmgr>()
}

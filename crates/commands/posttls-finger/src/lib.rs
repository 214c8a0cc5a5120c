//! posttls-finger(1): shows what TLS a server has, and whether its certificate is the one wanted.
//!
//! Reading order: what is asked for ([`plan`]), where the server is ([`target`]), the dialogue ([`session`]), what TLSA records say of
//! the server ([`dane`]), its certificate ([`certificate`]).

mod certificate;
mod dane;
mod plan;
mod session;
mod target;

use command::{Context, Fatal};
use plan::Plan;
use session::{Outcome, Session};
use std::io::Write;
use std::process::ExitCode;
use target::{Server, Target};

/// Runs the command.
///
/// # Errors
/// What made it fail; logged by the caller.
pub fn run(context: &mut Context) -> Result<ExitCode, Fatal> {
    context.log.echo(maillog::Echo::StderrOnly);
    let options = match context.options(plan::LETTERS) {
        Ok(options) if !options.operands.is_empty() => options,
        _ => {
            // Where standard error is closed, the exit code tells.
            let _ = writeln!(std::io::stderr(), "{}", plan::USAGE);
            return Ok(ExitCode::FAILURE);
        }
    };
    let source = context.source_with(None, &plan::overrides(&options)?)?;
    context.log.echo(maillog::Echo::StderrOnly);
    if options.has('v') {
        context.log.verbose();
    }
    let params: plan::Params = context.params(&source)?;
    let plan = Plan::of(&options, &params)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(probe(plan));
    Ok(ExitCode::SUCCESS)
}

/// Looks at the destination, and once more as often as was asked for.
async fn probe(mut plan: Plan) {
    let mut connector = None;
    loop {
        let outcome = visit(&plan, &mut connector).await;
        let (Some(outcome), Some(delay)) = (outcome, plan.reconnect) else { return };
        match (outcome, plan.most_reconnects) {
            (Outcome::Unkept, _) => return say("Server declined session caching. Done reconnecting."),
            (Outcome::Resumed, _) => return say("Found a previously used server.  Done reconnecting."),
            (Outcome::Kept, 0) => return say("Maximum reconnect count reached."),
            (Outcome::Kept, _) => say(&format!("Reconnecting after {} seconds", delay.as_secs())),
        }
        plan.most_reconnects -= 1;
        plan.log = plan::Log::of_later();
        tokio::time::sleep(delay).await;
    }
}

/// Tries the servers in order until one answers.
async fn visit(plan: &Plan, connector: &mut Option<tls::client::Connector>) -> Option<Outcome> {
    let servers = match &plan.target {
        Target::Unix(path) => vec![Server::Unix(path.clone())],
        Target::Inet { .. } => match target::servers(plan).await {
            Ok(servers) => servers,
            Err(error) => {
                say(&format!("Destination address lookup failed: {error}"));
                return None;
            }
        },
    };
    let mut failure = String::new();
    for server in servers {
        match target::connect(&server, plan).await {
            Ok(stream) => return Session::new(stream, &server, plan).run(&server, connector).await,
            Err(error) => failure = format!("{}: {error}", target::place(&server, plan)),
        }
    }
    say(&format!("Failed to establish session to {failure}"));
    None
}

/// Writes a line of the report. Where nobody reads, nothing is lost.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "posttls-finger: {line}");
}

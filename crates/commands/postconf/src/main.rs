//! postconf(1): shows and edits the configuration.

fn main() -> std::process::ExitCode {
    postconf::run(std::env::args())
}

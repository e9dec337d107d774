//! The command `ndcache`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ndcache_cli::exit_on_interrupt();
    ndcache_cli::run(std::env::args_os()).into()
}

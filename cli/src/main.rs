//! The command `ndcache`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ndcache_cli::run(std::env::args_os()).into()
}

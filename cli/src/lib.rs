//! The command `ndcache`: shows what a cache holds, where it comes from and in what two entries differ; verifies,
//! pins, removes and exchanges entries.
//!
//! Other programs can offer the command by calling [`run`]. It uses only the public interface of the crate `ndcache`.
//!
//! Results go to stdout, everything else to stderr. [`run`] returns 0 for success; 1 if something was found (damage, a
//! difference, no such entry), or if the answer to a question was No; 2 for wrong usage; 3 if the cache can't be read, or
//! there is none. After a call of [`exit_on_interrupt`] Ctrl-C ends the process with 130.

mod args;
mod cache;
mod commands;
mod entry;
mod exit;
mod filter;
mod interrupt;
mod numbers;
mod out;
mod table;
mod text;

use std::ffi::OsString;
use std::io::{self, Write};

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::Arguments;
use crate::exit::{Exit, Failure};
use crate::out::Out;

/// Runs the command with these arguments, of which the first is its name, and returns its exit code.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// #[ndcache::cache]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let memory = ndcache::Memory::open(folder.path())?;
/// memory.eval(square::call(7));
/// let folder = folder.path().to_str().unwrap();
/// assert_eq!(ndcache_cli::run(["ndcache", "-C", folder, "ls"]), 0); // prints a line for the function
/// assert_eq!(ndcache_cli::run(["ndcache", "no-such-command"]), 2);
/// # Ok::<(), ndcache::Error>(())
/// ```
pub fn run<A: Into<OsString> + Clone>(args: impl IntoIterator<Item = A>) -> u8 {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let arguments = match Arguments::try_parse_from(&args) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error, args.iter().any(|arg| arg == "--json")),
    };
    let mut out = Out::new(&arguments.common);
    let done = commands::run(&arguments, &mut out);
    let done = done.and_then(|exit| out.finish().map(|()| exit));
    match done {
        Ok(exit) => exit as u8,
        Err(Failure::ClosedPipe) => Exit::Fine as u8,
        Err(Failure::WithMessage { exit, message }) => {
            out.fail(exit, &message);
            exit as u8
        }
    }
}

/// Makes Ctrl-C end the process with 130, and `SIGTERM` with 143, once a command has put away what it had begun; a
/// second signal ends it at once.
///
/// For programs that are this command and nothing else, before [`run`]: it sets handlers for the whole process.
pub fn exit_on_interrupt() {
    interrupt::watch();
}

/// Prints what clap has to say: help to stdout, and mistakes to stderr.
fn usage(error: &clap::Error, json: bool) -> u8 {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if json && !is_help {
        let text = error.render().to_string();
        out::print_error(Exit::Usage, text.lines().next().unwrap_or_default().trim_start_matches("error: "));
    }
    // If it can't be printed, nobody reads it.
    if is_help {
        let _ = error.print();
        return Exit::Fine as u8;
    }
    // What was typed may come from anybody.
    error.render().to_string().lines().for_each(|line| drop(writeln!(io::stderr(), "{}", text::safe(line))));
    Exit::Usage as u8
}

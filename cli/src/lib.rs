//! The command `ndcache`, which looks into the caches of [`ndcache`]: what is stored and where it comes from, in what two
//! entries differ, what a collection would remove and what that would cost.
//!
//! [`run`] is all of it, so that other programs can have the command, too. It uses the public interface of the crate
//! alone.
//!
//! Results go to stdout, everything else to stderr. It returns 0; 1 when it has found something (damage, a difference, no
//! such entry, an answer of No); 2 for wrong usage; 3 when it can't read, or there is no cache; 130 after Ctrl-C.

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

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::Arguments;
use crate::exit::{Exit, Failure};
use crate::out::Out;

/// Runs the command with these arguments, of which the first is its name, and returns its exit code.
///
/// ```
/// assert_eq!(ndcache_cli::run(["ndcache", "no-such-command"]), 2);
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
        Err(Failure::Told { exit, message }) => {
            out.fail(exit, &message);
            exit as u8
        }
    }
}

/// Makes Ctrl-C end the process with 130 wherever a command is, with nothing left half: for programs that are this
/// command and nothing else, and call [`run`] next. Others keep their own ways with signals.
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
    // A pipe that is closed has nobody who reads it.
    let _ = error.print();
    if is_help { Exit::Fine as u8 } else { Exit::Usage as u8 }
}

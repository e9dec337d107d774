//! Runs the command that was given. `look` reads, `check` checks, `change` removes or keeps, `exchange` moves entries
//! between caches; `report`, `tier` and `manual` (`completions`, `man`) stand alone.

mod change;
mod check;
mod exchange;
mod look;
mod manual;
mod report;
mod tier;

use crate::args::{Arguments, Command};
use crate::exit::Outcome;
use crate::out::Out;

/// Runs the command; without one, the summary of the cache.
pub(crate) fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
    match &arguments.command {
        None => look::summary::run(out),
        Some(Command::Ls(args)) => look::ls::run(args, out),
        Some(Command::Show(args)) => look::show::run(args, out),
        Some(Command::Diff(args)) => look::diff::run(args, out),
        Some(Command::Why(args)) => look::why::run(args, out),
        Some(Command::Tree(args)) => look::tree::run(args, out),
        Some(Command::Table(args)) => look::table::run(args, out),
        Some(Command::Stats(args)) => look::stats::run(args, out),
        Some(Command::Report(args)) => report::run(args, out),
        Some(Command::Verify(args)) => check::verify::run(args, out),
        Some(Command::Gc(args)) => change::gc::run(args, out),
        Some(Command::Rm(args)) => change::rm::run(args, out),
        Some(Command::Clear(args)) => change::clear::run(args, out),
        Some(Command::Pin(args)) => change::pin::pin(args, out),
        Some(Command::Unpin(args)) => change::pin::unpin(args, out),
        Some(Command::Export(args)) => exchange::export::run(args, out),
        Some(Command::Import(args)) => exchange::import::run(args, out),
        Some(Command::Hash(args)) => check::hash::run(args, out),
        Some(Command::Tier(command)) => tier::run(command, out),
        Some(Command::Doctor) => check::doctor::run(out),
        Some(Command::Bench(args)) => check::bench::run(args, out),
        Some(Command::Completions { shell }) => manual::completions(*shell, out),
        Some(Command::Man { output }) => manual::pages(output, out),
    }
}

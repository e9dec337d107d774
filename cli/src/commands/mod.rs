//! The commands, each in a file of its own.

mod archive;
mod bench;
mod clear;
mod diff;
mod doctor;
mod export;
mod gc;
mod hash;
mod import;
mod ls;
mod manual;
mod pin;
mod remove;
mod rm;
mod show;
mod stats;
mod summary;
mod table;
mod tree;
mod verify;
mod why;

use crate::args::{Arguments, Command};
use crate::exit::Outcome;
use crate::out::Out;

pub(crate) fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
    match &arguments.command {
        None => summary::run(out),
        Some(Command::Ls(args)) => ls::run(args, out),
        Some(Command::Show(args)) => show::run(args, out),
        Some(Command::Diff(args)) => diff::run(args, out),
        Some(Command::Why(args)) => why::run(args, out),
        Some(Command::Tree(args)) => tree::run(args, out),
        Some(Command::Table(args)) => table::run(args, out),
        Some(Command::Stats(args)) => stats::run(args, out),
        Some(Command::Verify(args)) => verify::run(args, out),
        Some(Command::Gc(args)) => gc::run(args, out),
        Some(Command::Rm(args)) => rm::run(args, out),
        Some(Command::Clear(args)) => clear::run(args, out),
        Some(Command::Pin(args)) => pin::pin(args, out),
        Some(Command::Unpin(args)) => pin::unpin(args, out),
        Some(Command::Export(args)) => export::run(args, out),
        Some(Command::Import(args)) => import::run(args, out),
        Some(Command::Hash(args)) => hash::run(args, out),
        Some(Command::Doctor) => doctor::run(out),
        Some(Command::Bench(args)) => bench::run(args, out),
        Some(Command::Completions { shell }) => manual::completions(*shell, out),
        Some(Command::Man { output }) => manual::pages(output, out),
    }
}

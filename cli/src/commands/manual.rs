//! `ndcache completions` and `man`.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Arguments;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;

pub(crate) fn completions(shell: Shell, out: &mut Out) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "ndcache", &mut script);
    out.bytes(&script)?;
    Ok(Exit::Fine)
}

/// Writes `ndcache.1`, and `ndcache-<command>.1` for each command.
pub(crate) fn pages(folder: &Path, out: &mut Out) -> Outcome {
    let cannot = |error: std::io::Error| Failure::unreadable(format!("can't write to `{}`: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(cannot)?;
    clap_mangen::generate_to(Arguments::command(), folder).map_err(cannot)?;
    out.note(format!("wrote the manual pages to `{}`", folder.display()));
    Ok(Exit::Fine)
}

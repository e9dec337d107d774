//! Which cache is meant, and how it is opened.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs, io};

use ndcache::stats::History;
use ndcache::{Memory, Mode};

use crate::exit::{Failure, Outcome};
use crate::out::Out;
use crate::text::safe;

/// The folder that programs put their cache into, below which it is looked for upward, too.
const USUAL: &str = "cache";

/// Opens the cache for reading: the one that was named, else the nearest one upward, which is then named.
pub(crate) fn for_reading(out: &mut Out) -> Outcome<Memory> {
    if let Some(folder) = named(out) {
        return Memory::inspect(&folder).map_err(Failure::unreadable);
    }
    let here = env::current_dir()?;
    if let Some((folder, memory)) = nearest(&here) {
        out.note(format!("the cache is `{}`", folder.display()));
        return Ok(memory);
    }
    let here = here.display();
    Err(Failure::unreadable(format!("there is no cache in `{here}` nor above: name one with `-C` or `NDCACHE_DIR`")))
}

/// The nearest cache upward.
fn nearest(here: &Path) -> Option<(PathBuf, Memory)> {
    let mut folders = here.ancestors().flat_map(|folder| [folder.to_owned(), folder.join(USUAL)]);
    folders.find_map(|folder| Some((folder.clone(), Memory::inspect(&folder).ok()?)))
}

/// Opens the cache in which a file lies that names an entry, unless the user names a cache.
pub(crate) fn of_file(out: &mut Out, file: &Path) -> Outcome<Memory> {
    let root = || std::path::absolute(file).ok()?.ancestors().nth(4).map(PathBuf::from);
    match root() {
        Some(root) if named(out).is_none() => Memory::inspect(&root).map_err(Failure::unreadable),
        _ => for_reading(out),
    }
}

/// Opens the cache for a command that changes it: one that was named, and that may be changed.
pub(crate) fn for_writing(out: &mut Out) -> Outcome<Memory> {
    let folder = changeable(out)?;
    // Inspected first: a folder that isn't a cache gives that error whether or not it can be written to.
    Memory::inspect(&folder).map_err(Failure::unreadable)?;
    Memory::existing(&folder).map_err(Failure::unreadable)
}

/// The folder that a command changes: one that was named, unless the mode forbids it.
pub(crate) fn changeable(out: &Out) -> Outcome<PathBuf> {
    let Some(folder) = named(out) else {
        let nearest = env::current_dir().ok().and_then(|here| nearest(&here));
        let nearest =
            nearest.map(|(folder, _)| format!("; the nearest one is `{}`", safe(&folder.display().to_string())));
        let which = "this changes the cache, which has to be named with `-C` or `NDCACHE_DIR`";
        return Err(Failure::usage(format!("{which}{}", nearest.unwrap_or_default())));
    };
    if let Some(mode) = env::var_os("NDCACHE_MODE").filter(|mode| !mode.is_empty()) {
        let mode: Mode =
            mode.to_string_lossy().parse().map_err(|error| Failure::usage(format!("NDCACHE_MODE: {error}")))?;
        if mode >= Mode::ReadOnly {
            let mode = env::var("NDCACHE_MODE").unwrap_or_default();
            return Err(Failure::usage(format!("NDCACHE_MODE is `{mode}`: nothing is changed")));
        }
    }
    Ok(folder)
}

/// Whether a folder is no cache and can become one: it is missing, or holds nothing but what should be a tag.
pub(crate) fn is_blank(folder: &Path) -> bool {
    if Memory::inspect(folder).is_ok() {
        return false;
    }
    let is_tag = |item: io::Result<fs::DirEntry>| item.is_ok_and(|item| item.file_name() == "CACHEDIR.TAG");
    match fs::read_dir(folder) {
        Ok(mut items) => items.all(is_tag),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// The folder that was named.
pub(crate) fn named(out: &Out) -> Option<PathBuf> {
    let from_env = || env::var_os("NDCACHE_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    out.common.folder.clone().or_else(from_env).map(|folder| at_home(&folder))
}

/// The folder, with the user's home for a `~` that it begins with, as the library has it.
fn at_home(folder: &Path) -> PathBuf {
    match (folder.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => folder.to_owned(),
    }
}

/// What was written down of calls, since then or ever. Where that can't be read, that is reported, and nothing was.
pub(crate) fn history(memory: &Memory, since: Option<SystemTime>, out: &mut Out) -> History {
    memory.history(since).unwrap_or_else(|error| {
        out.note(format!("what calls have saved isn't known: {error}"));
        History::default()
    })
}

/// The kind of the file system that is mounted there, as the system tells it.
pub(crate) fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        Some((before.split(' ').nth(4)?, after.split(' ').next()?))
    });
    let over = mounts.filter(|(place, _)| folder.starts_with(place));
    // Of two file systems at one place the later one is on top.
    over.enumerate().max_by_key(|(at, (place, _))| (place.len(), *at)).map(|(_, (_, kind))| kind.to_owned())
}

/// The folder of a memory, as it is shown to people.
pub(crate) fn place(memory: &Memory) -> String {
    memory.location().map_or_else(String::new, |folder| folder.display().to_string())
}

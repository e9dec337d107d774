//! The files of lines, `s/log*`: appended to, rotated, folded into sums of a day, and read.
//!
//! A file that has grown gets another name, by which nobody appends to it any more; after an hour it is *folded*: its
//! lines become one for each day, in a file that names its sources in its last line. From the moment in which that
//! line is whole the sources aren't read any more, whether or not they are removed yet.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, ErrorKind, Result};
use crate::stats::history::activity::{History, Period};
use crate::stats::history::line::{self, LogLine, Unread};
use crate::store::{Appended, Disk, Durability, FileKind, nonce};
use crate::threads::found_once;

const FOLDER: &str = "s";

/// Each file of lines begins with this.
const LOG: &str = "log";

/// A file that others are folded into is called so, and then as the oldest of them was set aside.
const FOLDED: &str = "log.folded.";

/// A longer file is rotated.
const ROTATE: u64 = 4 << 20;

/// A file of more bytes isn't one of ours.
const FILE_MAX: u64 = 64 << 20;

/// Lines that are longer aren't ours.
const LINE_MAX: usize = 64 << 10;

/// How long a rotated log is left alone: a process that had it open has written its line by then.
const SETTLED: Duration = Duration::from_secs(3600);

/// How often the files are read again while they are rotated.
const TRIES: usize = 5;

/// The most files that are folded into one at a time: their names are written in one line.
const SOURCES_MAX: usize = 1000;

/// Appends one line to the folder's log; where that can't be written, to one of this machine and user.
pub(super) fn append(disk: &Disk, line: &[u8]) -> Result<()> {
    // On network file systems two machines that append would overwrite each other.
    if !disk.medium().network {
        match append_to(disk, &format!("{FOLDER}/{LOG}"), line) {
            Err(error) if is_denied(&error) => {}
            appended => return appended,
        }
    }
    append_to(disk, &format!("{FOLDER}/{LOG}.{}-{}", host(), rustix::process::geteuid().as_raw()), line)
}

fn is_denied(error: &Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

fn append_to(disk: &Disk, name: &str, line: &[u8]) -> Result<()> {
    if disk.append(name, line, ROTATE)? == Appended::Done {
        return Ok(());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let leaf = name.rsplit_once('/').map_or(name, |(_, leaf)| leaf);
    disk.rename(name, &format!("{leaf}.{now:020}-{}", nonce()))?;
    if let Err(error) = fold(disk, SystemTime::now()) {
        tracing::debug!(%error, "counts of calls aren't folded");
    }
    disk.append(name, line, u64::MAX).map(drop)
}

/// The machine's name, as far as it may be a part of a file's name; asked for once, so that a flush takes a call less.
pub(super) fn host() -> String {
    static HOST: OnceLock<String> = OnceLock::new();
    found_once(&HOST, || {
        let name = rustix::system::uname();
        let name = name.nodename().to_string_lossy();
        name.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
    })
    .clone()
}

/// What was written down since `since`, by whomever.
pub(crate) fn read(disk: &Disk, since: Option<SystemTime>) -> Result<History> {
    let mut files = LogFiles::list(disk)?;
    // Where somebody rotates or folds meanwhile, lines would be missed, or read twice.
    for _ in 0..TRIES {
        let (history, before) = (read_all(disk, &files, since), files.names());
        files = LogFiles::list(disk)?;
        if files.names() == before {
            return Ok(history);
        }
    }
    Ok(read_all(disk, &files, since))
}

fn read_all(disk: &Disk, files: &LogFiles, since: Option<SystemTime>) -> History {
    let mut history = History::default();
    for name in files.folded.iter().chain(&files.logs).filter(|name| !files.sources.contains(*name)) {
        let lines = read_file(disk, name);
        history.unread += lines.unread;
        history.periods.extend(lines.periods.into_iter().filter(|period| since.is_none_or(|since| period.to >= since)));
    }
    history.periods.sort_by_key(|period| (period.to, period.from));
    history
}

/// Removes what was written down so far.
pub(crate) fn clear(disk: &Disk) -> Result<()> {
    for item in disk.list(FOLDER)?.into_iter().filter(|item| item.kind == FileKind::File && item.name.starts_with(LOG))
    {
        disk.remove(&format!("{FOLDER}/{}", item.name))?;
    }
    Ok(())
}

/// Folds what was rotated more than an hour before `now`.
///
/// Two processes may do so at once. One that sees the oldest file names the result after it, a name that only one can
/// take. One that no longer sees it came after the other had finished, and learns from the sources which files are
/// folded.
pub(crate) fn fold(disk: &Disk, now: SystemTime) -> Result<()> {
    let mut files = LogFiles::list(disk)?;
    // Whether its sources may go isn't known.
    if files.is_unsure {
        return Ok(());
    }
    files.remove_leftovers(disk, now)?;
    let is_due = |name: &&String| !files.sources.contains(*name) && is_settled(disk, name, now);
    let rotated = files.logs.iter().filter_map(|name| Some((rotation(name)?, name)));
    let mut old: Vec<(&str, &String)> = rotated.filter(|(_, name)| is_due(name)).collect();
    old.sort_unstable();
    old.truncate(SOURCES_MAX);
    let mut read = Vec::new();
    for (at, name) in old {
        match read_lines(disk, name) {
            Ok(Some(lines)) => read.push((at, name.clone(), lines)),
            // Folding leaves what is no log. What can't be read now, or seems to be gone, is folded another time; of the
            // oldest file each has to make the same, as the result is named after it.
            Err(error) if error.kind() == ErrorKind::Damaged => {}
            Ok(None) | Err(_) if !read.is_empty() => {}
            Ok(None) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    let Some((oldest, ..)) = read.first() else { return Ok(()) };
    let target = format!("{FOLDER}/{FOLDED}{oldest}");
    let sources: Vec<String> = read.iter().map(|(_, name, _)| name.clone()).collect();
    let mut lines: Vec<Vec<u8>> = days(read.into_iter().flat_map(|(.., lines)| lines.periods))
        .into_iter()
        .flat_map(|period| line::encode(&LogLine::Counts(period)))
        .collect();
    lines.extend(line::encode(&LogLine::Sources(sources.clone())));
    if LogFiles::list(disk)?.sources.iter().any(|source| sources.contains(source)) {
        return Ok(()); // another process was first
    }
    match write_folded(disk, &target, &lines.concat()) {
        Err(error) if error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists) => {
            return Ok(());
        }
        written => written?,
    }
    sources.iter().try_for_each(|name| disk.remove(&format!("{FOLDER}/{name}")).map(drop))
}

/// The sources go after this: it has to be on the disk.
fn write_folded(disk: &Disk, name: &str, bytes: &[u8]) -> Result<()> {
    let mut file = disk.create(name, bytes.len() as u64)?;
    file.write_all(bytes)?;
    file.finish(Durability::Synced)
}

/// One period for each day (of UTC), in which its parts began.
fn days(periods: impl Iterator<Item = Period>) -> Vec<Period> {
    let mut days = BTreeMap::<u64, Period>::new();
    for period in periods {
        let since = period.from.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (from, to) = (period.from, period.to);
        let empty = || Period { run: None, host: String::new(), from, to, functions: BTreeMap::new() };
        let day = days.entry(since.as_secs() / 86_400).or_insert_with(empty);
        (day.from, day.to) = (day.from.min(from), day.to.max(to));
        for (function, activity) in period.functions {
            day.functions.entry(function).or_default().add(&activity);
        }
    }
    days.into_values().collect()
}

/// The names in `s/` that are files of lines.
#[derive(Default)]
struct LogFiles {
    /// Those that are whole: their last line names the sources.
    folded: Vec<String>,
    /// Those that a kill left without it.
    unfinished: Vec<String>,
    logs: Vec<String>,
    /// Files that are folded.
    sources: HashSet<String>,
    /// A file that others are folded into couldn't be read.
    is_unsure: bool,
}

impl LogFiles {
    fn names(&self) -> Vec<String> {
        self.folded.iter().chain(&self.logs).cloned().collect()
    }

    fn list(disk: &Disk) -> Result<Self> {
        let mut files = Self::default();
        for item in disk.list(FOLDER)? {
            if item.kind != FileKind::File || !item.name.starts_with(LOG) {
                continue;
            }
            if !is_folded(&item.name) {
                files.logs.push(item.name);
                continue;
            }
            match read_lines(disk, &item.name).map(|lines| lines.map(|lines| lines.sources)) {
                Ok(Some(Some(sources))) => {
                    files.sources.extend(sources);
                    files.folded.push(item.name);
                }
                Ok(Some(None)) => files.unfinished.push(item.name),
                Ok(None) | Err(_) => {
                    files.is_unsure = true;
                    files.folded.push(item.name);
                }
            }
        }
        files.logs.sort_unstable();
        files.folded.sort_unstable();
        Ok(files)
    }

    /// Removes what a kill has left: sources that are folded, and a file that was never finished, whose name somebody
    /// else needs.
    fn remove_leftovers(&mut self, disk: &Disk, now: SystemTime) -> Result<()> {
        let folded = self.logs.iter().filter(|name| self.sources.contains(*name));
        for name in folded.chain(self.unfinished.iter().filter(|name| is_settled(disk, name, now))) {
            disk.remove(&format!("{FOLDER}/{name}"))?;
        }
        Ok(())
    }
}

/// What a file was given in addition to its name when it was rotated: when, and a random part.
fn rotation(name: &str) -> Option<&str> {
    let (_, rotation) = name.rsplit_once('.')?;
    let (when, random) = rotation.split_once('-')?;
    let is_rotated = when.len() == 20 && random.len() == 16 && when.bytes().all(|byte| byte.is_ascii_digit());
    is_rotated.then_some(rotation)
}

/// Whether others are folded into a file of this name. The log of a machine's own may begin alike, if the machine is
/// called `folded.…`, but ends with a user's number.
fn is_folded(name: &str) -> bool {
    rotation(name).is_some_and(|rotation| name.strip_prefix(FOLDED) == Some(rotation))
}

/// Whether the last write to the file is so long ago that nobody is still writing to it.
fn is_settled(disk: &Disk, name: &str, now: SystemTime) -> bool {
    let stat = disk.stat(&format!("{FOLDER}/{name}")).ok().flatten();
    stat.is_some_and(|stat| now.duration_since(stat.modified).is_ok_and(|age| age >= SETTLED))
}

/// The lines of one file.
#[derive(Default)]
struct Lines {
    periods: Vec<Period>,
    sources: Option<Vec<String>>,
    unread: u64,
}

/// Reads a file of lines; one that can't be read, or isn't there though it was listed, counts as a line that can't.
fn read_file(disk: &Disk, name: &str) -> Lines {
    let lines = read_lines(disk, name).unwrap_or_else(|error| {
        tracing::debug!(%error, "counts of calls can't be read");
        None
    });
    lines.unwrap_or_else(|| Lines { unread: 1, ..Lines::default() })
}

/// Reads a file of lines; `None` if it isn't there, or a network file system says so.
fn read_lines(disk: &Disk, name: &str) -> Result<Option<Lines>> {
    let Some(bytes) = disk.read_so_far(&format!("{FOLDER}/{name}"), FILE_MAX)? else { return Ok(None) };
    let mut lines = Lines::default();
    for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let read = if line.len() <= LINE_MAX { line::decode(line) } else { Err(Unread::Torn) };
        match read {
            Ok(LogLine::Counts(period)) => lines.periods.push(period),
            Ok(LogLine::Sources(sources)) => lines.sources = Some(sources),
            Err(Unread::Torn | Unread::Newer) => lines.unread += 1,
        }
    }
    Ok(Some(lines))
}

//! The folder as the next process finds it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ndcache::verify::{Problem, Repair};
use ndcache::{Digest, Limits, Memory, Mode};

/// Older than what may still belong to a writer.
const A_DAY_AND_MORE: Duration = Duration::from_secs(25 * 3600);

/// Nothing is damaged, and a day later nothing is left that no entry names, by its files or by its code. Returns the
/// number of entries.
pub(crate) fn check(folder: &Path) -> Result<u64, String> {
    let memory = Memory::builder(folder).mode(Mode::ReadOnly).open().map_err(|error| error.to_string())?;
    let report = memory.verify(Repair::No).map_err(|error| error.to_string())?;
    let bad = report.problems.iter().find(|(_, problem)| !matches!(problem, Problem::Orphan));
    if let Some((path, problem)) = bad {
        return Err(format!("at the end, {}: {problem}", path.display()));
    }
    println!("{:<32} {:>9}", "files that no entry names", report.orphans);
    // A process that was killed has written its lines completely or not at all, beside those of all others.
    let history = memory.history(None).map_err(|error| error.to_string())?;
    if history.unread() > 0 {
        return Err(format!("{} lines of the log don't read", history.unread()));
    }
    if history.total().misses == 0 {
        return Err("nobody has written down what was counted".to_owned());
    }
    let all = files(&folder.join("f"));
    all.iter().for_each(|path| grow_old(path));
    let memory = Memory::open(folder).map_err(|error| error.to_string())?;
    memory.reduce_size(Limits::default()).map_err(|error| error.to_string())?;
    let report = memory.verify(Repair::No).map_err(|error| error.to_string())?;
    if let Some((path, problem)) = report.problems.first() {
        return Err(format!("a day later, {}: {problem}", path.display()));
    }
    // The files are counted again, because `verify` may overlook the same ones as the sweep.
    let mut named = BTreeSet::new();
    for entry in memory.entries() {
        let entry = entry.map_err(|error| error.to_string())?;
        named.insert(entry.path().to_owned());
        named.extend(entry.files().iter().cloned());
        named.insert(code_of(entry.path())?);
    }
    match files(&folder.join("f")).difference(&named).next() {
        None => Ok(report.entries),
        Some(path) => Err(format!("a day later, {} is left and no entry names it", path.display())),
    }
}

/// The file that says what the code of a record's entry is made of, whether it is there or not.
fn code_of(record: &Path) -> Result<PathBuf, String> {
    // The name of the field `code`, and the MessagePack head of 16 bytes.
    const FIELD: &[u8] = b"\xa4code\xc4\x10";
    let bytes = fs::read(record).map_err(|error| format!("{}: {error}", record.display()))?;
    let after = bytes.windows(FIELD.len()).position(|window| window == FIELD).map(|at| &bytes[at + FIELD.len()..]);
    let code = after.and_then(|after| after.first_chunk::<16>());
    let code = code.ok_or_else(|| format!("{} has no code", record.display()))?;
    let function = record.ancestors().nth(2).expect("the function's folder");
    Ok(function.join("code").join(format!("{}.record", Digest::from_bytes(*code))))
}

/// All files below `folder`.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for item in fs::read_dir(folder).expect("a folder") {
        let path = item.expect("an item").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

fn grow_old(path: &Path) {
    let then = SystemTime::now() - A_DAY_AND_MORE;
    let file = File::open(path).expect("a file of ours");
    file.set_modified(then).expect("a file of ours");
}

//! A folder as the next process finds it.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::make::{NpyFile, read_npy};
use ndcache::policy::Durability;
use ndcache::tier::Access;
use ndcache::verify::{Problem, Repair};
use ndcache::{Call, Digest, Element, Limits, Memory, Mode};

use crate::inject::End;
use crate::jobs::{
    Answer, COUNTED, FEW_LINES, Job, LINES, MADE, NEW, STORED, Task, Tower, YOUNG, field, made, remote, staged, target,
    tier, tower,
};
use crate::scene::scene;

/// How far times are set back: further than the age of a file that may still belong to a writer.
const A_DAY_AND_MORE: Duration = Duration::from_secs(25 * 3600);

/// Checks that nothing is wrong, torn, left for ever, or lost without a message.
pub(crate) fn check(job: Job, end: &End, folder: &Path) -> Result<(), String> {
    if !folder.exists() && !job.finds_a_folder() {
        return goes_on(folder);
    }
    let memory = scene().builder(folder).mode(Mode::ReadOnly).open().map_err(|error| error.to_string())?;
    is_whole(&memory)?;
    if job.finds_a_folder() && !holds(folder, YOUNG) {
        return Err("a file was swept that somebody is about to store".to_owned());
    }
    // Whether the process answered right, with at most so many warnings.
    let right =
        |warnings: u8| matches!(end, End::Answered { answer: Answer::Right, warnings: told } if *told <= warnings);
    for n in (0..STORED).chain([NEW]) {
        let found = stored(&memory, tower::call(n, 1)).map(|tower| generation(n, &tower)).transpose()?;
        if !job.allows(n, found) {
            return Err(format!("tower {n} is {found:?}"));
        }
        if n == NEW && found.is_none() && right(0) && job.stores() {
            return Err("the result wasn't stored, and nobody was told".to_owned());
        }
    }
    let found = stored(&memory, staged::call()).map(|staged| number(&*staged, scene().staged)).transpose()?;
    if !job.allows_staged(found) || job == Job::Stage && right(0) && found.is_none() {
        return Err(format!("what was staged is {found:?}"));
    }
    if job.finds_a_folder() {
        let made: Array1<f64> = read_npy(target(folder)).map_err(|error| error.to_string())?;
        let found = number(&*made, scene().made)?;
        if !job.allows_made(found) || job == Job::Make && right(u8::MAX) && found != MADE {
            return Err(format!("the target holds {found}"));
        }
    }
    let found = stored(&memory, field::call()).map(|field| number(&*field, scene().field)).transpose()?;
    if !job.allows_field(found) {
        return Err(format!("the field is {found:?}"));
    }
    if job == Job::Upload {
        // Where the upload couldn't be noted, the result stays in this folder.
        is_sent_in_the_end(folder, matches!(end, End::Killed))?;
    }
    let before = log_reads(job, folder)?;
    goes_on(folder)?;
    let after = log_reads(job, folder)?;
    if after <= before {
        return Err(format!("the next process counted {after} misses, after {before}"));
    }
    codes_are_whole(folder)
}

/// Checks that all lines of the log are read, complete and once; returns how many misses they count.
fn log_reads(job: Job, folder: &Path) -> Result<u64, String> {
    let memory = scene().builder(folder).mode(Mode::ReadOnly).open().map_err(|error| error.to_string())?;
    let history = memory.history(None).map_err(|error| error.to_string())?;
    if history.unread() > 0 {
        return Err(format!("{} lines of the log don't read", history.unread()));
    }
    let counted = history.by_function().get(COUNTED).map_or(0, |activity| activity.hits);
    if job == Job::Log && counted != LINES + FEW_LINES {
        return Err(format!("the log has {counted} of {} hits", LINES + FEW_LINES));
    }
    Ok(history.total().misses)
}

/// Checks that a result stored here is in the tier once the next process has sent what was left, and that all in the
/// tier is whole.
fn is_sent_in_the_end(folder: &Path, is_noted: bool) -> Result<(), String> {
    let there = scene().builder(&remote(folder)).mode(Mode::ReadOnly).open().map_err(|error| error.to_string())?;
    is_whole(&there).map_err(|what| format!("in the tier: {what}"))?;
    let memory = scene().builder(folder).tier(tier(folder, Access::ReadWrite)).open();
    let memory = memory.map_err(|error| error.to_string())?;
    if !memory.contains(&tower::call(NEW, 1)) {
        return Ok(());
    }
    let flushed = memory.flush(Duration::from_secs(30)).map_err(|error| error.to_string())?;
    if is_noted && (flushed.left > 0 || !there.contains(&tower::call(NEW, 1))) {
        return Err(format!("the tower isn't in the tier after {flushed:?}"));
    }
    is_whole(&there).map_err(|what| format!("in the tier, in the end: {what}"))
}

/// What a power cut may leave of what was on the disk before the job.
pub(crate) fn check_after_cut(task: Task, end: &End, folder: &Path) -> Result<(), String> {
    let Task { job, durability } = task;
    let memory = scene().builder(folder).open().map_err(|error| error.to_string())?;
    if durability != Durability::Buffered {
        is_whole(&memory)?;
    }
    let done = matches!(end, End::Answered { answer: Answer::Right, warnings: 0 });
    let acknowledged = durability == Durability::Full && done;
    for n in (0..STORED).chain([NEW]) {
        let call = || tower::call(n, 1);
        let is_there = memory.contains(&call());
        let was_there = job.finds_a_folder() && n < STORED && !(n == 1 && matches!(job, Job::Overwrite | Job::Remove));
        if !is_there && was_there && !matches!(job, Job::Clear | Job::Evict) {
            return Err(format!("tower {n} was on the disk, and is lost"));
        }
        if !is_there && n == NEW && acknowledged && job.stores() {
            return Err("the new tower was acknowledged, and is lost".to_owned());
        }
        // Whether it is computed or loaded, its value has to be right.
        let found = generation(n, &memory.eval(call()))?;
        let newest = u16::from(n == 1 && job == Job::Overwrite) + 1;
        if !(1..=newest).contains(&found) || acknowledged && found != newest {
            return Err(format!("tower {n} is of generation {found}"));
        }
    }
    let found = number(&*memory.eval(field::call()), scene().field)?;
    if !(found == 0.0 || job == Job::Commit && found == 1.0) || acknowledged && job == Job::Commit && found != 1.0 {
        return Err(format!("the field holds {found}"));
    }
    if acknowledged && job == Job::Stage && !memory.contains(&staged::call()) {
        return Err("what was staged was acknowledged, and is lost".to_owned());
    }
    let staged = number(&*memory.eval(staged::call()), scene().staged)?;
    let made = memory.make(made::call(), NpyFile::new(target(folder))).map_err(|error| error.to_string())?;
    match (staged, number(&*made, scene().made)?) {
        (3.0, MADE) => goes_on(folder),
        found => Err(format!("what was staged and what was made hold {found:?}")),
    }
}

/// Entries are old or new, never half of one.
fn is_whole(memory: &Memory) -> Result<(), String> {
    let report = memory.verify(Repair::No).map_err(|error| error.to_string())?;
    let bad = |problem: &Problem| !matches!(problem, Problem::Orphan);
    report.problems.iter().find(|(_, problem)| bad(problem)).map_or(Ok(()), |(path, problem)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Err(format!("{name}: {problem}"))
    })
}

/// What is stored of a call, if it is.
fn stored<A, R>(memory: &Memory, call: Call<A, R>) -> Option<R> {
    let hits = memory.stats().hits();
    let value = memory.contains(&call).then(|| memory.eval(call))?;
    (memory.stats().hits() > hits).then_some(value)
}

/// The generation of tower `n`; an error if its arrays are of several.
fn generation(n: u16, tower: &Tower) -> Result<u16, String> {
    let (scene, more) = (scene(), scene().more.into_iter().flatten());
    let beside = number(&*tower.beside, scene.beside.0 * scene.beside.1)?;
    let mut numbers = vec![number(&*tower.inside, scene.inside)?, beside, number(&*tower.mapped, scene.mapped)?];
    if more.clone().count() != tower.more.len() {
        return Err(format!("tower {n} has {} arrays more", tower.more.len()));
    }
    for (array, len) in tower.more.iter().zip(more) {
        numbers.push(number(&**array, len)?);
    }
    let first = numbers[0];
    let generation = first as u16 - (10 * n).min(first as u16);
    if numbers.iter().all(|&x| x == first) { Ok(generation) } else { Err(format!("tower {n} holds {numbers:?}")) }
}

/// The number that all of an array of this length holds.
fn number<A: Element + Copy + PartialEq + Into<f64>, D: Dimension>(
    array: &ArrayRef<A, D>,
    len: usize,
) -> Result<f64, String> {
    let (Some(&first), true) = (array.first(), array.len() == len) else {
        return Err(format!("an array has {} elements, expected {len}", array.len()));
    };
    match array.as_slice_memory_order().is_some_and(|elements| elements[1..] == elements[..len - 1]) {
        true => Ok(first.into()),
        false => Err(format!("an array holds {} and others", first.into())),
    }
}

/// Whether there is a file whose name ends so.
fn holds(folder: &Path, ending: &str) -> bool {
    fs::read_dir(folder).expect("a folder").any(|item| {
        let item = item.expect("an item");
        match item.file_type().expect("its type").is_dir() {
            true => holds(&item.path(), ending),
            false => item.file_name().to_string_lossy().ends_with(ending),
        }
    })
}

/// The next process can store and hit, and, a day later, sweep out what was left.
fn goes_on(folder: &Path) -> Result<(), String> {
    let memory = scene().builder(folder).open().map_err(|error| error.to_string())?;
    for n in [NEW, NEW + 1] {
        memory.eval(tower::call(n, 1));
        if !memory.contains(&tower::call(n, 1)) {
            return Err(format!("tower {n} can't be stored any more"));
        }
    }
    if memory.stats().faults() > 0 {
        return Err("the next process meets a fault".to_owned());
    }
    grow_old(folder);
    memory.reduce_size(Limits::default()).map_err(|error| error.to_string())?;
    let report = memory.verify(Repair::No).map_err(|error| error.to_string())?;
    match report.problems.first() {
        None => Ok(()),
        Some((path, problem)) => Err(format!("a day later, {}: {problem}", path.display())),
    }
}

/// What the functions' codes are made of is whole, or not there; and nothing is left of what was never published. A
/// power cut may leave more of it, and of other content: nobody depends on it.
fn codes_are_whole(folder: &Path) -> Result<(), String> {
    let functions = fs::read_dir(folder.join("f")).into_iter().flatten();
    let folders = functions.map(|function| function.expect("a function").path().join("code"));
    for code in folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten()) {
        let path = code.expect("an item").path();
        let bytes = fs::read(&path).map_err(|error| error.to_string())?;
        let whole = bytes.split_last_chunk::<16>().is_some_and(|(sealed, trailer)| {
            let digest = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(sealed));
            sealed.starts_with(b"ndcache\0") && digest == Digest::from_bytes(*trailer).to_string()
        });
        if !whole || path.extension().is_none_or(|extension| extension != "record") {
            return Err(format!("a day later, {} isn't what a code is made of", path.display()));
        }
    }
    Ok(())
}

fn grow_old(folder: &Path) {
    let then = SystemTime::now() - A_DAY_AND_MORE;
    for item in fs::read_dir(folder).expect("a folder") {
        let path = item.expect("an item").path();
        if path.is_dir() {
            grow_old(&path);
        } else if let Ok(file) = fs::File::open(&path) {
            file.set_modified(then).expect("a file of ours");
        }
    }
}

/// Copies a folder with its modes, if there is one.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    if !from.exists() {
        return;
    }
    fs::create_dir(to).expect("a new folder");
    for item in fs::read_dir(from).expect("a folder") {
        let item = item.expect("an item");
        let copy = to.join(item.file_name());
        if item.file_type().expect("its type").is_dir() {
            copy_folder(&item.path(), &copy);
        } else {
            fs::copy(item.path(), copy).expect("a copy");
        }
    }
}

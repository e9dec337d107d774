//! `ndcache import`: entries from an archive, all of which are verified before the first one is published.

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use ndcache::inspect::{Foreign, Origin};
use ndcache::{ErrorKind, Memory};
use serde_json::{Value as Json, json};

use crate::args::Import;
use crate::cache;
use crate::commands::exchange::archive::ArchiveFile;
use crate::exit::{Exit, Failure, Outcome};
use crate::interrupt::Unfinished;
use crate::out::Out;
use crate::text::{entries, safe, size};

/// The longest record.
const RECORD_MAX: u64 = 64 << 10;

pub(crate) fn run(args: &Import, out: &mut Out) -> Outcome {
    let archive = ArchiveFile::open(&args.archive)?;
    if args.dry_run {
        return dry_run(args, &archive, out);
    }
    let folder = cache::changeable(out)?;
    if !cache::is_blank(&folder) {
        return take(args, &archive, &cache::for_writing(out)?, out);
    }
    let new = NewCache { folder: std::path::absolute(&folder)?, found: names(&folder) };
    let memory = Memory::open(&folder).map_err(Failure::unreadable)?;
    let taken = take(args, &archive, &memory, out);
    drop(memory);
    match taken.is_ok() {
        true => out.note(format!("made a cache in `{}`", new.folder.display())),
        false => new.remove(),
    }
    taken
}

/// Imports all entries of an archive, or none.
fn take(args: &Import, archive: &ArchiveFile, memory: &Memory, out: &mut Out) -> Outcome {
    let unfinished = Unfinished::begin();
    // Whichever fails, those before it are dropped, and their files with them.
    let (mut staged, mut codes) = (Vec::new(), HashSet::new());
    for record in &archive.records {
        let (foreign, code) = stage(memory, archive, record, args, &unfinished)?;
        // Many entries have one code, which is kept once.
        let code = code.filter(|_| codes.insert((foreign.function().to_owned(), foreign.code())));
        staged.push((foreign, code));
    }
    let (mut new, mut bytes, mut keys) = (0, 0, Vec::new());
    // All are verified: from here on nothing stops them.
    for (foreign, code) in staged {
        let function = foreign.function().to_owned();
        if let Some(code) = code {
            foreign.keep_code_record(&code)?;
        }
        let published = foreign.publish()?;
        new += u64::from(published.is_new);
        bytes += if published.is_new { published.bytes } else { 0 };
        keys.push(json!({ "key": published.key.to_string(), "function": function, "new": published.is_new }));
    }
    let exit = tell("imported", new, bytes, keys, out)?;
    // Before a signal may end it.
    out.finish()?;
    let Some(interrupted) = unfinished.exit() else { return Ok(exit) };
    out.complain("interrupted; all of it was imported already");
    Ok(interrupted)
}

/// Imports into a folder that is removed again.
fn dry_run(args: &Import, archive: &ArchiveFile, out: &mut Out) -> Outcome {
    let unfinished = Unfinished::begin();
    let scratch = Scratch::new()?;
    let memory = Memory::open(&scratch.0)?;
    // A folder that would become a cache has no entries.
    let blank = cache::named(out).filter(|folder| cache::is_blank(folder));
    let here = if blank.is_some() { None } else { Some(cache::for_reading(out)?) };
    let (mut new, mut bytes, mut keys) = (0, 0, Vec::new());
    for record in &archive.records {
        // One at a time, so that there has to be room for one.
        let (foreign, _) = stage(&memory, archive, record, args, &unfinished)?;
        let is_new = !here.as_ref().is_some_and(|here| matches!(here.entry_by_id(foreign.key()), Ok(Some(_))));
        new += u64::from(is_new);
        bytes += if is_new { foreign.bytes() } else { 0 };
        keys.push(json!({ "key": foreign.key().to_string(), "function": foreign.function(), "new": is_new }));
    }
    if let Some(folder) = blank {
        out.note(format!("would make a cache in `{}`", std::path::absolute(folder)?.display()));
    }
    tell("would import", new, bytes, keys, out)
}

/// Verifies an entry, and what says of what its code was made, if that came along.
fn stage(
    memory: &Memory,
    archive: &ArchiveFile,
    name: &str,
    args: &Import,
    unfinished: &Unfinished,
) -> Outcome<(Foreign, Option<Vec<u8>>)> {
    unfinished.check()?;
    let message = |error: &dyn std::fmt::Display| {
        let archive = args.archive.display();
        format!("archive `{archive}`: `{}`: {error}; nothing was taken", safe(name))
    };
    let refuse = |error: &dyn std::fmt::Display| Failure::found(message(error));
    let mut record = Vec::new();
    archive.read(name)?.take(RECORD_MAX + 1).read_to_end(&mut record)?;
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_lacking = Cell::new(false);
    let open = |file: &str| {
        let found = archive.read(&format!("{folder}/{file}"));
        is_lacking.set(is_lacking.get() || found.is_err());
        Ok(Stoppable(found?, unfinished))
    };
    let staged = memory.stage_foreign(&record, Origin::Import, open);
    // What was copied half is removed on the way out.
    unfinished.check()?;
    let foreign = staged.map_err(|error| match error.kind() {
        // A full disk, say, which is no fault of the archive.
        ErrorKind::Io if !is_lacking.get() => Failure::unreadable(message(&error)),
        _ => refuse(&error),
    })?;
    let key = foreign.key().to_string();
    if !name.ends_with(&format!("/{}/{key}.record", &key[..2])) {
        return Err(refuse(&format!("its record is of {key}")));
    }
    if foreign.holds_pickle() && !args.with_pickles {
        return Err(refuse(
            &"it holds an object that Python pickled, which runs code when it is loaded: say `--with-pickles`",
        ));
    }
    let function = folder.rsplit_once('/').map_or("", |(function, _)| function);
    let code = archive.code(function, foreign.code())?;
    if code.as_ref().is_some_and(|code| !foreign.is_code_record(code)) {
        return Err(refuse(&"what should say of what its code was made doesn't"));
    }
    Ok((foreign, code))
}

fn tell(what: &str, new: u64, bytes: u64, keys: Vec<Json>, out: &mut Out) -> Outcome {
    let known = keys.len() as u64 - new;
    if out.is_json() {
        out.document(json!({ "new": new, "known": known, "bytes": bytes, "entries": keys }))?;
        return Ok(Exit::Fine);
    }
    let known = if known > 0 { format!("; {} already there", entries(known)) } else { String::new() };
    out.line(format!("{what} {}, {}, all verified{known}", entries(new), size(bytes)))?;
    Ok(Exit::Fine)
}

/// A cache that was made for what is imported.
struct NewCache {
    folder: PathBuf,
    /// What was in the folder before; `None` if it was missing.
    found: Option<Vec<OsString>>,
}

/// What is in a folder, if it is there.
fn names(folder: &Path) -> Option<Vec<OsString>> {
    let items = fs::read_dir(folder).ok()?;
    Some(items.filter_map(Result::ok).map(|item| item.file_name()).collect())
}

impl NewCache {
    /// Removes it again, as far as nothing lies in it that anybody could want.
    fn remove(&self) {
        let subfolders = |folder: &Path| -> Vec<PathBuf> {
            let items = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            items.filter(|item| item.file_type().is_ok_and(|it| it.is_dir())).map(|item| item.path()).collect()
        };
        for functions in subfolders(&self.folder) {
            for function in subfolders(&functions) {
                // A folder goes only if it is empty.
                subfolders(&function).iter().chain([&function]).for_each(|folder| drop(fs::remove_dir(folder)));
            }
            let _ = fs::remove_dir(functions);
        }
        if subfolders(&self.folder).is_empty() {
            let was_there = |name: &str| self.found.iter().flatten().any(|found| found == name);
            let made = ["CACHEDIR.TAG", ".gitignore", "locks"].into_iter().filter(|name| !was_there(name));
            made.for_each(|name| drop(fs::remove_file(self.folder.join(name))));
            if self.found.is_none() {
                let _ = fs::remove_dir(&self.folder);
            }
        }
    }
}

/// A file that can't be read on once somebody has interrupted.
struct Stoppable<'a, R>(R, &'a Unfinished);

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1.check().map_err(|_| io::Error::other("interrupted"))?;
        self.0.read(out)
    }
}

/// A folder of its own, which is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Outcome<Self> {
        for attempt in 0_u32..1000 {
            let name = format!("ndcache-import-{}-{attempt}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            // What is imported may be nobody else's to read.
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::unreadable("can't make a folder to verify in"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

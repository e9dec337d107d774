//! Things that are no files of a cache, at every path that it opens, makes, lists or removes: whatever it is asked for,
//! values are right, nothing outside changes, nothing waits, and what is refused is told by its name.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::make::NpyFile;
use ndcache::verify::Repair;
use ndcache::{Limits, Memory, cache};
use rustix::fs::{CWD, FileType, Mode as Bits, makedev, mknodat};

use crate::support::{files, warnings};

/// How long a case may take; usually it takes some ten milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

/// Large enough for a mapped file.
const N: usize = 20_000;

/// Too long for a record.
#[cache]
fn long(n: usize) -> String {
    "0123456789abcdef".repeat(n)
}

const LONG: usize = 5_000;

/// A thing that stands at a path in place of the right one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Thing {
    /// A link to the right thing, which was moved outside.
    LinkToTheRight,
    LinkToAFile,
    LinkToAFolder,
    LinkToNothing,
    /// Another name of the right file.
    SameFile,
    /// Another name of a file outside.
    OtherFile,
    Fifo,
    /// `/dev/zero`, which ends nowhere.
    Device,
    Socket,
    Folder,
    Empty,
    Unreadable,
}

use Thing::*;

const THINGS: [Thing; 12] = [
    LinkToTheRight,
    LinkToAFile,
    LinkToAFolder,
    LinkToNothing,
    SameFile,
    OtherFile,
    Fifo,
    Device,
    Socket,
    Folder,
    Empty,
    Unreadable,
];

/// A cache with an entry of each kind and a target, and a folder that is none of its business.
struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let ground = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["outside/folder/ab", "targets"] {
            fs::create_dir_all(ground.path(folder)).unwrap();
        }
        for file in ["secret", "folder/secret", "folder/secret.record", "folder/ab/secret.npy", "folder/.gitignore"] {
            fs::write(ground.path("outside").join(file), "root:x:0:0\n").unwrap();
        }
        let memory = ground.memory().unwrap();
        fs::create_dir(ground.root().join("p")).unwrap();
        memory.eval(ramp::call(N));
        memory.eval(long::call(LONG));
        memory.make(ramp::call(N), NpyFile::new(ground.path("targets/a.npy"))).unwrap();
        memory.make(ramp::call(N), NpyFile::mapped(ground.path("targets/mapped.npy"))).unwrap();
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn root(&self) -> PathBuf {
        self.path("cache")
    }

    fn memory(&self) -> ndcache::Result<Memory> {
        Memory::builder(self.root()).inline(0).open()
    }

    /// Every path of the cache and of the targets, by what it is; some aren't there yet.
    fn places(&self) -> Vec<(&'static str, PathBuf)> {
        let root = self.root();
        let record = self.memory().unwrap().entry(&ramp::call(N)).unwrap().unwrap();
        let long = self.memory().unwrap().entry(&long::call(LONG)).unwrap().unwrap();
        let shard = record.path().parent().unwrap().to_owned();
        let key = record.key().to_string();
        let slots = files(&root.join("m"), ".record");
        let codes = fs::read_dir(shard.parent().unwrap().join("code")).unwrap();
        let code = codes.map(|code| code.unwrap().path()).next().unwrap();
        vec![
            ("root", root.clone()),
            ("tag", root.join("CACHEDIR.TAG")),
            ("ignore", root.join(".gitignore")),
            ("locks", root.join("locks")),
            ("functions", root.join("f")),
            ("function", shard.parent().unwrap().to_owned()),
            ("shard", shard.clone()),
            ("record", record.path().to_owned()),
            ("array", record.files()[0].clone()),
            ("record of an overflow", long.path().to_owned()),
            ("overflow", files(&root.join("f"), ".msgpack").remove(0)),
            ("staged record", shard.join(format!("{key}.record.0123456789abcdef.tmp"))),
            ("staged array", shard.join(format!("{key}.0123456789abcdef.npy"))),
            ("another record", shard.join(format!("{}.record", "0".repeat(32)))),
            ("another shard", shard.parent().unwrap().join(if shard.ends_with("fe") { "fd" } else { "fe" })),
            ("codes", shard.parent().unwrap().join("code")),
            ("code", code),
            ("pins", root.join("p")),
            ("pin", root.join("p/mine")),
            ("another function", root.join("f/function-0123456789abcdef")),
            ("slots", root.join("m")),
            ("slot", slots[0].clone()),
            ("second slot", slots[1].clone()),
            ("staged slot", root.join("m/0123456789abcdef.record.0123456789abcdef.tmp")),
            ("target", self.path("targets/a.npy")),
            ("mapped target", self.path("targets/mapped.npy")),
            ("staged target", self.path("targets/.a.npy.0123456789abcdef.tmp")),
        ]
    }

    /// Returns `false` where that isn't possible: a second name of a folder, or a device without the right to make one.
    fn plant(&self, thing: Thing, path: &Path) -> bool {
        let right = self.path("outside/right");
        if path.exists() {
            fs::rename(path, &right).unwrap();
        } else {
            fs::write(&right, "a file").unwrap();
        }
        let secret = self.path("outside/secret");
        let node = |what| mknodat(CWD, path, what, Bits::from_raw_mode(0o666), makedev(1, 5)).map_err(Into::into);
        let planted: std::io::Result<()> = match thing {
            LinkToTheRight => symlink(&right, path),
            LinkToAFile => symlink(&secret, path),
            LinkToAFolder => symlink(self.path("outside/folder"), path),
            LinkToNothing => symlink(self.path("outside/nothing"), path),
            SameFile => fs::hard_link(&right, path),
            OtherFile => fs::hard_link(&secret, path),
            Fifo => node(FileType::Fifo),
            Device => node(FileType::CharacterDevice),
            Socket => node(FileType::Socket),
            Folder => fs::create_dir(path).and_then(|()| fs::write(path.join("inside"), "")),
            Empty => fs::write(path, ""),
            Unreadable => {
                let copied = if right.is_file() { fs::copy(&right, path).map(drop) } else { fs::write(path, "") };
                copied.and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o000)))
            }
        };
        match planted {
            Ok(()) => true,
            Err(_) if thing == SameFile && right.is_dir() => false,
            Err(error) if thing == Device => {
                println!("skipped: {thing:?} at {}: {error}", path.display());
                false
            }
            Err(error) => panic!("{thing:?} at {}: {error}", path.display()),
        }
    }

    /// Everything outside, with its content, mode and time of last change, long ago.
    fn outside(&self, times: bool) -> BTreeMap<PathBuf, (u32, Vec<u8>, i64)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path("outside")];
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(&folder).unwrap() {
                let path = item.unwrap().path();
                let state = fs::symlink_metadata(&path).unwrap();
                let bytes = if state.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                if state.is_dir() {
                    folders.push(path.clone());
                }
                found.insert(path, (state.mode(), bytes, if times { state.mtime() } else { 0 }));
            }
        }
        found
    }

    /// Makes all files outside so old that stamps and sweeps would have a reason to change them.
    fn set_back(&self) {
        let long_ago = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
        for path in self.outside(false).into_keys().filter(|path| path.is_file()) {
            File::open(path).unwrap().set_modified(long_ago).unwrap();
        }
    }
}

/// Everything that a program may ask for; whatever is refused, in words.
fn use_all(ground: &Ground) -> Vec<String> {
    let mut told = Vec::new();
    let memory = match ground.memory() {
        Ok(memory) => memory,
        Err(error) => return vec![error.to_string()],
    };
    let (array, text) = (ramp::compute(N), long::compute(LONG));
    let values = |memory: &Memory| {
        assert_eq!(memory.eval(ramp::call(N)), array, "loaded");
        assert_eq!(memory.eval(long::call(LONG)), text, "loaded from an overflow");
        assert_eq!(memory.mmap(ramp::call(N)), array, "mapped");
        assert_eq!(memory.mmap_cow(ramp::call(N)), array, "copied on write");
    };
    let mut note = |what: &str, result: ndcache::Result<()>| {
        if let Err(error) = result {
            told.push(format!("{what}: {error}"));
        }
    };
    for call in [ramp::call(N), ramp::call(N + 1)] {
        let _ = (memory.contains(&call), memory.explain(&call).to_string());
        note("entry", memory.entry(&call).map(drop));
        note("lineage", memory.lineage(&call).map(drop));
    }
    for item in memory.entries() {
        note("entries", item.map(drop));
    }
    note("verify", memory.verify(Repair::No).map(drop));
    values(&memory);
    let shelved = memory.shelve(ramp::call(N));
    if let Ok(shelved) = &shelved {
        match shelved.load(&memory) {
            Ok(loaded) => assert_eq!(loaded, array, "shelved"),
            Err(error) => note("load", Err(error)),
        }
    }
    note("shelve", shelved.map(drop));
    match memory.mmap_mut(ramp::call(N)) {
        Ok(mutable) => note("commit", mutable.commit().map(drop)),
        Err(error) => note("mmap_mut", Err(error)),
    }
    for _ in 0..2 {
        match memory.make(ramp::call(N), NpyFile::new(ground.path("targets/a.npy"))) {
            Ok(made) => assert_eq!(made, array, "made"),
            Err(error) => note("make", Err(error)),
        }
        match memory.make(ramp::call(N), NpyFile::mapped(ground.path("targets/mapped.npy"))) {
            Ok(made) => assert_eq!(made, array, "made and mapped"),
            Err(error) => note("make", Err(error)),
        }
    }
    assert_eq!(memory.refresh(ramp::call(N)), array, "refreshed");
    values(&memory);
    match ground.memory() {
        Ok(again) => values(&again),
        Err(error) => note("open", Err(error)),
    }
    note("verify", memory.verify(Repair::Remove).map(drop));
    note("reduce_size", memory.reduce_size(Limits::default().items(1)).map(drop));
    values(&memory);
    note("remove", memory.remove(&ramp::call(N)).map(drop));
    note("clear_function", memory.clear_function(ramp::function()).map(|_| ()));
    values(&memory);
    note("clear", memory.clear().map(|_| ()));
    values(&memory);
    told
}

/// Whether the cache uses that place, and the thing can't be right there.
fn is_refused(thing: Thing, what: &str) -> bool {
    let unused = [
        "tag",
        "ignore",
        "staged record",
        "staged array",
        "another function",
        "staged slot",
        "staged target",
        // Explanations do without, and what is no file or folder holds no pins.
        "codes",
        "code",
        "pins",
        "pin",
    ];
    let is_file = matches!(thing, SameFile | OtherFile | Empty | Unreadable);
    // A listing passes over a FIFO in a folder's place, and the root may be a link.
    let passed_over =
        what == "another shard" && !matches!(thing, LinkToTheRight | LinkToAFile | LinkToAFolder | LinkToNothing);
    let root = what == "root" && matches!(thing, LinkToTheRight | LinkToAFolder);
    !unused.contains(&what) && !is_file && thing != Folder && !passed_over && !root
}

/// Tries one thing at one place; returns the messages, or `None` if it can't stand there.
fn attempt(thing: Thing, place: usize) -> Option<Vec<String>> {
    let ground = Ground::new();
    let (what, path) = ground.places().swap_remove(place);
    if !ground.plant(thing, &path) {
        return None;
    }
    ground.set_back();
    // A second name of a file is that file: a record's stamp shows in both.
    let times = !matches!(thing, SameFile | OtherFile);
    let before = ground.outside(times);
    let mut told = Vec::new();
    let warned = warnings(|| told = use_all(&ground));
    told.extend(warned);
    // The root itself may be a link to a folder.
    if what != "root" || !matches!(thing, LinkToTheRight | LinkToAFolder) {
        let after = ground.outside(times);
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{what}: {thing:?}");
        assert!(after == before, "{what}: {thing:?} changed what is outside");
    }
    let (whole, root) = (path.display().to_string(), ground.root());
    let below = path.strip_prefix(root).map_or(whole.clone(), |below| format!("`{}", below.display()));
    let named = told.iter().any(|line| line.contains(&whole) || line.contains(&below));
    assert!(named || told.is_empty() && !is_refused(thing, what), "{what}: {thing:?}: {told:?}");
    // A thing that was removed is stored again; a folder with somebody's new file in it stays.
    if what != "root" && what != "locks" && thing != Folder {
        let memory = ground.memory().unwrap();
        assert_eq!(
            (memory.eval(ramp::call(N)), memory.eval(long::call(LONG))),
            (ramp::compute(N), long::compute(LONG))
        );
        assert_eq!(memory.stats().hits(), 2, "{what}: {thing:?} is replaced");
    }
    Some(told)
}

#[test]
fn nothing_that_is_planted_anywhere_leads_astray_waits_or_changes_a_value() {
    let places = Ground::new().places();
    let mut done = 0;
    for (number, (what, _)) in places.iter().enumerate() {
        for thing in THINGS {
            let (send, receive) = mpsc::channel();
            let case = std::thread::spawn(move || {
                let told = attempt(thing, number);
                let _ = send.send(());
                told
            });
            let waited = receive.recv_timeout(PATIENCE);
            assert!(waited != Err(mpsc::RecvTimeoutError::Timeout), "{what}: {thing:?} waits for ever");
            let told = case.join().unwrap_or_else(|_| panic!("{what}: {thing:?}"));
            done += usize::from(told.is_some());
        }
    }
    println!("{done} things at {} places", places.len());
    assert!(done > 200, "{done}");
}

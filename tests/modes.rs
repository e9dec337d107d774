//! Modes of a memory: what is looked up, computed and written in each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::policy::{Durability, EvictPolicy, MapPolicy, VerifyPolicy};
use ndcache::{Compression, ErrorKind, Limits, Memory, Mode, cache};

use crate::support::{child, fresh, in_child, skip, snapshot, warnings};

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cache]
fn counted(n: usize) -> Array1<f64> {
    RUNS.fetch_add(1, Ordering::SeqCst);
    Array1::from_elem(n, 0.5)
}

#[cache(depends(counted))]
fn outer(n: usize) -> f64 {
    counted(n).sum()
}

#[test]
fn looking_has_no_side_effects() {
    let (folder, memory) = fresh();
    memory.eval(counted::call(1000));
    let before = snapshot(folder.path());
    let stats = memory.stats();
    assert!(memory.contains(&counted::call(1000)));
    assert!(!memory.contains(&counted::call(1001)));
    assert_eq!(memory.explain(&counted::call(1000)).reason(), Reason::Hit);
    assert!(memory.entry(&counted::call(1001)).unwrap().is_none());
    assert_eq!(memory.entries().count(), 1);
    assert_eq!(snapshot(folder.path()), before);
    assert_eq!(memory.stats(), stats);
}

#[test]
fn a_read_only_memory_hits_and_computes_and_writes_nothing() {
    let (folder, memory) = fresh();
    memory.eval(outer::call(2000));
    let before = snapshot(folder.path());
    let reader = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
    assert_eq!(reader.eval(outer::call(2000)), 1000.0);
    assert_eq!(reader.eval(outer::call(3000)), 1500.0);
    assert_eq!((reader.stats().hits(), reader.stats().misses()), (1, 2));
    assert_eq!(reader.clear().unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn a_read_only_memory_without_a_folder_computes_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nothing was restored");
    let open = || Memory::builder(&path).mode(Mode::ReadOnly).open();
    let warned = warnings(|| {
        let memory = open().unwrap();
        assert_eq!((memory.mode(), memory.eval(outer::call(3000))), (Mode::ReadOnly, 1500.0));
        assert_eq!((memory.location(), memory.settings().mode, memory.stats().misses()), (None, Mode::ReadOnly, 0));
    });
    assert!(!path.exists());
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains(path.to_str().unwrap()), "{warned:?}");
    // A file in the place of the folder is the user's mistake.
    std::fs::write(&path, "").unwrap();
    assert_eq!(open().unwrap_err().kind(), ErrorKind::Io);
    std::fs::remove_file(&path).unwrap();
    Memory::open(&path).unwrap().eval(outer::call(3000));
    let memory = open().unwrap();
    assert_eq!((memory.mode(), memory.eval(outer::call(3000)), memory.stats().hits()), (Mode::ReadOnly, 1500.0, 1));
}

const WRITES: &str = "write,pwrite64,writev,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,utimensat,chmod,\
                      fchmod,fchmodat,fallocate,ftruncate,link,linkat,symlink,symlinkat,fcntl,flock,openat,openat2";

#[test]
fn modes_that_write_nothing_make_no_call_that_could() {
    const NAME: &str = "modes::modes_that_write_nothing_make_no_call_that_could";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let mode = std::env::var("MODE").unwrap().parse().unwrap();
        let memory = Memory::builder(folder).mode(mode).open().unwrap();
        assert_eq!(memory.eval(outer::call(2000)), 1000.0);
        assert_eq!(memory.eval(outer::call(3000)), 1500.0);
        return;
    }
    if std::process::Command::new("strace").arg("-V").output().is_err() && skip("strace") {
        return;
    }
    let (folder, memory) = fresh();
    memory.eval(outer::call(2000));
    let before = snapshot(folder.path());
    for mode in ["read-only", "off"] {
        let path = folder.path().to_str().unwrap();
        let program = child(NAME, &[("FOLDER", path), ("MODE", mode)]);
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut strace = std::process::Command::new("strace");
        strace.args(["-f", "-y", "-e", &format!("trace={WRITES}"), "-o"]).arg(log.path());
        strace.arg(program.get_program()).args(program.get_args());
        strace.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = strace.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let log = std::fs::read_to_string(log.path()).unwrap();
        // The standard library of a debug build asks whether a descriptor that it closes is open.
        let ours = log.lines().filter(|line| line.contains(path) && !line.contains("F_GETFD"));
        let writing = |line: &&str| {
            let opens = line.contains("openat");
            !opens || line.contains("O_CREAT") || line.contains("O_WRONLY") || line.contains("O_RDWR")
        };
        let writing: Vec<_> = ours.clone().filter(writing).collect();
        assert!(writing.is_empty(), "mode {mode}: {writing:#?}");
        assert_eq!(ours.count() > 0, mode == "read-only", "only a memory that is on looks into the folder");
    }
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn refreshing_computes_each_key_once_nested_calls_too() {
    #[cache]
    fn inner(n: usize) -> usize {
        INNER.fetch_add(1, Ordering::SeqCst);
        n
    }
    #[cache(depends(inner))]
    fn outer(n: usize) -> usize {
        OUTER.fetch_add(1, Ordering::SeqCst);
        inner(n) + inner(n)
    }
    static INNER: AtomicUsize = AtomicUsize::new(0);
    static OUTER: AtomicUsize = AtomicUsize::new(0);
    let runs = || (OUTER.load(Ordering::SeqCst), INNER.load(Ordering::SeqCst));

    let (folder, memory) = fresh();
    memory.eval(outer::call(1));
    assert_eq!(runs(), (1, 1));
    let memory = Memory::builder(folder.path()).mode(Mode::Refresh).open().unwrap();
    assert_eq!(memory.explain(&outer::call(1)).reason(), Reason::Refresh);
    for _ in 0..3 {
        assert_eq!(memory.eval(outer::call(1)), 2);
    }
    assert_eq!(runs(), (2, 2));
    assert_eq!(memory.entries().count(), 2);
}

#[test]
fn one_call_can_be_refreshed() {
    #[cache]
    fn next() -> usize {
        CALLS.fetch_add(1, Ordering::SeqCst)
    }
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let (folder, memory) = fresh();
    assert_eq!(memory.eval(next::call()), 0);
    assert_eq!(memory.eval(next::call()), 0);
    assert_eq!(memory.refresh(next::call()), 1);
    assert_eq!(memory.eval(next::call()), 1);
    assert_eq!(crate::support::files(folder.path(), ".record").len(), 1);
}

#[test]
fn a_refreshed_array_leaves_no_file_of_its_predecessor() {
    let (folder, memory) = fresh();
    memory.eval(counted::call(5000));
    let mapped = memory.mmap(counted::call(5000));
    memory.refresh(counted::call(5000));
    assert_eq!(crate::support::files(folder.path(), ".npy").len(), 1);
    assert!(mapped.iter().all(|&x| x == 0.5), "whoever has the old file mapped keeps it");
}

#[test]
fn a_disabled_memory_just_runs() {
    let memory = Memory::disabled();
    let before = RUNS.load(Ordering::SeqCst);
    assert_eq!(memory.eval(counted::call(3)).len(), 3);
    assert_eq!(memory.mmap(counted::call(3)).len(), 3);
    assert_eq!(memory.explain(&counted::call(3)).reason(), Reason::Off);
    assert!(!memory.contains(&counted::call(3)));
    assert!(!memory.remove(&counted::call(3)).unwrap());
    memory.clear().unwrap();
    assert!(RUNS.load(Ordering::SeqCst) >= before + 2);
    assert_eq!(memory.stats(), ndcache::stats::Stats::default());
}

#[test]
fn without_a_memory_no_argument_is_hashed() {
    const NAME: &str = "modes::without_a_memory_no_argument_is_hashed";
    #[cache]
    fn total(x: &ArrayRef1<f64>) -> f64 {
        x.sum()
    }
    if in_child(NAME, "NDCACHE_TEST_CHILD").is_none() {
        // In a process of its own, where no other test hashes anything.
        assert!(child(NAME, &[]).status().unwrap().success());
        return;
    }
    let x = Array1::from_elem(1000, 2.0);
    let before = ndcache::__private::arrays_hashed();
    assert_eq!(total(&x), 2000.0);
    assert_eq!(Memory::disabled().eval(total::call(&x)), 2000.0);
    assert_eq!(total::compute(&x), 2000.0);
    assert_eq!(ndcache::__private::arrays_hashed(), before);
    let (_folder, memory) = fresh();
    let call = total::call(&x);
    assert!(!memory.contains(&call));
    assert_eq!(memory.eval(call), 2000.0);
    let hashed = ndcache::__private::arrays_hashed() - before;
    // A debug build looks at the arguments again after computing.
    assert_eq!(hashed, if cfg!(debug_assertions) { 2 } else { 1 }, "`contains`, then `eval`: hashed once");
}

#[test]
fn the_environment_names_folder_and_mode() {
    const NAME: &str = "modes::the_environment_names_folder_and_mode";
    if let Some(expected) = in_child(NAME, "EXPECTED") {
        let memory = Memory::from_env("unused").map(|memory| (memory.mode(), memory.location().map(ToOwned::to_owned)));
        assert_eq!(format!("{memory:?}"), expected);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let path = path.to_str().unwrap();
    for (mode, expected) in [
        ("read-write", format!("Ok((ReadWrite, Some({path:?})))")),
        ("read-only", format!("Ok((ReadOnly, Some({path:?})))")),
        ("refresh", format!("Ok((Refresh, Some({path:?})))")),
        ("off", "Ok((Off, None))".to_owned()),
        (
            "rw",
            "Err(`NDCACHE_MODE`: mode is `rw`, expected `read-write`, `read-only`, `refresh` or `off` (Invalid))"
                .to_owned(),
        ),
    ] {
        let variables = [("NDCACHE_DIR", path), ("NDCACHE_MODE", mode), ("EXPECTED", &expected)];
        let output = child(NAME, &variables).output().unwrap();
        assert!(output.status.success(), "{mode}: {}", String::from_utf8_lossy(&output.stdout));
    }
    assert!(!std::path::Path::new("unused").exists());
}

#[test]
fn the_strictest_mode_wins() {
    assert!(Mode::Off > Mode::ReadOnly && Mode::ReadOnly > Mode::Refresh && Mode::Refresh > Mode::ReadWrite);
}

#[test]
fn a_thread_can_have_a_memory_of_its_own() {
    let (_a, one) = fresh();
    let (_b, other) = fresh();
    one.with(|| {
        counted(10);
        other.with(|| counted(11));
        counted(12);
        // A thread that is started inside doesn't use the memory.
        std::thread::scope(|scope| scope.spawn(|| counted(13)).join().unwrap());
    });
    assert_eq!((one.entries().count(), other.entries().count()), (2, 1));
    let panicked = std::panic::catch_unwind(|| other.with(|| panic!("on purpose")));
    assert!(panicked.is_err());
    one.with(|| counted(14));
    assert_eq!((one.entries().count(), other.entries().count()), (3, 1));
}

#[test]
fn a_cached_call_inside_another_that_does_not_name_it_warns_once() {
    #[cache]
    fn inner() -> u8 {
        1
    }
    #[cache(helpers = "named")]
    fn forgets(n: u8) -> u8 {
        n + inner()
    }
    #[cache]
    fn finds(n: u8) -> u8 {
        n + inner()
    }
    #[cache(depends(inner))]
    fn names(n: u8) -> u8 {
        n + inner()
    }
    let (_folder, memory) = fresh();
    let warned = warnings(|| {
        for n in 0..3 {
            memory.eval(names::call(n));
            memory.eval(finds::call(n));
            memory.eval(forgets::call(n));
        }
    });
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("forgets") && warned[0].contains("inner"), "{warned:?}");
}

#[test]
fn every_setting_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let second = Duration::from_secs(1);
    let builder = Memory::builder(folder.path())
        .mode(Mode::Refresh)
        .salt(7)
        .map(MapPolicy::Never)
        .verify(VerifyPolicy::Always)
        .durability(Durability::Synced)
        .compression(Compression::Gzip(2))
        .inline(9)
        .wait(second)
        .limits(Limits::default().items(5))
        .evict(EvictPolicy::LeastValuable)
        .validate(|_| true)
        .expires(2 * second)
        .min_duration(3 * second)
        .readable(true)
        .recheck(0.5)
        .verbose(2);
    let memory = builder.open().unwrap();
    let settings = memory.clone();
    let settings = settings.settings();
    assert_eq!((settings.mode, &*settings.salt, settings.map), (Mode::Refresh, "7", MapPolicy::Never));
    assert_eq!((settings.verify, settings.durability), (VerifyPolicy::Always, Durability::Synced));
    assert_eq!((settings.compression, settings.inline), (Compression::Gzip(2), 9));
    assert_eq!((settings.wait, settings.limits.items), (Some(second), Some(5)));
    assert_eq!((settings.evict, settings.validate.is_some()), (EvictPolicy::LeastValuable, true));
    assert_eq!((settings.expires, settings.min_duration), (Some(2 * second), 3 * second));
    assert_eq!((settings.verbose, settings.map_network), (2, false));
    assert_eq!((settings.readable, settings.recheck), (true, 0.5));
    assert!(format!("{settings:?}").contains("salt: \"7\""));
    let (_folder, plain) = fresh();
    let settings = plain.settings();
    assert_eq!((settings.mode, settings.verbose, settings.validate.is_some()), (Mode::ReadWrite, 0, false));
    assert_eq!((&*settings.salt, settings.inline, settings.wait), ("", 4096, None));
    let reader = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
    assert_eq!(reader.settings().mode, reader.mode());
    assert_eq!(Memory::disabled().settings().mode, Mode::Off);
}

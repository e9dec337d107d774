//! What a memory says of its calls: lines on stderr, and `tracing` events.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::dynamic::{Form, FunctionBuilder, RawValue, RunTimeArgument, RunTimeCall};
use ndcache::hash::{ContentHasher, Text};
use ndcache::tier::{Access, Folder, Share, Tier};
use ndcache::{ContentHash, Digest, Limits, Memory, Mode, cache};
use tracing_subscriber::filter::LevelFilter;

use crate::support::{child, events, fresh, in_child};

#[cache]
fn ramp(n: usize, name: &str) -> Array1<f64> {
    assert!(!name.is_empty());
    Array1::linspace(0.0, 1.0, n)
}

#[cache]
fn parsed(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "no number".to_owned())
}

/// Runs only in a process of its own, whose stderr nobody else uses.
#[test]
fn speaks() {
    let Some(level) = in_child("verbose::speaks", "NDCACHE_TEST_LEVEL") else { return };
    let folder = tempfile::tempdir().unwrap();
    let builder = || Memory::builder(folder.path()).verbose(level.parse().unwrap());
    let memory = builder().open().unwrap();
    memory.eval(ramp::call(50_000, "a"));
    memory.eval(ramp::call(50_000, "b\n\u{1b}[2J"));
    memory.eval(ramp::call(50_000, "a"));
    let _ = memory.eval(parsed::call("x"));
    let reader = builder().mode(Mode::ReadOnly).open().unwrap();
    reader.eval(ramp::call(60_000, &"long".repeat(100)));
    assert_eq!(memory.stats().misses() + reader.stats().misses(), 4);
}

fn said(level: &str) -> Vec<String> {
    let output = child("verbose::speaks", &[("NDCACHE_TEST_LEVEL", level)]).output().unwrap();
    lines(&output)
}

fn lines(output: &Output) -> Vec<String> {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.status.success(), "{errors}");
    errors.lines().map(str::to_owned).collect()
}

/// Whether `line` is these pieces, in this order, with anything between them.
fn reads(line: &str, pieces: &[&str]) -> bool {
    let mut rest = line;
    pieces.iter().all(|piece| match rest.split_once(piece) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn nothing_is_printed_unless_asked_for() {
    assert_eq!(said("0"), Vec::<String>::new());
}

#[test]
fn a_computation_is_a_line_with_arguments_time_bytes_and_reason() {
    let said = said("1");
    let expected: [&[&str]; 4] = [
        &["ndcache: ", "ramp(n: 50000, name: \"a\") computed in ", "s, 390.", " KiB stored; new function"],
        &["ramp(n: 50000, name: \"b", ") computed in ", "KiB stored; argument `name`: \"a\" → \"b"],
        &["parsed(text: \"x\") computed in ", "not stored (it is an `Err`); new function"],
        &[
            "ramp(n: 60000, name: \"longlong",
            "…",
            ") computed in ",
            "not stored (nothing is written in this mode); argument",
        ],
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (line, pieces) in said.iter().zip(expected) {
        assert!(reads(line, pieces), "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn hits_are_told_with_what_was_loaded_from_level_2_on() {
    let said = said("2");
    assert_eq!(said.len(), 5, "{said:#?}");
    assert!(reads(&said[2], &["ramp(n: 50000, name: \"a\") loaded in ", "s, 390.", " KiB: f64[50000]"]), "{said:#?}");
}

#[test]
fn keys_and_files_are_told_from_level_3_on() {
    let said = said("3");
    let first: Vec<&str> = said[..4].iter().map(String::as_str).collect();
    let [line, key, record, array] = first[..] else { panic!("{said:#?}") };
    assert!(line.contains("computed in"), "{line}");
    let key = key.strip_prefix("  key ").expect("the key");
    assert_eq!(key.len(), 32);
    for (file, suffix) in [(record, ".record"), (array, ".npy")] {
        let path = Path::new(file.strip_prefix("  file ").expect("a file"));
        assert!(path.is_absolute() && file.ends_with(suffix) && file.contains(key), "{file}");
    }
    assert!(said[4].starts_with("ndcache: "), "{said:#?}");
}

#[test]
fn a_stderr_that_nobody_reads_fails_no_call() {
    let speaking = || child("verbose::speaks", &[("NDCACHE_TEST_LEVEL", "3")]);
    let mut closed = speaking().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(closed.stderr.take());
    assert!(closed.wait().unwrap().success());
    if let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") {
        let status = speaking().stdout(Stdio::null()).stderr(full).status();
        assert!(status.unwrap().success());
    }
}

#[test]
fn events_have_function_key_reason_seconds_and_bytes_whatever_the_level() {
    let (_folder, memory) = fresh();
    let said = events(LevelFilter::DEBUG, || {
        memory.eval(ramp::call(50_000, "a"));
        memory.eval(ramp::call(50_000, "b"));
        memory.eval(ramp::call(50_000, "a"));
    });
    let key = memory.entry(&ramp::call(50_000, "a")).unwrap().unwrap().key().to_string();
    let function = format!("function=\"{}\"", ramp::function().path());
    let find = |message: &str, nth: usize| {
        let mut found = said.iter().filter(|line| line.contains(&format!(": {message} ")));
        found.nth(nth).unwrap_or_else(|| panic!("{message}: {said:#?}"))
    };
    let key = format!("key={key}");
    assert!(reads(find("miss", 0), &["INFO", &function, &key, "reason=new function"]), "{said:#?}");
    assert!(reads(find("computed", 0), &["INFO", &function, &key, "reason=new function", "seconds=", "bytes=40"]));
    assert!(reads(find("computed", 1), &["reason=argument `name`: \"a\" → \"b\"", "seconds=", "bytes=40"]));
    assert!(reads(find("hit", 0), &["DEBUG", &function, &key, "reason=\"hit\"", "seconds=", "bytes=40"]), "{said:#?}");
}

static DESCRIBED: AtomicUsize = AtomicUsize::new(0);

struct Counted;

impl ContentHash for Counted {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        1_u8.content_hash(hasher);
    }

    fn describe(&self, text: &mut Text) {
        DESCRIBED.fetch_add(1, Ordering::SeqCst);
        text.display("counted");
    }
}

#[test]
fn a_silent_memory_puts_arguments_into_words_for_the_record_only() {
    #[cache]
    fn of(_counted: Counted) -> u8 {
        1
    }
    let (folder, memory) = fresh();
    let described = || DESCRIBED.swap(0, Ordering::SeqCst);
    let reader = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
    reader.eval(of::call(Counted));
    assert_eq!(described(), 0, "nothing is stored");
    memory.eval(of::call(Counted));
    assert_eq!(described(), 1, "once for the record");
    memory.eval(of::call(Counted));
    assert_eq!(described(), 0, "a hit");
}

static IMPURE: AtomicUsize = AtomicUsize::new(0);

#[cache(helpers = "named")]
fn impure(n: u64) -> u64 {
    unnamed(n) + IMPURE.fetch_add(1, Ordering::SeqCst) as u64
}

#[cache]
fn unnamed(n: u64) -> u64 {
    n
}

/// Runs only in a process of its own.
#[test]
fn warns() {
    let Some(level) = in_child("verbose::warns", "NDCACHE_TEST_LEVEL") else { return };
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).verbose(level.parse().unwrap()).recheck(1.0).open().unwrap();
    memory.with(|| impure(1));
    memory.with(|| impure(1));
    assert!(memory.stats().hits() >= 1);
    let Ok(readable) = std::env::var("NDCACHE_TEST_FOLDER") else { return };
    let reader = Memory::builder(readable).verbose(level.parse().unwrap()).open().unwrap();
    assert_eq!(reader.mode(), Mode::ReadOnly);
}

#[test]
fn warnings_are_printed_from_level_1_on() {
    let mount = crate::support::Mount::tmpfs("size=10m");
    let mut variables = vec![("NDCACHE_TEST_LEVEL", "1")];
    let folder = mount.as_ref().map(|mount| {
        let folder = mount.path().join("cache").display().to_string();
        Memory::open(&folder).unwrap();
        mount.remount("ro");
        folder
    });
    variables.extend(folder.iter().map(|folder| ("NDCACHE_TEST_FOLDER", folder.as_str())));
    let said = lines(&child("verbose::warns", &variables).output().unwrap());
    let warned: Vec<&String> = said.iter().filter(|line| line.starts_with("ndcache: warning: ")).collect();
    assert!(reads(warned[0], &["impure calls ", "unnamed, and doesn't name it in `depends(…)`"]), "{said:#?}");
    assert!(reads(warned[1], &["impure(", ") differs from its stored result: "]), "{said:#?}");
    if let Some(folder) = &folder {
        let expected = format!("cache folder `{folder}` can't be written: opened for reading only");
        assert!(warned[2].ends_with(&expected), "{said:#?}");
    }
    variables[0].1 = "0";
    let silent = lines(&child("verbose::warns", &variables).output().unwrap());
    assert_eq!(silent, Vec::<String>::new());
}

/// A run-time function whose code has a part with a name that is too long to be kept.
fn of_many_parts(n: u64) -> RunTimeCall {
    let code = Digest::from_bytes([1; 16]);
    let function = FunctionBuilder::new("app/app/app::parts", code).part("x".repeat(5 << 20), code).build().unwrap();
    RunTimeCall::new(function, [RunTimeArgument::of("n", &n).unwrap()])
}

/// A run-time function that is slow enough for a tier, and returns an object that Python pickled.
fn pickled(memory: &Memory) {
    let function = FunctionBuilder::new("app/app/app::pickled", Digest::from_bytes([2; 16])).build().unwrap();
    let value = || {
        std::thread::sleep(Duration::from_millis(200));
        RawValue::new(vec![0xc7, 5, 3, 0x92, 0xc4, 1, b'.', 0x90], vec![])
    };
    RunTimeCall::new(function, [RunTimeArgument::of("n", &1_u64).unwrap()]).eval(memory, Form::Owned, value).unwrap();
}

/// Meets each fault that is warned of once twice, in a process of its own.
#[test]
fn meets_faults() {
    let Some(level) = in_child("verbose::meets_faults", "NDCACHE_TEST_LEVEL") else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let open = |name: &str, limits: Limits, tier: Option<Tier>| {
        let builder = Memory::builder(at(name)).verbose(level.parse().unwrap()).limits(limits);
        tier.into_iter().fold(builder, ndcache::MemoryBuilder::tier).open().unwrap()
    };

    let parts = open("parts", Limits::default(), None);
    (1..3).for_each(|n| drop(of_many_parts(n).eval(&parts, Form::Owned, || RawValue::of(&n)).unwrap()));

    let full = open("full", Limits::default().items(1), None);
    std::fs::create_dir_all(at("full/p")).unwrap();
    std::fs::File::create(at("full/p/too-long")).unwrap().set_len(17 << 20).unwrap();
    for n in 0..20 {
        full.eval(unnamed::call(n));
    }

    let tier = |name: &str| Tier::new(Folder::new(at(name)).unwrap()).share(Share::Any);
    let sends = open("sends", Limits::default(), Some(tier("tier").access(Access::ReadWrite)));
    pickled(&sends);
    sends.flush(Duration::from_secs(60)).unwrap();
    let takes = open("takes", Limits::default(), Some(tier("tier")));
    pickled(&takes);
    let away = open("away", Limits::default(), Some(tier("nowhere")));
    away.eval(unnamed::call(1));
    away.eval(unnamed::call(2));

    let removed = open("removed", Limits::default(), None);
    removed.eval(unnamed::call(1));
    std::fs::remove_dir_all(at("removed")).unwrap();
    removed.eval(unnamed::call(2));
    removed.eval(unnamed::call(2));

    // Another user's file keeps its mode: only root can make one.
    let writable = open("writable", Limits::default(), None);
    writable.eval(ramp::call(50_000, "a"));
    for array in crate::support::files(&at("writable"), ".npy") {
        std::fs::set_permissions(&array, std::fs::Permissions::from_mode(0o644)).unwrap();
        let _ = std::os::unix::fs::chown(&array, Some(1), None);
    }
    for _ in 0..2 {
        drop(open("writable", Limits::default(), None).mmap(ramp::call(50_000, "a")));
    }
}

#[test]
fn warnings_that_are_given_once_are_printed() {
    let said = lines(&child("verbose::meets_faults", &[("NDCACHE_TEST_LEVEL", "1")]).output().unwrap());
    let warned: Vec<&String> = said.iter().filter(|line| line.starts_with("ndcache: warning: ")).collect();
    for expected in [
        &["app::parts: explanations won't say which part of the code changed: "][..],
        &["the cache can't be kept within its limits: "],
        &["app::pickled: a tier has its result with an object that Python pickled"],
        &["a tier failed; results are computed instead", "nowhere`: no place: "],
        &["cache folder `", "removed` was removed while it was in use: it is made anew"],
    ] {
        let times = warned.iter().filter(|line| reads(line, expected)).count();
        assert_eq!(times, 1, "{expected:?}: {said:#?}");
    }
    let writable = warned.iter().filter(|line| line.ends_with("is copied instead of mapped")).count();
    assert_eq!(writable, if rustix::process::geteuid().is_root() { 2 } else { 0 }, "one of each memory: {said:#?}");
    let silent = lines(&child("verbose::meets_faults", &[("NDCACHE_TEST_LEVEL", "0")]).output().unwrap());
    assert_eq!(silent, Vec::<String>::new());
}

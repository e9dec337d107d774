//! Rechecks, rounding, files as arguments, lineage, explanations: each test fails as long as its fault is there.

use std::collections::HashMap;
use std::fs::{self, File, Permissions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::prelude::*;
use ndcache::{Compression, FileContent, Memory, Mode, cache, digest};
use serde::{Deserialize, Serialize};

use crate::support::{child, files, fresh, in_child, sealed, warnings};

fn rechecking(folder: &std::path::Path) -> Memory {
    Memory::builder(folder).recheck(1.0).open().unwrap()
}

// ---- recheck

#[cache]
fn chain(n: u64) -> u64 {
    if n == 0 { 0 } else { n + chain(n - 1) }
}

/// A hit of step n rechecks step n-1 inside itself, and so on down: the depth is the length of the chain.
#[test]
fn a_recheck_of_a_long_chain_does_not_exhaust_the_stack() {
    const NAME: &str = "hostile::finding::a_recheck_of_a_long_chain_does_not_exhaust_the_stack";
    const STEPS: u64 = 2000;
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(&folder).unwrap();
        (0..=STEPS).for_each(|n| assert_eq!(memory.eval(chain::call(n)), n * (n + 1) / 2));
        println!("filled");
        assert_eq!(rechecking(folder.as_ref()).eval(chain::call(STEPS)), STEPS * (STEPS + 1) / 2);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("filled"), "{out}{err}");
    assert!(output.status.success(), "{}: {}", output.status, err.lines().take(4).collect::<Vec<_>>().join(" | "));
}

/// serde writes a map in the order of its buckets, which differs from map to map: equal results have other bytes.
#[test]
fn a_pure_function_whose_result_holds_a_map_passes_a_recheck() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Counts {
        by_word: HashMap<String, u64>,
    }
    #[cache]
    fn counts(n: u64) -> Counts {
        Counts { by_word: (0..n).map(|i| (format!("word{i}"), i)).collect() }
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = rechecking(folder.path());
    let log = warnings(|| assert_eq!(memory.eval(counts::call(20)), memory.eval(counts::call(20))));
    assert_eq!((memory.stats().rechecks(), memory.stats().mismatches()), (1, 0), "{log:?}");
}

static COMPUTED: AtomicU64 = AtomicU64::new(0);

#[cache(ignore(memory))]
fn wide(n: u64, memory: &Memory) -> u64 {
    COMPUTED.fetch_add(1, Ordering::SeqCst);
    if n < 2 {
        return 1;
    }
    thread::scope(|scope| {
        let one = scope.spawn(|| memory.eval(wide::call(n - 1, memory)));
        let two = scope.spawn(|| memory.eval(wide::call(n - 2, memory)));
        one.join().unwrap() + two.join().unwrap()
    })
}

/// Each thread knew only its own turns: on other threads each key had another turn, and the cost was exponential.
#[test]
fn inside_a_recheck_each_key_has_one_turn_on_whichever_threads() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Memory::open(folder.path()).unwrap();
    plain.eval(wide::call(12, &plain));
    let memory = rechecking(folder.path());
    COMPUTED.store(0, Ordering::SeqCst);
    assert_eq!(memory.eval(wide::call(12, &memory)), 233);
    let computed = COMPUTED.load(Ordering::SeqCst);
    assert!(computed <= 13, "13 keys were computed {computed} times by one recheck");
}

#[cache]
fn large(n: usize) -> Array1<f64> {
    Array1::linspace(0.0, 1.0, n)
}

#[cache]
fn total(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

/// The argument was looked up by a digest that only a record states; its bytes are damaged, and the function is pure.
#[test]
fn a_damaged_argument_is_not_told_as_an_impure_function() {
    let (folder, memory) = fresh();
    memory.eval(total::call(&memory.mmap(large::call(100_000))));
    let path = files(folder.path(), ".npy").pop().unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let mut file = File::options().read(true).write(true).open(&path).unwrap();
    file.seek(SeekFrom::End(-1)).unwrap();
    file.write_all(&[0x40]).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    let memory = rechecking(folder.path());
    let log = warnings(|| assert!(memory.eval(total::call(&memory.mmap(large::call(100_000)))) > 0.0));
    assert!(!log.iter().any(|line| line.contains("total") && line.contains("it isn't pure")), "{log:?}");
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// What a recheck's panic carries is dropped outside of `catch_unwind`.
#[test]
fn a_recheck_whose_panic_panics_when_dropped_costs_no_result() {
    static ARMED: AtomicBool = AtomicBool::new(false);
    #[cache]
    fn armed(x: f64) -> f64 {
        if ARMED.load(Ordering::SeqCst) {
            std::panic::panic_any(Bomb);
        }
        x
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = rechecking(folder.path());
    memory.eval(armed::call(1.0));
    ARMED.store(true, Ordering::SeqCst);
    assert_eq!(catch_unwind(AssertUnwindSafe(|| memory.eval(armed::call(1.0)))).ok(), Some(1.0));
}

// ---- files as arguments

/// The file is looked at by its path twice and opened by it in between: a link that goes to and fro gives a file the
/// digest of another, which is remembered for as long as the process lives.
#[test]
fn a_file_is_never_remembered_with_the_digest_of_another() {
    const FILES: usize = 2000;
    let shm = std::path::Path::new("/dev/shm");
    let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
    // All files have the same length, and all but their last bytes are a hole.
    let write = |path: &std::path::Path, side: &str| {
        let mut file = File::create(path).unwrap();
        file.seek(SeekFrom::Start((1 << 20) - 1)).unwrap();
        file.write_all(side.as_bytes()).unwrap();
    };
    for side in ["a", "b"] {
        fs::create_dir(dir.path().join(side)).unwrap();
        (0..FILES).for_each(|n| write(&dir.path().join(side).join(n.to_string()), side));
    }
    thread::sleep(Duration::from_millis(2200));
    let expected = |side: &str| {
        let path = dir.path().join(format!("expected-{side}"));
        write(&path, side);
        digest(&FileContent::open(path).unwrap())
    };
    let (current, next) = (dir.path().join("current"), dir.path().join("next"));
    symlink("a", &current).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for side in ["b", "a"].into_iter().cycle() {
                symlink(side, &next).unwrap();
                fs::rename(&next, &current).unwrap();
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        for _ in 0..2 {
            (0..FILES).for_each(|n| drop(FileContent::open(current.join(n.to_string())).unwrap()));
        }
        stop.store(true, Ordering::Relaxed);
    });
    for side in ["a", "b"] {
        let expected = expected(side);
        let wrong =
            |n: &usize| digest(&FileContent::open(dir.path().join(side).join(n.to_string())).unwrap()) != expected;
        let wrong = (0..FILES).filter(wrong).count();
        assert_eq!(wrong, 0, "of {FILES} files in `{side}` so many have the digest of another");
    }
}

// ---- rounding

/// `x / step` loses a bit that `x` has: two times 238 steps apart share a result.
#[test]
fn rounded_numbers_that_differ_by_many_steps_are_told_apart() {
    #[cache(round(t = 1e-9))]
    fn bits(t: f64) -> u64 {
        t.to_bits()
    }
    let (_folder, memory) = fresh();
    let mut t = 1.7e9_f64;
    for _ in 0..100 {
        let next = t.next_up();
        assert!(next - t > 200.0 * 1e-9);
        memory.eval(bits::call(t));
        assert_eq!(memory.eval(bits::call(next)), next.to_bits(), "{next:?} hits the result of {t:?}");
        t = next;
    }
}

mod coarse {
    #[ndcache::cache(name = "hostile-stepped", code = "version", version = 1, round(x = 0.5))]
    pub(super) fn stepped(x: f64) -> f64 {
        x
    }
}

mod fine {
    #[ndcache::cache(name = "hostile-stepped", code = "version", version = 1, round(x = 0.25))]
    pub(super) fn stepped(x: f64) -> f64 {
        x
    }
}

/// The argument is the same; its step has changed, of which nothing is said.
#[test]
fn a_step_that_changed_is_not_told_as_another_argument() {
    let (_folder, memory) = fresh();
    memory.eval(coarse::stepped::call(1.0));
    let text = memory.explain(&fine::stepped::call(1.0)).to_string();
    assert!(!text.contains("another 1.0"), "{text}");
}

#[cache(round(x = 1e-9))]
fn rounded_total(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

/// A rounded argument has a digest of its own, which no entry holds.
#[test]
fn a_rounded_array_is_not_said_to_come_from_elsewhere() {
    let (_folder, memory) = fresh();
    let x = memory.eval(large::call(1000));
    memory.eval(rounded_total::call(&x));
    let text = memory.lineage(&rounded_total::call(&x)).unwrap().unwrap().to_string();
    assert!(!text.contains("held by no entry"), "{text}");
}

// ---- lineage

#[cache]
fn start(n: usize) -> Array1<f64> {
    Array1::linspace(0.0, 1.0, n)
}

#[cache]
fn step(x: &ArrayRef1<f64>) -> Array1<f64> {
    x + 1.0
}

#[cache]
fn join(x: &ArrayRef1<f64>, y: &ArrayRef1<f64>) -> f64 {
    x.sum() - y.sum()
}

/// What was cut off at depth 64 is "above" when it is met again nearer to the root, and so is printed nowhere.
#[test]
fn what_was_cut_off_is_not_above() {
    let (_folder, memory) = fresh();
    let mut arrays = vec![memory.eval(start::call(10))];
    for n in 0..70 {
        arrays.push(memory.eval(step::call(&arrays[n])));
    }
    // `step` 70 is one level below the root, and `step` 7 is 64 levels below it by way of `step` 70.
    let text = memory.lineage(&join::call(&arrays[70], &arrays[7])).unwrap();
    assert!(text.is_none(), "not stored yet");
    memory.eval(join::call(&arrays[70], &arrays[7]));
    let text = memory.lineage(&join::call(&arrays[70], &arrays[7])).unwrap().unwrap().to_string();
    assert!(text.contains("start(n=10)"), "{}", text.lines().rev().take(4).collect::<Vec<_>>().join("\n"));
}

// ---- what is said

#[cache]
fn named(s: &str) -> String {
    s.to_owned()
}

/// Replaces bytes of the only record, and mends its trailer.
fn forge(folder: &std::path::Path, old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let path = files(folder, ".record").pop().unwrap();
    let mut bytes = Vec::new();
    File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes.truncate(bytes.len() - 16);
    let at = bytes.windows(old.len()).position(|window| window == old).expect("the bytes to be replaced");
    bytes[at..at + old.len()].copy_from_slice(new);
    fs::remove_file(&path).unwrap();
    fs::write(&path, sealed(bytes)).unwrap();
}

/// An explanation is printed to a terminal, and repeats what a record says.
#[test]
fn an_explanation_tells_the_terminal_nothing() {
    let (folder, memory) = fresh();
    memory.eval(named::call("AAAAAAAAAA"));
    forge(folder.path(), b"\"AAAAAAAAAA\"", b"\x1b]0;owned\x07\x1b[");
    let text = memory.explain(&named::call("B")).to_string();
    assert!(text.contains("owned"), "{text:?}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// `survey.rs` escapes the function that a record names, `lookup.rs` doesn't.
#[test]
fn a_damage_that_is_told_tells_the_terminal_nothing() {
    let (folder, memory) = fresh();
    memory.eval(named::call("AAAAAAAAAA"));
    let path = named::function().path().as_bytes();
    let mut forged = path.to_vec();
    forged[..12].copy_from_slice(b"\x1b]0;owned\x07\x1b[");
    forge(folder.path(), path, &forged);
    let text = memory.explain(&named::call("AAAAAAAAAA")).to_string();
    assert!(text.contains("owned"), "{text:?}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// A line is printed while the flight is held: who has locked stderr and waits for the flight never gets it. With the
/// feature `progress` not even `wait` ends that: the one who prints holds the bars, and waits for stderr.
#[test]
fn a_locked_stderr_does_not_lock_up_with_a_flight() {
    static COMPUTING: AtomicBool = AtomicBool::new(false);
    #[cache]
    fn slow(x: f64) -> f64 {
        COMPUTING.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(300));
        x
    }
    const NAME: &str = "hostile::finding::a_locked_stderr_does_not_lock_up_with_a_flight";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::builder(&folder).verbose(1).wait(Duration::from_secs(2)).open().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| memory.eval(slow::call(1.0)));
            while !COMPUTING.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            // `writeln!` evaluates its arguments with the lock held.
            let mut err = std::io::stderr().lock();
            writeln!(err, "the value is {}", memory.eval(slow::call(1.0))).unwrap();
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).spawn().unwrap();
    let begin = Instant::now();
    let ended = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.success(),
            None if begin.elapsed() > Duration::from_secs(10) => break false,
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let _ = child.kill();
    child.wait().unwrap();
    assert!(ended, "still waiting after {:?}, though `wait` is 2 s", begin.elapsed());
}

// ---- options and settings

fn no_compression() -> Compression {
    panic!("no compression today")
}

/// `compress` is asked after the function has run.
#[test]
fn a_compression_that_panics_costs_no_result() {
    #[cache(compress = no_compression())]
    fn squares(n: usize) -> Array1<f64> {
        Array1::from_shape_fn(n, |i| (i * i) as f64)
    }
    let (_folder, memory) = fresh();
    let value = catch_unwind(AssertUnwindSafe(|| memory.eval(squares::call(10_000))));
    assert!(value.is_ok(), "an hour's work is lost for an option");
}

/// The settings of a memory of mode `Off` were those of another builder.
#[test]
fn the_settings_of_a_memory_that_is_off_are_those_of_its_builder() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).mode(Mode::Off).salt("s").recheck(0.5).open().unwrap();
    let settings = memory.settings();
    assert_eq!((settings.mode, &*settings.salt, settings.recheck), (Mode::Off, "s", 0.5));
}

// ---- held

#[test]
fn a_rounded_view_counts_as_its_copy_whatever_its_strides() {
    #[cache(round(x = 1e-3))]
    fn first(x: ArrayViewD<'_, f32>) -> f32 {
        x.iter().copied().next().unwrap_or(0.0)
    }
    let (_folder, memory) = fresh();
    let base = Array3::from_shape_fn((70, 80, 90), |(i, j, k)| (i * 7200 + j * 90 + k) as f32 * 0.37);
    let row = Array1::from_shape_fn(90, |k| k as f32);
    let views = [
        base.view().into_dyn(),
        base.slice(ndarray::s![..;-1, ..;3, ..]).into_dyn(),
        base.view().permuted_axes([2, 0, 1]).into_dyn(),
        row.broadcast((70, 80, 90)).unwrap().into_dyn(),
        base.slice(ndarray::s![0..0, .., ..]).into_dyn(),
    ];
    for view in views {
        memory.eval(first::call(view.clone()));
        let copy = match view.is_standard_layout() || view.ndim() == 3 && view.as_slice_memory_order().is_none() {
            true => ArrayD::from_shape_vec(view.raw_dim(), view.iter().copied().collect()).unwrap(),
            false => view.to_owned(),
        };
        assert!(memory.contains(&first::call(copy.view())), "{:?} {:?}", view.shape(), view.strides());
    }
    assert_eq!(memory.stats().hits(), 0, "no two of them are one");
}

#[test]
fn hostile_texts_make_names_that_are_listed_evicted_and_cleared() {
    #[cache(readable = true)]
    fn written(s: &str) -> Array1<f64> {
        Array1::from_elem(5000, s.len() as f64)
    }
    let (folder, memory) = fresh();
    let alike = format!("x)-{}.0123456789abcdef.npy", "0123456789abcdef".repeat(2));
    let texts = ["../../etc", "a\nb\0", &"😀".repeat(100), &"-".repeat(300), &alike, "", "."];
    for text in texts {
        memory.eval(written::call(text));
        assert_eq!(memory.eval(written::call(text))[0], text.len() as f64);
    }
    let report = memory.verify(ndcache::verify::Repair::No).unwrap();
    assert_eq!((report.entries, report.orphans, report.damaged), (texts.len() as u64, 0, 0));
    memory.reduce_size(ndcache::Limits::default().items(3)).unwrap();
    assert_eq!(files(folder.path(), ".npy").len(), 3);
    memory.clear().unwrap();
    assert_eq!(files(folder.path(), ".npy").len(), 0);
}

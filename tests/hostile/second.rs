//! Hot entries, staged outputs and build steps: wrong hits, stale hits, bounds.

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::{ContentHash, ContentHasher, Mapped1, Mapped3, Memory, MsgpackFile, NpyFile, Persister, cache, zeros};
use serde::Serialize;

use crate::support::{child, files, fresh, in_child};

// ---- hot entries: the quick digest

/// Counts by one digest of its own, whatever was fed before.
struct Own(u8);

impl ContentHash for Own {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        *hasher = ContentHasher::new();
        hasher.u8(self.0);
    }
}

#[cache]
fn first_of_two(a: u64, own: Own) -> u64 {
    a + u64::from(own.0)
}

#[cache]
fn negated(a: i64, own: Own) -> i64 {
    -a - i64::from(own.0)
}

// A hasher that an argument replaces loses the arguments before it, in the quick digest alone.
#[test]
fn an_argument_that_begins_its_hasher_anew_hides_none_before_it() {
    let (_folder, memory) = fresh();
    for a in [1, 2] {
        for _ in 0..3 {
            assert_eq!(memory.eval(first_of_two::call(a, Own(0))), a);
        }
    }
}

// The same, and the function with them: one function's hit is another one's entry.
#[test]
fn an_argument_that_begins_its_hasher_anew_does_not_hide_the_function() {
    let (_folder, memory) = fresh();
    for _ in 0..3 {
        assert_eq!(memory.eval(first_of_two::call(1, Own(0))), 1);
    }
    for _ in 0..3 {
        assert_eq!(memory.eval(negated::call(1, Own(0))), -1);
    }
}

#[derive(Serialize)]
struct Dial(Cell<u64>);

#[cache]
fn doubled(dial: &Dial) -> u64 {
    2 * dial.0.get()
}

// A call that was asked about and then changed teaches the table a wrong name for its entry, for other calls to come.
#[test]
fn a_call_that_changed_after_a_question_spoils_no_later_call() {
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        assert_eq!(memory.eval(doubled::call(&Dial(Cell::new(1)))), 2);
    }
    let dial = Dial(Cell::new(1));
    let call = doubled::call(&dial);
    assert!(memory.contains(&call));
    dial.0.set(50);
    // What this one returns is under "What it doesn't see".
    let _ = memory.eval(call);
    assert_eq!(memory.eval(doubled::call(&Dial(Cell::new(50)))), 100);
}

// ---- hot entries: what others did

/// Another value at each computation, and in each process.
#[cache]
fn unique(n: u64) -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    (u64::from(std::process::id()) << 32) + RUNS.fetch_add(1, Ordering::SeqCst) + n
}

/// An ext4 whose inodes have times of whole seconds, as those of ext3 and of small ext4 have.
struct Loop(tempfile::TempDir);

impl Loop {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let at = folder.path().join("at");
        fs::create_dir(&at).unwrap();
        let runs = |program: &str, args: &[&str], paths: &[&Path]| {
            let output = Command::new(program).args(args).args(paths).output();
            output.is_ok_and(|output| output.status.success())
        };
        let made = runs("mkfs.ext4", &["-q", "-I", "128"], &[&image]) && runs("mount", &["-o", "loop"], &[&image, &at]);
        made.then_some(Self(folder))
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("at")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn wait_for_the_next_second() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let wait = Duration::from_secs(1) - Duration::from_nanos(u64::from(now.subsec_nanos()));
    thread::sleep(wait + Duration::from_millis(20));
    wait
}

// Where files have times of whole seconds, and inodes are used again, what another process replaced is never seen.
#[test]
fn a_replaced_entry_is_seen_within_a_second_whatever_the_file_systems_clock() {
    let Some(disk) = Loop::new() else { return };
    let folder = disk.path().join("cache");
    let (memory, other) = (Memory::open(&folder).unwrap(), Memory::open(&folder).unwrap());
    wait_for_the_next_second();
    let old = memory.eval(unique::call(7));
    thread::sleep(Duration::from_millis(200));
    for _ in 0..3 {
        assert_eq!(memory.eval(unique::call(7)), old);
    }
    // Another memory stands for another process: it shares no table.
    assert!(other.remove(&unique::call(7)).unwrap());
    let new = other.eval(unique::call(7));
    assert_ne!(new, old);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(memory.eval(unique::call(7)), new, "after 3 s");
}

// A damaged entry that this memory removes by its shelved reference is still hit from memory.
#[test]
fn a_damaged_entry_that_was_removed_by_its_reference_is_gone_at_once() {
    let (_folder, memory) = fresh();
    let shelved = memory.shelve(unique::call(1)).unwrap();
    let old = memory.eval(unique::call(1));
    for _ in 0..3 {
        assert_eq!(memory.eval(unique::call(1)), old);
    }
    let path = memory.entry(&unique::call(1)).unwrap().unwrap().path().to_owned();
    fs::write(path, b"damaged").unwrap();
    assert!(shelved.remove(&memory).unwrap());
    assert_ne!(memory.eval(unique::call(1)), old);
}

fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[cache]
#[allow(clippy::too_many_arguments)]
fn of_many(n: u64, a: &str, b: &str, c: &str, d: &str, e: &str, f: &str, g: &str, h: &str, i: &str, j: &str) -> u64 {
    n + (a.len() + b.len() + c.len() + d.len() + e.len() + f.len() + g.len() + h.len() + i.len() + j.len()) as u64
}

// What a record says of its arguments is kept, and isn't weighed.
#[test]
fn a_table_of_records_with_many_arguments_stays_within_its_bound() {
    const NAME: &str = "hostile::second::a_table_of_records_with_many_arguments_stays_within_its_bound";
    if in_child(NAME, "PART").is_none() {
        let output = child(NAME, &[("PART", "1")]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let (_folder, memory) = fresh();
    let text = "x".repeat(200);
    let t = text.as_str();
    let call = |n| of_many::call(n, t, t, t, t, t, t, t, t, t, t);
    let all = || {
        (0..9000).for_each(|n| {
            memory.eval(call(n));
        })
    };
    all();
    let before = resident();
    all();
    let grown = resident().saturating_sub(before);
    // Room for the table itself, and for what allocators do.
    assert!(grown < 2 * (8 << 20), "{} MiB", grown >> 20);
}

// ---- build steps

/// Goes elsewhere for odd numbers, as another thread of the program might.
#[cache]
fn wandering(n: usize, to: &str) -> Array1<f64> {
    if n % 2 == 1 {
        std::env::set_current_dir(to).unwrap();
    }
    Array1::from_elem(3, n as f64)
}

// A relative target is looked at where it was, and saved and loaded where the program is by then.
#[test]
fn a_relative_target_is_one_file_whatever_becomes_of_the_current_folder() {
    const NAME: &str = "hostile::second::a_relative_target_is_one_file_whatever_becomes_of_the_current_folder";
    if in_child(NAME, "PART").is_none() {
        let output = child(NAME, &[("PART", "1")]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let (folder, memory) = fresh();
    let (home, elsewhere) = (folder.path().join("home"), folder.path().join("elsewhere"));
    fs::create_dir(&home).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    let make = |n| memory.make(wandering::call(n, elsewhere.to_str().unwrap()), NpyFile::new("a.npy")).unwrap();
    std::env::set_current_dir(&home).unwrap();
    assert_eq!(make(2), array![2.0, 2.0, 2.0]);
    assert_eq!(make(3), array![3.0, 3.0, 3.0]);
    std::env::set_current_dir(&home).unwrap();
    assert_eq!(make(3), array![3.0, 3.0, 3.0], "the target that was made, or made again");
}

// What follows the value is refused only if it is a value, too.
#[test]
fn bytes_that_follow_a_value_are_damage_whatever_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.msgpack");
    let target = MsgpackFile::new(&path);
    for garbage in [&b"\x01"[..], b"\xc1", b"\xd9", b"\xce\x00"] {
        target.save(&17_u32).unwrap();
        let bytes = [&fs::read(&path).unwrap(), garbage].concat();
        fs::write(&path, bytes).unwrap();
        let loaded: ndcache::Result<u32> = target.load();
        assert!(loaded.is_err(), "{garbage:?}");
    }
}

// ---- staged outputs

thread_local! {
    /// Whether the last staged array of this thread was a file.
    static IN_A_FILE: Cell<bool> = const { Cell::new(false) };
}

#[cache]
fn staged(n: usize) -> Mapped1<f64> {
    let mut x = zeros::<f64, _>(40_000);
    IN_A_FILE.set(x.is_mapped());
    x.iter_mut().enumerate().for_each(|(i, x)| *x = (i + n) as f64);
    x.into()
}

// A recheck writes a file as large as the result, and removes it again.
#[test]
fn a_recheck_of_a_staged_result_writes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).recheck(1.0).open().unwrap();
    memory.eval(staged::call(1));
    assert!(IN_A_FILE.replace(false), "stored");
    memory.eval(staged::call(1));
    assert!(!IN_A_FILE.get(), "rechecked");
}

// Held: whoever comes first takes the file over, the others copy, and each entry is right.
#[test]
fn threads_that_store_one_staged_array_at_once_each_store_it_whole() {
    #[cache(ignore(x))]
    fn pass(n: usize, x: Mapped1<f64>) -> Mapped1<f64> {
        let _ = n;
        x
    }
    #[cache]
    fn spread(n: usize) -> Mapped1<f64> {
        let mut x = zeros::<f64, _>(40_000);
        x.fill(n as f64);
        let x: Mapped1<f64> = x.into();
        let memory = MEMORY.get().unwrap();
        thread::scope(|scope| {
            for at in 0..8 {
                let x = x.clone();
                scope.spawn(move || memory.eval(pass::call(10 * n + at, x)));
            }
        });
        x
    }
    static MEMORY: std::sync::OnceLock<Memory> = std::sync::OnceLock::new();
    let (folder, memory) = fresh();
    MEMORY.set(memory.clone()).unwrap();
    for n in 0..10 {
        memory.eval(spread::call(n));
        let again = Memory::open(folder.path()).unwrap();
        assert!(again.eval(spread::call(n)).iter().all(|&x| x == n as f64));
        for at in 0..8 {
            let empty = || Mapped1::from(Array1::zeros(0));
            assert!(again.eval(pass::call(10 * n + at, empty())).iter().all(|&x| x == n as f64));
        }
    }
    assert_eq!(files(folder.path(), ".npy").len(), 90);
    assert_eq!(memory.stats().faults(), 0);
}

// Held: a file that is swept while it is filled, as it is after a day, costs a copy.
#[test]
fn an_array_that_is_swept_while_it_is_filled_is_stored_all_the_same() {
    #[cache]
    fn slow(n: usize) -> Mapped1<f64> {
        let mut x = zeros::<f64, _>(40_000);
        let (folder, memory) = PLACE.get().unwrap();
        let old = SystemTime::now() - Duration::from_secs(25 * 3600);
        let file = files(folder, ".npy").pop().unwrap();
        fs::File::open(&file).unwrap().set_modified(old).unwrap();
        memory.reduce_size(ndcache::Limits::default()).unwrap();
        memory.verify(ndcache::Repair::Remove).unwrap();
        x.fill(n as f64);
        x.into()
    }
    static PLACE: std::sync::OnceLock<(std::path::PathBuf, Memory)> = std::sync::OnceLock::new();
    let (folder, memory) = fresh();
    PLACE.set((folder.path().to_owned(), memory.clone())).unwrap();
    assert!(memory.eval(slow::call(3)).iter().all(|&x| x == 3.0));
    let again = Memory::open(folder.path()).unwrap();
    assert!(again.contains(&slow::call(3)));
    assert!(again.eval(slow::call(3)).iter().all(|&x| x == 3.0));
    assert_eq!(files(folder.path(), ".npy").len(), 1);
}

// ---- hot entries: threads and forks

// Held: what a refresh returned is what every later call of every thread returns, or something newer.
#[test]
fn no_thread_goes_back_behind_a_refresh() {
    let (_folder, memory) = fresh();
    let floor = AtomicU64::new(memory.eval(unique::call(9)));
    let end = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while end.load(Ordering::SeqCst) == 0 {
                    let least = floor.load(Ordering::SeqCst);
                    assert!(memory.eval(unique::call(9)) >= least);
                }
            });
        }
        for _ in 0..600 {
            floor.store(memory.refresh(unique::call(9)), Ordering::SeqCst);
        }
        end.store(1, Ordering::SeqCst);
    });
}

#[cache]
fn total(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

// A child that was forked while another thread enters or leaves the table of mapped arrays waits for that thread.
#[test]
#[allow(unsafe_code)]
fn a_forked_child_hits_whatever_other_threads_did() {
    const NAME: &str = "hostile::second::a_forked_child_hits_whatever_other_threads_did";
    if in_child(NAME, "PART").is_none() {
        let output = child(NAME, &[("PART", "1")]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "3: it hangs; {}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let (_folder, memory) = fresh();
    let x = Mapped1::from(Array1::from_elem(10, 1.0));
    for _ in 0..3 {
        assert_eq!(memory.eval(total::call(&x)), 10.0);
    }
    thread::spawn(|| {
        loop {
            drop(Mapped1::from(Array1::<f64>::zeros(3)));
        }
    });
    for n in 0..2000 {
        // SAFETY: the child evaluates one hit, and leaves by `_exit`.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let value = memory.eval(total::call(&x));
            // SAFETY: ends the child, which owns nothing that has to be dropped.
            unsafe { libc::_exit(i32::from(value != 10.0)) };
        }
        let begin = std::time::Instant::now();
        let mut status = -1;
        loop {
            // SAFETY: `status` outlives the call, and the child is this process's own.
            if unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == pid {
                assert_eq!(status, 0);
                break;
            }
            if begin.elapsed() > Duration::from_secs(5) {
                eprintln!("child {n} hangs");
                // SAFETY: the child is this process's own, and hasn't been waited for.
                unsafe { libc::kill(pid, libc::SIGKILL) };
                std::process::exit(3);
            }
        }
    }
    std::process::exit(0);
}

// Held: a header of any bytes is read or refused.
#[cfg(feature = "nifti")]
#[test]
fn volumes_of_random_headers_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    let target = ndcache::MappedNiftiFile::new(&path);
    target.save(&Array3::<i16>::from_elem((3, 4, 5), 7)).unwrap();
    let good = fs::read(&path).unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let fields = [0, 40, 42, 44, 46, 48, 50, 52, 54, 70, 72, 76, 108, 110, 112, 114, 116, 118, 252, 254, 344];
    for _ in 0..4000 {
        let mut bytes = good.clone();
        for _ in 0..=random() % 3 {
            let at = fields[(random() % 21) as usize] + (random() % 4) as usize;
            bytes[at] = [0, 1, 0x7f, 0x80, 0xff, random() as u8][(random() % 6) as usize];
        }
        if random() % 4 == 0 {
            bytes.truncate((random() % bytes.len() as u64) as usize);
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
        let _ = ndcache::read_nifti::<f64, IxDyn>(&path).map(|volume| volume.voxels.sum());
        let _ = ndcache::read_nifti::<i16, Ix3>(&path).map(|volume| volume.grid.affine());
        let loaded: ndcache::Result<Mapped3<i16>> = Persister::<Array3<i16>>::load(&target);
        let _ = loaded.map(|voxels| voxels.iter().map(|&x| i64::from(x)).sum::<i64>());
    }
}

// A control for the bound: as many records with one argument.
#[test]
fn a_table_of_records_with_one_argument_stays_within_its_bound() {
    const NAME: &str = "hostile::second::a_table_of_records_with_one_argument_stays_within_its_bound";
    if in_child(NAME, "PART").is_none() {
        let output = child(NAME, &[("PART", "1")]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let (_folder, memory) = fresh();
    let all = || {
        (0..9000).for_each(|n| {
            memory.eval(unique::call(n));
        })
    };
    all();
    let before = resident();
    all();
    let grown = resident().saturating_sub(before);
    eprintln!("grown by {} MiB", grown >> 20);
    assert!(grown < 2 * (8 << 20), "{} MiB", grown >> 20);
}

// ---- build steps: faults half way

/// Saves as its author likes.
struct Odd<'a> {
    path: std::path::PathBuf,
    save: &'a (dyn Fn(&u64) -> ndcache::Result<()> + Sync),
}

impl Persister<u64> for Odd<'_> {
    type Loaded = u64;

    fn save(&self, value: &u64) -> ndcache::Result<()> {
        (self.save)(value)
    }

    fn load(&self) -> ndcache::Result<u64> {
        fs::read_to_string(&self.path).map_err(ndcache::Error::other)?.parse().map_err(ndcache::Error::other)
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

#[cache]
fn same(n: u64) -> u64 {
    n
}

// Held: a panic after the file was replaced leaves nobody waiting, and the next call makes it again.
#[test]
fn a_persister_that_panics_after_saving_costs_no_later_call() {
    let (folder, memory) = fresh();
    let path = folder.path().join("a.txt");
    let whole = |n: &u64| ndcache::replace_file(&path, |file| write!(file, "{n}"));
    let make = |n, save: &(dyn Fn(&u64) -> ndcache::Result<()> + Sync)| {
        memory.make(same::call(n), Odd { path: path.clone(), save })
    };
    assert_eq!(make(1, &whole).unwrap(), 1);
    let panics = |n: &u64| {
        whole(n)?;
        panic!("on purpose")
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make(2, &panics))).is_err());
    assert_eq!(make(1, &whole).unwrap(), 1);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make(2, &panics))).is_err());
    assert_eq!(make(2, &whole).unwrap(), 2);
    assert_eq!(make(2, &panics).unwrap(), 2, "up to date");
}

// A persister that makes another step of the same target, as a fallback may, leaves the target of the outer one.
#[test]
fn a_step_inside_a_step_of_one_target_is_not_taken_for_it() {
    #[cache]
    fn outer(n: u64) -> u64 {
        n
    }
    let (folder, memory) = fresh();
    let path = folder.path().join("a.txt");
    let whole = |n: &u64| ndcache::replace_file(&path, |file| write!(file, "{n}"));
    let nested = |n: &u64| {
        whole(n)?;
        if *n == 5 {
            memory.make(outer::call(6), Odd { path: path.clone(), save: &whole })?;
        }
        Ok(())
    };
    let _ = memory.make(outer::call(5), Odd { path: path.clone(), save: &nested });
    let again = memory.make(outer::call(5), Odd { path: path.clone(), save: &whole }).unwrap();
    assert_eq!(again, 5);
}

// Two caches that make one target at once: what one saved is taken for what the other did.
#[test]
fn of_two_caches_that_make_one_target_each_knows_its_own() {
    let (folder, memory) = fresh();
    let (_other_folder, other) = fresh();
    let path = folder.path().join("a.txt");
    let whole = |n: &u64| ndcache::replace_file(&path, |file| write!(file, "{n}"));
    // Between its rename and its digest.
    let late = |n: &u64| {
        whole(n)?;
        other.make(same::call(8), Odd { path: path.clone(), save: &whole }).map(drop)
    };
    let _ = memory.make(same::call(7), Odd { path: path.clone(), save: &late });
    assert_eq!(memory.make(same::call(7), Odd { path: path.clone(), save: &whole }).unwrap(), 7);
}

// Held: a slot's record with any bytes changed and its trailer mended is read or refused, and no wrong value comes of it.
#[test]
fn forged_slots_make_again_or_are_right() {
    let (folder, memory) = fresh();
    let path = folder.path().join("a.npy");
    #[cache]
    fn ones(n: usize) -> Array1<f64> {
        Array1::ones(n)
    }
    memory.make(ones::call(3), NpyFile::new(&path)).unwrap();
    let slot = files(&folder.path().join("m"), ".record").pop().unwrap();
    let good = fs::read(&slot).unwrap();
    for at in 0..good.len() - 16 {
        for byte in [0x00, 0x7f, 0x80, 0xc0, 0xcf, 0xdd, 0xff] {
            let mut forged = good[..good.len() - 16].to_vec();
            forged[at] = byte;
            fs::write(&slot, crate::support::sealed(forged)).unwrap();
            match memory.make(ones::call(3), NpyFile::new(&path)) {
                Ok(made) => assert_eq!(made, Array1::<f64>::ones(3), "byte {at}"),
                Err(error) => assert!(error.to_string().contains("is made by function"), "byte {at}: {error}"),
            }
        }
    }
}

#[cache]
fn level(n: usize) -> Array1<f64> {
    thread::sleep(Duration::from_millis(3));
    Array1::from_elem(1000, n as f64)
}

// Makers that don't wait for each other: what one saved is returned for what the other asked for, and kept as that.
#[test]
fn makers_that_wait_no_longer_each_return_what_they_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path().join("cache")).wait(Duration::from_millis(1)).open().unwrap();
    let path = folder.path().join("a.npy");
    let wrong = AtomicUsize::new(0);
    thread::scope(|scope| {
        for me in 0..2 {
            let (memory, path, wrong) = (&memory, &path, &wrong);
            scope.spawn(move || {
                for turn in 0..300 {
                    let n = 2 * turn + me;
                    let made = memory.make(level::call(n), NpyFile::new(path)).unwrap();
                    wrong.fetch_add(usize::from(made[0] != n as f64), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(wrong.into_inner(), 0, "of 600");
}

// The same with default settings, where two users have a cache each and share a folder of targets.
#[test]
fn makers_of_two_caches_each_return_what_they_asked_for() {
    let (folder, one) = fresh();
    let (_other_folder, other) = fresh();
    let path = folder.path().join("a.npy");
    let wrong = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (me, memory) in [&one, &other].into_iter().enumerate() {
            let (path, wrong) = (&path, &wrong);
            scope.spawn(move || {
                for turn in 0..300 {
                    let n = 2 * turn + me;
                    let made = memory.make(level::call(n), NpyFile::new(path)).unwrap();
                    wrong.fetch_add(usize::from(made[0] != n as f64), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(wrong.into_inner(), 0, "of 600");
}

/// Loads as its author likes; saves by `replace_file`.
struct Watched<'a> {
    path: &'a Path,
    load: &'a dyn Fn() -> u64,
}

impl Persister<u64> for Watched<'_> {
    type Loaded = u64;

    fn save(&self, value: &u64) -> ndcache::Result<()> {
        ndcache::replace_file(self.path, |file| write!(file, "{value}"))
    }

    fn load(&self) -> ndcache::Result<u64> {
        Ok((self.load)())
    }

    fn path(&self) -> Option<&Path> {
        Some(self.path)
    }
}

fn number(path: &Path) -> u64 {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

// Another process replaces it: once, or as often as it is saved.
#[test]
fn a_target_that_is_replaced_before_it_is_loaded_is_saved_again_or_an_error() {
    let (folder, memory) = fresh();
    let path = folder.path().join("a.txt");
    for (times, expected) in [(1, Some(7)), (usize::MAX, None)] {
        let left = Cell::new(times);
        let load = || {
            if left.get() > 0 {
                left.set(left.get() - 1);
                ndcache::replace_file(&path, |file| write!(file, "8")).unwrap();
            }
            number(&path)
        };
        let _ = fs::remove_file(&path);
        let made = memory.make(same::call(7), Watched { path: &path, load: &load });
        match expected {
            Some(expected) => assert_eq!(made.unwrap(), expected),
            None => {
                let message = made.unwrap_err().to_string();
                assert!(message.contains("a.txt` is replaced by somebody else all the time"), "{message}");
            }
        }
        assert_eq!(memory.make(same::call(7), Watched { path: &path, load: &|| number(&path) }).unwrap(), 7);
    }
}

#[test]
fn a_target_that_is_replaced_while_it_is_loaded_is_looked_at_again() {
    let (folder, memory) = fresh();
    let path = folder.path().join("a.txt");
    let make = |load: &dyn Fn() -> u64| memory.make(same::call(7), Watched { path: &path, load }).unwrap();
    assert_eq!(make(&|| number(&path)), 7);
    let first = Cell::new(true);
    let load = || {
        if first.replace(false) {
            ndcache::replace_file(&path, |file| write!(file, "8")).unwrap();
        }
        number(&path)
    };
    assert_eq!(make(&load), 7);
    // The hit's load saw the other's file, so the step was made again.
    assert_eq!((memory.stats().hits(), memory.stats().misses(), number(&path)), (0, 2, 7));
}

#[test]
fn a_persister_whose_path_changes_half_way_is_an_error() {
    struct Moving<'a>(&'a [std::path::PathBuf; 2], Cell<usize>);

    impl Persister<u64> for Moving<'_> {
        type Loaded = ();

        fn save(&self, value: &u64) -> ndcache::Result<()> {
            self.1.set(1);
            ndcache::replace_file(&self.0[1], |file| write!(file, "{value}"))
        }

        fn load(&self) -> ndcache::Result<()> {
            Ok(())
        }

        fn path(&self) -> Option<&Path> {
            Some(&self.0[self.1.get()])
        }
    }

    let (folder, memory) = fresh();
    let paths = ["a.txt", "b.txt"].map(|name| folder.path().join(name));
    fs::write(&paths[0], "what was there").unwrap();
    for _ in 0..2 {
        let message = memory.make(same::call(7), Moving(&paths, Cell::new(0))).unwrap_err().to_string();
        assert!(message.contains("a.txt` is at `") && message.contains("b.txt` by now"), "{message}");
    }
    assert_eq!(fs::read_to_string(&paths[0]).unwrap(), "what was there");
}

//! Build steps: two makers of one target, faults half way, files of any bytes.

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::make::{MsgpackFile, NpyFile, Persister};
use ndcache::{Memory, cache};

use crate::support::{child, files, fresh, in_child};

/// Changes the working directory for odd numbers, as another thread of the program might.
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
    const NAME: &str = "hostile::targets::a_relative_target_is_one_file_whatever_becomes_of_the_current_folder";
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

// Bytes that follow the value were refused only if they were a value themselves.
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

/// A persister with a `save` of any kind.
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

// Holds already: a panic after the file was replaced leaves no call waiting, and the next call makes the target again.
#[test]
fn a_persister_that_panics_after_saving_costs_no_later_call() {
    let (folder, memory) = fresh();
    let path = folder.path().join("a.txt");
    let whole = |n: &u64| ndcache::make::replace_file(&path, |file| write!(file, "{n}"));
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
    let whole = |n: &u64| ndcache::make::replace_file(&path, |file| write!(file, "{n}"));
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
    let whole = |n: &u64| ndcache::make::replace_file(&path, |file| write!(file, "{n}"));
    // The other memory makes its target between this one's rename and digest.
    let late = |n: &u64| {
        whole(n)?;
        other.make(same::call(8), Odd { path: path.clone(), save: &whole }).map(drop)
    };
    let _ = memory.make(same::call(7), Odd { path: path.clone(), save: &late });
    assert_eq!(memory.make(same::call(7), Odd { path: path.clone(), save: &whole }).unwrap(), 7);
}

// Holds already: a slot's record with any bytes changed and its trailer mended is read or refused, and never gives a
// wrong value.
#[test]
fn forged_slots_make_again_or_are_right() {
    let (folder, memory) = fresh();
    let path = folder.path().join("a.npy");
    // A slot holds the helpers of its function, and each of its bytes is tried.
    #[cache(helpers = "named")]
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
    make_by_two([&memory, &memory], &folder.path().join("a.npy"));
}

// The same with default settings, where two users have a cache each and share a folder of targets.
#[test]
fn makers_of_two_caches_each_return_what_they_asked_for() {
    let (folder, one) = fresh();
    let (_other_folder, other) = fresh();
    make_by_two([&one, &other], &folder.path().join("a.npy"));
}

/// Has two threads make one target again and again, each for another argument each time.
fn make_by_two(memories: [&Memory; 2], path: &Path) {
    let wrong = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (me, memory) in memories.into_iter().enumerate() {
            let wrong = &wrong;
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
        ndcache::make::replace_file(self.path, |file| write!(file, "{value}"))
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

// Another process replaces the target before it is loaded: once, or each time that it is saved.
#[test]
fn a_target_that_is_replaced_before_it_is_loaded_is_saved_again_or_an_error() {
    let (folder, memory) = fresh();
    let path = folder.path().join("a.txt");
    for (times, expected) in [(1, Some(7)), (usize::MAX, None)] {
        let left = Cell::new(times);
        let load = || {
            if left.get() > 0 {
                left.set(left.get() - 1);
                ndcache::make::replace_file(&path, |file| write!(file, "8")).unwrap();
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
            ndcache::make::replace_file(&path, |file| write!(file, "8")).unwrap();
        }
        number(&path)
    };
    assert_eq!(make(&load), 7);
    // The hit's load saw the other memory's file, so the step was made again.
    assert_eq!((memory.stats().hits(), memory.stats().misses(), number(&path)), (0, 2, 7));
}

#[test]
fn a_persister_whose_path_changes_half_way_is_an_error() {
    struct Moving<'a>(&'a [std::path::PathBuf; 2], Cell<usize>);

    impl Persister<u64> for Moving<'_> {
        type Loaded = ();

        fn save(&self, value: &u64) -> ndcache::Result<()> {
            self.1.set(1);
            ndcache::make::replace_file(&self.0[1], |file| write!(file, "{value}"))
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

// Holds already: a header of any bytes is read or refused.
#[cfg(feature = "nifti")]
#[test]
fn volumes_of_random_headers_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    let target = ndcache::make::MappedNiftiFile::new(&path);
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
        let _ = ndcache::make::read_nifti::<f64, IxDyn>(&path).map(|volume| volume.voxels.sum());
        let _ = ndcache::make::read_nifti::<i16, Ix3>(&path).map(|volume| volume.grid.affine());
        let loaded: ndcache::Result<ndcache::Mapped3<i16>> = Persister::<Array3<i16>>::load(&target);
        let _ = loaded.map(|voxels| voxels.iter().map(|&x| i64::from(x)).sum::<i64>());
    }
}

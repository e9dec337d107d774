//! Targets that can't be: each is an error that says why, and leaves what was there.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ndarray::prelude::*;
use ndcache::__private::arrays_hashed;
use ndcache::make::{Fallible, MsgpackFile, NoOutput, NpyFile, Persister};
use ndcache::{Error, ErrorKind, Memory, Result, cache};

use super::{RUNS, Workshop, ramp, runs};
use crate::support::{Mount, child, in_child};

#[cache]
fn other(n: usize) -> Array1<f64> {
    Array1::zeros(n)
}

#[test]
fn two_functions_on_one_target_are_an_error_until_it_is_removed() {
    let workshop = Workshop::new();
    let path = workshop.path("a.npy");
    workshop.memory.make(ramp::call(3, 1.0), NpyFile::new(&path)).unwrap();
    let before = fs::read(&path).unwrap();
    // However the path is written.
    fs::create_dir(workshop.path("sub")).unwrap();
    std::os::unix::fs::symlink(workshop.path(""), workshop.path("link")).unwrap();
    for path in [path.clone(), workshop.path("sub/../a.npy"), workshop.path("link/a.npy")] {
        let error = workshop.memory.make(other::call(3), NpyFile::new(&path)).unwrap_err();
        let message = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        for part in [ramp::function().path(), other::function().path(), "out/a.npy`"] {
            assert!(message.contains(part), "{message}");
        }
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::remove_file(&path).unwrap();
    assert_eq!(workshop.memory.make(other::call(3), NpyFile::new(&path)).unwrap(), array![0.0, 0.0, 0.0]);
    assert_eq!(workshop.slots().len(), 1);
}

#[test]
fn one_function_may_make_many_targets_and_each_is_a_step_of_its_own() {
    let workshop = Workshop::new();
    for (name, step) in [("a.npy", 1.0), ("b.npy", 2.0), ("a.npy", 1.0), ("b.npy", 2.0)] {
        workshop.memory.make(ramp::call(3, step), NpyFile::new(workshop.path(name))).unwrap();
    }
    assert_eq!(runs(), 2);
}

#[test]
fn a_target_in_no_folder_or_in_a_folders_place_is_refused_before_anything_runs() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path("folder")).unwrap();
    std::os::unix::fs::symlink(workshop.path("elsewhere"), workshop.path("link")).unwrap();
    for (name, expected) in [
        ("missing/a.npy", "there is no folder `"),
        ("folder", "folder` is a folder, expected a file or nothing"),
        ("link", "link` is no regular file, expected a file or nothing"),
        ("..", "names no file"),
    ] {
        let error = workshop.memory.make(ramp::call(3, 1.0), NpyFile::new(workshop.path(name))).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    assert_eq!((runs(), workshop.names()), (0, vec!["folder".to_owned(), "link".to_owned()]));
}

#[test]
fn a_folder_that_can_not_be_written_is_found_before_the_function_runs() {
    let Some(mount) = Mount::tmpfs("size=1m") else { return };
    let workshop = Workshop::new();
    let path = mount.path().join("a.npy");
    workshop.memory.make(ramp::call(3, 1.0), NpyFile::new(&path)).unwrap();
    mount.remount("ro");
    // What is up to date needs no writing.
    workshop.memory.make(ramp::call(3, 1.0), NpyFile::new(&path)).unwrap();
    let error = workshop.memory.make(ramp::call(3, 2.0), NpyFile::new(&path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("a.npy`: Read-only file system"), "{error}");
    assert_eq!(runs(), 1);
}

#[test]
fn a_full_disk_leaves_the_old_target_and_no_other_file() {
    let Some(mount) = Mount::tmpfs("size=256k") else { return };
    let workshop = Workshop::new();
    let target = NpyFile::new(mount.path().join("a.npy"));
    workshop.memory.make(ramp::call(3, 1.0), &target).unwrap();
    let error = workshop.memory.make(ramp::call(100_000, 1.0), &target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("a.npy`"), "{error}");
    assert_eq!(fs::read_dir(mount.path()).unwrap().count(), 1);
    assert_eq!(workshop.memory.make(ramp::call(3, 1.0), &target).unwrap(), array![0.0, 1.0, 2.0]);
    assert_eq!(runs(), 2, "the old result is still there");
}

#[test]
fn a_value_that_the_format_can_not_hold_is_an_error_and_leaves_the_old_target() {
    #[cache(name = "make: keys")]
    fn keys(deep: bool) -> Vec<Option<Option<u8>>> {
        RUNS.set(RUNS.get() + 1);
        if deep { vec![Some(None)] } else { vec![None] }
    }
    let workshop = Workshop::new();
    let target = MsgpackFile::new(workshop.path("a.msgpack"));
    assert_eq!(workshop.memory.make(keys::call(false), &target).unwrap(), [None]);
    // The format writes `Some(None)` as `None`, which the first call returns as later ones do.
    assert_eq!(workshop.memory.make(keys::call(true), &target).unwrap(), [None]);
    assert_eq!(workshop.memory.make(keys::call(true), &target).unwrap(), [None]);
    assert_eq!(runs(), 2);

    #[cache(name = "make: broken")]
    fn broken(by: u8) -> u8 {
        by
    }
    struct Even(PathBuf);
    impl Persister<u8> for Even {
        type Loaded = u8;
        fn save(&self, value: &u8) -> Result<()> {
            ndcache::make::replace_file(&self.0, |file| match value % 2 {
                0 => std::io::Write::write_all(file, &[*value]).map_err(Error::other),
                _ => Err(Error::other(format!("{value} is odd"))),
            })
        }
        fn load(&self) -> Result<u8> {
            Ok(fs::read(&self.0).map_err(Error::other)?[0])
        }
        fn path(&self) -> Option<&Path> {
            Some(&self.0)
        }
    }
    let target = Even(workshop.path("even"));
    assert_eq!(workshop.memory.make(broken::call(2), &target).unwrap(), 2);
    let error = workshop.memory.make(broken::call(3), &target).unwrap_err().to_string();
    let path = broken::function().path();
    assert_eq!(error, format!("function `{path}`: can't write `{}`: 3 is odd", workshop.path("even").display()));
    assert_eq!(fs::read(workshop.path("even")).unwrap(), [2]);
    let hits = workshop.memory.stats().hits();
    assert_eq!(workshop.memory.make(broken::call(2), &target).unwrap(), 2);
    assert_eq!(workshop.memory.stats().hits(), hits + 1);
}

#[test]
fn a_half_written_target_is_an_error_of_its_format_and_is_made_again() {
    let workshop = Workshop::new();
    let path = workshop.path("a.npy");
    let target = NpyFile::new(&path);
    workshop.memory.make(ramp::call(100, 1.0), &target).unwrap();
    let whole = fs::read(&path).unwrap();
    for len in [0, 5, 64, whole.len() - 1] {
        fs::write(&path, &whole[..len]).unwrap();
        let error = Persister::<Array1<f64>>::load(&target).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{len} bytes");
        assert!(error.to_string().contains("a.npy`"), "{error}");
        workshop.memory.make(ramp::call(100, 1.0), &target).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
    fs::write(workshop.path("b.msgpack"), [0x93, 1]).unwrap();
    let error = Persister::<Vec<u8>>::load(&MsgpackFile::new(workshop.path("b.msgpack"))).unwrap_err();
    assert!(error.to_string().contains("b.msgpack` can't be decoded"), "{error}");
    fs::write(workshop.path("b.msgpack"), [0x90, 0x90]).unwrap();
    assert!(Persister::<Vec<u8>>::load(&MsgpackFile::new(workshop.path("b.msgpack"))).is_err());
}

/// Writes in place, and fails in the middle.
struct Careless(PathBuf);

impl Persister<Array1<f64>> for Careless {
    type Loaded = usize;

    fn save(&self, value: &Array1<f64>) -> Result<()> {
        fs::write(&self.0, "half").map_err(Error::other)?;
        assert!(value.len() != 13, "on purpose");
        fs::write(&self.0, "whole").map_err(Error::other)
    }

    fn load(&self) -> Result<usize> {
        match fs::read_to_string(&self.0).map_err(Error::other)?.as_str() {
            "whole" => Ok(1),
            _ => Err(Error::other("it is half written")),
        }
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.0)
    }
}

#[test]
fn what_a_persister_of_ones_own_left_half_written_is_made_again() {
    let workshop = Workshop::new();
    let path = workshop.path("a");
    let make = |n| workshop.memory.make(ramp::call(n, 1.0), Careless(path.clone()));
    assert_eq!(make(3).unwrap(), 1);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make(13)));
    assert!(panic.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "half");
    assert_eq!((make(3).unwrap(), runs()), (1, 3));
    assert_eq!((make(3).unwrap(), runs()), (1, 3));
}

/// A persister that saves a number with some digits.
struct Digits(PathBuf, usize);

impl Persister<f64> for Digits {
    type Loaded = String;

    fn save(&self, value: &f64) -> Result<()> {
        fs::write(&self.0, format!("{value:.*}", self.1)).map_err(Error::other)
    }

    fn load(&self) -> Result<String> {
        fs::read_to_string(&self.0).map_err(Error::other)
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.0)
    }

    fn format(&self) -> std::borrow::Cow<'_, str> {
        format!("{} digits", self.1).into()
    }
}

#[test]
fn a_target_in_another_format_is_made_again() {
    struct Words(PathBuf);
    impl Persister<f64> for Words {
        type Loaded = String;
        fn save(&self, value: &f64) -> Result<()> {
            fs::write(&self.0, if *value > 0.0 { "more" } else { "less" }).map_err(Error::other)
        }
        fn load(&self) -> Result<String> {
            fs::read_to_string(&self.0).map_err(Error::other)
        }
        fn path(&self) -> Option<&Path> {
            Some(&self.0)
        }
    }
    #[cache]
    fn third() -> f64 {
        RUNS.set(RUNS.get() + 1);
        1.0 / 3.0
    }
    let workshop = Workshop::new();
    let path = workshop.path("a.txt");
    let digits = |digits| workshop.memory.make(third::call(), &Digits(path.clone(), digits)).unwrap();
    assert_eq!((digits(1), digits(1), runs()), ("0.3".to_owned(), "0.3".to_owned(), 1));
    assert_eq!((digits(6), runs()), ("0.333333".to_owned(), 2));
    // A persister without a `format` of its own has the name of its type for one.
    let words = || workshop.memory.make(third::call(), Words(path.clone())).unwrap();
    assert_eq!((words(), words(), runs()), ("more".to_owned(), "more".to_owned(), 3));
    // A persister that checks whether it can load a file needs none.
    let number = MsgpackFile::new(&path);
    assert_eq!(workshop.memory.make(third::call(), &number).unwrap(), 1.0 / 3.0);
}

#[test]
fn a_persister_that_saves_nothing_at_its_path_is_an_error() {
    struct Nothing(PathBuf);
    impl Persister<Array1<f64>> for Nothing {
        type Loaded = ();
        fn save(&self, _: &Array1<f64>) -> Result<()> {
            Ok(())
        }
        fn load(&self) -> Result<()> {
            Ok(())
        }
        fn path(&self) -> Option<&Path> {
            Some(&self.0)
        }
    }
    let workshop = Workshop::new();
    let error = workshop.memory.make(ramp::call(3, 1.0), Nothing(workshop.path("a"))).unwrap_err();
    assert!(error.to_string().ends_with("out/a` wasn't saved: it isn't there"), "{error}");
}

#[test]
fn an_error_of_the_function_is_told_and_leaves_the_old_target() {
    #[cache(name = "make: half")]
    fn half(n: u32) -> Result<u32, String> {
        RUNS.set(RUNS.get() + 1);
        if n.is_multiple_of(2) { Ok(n / 2) } else { Err(format!("{n} is odd")) }
    }
    let workshop = Workshop::new();
    let target = Fallible(MsgpackFile::new(workshop.path("a.msgpack")));
    assert_eq!(workshop.memory.make(half::call(4), &target).unwrap(), 2);
    for _ in 0..2 {
        let error = workshop.memory.make(half::call(5), &target).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Other, "function `make: half`: 5 is odd".to_owned()));
    }
    assert_eq!(workshop.memory.make(half::call(4), &target).unwrap(), 2);
    assert_eq!(runs(), 3, "an error isn't remembered, and the old result stands");
    let plain = MsgpackFile::new(workshop.path("b.msgpack"));
    let error = workshop.memory.make(half::call(5), &plain).unwrap_err().to_string();
    assert_eq!(error, "the result of function `make: half` isn't saved: it is an `Err`");
    assert_eq!(workshop.memory.make(half::call(4), &plain).unwrap(), Ok(2));
}

#[test]
fn maps_by_name_and_fields_by_name_are_what_others_read_in_a_msgpack_file() {
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Summary {
        mean: f64,
        counts: BTreeMap<String, u32>,
    }
    #[cache(name = "make: summary")]
    fn summary(n: u32) -> Summary {
        Summary { mean: 0.5, counts: BTreeMap::from([("all".to_owned(), n)]) }
    }
    let workshop = Workshop::new();
    let path = workshop.path("a.msgpack");
    let made = workshop.memory.make(summary::call(3), MsgpackFile::new(&path)).unwrap();
    assert_eq!(made, summary::compute(3));
    let expected = [&b"\x82\xa4mean\xcb\x3f\xe0\0\0\0\0\0\0\xa6counts\x81\xa3all\x03"[..]].concat();
    assert_eq!(fs::read(&path).unwrap(), expected);
}

#[test]
fn arrays_keep_their_order_and_numpy_format_and_come_back_as_they_were_saved() {
    #[cache(name = "make: table")]
    fn table(fortran: bool) -> Array2<i16> {
        let table = array![[1, 2, 3], [4, 5, 6]];
        if fortran { Array2::from_shape_vec((2, 3).f(), vec![1, 4, 2, 5, 3, 6]).unwrap() } else { table }
    }
    let workshop = Workshop::new();
    for (name, fortran) in [("c.npy", false), ("f.npy", true)] {
        let path = workshop.path(name);
        let made = workshop.memory.make(table::call(fortran), NpyFile::new(&path)).unwrap();
        assert_eq!(made, array![[1, 2, 3], [4, 5, 6]]);
        assert_eq!(made.is_standard_layout(), !fortran);
        let read: Array2<i16> = ndarray_npy::read_npy(&path).unwrap();
        assert_eq!((read.strides(), &read), (made.strides(), &made));
        let mapped =
            workshop.memory.make(table::call(fortran), NpyFile::mapped(workshop.path(&format!("m{name}")))).unwrap();
        assert!(mapped.is_mapped());
        assert_eq!((mapped.strides(), mapped.to_owned()), (made.strides(), made.clone()));
    }
}

#[test]
fn a_mapped_target_has_no_write_permission_and_keeps_its_bytes_when_it_is_replaced() {
    let workshop = Workshop::new();
    let path = workshop.path("a.npy");
    let make = |step| workshop.memory.make(ramp::call(100, step), NpyFile::mapped(&path)).unwrap();
    let first = make(1.0);
    assert!(first.is_mapped());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o444);
    let second = make(2.0);
    assert_eq!((first[99], second[99]), (99.0, 198.0));
    assert_eq!(workshop.memory.stats().copies(), 0);
    // Its digest is that of its bytes, so it counts like the same array in memory.
    assert_eq!(second.digest(), ndcache::digest(&second.to_owned()));
}

#[test]
fn a_target_that_may_not_be_mapped_is_copied_and_counted() {
    let workshop = Workshop::new();
    let path = workshop.path("a.npy");
    let make = |memory: &Memory| memory.make(ramp::call(100, 1.0), NpyFile::mapped(&path)).unwrap();
    make(&workshop.memory);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let copied = make(&workshop.memory);
    assert!(!copied.is_mapped());
    assert_eq!((copied[99], runs()), (99.0, 1));
    assert_eq!(workshop.memory.stats().by_copy()["mode"], 1);
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(workshop.path(""), Permissions::from_mode(0o777)).unwrap();
    assert!(!make(&workshop.memory).is_mapped());
    assert_eq!(workshop.memory.stats().by_copy()["world-writable"], 1);
    fs::set_permissions(workshop.path(""), Permissions::from_mode(0o755)).unwrap();
    let owned =
        Memory::builder(workshop.folder.path().join("cache")).map(ndcache::policy::MapPolicy::Never).open().unwrap();
    assert!(!make(&owned).is_mapped());
    assert_eq!(owned.stats().by_copy()["policy"], 1);
    assert!(make(&workshop.memory).is_mapped());
}

#[test]
fn a_target_in_another_format_than_before_is_made_again() {
    let workshop = Workshop::new();
    let path = workshop.path("a");
    #[cache(name = "make: listed")]
    fn listed(n: usize) -> Array1<f64> {
        RUNS.set(RUNS.get() + 1);
        Array1::zeros(n)
    }
    struct Length(PathBuf);
    impl Persister<Array1<f64>> for Length {
        type Loaded = usize;
        fn save(&self, value: &Array1<f64>) -> Result<()> {
            ndcache::make::replace_file(&self.0, |file| {
                std::io::Write::write_fmt(file, format_args!("{}", value.len()))
            })
        }
        fn load(&self) -> Result<usize> {
            std::fs::read_to_string(&self.0).map_err(Error::other)?.parse().map_err(Error::other)
        }
        fn path(&self) -> Option<&Path> {
            Some(&self.0)
        }
    }
    let memory = &workshop.memory;
    assert_eq!(memory.make(listed::call(3), NpyFile::new(&path)).unwrap().len(), 3);
    for _ in 0..2 {
        assert_eq!(memory.make(listed::call(3), Length(path.clone())).unwrap(), 3);
    }
    assert_eq!((runs(), memory.stats().by_reason()["target"]), (2, 1));
}

#[test]
fn a_mapped_target_is_not_hashed_again_and_a_changed_copy_of_it_is_a_new_value() {
    const NAME: &str = "make::targets::a_mapped_target_is_not_hashed_again_and_a_changed_copy_of_it_is_a_new_value";
    #[cache]
    fn total(x: &ArrayRef1<f64>) -> f64 {
        x.sum()
    }
    if in_child(NAME, "NDCACHE_TEST_CHILD").is_none() {
        // In a process of its own, where no other test hashes anything.
        assert!(child(NAME, &[]).status().unwrap().success());
        return;
    }
    let workshop = Workshop::new();
    let memory = &workshop.memory;
    let x = memory.make(ramp::call(50_000, 1.0), NpyFile::mapped(workshop.path("a.npy"))).unwrap();
    memory.eval(total::call(&x));
    let before = arrays_hashed();
    assert!(memory.contains(&total::call(&x)));
    memory.make(total::call(&x), NoOutput).unwrap();
    assert_eq!(arrays_hashed(), before);
    let mut y = x.to_owned();
    assert!(memory.contains(&total::call(&y)));
    y[0] = 7.0;
    assert!(!memory.contains(&total::call(&y)));
    assert_eq!(arrays_hashed(), before + 2);
}

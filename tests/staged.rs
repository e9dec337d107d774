//! Staged outputs: arrays that are filled where they will be stored, and are what they would have been anyway.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::Zip;
use ndarray::prelude::*;
use ndcache::mapped::Staged;
use ndcache::policy::Durability;
use ndcache::{Compression, Mapped, Mapped1, Mapped2, Mapped3, Memory, Mode, Payload, cache, digest, zeros};
use rayon::prelude::*;

use crate::support::{child, files, fresh, in_child, skip};

mod faults;
mod kinds;

/// Large enough for a file.
const N: usize = 40_000;

thread_local! {
    /// Whether the last array that this thread made was a file.
    static STAGED: Cell<bool> = const { Cell::new(false) };
}

/// A ramp, and a note of where it was made.
fn filled(n: usize) -> Staged<f64, Ix1> {
    let mut x = zeros::<f64, _>(n);
    assert!(x.iter().all(|&x| x == 0.0));
    x.iter_mut().enumerate().for_each(|(i, x)| *x = i as f64);
    STAGED.set(x.is_mapped());
    x
}

#[cache]
fn ramp(n: usize) -> Mapped1<f64> {
    filled(n).into()
}

fn expected(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

/// Whether evaluating `call` made a file; asserts that the value is right in any case.
fn is_staged(memory: &Memory, n: usize) -> bool {
    STAGED.set(false);
    assert_eq!(memory.eval(ramp::call(n)), expected(n));
    STAGED.get()
}

/// The arrays of the folder by their inodes.
fn inodes(folder: &Path) -> Vec<u64> {
    files(folder, ".npy").iter().map(|path| fs::metadata(path).unwrap().ino()).collect()
}

#[test]
fn a_staged_array_becomes_the_entrys_file_without_a_copy() {
    #[cache(ignore(folder))]
    fn noted(folder: &Path, n: usize) -> (u64, Mapped1<f64>) {
        let x = filled(n);
        let [path] = &files(folder, ".npy")[..] else { panic!("one file") };
        let stat = fs::metadata(path).unwrap();
        assert_eq!(stat.mode() & 0o777, 0o444, "from the start");
        (stat.ino(), x.into())
    }
    for durability in [Durability::Buffered, Durability::Synced, Durability::Full] {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::builder(folder.path()).durability(durability).open().unwrap();
        let (inode, x) = memory.eval(noted::call(folder.path(), N));
        assert!(STAGED.get() && x.is_mapped());
        assert_eq!(x, expected(N));
        assert_eq!(inodes(folder.path()), [inode], "{durability:?}");
        let (again, y) = Memory::open(folder.path()).unwrap().eval(noted::call(folder.path(), N));
        assert_eq!((again, &y), (inode, &x));
        assert_eq!(memory.stats().faults(), 0);
        // The digest in the record is that of the bytes.
        assert!(memory.verify(ndcache::verify::Repair::No).unwrap().is_intact());
    }
}

#[test]
fn no_byte_of_a_staged_array_is_written_twice() {
    const NAME: &str = "staged::no_byte_of_a_staged_array_is_written_twice";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        assert!(is_staged(&Memory::open(folder).unwrap(), N));
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() && skip("strace") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let program = child(NAME, &[("FOLDER", path)]);
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    let calls = "trace=write,pwrite64,writev,pwritev,copy_file_range,sendfile,splice";
    strace.args(["-f", "-y", "-e", calls, "-o"]).arg(log.path());
    strace.arg(program.get_program()).args(program.get_args());
    strace.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = strace.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let log = fs::read_to_string(log.path()).unwrap();
    let bytes = |line: &str| line.rsplit(" = ").next().and_then(|result| result.trim().parse::<usize>().ok());
    let written: Vec<_> = log.lines().filter(|line| line.contains(".npy>")).filter_map(bytes).collect();
    assert_eq!(written, [128], "its header alone: {log}");
    assert_eq!(files(folder.path(), ".npy").len(), 1);
}

/// The permissions of the mappings of arrays in `folder`.
#[cfg(target_os = "linux")]
fn mapped(folder: &Path) -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let ours = maps.lines().filter(|line| line.contains(folder.to_str().unwrap()) && line.contains(".npy"));
    ours.map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn an_array_that_can_be_read_by_others_has_no_mapping_to_write_through() {
    #[cache(ignore(folder))]
    fn watched(folder: &Path, n: usize) -> Mapped1<f64> {
        let x = filled(n);
        assert_eq!(mapped(folder), ["rw-s"]);
        let x: Mapped1<f64> = x.into();
        assert_eq!(mapped(folder), ["r--s"]);
        let clone = x.clone();
        drop(x);
        assert_eq!(mapped(folder), ["r--s"]);
        clone
    }
    let (folder, memory) = fresh();
    let x = memory.eval(watched::call(folder.path(), N));
    assert!(x.is_mapped());
    assert_eq!(mapped(folder.path()), ["r--s"], "the one that was filled is gone");
    drop(x);
    assert!(mapped(folder.path()).is_empty());
}

#[test]
fn another_process_hits_what_was_staged() {
    const NAME: &str = "staged::another_process_hits_what_was_staged";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        assert!(!is_staged(&memory, N), "a hit makes nothing");
        assert_eq!(memory.stats().hits(), 1);
        return;
    }
    let (folder, memory) = fresh();
    assert!(is_staged(&memory, N));
    assert!(child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).status().unwrap().success());
}

#[test]
fn an_array_whose_axes_were_changed_is_stored_as_what_it_is() {
    let (folder, memory) = fresh();
    #[cache]
    fn turned(n: usize) -> Mapped2<f64> {
        let mut x = zeros::<f64, _>((n, 2 * n));
        Zip::indexed(&mut x).for_each(|(i, j), x| *x = (1000 * i + j) as f64);
        x.swap_axes(0, 1);
        x.into()
    }
    let x = memory.eval(turned::call(200));
    assert_eq!(x, Array2::from_shape_fn((400, 200), |(j, i)| (1000 * i + j) as f64));
    assert_eq!(files(folder.path(), ".npy").len(), 1, "the file of the array as it was is gone");
}

/// Whatever happens to an array that isn't returned, its file goes with it.
#[test]
fn an_array_that_is_not_returned_leaves_no_file() {
    #[cache]
    fn loses(how: &str) -> Result<f64, String> {
        let x = filled(N);
        assert!(x.is_mapped());
        match how {
            "panic" => panic!("on purpose"),
            "early" => Err("early".to_owned()),
            "frozen" => Ok(Mapped1::from(x).sum()),
            "owned" => Ok(x.into_owned().sum()),
            "swapped" => {
                let (mut a, mut b) = (x, zeros::<f64, _>(2 * N));
                std::mem::swap(&mut a, &mut b);
                b.slice_collapse(s![..10]);
                drop(a);
                Ok(b.sum())
            }
            _ => Ok(x.sum()),
        }
    }
    for how in ["panic", "early", "frozen", "owned", "swapped", "dropped"] {
        let (folder, memory) = fresh();
        let result = std::panic::catch_unwind(|| memory.eval(loses::call(how)));
        assert_eq!(result.is_err(), how == "panic");
        assert!(files(folder.path(), ".npy").is_empty(), "{how}");
        assert_eq!(memory.stats().faults(), 0, "{how}");
    }
}

#[test]
fn a_result_that_is_not_stored_keeps_its_file_no_longer_than_itself() {
    #[cache(cache_err)]
    fn fails(n: usize) -> Result<Mapped1<f64>, Mapped1<f64>> {
        Err(filled(n).into())
    }
    #[cache]
    fn discards(n: usize) -> Result<u8, Discarded> {
        Err(Discarded(filled(n).into()))
    }
    struct Discarded(Mapped1<f64>);
    let (folder, memory) = fresh();
    let error = memory.eval(discards::call(N)).unwrap_err().0;
    assert!(STAGED.get() && error.is_mapped());
    assert_eq!(error, expected(N));
    let clone = error.clone();
    drop(error);
    assert_eq!(files(folder.path(), ".npy").len(), 1);
    drop(clone);
    assert!(files(folder.path(), ".npy").is_empty());
    assert_eq!(memory.eval(fails::call(N)).unwrap_err(), expected(N));
    assert_eq!(files(folder.path(), ".npy").len(), 1, "an error that is stored, is");
}

#[derive(Payload)]
struct Both {
    low: Mapped1<f64>,
    named: Vec<(String, Option<Mapped2<f64>>)>,
}

#[test]
fn several_staged_arrays_in_one_result_are_each_taken_over() {
    #[cache(ignore(folder))]
    fn both(folder: &Path, n: usize) -> (Vec<u64>, Both) {
        let low = filled(n);
        let mut high = zeros::<f64, _>((n, 2).f());
        high.fill(7.0);
        let named = vec![("none".to_owned(), None), ("high".to_owned(), Some(high.into()))];
        let mut found = inodes(folder);
        found.sort_unstable();
        (found, Both { low: low.into(), named })
    }
    let (folder, memory) = fresh();
    for memory in [&memory, &Memory::open(folder.path()).unwrap()] {
        let (found, both) = memory.eval(both::call(folder.path(), N));
        assert_eq!(both.low, expected(N));
        assert_eq!(*both.named[1].1.as_ref().unwrap(), Array2::from_elem((N, 2), 7.0));
        let mut stored = inodes(folder.path());
        stored.sort_unstable();
        assert_eq!(stored, found);
    }
}

#[test]
fn an_array_that_is_stored_twice_is_copied_the_second_time() {
    #[cache]
    fn twice(n: usize) -> (Mapped1<f64>, Mapped1<f64>) {
        let x: Mapped1<f64> = filled(n).into();
        (x.clone(), x)
    }
    let (folder, memory) = fresh();
    for memory in [&memory, &Memory::open(folder.path()).unwrap()] {
        let (a, b) = memory.eval(twice::call(N));
        assert_eq!((&a, &b), (&Mapped::from(expected(N)), &Mapped::from(expected(N))));
        assert_eq!(files(folder.path(), ".npy").len(), 2);
    }
    // Both arrays have files of their own, which removing the entry removes.
    assert!(memory.remove(&twice::call(N)).unwrap());
    assert!(files(folder.path(), ".npy").is_empty());
}

#[test]
fn a_staged_array_is_an_argument_like_any_other() {
    #[cache]
    fn total(x: &ArrayRef1<f64>) -> f64 {
        x.sum()
    }
    #[cache(depends(total))]
    fn uses(n: usize) -> Mapped1<f64> {
        let mut x = filled(n);
        let before = total(&x);
        x[0] = before;
        assert_eq!(total(&x), 2.0 * before, "its content counts, not its address");
        let x: Mapped1<f64> = x.into();
        assert_eq!(total(&x), 2.0 * before);
        x
    }
    let (_folder, memory) = fresh();
    let x = memory.eval(uses::call(N));
    assert!(STAGED.get());
    let counts = memory.stats().by_function()[total::function().path()];
    assert_eq!((counts.misses, counts.hits), (2, 1));
    assert!(memory.contains(&total::call(&x)) && memory.contains(&total::call(&expected(N))));
}

#[test]
fn nested_calls_stage_each_its_own() {
    #[cache]
    fn inner(n: usize) -> Mapped1<f64> {
        filled(n).into()
    }
    #[cache(depends(inner))]
    fn outer(n: usize) -> (Mapped1<f64>, Mapped1<f64>) {
        let mut x = filled(n);
        let y = inner(n);
        assert!(x.is_mapped() && y.is_mapped());
        x += &*y;
        (x.into(), y)
    }
    let (folder, memory) = fresh();
    let (x, y) = memory.eval(outer::call(N));
    assert_eq!((x.clone(), y), ((2.0 * &expected(N)).into(), expected(N).into()));
    assert_eq!(memory.entry(&outer::call(N)).unwrap().unwrap().files().len(), 2);
    assert_eq!(memory.entry(&inner::call(N)).unwrap().unwrap().files().len(), 1);
    assert_eq!(files(folder.path(), ".npy").len(), 3);
    assert_eq!(memory.stats().faults(), 0);
}

#[test]
fn an_array_of_another_memory_is_copied() {
    thread_local! {
        static HANDED: Cell<Option<Mapped1<f64>>> = const { Cell::new(None) };
    }
    #[cache]
    fn hands(n: usize) -> u8 {
        HANDED.set(Some(filled(n).into()));
        1
    }
    #[cache]
    fn takes(_n: usize) -> Mapped1<f64> {
        HANDED.take().expect("handed over")
    }
    let ((one, a), (other, b)) = (fresh(), fresh());
    a.eval(hands::call(N));
    assert_eq!(files(one.path(), ".npy").len(), 1);
    assert_eq!(b.eval(takes::call(N)), expected(N));
    assert!(files(one.path(), ".npy").is_empty(), "removed with the array");
    assert_eq!(files(other.path(), ".npy").len(), 1);
    // An array in the same folder is taken over by another memory, and under another key.
    a.eval(hands::call(N + 1));
    let inode = inodes(one.path());
    assert_eq!(Memory::open(one.path()).unwrap().eval(takes::call(N + 1)), expected(N + 1));
    assert_eq!(inodes(one.path()), inode);
    assert_eq!(a.eval(takes::call(N + 1)), expected(N + 1));
}

#[test]
fn work_stealing_costs_no_result() {
    #[cache]
    fn stolen(n: usize) -> Mapped1<f64> {
        let parts: Vec<Mapped1<f64>> = (0..8).into_par_iter().map(|_| filled(n).into()).collect();
        parts.into_iter().next_back().expect("eight of them")
    }
    let (folder, memory) = fresh();
    let results: Vec<_> = (0..64_usize).into_par_iter().map(|n| memory.eval(stolen::call(N + n % 16))).collect();
    for (n, x) in results.iter().enumerate() {
        assert_eq!(*x, expected(N + n % 16));
    }
    assert_eq!(memory.stats().faults(), 0);
    drop(results);
    assert_eq!(files(folder.path(), ".npy").len(), 16, "one for each entry, and no other");
    assert!(memory.verify(ndcache::verify::Repair::No).unwrap().is_intact());
}

#[test]
fn a_function_may_return_an_array_made_of_a_staged_one() {
    #[cache]
    fn owned(n: usize) -> Array1<f64> {
        filled(n).into_owned()
    }
    let (folder, memory) = fresh();
    assert_eq!(memory.eval(owned::call(N)), expected(N));
    assert_eq!(memory.eval(owned::call(N)), expected(N));
    assert_eq!(files(folder.path(), ".npy").len(), 1);
}

#[test]
fn a_recheck_of_a_staged_result_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let open = |mode| Memory::builder(folder.path()).recheck(1.0).mode(mode).open().unwrap();
    let memory = open(Mode::ReadWrite);
    assert!(is_staged(&memory, N));
    let before = inodes(folder.path());
    assert!(!is_staged(&memory, N), "computed again, in memory");
    assert_eq!((memory.stats().hits(), memory.stats().mismatches(), memory.stats().faults()), (1, 0, 0));
    assert!(!is_staged(&open(Mode::ReadOnly), N));
    assert_eq!(inodes(folder.path()), before);
}

#[test]
fn a_readable_name_is_given_when_the_file_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).readable(true).open().unwrap();
    assert!(is_staged(&memory, N));
    let [file] = &files(folder.path(), ".npy")[..] else { panic!("one file") };
    assert!(file.file_name().unwrap().to_string_lossy().starts_with("ramp(n=40000)-"), "{}", file.display());
    assert!(!is_staged(&memory, N));
}

#[test]
fn a_staged_result_is_edited_without_a_copy_in_memory() {
    let (_folder, memory) = fresh();
    let mut x = memory.mmap_cow(ramp::call(N));
    assert!(STAGED.get() && x.is_mapped());
    x[0] = 7.0;
    let mut y = memory.mmap_mut(ramp::call(N + 1)).unwrap();
    assert!(STAGED.get() && y.is_mapped());
    y[0] = 7.0;
    y.commit().unwrap();
    assert_eq!(memory.eval(ramp::call(N)), expected(N));
    assert_eq!(memory.eval(ramp::call(N + 1))[0], 7.0);
}

#[test]
fn compressed_results_are_staged_first() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).compression(Compression::Gzip(1)).open().unwrap();
    assert!(is_staged(&memory, N));
    assert!(!is_staged(&memory, N));
    assert!(files(folder.path(), ".npy").is_empty());
    assert_eq!(files(folder.path(), ".npy.gz").len(), 1);
}

#[test]
fn a_refreshed_result_is_staged_and_replaces_the_other() {
    let (folder, memory) = fresh();
    let first = memory.eval(ramp::call(N));
    let before = inodes(folder.path());
    STAGED.set(false);
    assert_eq!(memory.refresh(ramp::call(N)), expected(N));
    assert!(STAGED.get());
    assert_eq!(files(folder.path(), ".npy").len(), 1);
    assert_ne!(inodes(folder.path()), before);
    assert_eq!(first, expected(N), "whoever has the old file mapped keeps it");
}

#[test]
fn a_staged_array_formats_compares_and_clones_like_an_array() {
    let mut x: Staged<i32, Ix2> = zeros((2, 3));
    x.row_mut(1).fill(2);
    x += 1;
    assert_eq!(x, array![[1, 1, 1], [3, 3, 3]]);
    assert_eq!(format!("{x}"), "[[1, 1, 1],\n [3, 3, 3]]");
    assert!(format!("{x:?}").starts_with("Staged<i32>(in memory) [[1"), "{x:?}");
    assert_eq!(x.to_owned(), x);
    assert_eq!((&x).into_iter().sum::<i32>(), 12);
    for element in &mut x {
        *element = 0;
    }
    let f = zeros::<bool, _>((2, 3).f());
    assert_eq!(f.strides(), [1, 2]);
    let f: Mapped2<bool> = f.into();
    assert_eq!(f.strides(), [1, 2]);
    let empty: Mapped3<f64> = zeros((2, 0, 3)).into();
    assert_eq!(empty.dim(), (2, 0, 3));
    fn sent<T: Send + Sync + std::panic::UnwindSafe + Unpin>() {}
    sent::<Staged<f64, Ix2>>();
    sent::<Mapped2<f64>>();
}

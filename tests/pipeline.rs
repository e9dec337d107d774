//! Pipelines: what one step returns is the next one's argument, and counts by its content.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::prelude::*;
use ndcache::__private::arrays_hashed;
use ndcache::explain::Reason;
use ndcache::{ContentHash, FileContent, FileStamp, Mapped1, Memory, cache, digest};

use crate::support::{child, fresh, in_child};

#[cache]
fn source(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

#[cache]
fn total(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

#[test]
fn one_key_for_the_same_array_however_it_comes() {
    let (_folder, memory) = fresh();
    let owned = memory.eval(source::call(50_000));
    memory.eval(total::call(&owned));
    let mapped: Mapped1<f64> = memory.mmap(source::call(50_000));
    let stepped = Array1::from_iter(owned.iter().flat_map(|&x| [x, -1.0]));
    let shared = owned.to_shared();
    let writable = memory.mmap_cow(source::call(50_000));
    assert!(memory.contains(&total::call(&mapped)));
    assert!(memory.contains(&total::call(&mapped.to_owned())));
    assert!(memory.contains(&total::call(&owned.view())));
    assert!(memory.contains(&total::call(&stepped.slice(s![..;2]))));
    assert!(memory.contains(&total::call(&shared)));
    assert!(memory.contains(&total::call(&writable)));
    assert_eq!(memory.entries().count(), 2);
}

#[test]
fn a_mapped_argument_is_not_hashed_at_a_hit() {
    const NAME: &str = "pipeline::a_mapped_argument_is_not_hashed_at_a_hit";
    if in_child(NAME, "NDCACHE_TEST_CHILD").is_none() {
        // In a process of its own, where no other test hashes anything.
        assert!(child(NAME, &[]).status().unwrap().success());
        return;
    }
    let (folder, memory) = fresh();
    let mapped = memory.mmap(source::call(100_000));
    memory.eval(total::call(&mapped));
    drop((mapped, memory));
    let memory = Memory::open(folder.path()).unwrap();
    let mapped = memory.mmap(source::call(100_000));
    let before = arrays_hashed();
    assert_eq!(memory.eval(total::call(&mapped)), 4_999_950_000.0);
    let behind_a_reference: &ArrayRef1<f64> = &mapped;
    assert!(memory.contains(&total::call(behind_a_reference)));
    assert!(memory.contains(&total::call(&mapped.clone())));
    assert_eq!(arrays_hashed(), before);
    assert!(!memory.contains(&total::call(&mapped.slice(s![1..]))));
    assert_eq!(arrays_hashed(), before + 1, "a part of it is another array");
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (2, 0));
}

#[test]
fn nothing_is_stored_under_a_digest_that_the_bytes_do_not_have() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, memory) = fresh();
    memory.eval(source::call(50_000));
    let path = memory.entry(&source::call(50_000)).unwrap().unwrap().files()[0].clone();
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    // A file that was written since the last boot is trusted when it is mapped, but verified before a result is stored
    // by its digest.
    let mapped = memory.mmap(source::call(50_000));
    assert!(mapped.is_mapped());
    assert_eq!(memory.eval(total::call(&mapped)).to_bits(), mapped.sum().to_bits());
    assert_eq!(memory.stats().faults(), 1);
    assert!(!memory.contains(&total::call(&source::compute(50_000))));
}

mod first {
    use super::*;

    #[cache(name = "cut-off: scale", depends(STEP))]
    pub(super) fn scale(x: &ArrayRef1<f64>) -> Array1<f64> {
        x * STEP
    }

    #[ndcache::code]
    const STEP: f64 = 2.0;
}

mod edited {
    use super::*;

    /// Its body is another one, its result the same.
    #[cache(name = "cut-off: scale")]
    pub(super) fn scale(x: &ArrayRef1<f64>) -> Array1<f64> {
        x + x
    }
}

#[test]
fn an_edited_step_recomputes_later_ones_only_if_its_result_changed() {
    static LATER: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn later(x: &ArrayRef1<f64>) -> f64 {
        LATER.fetch_add(1, Ordering::SeqCst);
        x.sum()
    }
    let (_folder, memory) = fresh();
    let x = memory.eval(source::call(100));
    let before = memory.eval(later::call(&memory.eval(first::scale::call(&x))));
    assert!(matches!(memory.explain(&edited::scale::call(&x)).reason(), Reason::Code(_)));
    let after = memory.eval(later::call(&memory.eval(edited::scale::call(&x))));
    assert_eq!((before, LATER.load(Ordering::SeqCst)), (after, 1), "cut off early");
    let elsewhere = memory.eval(source::call(101));
    memory.eval(later::call(&memory.eval(edited::scale::call(&elsewhere))));
    assert_eq!(LATER.load(Ordering::SeqCst), 2);
}

#[test]
fn a_file_counts_by_its_content() {
    #[cache]
    fn length(file: &FileContent) -> u64 {
        std::fs::metadata(file.path()).unwrap().len()
    }
    let (_folder, memory) = fresh();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        FileContent::open(path).unwrap()
    };
    memory.eval(length::call(&write("a", "one")));
    assert!(memory.contains(&length::call(&write("moved", "one"))));
    assert!(!memory.contains(&length::call(&write("a", "two"))));
    let error = FileContent::open(folder.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
}

/// The bytes that this process has read so far.
#[cfg(target_os = "linux")]
fn bytes_read() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn an_unchanged_file_is_read_once_in_a_process() {
    const NAME: &str = "pipeline::an_unchanged_file_is_read_once_in_a_process";
    const LEN: u64 = 8 << 20;
    if in_child(NAME, "NDCACHE_TEST_CHILD").is_none() {
        // In a process of its own, where no other test reads anything.
        assert!(child(NAME, &[]).status().unwrap().success());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    std::fs::write(&path, vec![7; LEN as usize]).unwrap();
    let opened = || {
        let before = bytes_read();
        let content = digest(&FileContent::open(&path).unwrap());
        (bytes_read() - before, content)
    };
    let stamped = || {
        let before = bytes_read();
        FileStamp::open(&path).unwrap();
        bytes_read() - before
    };
    let (read, content) = opened();
    assert!(read >= LEN);
    assert!(opened().0 >= LEN, "as long as it may change unseen");
    assert!(stamped() >= LEN, "as long as it may change unseen");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(opened().1, content);
    let (read, again) = opened();
    assert!(read < 4096 && again == content, "{read} bytes read");
    assert!(stamped() < 4096);
    std::fs::write(&path, vec![8; LEN as usize]).unwrap();
    let (read, other) = opened();
    assert!(read >= LEN && other != content);
}

#[test]
fn a_stamped_file_counts_by_size_times_and_inode() {
    #[cache]
    fn length(file: &FileStamp) -> u64 {
        std::fs::metadata(file.path()).unwrap().len()
    }
    let (_folder, memory) = fresh();
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("a"), folder.path().join("b"));
    std::fs::write(&path, "one").unwrap();
    let stamp = || FileStamp::open(&path).unwrap();
    assert_eq!(memory.eval(length::call(&stamp())), 3);
    assert!(memory.contains(&length::call(&stamp())));
    std::fs::copy(&path, &copy).unwrap();
    assert!(!memory.contains(&length::call(&FileStamp::open(&copy).unwrap())));
    std::thread::sleep(std::time::Duration::from_millis(20));
    std::fs::write(&path, "one").unwrap();
    assert!(!memory.contains(&length::call(&stamp())), "written anew");
    let error = FileStamp::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains(&folder.path().display().to_string()), "{error}");
}

#[derive(ContentHash)]
enum Filter {
    Flat,
    Taps { taps: Array1<f64>, gain: f64 },
    Pair(Array1<f64>, Array1<f64>),
}

#[test]
fn derived_arguments_count_variant_and_fields() {
    let (a, b) = (array![1.0, 2.0], array![1.0]);
    let filters = [
        Filter::Flat,
        Filter::Taps { taps: a.clone(), gain: 1.0 },
        Filter::Taps { taps: a.clone(), gain: 2.0 },
        Filter::Pair(a.clone(), b.clone()),
        Filter::Pair(b.clone(), a.clone()),
    ];
    for (i, one) in filters.iter().enumerate() {
        for other in &filters[..i] {
            assert_ne!(digest(one), digest(other));
        }
    }
    assert_eq!(digest(&Filter::Pair(a.clone(), b.clone())), digest(&filters[3]));
}

#[test]
fn a_change_of_one_argument_is_explained() {
    #[cache]
    fn window(n: usize, taper: f64, x: &ArrayRef1<f64>) -> f64 {
        n as f64 * taper + x.sum()
    }
    let (_folder, memory) = fresh();
    let x = array![1.0, 2.0];
    assert_eq!(memory.explain(&window::call(10, 0.5, &x)).reason(), Reason::NewFunction);
    memory.eval(window::call(10, 0.5, &x));
    memory.eval(window::call(90, 0.9, &array![1.0]));
    assert_eq!(memory.explain(&window::call(12, 0.5, &x)).to_string(), "argument `n`: 10 → 12");
    let text = memory.explain(&window::call(10, 0.5, &array![1.0, 3.0])).to_string();
    assert_eq!(text, "argument `x`: another f64[2] C");
}

//! Compressed arrays: what comes back, what Python reads, what a damaged one does, and what is said of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::policy::MapPolicy;
use ndcache::{Compression, Element, ErrorKind, Mapped1, Memory, Mode, Payload, cache};
use num_complex::Complex;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::interop::{Expected, check_with, python};
use crate::support::{Mount, child, files, in_child, warnings};

/// One leaf of a digest, and one member of a file (docs/format.md).
const LEAF: usize = 1 << 20;

/// Large enough to be mapped, were it not compressed.
const N: usize = 200_000;

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

#[cache]
fn mapped_ramp(n: usize) -> Mapped1<f64> {
    ramp::compute(n).into()
}

#[cache]
fn same<A, D>(x: &ArrayRef<A, D>) -> Array<A, D>
where
    A: Element,
    D: Dimension,
    Array<A, D>: Payload,
{
    x.to_owned()
}

fn memory(folder: &Path, compression: Compression) -> Memory {
    Memory::builder(folder).compression(compression).inline(0).open().unwrap()
}

fn fresh(compression: Compression) -> (TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = memory(folder.path(), compression);
    (folder, memory)
}

/// The one array file of the stored `ramp(n)`.
fn file(memory: &Memory, n: usize) -> PathBuf {
    let entry = memory.entry(&ramp::call(n)).unwrap().expect("an entry");
    assert_eq!(entry.files().len(), 1);
    entry.files()[0].clone()
}

fn rewrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
}

/// Stores `x` compressed, loads it in every way, and compares the results with it.
fn comes_back<A>(x: &ArrayD<A>, level: u32) -> Result<(), TestCaseError>
where
    A: Element + Clone,
    ArrayD<A>: Payload,
{
    let (_folder, memory) = fresh(Compression::Gzip(level));
    let bits = |x: &ArrayRef<A, IxDyn>| bytemuck::cast_slice::<A, u8>(x.as_slice_memory_order().unwrap()).to_vec();
    let expected = memory.eval(same::call(x));
    prop_assert_eq!(bits(&expected), bits(x));
    let loaded = memory.eval(same::call(x));
    prop_assert_eq!((loaded.shape(), loaded.strides()), (expected.shape(), expected.strides()));
    prop_assert_eq!(bits(&loaded), bits(x));
    prop_assert_eq!(bits(&memory.mmap(same::call(x))), bits(x));
    prop_assert_eq!(bits(&memory.mmap_cow(same::call(x))), bits(x));
    prop_assert_eq!(ndcache::digest(&loaded), ndcache::digest(x));
    let stats = memory.stats();
    prop_assert_eq!((stats.misses(), stats.hits(), stats.faults()), (1, 3, 0));
    Ok(())
}

/// An array of these bytes, repeated; of a `bool` their lowest bits.
fn filled<A: Element + Clone>(shape: &[usize], fortran: bool, bytes: &[u8]) -> ArrayD<A> {
    let len = shape.iter().product();
    let mut pool: Vec<u8> = bytes.iter().copied().cycle().take(64 * 1024).collect();
    if A::DESCR == "|b1" {
        pool.iter_mut().for_each(|byte| *byte &= 1);
    }
    let each = pool.chunks_exact(size_of::<A>()).cycle();
    let elements = each.map(|bytes| bytemuck::checked::pod_read_unaligned::<A>(bytes)).take(len).collect();
    ArrayD::from_shape_vec(IxDyn(shape).set_f(fortran), elements).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_stored_compressed_comes_back_bit_for_bit(
        shape in prop::collection::vec(0..9_usize, 0..5),
        fortran: bool,
        bytes in prop::collection::vec(any::<u8>(), 1..200),
        level in 0..=9_u32,
        dtype in 0..8,
    ) {
        match dtype {
            0 => comes_back::<u8>(&filled(&shape, fortran, &bytes), level)?,
            1 => comes_back::<i16>(&filled(&shape, fortran, &bytes), level)?,
            2 => comes_back::<u32>(&filled(&shape, fortran, &bytes), level)?,
            3 => comes_back::<usize>(&filled(&shape, fortran, &bytes), level)?,
            4 => comes_back::<bool>(&filled(&shape, fortran, &bytes), level)?,
            5 => comes_back::<f32>(&filled(&shape, fortran, &bytes), level)?,
            6 => comes_back::<f64>(&filled(&shape, fortran, &bytes), level)?,
            _ => comes_back::<Complex<f64>>(&filled(&shape, fortran, &bytes), level)?,
        }
    }
}

#[test]
fn arrays_of_many_members_come_back() {
    for bytes in [LEAF - 8, LEAF, LEAF + 8, 3 * LEAF, 17 * LEAF + 8] {
        comes_back::<f64>(&filled(&[bytes / 8], false, &[1, 2, 3, 5, 7, 11, 13]), 1).unwrap();
    }
    comes_back::<bool>(&filled(&[2, LEAF], true, &[0, 1, 1]), 6).unwrap();
}

#[test]
fn python_reads_what_was_compressed() {
    let Some(python) = python() else { return };
    let (folder, memory) = fresh(Compression::Gzip(4));
    let mut expected = Vec::new();
    for shape in [&[][..], &[0], &[7], &[3, 4], &[0, 3], &[2, 3, 4], &[300_000]] {
        for fortran in [false, true] {
            let bytes: Vec<u8> = (0..251).collect();
            let (x, y) = (filled::<f64>(shape, fortran, &bytes), filled::<Complex<f32>>(shape, fortran, &bytes));
            memory.eval(same::call(&x));
            memory.eval(same::call(&y));
            let (first, second) = (memory.entry(&same::call(&x)).unwrap(), memory.entry(&same::call(&y)).unwrap());
            expected.push(Expected::new(&first.unwrap().files()[0], &x));
            expected.push(Expected::new(&second.unwrap().files()[0], &y));
        }
    }
    check_with(&python, "check_gzip.py", folder.path(), &expected);
}

#[test]
fn an_entry_is_found_whether_it_is_compressed_or_not() {
    for (first, then) in [(Compression::None, Compression::Gzip(1)), (Compression::Gzip(1), Compression::None)] {
        let (folder, writer) = fresh(first);
        writer.eval(ramp::call(N));
        let reader = memory(folder.path(), then);
        assert_eq!(reader.eval(ramp::call(N)), ramp::compute(N));
        assert_eq!((reader.stats().hits(), reader.stats().misses()), (1, 0));
        assert_eq!(reader.refresh(ramp::call(N)), ramp::compute(N));
        assert_eq!(writer.eval(ramp::call(N)), ramp::compute(N));
        assert_eq!(
            (writer.stats().hits(), files(folder.path(), ".npy").len()),
            (1, usize::from(then == Compression::None))
        );
    }
}

#[test]
fn an_entry_names_its_compressed_file_and_counts_its_bytes() {
    let (folder, memory) = fresh(Compression::Gzip(6));
    memory.eval(ramp::call(N));
    let path = file(&memory, N);
    assert!(path.to_str().unwrap().ends_with(".npy.gz"), "{path:?}");
    assert_eq!(files(folder.path(), ".npy.gz"), std::slice::from_ref(&path));
    let stat = fs::metadata(&path).unwrap();
    assert_eq!(stat.permissions().mode() & 0o222, 0);
    assert!(stat.len() < 8 * N as u64 / 2, "{} bytes", stat.len());
    let entry = memory.entry(&ramp::call(N)).unwrap().unwrap();
    assert_eq!(entry.bytes(), stat.len() + fs::metadata(entry.path()).unwrap().len());
    assert!(memory.remove(&ramp::call(N)).unwrap());
    assert!(files(folder.path(), ".npy.gz").is_empty());
}

#[test]
fn a_compressed_array_that_is_to_be_mapped_is_copied_and_counted() {
    let (_folder, memory) = fresh(Compression::Gzip(1));
    let mapped = memory.mmap(ramp::call(N));
    assert!(!mapped.is_mapped());
    assert_eq!(mapped, ramp::compute(N));
    assert_eq!(memory.stats().by_copy()["compressed"], 1);
    let mut cow = memory.mmap_cow(ramp::call(N));
    cow[0] = 5.0;
    assert_eq!(memory.eval(mapped_ramp::call(N)), ramp::compute(N));
    assert_eq!(memory.stats().by_copy()["compressed"], 3);
    assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N));
    memory.mmap(ramp::call(100));
    assert_eq!((memory.stats().copies(), memory.stats().by_copy().len()), (3, 1), "loaded and small ones don't count");
}

#[test]
fn an_edited_array_is_stored_compressed_too() {
    let (folder, memory) = fresh(Compression::Gzip(3));
    let mut array = memory.mmap_mut(ramp::call(N)).unwrap();
    array[7] = -1.0;
    array.commit().unwrap();
    let loaded = memory.eval(ramp::call(N));
    assert_eq!((loaded[6], loaded[7]), (6.0, -1.0));
    assert_eq!(files(folder.path(), ".npy.gz"), [file(&memory, N)]);
}

#[cache(compress = Compression::Gzip(3))]
fn packed(n: usize) -> Array1<f64> {
    ramp::compute(n)
}

/// Two modules have this function: one name and one version, so one key, as if an earlier build had stored it.
mod plain {
    use super::*;

    #[cache(name = "compressed or not", code = "version", version = 1, compress = Compression::None)]
    pub(super) fn chosen(n: usize) -> Array1<f64> {
        ramp::compute(n)
    }
}

mod gzip {
    use super::*;

    #[cache(name = "compressed or not", code = "version", version = 1, compress = Compression::Gzip(1))]
    pub(super) fn chosen(n: usize) -> Array1<f64> {
        ramp::compute(n)
    }
}

#[test]
fn a_function_chooses_its_compression_whatever_the_memory_does() {
    let (folder, memory) = fresh(Compression::None);
    assert_eq!(memory.eval(packed::call(N)), ramp::compute(N));
    assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N));
    assert_eq!((files(folder.path(), ".npy.gz").len(), files(folder.path(), ".npy").len()), (1, 1));
    assert_eq!(memory.eval(packed::call(N)), ramp::compute(N));
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 2));
    let (folder, memory) = fresh(Compression::Gzip(9));
    memory.eval(plain::chosen::call(N));
    memory.eval(ramp::call(N));
    assert_eq!((files(folder.path(), ".npy.gz").len(), files(folder.path(), ".npy").len()), (1, 1));
}

#[test]
fn the_compression_of_a_function_does_not_enter_its_key() {
    let (folder, memory) = fresh(Compression::None);
    memory.eval(plain::chosen::call(N));
    assert_eq!(memory.eval(gzip::chosen::call(N)), ramp::compute(N));
    memory.refresh(gzip::chosen::call(N));
    assert_eq!((files(folder.path(), ".npy.gz").len(), files(folder.path(), ".npy").len()), (1, 0), "replaced");
    assert_eq!(memory.eval(plain::chosen::call(N)), ramp::compute(N));
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (2, 2));
}

#[test]
fn an_edited_array_is_stored_as_its_function_says() {
    let (folder, memory) = fresh(Compression::None);
    for edit in 1..3 {
        let mut array = memory.mmap_mut(packed::call(N)).unwrap();
        array[7] = -f64::from(edit);
        array.commit().unwrap();
        assert_eq!(memory.eval(packed::call(N))[7], -f64::from(edit));
        assert_eq!((files(folder.path(), ".npy.gz").len(), files(folder.path(), ".npy").len()), (1, 0));
    }
}

#[test]
fn a_level_that_gzip_has_not_stores_nothing_and_costs_no_result() {
    #[cache(compress = Compression::Gzip(17))]
    fn wrong(n: usize) -> Array1<f64> {
        ramp::compute(n)
    }
    let (folder, memory) = fresh(Compression::None);
    assert_eq!(memory.eval(wrong::call(N)), ramp::compute(N));
    assert_eq!(memory.try_eval(wrong::call(N)).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!((memory.stats().faults(), files(folder.path(), ".record").len()), (2, 0));
}

#[test]
fn a_shelved_result_is_loaded_from_its_compressed_file() {
    let (_folder, memory) = fresh(Compression::Gzip(3));
    memory.shelve(ramp::call(N)).unwrap();
    // The entry is found, and so it is verified.
    let shelved = memory.shelve(ramp::call(N)).unwrap();
    assert_eq!(shelved.load(&memory).unwrap(), ramp::compute(N));
    assert_eq!((memory.stats().misses(), memory.stats().faults(), memory.stats().copies()), (1, 0, 0));
    let path = file(&memory, N);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    rewrite(&path, &bytes);
    assert_eq!(shelved.load(&memory).unwrap_err().kind(), ErrorKind::Damaged);
}

#[test]
fn copies_of_plain_arrays_are_counted_by_reason_too() {
    let (folder, plain) = fresh(Compression::None);
    assert!(plain.mmap(ramp::call(N)).is_mapped());
    assert_eq!(plain.stats().copies(), 0);
    let never = Memory::builder(folder.path()).map(MapPolicy::Never).open().unwrap();
    assert!(!never.mmap(ramp::call(N)).is_mapped());
    assert_eq!((never.stats().copies(), never.stats().by_copy()["policy"]), (1, 1));
    fs::set_permissions(file(&plain, N), fs::Permissions::from_mode(0o644)).unwrap();
    let reader = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
    assert!(!reader.mmap(ramp::call(N)).is_mapped());
    assert_eq!(reader.stats().by_copy()["mode"], 1);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let open = Memory::open(folder.path()).unwrap();
    assert!(!open.mmap(ramp::call(N)).is_mapped());
    assert_eq!(open.stats().by_copy()["world-writable"], 1);
}

#[test]
fn a_damaged_compressed_array_is_a_miss_and_is_replaced() {
    for damage in ["truncated", "empty", "longer", "missing", "flipped", "plain"] {
        let (_folder, memory) = fresh(Compression::Gzip(6));
        memory.eval(ramp::call(N));
        let path = file(&memory, N);
        let mut bytes = fs::read(&path).unwrap();
        let (len, middle) = (bytes.len(), bytes.len() / 2);
        match damage {
            "truncated" => bytes.truncate(middle),
            "empty" => bytes.clear(),
            "longer" => bytes.push(0),
            "flipped" => bytes[middle] ^= 16,
            "plain" => bytes = vec![0; len],
            _ => {}
        }
        rewrite(&path, &bytes);
        if damage == "missing" {
            fs::remove_file(&path).unwrap();
        }
        let warned = warnings(|| assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N), "{damage}"));
        assert!(warned.iter().any(|line| line.contains(".npy.gz")), "{damage}: {warned:?}");
        assert_eq!(memory.stats().by_reason()["damaged"], 1, "{damage}");
        assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N), "{damage}");
        assert_eq!(memory.stats().hits(), 1, "{damage}");
    }
}

#[test]
fn no_flipped_bit_changes_a_value() {
    const SMALL: usize = 200;
    let (folder, memory) = fresh(Compression::Gzip(9));
    memory.eval(ramp::call(SMALL));
    let path = file(&memory, SMALL);
    let bytes = fs::read(&path).unwrap();
    let reader = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        rewrite(&path, &flipped);
        assert_eq!(reader.eval(ramp::call(SMALL)), ramp::compute(SMALL), "bit {bit}");
    }
    // Up to seven bits after each of the two deflate streams have no meaning.
    assert!(reader.stats().hits() <= 14, "{} hits", reader.stats().hits());
}

#[test]
fn a_record_that_claims_terabytes_costs_neither_memory_nor_the_result() {
    let (_folder, memory) = fresh(Compression::Gzip(6));
    memory.eval(ramp::call(N));
    let record = memory.entry(&ramp::call(N)).unwrap().unwrap().path().to_owned();
    for elements in [1_u64 << 20, 1 << 30, 1 << 40, 1 << 59] {
        rewrite(&record, &claiming(&fs::read(&record).unwrap(), elements));
        let warned = warnings(|| {
            let folder = memory.location().unwrap();
            let reader = Memory::builder(folder).mode(Mode::ReadOnly).open().unwrap();
            assert_eq!(reader.mmap(ramp::call(N)), ramp::compute(N));
            assert_eq!(reader.stats().by_reason()["damaged"], 1);
        });
        assert!(warned[0].contains(".npy.gz"), "{warned:?}");
    }
    assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N));
    assert_eq!(memory.try_eval(ramp::call(N)).unwrap(), ramp::compute(N));
}

/// The record with the first array's shape replaced and its trailer mended, by docs/format.md.
fn claiming(record: &[u8], elements: u64) -> Vec<u8> {
    let name = b"\xa5shape\x91";
    let at = record.windows(name.len()).position(|window| window == name).expect("a shape") + name.len();
    let width = match record[at] {
        0xce => 5,
        0xcf => 9,
        marker => panic!("shape begins with {marker:#x}"),
    };
    let mut bytes = [&record[..at], &[0xcf]].concat();
    bytes.extend((0..8).rev().map(|i| (elements >> (8 * i)) as u8));
    bytes.extend_from_slice(&record[at + width..record.len() - 16]);
    let trailer = xxhash_rust::xxh3::xxh3_128(&bytes);
    bytes.extend((0..16).rev().map(|i| (trailer >> (8 * i)) as u8));
    bytes
}

#[test]
fn a_disk_that_fills_up_while_an_array_is_compressed_costs_no_result_and_leaves_nothing() {
    let Some(small) = Mount::tmpfs("size=200k") else { return };
    let memory = memory(&small.path().join("cache"), Compression::Gzip(0));
    let warned = warnings(|| {
        assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N));
        assert_eq!(memory.mmap(ramp::call(N)), ramp::compute(N));
    });
    assert_eq!(warned.len(), 1, "told once: {warned:?}");
    let error = memory.try_eval(ramp::call(N)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains(".npy.gz"), "{error}");
    assert!(files(small.path(), ".npy.gz").is_empty() && files(small.path(), ".record").is_empty());
}

#[test]
fn the_bytes_of_a_file_depend_on_no_number_of_threads() {
    const NAME: &str = "compression::the_bytes_of_a_file_depend_on_no_number_of_threads";
    let make = |folder: &Path| {
        let memory = memory(folder, Compression::Gzip(2));
        memory.eval(ramp::call(9 * LEAF / 8 + 3));
    };
    if let Some(folder) = in_child(NAME, "FOLDER") {
        return make(Path::new(&folder));
    }
    let mut made = Vec::new();
    for threads in ["1", "2", "5"] {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("FOLDER", folder.path().to_str().unwrap()), ("RAYON_NUM_THREADS", threads)];
        assert!(child(NAME, &variables).output().unwrap().status.success());
        made.push(fs::read(&files(folder.path(), ".npy.gz")[0]).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    rayon::ThreadPoolBuilder::new().build().unwrap().install(|| make(folder.path()));
    made.push(fs::read(&files(folder.path(), ".npy.gz")[0]).unwrap());
    assert!(made.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_level_that_gzip_has_not_opens_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let error = Memory::builder(folder.path()).compression(Compression::Gzip(10)).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), "compression level is 10, expected at most 9");
    let (_folder, memory) = fresh(Compression::Gzip(0));
    assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N));
    assert!(matches!(memory.explain(&ramp::call(N)).reason(), Reason::Hit));
    assert_eq!((memory.compression(), Memory::disabled().compression()), (Compression::Gzip(0), Compression::None));
}

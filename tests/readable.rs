//! Array files whose names say what they hold.

use std::path::Path;
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::verify::{Problem, Repair};
use ndcache::{Compression, Limits, Memory, cache};

use crate::support::{files, fresh};

#[cache(readable = true)]
fn features(n: usize, k: f64) -> Array2<f64> {
    Array2::from_elem((n, 1000), k)
}

#[cache]
fn window(kind: &str, x: &ArrayRef1<f64>) -> Array1<f64> {
    x * kind.len() as f64
}

fn names(folder: &Path) -> Vec<String> {
    let paths = files(folder, ".npy").into_iter().chain(files(folder, ".npy.gz"));
    paths.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_readable_array_file_names_function_and_arguments_before_its_key() {
    let (folder, memory) = fresh();
    memory.eval(features::call(3, 0.5));
    let entry = memory.entry(&features::call(3, 0.5)).unwrap().unwrap();
    let names = names(folder.path());
    let start = format!("features(n=3,k=0.5)-{}.", entry.key());
    assert!(names.len() == 1 && names[0].starts_with(&start) && names[0].ends_with(".npy"), "{names:?}");
    let record = entry.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(record, format!("{}.record", entry.key()), "the record's name doesn't change");
}

#[test]
fn what_is_stored_either_way_hits_either_way() {
    let (folder, plain) = fresh();
    let readable = Memory::builder(folder.path()).readable(true).open().unwrap();
    let x = Array1::linspace(0.0, 1.0, 1000);
    let y = plain.eval(window::call("hann", &x));
    assert_eq!(readable.eval(window::call("hann", &x)), y);
    readable.eval(window::call("ha/nn", &x));
    plain.eval(window::call("ha/nn", &x));
    assert_eq!((plain.stats().hits(), readable.stats().hits()), (1, 1));
    let readable_names: Vec<_> = names(folder.path()).into_iter().filter(|name| name.contains('(')).collect();
    assert_eq!(readable_names.len(), 1, "what is stored keeps its name");
    assert!(readable_names[0].starts_with("window(kind=ha%2Fnn,x=f64[1000]_C)-"), "{readable_names:?}");
    plain.refresh(window::call("ha/nn", &x));
    assert!(names(folder.path()).iter().all(|name| !name.contains('(')), "replaced with its files");
}

#[test]
fn readable_files_are_mapped_edited_compressed_and_removed_as_others() {
    let (folder, memory) = fresh();
    let mapped = memory.mmap(features::call(100, 2.0));
    assert!(mapped.is_mapped());
    let mut edited = memory.mmap_mut(features::call(100, 2.0)).unwrap();
    edited[[0, 0]] = 7.0;
    edited.commit().unwrap();
    assert_eq!(memory.mmap(features::call(100, 2.0))[[0, 0]], 7.0);
    assert!(names(folder.path()).iter().all(|name| name.starts_with("features(n=100,k=2.0)-")));
    assert_eq!(names(folder.path()).len(), 1);
    assert!(memory.remove(&features::call(100, 2.0)).unwrap());
    assert_eq!(names(folder.path()), Vec::<String>::new());
    let packed = Memory::builder(folder.path()).compression(Compression::Gzip(1)).open().unwrap();
    packed.eval(features::call(1, -0.5));
    let names = names(folder.path());
    assert!(names[0].starts_with("features(n=1,k=-0.5)-") && names[0].ends_with(".npy.gz"), "{names:?}");
    assert_eq!(packed.eval(features::call(1, -0.5)), features::compute(1, -0.5));
    packed.clear_function(features::function()).unwrap();
    assert_eq!(files(folder.path(), ".npy.gz").len(), 0);
}

#[test]
fn limits_verification_and_sweeps_know_readable_files() {
    let (folder, memory) = fresh();
    for n in 1..=4 {
        memory.eval(features::call(n, 0.5));
    }
    let report = memory.verify(Repair::No).unwrap();
    assert!(report.is_intact() && report.problems.is_empty() && report.entries == 4, "{report:?}");

    // A killed writer's file is garbage after a day, and an entry's own file never.
    let own = files(folder.path(), ".npy")[0].clone();
    let name = own.file_name().unwrap().to_str().unwrap();
    let orphan = own.with_file_name(name.replace("features(", "other("));
    std::fs::copy(&own, &orphan).unwrap();
    let report = memory.verify(Repair::No).unwrap();
    assert_eq!((report.orphans, &report.problems[..]), (1, &[(orphan.clone(), Problem::Orphan)][..]));
    memory.reduce_size(Limits::default()).unwrap();
    assert!(orphan.exists(), "it may be a live writer's");
    let old = std::fs::FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(25 * 3600));
    for path in [&own, &orphan] {
        let mut permissions = std::fs::metadata(path).unwrap().permissions();
        #[allow(clippy::permissions_set_readonly_false)]
        permissions.set_readonly(false);
        std::fs::set_permissions(path, permissions.clone()).unwrap();
        std::fs::File::options().write(true).open(path).unwrap().set_times(old).unwrap();
        permissions.set_readonly(true);
        std::fs::set_permissions(path, permissions).unwrap();
    }
    memory.reduce_size(Limits::default()).unwrap();
    assert!(!orphan.exists() && own.exists());

    let evicted = memory.reduce_size(Limits::default().items(1)).unwrap();
    assert_eq!((evicted.items, names(folder.path()).len()), (3, 1));
}

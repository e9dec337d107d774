//! Where there is no file to be had, or the process dies: the result is right, and nothing stays behind.

use std::time::{Duration, SystemTime};

use ndcache::Limits;
use ndcache::policy::MapPolicy;

use super::*;
use crate::support::{Mount, snapshot, warnings};

#[test]
fn without_a_file_an_array_is_in_memory() {
    assert!(!filled(N).is_mapped(), "outside of a cached call");
    let (folder, memory) = fresh();
    memory.with(|| assert!(!filled(N).is_mapped(), "outside of a cached call"));
    assert!(!is_staged(&memory, 1000), "a small one is read, later on");
    let before = snapshot(folder.path());
    for mode in [Mode::ReadOnly, Mode::Off] {
        assert!(!is_staged(&Memory::builder(folder.path()).mode(mode).open().unwrap(), N), "{mode:?}");
    }
    assert!(!is_staged(&Memory::disabled(), N));
    #[cache(mode = Mode::Off)]
    fn off(n: usize) -> Mapped1<f64> {
        filled(n).into()
    }
    assert!(!memory.eval(off::call(N)).is_mapped());
    assert_eq!(snapshot(folder.path()), before, "none of them writes");
    assert!(!is_staged(&Memory::builder(folder.path()).map(MapPolicy::Never).open().unwrap(), N));

    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(!is_staged(&Memory::open(open.path()).unwrap(), N), "anyone could write there");
    // An inner call that isn't cached doesn't write to the outer one's folder, nor does an outer one that isn't.
    #[cache(depends(off))]
    fn outer(n: usize) -> (bool, bool) {
        (off(n).is_mapped(), Memory::disabled().eval(ramp::call(n)).is_mapped())
    }
    assert_eq!(memory.eval(outer::call(N)), (false, false));
}

#[test]
fn a_full_disk_makes_staged_arrays_in_memory() {
    let Some(small) = Mount::tmpfs("size=200k") else { return };
    let memory = Memory::open(small.path().join("cache")).unwrap();
    let warned = warnings(|| {
        for _ in 0..2 {
            assert!(!is_staged(&memory, N));
        }
    });
    assert_eq!(warned.len(), 1, "told once: {warned:?}");
    assert!(files(small.path(), ".npy").is_empty() && files(small.path(), ".record").is_empty());
    // There is room for one array in a file, and not for a second one beside it.
    #[cache]
    fn two(n: usize) -> (Mapped1<f64>, bool, bool) {
        let (a, b) = (filled(n), filled(n));
        let (a_is, b_is) = (a.is_mapped(), b.is_mapped());
        drop(b);
        (a.into(), a_is, b_is)
    }
    let (x, a, b) = memory.eval(two::call(20_000));
    assert_eq!((x, a, b), (expected(20_000).into(), true, false));
    assert_eq!(files(small.path(), ".npy").len(), 1);
}

#[test]
fn a_limit_on_file_sizes_makes_staged_arrays_in_memory() {
    const NAME: &str = "staged::faults::a_limit_on_file_sizes_makes_staged_arrays_in_memory";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let limit = rustix::process::Rlimit { current: Some(200 << 10), maximum: Some(200 << 10) };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
        let memory = Memory::open(folder).unwrap();
        assert!(is_staged(&memory, 20_000));
        assert!(!is_staged(&memory, N));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert!(output.status.success(), "a signal would end it: {output:?}");
    assert_eq!(files(folder.path(), ".npy").len(), 1);
}

/// There is room for the array, and none for its record.
#[test]
fn a_put_that_fails_after_taking_a_file_over_leaves_none() {
    let Some(small) = Mount::tmpfs("size=2m") else { return };
    let memory = Memory::open(small.path().join("cache")).unwrap();
    let filler = small.path().join("filler");
    #[cache(ignore(filler))]
    fn fills(filler: &Path, n: usize) -> Mapped1<f64> {
        let x = filled(n);
        let mut room = fs::File::create(filler).unwrap();
        while std::io::Write::write(&mut room, &[1; 4096]).is_ok() {}
        x.into()
    }
    let x = memory.eval(fills::call(&filler, N));
    assert!(STAGED.get());
    assert_eq!(x, expected(N));
    assert_eq!(memory.stats().faults(), 1);
    assert!(files(small.path(), ".record").is_empty());
    drop(x);
    assert!(files(small.path(), ".npy").is_empty());
    fs::remove_file(&filler).unwrap();
    assert!(is_staged(&memory, N));
}

/// There is room for the record once limits have made it, but not for a second copy of the array.
#[test]
fn a_second_try_takes_the_same_file_over() {
    let Some(small) = Mount::tmpfs("size=1m") else { return };
    let limits = Limits::default().items(10);
    let memory = Memory::builder(small.path().join("cache")).limits(limits).open().unwrap();
    #[cache]
    fn old(n: usize) -> Array1<f64> {
        Array1::zeros(n)
    }
    (1000..1004).for_each(|n| drop(memory.eval(old::call(n))));
    let filler = small.path().join("filler");
    #[cache(ignore(folder, filler))]
    fn fills(folder: &Path, filler: &Path, n: usize) -> (Vec<u64>, Mapped1<f64>) {
        let before = inodes(folder);
        let x = filled(n);
        let mut room = fs::File::create(filler).unwrap();
        while std::io::Write::write(&mut room, &[1; 4096]).is_ok() {}
        (inodes(folder).into_iter().filter(|inode| !before.contains(inode)).collect(), x.into())
    }
    let (made, x) = memory.try_eval(fills::call(small.path(), &filler, N)).unwrap();
    assert_eq!((made.len(), &x), (1, &expected(N).into()));
    let entry = memory.entry(&fills::call(small.path(), &filler, N)).unwrap().unwrap();
    assert_eq!(fs::metadata(&entry.files()[0]).unwrap().ino(), made[0]);
}

fn set_back(path: &Path, age: Duration) {
    let then = SystemTime::now() - age;
    fs::File::open(path).unwrap().set_modified(then).unwrap();
}

/// Files are left by a process that was killed, and by an array that was forgotten.
#[test]
fn a_killed_process_leaves_garbage_that_is_swept_after_a_day() {
    const NAME: &str = "staged::faults::a_killed_process_leaves_garbage_that_is_swept_after_a_day";
    #[cache]
    fn dies(n: usize) -> Mapped1<f64> {
        let x = filled(n);
        if n == N {
            std::process::abort();
        }
        std::mem::forget(x);
        filled(n).into()
    }
    if let Some(folder) = in_child(NAME, "FOLDER") {
        Memory::open(folder).unwrap().eval(dies::call(N));
    }
    let (folder, memory) = fresh();
    assert!(is_staged(&memory, N));
    let kept = files(folder.path(), ".npy");
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(6), "it did abort");
    assert_eq!(memory.eval(dies::call(N + 1)), expected(N + 1));
    let left: Vec<PathBuf> = files(folder.path(), ".npy").into_iter().filter(|path| !kept.contains(path)).collect();
    assert_eq!(left.len(), 3, "the aborted one's, the forgotten one's, and an entry's");
    memory.reduce_size(Limits::default()).unwrap();
    assert_eq!(files(folder.path(), ".npy").len(), 4);
    left.iter().for_each(|path| set_back(path, Duration::from_secs(25 * 3600)));
    memory.reduce_size(Limits::default()).unwrap();
    assert_eq!(files(folder.path(), ".npy").len(), 2, "what records name stays");
    assert!(!is_staged(&memory, N) && memory.contains(&dies::call(N + 1)));
}

/// Half of the array fits into what the process may have of memory: heap and other private pages (`RLIMIT_DATA`; pages
/// of a shared mapping are the file's, and don't count).
#[cfg(target_os = "linux")]
#[test]
fn a_result_may_be_larger_than_memory() {
    const NAME: &str = "staged::faults::a_result_may_be_larger_than_memory";
    const COLUMNS: usize = 1 << 17;
    #[cache]
    fn large(rows: usize) -> Mapped2<f64> {
        let mut x = zeros::<f64, _>((rows, COLUMNS));
        assert!(x.is_mapped());
        let mut line: Vec<f64> = (0..COLUMNS).map(|i| i as f64).collect();
        for (i, mut row) in x.rows_mut().into_iter().enumerate() {
            line[0] = -(i as f64);
            row.as_slice_mut().expect("a row of C order").copy_from_slice(&line);
        }
        x.into()
    }
    if let Some(rows) = in_child(NAME, "ROWS") {
        let rows: usize = rows.parse().unwrap();
        let bytes = rows * COLUMNS * size_of::<f64>();
        let half = Some(bytes as u64 / 2);
        rustix::process::setrlimit(
            rustix::process::Resource::Data,
            rustix::process::Rlimit { current: half, maximum: half },
        )
        .unwrap();
        assert!(Vec::<u8>::new().try_reserve_exact(bytes).is_err(), "it wouldn't fit");
        let memory = Memory::open(std::env::var_os("FOLDER").unwrap()).unwrap();
        for _ in 0..2 {
            let x = memory.try_eval(large::call(rows)).unwrap();
            assert!(x.is_mapped() && x.dim() == (rows, COLUMNS));
            for i in [0, 1, rows / 2, rows - 1] {
                assert_eq!((x[[i, 0]], x[[i, 1]], x[[i, COLUMNS - 1]]), (-(i as f64), 1.0, (COLUMNS - 1) as f64));
            }
        }
        assert_eq!((memory.stats().hits(), memory.stats().faults()), (1, 0));
        return;
    }
    // A disk, where the temporary folder may be memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let stat = rustix::fs::statvfs(folder.path()).unwrap();
    let mib = (stat.f_bavail * stat.f_frsize / (4 << 20)).min(2048);
    println!("{mib} MiB, in a process that may have {} MiB of memory", mib / 2);
    if mib < 64 && skip("room for 256 MiB on the disk") {
        return;
    }
    let (path, rows) = (folder.path().to_str().unwrap(), mib.to_string());
    let output = child(NAME, &[("FOLDER", path), ("ROWS", &rows)]).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let [file] = &files(folder.path(), ".npy")[..] else { panic!("one file") };
    assert_eq!(fs::metadata(file).unwrap().len(), 128 + (mib << 20));
}

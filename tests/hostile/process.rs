//! A library must do nothing to its process that the plain function wouldn't do, and must need nothing from it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ndarray::prelude::*;
use ndcache::make::NpyFile;
use ndcache::verify::Repair;
use ndcache::{Compression, Limits, Mapped1, Memory, cache, digest};

use crate::support::{child, files, fresh, in_child, skip};

/// 32 MiB.
const LARGE: usize = 4 << 20;

#[cache]
fn loaded(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| (i % 1000) as f64)
}

#[cache]
fn mapped(n: usize) -> Mapped1<f64> {
    Array1::from_shape_fn(n, |i| (i % 1000) as f64).into()
}

#[cache(compress = Compression::Gzip(1))]
fn compressed(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| (i % 1000) as f64)
}

#[cache]
fn staged(n: usize) -> Mapped1<f64> {
    let mut out = ndcache::zeros::<f64, _>(n);
    out.iter_mut().enumerate().for_each(|(i, out)| *out = (i % 1000) as f64);
    out.into()
}

#[cache]
fn total(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

#[cache]
fn each(n: u64) -> Array1<u8> {
    Array1::from_elem(20_000, n as u8)
}

/// Runs operations that take several threads if the process may have them.
fn everything(folder: &Path) {
    let memory = Memory::open(folder).unwrap();
    let sum = loaded::compute(LARGE).sum();
    for _ in 0..2 {
        let x = memory.eval(loaded::call(LARGE));
        assert_eq!(x.sum(), sum);
        assert_eq!(memory.eval(mapped::call(LARGE)).sum(), sum);
        assert_eq!(memory.mmap(loaded::call(LARGE)).sum(), sum);
        assert_eq!(memory.eval(compressed::call(LARGE)).sum(), sum);
        assert_eq!(memory.eval(staged::call(LARGE)).sum(), sum);
        assert_eq!(memory.eval(total::call(&x)), sum);
        assert_eq!(memory.eval(total::call(&x.slice(ndarray::s![..;-1]))), sum);
        let target = NpyFile::new(folder.join("target.npy"));
        assert_eq!(memory.make(loaded::call(LARGE), target).unwrap().sum(), sum);
    }
    assert!(memory.stats().hits() >= 7, "{:?}", memory.stats());
    assert!(memory.verify(Repair::No).unwrap().is_intact());
    assert_eq!(memory.entries().map(Result::unwrap).count(), 6);
    limited(folder);
    memory.clear().unwrap();
}

/// Stores more than a folder's limits allow.
fn limited(folder: &Path) {
    let folder = folder.join("limited");
    let limit = 400_000;
    let memory = Memory::builder(&folder).limits(Limits { bytes: Some(limit), ..Limits::default() }).open().unwrap();
    (0..100).for_each(|n| drop(memory.eval(each::call(n))));
    drop(memory);
    let bytes: u64 = files(&folder, ".npy").iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes <= limit, "{bytes} bytes are left");
}

/// A program that anybody may run, and a folder that anybody may write to.
fn for_anybody() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("program");
    let this = std::env::current_exe().unwrap();
    fs::hard_link(&this, &program).or_else(|_| fs::copy(&this, &program).map(drop)).unwrap();
    (folder, program)
}

#[test]
fn where_no_thread_is_to_be_had_everything_works_all_the_same() {
    const NAME: &str = "hostile::process::where_no_thread_is_to_be_had_everything_works_all_the_same";
    if in_child(NAME, "PART").is_some() {
        assert!(thread::Builder::new().spawn(|| ()).is_err(), "there are threads to be had");
        let folder = tempfile::tempdir().unwrap();
        return everything(folder.path());
    }
    if !rustix::process::geteuid().is_root() {
        skip("the right to run as another user");
        return;
    }
    let (_folder, program) = for_anybody();
    let mut limited = Command::new("setpriv");
    limited.args(["--reuid", "60001", "--clear-groups", "prlimit", "--nproc=1:1"]).arg(&program);
    limited.args(child(NAME, &[]).get_args());
    let output = limited.env("NDCACHE_TEST_CHILD", NAME).env("PART", "1").env("TMPDIR", "/tmp").output();
    let Ok(output) = output else {
        skip("`setpriv`");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

#[test]
fn the_global_pool_of_rayon_is_left_to_the_program() {
    const NAME: &str = "hostile::process::the_global_pool_of_rayon_is_left_to_the_program";
    if in_child(NAME, "PART").is_none() {
        let output = child(NAME, &[("PART", "1")]).output().unwrap();
        return assert!(output.status.success(), "{output:?}");
    }
    let _ = digest(&Array1::<f64>::zeros(3_000_000));
    let folder = tempfile::tempdir().unwrap();
    everything(folder.path());
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
    assert_eq!(rayon::current_num_threads(), 2);
}

/// How many threads this process has.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

#[test]
fn no_thread_begins_before_it_is_used() {
    const NAME: &str = "hostile::process::no_thread_begins_before_it_is_used";
    if in_child(NAME, "PART").is_none() {
        let output = child(NAME, &[("PART", "1"), ("RAYON_NUM_THREADS", "5")]).output().unwrap();
        return assert!(output.status.success(), "{output:?}");
    }
    let before = threads();
    let (_folder, memory) = fresh();
    let small = memory.eval(loaded::call(1000));
    memory.eval(total::call(&small));
    memory.eval(loaded::call(1000));
    drop(memory.entries());
    assert_eq!(threads(), before, "for what is small");
    // A digest takes one thread for each 2 MiB, from 4 MiB on.
    let _ = digest(&vec![0_u8; 5 << 20]);
    assert_eq!(threads(), before + 1, "for what two do");
    let _ = digest(&vec![0_u8; 40 << 20]);
    assert_eq!(threads(), before + 4, "for what all do");
}

/// What belongs to the whole process, as far as a program can see: of the threads that the library has it is only said
/// which signals they block.
fn process() -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    // The status is that of this thread: the process's first thread may be starting another one, and block signals
    // meanwhile.
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let kept = ["Umask:", "SigBlk:", "SigIgn:", "SigCgt:", "NoNewPrivs:", "Seccomp:", "Groups:", "Uid:", "CapEff:"];
    for line in status.lines().filter(|line| kept.iter().any(|kept| line.starts_with(kept))) {
        let (name, value) = line.split_once(':').unwrap();
        seen.insert(name.to_owned(), value.trim().to_owned());
    }
    // The C library blocks signals while it starts a thread, in that thread and in the one that starts it.
    let begin = Instant::now();
    while !every_thread_blocks(&seen["SigBlk"]) {
        assert!(begin.elapsed() < Duration::from_secs(5), "a thread blocks other signals");
        thread::sleep(Duration::from_millis(5));
    }
    seen.insert("limits".to_owned(), fs::read_to_string("/proc/self/limits").unwrap());
    seen.insert("locale".to_owned(), format!("{:?}", std::env::vars_os().collect::<BTreeMap<_, _>>()));
    seen.insert("folder".to_owned(), std::env::current_dir().unwrap().display().to_string());
    seen.insert("descriptors".to_owned(), descriptors().join("\n"));
    seen.insert("children".to_owned(), children());
    seen.insert("coredump".to_owned(), fs::read_to_string("/proc/self/coredump_filter").unwrap_or_default());
    seen.insert("out of memory".to_owned(), fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default());
    seen.insert("name".to_owned(), fs::read_to_string("/proc/self/comm").unwrap());
    seen
}

fn every_thread_blocks(signals: &str) -> bool {
    fs::read_dir("/proc/self/task").unwrap().all(|task| {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap_or_default();
        let blocked = status.lines().find(|line| line.starts_with("SigBlk:"));
        blocked.is_none_or(|blocked| blocked.ends_with(signals))
    })
}

/// The descriptors that a program started by `exec` would inherit from this process.
fn descriptors() -> Vec<String> {
    let mut open = Vec::new();
    for item in fs::read_dir("/proc/self/fd").unwrap() {
        let path = item.unwrap().path();
        // The folder that is being read is no longer open.
        if let Ok(target) = fs::read_link(&path) {
            open.push(format!("{} {}", path.display(), target.display()));
        }
    }
    open.retain(|open| !open.contains("/proc/"));
    open.sort();
    open
}

fn children() -> String {
    fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id())).unwrap_or_default()
}

/// The descriptors that a program would inherit from this one, by the flags that the kernel tells.
fn inherited() -> Vec<String> {
    let mut inherited = Vec::new();
    for item in fs::read_dir("/proc/self/fdinfo").unwrap() {
        let path = item.unwrap().path();
        let Ok(info) = fs::read_to_string(&path) else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        let close_on_exec = 0o2_000_000;
        if i64::from_str_radix(flags.trim(), 8).unwrap() & close_on_exec == 0 {
            inherited.push(path.file_name().unwrap().display().to_string());
        }
    }
    inherited.sort();
    inherited
}

#[test]
fn a_process_is_after_a_run_as_it_was_before() {
    const NAME: &str = "hostile::process::a_process_is_after_a_run_as_it_was_before";
    if in_child(NAME, "PART").is_none() {
        let output = child(NAME, &[("PART", "1")]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        let ours = |line: &&str| !line.is_empty() && !line.starts_with("running ") && !line.starts_with("test ");
        let others: Vec<&str> = said.lines().filter(ours).collect();
        assert!(others.is_empty(), "printed {others:?}");
        assert!(output.stderr.is_empty(), "printed {:?}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let (hook_sender, hooked) = mpsc::channel();
    std::panic::set_hook(Box::new(move |_| hook_sender.send(()).unwrap()));
    let before = process();
    let kept = inherited();
    {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        let held = memory.eval(mapped::call(LARGE));
        assert_eq!(inherited(), kept, "while a memory is open");
        everything(folder.path());
        assert_eq!(inherited(), kept, "while a memory is open");
        drop(held);
    }
    let after = process();
    for (name, value) in &before {
        assert_eq!(&after[name], value, "{name}");
    }
    assert_eq!(before.len(), after.len());
    let _ = std::panic::catch_unwind(|| panic!("on purpose"));
    assert!(hooked.recv_timeout(Duration::from_secs(1)).is_ok(), "the hook for panics is another one");
    let _ = std::panic::take_hook();
}

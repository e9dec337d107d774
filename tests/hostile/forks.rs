//! Forks: a child has its parent's memory and none of its other threads. What they held there is free for it.

use std::collections::BTreeSet;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::policy::EvictPolicy;
use ndcache::{FileContent, Limits, Mapped1, Memory, cache};

use crate::support::fork::in_a_fork;
use crate::support::{child, in_child, skip};

#[cache]
fn doubled(n: u64) -> u64 {
    2 * n
}

#[cache]
fn ramp(n: usize) -> Mapped1<f64> {
    Array1::from_shape_fn(n, |i| i as f64).into()
}

#[cache]
fn length(file: &FileContent) -> u64 {
    std::fs::metadata(file.path()).unwrap().len()
}

#[cache]
fn quadrupled(n: u64) -> u64 {
    doubled(n) + doubled(n)
}

struct Scale<const N: u64>;

impl<const N: u64> Scale<N> {
    #[cache(method)]
    fn scaled(n: u64) -> u64 {
        let _: Option<Self> = None;
        N * n
    }
}

fn added<const N: u64>(memory: &Memory, n: u64) -> bool {
    memory.eval(ndcache::call!("added", |n| n + N)) == n + N
}

/// What a method of several types and a closure in a generic function return: each type has a function of its own.
fn of_types(memory: &Memory, n: u64) -> bool {
    memory.eval(Scale::<1>::scaled_call(n)) == n
        && memory.eval(Scale::<2>::scaled_call(n)) == 2 * n
        && added::<1>(memory, n)
        && added::<2>(memory, n)
}

fn open(folder: &Path) -> Memory {
    let limits = Limits { items: Some(1000), ..Limits::default() };
    Memory::builder(folder).limits(limits).evict(EvictPolicy::LeastRecentlyUsed).recheck(0.2).open().unwrap()
}

/// Returns a number that no other call returns, in any process.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    (u64::from(std::process::id()) << 32) + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Takes each lock that the cache has, for a short time.
fn everything(memory: &Memory, folder: &Path) -> bool {
    let n = next();
    let another = open(folder);
    let file = FileContent::open(folder.join("CACHEDIR.TAG")).unwrap();
    let results = memory.eval(doubled::call(n)) == 2 * n
        && memory.eval(doubled::call(n)) == 2 * n
        && memory.eval(quadrupled::call(n)) == 4 * n
        && another.eval(doubled::call(n)) == 2 * n
        && memory.eval(ramp::call(20_000 + (n % 50) as usize))[1] == 1.0
        && memory.eval(length::call(&file)) > 0
        && of_types(memory, n);
    let stats = memory.stats();
    memory.remove(&doubled::call(n)).unwrap();
    let _ = memory.explain(&doubled::call(n)).to_string();
    results && stats.misses() > 0 && another.location() == memory.location()
}

/// What `body` returns in children that are forked while other threads do everything.
fn forked(folder: &Path, count: usize, body: impl Fn(&Memory) -> bool) -> BTreeSet<i32> {
    let memory = open(folder);
    assert!(everything(&memory, folder));
    for _ in 0..3 {
        let (memory, folder) = (memory.clone(), folder.to_owned());
        thread::spawn(move || {
            loop {
                assert!(everything(&memory, &folder));
            }
        });
    }
    (0..count).map(|_| in_a_fork(|| body(&memory))).collect()
}

#[test]
fn a_forked_child_waits_for_no_lock_that_another_thread_held() {
    const NAME: &str = "hostile::forks::a_forked_child_waits_for_no_lock_that_another_thread_held";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let folder = Path::new(&folder);
        let codes = forked(folder, 100, |memory| {
            // The grandchild's parent has no other threads either.
            everything(memory, folder) && everything(memory, folder) && in_a_fork(|| everything(memory, folder)) == 0
        });
        std::process::exit(codes.into_iter().max().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "3: it hangs; {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_forked_child_has_threads_that_share_its_locks() {
    const NAME: &str = "hostile::forks::a_forked_child_has_threads_that_share_its_locks";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let folder = Path::new(&folder);
        let codes = forked(folder, 20, |memory| {
            let work = || (0..5).all(|_| everything(memory, folder));
            thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
                threads.into_iter().all(|thread| thread.join().unwrap_or(false))
            })
        });
        std::process::exit(codes.into_iter().max().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "3: it hangs; {}", String::from_utf8_lossy(&output.stderr));
}

/// Appends a line to `notes` for each computation.
#[cfg(target_os = "linux")]
#[cache]
fn told(notes: &str, n: u64) -> u64 {
    use std::io::Write as _;
    writeln!(std::fs::File::options().append(true).create(true).open(notes).unwrap(), "{n}").unwrap();
    thread::sleep(Duration::from_millis(500));
    n
}

/// What `multiprocessing` does by fork: children of one process need a key that nobody has computed.
#[cfg(target_os = "linux")]
#[test]
fn of_forked_children_that_need_a_key_one_computes_it() {
    const NAME: &str = "hostile::forks::of_forked_children_that_need_a_key_one_computes_it";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let notes = format!("{folder}/notes");
        let memory = Memory::open(Path::new(&folder).join("cache")).unwrap();
        assert_eq!(memory.eval(told::call(&notes, 1)), 1);
        let child =
            || in_a_fork(|| memory.eval(told::call(&notes, 2)) == 2 && is_shared_by_a_grandchild(&memory, &notes));
        let codes: Vec<_> = thread::scope(|scope| {
            let children: Vec<_> = (0..4).map(|_| scope.spawn(child)).collect();
            children.into_iter().map(|child| child.join().unwrap()).collect()
        });
        assert_eq!(std::fs::read_to_string(&notes).unwrap(), "1\n2\n3\n");
        std::process::exit(codes.into_iter().max().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "3: it hangs; {}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(target_os = "linux")]
fn is_shared_by_a_grandchild(memory: &Memory, notes: &str) -> bool {
    in_a_fork(|| memory.eval(told::call(notes, 3)) == 3) == 0
}

/// A child looks up types that its parent had and makes functions for others, whoever was looking when it was forked.
#[test]
fn a_forked_child_waits_for_no_thread_that_looked_a_method_up() {
    const NAME: &str = "hostile::forks::a_forked_child_waits_for_no_thread_that_looked_a_method_up";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = open(Path::new(&folder));
        assert!(of_types(&memory, next()));
        for _ in 0..2 {
            thread::spawn(|| {
                loop {
                    drop(std::hint::black_box(Scale::<2>::scaled_call(1)));
                }
            });
        }
        let codes = (0..50).map(|_| {
            in_a_fork(|| {
                of_types(&memory, next())
                    && memory.eval(Scale::<3>::scaled_call(2)) == 6
                    && memory.eval(Scale::<3>::scaled_call(2)) == 6
                    && added::<3>(&memory, next())
            })
        });
        std::process::exit(codes.max().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "3: it hangs; {}", String::from_utf8_lossy(&output.stderr));
}

#[cache(ignore(millis))]
fn slow(millis: u64) -> u64 {
    thread::sleep(Duration::from_millis(millis));
    4
}

/// Children of this process, from now on, are the first of a namespace of their own each.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn separate() -> bool {
    // SAFETY: changes nothing in this process but the namespace of its later children.
    unsafe { libc::unshare(libc::CLONE_NEWPID) == 0 }
}

/// In containers each process may be the first one, and a child's id that of its parent.
#[cfg(target_os = "linux")]
#[test]
fn a_child_in_another_namespace_is_another_process_though_it_has_its_parents_id() {
    const NAME: &str = "hostile::forks::a_child_in_another_namespace_is_another_process_though_it_has_its_parents_id";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        assert!(separate());
        std::process::exit(in_a_fork(|| {
            let memory = Memory::open(&folder).unwrap();
            assert_eq!(std::process::id(), 1);
            let other = memory.clone();
            // The process ends before the function does, so that nothing is stored.
            thread::spawn(move || other.eval(slow::call(3_600_000)));
            thread::sleep(Duration::from_millis(200));
            separate() && in_a_fork(|| std::process::id() == 1 && memory.eval(slow::call(0)) == 4) == 0
        }));
    }
    if !rustix::process::geteuid().is_root() {
        skip("the right to make namespaces");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "3: it hangs; {}", String::from_utf8_lossy(&output.stderr));
}

/// Whether any process has locked any key of this folder.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn is_any_key_locked(folder: &str) -> bool {
    let file = std::fs::File::options().read(true).write(true).open(Path::new(folder).join("locks")).unwrap();
    let (l_type, l_whence) = (libc::F_WRLCK as libc::c_short, libc::SEEK_SET as libc::c_short);
    let mut range = libc::flock64 { l_type, l_whence, l_start: 0, l_len: 0, l_pid: 0 };
    // SAFETY: the call writes a `flock64` of ours, which outlives it, and the file is open.
    let found = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut range) };
    assert_eq!(found, 0);
    i32::from(range.l_type) != libc::F_UNLCK
}

/// Forks, and says whether the key of this call is still locked when the child is gone.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
#[cache]
fn forks(folder: &str) -> bool {
    // SAFETY: the child unwinds to the test, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        std::panic::resume_unwind(Box::new("in the child"));
    }
    let mut status = -1;
    // SAFETY: `status` outlives the call, and the child is this process's own.
    assert_eq!((unsafe { libc::waitpid(pid, &raw mut status, 0) }, status), (pid, 0));
    is_any_key_locked(folder)
}

/// A copy of what a thread held when it forked is the parent's to give back.
#[cfg(target_os = "linux")]
#[test]
#[allow(unsafe_code)]
fn a_child_that_leaves_a_call_takes_no_lock_from_its_parent() {
    const NAME: &str = "hostile::forks::a_child_that_leaves_a_call_takes_no_lock_from_its_parent";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(&folder).unwrap();
        match std::panic::catch_unwind(|| memory.eval(forks::call(&folder))) {
            Ok(is_locked) => std::process::exit(i32::from(!is_locked || is_any_key_locked(&folder))),
            // SAFETY: ends the child.
            Err(_) => unsafe { libc::_exit(0) },
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

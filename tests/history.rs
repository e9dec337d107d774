//! Counts that outlive the process: what is written down of calls, when, and what is never lost or counted twice.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ndcache::{Memory, Mode, cache};

use crate::support::fork::in_a_fork;
use crate::support::{child, fresh, in_child, snapshot};

#[cache]
fn slow(n: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(2));
    n * n
}

/// Calls itself through the cache.
#[cache]
fn nested(n: u64) -> u64 {
    match n {
        0 => slow(9),
        n => nested(n - 1) + 1,
    }
}

#[cache]
fn doubled(n: u64) -> Vec<f64> {
    vec![n as f64; 2000]
}

fn total(folder: &Path) -> ndcache::stats::Activity {
    Memory::open(folder).unwrap().history(None).unwrap().total()
}

#[test]
fn a_key_saves_a_computation_once_in_each_process() {
    const NAME: &str = "history::a_key_saves_a_computation_once_in_each_process";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        (0..1000).for_each(|n| assert_eq!(memory.eval(slow::call(n % 10)), (n % 10).pow(2)));
        return;
    }
    let (folder, memory) = fresh();
    (0..10).for_each(|n| assert_eq!(memory.eval(slow::call(n)), n * n));
    drop(memory);
    let before = total(folder.path());
    assert_eq!((before.hits, before.repeats, before.misses), (0, 0, 10));
    assert!(before.spent >= Duration::from_millis(20), "{:?}", before.spent);
    let variables = [("FOLDER", folder.path().to_str().unwrap())];
    let mut children: Vec<_> = (0..2).map(|_| child(NAME, &variables).spawn().unwrap()).collect();
    children.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
    let after = total(folder.path());
    assert_eq!((after.hits, after.repeats, after.misses), (20, 1980, 10));
    // Each of the two processes has saved the time that the ten computations took.
    assert_eq!(after.saved, 2 * before.spent);
    let history = Memory::open(folder.path()).unwrap().history(None).unwrap();
    assert_eq!(history.by_run().len(), 3);
    assert_eq!(history.by_function().keys().collect::<Vec<_>>(), [slow::function().path()]);
    assert_eq!(history.unread(), 0);
}

#[test]
fn time_inside_of_another_computation_is_spent_once() {
    let (_folder, memory) = fresh();
    let begin = Instant::now();
    assert_eq!(memory.eval(nested::call(40)), 121);
    let took = begin.elapsed();
    let spent: Duration = memory.stats().by_function().values().map(|counts| counts.spent).sum();
    assert!((Duration::from_millis(2)..=took).contains(&spent), "{spent:?} of {took:?}");
    let total = memory.history(None).unwrap().total();
    assert_eq!((total.misses, total.spent), (42, spent));
    // An entry tells how long it takes to compute it again.
    let inner = memory.entry(&slow::call(9)).unwrap().unwrap().duration();
    let outer = memory.entry(&nested::call(40)).unwrap().unwrap().duration();
    assert!(inner >= Duration::from_millis(2) && outer >= inner, "{inner:?} {outer:?}");
}

#[test]
fn of_a_function_without_results_the_history_tells_that_it_was_computed() {
    let (folder, memory) = fresh();
    let told = |memory: &Memory| memory.explain(&slow::call(1)).to_string();
    assert_eq!(told(&memory), "new function");
    memory.eval(slow::call(1));
    memory.clear().unwrap();
    assert!(told(&memory).starts_with("none of its results is stored; it was computed once, "), "{}", told(&memory));
    memory.eval(slow::call(2));
    drop(memory);
    let memory = Memory::open(folder.path()).unwrap();
    memory.clear_function(slow::function()).unwrap();
    let expected = "none of its results is stored; it was computed 2 times, last ";
    assert!(told(&memory).starts_with(expected) && told(&memory).ends_with(" ago"), "{}", told(&memory));
    assert_eq!(memory.explain(&slow::call(1)).reason().name(), "new function");
    assert_eq!(memory.explain(&doubled::call(1)).to_string(), "new function");
    memory.reset_history().unwrap();
    assert_eq!(told(&memory), "new function");
}

#[test]
fn threads_that_come_and_go_lose_nothing() {
    let (folder, memory) = fresh();
    memory.eval(doubled::call(1));
    for _ in 0..40 {
        std::thread::scope(|scope| {
            scope.spawn(|| (0..100).for_each(|_| assert_eq!(memory.eval(doubled::call(1)).len(), 2000)));
        });
    }
    drop(memory);
    let total = total(folder.path());
    assert_eq!((total.misses, total.hits, total.repeats), (1, 1, 3999));
    assert_eq!(total.loaded, total.stored);
}

#[test]
fn a_global_memory_is_counted_at_the_end_of_the_program() {
    const NAME: &str = "history::a_global_memory_is_counted_at_the_end_of_the_program";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        Memory::open(folder).unwrap().set_global().unwrap();
        assert_eq!((slow(3), slow(3), slow(3)), (9, 9, 9));
        std::process::exit(0);
    }
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let variables = [("FOLDER", folder.path().to_str().unwrap())];
        assert!(child(NAME, &variables).status().unwrap().success());
    }
    let total = total(folder.path());
    assert_eq!((total.misses, total.hits, total.repeats), (1, 2, 3));
}

#[test]
fn a_forked_child_counts_from_zero() {
    const NAME: &str = "history::a_forked_child_counts_from_zero";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        (0..3).for_each(|_| assert_eq!(memory.eval(slow::call(1)), 1));
        // Counts that the parent hasn't written yet are in the child's memory, too; each has to drop its own.
        let computes_hits_and_drops =
            move || memory.eval(slow::call(2)) == 4 && (0..5).all(|_| memory.eval(slow::call(1)) == 1);
        assert_eq!(in_a_fork(computes_hits_and_drops), 0);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).status().unwrap().success());
    let history = Memory::open(folder.path()).unwrap().history(None).unwrap();
    let runs: Vec<_> = history.by_run().into_values().map(|run| (run.misses, run.hits + run.repeats)).collect();
    assert!(runs.len() == 2 && runs.contains(&(1, 2)) && runs.contains(&(1, 5)), "{runs:?}");
    assert_eq!(history.total().misses, 2, "{history:?}");
}

#[test]
fn memories_of_one_folder_are_one_run() {
    let (folder, memory) = fresh();
    let other = Memory::open(folder.path()).unwrap();
    memory.eval(slow::call(1));
    memory.eval(slow::call(1));
    other.eval(slow::call(1));
    drop(memory);
    assert!(!folder.path().join("s/log").exists(), "the other one is open");
    drop(other);
    let history = Memory::open(folder.path()).unwrap().history(None).unwrap();
    let total = history.total();
    assert_eq!((total.misses, total.hits, total.repeats, history.periods().len()), (1, 1, 1, 1));
    assert_eq!(history.periods()[0].functions[slow::function().path()].reasons["new function"], 1);
    assert_eq!(total.last_miss.unwrap(), "new function");
}

#[test]
fn who_must_not_write_counts_nothing_for_good() {
    let (folder, memory) = fresh();
    memory.eval(slow::call(1));
    drop(memory);
    let before = snapshot(folder.path());
    for build in [
        (|builder| builder.mode(Mode::ReadOnly)) as fn(ndcache::MemoryBuilder) -> ndcache::MemoryBuilder,
        |builder| builder.mode(Mode::Off),
        |builder| builder.statistics(false),
    ] {
        let memory = build(Memory::builder(folder.path())).open().unwrap();
        assert_eq!((memory.eval(slow::call(1)), memory.eval(slow::call(1))), (1, 1));
    }
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn a_folder_that_was_removed_stays_removed() {
    let (folder, memory) = fresh();
    memory.eval(slow::call(1));
    let path = folder.path().to_owned();
    fs::remove_dir_all(&path).unwrap();
    memory.history(None).unwrap();
    drop(memory);
    assert!(!path.exists());
}

#[test]
fn clear_leaves_the_history_and_reset_removes_it() {
    let (folder, memory) = fresh();
    memory.eval(slow::call(1));
    memory.clear().unwrap();
    memory.eval(slow::call(1));
    assert_eq!(memory.history(None).unwrap().total().misses, 2);
    memory.eval(slow::call(1));
    memory.reset_history().unwrap();
    assert_eq!(memory.history(None).unwrap().total(), ndcache::stats::Activity::default());
    memory.eval(slow::call(2));
    drop(memory);
    let total = total(folder.path());
    assert_eq!((total.misses, total.hits, total.repeats), (1, 0, 0));
}

#[test]
fn a_log_that_lost_its_end_is_read_up_to_there() {
    let (folder, memory) = fresh();
    let log = folder.path().join("s/log");
    (0..3).for_each(|n| {
        memory.eval(slow::call(n));
        memory.history(None).unwrap();
    });
    drop(memory);
    let whole = fs::read(&log).unwrap();
    for kept in 0..whole.len() {
        fs::write(&log, &whole[..kept]).unwrap();
        let reader = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
        let history = reader.history(None).unwrap();
        let lines = whole[..kept].iter().filter(|&&byte| byte == b'}').count() as u64;
        assert!(history.total().misses <= lines && history.unread() <= 1, "{kept} bytes");
    }
    // A line that is appended behind a torn one is read.
    fs::write(&log, &whole[..whole.len() - 5]).unwrap();
    Memory::open(folder.path()).unwrap().eval(slow::call(7));
    let history = Memory::open(folder.path()).unwrap().history(None).unwrap();
    assert_eq!((history.total().misses, history.unread()), (3, 1));
}

#[test]
fn a_log_that_another_user_has_made_is_left_to_them() {
    const NAME: &str = "history::a_log_that_another_user_has_made_is_left_to_them";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        assert_eq!(memory.eval(slow::call(5)), 25);
        return;
    }
    if !rustix::process::geteuid().is_root() {
        crate::support::skip("a second user: this test has to run as root");
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let (folder, memory) = fresh();
    memory.eval(slow::call(1));
    drop(memory);
    for path in ["", "f", "s"] {
        fs::set_permissions(folder.path().join(path), fs::Permissions::from_mode(0o777)).unwrap();
    }
    fs::set_permissions(folder.path().join("s/log"), fs::Permissions::from_mode(0o644)).unwrap();
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let ran = std::process::Command::new("setpriv")
        .args(["--reuid", "60001", "--regid", "60001", "--clear-groups"])
        .arg(&program)
        .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
        .env("NDCACHE_TEST_CHILD", NAME)
        .env("FOLDER", folder.path())
        .current_dir("/")
        .status();
    match ran {
        Ok(status) => assert!(status.success()),
        Err(_) => {
            crate::support::skip("`setpriv`");
            return;
        }
    }
    let names: Vec<String> = fs::read_dir(folder.path().join("s"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().any(|name| name.ends_with("-60001")), "{names:?}");
    assert_eq!(total(folder.path()).misses, 2);
}

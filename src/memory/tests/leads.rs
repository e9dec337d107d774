//! Locks that another process holds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Memory;
use crate::digest::Digest;
use crate::flight::{FlightOutcome, Look, Need};
use crate::key::Key;
use crate::memory::form::Owned;
use crate::memory::turn::NeededCall;
use crate::store::Locks;

/// What is never found, and done when the closure says so.
struct Unless<F>(F);

impl<F: Fn() -> bool> Need for Unless<F> {
    type Value = ();
    type Missing = ();

    fn look(&self) -> Look<(), ()> {
        Look::Missing(())
    }

    fn watch(&self, (): &()) -> impl Fn() -> bool {
        &self.0
    }
}

/// Whether the memory gets the lock of `key` before the wait ends.
fn gets_lock(memory: &Memory, key: Key, is_done: impl Fn() -> bool) -> bool {
    match memory.0.as_ref().unwrap().flights().lead(key, (), &Unless(is_done)) {
        FlightOutcome::Compute((), lead) => lead.has_lock(),
        FlightOutcome::Found(()) => panic!("there is nothing to find"),
    }
}

/// A child that its killed parent has forked may hold one for hours.
#[test]
fn a_lock_that_nobody_frees_does_not_delay_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).wait(Duration::from_secs(5)).open().unwrap();
    let key = Key::from_digest(Digest::from_bytes([7; 16]));
    // Another open file stands for another process.
    let other = memory.0.as_ref().unwrap().archive.disk.open_locks().unwrap();
    let held = other.try_lock(key.digest().to_bytes()).unwrap();
    assert!(held.is_some());
    let begin = Instant::now();
    assert!(!gets_lock(&memory, key, || begin.elapsed() > Duration::from_millis(20)));
    assert!(begin.elapsed() < Duration::from_secs(4), "it waited for the lock");
    drop(held);
    assert!(gets_lock(&memory, key, || false));
}

/// That the key landed empty before this wait must not be taken for news once its slot says something else.
#[test]
fn a_slot_that_another_landing_takes_or_that_is_lost_ends_no_wait() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).wait(Duration::from_secs(60)).open().unwrap();
    let other = memory.0.as_ref().unwrap().archive.disk.open_locks().unwrap();
    let land = |key| {
        let held = other.try_lock(key).unwrap().unwrap();
        held.lands_empty(true);
    };
    let (key, mut neighbour) = ([7; 16], [8; 16]);
    neighbour[15] = key[15];
    let lose = || std::fs::write(folder.path().join("landings"), []).unwrap();
    for change in [&(|| land(neighbour)) as &dyn Fn(), &lose] {
        assert_eq!(other.last_empty(key), None);
        land(key);
        assert!(other.last_empty(key).is_some());
        let (held, turns) = (other.try_lock(key).unwrap(), AtomicUsize::new(0));
        let is_done = || {
            let turn = turns.fetch_add(1, Ordering::Relaxed);
            if turn == 2 {
                change();
            }
            turn == 4
        };
        assert!(held.is_some() && !gets_lock(&memory, Key::from_digest(Digest::from_bytes(key)), is_done));
        assert_eq!(turns.into_inner(), 5, "it went on before what it waited for was done");
    }
}

/// Two processes may compute one key, after a wait of one of them has ended: each says what it waits for.
#[test]
fn a_circle_is_seen_through_either_of_two_that_compute_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).wait(Duration::from_secs(5)).open().unwrap();
    let engine = memory.0.as_ref().unwrap();
    let of = |byte| Key::from_digest(Digest::from_bytes([byte; 16]));
    let stub = |byte| Locks::stub([byte; 16]);
    let (mine, wanted) = (5, 7);
    let _lead = engine.flights().moment(of(mine), Duration::ZERO);
    let (one, other) = (engine.archive.disk.open_locks().unwrap(), engine.archive.disk.open_locks().unwrap());
    let held = one.try_lock([wanted; 16]).unwrap();
    assert!(held.is_some());
    for elsewhere in [1, 9] {
        let _aside = one.announce(&[stub(wanted)], stub(elsewhere)).unwrap();
        let _circle = other.announce(&[stub(wanted)], stub(mine)).unwrap();
        let begin = Instant::now();
        assert!(!gets_lock(&memory, of(wanted), || false));
        assert!(begin.elapsed() < Duration::from_secs(4), "it waited for {elsewhere}");
    }
}

/// A process that can't announce what it waits for may be waited for by the one that it waits for.
#[test]
fn who_cannot_announce_what_it_waits_for_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).wait(Duration::from_secs(20)).open().unwrap();
    let engine = memory.0.as_ref().unwrap();
    let of = |byte| Key::from_digest(Digest::from_bytes([byte; 16]));
    let other = engine.archive.disk.open_locks().unwrap();
    let held = other.try_lock([7; 16]).unwrap();
    let _lead = engine.flights().moment(of(5), Duration::ZERO);
    let _reader = other.read_waits();
    let begin = Instant::now();
    assert!(held.is_some() && !gets_lock(&memory, of(7), || false));
    assert!(begin.elapsed() < Duration::from_secs(10), "it waited");
}

#[test]
fn whoever_waited_for_a_lock_looks_before_it_computes() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[ndcache::cache]
    fn counted() -> u8 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        1
    }
    let folder = tempfile::tempdir().unwrap();
    let patient = Memory::builder(folder.path()).wait(Duration::from_secs(20)).open().unwrap();
    let hasty = Memory::builder(folder.path()).wait(Duration::ZERO).open().unwrap();
    let engine = patient.0.as_ref().unwrap();
    let key = engine.site(&counted::call()).unwrap().key();
    let other = engine.archive.disk.open_locks().unwrap();
    let held = other.try_lock(key.digest().to_bytes()).unwrap();
    assert!(held.is_some());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| patient.eval(counted::call()));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!waits.is_finished(), "it waits for the lock");
        assert_eq!(hasty.eval(counted::call()), 1);
        assert_eq!(waits.join().unwrap(), 1);
    });
    assert_eq!((RUNS.load(Ordering::SeqCst), patient.stats().hits()), (1, 1));
}

/// What a call prints that has waited a minute for another process. A test in a process of its own, of which it reads what
/// it prints.
#[test]
fn a_call_that_waits_for_another_process_says_so_from_level_1_on() {
    const LEVEL: &str = "NDCACHE_TEST_WAIT_LEVEL";
    #[ndcache::cache]
    fn awaited(n: u8) -> u8 {
        n
    }
    if let Ok(level) = std::env::var(LEVEL) {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::builder(folder.path()).verbose(level.parse().unwrap()).open().unwrap();
        let (engine, call) = (memory.0.as_ref().unwrap(), awaited::call(1));
        let site = engine.site(&call).unwrap();
        let need = NeededCall { engine, call: &call, site: &site, form: Owned };
        return need.still_waits("process 1 (init)", Duration::from_secs(120));
    }
    let printed = |level: &str| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let name = "memory::tests::leads::a_call_that_waits_for_another_process_says_so_from_level_1_on";
        let output = child.args(["--exact", name, "--nocapture"]).env(LEVEL, level).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let line = printed("1");
    let line = line.lines().find(|line| line.starts_with("ndcache: warning: ")).expect("a warning");
    assert!(line.ends_with("awaited: still waiting for process 1 (init), for 120 s now"), "{line}");
    assert!(!printed("0").contains("still waiting"));
}

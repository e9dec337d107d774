//! Locks that another process holds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Memory;
use crate::digest::Digest;
use crate::key::Key;
use crate::memory::flight::{Clearance, request};
use crate::memory::lead::wait_for_lock;
use crate::store::Locks;

/// A child that its killed parent has forked may hold one for hours.
#[test]
fn a_lock_that_nobody_frees_does_not_delay_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).wait(Duration::from_secs(5)).open().unwrap();
    let inner = memory.0.as_ref().unwrap();
    let key = Key::from_digest(Digest::from_bytes([7; 16]));
    // Another open file stands for another process.
    let other = Locks::open(&inner.disk).unwrap();
    let held = other.try_lock(key.digest().to_bytes()).unwrap();
    assert!(held.is_some());
    let begin = Instant::now();
    let is_done = || begin.elapsed() > Duration::from_millis(20);
    let locks = &inner.locks().unwrap();
    let wait = |is_done: &dyn Fn() -> bool| wait_for_lock(locks, inner.place(), key, inner.settings.wait, is_done);
    assert!(wait(&is_done).is_none());
    assert!(begin.elapsed() < Duration::from_secs(4), "it waited for the lock");
    drop(held);
    assert!(wait(&|| false).is_some());
}

/// Two processes may compute one key, after a wait of one of them has ended: each says what it waits for.
#[test]
fn a_circle_is_seen_through_either_of_two_that_compute_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).wait(Duration::from_secs(5)).open().unwrap();
    let inner = memory.0.as_ref().unwrap();
    let of = |byte| Key::from_digest(Digest::from_bytes([byte; 16]));
    let stub = |byte| Locks::stub([byte; 16]);
    let (mine, wanted) = (5, 7);
    let Clearance::Leads(_flight) = request(inner.place(), of(mine), None) else { panic!("somebody computes it") };
    let (one, other) = (Locks::open(&inner.disk).unwrap(), Locks::open(&inner.disk).unwrap());
    let held = one.try_lock([wanted; 16]).unwrap();
    assert!(held.is_some());
    for elsewhere in [1, 9] {
        let _aside = one.tell(&[stub(wanted)], stub(elsewhere)).unwrap();
        let _circle = other.tell(&[stub(wanted)], stub(mine)).unwrap();
        let begin = Instant::now();
        let locks = &inner.locks().unwrap();
        assert!(wait_for_lock(locks, inner.place(), of(wanted), inner.settings.wait, &|| false).is_none());
        assert!(begin.elapsed() < Duration::from_secs(4), "it waited for {elsewhere}");
    }
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
    let inner = patient.0.as_ref().unwrap();
    let key = inner.site(&counted::call()).unwrap().key();
    let other = Locks::open(&inner.disk).unwrap();
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

//! What holds of single flight, whatever the threads and processes are interrupted at.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::sync::{Barrier, Mutex};

use super::check::check;
use super::process::{Panicked, Process, join, thread};
use super::world::world;

/// One key of several threads of several processes.
fn everybody(processes: impl IntoIterator<Item = Process>, threads: usize) {
    let processes = processes.into_iter().flat_map(|process| std::iter::repeat_n(process, threads));
    join(processes.map(|process| thread(move || process.get(1, &|| {}))));
}

/// Nothing dies, nothing is evicted, and nobody's patience ends.
pub(super) fn peace() {
    everybody([1, 2].map(Process::new), 2);
    assert_eq!(world().computed(1), 1);
}

#[test]
fn threads_and_processes_compute_a_key_once_however_they_meet() {
    check(peace);
    check(|| {
        everybody([1, 2, 3].map(Process::new), 1);
        assert_eq!(world().computed(1), 1);
    });
    check(|| {
        world().expired(1);
        peace();
    });
}

/// A process is killed, and what is stored is evicted, at any time.
pub(super) fn misfortune() {
    let killer = thread(|| world().kill(1, false));
    let evictions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&evictions);
    let evictor = thread(move || {
        for _ in 0..2 {
            counted.fetch_add(usize::from(world().evict(1)), Ordering::SeqCst);
        }
    });
    everybody([1, 2].map(Process::new), 2);
    join([killer, evictor]);
    assert!(world().computed(1) <= 1 + 1 + evictions.load(Ordering::SeqCst));
}

/// What is stored first is evicted, perhaps before any of those that wait for it has looked.
pub(super) fn eviction() {
    let evictor = thread(|| {
        while !world().evict(1) {
            shuttle::thread::yield_now();
        }
    });
    everybody([Process::new(1)], 3);
    join([evictor]);
    assert!(world().computed(1) <= 2);
}

#[test]
fn a_kill_or_an_eviction_costs_one_computation_at_most() {
    check(misfortune);
    check(eviction);
}

/// Of `processes`, with `threads` threads each, one thread computes and the others wait. It stores nothing, and neither
/// do they. The scenario stands still unless all that waited compute at once.
fn in_vain(processes: &[u64], threads: usize) {
    let waiting = processes.len() * threads - 1;
    let (runs, meeting) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(waiting)));
    let everybody = processes.iter().flat_map(|number| std::iter::repeat_n(*number, threads)).map(|number| {
        let (runs, meeting) = (Arc::clone(&runs), Arc::clone(&meeting));
        thread(move || {
            let run = || {
                if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                    world().until_others_wait(waiting);
                } else {
                    meeting.wait();
                }
                false
            };
            Process::new(number).get_if(1, &run);
        })
    });
    join(everybody);
    assert_eq!(world().computed(1), waiting + 1);
}

pub(super) fn three_threads_in_vain() {
    in_vain(&[1], 3);
}

pub(super) fn three_processes_in_vain() {
    in_vain(&[1, 2, 3], 1);
}

#[test]
fn all_that_wait_for_what_is_not_stored_compute_at_once() {
    check(three_threads_in_vain);
    check(three_processes_in_vain);
    check(|| in_vain(&[1, 2], 2));
}

/// However they meet: some of them store what they compute, others can't.
#[test]
fn a_flight_that_lands_empty_lets_everybody_go_on() {
    check(|| {
        let calls = [(1, false), (1, true), (2, false), (2, true), (3, false)];
        join(calls.map(|(number, is_stored)| thread(move || Process::new(number).get_if(1, &|| is_stored))));
        assert!((1..=5).contains(&world().computed(1)));
        assert!(world().look(1, 1).is_ok());
    });
}

#[test]
fn whoever_waits_for_a_function_that_panics_goes_on() {
    check(|| {
        let panics = || thread(|| Process::new(1).get(1, &|| resume_unwind(Box::new(Panicked))));
        let threads = [panics(), panics(), thread(|| Process::new(1).get(1, &|| {}))];
        everybody([2].map(Process::new), 1);
        join(threads);
        // Whoever has waited for one that panics waits for no other one.
        assert!((1..=4).contains(&world().computed(1)));
        assert!(world().look(1, 1).is_ok());
    });
}

/// The lock of a process that was killed is kept by a child that it had forked; somebody who has no locks computes.
pub(super) fn orphan() {
    let lock = world().try_lock(9, 1);
    world().kill(9, true);
    let other = thread(|| Process::new(3).without_locks().get(1, &|| {}));
    everybody([1, 2].map(Process::new), 2);
    join([other]);
    drop(lock);
    assert_eq!(world().computed(1), 1);
}

#[test]
fn an_orphaned_lock_delays_no_result_that_is_there() {
    check(orphan);
    check(|| {
        world().expired(1);
        orphan();
    });
}

#[test]
fn a_limit_ends_the_wait_for_an_orphaned_lock() {
    check(|| {
        let _lock = world().try_lock(9, 1);
        world().kill(9, true);
        everybody([1, 2].map(|number| Process::new(number).limit(Duration::from_millis(20))), 2);
        assert!((1..=4).contains(&world().computed(1)));
    });
}

/// Calls of `keys`, each inside the one before.
fn nested(process: Process, keys: &'static [u8]) {
    if let [key, inside @ ..] = keys {
        process.get(*key, &|| nested(process, inside));
    }
}

fn all_nested(calls: &[(u64, &'static [u8])]) {
    join(calls.iter().map(|&(number, keys)| thread(move || nested(Process::new(number), keys))));
}

#[test]
fn calls_inside_others_are_computed_once() {
    check(|| {
        all_nested(&[(1, &[1, 2, 3]), (1, &[2, 3]), (2, &[1, 2, 3]), (2, &[3])]);
        assert_eq!([1, 2, 3].map(|key| world().computed(key)), [1, 1, 1]);
    });
}

#[test]
fn threads_that_ask_for_each_others_keys_do_not_stand() {
    check(|| all_nested(&[(1, &[1, 2]), (1, &[2, 1])]));
    check(|| all_nested(&[(1, &[1, 2]), (1, &[2, 3]), (1, &[3, 1])]));
    check(|| all_nested(&[(1, &[1, 1]), (1, &[1, 2, 1])]));
}

pub(super) fn two_processes() {
    all_nested(&[(1, &[1, 2]), (2, &[2, 1])]);
}

#[test]
fn processes_that_ask_for_each_others_keys_do_not_stand() {
    check(two_processes);
    check(|| all_nested(&[(1, &[1, 2]), (2, &[2, 3]), (3, &[3, 1])]));
    // The circle goes through two threads of a process.
    check(|| all_nested(&[(1, &[1, 2]), (2, &[2, 3]), (2, &[3, 1])]));
    check(|| all_nested(&[(1, &[1, 2]), (2, &[2, 3]), (1, &[3, 4]), (2, &[4, 1])]));
}

/// A worker that waits for its own job runs one that asks for the key of whoever waits for the first job.
#[test]
fn a_stolen_job_does_not_stand_below_the_one_that_it_waits_for() {
    check(|| {
        let (start, done) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
        let (started, job) = (start.lock().unwrap(), Arc::clone(&done));
        let begin = Arc::clone(&start);
        let worker = thread(move || {
            world().work();
            let _done = job.lock().unwrap();
            drop(begin.lock().unwrap());
            Process::new(1).get(1, &|| {});
        });
        let maker = thread(move || Process::new(1).get(1, &|| drop(done.lock().unwrap())));
        drop(started);
        join([worker, maker]);
        assert!((1..=2).contains(&world().computed(1)));
    });
}

/// A worker that holds such a job waits in vain, and a younger one is released: what that one stores frees the first.
#[test]
fn what_a_released_worker_stores_frees_the_others() {
    check(|| {
        let (start, done) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
        let (started, job) = (start.lock().unwrap(), Arc::clone(&done));
        let begin = Arc::clone(&start);
        let holds = thread(move || {
            world().work();
            let _done = job.lock().unwrap();
            drop(begin.lock().unwrap());
            Process::new(1).get(1, &|| {});
        });
        let another = || {
            thread(|| {
                world().work();
                Process::new(1).get(1, &|| {});
            })
        };
        let others = [another(), another()];
        let maker = thread(move || Process::new(1).get(1, &|| drop(done.lock().unwrap())));
        drop(started);
        join([holds, maker].into_iter().chain(others));
        assert!((1..=4).contains(&world().computed(1)));
    });
}

/// The leader of the first process waits for a job below a worker, which waits for the second process, which waits for
/// that leader.
#[test]
fn a_stolen_job_does_not_stand_below_the_key_of_another_process() {
    check(|| {
        let done = Arc::new(Mutex::new(()));
        let job = Arc::clone(&done);
        let worker = thread(move || {
            world().work();
            let _done = job.lock().unwrap();
            Process::new(1).get(2, &|| {});
        });
        let maker = thread(move || Process::new(1).get(1, &|| drop(done.lock().unwrap())));
        let other = thread(|| Process::new(2).get(2, &|| Process::new(2).get(1, &|| {})));
        join([worker, maker, other]);
        assert!([1, 2].iter().all(|&key| (1..=2).contains(&world().computed(key))));
    });
}

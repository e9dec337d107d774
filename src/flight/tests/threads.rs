//! Waiting threads: who computes, who waits, and who goes on alone.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::super::flights::{FlightOutcome, Flights, Look, Need};
use super::super::limits::Wait;
use super::super::processes::{HeldKey, ProcessLocks, wait_for_lock};
use super::super::waits::{FolderId, PATIENCE, Turn, held_up, take_turn, waiting_workers};
use crate::digest::Digest;
use crate::error::Result;
use crate::key::Key;

fn key(n: u8) -> Key {
    Key::from_digest(Digest::from_bytes([n; 16]))
}

fn folder() -> FolderId {
    static FOLDERS: AtomicU64 = AtomicU64::new(0);
    (u64::MAX - 1, FOLDERS.fetch_add(1, Ordering::Relaxed))
}

fn turn(folder: FolderId, n: u8, limit: Option<Duration>) -> Turn {
    take_turn((folder, key(n)), &Wait::new(limit, PATIENCE, None))
}

#[test]
fn one_thread_leads_and_the_others_look_again() {
    let folder = folder();
    let (leaders, others) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                match turn(folder, 1, None) {
                    Turn::Lead(_flight) => {
                        leaders.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(Duration::from_millis(200));
                    }
                    Turn::LookAgain => drop(others.fetch_add(1, Ordering::Relaxed)),
                    Turn::Alone(_) => panic!("nobody has to compute alone"),
                }
            });
        }
    });
    assert_eq!((leaders.into_inner(), others.into_inner()), (1, 7));
}

#[test]
fn a_thread_does_not_wait_for_itself() {
    let folder = folder();
    let Turn::Lead(_flight) = turn(folder, 1, None) else { panic!("the first leads") };
    assert!(matches!(turn(folder, 1, None), Turn::Alone(_)));
}

#[test]
fn two_threads_do_not_wait_for_each_other() {
    let folder = folder();
    let both_lead = Barrier::new(2);
    let alone = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (mine, other) in [(1, 2), (2, 1)] {
            let (both_lead, alone) = (&both_lead, &alone);
            scope.spawn(move || {
                let Turn::Lead(_flight) = turn(folder, mine, None) else { panic!("each leads one") };
                both_lead.wait();
                if matches!(turn(folder, other, None), Turn::Alone(_)) {
                    alone.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(alone.into_inner(), 1);
}

#[test]
fn a_panic_frees_the_flight() {
    let folder = folder();
    let thread = thread::spawn({
        move || {
            let _flight = turn(folder, 1, None);
            panic!("on purpose");
        }
    });
    assert!(thread.join().is_err());
    assert!(matches!(turn(folder, 1, None), Turn::Lead(_)));
}

#[test]
fn a_wait_ends_at_its_limit() {
    let folder = folder();
    let _flight = turn(folder, 1, None);
    let waits = || turn(folder, 1, Some(Duration::from_millis(10)));
    thread::scope(|scope| assert!(matches!(scope.spawn(waits).join().unwrap(), Turn::Alone(_))));
}

#[test]
fn whoever_waits_looks_again_once_somebody_has_computed_beside_the_leader() {
    let folder = folder();
    let _flight = turn(folder, 1, None);
    thread::scope(|scope| {
        let waits = scope.spawn(|| matches!(turn(folder, 1, None), Turn::LookAgain));
        thread::sleep(Duration::from_millis(50));
        let hasty = scope.spawn(|| turn(folder, 1, Some(Duration::ZERO))).join().unwrap();
        assert!(matches!(hasty, Turn::Alone(_)) && !waits.is_finished());
        drop(hasty);
        assert!(waits.join().unwrap());
    });
}

/// The limit is one for all that a task waits for, however often it looks again.
#[test]
fn a_limit_does_not_begin_anew_with_each_look() {
    let folder = folder();
    let _flight = turn(folder, 1, None);
    let wait = || {
        let wait = Wait::new(Some(Duration::from_millis(100)), PATIENCE, None);
        let looks = std::iter::repeat_with(|| take_turn((folder, key(1)), &wait));
        looks.take_while(|turn| matches!(turn, Turn::LookAgain)).count()
    };
    thread::scope(|scope| {
        let waits = scope.spawn(wait);
        let begin = Instant::now();
        while !waits.is_finished() {
            assert!(begin.elapsed() < Duration::from_secs(10), "it waits for ever");
            scope.spawn(|| drop(turn(folder, 1, Some(Duration::ZERO)))).join().unwrap();
            thread::sleep(Duration::from_millis(5));
        }
    });
}

#[test]
fn workers_are_released_one_by_one_and_the_youngest_first() {
    const PATIENCE: Duration = Duration::from_millis(100);
    let key = (folder(), key(1));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let released = std::sync::Mutex::new(Vec::new());
    let wait = || Wait::new(None, PATIENCE, None);
    let Turn::Lead(flight) = take_turn(key, &wait()) else { panic!("the first leads") };
    // It gets older once all of them wait.
    flight.suspend(true);
    let begin = thread::scope(|scope| {
        scope.spawn(|| {
            pool.broadcast(|worker| {
                while waiting_workers(key) != worker.index() {
                    thread::sleep(Duration::from_millis(1));
                }
                let turn = take_turn(key, &wait());
                released.lock().unwrap().push((worker.index(), Instant::now()));
                assert!(matches!(turn, Turn::Alone(_)));
                // Nothing is announced to those that are to be released by their age.
                std::mem::forget(turn);
            })
        });
        while waiting_workers(key) < 3 {
            thread::sleep(Duration::from_millis(1));
        }
        let begin = Instant::now();
        flight.suspend(false);
        begin
    });
    let released = released.into_inner().unwrap();
    assert_eq!(released.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [2, 1, 0]);
    for ((n, at), times) in released.into_iter().zip([1, 2, 4]) {
        assert!(at - begin >= PATIENCE * times, "{n} after {:?}", at - begin);
    }
}

// ---- interrupts

/// What is never found, and a wait that is interrupted.
struct Impatient<'a>(&'a dyn Fn() -> bool);

impl Need for Impatient<'_> {
    type Value = ();
    type Missing = ();

    fn look(&self) -> Look<(), ()> {
        Look::Missing(())
    }

    fn watch(&self, (): &()) -> impl Fn() -> bool {
        || false
    }

    fn interrupt(&self) -> Option<&dyn Fn() -> bool> {
        Some(self.0)
    }
}

/// All of them are another process's.
struct Taken;

impl ProcessLocks for Taken {
    type Held = ();
    type Announced = ();
    type Stub = u8;

    fn try_lock(&self, _: Key) -> Result<Option<()>> {
        Ok(None)
    }

    fn stub(_: Key) -> u8 {
        0
    }

    fn announce(&self, _: &[u8], _: u8) -> Result<()> {
        Ok(())
    }

    fn waits_of(&self, _: u8) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn last_empty(&self, _: Key) -> Option<u64> {
        None
    }

    fn holder(&self, _: Key) -> Option<String> {
        Some("process 1 (init)".to_owned())
    }
}

impl HeldKey for () {
    fn lands_empty(&self, _: bool) {}
}

/// Waits in vain, until the third time that it is asked whether it is interrupted.
fn is_interrupted(flights: &Flights<Taken>) -> bool {
    let (asked, last, longest) = (Cell::new(0), Cell::new(Instant::now()), Cell::new(Duration::ZERO));
    let interrupt = || {
        longest.set(longest.get().max(last.replace(Instant::now()).elapsed()));
        asked.set(asked.get() + 1);
        // What the caller does then may need other keys, and another wait.
        let limit = Some(Duration::from_millis(1));
        drop(Flights::<Taken>::new((u64::MAX - 1, u64::MAX), None, limit).lead(key(9), (), &Impatient(&|| false)));
        asked.get() == 3
    };
    let outcome = flights.lead(key(1), (), &Impatient(&interrupt));
    // Far above 50 ms, and far below the minute after which a wait wakes by itself.
    assert!(longest.get() < Duration::from_secs(5), "{longest:?}");
    matches!(outcome, FlightOutcome::Compute((), lead) if !lead.has_lock()) && asked.get() == 3
}

#[test]
fn a_wait_for_another_thread_or_process_can_be_interrupted() {
    let folder = folder();
    assert!(is_interrupted(&Flights::new(folder, Some(Taken), None)));
    let _flight = turn(folder, 1, None);
    thread::scope(|scope| {
        assert!(scope.spawn(|| is_interrupted(&Flights::new(folder, None, None))).join().unwrap());
    });
}

#[test]
fn an_interrupt_that_panics_leaves_nothing_behind() {
    let folder = folder();
    let flight = turn(folder, 1, None);
    let panics = AtomicBool::new(true);
    let lead = || {
        let interrupt = || {
            assert!(!panics.load(Ordering::Relaxed), "on purpose");
            false
        };
        matches!(
            Flights::<Taken>::new(folder, None, None).lead(key(1), (), &Impatient(&interrupt)),
            FlightOutcome::Compute(..)
        )
    };
    thread::scope(|scope| {
        assert!(scope.spawn(lead).join().is_err());
        panics.store(false, Ordering::Relaxed);
        let waits = scope.spawn(lead);
        thread::sleep(Duration::from_millis(120));
        assert!(!waits.is_finished());
        drop(flight);
        assert!(waits.join().unwrap());
    });
}

#[test]
fn whoever_waits_for_another_process_says_for_which() {
    let key = (folder(), key(1));
    let Turn::Lead(flight) = take_turn(key, &Wait::new(None, PATIENCE, None)) else { panic!("the first leads") };
    let told = std::cell::RefCell::new(Vec::new());
    let hear = |whom: &str, _: Duration| told.borrow_mut().push(whom.to_owned());
    let wait = Wait::new(Some(Duration::from_millis(300)), PATIENCE, None).telling_at_once();
    assert!(wait_for_lock(&Taken, key, &flight, &wait, &|| false, &hear).is_none());
    assert_eq!(*told.borrow(), ["process 1 (init)"], "once, and then a minute later");
}

// ---- what waits leave alone

#[test]
fn whoever_waits_for_another_thread_says_so_under_no_lock() {
    let folder = folder();
    let _flight = turn(folder, 1, None);
    let (told, told_there) = mpsc::channel();
    let needs_the_table = move || {
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || done.send(waiting_workers((folder, key(1)))));
        told.send(is_done.recv_timeout(Duration::from_secs(20)).is_ok()).unwrap();
        std::io::sink()
    };
    // With a single listener, an event that another thread without one meets first would be off for this one, too.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let subscriber = tracing_subscriber::fmt().with_writer(needs_the_table).finish();
    let waits = || {
        let wait = Wait::new(Some(Duration::from_millis(300)), PATIENCE, None).telling_at_once();
        let turn = tracing::subscriber::with_default(subscriber, || take_turn((folder, key(1)), &wait));
        matches!(turn, Turn::Alone(_))
    };
    thread::scope(|scope| assert!(scope.spawn(waits).join().unwrap()));
    assert_eq!(told_there.try_iter().collect::<Vec<_>>(), [true], "once, and then a minute later");
}

#[test]
fn a_worker_whose_interrupt_panics_waits_no_more() {
    let folder = folder();
    let _flight = turn(folder, 1, None);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let panics = || {
        pool.install(|| {
            let interrupt = || -> bool { panic!("on purpose") };
            drop(take_turn((folder, key(1)), &Wait::new(None, PATIENCE, Some(&interrupt))));
        });
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(waiting_workers((folder, key(1))), 0);
}

#[test]
fn what_a_child_inherits_changes_none_of_its_flights() {
    let folder = folder();
    let Turn::Lead(flight) = turn(folder, 1, None) else { panic!("the first leads") };
    let inherited = flight.inherited();
    thread::scope(|scope| scope.spawn(|| std::mem::forget(inherited.take_over())).join().unwrap());
    assert_eq!(held_up((folder, key(2)), true).keys, [key(1)], "it is this thread's still");
}

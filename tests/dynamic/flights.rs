//! One computation per key of a run-time call, among threads, processes and tasks.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ndcache::Memory;
use ndcache::dynamic::{Form, RawValue, RunTimeArgument, RunTimeCall, TaskId, Turn, Wait};

use super::{Computed, call, function};
use crate::support::{children, fresh, in_child};

/// The turn of a call that nobody else computes.
fn lead(call: &RunTimeCall, memory: &Memory, wait: &Wait<'_>) -> Box<ndcache::dynamic::Lead> {
    match call.lead(memory, Form::Owned, wait) {
        Turn::Compute(lead) => lead,
        other => panic!("{other:?}"),
    }
}

fn value(n: u64) -> RawValue {
    RawValue::of(&n).unwrap()
}

#[test]
fn threads_that_need_one_key_compute_it_once() {
    let (_folder, memory) = fresh();
    let (start, computed) = (Barrier::new(8), Computed::default());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                let found = computed.eval(&call("once", 1), &memory, Form::Owned, || {
                    thread::sleep(Duration::from_millis(200));
                    value(5)
                });
                assert_eq!(found.take::<u64>().unwrap(), 5);
            });
        }
    });
    assert_eq!(computed.times(), 1);
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (7, 1));
}

#[test]
fn processes_that_need_one_key_compute_it_once() {
    const NAME: &str = "dynamic::flights::processes_that_need_one_key_compute_it_once";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(format!("{folder}/cache")).unwrap();
        let call = RunTimeCall::new(function("processes", "1"), [RunTimeArgument::of("n", &1_u8).unwrap()]);
        let found = Computed::default().eval(&call, &memory, Form::Owned, || {
            std::fs::write(format!("{folder}/{}.ran", std::process::id()), b"").unwrap();
            thread::sleep(Duration::from_millis(500));
            value(5)
        });
        assert_eq!(found.take::<u64>().unwrap(), 5);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    children(2, NAME, &[("FOLDER", path)]);
    let ran = std::fs::read_dir(path).unwrap().filter(|item| item.as_ref().unwrap().path().extension().is_some());
    assert_eq!(ran.count(), 1);
}

#[test]
fn a_lead_that_has_gone_to_another_thread_does_not_wait_for_itself() {
    let (_folder, memory) = fresh();
    let mut moved = lead(&call("moved", 1), &memory, &Wait::new());
    let (send, back) = mpsc::channel();
    let (inner, there) = (call("moved", 1), memory.clone());
    thread::spawn(move || {
        let found = moved.compute(|| inner.eval(&there, Form::Owned, || Ok::<_, String>(value(5))));
        send.send((moved, found)).unwrap();
    });
    let (moved, found) = back.recv_timeout(Duration::from_secs(60)).expect("no wait without end");
    moved.store(found.unwrap(), Form::Owned);
    assert!(call("moved", 1).contains(&memory));
}

#[test]
fn a_wait_can_be_interrupted() {
    let (_folder, memory) = fresh();
    let call = call("interrupted", 1);
    let held = lead(&call, &memory, &Wait::new());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let interrupt = || stop.load(Ordering::SeqCst);
            let turn = call.lead(&memory, Form::Owned, &Wait::new().interrupt(&interrupt));
            (turn, Instant::now())
        });
        thread::sleep(Duration::from_millis(300));
        assert!(!waiting.is_finished());
        let stopped = Instant::now();
        stop.store(true, Ordering::SeqCst);
        let (turn, ended) = waiting.join().unwrap();
        assert!(matches!(turn, Turn::Interrupted), "{turn:?}");
        assert!(ended - stopped < Duration::from_secs(5));
    });
    // The call that computes isn't disturbed.
    held.store(value(1), Form::Owned);
    let never = || panic!("nothing is waited for");
    assert!(matches!(call.lead(&memory, Form::Owned, &Wait::new().interrupt(&never)), Turn::Found(_)));
}

#[test]
fn a_lead_goes_to_another_thread_and_those_who_wait_find_what_it_stores() {
    let (_folder, memory) = fresh();
    let call = call("moved", 1);
    let held = lead(&call, &memory, &Wait::new());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| call.lead(&memory, Form::Owned, &Wait::new()));
        thread::sleep(Duration::from_millis(100));
        let stored = scope.spawn(move || held.store(value(7), Form::Owned)).join().unwrap();
        assert!(stored.fault.is_none() && stored.reason.is_none());
        let Turn::Found(found) = waiting.join().unwrap() else { panic!("it is stored") };
        assert_eq!(found.take::<u64>().unwrap(), 7);
    });
}

#[test]
fn a_lead_that_is_dropped_or_panics_lets_another_compute() {
    let (_folder, memory) = fresh();
    let call = call("dropped", 1);
    drop(lead(&call, &memory, &Wait::new()));
    lead(&call, &memory, &Wait::new()).discard("it is an error");
    let mut held = lead(&call, &memory, &Wait::new());
    let panicked = thread::scope(|scope| scope.spawn(move || held.compute(|| panic!("on purpose"))).join());
    assert!(panicked.is_err());
    let mut held = lead(&call, &memory, &Wait::new());
    held.took(Duration::from_secs(3));
    assert!(held.will_store());
    held.store(value(1), Form::Owned);
    assert_eq!(call.entry(&memory).unwrap().unwrap().duration(), Duration::from_secs(3));
}

#[test]
fn a_lead_that_took_longer_than_can_be_said_computes_and_stores() {
    let (_folder, memory) = fresh();
    let call = call("forever", 1);
    let mut held = lead(&call, &memory, &Wait::new());
    held.took(Duration::MAX);
    let computed = held.compute(|| 5);
    assert!(held.store(value(computed), Form::Owned).fault.is_none());
    assert!(call.look_up(&memory, Form::Owned).is_some());
}

#[test]
fn a_task_that_needs_what_it_computes_goes_on_whichever_thread_it_is_on() {
    let (_folder, memory) = fresh();
    let (call, task) = (call("task", 1), TaskId::unique());
    let held = lead(&call, &memory, &Wait::new().task(task));
    // The task asks again on another thread: it would wait for a key that it computes itself.
    let (sender, turns) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| sender.send(call.lead(&memory, Form::Owned, &Wait::new().task(task))).unwrap());
        let turn = turns.recv_timeout(Duration::from_secs(30)).expect("no wait for itself");
        assert!(matches!(turn, Turn::Compute(_)), "{turn:?}");
    });
    drop(held);
}

#[test]
fn a_thread_that_acts_for_two_tasks_waits_for_neither_in_vain() {
    let (_folder, memory) = fresh();
    let (call, first, second) = (call("tasks", 1), TaskId::unique(), TaskId::unique());
    let held = lead(&call, &memory, &Wait::new().task(first));
    // The second task isn't the one that computes the key: it waits, although the key's lead was taken on this thread.
    let (sender, turns) = mpsc::channel();
    thread::scope(|scope| {
        let asked = (&call, &memory);
        scope.spawn(move || {
            let turn = second.on_this_thread(|| asked.0.lead(asked.1, Form::Owned, &Wait::new()));
            sender.send(turn).unwrap();
        });
        assert!(turns.recv_timeout(Duration::from_millis(300)).is_err(), "it waits");
        held.store(value(2), Form::Owned);
        assert!(matches!(turns.recv_timeout(Duration::from_secs(30)).unwrap(), Turn::Found(_)));
    });
}

#[test]
fn two_tasks_that_wait_for_each_other_both_go_on() {
    let (_folder, memory) = fresh();
    let (one, two) = (call("cycle", 1), call("cycle", 2));
    let (first, second) = (TaskId::unique(), TaskId::unique());
    let held_one = lead(&one, &memory, &Wait::new().task(first));
    let held_two = lead(&two, &memory, &Wait::new().task(second));
    let (sender, turns) = mpsc::channel();
    thread::scope(|scope| {
        // These threads lead neither key: only by the tasks can the cycle be seen.
        for (call, task) in [(&two, first), (&one, second)] {
            let (sender, memory) = (sender.clone(), &memory);
            scope.spawn(move || {
                let turn = call.lead(memory, Form::Owned, &Wait::new().task(task));
                if let Turn::Compute(lead) = turn {
                    lead.store(value(1), Form::Owned);
                }
                sender.send(()).unwrap();
            });
        }
        turns.recv_timeout(Duration::from_secs(30)).expect("one of them sees the cycle");
        drop((held_one, held_two));
        turns.recv_timeout(Duration::from_secs(30)).expect("the other one");
    });
}

#[test]
fn a_task_computes_on_its_own_behalf() {
    let (_folder, memory) = fresh();
    let (call, task) = (call("inside", 1), TaskId::unique());
    let mut held = lead(&call, &memory, &Wait::new().task(task));
    // The function calls itself: its task would wait for itself.
    let inside = held.compute(|| call.lead(&memory, Form::Owned, &Wait::new()));
    assert!(matches!(inside, Turn::Compute(_)), "{inside:?}");
}

/// Asserts that of three calls that wait for a lead, `number` go on at once when it ends, and no more.
fn assert_go_on(call: &RunTimeCall, memory: &Memory, number: usize, end: impl FnOnce()) {
    let (sender, turns) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..3 {
            let sender = sender.clone();
            scope.spawn(move || sender.send(call.lead(memory, Form::Owned, &Wait::new())).unwrap());
        }
        thread::sleep(Duration::from_millis(500));
        assert!(turns.try_recv().is_err(), "they wait");
        end();
        let next = |wait| turns.recv_timeout(wait);
        let leads: Vec<_> = (0..number).map(|_| next(Duration::from_secs(30)).expect("it goes on")).collect();
        assert!(next(Duration::from_millis(300)).is_err(), "another one goes on");
        let in_vain = |turn: &Turn| matches!(turn, Turn::Compute(lead) if lead.waited_in_vain());
        assert!(leads.iter().all(|turn| in_vain(turn) == (number > 1)), "{leads:?}");
        drop((leads, sender));
        turns.iter().for_each(drop);
    });
}

#[test]
fn what_is_discarded_lets_all_go_on_and_what_is_handed_on_one() {
    let (_folder, memory) = fresh();
    let call = call("ends", 1);
    let held = lead(&call, &memory, &Wait::new());
    assert_go_on(&call, &memory, 3, || held.discard("it is an error"));
    let held = lead(&call, &memory, &Wait::new());
    assert_go_on(&call, &memory, 1, || held.hand_on("it was stopped"));
    let mut held = lead(&call, &memory, &Wait::new());
    held.compute(|| ());
    assert_go_on(&call, &memory, 1, || held.hand_on("it was stopped"));
    let held = lead(&call, &memory, &Wait::new());
    // Its computation hadn't begun.
    assert_go_on(&call, &memory, 1, || drop(held));
    let mut held = lead(&call, &memory, &Wait::new());
    held.compute(|| ());
    assert_go_on(&call, &memory, 3, || drop(held));
}

#[test]
fn what_waits_for_nobody_computes_at_once() {
    let (_folder, memory) = fresh();
    let call = call("at once", 1);
    let held = lead(&call, &memory, &Wait::new());
    let (sender, turns) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| sender.send(call.lead(&memory, Form::Owned, &Wait::new().at_once())).unwrap());
        let Ok(Turn::Compute(beside)) = turns.recv_timeout(Duration::from_secs(30)) else { panic!("it waits") };
        assert!(!beside.waited_in_vain());
        beside.store(value(3), Form::Owned);
    });
    drop(held);
    assert!(matches!(call.lead(&memory, Form::Owned, &Wait::new().at_once()), Turn::Found(_)));
}

//! What a run-time function says about its calls, and what a memory says about all.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use ndcache::dynamic::{Form, Options, RawValue, RunTimeArgument, RunTimeCall, Turn, Wait, note_expiry, on_expiry};
use ndcache::{Compression, FileContent, Memory, Mode, cache, digest};

use super::{Computed, call, doubles};
use crate::support::{files, fresh};

/// How often two evaluations compute under these options.
fn computations(memory: &Memory, name: &str, set: impl FnOnce(&mut Options)) -> usize {
    let mut options = Options::default();
    set(&mut options);
    let (options, computed) = (Arc::new(options), Computed::default());
    for _ in 0..2 {
        let call = call(name, 1).options(Arc::clone(&options));
        computed.eval(&call, memory, Form::Owned, || RawValue::of(&1_u8).unwrap());
    }
    computed.times()
}

#[test]
fn options_decide_what_is_stored_and_for_how_long() {
    let (_folder, memory) = fresh();
    assert_eq!(computations(&memory, "plain", |_| {}), 1);
    assert_eq!(computations(&memory, "off", |options| options.mode = Some(Mode::Off)), 2);
    assert_eq!(computations(&memory, "read-only", |options| options.mode = Some(Mode::ReadOnly)), 2);
    assert_eq!(computations(&memory, "cheap", |options| options.min_duration = Some(Duration::from_secs(60))), 2);
    let zero: Option<ndcache::dynamic::Lifetime> = Some(Arc::new(|| Duration::ZERO));
    assert_eq!(computations(&memory, "expired", |options| options.expires = zero), 2);
    let hour: Option<ndcache::dynamic::Lifetime> = Some(Arc::new(|| Duration::from_secs(3600)));
    assert_eq!(computations(&memory, "fresh", |options| options.expires = hour), 1);
    assert_eq!(computations(&memory, "refused", |options| options.validate = Some(Arc::new(|_| false))), 2);
    assert_eq!(memory.stats().faults(), 0);
}

#[test]
fn closures_may_hold_what_they_decide_by() {
    let (_folder, memory) = fresh();
    let (good, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let mut options = Options::default();
    let (is_good, count) = (Arc::clone(&good), Arc::clone(&asked));
    options.validate = Some(Arc::new(move |entry| {
        assert_eq!(entry.function(), "dynamic.decided");
        count.fetch_add(1, Ordering::SeqCst);
        is_good.load(Ordering::SeqCst)
    }));
    let (call, computed) = (call("decided", 1).options(Arc::new(options)), Computed::default());
    let eval = || computed.eval(&call, &memory, Form::Owned, || RawValue::of(&1_u8).unwrap());
    eval();
    eval();
    assert_eq!((computed.times(), asked.load(Ordering::SeqCst)), (1, 1));
    good.store(false, Ordering::SeqCst);
    assert_eq!(call.explain(&memory).to_string(), "refused by `validate`");
    eval();
    assert_eq!(computed.times(), 2);
}

#[test]
fn arrays_are_compressed_and_named_as_the_options_say() {
    let (folder, memory) = fresh();
    let mut options = Options::default();
    options.compression = Some(Compression::Gzip(1));
    options.readable = Some(true);
    let call = call("named", 12).options(Arc::new(options));
    let value = || RawValue::of_array(doubles((0..10_000).map(f64::from)));
    call.eval(&memory, Form::Mapped, || Ok::<_, ndcache::Error>(value())).unwrap();
    let names = files(folder.path(), ".npy.gz");
    assert!(names[0].file_name().unwrap().to_str().unwrap().starts_with("dynamic.named(n=12)-"), "{names:?}");
    assert_eq!(call.look_up(&memory, Form::Mapped).unwrap().arrays()[0].digest(), value().arrays()[0].digest());
}

#[test]
fn an_error_is_returned_and_not_stored() {
    let (_folder, memory) = fresh();
    let call = call("failing", 1);
    assert_eq!(call.eval(&memory, Form::Owned, || Err::<RawValue, _>("no")).unwrap_err(), "no");
    assert!(!call.contains(&memory));
    assert_eq!((memory.stats().misses(), memory.stats().faults()), (1, 0));
}

#[test]
fn a_memory_without_a_folder_just_computes() {
    let (memory, computed) = (Memory::disabled(), Computed::default());
    let call = call("nowhere", 1);
    for _ in 0..2 {
        computed.eval(&call, &memory, Form::Mapped, || RawValue::of(&1_u8).unwrap());
    }
    assert_eq!(computed.times(), 2);
    assert!(call.look_up(&memory, Form::Owned).is_none() && !call.contains(&memory));
    assert_eq!((call.explain(&memory).to_string(), call.key(&memory).unwrap()), ("cache is off".to_owned(), None));
    assert!(!call.remove(&memory).unwrap() && call.entry(&memory).unwrap().is_none());
    let Turn::Compute(lead) = call.lead(&memory, Form::Owned, &Wait::new()) else { panic!() };
    assert!(!lead.will_store());
    assert_eq!(lead.store(RawValue::of(&1_u8).unwrap(), Form::Owned).reason, Some("there is no cache"));
}

#[test]
fn a_memory_that_refreshes_computes_each_key_once() {
    let (folder, memory) = fresh();
    let (call, computed) = (call("refreshed", 1), Computed::default());
    computed.eval(&call, &memory, Form::Owned, || RawValue::of(&1_u8).unwrap());
    let memory = Memory::builder(folder.path()).mode(Mode::Refresh).open().unwrap();
    for _ in 0..3 {
        computed.eval(&call, &memory, Form::Owned, || RawValue::of(&1_u8).unwrap());
    }
    assert_eq!(computed.times(), 2);
}

#[cache(expires = Duration::from_secs(3600))]
fn inner(n: u64) -> u64 {
    n
}

#[test]
fn a_result_expires_with_the_cached_calls_inside_it() {
    let (_folder, memory) = fresh();
    let outer = |name| call(name, 1);
    let compute = |call: &RunTimeCall| call.eval(&memory, Form::Owned, || RawValue::of(&inner(3))).unwrap();
    compute(&outer("around"));
    assert!(memory.contains(&inner::call(3)), "the call inside goes through this memory");
    assert!(outer("around").entry(&memory).unwrap().unwrap().expires().is_some());
    let plain = outer("plain");
    plain.eval(&memory, Form::Owned, || RawValue::of(&3_u64)).unwrap();
    assert!(plain.entry(&memory).unwrap().unwrap().expires().is_none());
}

#[test]
fn a_result_of_several_parts_expires_with_the_first_call_in_any() {
    let (_folder, memory) = fresh();
    let call = call("parts", 1);
    let Turn::Compute(mut lead) = call.lead(&memory, Form::Owned, &Wait::new()) else { panic!("nobody has it") };
    let sum = lead.compute(|| inner(4)) + lead.compute(|| 1);
    lead.store(RawValue::of(&sum).unwrap(), Form::Owned);
    assert!(call.entry(&memory).unwrap().unwrap().expires().is_some());
}

/// Nothing is stored of a call whose file changes while it is computed; `argument` stands for the file at a path.
fn expect_looked_at_again(function: &str, argument: impl Fn(&Path) -> RunTimeArgument) {
    let (folder, memory) = fresh();
    let path = folder.path().join("input");
    std::fs::write(&path, b"before").unwrap();
    let made = || RunTimeCall::new(super::function(function, "1"), [argument(&path)]);
    made().eval(&memory, Form::Owned, || RawValue::of(&1_u8)).unwrap();
    assert!(made().contains(&memory));
    std::fs::write(&path, b"after").unwrap();
    let changed = made();
    assert!(!changed.contains(&memory));
    let compute = || {
        std::fs::write(&path, b"meanwhile").unwrap();
        RawValue::of(&2_u8)
    };
    changed.eval(&memory, Form::Owned, compute).unwrap();
    assert!(!changed.contains(&memory), "what was computed isn't of what was hashed");
}

#[test]
fn arguments_that_stand_for_files_are_looked_at_again() {
    let argument = |path: &Path| RunTimeArgument::of("path", &FileContent::open(path).unwrap()).unwrap();
    expect_looked_at_again("reads", argument);
}

#[test]
fn files_inside_of_an_argument_are_looked_at_again() {
    expect_looked_at_again("reads inside", |path| {
        let file = FileContent::open(path).unwrap();
        RunTimeArgument::new("held", digest(&(&file, 1)), "").holding(&file).unwrap()
    });
}

#[test]
fn what_was_computed_elsewhere_is_said_to_expire_and_so_does_its_caller() {
    let (_folder, memory) = fresh();
    let hour: Option<ndcache::dynamic::Lifetime> = Some(Arc::new(|| Duration::from_secs(3600)));
    let (outer, inner, plain) = (call("caller", 1), call("elsewhere", 1), call("hourly", 1));
    let lead = |call: &RunTimeCall| match call.lead(&memory, Form::Owned, &Wait::new()) {
        Turn::Compute(lead) => lead,
        other => panic!("nobody has it: {other:?}"),
    };
    let at = |call: &RunTimeCall| call.entry(&memory).unwrap().unwrap().expires();
    let (soon, mut of_outer) = (SystemTime::now() + Duration::from_secs(60), lead(&outer));
    of_outer.compute(|| {
        let mut of_inner = lead(&inner);
        of_inner.inherit(Some(soon));
        of_inner.inherit(None);
        of_inner.store(RawValue::of(&1_u8).unwrap(), Form::Owned);
    });
    of_outer.store(RawValue::of(&2_u8).unwrap(), Form::Owned);
    assert_eq!((at(&inner), at(&outer)), (Some(soon), Some(soon)));
    assert_eq!(inner.look_up(&memory, Form::Owned).unwrap().expires(), Some(soon));

    let mut options = Options::default();
    options.expires = hour;
    let (around, plain) = (call("around it", 1), plain.options(Arc::new(options)));
    let mut of_around = lead(&around);
    of_around.compute(|| {
        let mut of_plain = lead(&plain);
        of_plain.inherit(None);
        of_plain.discard("it has raised");
    });
    of_around.store(RawValue::of(&2_u8).unwrap(), Form::Owned);
    assert!(at(&around).is_some(), "its own `expires` is passed on, too");
}

#[test]
fn who_listens_hears_on_the_thread_of_the_call_when_results_expire() {
    thread_local!(static HEARD: Cell<Option<SystemTime>> = const { Cell::new(None) });
    assert!(on_expiry(|at| HEARD.set(Some(at))), "the first one");
    assert!(!on_expiry(|_| ()), "it stays");
    let (_folder, memory) = fresh();
    let (none, soon) = (call("heard of", 0), SystemTime::now() + Duration::from_secs(60));
    none.eval(&memory, Form::Owned, || RawValue::of(&1_u8)).unwrap();
    assert_eq!(HEARD.take(), None);
    let call = call("heard of", 1);
    let compute = || {
        note_expiry(soon);
        RawValue::of(&1_u8)
    };
    call.eval(&memory, Form::Owned, compute).unwrap();
    assert_eq!(HEARD.take(), Some(soon));
    call.look_up(&memory, Form::Owned).unwrap();
    assert_eq!(HEARD.take(), Some(soon), "of a hit, too");
}

//! Validation, expiry and the other options by which functions and memories say what is kept, and for how long.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use ndcache::explain::Reason;
use ndcache::{Entry, Memory, MemoryBuilder, Mode, cache};
use tempfile::TempDir;

use crate::support::{children, files, fresh, in_child, snapshot};

const SHORT: Duration = Duration::from_millis(300);
const LONGER: Duration = Duration::from_millis(500);
const HOUR: Duration = Duration::from_secs(3600);

/// A memory with settings, in a folder of its own.
fn with(set: impl FnOnce(MemoryBuilder) -> MemoryBuilder) -> (TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = set(Memory::builder(folder.path())).open().unwrap();
    (folder, memory)
}

/// `contains`, `explain` and `eval` agree on a call that hits, or misses for `reason`; looking changes nothing.
macro_rules! agree {
    ($folder:expr, $memory:expr, $call:expr, $reason:expr) => {{
        let (before, stats) = (snapshot($folder.path()), $memory.stats());
        let hits = $memory.contains(&$call);
        let explained = $memory.explain(&$call).reason();
        assert_eq!((snapshot($folder.path()), $memory.stats()), (before, stats.clone()));
        assert_eq!((hits, explained.name()), ($reason == "hit", $reason), "{explained}");
        $memory.eval($call);
        assert_eq!($memory.stats().hits() - stats.hits(), u64::from(hits));
    }};
}

#[test]
fn a_validation_decides_whether_an_entry_is_used() {
    #[cache(validate = always)]
    fn kept() -> usize {
        KEPT.fetch_add(1, Ordering::SeqCst)
    }
    #[cache(validate = |_| false)]
    fn refused() -> usize {
        REFUSED.fetch_add(1, Ordering::SeqCst)
    }
    fn always(_: &Entry) -> bool {
        true
    }
    static KEPT: AtomicUsize = AtomicUsize::new(0);
    static REFUSED: AtomicUsize = AtomicUsize::new(0);
    let (folder, memory) = fresh();
    assert_eq!([0; 3].map(|_| memory.eval(kept::call())), [0, 0, 0]);
    assert_eq!([0; 3].map(|_| memory.eval(refused::call())), [0, 1, 2]);
    assert_eq!(memory.stats().by_reason()["expired"], 2);
    assert_eq!(memory.stats().faults(), 0);
    assert_eq!(files(folder.path(), ".record").len(), 2, "replaced, not added");
    agree!(folder, memory, kept::call(), "hit");
    agree!(folder, memory, refused::call(), "expired");
    assert_eq!(memory.explain(&refused::call()).to_string(), "refused by `validate`");
}

#[test]
fn a_validation_by_duration_keeps_long_runs_only() {
    #[cache(validate = |entry| entry.duration() > Duration::from_millis(100))]
    fn slept(milliseconds: u64) -> usize {
        sleep(Duration::from_millis(milliseconds));
        RUNS.fetch_add(1, Ordering::SeqCst)
    }
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let (_folder, memory) = fresh();
    let long = memory.eval(slept::call(150));
    assert_eq!(memory.eval(slept::call(150)), long);
    let short = memory.eval(slept::call(0));
    assert_ne!(memory.eval(slept::call(0)), short);
}

#[test]
fn a_validation_sees_the_entry() {
    #[cache]
    fn power(base: u64, exponent: u32) -> u64 {
        sleep(Duration::from_millis(2));
        base.pow(exponent)
    }
    let (_folder, memory) = with(|builder| {
        builder.validate(|entry| {
            let arguments: Vec<_> =
                entry.arguments().iter().map(|argument| (argument.name(), argument.text())).collect();
            entry.function().ends_with("::power")
                && entry.created().elapsed().is_ok_and(|age| age < HOUR)
                && entry.duration() >= Duration::from_millis(2)
                && entry.path().exists()
                && arguments == [("base", "3"), ("exponent", "4")]
        })
    });
    for (base, hits) in [(3, true), (2, false)] {
        memory.eval(power::call(base, 4));
        assert_eq!(memory.contains(&power::call(base, 4)), hits);
    }
}

#[test]
fn a_panic_of_a_validation_is_the_calls_and_leaves_the_cache_in_order() {
    #[cache(validate = |_| panic!("on purpose"))]
    fn one() -> u8 {
        1
    }
    let (folder, memory) = fresh();
    assert_eq!(memory.eval(one::call()), 1);
    let before = snapshot(folder.path());
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| memory.eval(one::call()))).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| memory.contains(&one::call()))).is_err());
    }
    assert_eq!(snapshot(folder.path()), before);
    assert!(memory.remove(&one::call()).unwrap());
    assert_eq!(memory.eval(one::call()), 1);
}

#[test]
fn an_entry_hits_until_it_expires_and_is_replaced_then() {
    #[cache(expires = SHORT)]
    fn next() -> usize {
        RUNS.fetch_add(1, Ordering::SeqCst)
    }
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let (folder, memory) = fresh();
    let first = memory.eval(next::call());
    let created = memory.entry(&next::call()).unwrap().unwrap().created();
    let hit = memory.eval(next::call()) == first;
    assert!(hit || created.elapsed().unwrap() >= SHORT, "expired too early");
    sleep(LONGER);
    let text = memory.explain(&next::call()).to_string();
    assert!(text.starts_with("expired ") && text.ends_with(" ago"), "{text}");
    agree!(folder, memory, next::call(), "expired");
    assert!(memory.entry(&next::call()).unwrap().unwrap().created() > created);
    assert_eq!(files(folder.path(), ".record").len(), 1);
}

#[test]
fn expiry_is_that_of_the_lookup() {
    #[cache]
    fn one() -> u8 {
        1
    }
    let (folder, memory) = fresh();
    memory.eval(one::call());
    sleep(Duration::from_millis(10));
    let strict = Memory::builder(folder.path()).expires(Duration::from_millis(5)).open().unwrap();
    assert_eq!(strict.explain(&one::call()).reason().name(), "expired");
    assert!(memory.contains(&one::call()), "whoever sets no limit still has it");
    let never = Memory::builder(folder.path()).expires(Duration::MAX).open().unwrap();
    assert!(never.contains(&one::call()));
    agree!(folder, strict, one::call(), "expired");
}

#[cache]
fn logged(folder: &str) -> u32 {
    std::fs::write(format!("{folder}/{}.ran", std::process::id()), b"").unwrap();
    sleep(LONGER);
    5
}

#[test]
fn processes_that_need_what_is_no_longer_good_compute_it_once() {
    const NAME: &str = "expiry::processes_that_need_what_is_no_longer_good_compute_it_once";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let start = Duration::from_nanos(std::env::var("START").unwrap().parse().unwrap());
        let recent = move |entry: &Entry| entry.created() > SystemTime::UNIX_EPOCH + start;
        let memory = Memory::builder(format!("{folder}/cache")).validate(recent).open().unwrap();
        assert_eq!(memory.eval(logged::call(&folder)), 5);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    Memory::open(folder.path().join("cache")).unwrap().eval(logged::call(path));
    let start = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos().to_string();
    let variables = [("FOLDER", path), ("START", &start)];
    children(4, NAME, &variables);
    assert_eq!(files(folder.path(), ".ran").len(), 2, "by this process, and by one of the others");
}

#[cache(expires = SHORT)]
fn price() -> u64 {
    PRICES.fetch_add(1, Ordering::SeqCst) as u64
}

static PRICES: AtomicUsize = AtomicUsize::new(0);

#[cache(depends(price))]
fn basket(n: u64) -> u64 {
    n * price()
}

#[cache(depends(basket), expires = HOUR)]
fn bill(n: u64) -> u64 {
    basket(n) + 1
}

#[test]
fn an_entry_expires_with_the_calls_inside_it_computed_or_loaded() {
    let (folder, memory) = fresh();
    // `bill(1)` computes `price`, `bill(2)` loads it, unless this machine is so slow that it has expired.
    for n in [1, 2] {
        memory.eval(bill::call(n));
    }
    sleep(LONGER);
    for n in [1, 2] {
        let text = memory.explain(&bill::call(n)).to_string();
        assert!(text.ends_with(" ago, with a cached call inside it"), "{text}");
        assert_eq!(memory.explain(&basket::call(n)).reason().name(), "expired");
    }
    let before = PRICES.load(Ordering::SeqCst);
    agree!(folder, memory, bill::call(1), "expired");
    assert!(PRICES.load(Ordering::SeqCst) > before);
}

#[test]
fn an_entry_expires_with_the_calls_inside_it_that_were_not_stored() {
    #[cache(expires = SHORT)]
    fn failing() -> Result<u8, String> {
        Err("no".to_owned())
    }
    #[cache(expires = SHORT, min_duration = HOUR)]
    fn cheap() -> u8 {
        1
    }
    #[cache(mode = Mode::Off, depends(price))]
    fn passing_on() -> u64 {
        price()
    }
    #[cache(mode = Mode::Off, expires = SHORT)]
    fn never_looked_up() -> u8 {
        1
    }
    #[cache(depends(failing, cheap, passing_on, never_looked_up))]
    fn outer(what: u8) -> bool {
        match what {
            0 => failing().is_ok(),
            1 => cheap() > 0,
            2 => passing_on() > 0,
            3 => never_looked_up() > 0,
            4 => Memory::disabled().eval(cheap::call()) > 0,
            _ => true,
        }
    }
    let (_folder, memory) = fresh();
    for what in 0..6 {
        memory.eval(outer::call(what));
    }
    sleep(LONGER);
    for what in 0..6 {
        assert_eq!(memory.contains(&outer::call(what)), what == 5, "{what}");
    }
}

#[test]
fn an_entry_keeps_its_own_expiry_when_the_calls_inside_it_last() {
    #[cache(expires = HOUR)]
    fn lasting() -> u8 {
        1
    }
    #[cache(depends(lasting), expires = SHORT)]
    fn short() -> u8 {
        lasting()
    }
    #[cache(depends(short))]
    fn beside(n: u8) -> u8 {
        n + lasting()
    }
    let (_folder, memory) = fresh();
    memory.eval(short::call());
    memory.eval(beside::call(1));
    sleep(LONGER);
    assert!(memory.contains(&lasting::call()));
    assert!(memory.contains(&beside::call(1)), "a call that was made before isn't inside");
    assert_eq!(memory.explain(&short::call()).reason().name(), "expired");
    assert!(!memory.explain(&short::call()).to_string().contains("inside"));
}

#[test]
fn fast_results_are_not_stored() {
    #[cache(min_duration = Duration::from_millis(100))]
    fn slept(milliseconds: u64) -> u64 {
        sleep(Duration::from_millis(milliseconds));
        milliseconds
    }
    let (folder, memory) = fresh();
    for milliseconds in [0, 150] {
        assert_eq!(memory.eval(slept::call(milliseconds)), milliseconds);
        assert_eq!(memory.mmap(slept::call(milliseconds)), milliseconds);
    }
    assert!(!memory.contains(&slept::call(0)));
    assert!(memory.contains(&slept::call(150)));
    assert_eq!(
        files(folder.path(), "")
            .iter()
            .filter(|path| path.is_file() && path.starts_with(folder.path().join("f")))
            .count(),
        1
    );
    assert_eq!(memory.stats().faults(), 0);
}

#[test]
fn a_fast_result_replaces_one_that_is_stored() {
    #[cache(min_duration = Duration::from_millis(100))]
    fn next() -> usize {
        let run = RUNS.fetch_add(1, Ordering::SeqCst);
        sleep(if run == 0 { Duration::from_millis(150) } else { Duration::ZERO });
        run
    }
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(next::call()), 0);
    assert_eq!(memory.refresh(next::call()), 1);
    assert_eq!(memory.eval(next::call()), 1);
}

#[test]
fn the_function_wins_over_the_memory() {
    #[cache(validate = |_| true, expires = HOUR, min_duration = Duration::ZERO)]
    fn own() -> u8 {
        1
    }
    #[cache]
    fn default() -> u8 {
        1
    }
    let settings: [fn(MemoryBuilder) -> MemoryBuilder; 3] = [
        |builder| builder.validate(|_| false),
        |builder| builder.expires(Duration::ZERO),
        |builder| builder.min_duration(HOUR),
    ];
    for (set, reason) in settings.into_iter().zip(["expired", "expired", "new function"]) {
        let (folder, memory) = with(set);
        memory.eval(own::call());
        memory.eval(default::call());
        agree!(folder, memory, own::call(), "hit");
        agree!(folder, memory, default::call(), reason);
    }
}

#[test]
fn of_the_modes_of_function_and_memory_the_strictest_counts() {
    #[cache(mode = Mode::ReadWrite)]
    fn writing() -> u8 {
        1
    }
    #[cache(mode = Mode::ReadOnly)]
    fn reading() -> u8 {
        1
    }
    #[cache(mode = Mode::Off)]
    fn off() -> u8 {
        1
    }
    let (folder, memory) = fresh();
    let before = snapshot(folder.path());
    assert_eq!((memory.eval(reading::call()), memory.refresh(off::call())), (1, 1));
    assert_eq!(snapshot(folder.path()), before);
    assert_eq!(memory.stats().by_reason().len(), 1, "a function that is off isn't counted");
    assert_eq!(memory.explain(&off::call()).reason(), Reason::Off);
    assert!(!memory.contains(&off::call()));
    memory.eval(writing::call());
    assert!(memory.contains(&writing::call()));

    let (folder, memory) = with(|builder| builder.mode(Mode::ReadOnly));
    let before = snapshot(folder.path());
    memory.eval(writing::call());
    assert_eq!(snapshot(folder.path()), before);
    assert_eq!(Memory::disabled().eval(writing::call()), 1);
}

/// The same function in two programs, of which one may only read.
mod writer {
    #[ndcache::cache(name = "expiry: one function, two modes", code = "version", version = 1)]
    pub(super) fn one(n: u64) -> u64 {
        n
    }
}

mod reader {
    use std::time::Duration;

    #[ndcache::cache(
        name = "expiry: one function, two modes",
        code = "version",
        version = 1,
        mode = ndcache::Mode::ReadOnly,
        validate = |entry| entry.bytes() > 0,
        expires = Duration::from_secs(3600),
        min_duration = Duration::ZERO,
    )]
    pub(super) fn one(n: u64) -> u64 {
        n
    }
}

#[test]
fn the_options_are_no_part_of_the_key_and_a_reading_function_leaves_no_stamp() {
    let (folder, memory) = fresh();
    memory.eval(writer::one::call(7));
    let [record] = &files(folder.path(), ".record")[..] else { panic!("one entry") };
    let earlier = std::time::SystemTime::now() - 2 * HOUR;
    std::fs::File::open(record).unwrap().set_modified(earlier).unwrap();
    let before = snapshot(folder.path());
    agree!(folder, memory, reader::one::call(7), "hit");
    assert_eq!(snapshot(folder.path()), before);
    agree!(folder, memory, writer::one::call(7), "hit");
    assert_ne!(snapshot(folder.path()), before, "where writing is allowed the use is noted");
}

#[test]
fn a_function_that_refreshes_computes_each_key_once_per_memory() {
    #[cache(mode = Mode::Refresh)]
    fn next(_n: u8) -> usize {
        RUNS.fetch_add(1, Ordering::SeqCst)
    }
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let (folder, memory) = fresh();
    assert_eq!([1, 1, 2, 2].map(|n| memory.eval(next::call(n))), [0, 0, 1, 1]);
    let memory = Memory::open(folder.path()).unwrap();
    assert_eq!(memory.explain(&next::call(1)).reason(), Reason::Refresh);
    assert_eq!([1, 1].map(|n| memory.eval(next::call(n))), [2, 2]);
}

#[test]
fn options_may_name_what_their_method_can() {
    struct Sensor<const N: u64>;

    impl<const N: u64> Sensor<N> {
        const AGE: Duration = Duration::from_secs(N);

        #[cache(method, expires = Self::AGE, validate = Self::allows)]
        fn reading(n: u64) -> u64 {
            n + N
        }

        fn allows(entry: &Entry) -> bool {
            entry.bytes() > N
        }
    }
    let (_folder, memory) = fresh();
    memory.eval(Sensor::<0>::reading_call(1));
    memory.eval(Sensor::<60>::reading_call(1));
    assert!(!memory.contains(&Sensor::<0>::reading_call(1)));
    assert!(memory.contains(&Sensor::<60>::reading_call(1)));
}

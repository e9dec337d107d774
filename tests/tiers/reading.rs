//! What comes from a tier: it is the result that was put there, or it is computed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ndarray::{Array1, Array2};
use ndcache::tier::{Access, Backend, Deadline, Folder, Put, Share, Tier};
use ndcache::{Memory, cache};

use super::proxy::{FLAWS, Flaw, Plan, Proxy};

static RUNS: AtomicU64 = AtomicU64::new(0);

/// How often functions have run, on this thread alone.
fn runs<T>(body: impl FnOnce() -> T) -> (T, u64) {
    let before = LOCAL.with(std::cell::Cell::get);
    let value = body();
    (value, LOCAL.with(std::cell::Cell::get) - before)
}

thread_local! {
    static LOCAL: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

fn ran() {
    RUNS.fetch_add(1, Ordering::Relaxed);
    LOCAL.with(|runs| runs.set(runs.get() + 1));
}

/// As slow as a result has to be that is worth fetching.
fn work() {
    ran();
    std::thread::sleep(Duration::from_millis(150));
}

#[cache]
fn ramp(n: usize, seed: u64) -> Array1<f64> {
    work();
    Array1::from_shape_fn(n, |i| (i as f64).sin() + seed as f64)
}

#[cache]
fn small(n: u64) -> u64 {
    work();
    n * 3
}

#[cache]
fn texts(n: usize, seed: u64) -> Vec<String> {
    work();
    (0..n).map(|i| format!("line {i} of {seed}")).collect()
}

#[cache]
fn pair(n: usize, seed: u64) -> (Array2<f32>, Array1<u8>) {
    work();
    (Array2::from_elem((n, 3), seed as f32), Array1::from_elem(n, seed as u8))
}

fn flush(memory: &Memory) {
    let flushed = memory.flush(Duration::from_secs(60)).unwrap();
    assert_eq!((flushed.left, flushed.failed), (0, 0));
}

#[test]
fn what_one_machine_has_computed_another_one_fetches() {
    let proxy = Proxy::new();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let memory = proxy.memory(one.path());
    let expected = (
        memory.eval(ramp::call(100_000, 1)),
        memory.eval(small::call(7)),
        memory.eval(texts::call(20_000, 2)),
        memory.eval(pair::call(2000, 3)),
    );
    flush(&memory);
    let spent: Duration = memory.stats().by_function().values().map(|counts| counts.spent).sum();
    proxy.forget();
    let memory = proxy.open(other.path(), Access::ReadOnly);
    let (found, count) = runs(|| {
        (
            memory.eval(ramp::call(100_000, 1)),
            memory.eval(small::call(7)),
            memory.eval(texts::call(20_000, 2)),
            memory.eval(pair::call(2000, 3)),
        )
    });
    assert_eq!(count, 0, "{}", memory.explain(&ramp::call(100_000, 1)));
    assert!(found == expected);
    assert_eq!((memory.stats().hits(), memory.stats().misses(), memory.stats().faults()), (4, 0, 0));
    let counts = memory.stats().by_tier()[&proxy.place()].clone();
    assert_eq!((counts.asked, counts.hits, counts.absent), (4, 4, 0));
    // The saved time is what computing took, less what fetching took.
    assert!(counts.saved > Duration::ZERO && counts.saved < spent, "{counts:?}, {spent:?}");
    let json = serde_json::to_value(memory.stats()).unwrap();
    assert!(json["tiers"][proxy.place()]["saved"]["nanos"].is_u64(), "{json}");
    assert!(memory.stats().to_string().contains("\ntier "), "{}", memory.stats());
    assert_eq!(proxy.count("put") + proxy.count("delete"), 0, "a read-only tier is written to");
    // A small one is one request; a hit none.
    assert_eq!(proxy.count("get .record"), 4);
    proxy.forget();
    let (_, count) = runs(|| memory.eval(ramp::call(100_000, 1)));
    assert_eq!((count, proxy.count("")), (0, 0));
    assert_eq!(memory.entry(&ramp::call(100_000, 1)).unwrap().unwrap().origin(), Some("tier"));
    assert!(memory.verify(ndcache::verify::Repair::No).unwrap().is_intact());
}

#[test]
fn a_cache_folder_that_machines_share_is_a_tier_as_it_is() {
    let (shared, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Memory::builder(shared.path()).readable(true).open().unwrap();
    let expected = first.eval(ramp::call(50_000, 4));
    let tier = Tier::new(Folder::new(shared.path()).unwrap()).share(Share::Any);
    let memory = Memory::builder(own.path()).tier(tier).open().unwrap();
    let (found, count) = runs(|| memory.eval(ramp::call(50_000, 4)));
    assert!(found == expected && count == 0, "{}", memory.explain(&ramp::call(50_000, 4)));
    let mapped = memory.mmap(ramp::call(50_000, 4));
    assert!(mapped == expected);
}

#[test]
fn many_streams_bring_a_large_array_whole() {
    for ranges in [true, false] {
        let mut proxy = Proxy::new();
        proxy.ranges = ranges;
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        #[cache]
        fn large(seed: u64) -> Array1<f64> {
            std::thread::sleep(Duration::from_secs(4));
            Array1::from_shape_fn(6_000_000, |i| (i as u64 ^ seed) as f64)
        }
        let memory = proxy.memory(one.path());
        let expected = memory.eval(large::call(9));
        flush(&memory);
        proxy.forget();
        let memory = proxy.memory(other.path());
        assert!(memory.eval(large::call(9)) == expected);
        assert_eq!(memory.stats().misses(), 0, "{}", memory.explain(&large::call(9)));
        assert_eq!(proxy.count("get .npy"), if ranges { 6 } else { 1 });
    }
}

/// Every fault in every request, once and always: no wrong value, no failed computation, little time, and afterwards all
/// is healed.
#[test]
fn no_fault_of_a_tier_makes_a_wrong_value_and_all_of_them_heal() {
    let requests = ["get .record", "get .npy", "get .msgpack", "get", "put .record", "put .npy", "put", "delete"];
    let plans = FLAWS.iter().flat_map(|&flaw| {
        requests.iter().flat_map(move |&request| [false, true].map(|always| Plan { flaw, request, always }))
    });
    let plans = Mutex::new(plans);
    // These threads wait more than they work.
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while let Some(plan) = { plans.lock().unwrap().next() } {
                    one_fault(plan);
                }
            });
        }
    });
}

fn one_fault(plan: Plan) {
    let proxy = Proxy::new();
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let is_slow = matches!(plan.flaw, Flaw::Stall | Flaw::Drip);
    // The expected values, computed without a cache.
    let expected = (Array1::from_shape_fn(20_000, |i| (i as f64).sin() + 1.0), 21, "line 8999 of 2".to_owned());
    let values = |memory: &Memory| {
        let text = memory.eval(texts::call(9000, 2)).pop().unwrap();
        (memory.eval(ramp::call(20_000, 1)), memory.eval(small::call(7)), text)
    };
    let first = proxy.memory(folders[0].path());
    if plan.request.starts_with("put") || plan.request == "delete" {
        proxy.plan(Some(plan));
        assert!(values(&first) == expected, "{plan:?}");
        let _ = first.flush(Duration::from_millis(if is_slow { 1 } else { 300 })).unwrap();
    } else {
        assert!(values(&first) == expected, "{plan:?}");
        flush(&first);
        proxy.plan(Some(plan));
    }
    drop(first);
    // With the fault.
    let begin = Instant::now();
    let second = proxy.memory(folders[1].path());
    assert!(values(&second) == expected, "{plan:?}");
    assert_eq!(second.stats().faults(), 0, "{plan:?}");
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(10), "{plan:?}: {took:?}");
    let of = |memory: &Memory| memory.stats().by_tier().get(&proxy.place()).map_or(0, |counts| counts.left);
    let mut left = of(&second);
    assert!(second.verify(ndcache::verify::Repair::No).unwrap().is_intact(), "{plan:?}");
    drop(second);
    // Without it: the next process sends what was left, and repairs what was damaged; then a third machine computes
    // nothing.
    proxy.plan(None);
    for folder in &folders[..2] {
        let circuit = std::fs::read_dir(folder.path().join("t")).unwrap().flatten();
        for place in circuit.filter(|entry| entry.path().is_dir()) {
            for queue in std::fs::read_dir(place.path()).unwrap().flatten() {
                let _ = std::fs::remove_file(queue.path().join("circuit"));
            }
        }
        let memory = proxy.memory(folder.path());
        assert!(values(&memory) == expected, "{plan:?}");
        flush(&memory);
    }
    // A machine that finds the damage replaces the object.
    let third = proxy.memory(folders[2].path());
    assert!(values(&third) == expected, "{plan:?}");
    flush(&third);
    left += of(&third);
    drop(third);
    let last = proxy.memory(folders[3].path());
    let (found, count) = runs(|| values(&last));
    // On a busy machine one may take longer to fetch than it took to compute; then nobody looks at what is damaged.
    left += last.stats().by_tier()[&proxy.place()].left;
    assert!(
        found == expected && (count == 0 || left > 0),
        "{plan:?}: {count} computations, {:?}",
        last.stats().by_tier()
    );
}

#[test]
fn a_server_that_is_away_costs_one_deadline_and_its_calls_none_afterwards() {
    let proxy = Proxy::new();
    let folder = tempfile::tempdir().unwrap();
    proxy.plan(Some(Plan { flaw: Flaw::Stall, request: "get .record", always: true }));
    let begin = Instant::now();
    let memory = proxy.open(folder.path(), Access::ReadOnly);
    for n in 0..20 {
        assert_eq!(memory.eval(small::call(n)), n * 3);
    }
    let computing = Duration::from_millis(20 * 170);
    assert!(begin.elapsed() < computing + Duration::from_millis(3500), "{:?}", begin.elapsed());
    drop(memory);
    // Another process knows.
    let begin = Instant::now();
    let memory = proxy.open(folder.path(), Access::ReadOnly);
    assert_eq!(memory.eval(small::call(100)), 300);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn a_function_that_is_faster_than_the_tier_is_soon_not_asked_for() {
    #[cache]
    fn quick(n: u64) -> u64 {
        n + 1
    }
    let mut proxy = Proxy::new();
    proxy.latency = Duration::from_millis(30);
    let folder = tempfile::tempdir().unwrap();
    let memory = proxy.open(folder.path(), Access::ReadOnly);
    proxy.forget();
    for n in 0..1000 {
        memory.eval(quick::call(n));
    }
    assert!(proxy.count("get") <= 20, "{} requests", proxy.count("get"));
}

#[test]
fn what_takes_longer_to_fetch_than_to_compute_is_computed() {
    #[cache]
    fn blank(n: usize) -> Array1<f64> {
        Array1::zeros(n)
    }
    let mut proxy = Proxy::new();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let memory = proxy.memory(one.path());
    memory.eval(blank::call(6_000_000));
    flush(&memory);
    proxy.speed = Some(60e6);
    let memory = proxy.memory(other.path());
    memory.eval(blank::call(6_000_000));
    assert_eq!(memory.stats().misses(), 1);
    assert_eq!(memory.stats().by_tier()[&proxy.place()].left, 1);
}

#[test]
fn what_lies_in_another_share_or_of_another_function_is_not_found() {
    let proxy = Proxy::new();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tier = || Tier::new(proxy.clone()).access(Access::ReadWrite);
    let memory = Memory::builder(one.path()).tier(tier().share(Share::Named("zen4"))).open().unwrap();
    memory.eval(small::call(5));
    flush(&memory);
    assert!(proxy.objects.names().iter().all(|name| name.starts_with("zen4/f/")), "{:?}", proxy.objects.names());
    let memory = Memory::builder(other.path()).tier(tier()).open().unwrap();
    let (_, count) = runs(|| memory.eval(small::call(5)));
    assert_eq!(count, 1);
    // A record that lies under another's name is of no use there.
    let names = proxy.objects.names();
    let mut record = Vec::new();
    let until = Deadline::after(Duration::from_secs(9));
    let get = ndcache::tier::Get::new(&names[0], 1 << 20, until);
    proxy.objects.get(&get, &mut record).unwrap();
    let key = |n: u64| memory.entry(&small::call(n)).unwrap().map(|entry| entry.key().to_string());
    memory.eval(small::call(6));
    let (five, six) = (key(5).unwrap(), key(6).unwrap());
    let moved = names[0].replace(&five, &six).replace(&format!("/{}/", &five[..2]), &format!("/{}/", &six[..2]));
    proxy.objects.put(&Put::new(&moved, until), &record).unwrap();
    let third = tempfile::tempdir().unwrap();
    let memory = Memory::builder(third.path()).tier(tier().share(Share::Named("zen4"))).open().unwrap();
    assert_eq!(memory.eval(small::call(6)), 18);
    assert_eq!(memory.stats().by_tier()[&proxy.place()].damaged, 1);
}

#[test]
fn shares_have_names_that_can_stand_beside_others() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", "f", "t", "a/b", "..", ".x", "deny", "ü"] {
        let tier = Tier::new(Proxy::new()).share(Share::Named(name));
        let error = Memory::builder(folder.path()).tier(tier).open().unwrap_err();
        assert!(error.to_string().contains("share"), "{error}");
    }
}

/// Run by the test below, in a process of its own.
#[test]
fn fetched_with_a_word() {
    let Some(folder) = std::env::var_os("NDCACHE_TEST_FETCHED") else { return };
    let memory = Memory::builder(folder).env().verbose(1).open().unwrap();
    memory.eval(ramp::call(10_000, 21));
    memory.eval(ramp::call(10_000, 22));
}

#[test]
fn a_fetched_result_is_told_as_fetched() {
    let (team, other, third) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Memory::open(team.path()).unwrap().eval(ramp::call(10_000, 21));
    let tier = Tier::new(Folder::new(team.path()).unwrap()).share(Share::Any);
    let memory = Memory::builder(other.path()).tier(tier).open().unwrap();
    memory.eval(ramp::call(10_000, 21));
    memory.eval(ramp::call(10_000, 21));
    let counts = memory.stats().by_function()[ramp::function().path()];
    assert_eq!((counts.fetched, counts.hits, counts.misses), (1, 2, 0));
    let told = memory.explain(&ramp::call(10_000, 21)).to_string();
    assert!(told.starts_with("hit (tiers: ") && told.ends_with(": it came from there)"), "{told}");
    drop(memory);
    let memory = Memory::open(other.path()).unwrap();
    assert_eq!(memory.explain(&ramp::call(10_000, 21)).to_string(), "hit (tiers: it came from one)");
    let total = memory.history(None).unwrap().total();
    assert_eq!((total.fetched, total.hits, total.misses), (1, 1, 0));
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tiers::reading::fetched_with_a_word", "--nocapture"]);
    command
        .env("NDCACHE_TEST_FETCHED", third.path())
        .env("NDCACHE_REMOTE", team.path())
        .env("NDCACHE_REMOTE_SHARE", "any");
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    let place = team.path().display();
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("ndcache: ")).collect();
    assert!(
        lines.len() == 2 && lines[0].contains(" fetched in ") && lines[0].ends_with(&format!(" from {place}")),
        "{said}"
    );
    let answer = format!(" (tiers: {place}: it doesn't have it)");
    assert!(lines[1].contains(" computed in ") && lines[1].ends_with(&answer), "{said}");
}

/// The array was asked for if earlier answers had come soon, and by the first call of a process.
#[test]
fn a_place_that_answers_late_is_asked_for_no_array() {
    let mut proxy = Proxy::new();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let memory = proxy.memory(one.path());
    memory.eval(ramp::call(10_000, 31));
    memory.eval(ramp::call(10_000, 32));
    flush(&memory);
    proxy.latency = Duration::from_millis(400);
    for seed in [31, 32] {
        proxy.forget();
        // A new memory stands for another process.
        let memory = proxy.open(other.path(), Access::ReadOnly);
        let ((), count) = runs(|| drop(memory.eval(ramp::call(10_000, seed))));
        assert_eq!((count, proxy.count("get .npy")), (1, 0), "{seed}");
    }
}

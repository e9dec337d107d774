use crate::digest::{ArrayMeta, Order};
use crate::entry::read::arrays::READ_RATHER;
use crate::memo::handles::BYTES;
use crate::memo::table::*;
use crate::memory::{Engine, Memory};
use crate::record::ArrayRecord;
use crate::store::Stat;

#[ndcache::cache]
fn double(n: u64) -> u64 {
    2 * n
}

fn stored() -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    memory.try_eval(double::call(1)).unwrap();
    (folder, memory)
}

fn engine(memory: &Memory) -> &Engine {
    memory.0.as_ref().unwrap()
}

fn site(memory: &Memory) -> Site {
    engine(memory).site(&double::call(1)).unwrap()
}

fn path() -> &'static str {
    double::function().path()
}

fn memo_key(n: u64) -> Digest {
    Digest::of(&n.to_le_bytes())
}

#[test]
fn a_table_stays_within_its_bound_and_keeps_what_is_used() {
    let (_folder, memory) = stored();
    let engine = engine(&memory);
    let handle = engine.memo.look_up(&site(&memory), path(), None).ok().unwrap();
    let long = vec![0; 100_000];
    for n in 0..40_000 {
        let mut record = handle.memo_entry.found.record.clone();
        if n % 100 == 0 {
            record.value.clone_from(&long);
        }
        let FoundEntry { stat, length, used, .. } = handle.memo_entry.found;
        let memo_entry = MemoEntry {
            found: FoundEntry { record, stat, length, used },
            generation: 0,
            settled: true,
            checked: AtomicU64::new(clock::now()),
            stamp_due: AtomicU64::new(0),
            again: AtomicBool::new(false),
            arrays: Arc::default(),
        };
        engine
            .memo
            .table
            .keep(memo_key(n), Arc::new(MemoHandle { memo_entry: Arc::new(memo_entry), tally: Arc::default() }));
        assert!(engine.memo.table.get(memo_key(0)).is_some(), "asked for at each step, and gone after {n}");
    }
    let handles = spin(&engine.memo.table.stripes[stripe()].0).unwrap();
    let (weight, most) =
        (handles.all().map(|handle| handle.memo_entry.weight()).sum::<u64>(), BYTES + handle.memo_entry.weight());
    assert!(weight <= most, "{weight} bytes, expected at most {most}");
    assert!(weight > BYTES / 2, "{weight} bytes are few");
}

#[test]
fn what_is_longer_than_a_table_is_not_kept_though_it_came_last() {
    let (_folder, memory) = stored();
    let engine = engine(&memory);
    let handle = engine.memo.look_up(&site(&memory), path(), None).ok().unwrap();
    let with_arrays = |count: u64| {
        let mut found = handle.memo_entry.found.clone();
        let meta = ArrayMeta { descr: "|u1".into(), shape: vec![READ_RATHER], order: Order::C, itemsize: None };
        let (digest, length) = (memo_key(0), READ_RATHER + 128);
        let array = ArrayRecord { file: "x.npy".into(), meta, offset: 128, length, digest, codec: "npy".into() };
        found.record.arrays = vec![array; count as usize];
        let memo_entry = MemoEntry {
            generation: 0,
            settled: true,
            checked: AtomicU64::new(clock::now()),
            stamp_due: AtomicU64::new(0),
            again: AtomicBool::new(true),
            arrays: no_arrays(&found.record),
            found,
        };
        Arc::new(MemoHandle { memo_entry: Arc::new(memo_entry), tally: Arc::default() })
    };
    for (count, kept) in [(1, true), (1000, false), (2, true)] {
        engine.memo.table.keep(memo_key(9), with_arrays(count));
        assert_eq!(engine.memo.table.get(memo_key(9)).is_some(), kept, "{count} arrays");
        let handles = spin(&engine.memo.table.stripes[stripe()].0).unwrap();
        assert!(handles.all().map(|handle| handle.memo_entry.weight()).sum::<u64>() <= BYTES, "{count} arrays");
    }
}

#[test]
fn what_was_read_before_a_change_is_not_used_after_it() {
    let (_folder, memory) = stored();
    let (engine, site) = (engine(&memory), site(&memory));
    let read = engine.memo.look_up(&site, path(), None).ok().unwrap();
    assert!(engine.memo.remembered(&site, path()).is_ok());
    engine.memo.table.forget(site.key());
    // Kept by a thread that had read it earlier.
    engine.memo.table.keep(site.memo_key(), Arc::clone(&read));
    assert!(engine.memo.remembered(&site, path()).is_err());
    assert!(engine.memo.look_up(&site, path(), None).is_ok());
    assert!(engine.memo.remembered(&site, path()).is_ok());
    engine.memo.table.clear();
    engine.memo.table.keep(site.memo_key(), read);
    assert!(engine.memo.remembered(&site, path()).is_err());
}

#[test]
fn nobody_waits_for_a_stripe_that_is_held() {
    // As in a forked child, whose parent had another thread that held them.
    let (_folder, memory) = stored();
    memory.eval(double::call(1));
    let engine = engine(&memory);
    let held: Vec<_> = engine.memo.table.stripes.iter().map(|stripe| stripe.0.lock().unwrap()).collect();
    assert_eq!(memory.eval(double::call(1)), 2);
    assert_eq!(memory.eval(double::call(2)), 4);
    assert!(memory.remove(&double::call(1)).unwrap());
    assert_eq!(memory.stats().misses(), 2);
    drop(held);
    assert_eq!(memory.eval(double::call(1)), 2);
    assert_eq!(memory.stats().misses(), 3, "it was forgotten all the same");
}

#[test]
fn threads_share_what_they_found() {
    let (_folder, memory) = stored();
    let (engine, site) = (engine(&memory), site(&memory));
    let mine = engine.memo.look_up(&site, path(), None).ok().unwrap();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| engine.memo.remembered(&site, path()).ok().unwrap().0).join().unwrap();
        assert!(Arc::ptr_eq(&mine.memo_entry, &other.memo_entry), "read once");
        assert!(!Arc::ptr_eq(&mine, &other), "no reference count in common");
        assert!(!Arc::ptr_eq(&mine.tally, &other.tally), "no counter in common");
    });
}

#[test]
fn a_state_is_trusted_only_once_it_is_old_enough() {
    let (_folder, memory) = stored();
    let (engine, site) = (engine(&memory), site(&memory));
    assert!(!engine.memo.look_up(&site, path(), None).ok().unwrap().memo_entry.settled);
    let found = engine.archive.find(&site, path()).ok().unwrap();
    let changed = found.stat.changed;
    let after = |age| Before { generation: 0, now: 0, time: changed + age };
    assert!(!after(SETTLED / 2).is_settled(&found));
    assert!(after(SETTLED).is_settled(&found));
    let touched = FoundEntry { stat: Stat { modified: found.stat.changed + SETTLED, ..found.stat }, ..found };
    assert!(!after(SETTLED).is_settled(&touched));
}

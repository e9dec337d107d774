//! What a thread remembers of small results that it hits again and again: bytes that no other thread sees, so that such
//! a hit takes no lock, counts no reference and hashes nothing.
//!
//! It is a copy of what the memory's table holds, good as long as that: until somebody raises the key's generation, or
//! the time comes to look at the file.

use std::cell::RefCell;
use std::sync::Arc;

use crate::digest::PlainKey;
use crate::key::Key;
use crate::memo::clock;
use crate::memo::entry::{MemoEntry, MemoHandle};
use crate::memo::table::Memo;
use crate::payload::Reader;
use crate::stats::counts::Tally;

/// How many calls a thread carries at most, each at the place that its bytes lead to; about 10 KiB a thread.
const PLACES: usize = 64;

/// The longest value that is carried, in bytes.
const VALUE: usize = 32;

thread_local! {
    /// Empty until something is carried.
    static THREAD_MEMO: RefCell<Vec<Option<Carried>>> = const { RefCell::new(Vec::new()) };
}

/// A result without arrays, as it was found.
struct Carried {
    /// The table of the memory.
    table: u64,
    call: PlainKey,
    key: Key,
    generation: u64,
    until: u64,
    tally: Arc<Tally>,
    value: [u8; VALUE],
    len: usize,
}

impl Memo {
    /// What `load` makes of the value that this thread carries for `call`, which counts as a hit then.
    #[inline]
    pub(crate) fn carried<T>(&self, call: &PlainKey, load: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> Option<T> {
        let found = THREAD_MEMO.try_with(|memo| {
            // A type that calls a cached function while it is loaded finds the thread memo in use.
            let memo = memo.try_borrow().ok()?;
            let carried = memo.get(place(call))?.as_ref().filter(|carried| carried.is(call, self))?;
            let mut reader = Reader::of_plain(carried.value.get(..carried.len)?);
            let value = load(&mut reader)?;
            reader.finish().ok()?;
            carried.tally.hit();
            Some(value)
        });
        found.ok().flatten()
    }

    /// Takes along what `call` has hit, if it is small.
    pub(crate) fn carry(&self, call: PlainKey, handle: &MemoHandle) {
        let Some(carried) = Carried::of(self.table.id(), call, handle) else { return };
        // `try_with`: a cached function may run in the destructor of another thread local.
        let _ = THREAD_MEMO.try_with(|memo| {
            if let Ok(mut memo) = memo.try_borrow_mut() {
                memo.resize_with(PLACES, || None);
                memo[place(&call)] = Some(carried);
            }
        });
    }
}

impl Carried {
    fn of(table: u64, call: PlainKey, handle: &MemoHandle) -> Option<Self> {
        let memo_entry: &MemoEntry = &handle.memo_entry;
        let record = &memo_entry.found.record;
        if !record.arrays.is_empty() || record.expires.is_some() {
            return None;
        }
        let (mut value, len) = ([0; VALUE], record.value.len());
        value.get_mut(..len)?.copy_from_slice(&record.value);
        let (key, generation, until, tally) =
            (memo_entry.key(), memo_entry.generation(), memo_entry.good_until(), Arc::clone(&handle.tally));
        Some(Self { table, call, key, generation, until, tally, value, len })
    }

    /// Whether it is the result of `call` in this memory, and nothing has changed since.
    #[inline]
    fn is(&self, call: &PlainKey, memo: &Memo) -> bool {
        self.call == *call
            && self.table == memo.table.id()
            && self.generation == memo.table.generation(self.key)
            && clock::now() < self.until
    }
}

#[inline]
fn place(call: &PlainKey) -> usize {
    (call.spread() % PLACES as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicU64, Ordering};

    use serde::{Deserialize, Deserializer, Serialize};

    use crate::memory::Memory;

    /// Another one each time that it is computed.
    fn next() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    #[ndcache::cache]
    fn number(_n: u64) -> u64 {
        next()
    }

    #[ndcache::cache]
    fn text(_length: usize) -> String {
        format!("{:_<40}", next())
    }

    fn opened() -> (tempfile::TempDir, Memory) {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        (folder, memory)
    }

    /// Whether a hit needs neither the table nor the disk.
    fn is_carried<T: PartialEq>(memory: &Memory, hit: impl Fn() -> T) -> bool {
        let value = hit();
        (0..3).for_each(|_| assert!(hit() == value));
        let _held = memory.0.as_ref().unwrap().memo.table.held();
        memory.0.as_ref().unwrap().archive.disk.remove_tree("f").unwrap();
        hit() == value
    }

    #[test]
    fn numbers_are_carried_and_what_is_long_is_not() {
        let (_folder, memory) = opened();
        assert!(is_carried(&memory, || memory.eval(number::call(1))));
        assert!(!is_carried(&memory, || memory.eval(text::call(1))));
        let (_folder, memory) = opened();
        let elsewhere = || std::thread::scope(|scope| scope.spawn(|| memory.eval(number::call(1))).join().unwrap());
        assert!(!is_carried(&memory, elsewhere), "each thread has a memo of its own");
    }

    #[test]
    fn what_is_validated_or_expires_is_not_carried() {
        let open = |build: fn(crate::MemoryBuilder) -> crate::MemoryBuilder| {
            let folder = tempfile::tempdir().unwrap();
            let memory = build(Memory::builder(folder.path())).open().unwrap();
            (folder, memory)
        };
        for (carried, build) in [
            (true, (|builder| builder) as fn(crate::MemoryBuilder) -> crate::MemoryBuilder),
            (false, |builder| builder.validate(|_: &crate::Entry| true)),
            (false, |builder| builder.expires(std::time::Duration::from_secs(60))),
        ] {
            let (_folder, memory) = open(build);
            assert_eq!(is_carried(&memory, || memory.eval(number::call(1))), carried);
        }
    }

    #[test]
    fn memories_do_not_share_what_is_carried() {
        let memories: Vec<_> = (0..3).map(|_| opened()).collect();
        let hits = || -> Vec<u64> { memories.iter().map(|(_, memory)| memory.eval(number::call(1))).collect() };
        let values = hits();
        assert!(values[0] != values[1] && values[1] != values[2]);
        (0..5).for_each(|_| assert_eq!(hits(), values));
        drop(memories);
        let (_folder, memory) = opened();
        assert!(!values.contains(&memory.eval(number::call(1))));
    }

    #[test]
    fn more_calls_than_places_are_all_hit() {
        let (_folder, memory) = opened();
        let hits = || -> Vec<u64> { (0..300).map(|n| memory.eval(number::call(n))).collect() };
        let values = hits();
        (0..4).for_each(|_| assert_eq!(hits(), values));
        assert_eq!((memory.stats().hits(), memory.stats().misses()), (1200, 300));
    }

    thread_local! {
        static MEMORY: Cell<Option<Memory>> = const { Cell::new(None) };
    }

    /// Calls a cached function while it is loaded.
    #[derive(Serialize)]
    struct Curious(u64);

    impl<'de> Deserialize<'de> for Curious {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = u64::deserialize(deserializer)?;
            if let Some(memory) = MEMORY.take() {
                (0..3).for_each(|_| assert!(memory.eval(number::call(value)) < u64::MAX));
                MEMORY.set(Some(memory));
            }
            Ok(Self(value))
        }
    }

    #[ndcache::cache]
    fn curious(n: u64) -> Curious {
        Curious(n)
    }

    #[test]
    fn a_type_may_call_cached_functions_while_it_is_loaded() {
        let (_folder, memory) = opened();
        for _ in 0..4 {
            assert_eq!(memory.eval(curious::call(7)).0, 7);
        }
        MEMORY.set(Some(memory.clone()));
        let before = memory.stats();
        for _ in 0..4 {
            assert_eq!(memory.eval(curious::call(7)).0, 7);
        }
        let now = memory.stats();
        // Only the first of the cached calls inside misses.
        assert_eq!((now.hits() - before.hits(), now.misses() - before.misses()), (4 + 11, 1));
        MEMORY.take();
    }
}

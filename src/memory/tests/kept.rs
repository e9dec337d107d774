//! What a memory keeps of the calls that it has computed, as long as it lives.

use crate::{Memory, Mode};

#[ndcache::cache]
fn successor(n: u32) -> u32 {
    n + 1
}

#[test]
fn keys_are_kept_only_where_each_is_to_be_computed_once() {
    let folder = tempfile::tempdir().unwrap();
    for (mode, kept) in [(Mode::ReadWrite, 0), (Mode::Refresh, 50)] {
        let memory = Memory::builder(folder.path()).mode(mode).open().unwrap();
        for n in (0..50).chain(0..50) {
            assert_eq!(memory.eval(successor::call(n)), n + 1);
        }
        let engine = memory.0.as_ref().unwrap();
        assert_eq!((engine.refreshed.lock().len(), memory.stats().misses()), (kept, 50), "{mode}");
    }
}

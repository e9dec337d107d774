//! Others that come between two operations on files.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;

use crate::error::{ErrorKind, Result};
use crate::memory::Memory;
use crate::results::shelve::{Referent, Shelved};
use crate::store::set_between;

/// The argument is no part of the key.
#[ndcache::cache(ignore(content))]
fn counted(content: u64) -> u64 {
    content
}

thread_local! {
    static MEMORY: RefCell<Option<Memory>> = const { RefCell::new(None) };
    static RECORD: RefCell<PathBuf> = const { RefCell::new(PathBuf::new()) };
    /// How many operations are still to come before the other content does.
    static LEFT: Cell<usize> = const { Cell::new(0) };
    /// After how many operations the entry was there.
    static STANDS: Cell<usize> = const { Cell::new(0) };
}

/// Where the entry's record lies.
fn record(memory: &Memory, shelved: &Shelved<u64>) -> PathBuf {
    let Referent::Entry(entry) = &shelved.reference.referent else { panic!("{shelved} isn't stored") };
    memory.location().unwrap().join(shelved.reference.site(entry).record())
}

fn publish() {
    match LEFT.get() {
        0 => {
            set_between(None);
            MEMORY.with_borrow(|memory| memory.as_ref().unwrap().refresh(counted::call(2)));
        }
        left => LEFT.set(left - 1),
    }
}

fn count() {
    LEFT.set(LEFT.get() + 1);
    if RECORD.with_borrow(|record| record.exists()) {
        STANDS.set(LEFT.get());
    }
}

/// Removes a shelved result of content 1 while `between` comes between any two operations, and says what came of it.
fn removed(between: fn()) -> (Result<bool>, Memory, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    let shelved = memory.shelve(counted::call(1)).unwrap();
    MEMORY.set(Some(Memory::open(folder.path()).unwrap()));
    RECORD.set(record(&memory, &shelved));
    set_between(Some(between));
    let removed = shelved.remove(&memory);
    set_between(None);
    (removed, memory, folder)
}

#[test]
fn a_content_that_is_published_while_another_is_removed_stays() {
    LEFT.set(0);
    assert!(removed(count).0.unwrap());
    // The last of these is that of the removal itself.
    let looks = STANDS.get() - 1;
    assert!(looks > 2, "it looked only {looks} times");
    for look in 0..looks {
        LEFT.set(look);
        let (removed, memory, _folder) = removed(publish);
        let kind = removed.as_ref().map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::Changed), "after {look} of {looks}");
        assert!(memory.contains(&counted::call(0)), "after {look} of {looks}");
        assert_eq!(memory.eval(counted::call(0)), 2);
    }
}

#[test]
fn a_damaged_entry_goes_whatever_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    let shelved = memory.shelve(counted::call(1)).unwrap();
    memory.refresh(counted::call(2));
    assert_eq!(shelved.remove(&memory).unwrap_err().kind(), ErrorKind::Changed);
    let record = record(&memory, &shelved);
    std::fs::remove_file(&record).unwrap();
    std::fs::write(&record, b"not a record").unwrap();
    assert_eq!(shelved.load(&memory).unwrap_err().kind(), ErrorKind::Damaged);
    assert!(shelved.remove(&memory).unwrap() && !record.exists());
    assert!(!shelved.remove(&memory).unwrap());
}

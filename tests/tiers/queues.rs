//! What waits to be sent: it goes to its own place alone, and only what is this user's.

use std::os::unix::fs::chown;
use std::thread;
use std::time::Duration;

use ndarray::Array1;
use ndcache::tier::{Access, Backend, Deadline, Filter, Get, Put, Share, Tier};
use ndcache::{Memory, cache};
use tempfile::TempDir;

use super::proxy::{Flaw, Plan, Proxy};
use super::writing::let_ten_minutes_pass;
use crate::support::{files, skip};

#[cache]
fn steps(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

const N: usize = 5000;

/// A folder in which a result waits to be sent to a place that takes nothing.
fn waiting(proxy: &Proxy) -> TempDir {
    let folder = TempDir::new().unwrap();
    proxy.plan(Some(Plan { flaw: Flaw::Busy, request: "put", always: true }));
    let memory = proxy.memory(folder.path());
    memory.eval(steps::call(N));
    assert_eq!(memory.flush(Duration::from_millis(10)).unwrap().left, 1);
    drop(memory);
    proxy.plan(None);
    proxy.forget();
    assert!(proxy.objects.names().is_empty());
    folder
}

fn flush(memory: &Memory) -> u64 {
    let flushed = memory.flush(Duration::from_secs(60)).unwrap();
    assert_eq!((flushed.left, flushed.failed), (0, 0), "{flushed:?}");
    flushed.uploaded
}

#[test]
fn what_another_user_has_stored_is_not_sent() {
    if !rustix::process::geteuid().is_root() && skip("root, to give files away") {
        return;
    }
    let proxy = Proxy::new();
    let folder = waiting(&proxy);
    chown(files(folder.path(), ".record").remove(0), Some(54_321), Some(54_321)).unwrap();
    let memory = proxy.memory(folder.path());
    assert_eq!(flush(&memory), 0);
    let pushed = memory.push(&Filter::default()).unwrap();
    assert_eq!((pushed.moved, pushed.skipped, proxy.count("put")), (0, 1, 0));
    // The same record is pushed once it is the user's own.
    chown(files(folder.path(), ".record").remove(0), Some(0), Some(0)).unwrap();
    assert_eq!(memory.push(&Filter::default()).unwrap().moved, 1);
}

#[test]
fn what_waits_for_one_place_goes_to_no_other_one_and_to_no_other_share() {
    let (proxy, other) = (Proxy::new(), Proxy::new());
    let folder = waiting(&proxy);
    let memory = other.memory(folder.path());
    assert_eq!((flush(&memory), memory.queued_elsewhere()), (0, 1));
    let tier = Tier::new(proxy.clone()).access(Access::ReadWrite).share(Share::Named("another"));
    let of_share = Memory::builder(folder.path()).tier(tier).open().unwrap();
    assert_eq!((flush(&of_share), of_share.queued_elsewhere()), (0, 1));
    assert_eq!(proxy.count("put") + other.count("put"), 0);
    drop((memory, of_share));
    assert_eq!(flush(&proxy.memory(folder.path())), 1);
    assert_eq!((proxy.objects.names().len(), other.objects.names().len()), (2, 0));
}

/// A flush that finds a result taken by another thread or process waits until the result is in the tier.
#[test]
fn a_flush_ends_when_what_others_send_is_there() {
    let mut proxy = Proxy::new();
    proxy.latency = Duration::from_millis(30);
    let folder = tempfile::tempdir().unwrap();
    for round in 0..10 {
        let memory = proxy.memory(folder.path());
        memory.eval(steps::call(N + round));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let flushed = memory.flush(Duration::from_secs(60)).unwrap();
                    let there = proxy.objects.names().iter().filter(|name| name.ends_with(".record")).count();
                    assert_eq!((flushed.left, there), (0, round + 1), "{flushed:?}");
                });
            }
        });
    }
}

/// A flush counted what it had sent itself, and not what the memory's own thread had.
#[test]
fn a_flush_counts_what_has_gone_since_the_last_one_whoever_sent_it() {
    let (proxy, folder) = (Proxy::new(), TempDir::new().unwrap());
    let memory = proxy.memory(folder.path());
    (0..3).for_each(|n| drop(memory.eval(steps::call(N + n))));
    let are_there = || proxy.objects.names().iter().filter(|name| name.ends_with(".record")).count() == 3;
    assert!((0..3000).any(|_| {
        thread::sleep(Duration::from_millis(20));
        are_there()
    }));
    assert_eq!([flush(&memory), flush(&memory)], [3, 0]);
}

/// Each purge has read the list before the other one wrote it, so one of two lines is lost.
#[test]
fn a_purge_that_another_one_has_overwritten_is_put_back_with_the_next_renewal() {
    let proxy = Proxy::new();
    let (folder, third) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let memory = proxy.memory(folder.path());
    Memory::open(third.path()).unwrap().eval(steps::call(N));
    memory.purge(&Filter { function: Some(steps::function().path().to_owned()), ..Filter::default() }).unwrap();
    put_purges(&proxy, b"1 ffffffffffffffffffffffffffffffff\n");
    drop(memory);
    let_ten_minutes_pass(folder.path());
    drop(proxy.memory(folder.path()));
    let memory = proxy.memory(third.path());
    assert!(!memory.contains(&steps::call(N)));
    assert_eq!(files(third.path(), ".record").len(), 0);
}

/// A list of purges of that many lines of 53 bytes each.
fn list_of_purges(lines: u64) -> Vec<u8> {
    (0..lines).flat_map(|n| format!("{} {n:032x}\n", 1_700_000_000_000_000_000_u64 + n).into_bytes()).collect()
}

/// A place that has a result and this list of purges, and the memory from which it has the result.
fn purged(list: &[u8]) -> (Proxy, TempDir, Memory) {
    let (proxy, folder) = (Proxy::new(), TempDir::new().unwrap());
    let memory = proxy.memory(folder.path());
    memory.eval(steps::call(N));
    flush(&memory);
    put_purges(&proxy, list);
    (proxy, folder, memory)
}

fn put_purges(proxy: &Proxy, list: &[u8]) {
    proxy.objects.put(&Put::new("deny", until()), &list.to_vec()).unwrap();
}

fn until() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

#[test]
fn a_list_of_purges_never_grows_longer_than_can_be_read() {
    let full = list_of_purges((4 << 20) / 53);
    let (proxy, _folder, memory) = purged(&full);
    // The purge needs one line for each result, and the list has room for none.
    let since = Some(std::time::UNIX_EPOCH);
    let error = memory.purge(&Filter { since, ..Filter::default() }).unwrap_err().to_string();
    assert!(error.contains("longer than 4194304 bytes; purge functions as a whole"), "{error}");
    let mut list = Vec::new();
    proxy.objects.get(&Get::new("deny", 8 << 20, until()), &mut list).unwrap();
    assert_eq!(list.len(), full.len());
    let other = TempDir::new().unwrap();
    assert_eq!(proxy.memory(other.path()).lift_purge(Some(&format!("{:032x}", 7))).unwrap(), 1, "it can be read");
}

#[test]
fn nothing_is_fetched_while_a_list_of_purges_is_too_long_to_be_read() {
    let (proxy, ..) = purged(&list_of_purges((4 << 20) / 50));
    let other = TempDir::new().unwrap();
    let machine = proxy.memory(other.path());
    assert_eq!(machine.pull(&Filter::default()).unwrap().moved, 0);
    put_purges(&proxy, b"");
    assert_eq!(proxy.memory(other.path()).pull(&Filter::default()).unwrap().moved, 1);
}

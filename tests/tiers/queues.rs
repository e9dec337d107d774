//! What waits to be sent: it goes to its own place alone, and only what is this user's.

use std::os::unix::fs::chown;
use std::time::Duration;

use ndarray::Array1;
use ndcache::tier::{Access, Filter, Share, Tier};
use ndcache::{Memory, cache};
use tempfile::TempDir;

use super::proxy::{Flaw, Plan, Proxy};
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
    // The same one, were it one's own.
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

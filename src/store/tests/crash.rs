//! The promise of the room: an old entry, a new entry or garbage, whenever the process dies.
//!
//! `strace` kills a child of this test at the first, second, … call of each system call that a put makes, until the
//! child survives; after each death the cache is looked at as the next process would. Without `strace` (or the right
//! to trace) nothing is tested, and the reason is printed.

use super::*;

const CHILD: &str = "NDCACHE_TEST_CRASH";
const NAME: &str = "store::tests::crash::a_killed_put_leaves_the_old_entry_or_the_new_one";

/// The calls of a put, with the durability that makes the most of them.
const CALLS: [&str; 8] = ["openat2", "openat", "mkdirat", "fallocate", "write", "writev", "fsync", "renameat"];

/// A record names its array, as entries do, so that a new record without its whole array would show.
fn publish(disk: &Disk, generation: u8, durability: Durability) {
    let array = format!("f/a/ab/{generation}.npy");
    let mut blob = disk.create(&array, 4096).unwrap();
    blob.write_both(&[generation; 128], &[generation; 1920]).unwrap();
    blob.write_all(&[generation; 2048]).unwrap();
    blob.finish(durability).unwrap();
    disk.replace("f/a/ab/x.record", &[generation; 600], durability).unwrap();
}

/// The generation of the entry; panics if it is half of one.
fn check(disk: &Disk) -> Option<u8> {
    let record = get(disk, "f/a/ab/x.record")?;
    assert_eq!(record, [record[0]; 600]);
    let array = get(disk, &format!("f/a/ab/{}.npy", record[0])).expect("a record's array is there");
    assert_eq!(array, [record[0]; 4096]);
    Some(record[0])
}

/// Kills a child at call number `count` of `call`; `None` if tracing isn't possible, else whether it died.
fn kill_at(call: &str, count: u32, cache: &Path) -> Option<bool> {
    let inject = format!("inject={call}:signal=SIGKILL:when={count}");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    strace.arg(std::env::current_exe().unwrap()).args(["--exact", NAME, "--test-threads=1"]).env(CHILD, cache);
    let done = match strace.output() {
        Ok(done) => done,
        Err(error) => {
            eprintln!("skipped: `strace` can't be run: {error}");
            return None;
        }
    };
    if done.status.success() {
        assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"), "{done:?}");
        return Some(false);
    }
    // strace ends as its child did; when it ends by itself, it was not allowed to trace.
    if done.status.code().is_some_and(|code| code != 137) {
        eprintln!("skipped: {}", String::from_utf8_lossy(&done.stderr));
        return None;
    }
    Some(true)
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_put_leaves_the_old_entry_or_the_new_one() {
    if let Some(cache) = std::env::var_os(CHILD) {
        return publish(&Disk::open(Path::new(&cache)).unwrap(), 2, Durability::Full);
    }
    let mut seen = [0; 3];
    for (call, old) in CALLS.into_iter().flat_map(|call| [(call, false), (call, true)]) {
        for count in 1.. {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("cache");
            if old {
                publish(&Disk::open(&path).unwrap(), 1, Durability::Buffered);
            }
            let Some(died) = kill_at(call, count, &path) else { return };
            let disk = Disk::open(&path).unwrap();
            let found = check(&disk);
            assert!(found.is_some() || !old, "{call} {count} lost the old entry");
            assert!(died || found == Some(2), "{call} {count}");
            seen[usize::from(found.unwrap_or(0))] += 1;
            // Whatever a crash has left, the next put goes through.
            publish(&disk, 3, Durability::Buffered);
            assert_eq!(check(&disk), Some(3));
            if !died {
                break;
            }
        }
    }
    assert!(seen.iter().all(|&times| times > 5), "deaths before, with and after an entry: {seen:?}");
}

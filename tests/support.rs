//! What several modules of these tests need.

pub(crate) mod fork;
pub(crate) mod fuzz;
mod mount;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use ndcache::Memory;
use tempfile::TempDir;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::filter::LevelFilter;

pub(crate) use mount::Mount;

/// A memory in a folder of its own, which goes with the first value.
pub(crate) fn fresh() -> (TempDir, Memory) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = Memory::open(folder.path()).expect("a memory in it");
    (folder, memory)
}

/// Every file below `folder`, with its inode, length, times and mode: what a reader must not change.
pub(crate) fn snapshot(folder: &Path) -> BTreeMap<String, (u64, u64, i64, i64, u32)> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(&folder).expect("a folder") {
            let path = item.expect("an item").path();
            let stat = fs::symlink_metadata(&path).expect("its state");
            if stat.is_dir() {
                folders.push(path.clone());
            }
            let state = (stat.ino(), stat.len(), stat.mtime(), stat.mtime_nsec(), stat.mode());
            files.insert(path.display().to_string(), state);
        }
    }
    files
}

/// The files below `folder` whose names end in `suffix`, but for those that say what codes are made of.
pub(crate) fn files(folder: &Path, suffix: &str) -> Vec<std::path::PathBuf> {
    let named = |path: &String| path.ends_with(suffix) && !path.contains("/code/");
    snapshot(folder).into_keys().filter(named).map(Into::into).collect()
}

/// Runs the test `name` of this program in another process, with `variables` set; that test does its part only then.
pub(crate) fn child(name: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env("NDCACHE_TEST_CHILD", name);
    command.envs(variables.iter().copied());
    command
}

/// Starts `number` processes of [`child`] at once, and checks that each of them succeeds.
pub(crate) fn children(number: usize, name: &str, variables: &[(&str, &str)]) {
    let children: Vec<_> = (0..number).map(|_| child(name, variables).spawn().expect("a process")).collect();
    children.into_iter().for_each(|mut child| assert!(child.wait().expect("its end").success()));
}

/// The value of `variable` in a process that [`child`] started for the test `name`; `None` in any other.
pub(crate) fn in_child(name: &str, variable: &str) -> Option<String> {
    let mine = std::env::var("NDCACHE_TEST_CHILD").is_ok_and(|child| child == name);
    mine.then(|| std::env::var(variable).expect("set by the parent"))
}

/// Runs `body`, and returns the messages that it logs at `warn`.
pub(crate) fn warnings(body: impl FnOnce()) -> Vec<String> {
    events(LevelFilter::WARN, body)
}

/// Runs `body`, and returns what it logs up to this level, one line each, with all fields.
pub(crate) fn events(level: LevelFilter, body: impl FnOnce()) -> Vec<String> {
    // With a single listener, an event that another thread without one meets first would be off for this one, too.
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    LazyLock::force(&SECOND);
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, body);
    let text = log.0.lock().expect("nobody panicked").clone();
    String::from_utf8(text).expect("text").lines().map(str::to_owned).collect()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether a test that needs `what` may be skipped; prints that it is. In CI it may not.
pub(crate) fn skip(what: &str) -> bool {
    assert!(std::env::var_os("CI").is_none(), "{what} is needed and missing");
    println!("skipped: {what} is missing");
    true
}

/// The record with its format number raised and its trailer mended, by docs/format.md.
pub(crate) fn newer(record: &[u8]) -> Vec<u8> {
    let name = b"\xa6format";
    let at = record.windows(name.len()).position(|window| window == name).expect("the field `format`") + name.len();
    assert_eq!(record[at], 1, "format 1 as MessagePack");
    let mut bytes = record[..record.len() - 16].to_vec();
    bytes[at] = 2;
    sealed(bytes)
}

/// A record without its trailer, and the trailer.
pub(crate) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let trailer = xxhash_rust::xxh3::xxh3_128(&bytes);
    bytes.extend((0..16).rev().map(|i| (trailer >> (8 * i)) as u8));
    bytes
}

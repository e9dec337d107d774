//! The keys that are being computed now: a process that computes one holds a lock on a byte of `locks`
//! (docs/format.md, "Layout"), which Linux tells in `/proc`. Processes that this user may not look into are left out.

use std::fs;
use std::os::unix::fs::MetadataExt;

use ndcache::Memory;
use serde_json::{Value as Json, json};

use crate::entry::call;

/// Locks from this byte of `locks` on announce waits (`waits` in `src/store/lock.rs`); those before it are of keys, but
/// for that of byte 0, which the process holds that evicts.
const WAITS: u64 = 1 << 62;

/// A key whose result a process computes.
pub(super) struct Computing {
    process: u32,
    program: String,
    /// The offset of its byte in `locks`: the key's first eight bytes, without the two highest bits.
    offset: u64,
    /// The call in words, where an entry of the key tells it: it is computed anew.
    call: Option<String>,
}

impl Computing {
    /// The key's first 16 digits; the first one as the four that it may be, in brackets: `[37bf]f2a91c4…`.
    fn digits(&self) -> String {
        let first = self.offset >> 60;
        let any: String = (0..4).map(|high| format!("{:x}", first + 4 * high)).collect();
        format!("[{any}]{:015x}", self.offset & ((1 << 60) - 1))
    }

    pub(super) fn text(&self) -> String {
        let what = self.call.clone().unwrap_or_else(|| format!("key {}…", &self.digits()[..13]));
        format!("{what} by process {} ({})", self.process, self.program)
    }

    pub(super) fn json(&self) -> Json {
        json!({ "process": self.process, "program": self.program, "digits": self.digits(), "call": self.call })
    }
}

/// The keys that are being computed, each once; none where there is no `/proc`.
pub(super) fn computing(memory: &Memory) -> Vec<Computing> {
    let Some(root) = memory.location() else { return Vec::new() };
    let Ok(locks) = fs::symlink_metadata(root.join("locks")) else { return Vec::new() };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    let mut found: Vec<Computing> = Vec::new();
    for process in numbers {
        let held = held(process, (locks.dev(), locks.ino()));
        if held.is_empty() {
            continue;
        }
        let program = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default().trim().to_owned();
        for offset in held {
            // A forked child has its parent's open file, and so shows its parent's lock.
            if !found.iter().any(|other| other.offset == offset) {
                let call = stored_call(memory, offset);
                found.push(Computing { process, program: program.clone(), offset, call });
            }
        }
    }
    found.sort_by_key(|it| (it.process, it.offset));
    found
}

/// The bytes of this file that a process has locked for a key.
fn held(process: u32, file: (u64, u64)) -> Vec<u64> {
    let mut held = Vec::new();
    for descriptor in fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten() {
        // First by the link's name: asking for the metadata of other files may be slow.
        let is_named = fs::read_link(descriptor.path()).is_ok_and(|path| path.ends_with("locks"));
        if !is_named || !fs::metadata(descriptor.path()).is_ok_and(|stat| (stat.dev(), stat.ino()) == file) {
            continue;
        }
        let number = descriptor.file_name();
        let info = fs::read_to_string(format!("/proc/{process}/fdinfo/{}", number.display())).unwrap_or_default();
        held.extend(info.lines().filter_map(key_offset));
    }
    held.sort_unstable();
    held.dedup();
    held
}

/// The byte 3254 of `lock: 1: OFDLCK  ADVISORY  WRITE -1 08:01:131 3254 3254`; `None` for a read lock, for a wait and for
/// the byte of evictions.
fn key_offset(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.strip_prefix("lock:")?.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "WRITE")?;
    let offset: u64 = words.get(at + 3)?.parse().ok()?;
    (1..WAITS).contains(&offset).then_some(offset)
}

/// The call of a stored entry with such a key.
fn stored_call(memory: &Memory, offset: u64) -> Option<String> {
    (0..4).find_map(|high: u64| {
        let entry = memory.entry_by_id(format!("{:016x}", offset | high << 62)).ok().flatten()?;
        Some(call(&entry))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_lock_below_the_waits_is_of_a_key() {
        let line = |kind: &str, byte: u64| format!("lock:\t1: OFDLCK  ADVISORY  {kind} -1 08:01:131 {byte} {byte}");
        assert_eq!(key_offset(&line("WRITE", 3254)), Some(3254));
        assert_eq!(key_offset(&line("READ", 3254)), None);
        assert_eq!(key_offset(&line("WRITE", WAITS)), None);
        assert_eq!(key_offset(&line("WRITE", WAITS - 1)), Some(WAITS - 1));
        assert_eq!(key_offset(&line("WRITE", 0)), None, "it is that of evictions");
        assert_eq!((key_offset("pos:\t0"), key_offset("lock:\t1: WRITE")), (None, None));
        let computing = Computing { process: 1, program: "x".to_owned(), offset: 0x3f2a << 48, call: None };
        assert_eq!(computing.digits(), "[37bf]f2a000000000000");
    }
}

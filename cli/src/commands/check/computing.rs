//! The keys that are being computed now, by the processes that one may look into: from the locks that these hold
//! (docs/format.md, "Layout").

use std::fs;
use std::os::unix::fs::MetadataExt;

use ndcache::Memory;
use serde_json::{Value as Json, json};

use crate::entry::call;

/// Bytes from here on announce waits, and are none of a key.
const WAITS: u64 = 1 << 62;

/// A key that a process computes.
pub(super) struct Computing {
    process: u32,
    program: String,
    /// The first eight bytes of the key, without the two highest bits.
    byte: u64,
    /// The call, if its result is stored already and computed anew.
    known: Option<String>,
}

impl Computing {
    /// The digits that are known: of the first one, the two highest bits may be any.
    fn digits(&self) -> String {
        let first = self.byte >> 60;
        let any: String = (0..4).map(|high| format!("{:x}", first + 4 * high)).collect();
        format!("[{any}]{:015x}", self.byte & ((1 << 60) - 1))
    }

    pub(super) fn text(&self) -> String {
        let what = self.known.clone().unwrap_or_else(|| format!("key {}…", &self.digits()[..13]));
        format!("{what} by process {} ({})", self.process, self.program)
    }

    pub(super) fn json(&self) -> Json {
        json!({ "process": self.process, "program": self.program, "digits": self.digits(), "call": self.known })
    }
}

/// Which keys the processes compute that this one may look into; none where the system doesn't tell.
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
        for byte in held {
            // A child that was forked has its parent's file.
            if !found.iter().any(|other| other.byte == byte) {
                found.push(Computing { process, program: program.clone(), byte, known: known(memory, byte) });
            }
        }
    }
    found.sort_by_key(|it| (it.process, it.byte));
    found
}

/// The bytes of this file that a process has locked for a key.
fn held(process: u32, file: (u64, u64)) -> Vec<u64> {
    let mut held = Vec::new();
    for descriptor in fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten() {
        // By its name first: other files may be slow to ask.
        let is_named = fs::read_link(descriptor.path()).is_ok_and(|path| path.ends_with("locks"));
        if !is_named || !fs::metadata(descriptor.path()).is_ok_and(|stat| (stat.dev(), stat.ino()) == file) {
            continue;
        }
        let number = descriptor.file_name();
        let info = fs::read_to_string(format!("/proc/{process}/fdinfo/{}", number.display())).unwrap_or_default();
        held.extend(info.lines().filter_map(key_byte));
    }
    held.sort_unstable();
    held.dedup();
    held
}

/// `lock: 1: OFDLCK  ADVISORY  WRITE -1 08:01:131 3254 3254`
fn key_byte(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.strip_prefix("lock:")?.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "WRITE")?;
    let byte: u64 = words.get(at + 3)?.parse().ok()?;
    (byte < WAITS).then_some(byte)
}

/// The call of a stored entry with such a key.
fn known(memory: &Memory, byte: u64) -> Option<String> {
    (0..4).find_map(|high: u64| {
        let entry = memory.entry_by_id(format!("{:016x}", byte | high << 62)).ok().flatten()?;
        Some(call(&entry))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_taken_from_a_lock_that_a_computation_holds() {
        let line = |kind: &str, byte: u64| format!("lock:\t1: OFDLCK  ADVISORY  {kind} -1 08:01:131 {byte} {byte}");
        assert_eq!(key_byte(&line("WRITE", 3254)), Some(3254));
        assert_eq!(key_byte(&line("READ", 3254)), None);
        assert_eq!(key_byte(&line("WRITE", WAITS)), None);
        assert_eq!((key_byte("pos:\t0"), key_byte("lock:\t1: WRITE")), (None, None));
        let computing = Computing { process: 1, program: "x".to_owned(), byte: 0x3f2a << 48, known: None };
        assert_eq!(computing.digits(), "[37bf]f2a000000000000");
    }
}

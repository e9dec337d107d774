//! Inputs that nobody wrote, many of them: mutations of right ones, in a child that may have little memory.
//!
//! `NDCACHE_FUZZ_RUNS` is how many, `NDCACHE_FUZZ_SEED` the first; a run that fails says the seed that it is repeated
//! by.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::Command;

/// How much memory the child may take beyond what it has at its beginning.
const MEMORY: u64 = 64 << 20;

/// What lengths, markers and ends of formats are made of.
const BYTES: [u8; 20] =
    [0, 1, 0x10, 0x7f, 0x80, 0x81, 0x91, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xc9, 0xcf, 0xd6, 0xdb, 0xdc, 0xdd, 0xdf, 0xff];

/// Calls `body` with `runs` inputs made of those of `corpus` and of `fuzz/corpus/<target>`, if there is one, in a child
/// process of the test `name`; first with those themselves.
///
/// # Panics
/// Panics if `body` does, or if it takes more than 64 MiB at a time.
pub(crate) fn fuzz(name: &str, target: Option<&str>, runs: u64, corpus: &[Vec<u8>], mut body: impl FnMut(&[u8])) {
    const CHILD: &str = "NDCACHE_FUZZ_CHILD";
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        return run(name, runs, &target.map_or(corpus.to_vec(), |target| with_found(target, corpus)), &mut body);
    }
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(CHILD, name).env("RAYON_NUM_THREADS", "2");
    let output = child.output().expect("a child");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("runs from seed"), "{}: {said}", output.status);
    println!("{said}");
}

/// These inputs, followed by those of the repository. With `NDCACHE_FUZZ_CORPUS` the first ones are written into the
/// repository's folder, for fuzzers to begin with.
fn with_found(target: &str, corpus: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    if std::env::var_os("NDCACHE_FUZZ_CORPUS").is_some() {
        std::fs::create_dir_all(&folder).expect("a folder");
        for input in corpus {
            let name = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(input));
            std::fs::write(folder.join(name), input).expect("an input is written");
        }
    }
    let listed = std::fs::read_dir(&folder).into_iter().flatten();
    let mut found: Vec<_> = listed.map(|item| item.expect("an item").path()).collect();
    found.sort();
    assert!(!found.is_empty(), "`{}` holds no input", folder.display());
    let found = found.iter().map(|path| std::fs::read(path).expect("an input"));
    corpus.iter().cloned().chain(found).collect()
}

fn run(name: &str, runs: u64, corpus: &[Vec<u8>], body: &mut dyn FnMut(&[u8])) {
    let seed = seed();
    let runs = number("NDCACHE_FUZZ_RUNS").unwrap_or(runs);
    println!("{runs} runs from seed {seed}");
    limit_memory();
    for input in corpus {
        attempt(input, "in the corpus", body);
    }
    for seed in (0..runs).map(|n| seed.wrapping_add(n)) {
        let input = Dice::new(seed).input(corpus);
        attempt(&input, &format!("repeated by NDCACHE_FUZZ_SEED={seed} NDCACHE_FUZZ_RUNS=1"), body);
    }
    let test = name.rsplit("::").next().unwrap_or(name);
    println!("counted | fuzz runs, {test} | {runs} | 0 | {seed}");
}

fn attempt(input: &[u8], whence: &str, body: &mut dyn FnMut(&[u8])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(input))) {
        println!("the input, {whence}, is {input:02x?}");
        resume_unwind(panic);
    }
}

/// The seed of the environment, else a new one.
pub(crate) fn seed() -> u64 {
    let now = || std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64);
    number("NDCACHE_FUZZ_SEED").unwrap_or_else(now)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`")))
}

/// So that whoever believes a length aborts. Elsewhere than on Linux the limit doesn't count mappings.
fn limit_memory() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).expect("the size of its data");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    let limit = Some(1024 * kilobytes + MEMORY);
    let limit = rustix::process::Rlimit { current: limit, maximum: limit };
    rustix::process::setrlimit(rustix::process::Resource::Data, limit).expect("less than there is");
    assert!(Vec::<u8>::new().try_reserve_exact(2 * MEMORY as usize).is_err(), "memory isn't limited");
}

/// A generator by splitmix64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    /// A mutation of one of these inputs; now and then random bytes.
    fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        if self.below(16) == 0 {
            return self.bytes(300);
        }
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(5) {
            self.mutate(&mut bytes, corpus);
        }
        bytes
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next() as u8).collect()
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(24)).min(bytes.len());
        match self.below(9) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            2 | 3 if at < bytes.len() => bytes[at] = BYTES[self.below(BYTES.len())],
            // An extreme number, in either order of bytes.
            4 => {
                let width = [2, 4, 8][self.below(3)];
                let number = [0, 1, u64::MAX, u64::MAX >> 1, 1 << 31, 1 << 60, self.next()][self.below(7)];
                let number = if self.below(2) == 0 { number.to_le_bytes() } else { number.swap_bytes().to_le_bytes() };
                let end = (at + width).min(bytes.len());
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            5 => drop(bytes.drain(at..end)),
            6 => {
                let more =
                    if self.below(2) == 0 { self.bytes(24) } else { vec![BYTES[self.below(BYTES.len())]; end - at] };
                bytes.splice(at..at, more);
            }
            // What stands elsewhere, in this one or another.
            7 => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len() + 1);
                let until = (from + self.below(64)).min(other.len());
                bytes.splice(at..end, other[from..until].iter().copied());
            }
            _ if self.below(4) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
}

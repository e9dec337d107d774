//! What is asked of any bytes in place of a value or an array file; for bounded tests and for fuzzers alike.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

use super::codecs::gzip::Members;
use super::{Format, Payload, Reader, ViaSerde, read_npy};
use crate::digest::tree;
use crate::digest::{ArrayMeta, Digest, Order, itemsize, stored_itemsize};
use crate::error::{Error, ErrorKind, Result};
use crate::map;
use crate::payload::npy_header;
use crate::payload::raw;
use crate::payload::wire::read::NoArrays;

pub(super) type Everything = (
    Vec<Option<String>>,
    HashMap<u8, Vec<f32>>,
    BTreeMap<(i64, char), Result<u128, bool>>,
    ArrayD<f64>,
    Vec<[bool; 2]>,
    HashSet<Vec<u8>>,
    std::time::Duration,
);

pub(super) type AnyBySerde = (Vec<Option<String>>, HashMap<u8, f32>, Option<Option<u128>>, Anything);

/// What describes itself, as JSON does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Anything {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Anything>),
    Map(BTreeMap<String, Anything>),
}

/// A stored value, as each of several types.
pub fn values(bytes: &[u8]) {
    let results = [
        load(bytes, Everything::load).map(drop),
        load(bytes, Vec::<Option<String>>::load).map(drop),
        load(bytes, HashMap::<u8, Vec<f32>>::load).map(drop),
        load(bytes, BTreeMap::<(i64, char), Result<u128, bool>>::load).map(drop),
        load(bytes, ArrayD::<f64>::load).map(drop),
        load(bytes, Vec::<[bool; 2]>::load).map(drop),
        load(bytes, std::time::SystemTime::load).map(drop),
        load(bytes, <ViaSerde as Format<AnyBySerde>>::load).map(drop),
        load(bytes, <ViaSerde as Format<Anything>>::load).map(drop),
    ];
    let untyped = load(bytes, |input| raw::load(input, raw::Form::Owned)).map(|value| {
        value.arrays().iter().for_each(is_of_bytes);
    });
    for error in results.into_iter().chain([untyped]).filter_map(Result::err) {
        // The kind is `Io` where memory is refused.
        let expected = error.kind() != ErrorKind::Other && error.kind() != ErrorKind::Newer;
        assert!(expected, "{error}");
    }
}

/// Whether an array that anybody may have made is one of plain bytes, as many as its elements have in NumPy.
fn is_of_bytes(array: &raw::Array) {
    let descr = array.descr();
    let expected = itemsize(descr).or_else(|| stored_itemsize(descr).ok());
    assert_eq!(expected, Some(array.itemsize()), "`{descr}`");
    let count = array.shape().iter().fold(1_u64, |count, &len| count.saturating_mul(len));
    assert_eq!(array.bytes().len() as u64, count * array.itemsize(), "`{descr}`");
    // The dtype of a structure has names in quotes as well, which may be any.
    let is_word = !descr.starts_with('[');
    assert!(!is_word || descr.as_bytes().get(1).is_some_and(|kind| b"biufcSUVMm".contains(kind)), "`{descr}`");
}

fn load<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T>) -> Result<T> {
    let mut input = Reader::new(bytes, &NoArrays);
    let value = read(&mut input)?;
    input.finish()?;
    Ok(value)
}

/// The text of a `.npy` header.
pub fn header(bytes: &[u8]) {
    match crate::payload::codecs::npy_header::parse(bytes) {
        // What there is of it can be written again, or has axes or a type that can't.
        Ok(meta) => drop(npy_header(&meta)),
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Unsupported), "{error}"),
    }
}

/// A `.npy` file.
pub fn file(bytes: &[u8]) {
    with_file(bytes, |path| match read_npy::<f64, IxDyn>(path) {
        Ok(array) => assert!(8 * array.len() < bytes.len()),
        Err(error) => {
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            assert_ne!(error.kind(), ErrorKind::Io, "{error}");
        }
    });
}

/// How many elements the array has that [`members`] asks for.
pub(super) const PAINTED: usize = 2000;

pub(super) fn painted(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// A compressed array file.
pub fn members(bytes: &[u8]) {
    let data = painted(PAINTED);
    let meta = ArrayMeta { descr: "|u1".into(), shape: vec![data.len() as u64], order: Order::C, itemsize: None };
    with_file(bytes, |path| match inflate(path, bytes.len() as u64, &meta, meta.digest(tree(&data))) {
        Ok(loaded) => assert!(loaded == data),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
    });
}

/// Loads a compressed array of bytes, and verifies it, which comes to the same.
pub(super) fn inflate(path: &Path, length: u64, meta: &ArrayMeta, digest: Digest) -> Result<Vec<u8>> {
    let find = || {
        let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
        Members::find(file, path.to_owned(), length, npy_header(meta)?.len() as u64, meta)
    };
    let mut members = find()?;
    let count = usize::try_from(meta.byte_len()?).map_err(|_| Error::damaged("too large"))?;
    let verified = find()?.verify(digest);
    let elements = map::grown_vec_of::<u8>(count, |out| members.fill(out))?;
    let finished = members.finish(digest);
    assert_eq!(finished.is_ok(), verified.is_ok(), "what is loaded verifies, and the other way round");
    finished.map(|()| elements)
}

/// Puts bytes into a file of this thread, in memory where there is a place for that.
fn with_file(bytes: &[u8], look: impl FnOnce(&Path)) {
    thread_local!(static SCRATCH: Scratch = Scratch::new());
    SCRATCH.with(|scratch| {
        scratch.fill(bytes);
        look(&scratch.0);
    });
}

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(folder.join(format!("ndcache-fuzz-{}-{number}.npy.gz", std::process::id())))
    }

    fn fill(&self, bytes: &[u8]) {
        // A file that is truncated is flushed as it is closed on ext4, which takes longer than all the rest.
        let _ = fs::remove_file(&self.0);
        let file = OpenOptions::new().write(true).create_new(true).open(&self.0);
        file.and_then(|mut file| file.write_all(bytes)).expect("a file for the input");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

//! What is asked of any bytes in place of a record; for bounded tests and for fuzzers alike.

use std::path::PathBuf;

use super::sealed::sealed;
use super::{ArrayRecord, CodeRecord, NAME_MAX, Overflow, Producer, Record, StepRecord, decode, oracle};
use crate::digest::tree;
use crate::digest::{Digest, itemsize, stored_itemsize};
use crate::error::{Error, ErrorKind};

fn path() -> PathBuf {
    PathBuf::from("/cache/f/x/ab/key.record")
}

/// Whether an error is one of a record, and says of which.
fn is_refused(error: &Error) {
    let text = error.to_string();
    assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Newer), "{text}");
    assert!(text.contains("`/cache/f/x/ab/key.record`"), "{text}");
}

/// Whether an array that anybody may have described is one of plain bytes, as many as its elements have in NumPy.
fn is_of_bytes(array: &ArrayRecord) {
    let descr = &*array.meta.descr;
    let expected = itemsize(descr).or_else(|| stored_itemsize(descr).ok());
    // The length of an element may be left out if another build has a type for the dtype.
    let is_right = array.meta.itemsize().map_or(array.meta.itemsize.is_none(), |found| Some(found) == expected);
    assert!(expected.is_some() && is_right, "`{descr}`");
    let is_word = !descr.starts_with('[');
    assert!(!is_word || descr.as_bytes().get(1).is_some_and(|kind| b"biufcSUVMm".contains(kind)), "`{descr}`");
}

/// The body of a record: what lies between magic and trailer.
pub fn record(body: &[u8]) {
    let bytes = sealed(body);
    // Serde takes more for a record, such as a list for a map, and never for another one.
    if let Ok(record) = decode::record(body) {
        assert_eq!(oracle::record(body).expect("a record"), *record);
    }
    match Record::decode(&bytes, path) {
        Ok(record) => {
            assert!(record.files().all(|file| !file.contains(['/', '\0']) && file.len() <= NAME_MAX));
            record.arrays.iter().for_each(is_of_bytes);
            let again = record.encode().and_then(|bytes| Record::decode(&bytes, path));
            assert_eq!(again.expect("what was read can be written"), record);
        }
        Err(error) => is_refused(&error),
    }
    drop(CodeRecord::parts_of(&bytes, "package/function", Digest::from_bytes([7; 16])));
    // Without a trailer that fits, nothing is read.
    is_refused(&Record::decode(body, path).expect_err("it isn't sealed"));
}

/// The body of a slot of a build step.
pub fn slot(body: &[u8]) {
    if let Ok(step) = decode::step_record(body) {
        assert_eq!(oracle::step_record(body).expect("a slot"), step);
    }
    match StepRecord::decode(&sealed(body), &path()) {
        Ok(step) => {
            let again = step.encode().and_then(|bytes| StepRecord::decode(&bytes, &path()));
            assert_eq!(again.expect("what was read can be written"), step);
        }
        Err(error) => is_refused(&error),
    }
}

/// The body of a record of a function's code.
pub fn code(body: &[u8]) {
    let (function, digest) = ("package/function", Digest::from_bytes([7; 16]));
    let parts = CodeRecord::parts_of(&sealed(body), function, digest);
    if !parts.is_empty() {
        let again = CodeRecord::new(function, digest, &parts).encode().expect("what was read can be written");
        assert_eq!(CodeRecord::parts_of(&again, function, digest), parts);
        assert!(CodeRecord::parts_of(&again, "package/other", digest).is_empty());
    }
    assert!(CodeRecord::parts_of(body, function, digest).is_empty(), "it isn't sealed");
}

/// A file that holds what a record has no room for.
pub fn overflow(bytes: &[u8]) {
    let digest = Digest::from_bytes([7; 16]);
    let overflow = Overflow { file: "0.msgpack".to_owned(), length: bytes.len() as u64, digest: tree(bytes) };
    let record = Record {
        format: super::FORMAT,
        requires: Vec::new(),
        key: digest,
        function: "package/function".into(),
        code: digest,
        arguments: super::ArgumentList::default(),
        created: 1,
        duration: 2,
        expires: None,
        build: None,
        types: None,
        value: Vec::new(),
        arrays: Vec::new(),
        overflow: Some(overflow),
        producer: Producer::current("boot:mount").into(),
        edited: false,
        origin: None,
        python: Vec::new(),
        local: false,
    };
    match record.join(bytes, &path()) {
        Ok(joined) => assert!(joined.files().all(|file| !file.contains(['/', '\0']))),
        Err(error) => is_refused(&error),
    }
}

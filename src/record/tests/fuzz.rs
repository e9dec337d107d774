//! Records that nobody wrote, sealed as if somebody had.

use super::*;
use crate::fuzz::fuzz;
use crate::record::fuzzing;

/// The bodies of records as they are written: with arrays, with the parts of the code, with an overflow, and frozen.
fn bodies() -> Vec<Vec<u8>> {
    let with_parts = Record { parts: vec![part(); 2], expires: Some(1 << 60), edited: true, ..sample() };
    let large = Record { value: vec![0x5a; RECORD_MAX], ..sample() };
    let sealed = [
        sample().encode().unwrap(),
        with_parts.encode().unwrap(),
        large.split(|| "0123.msgpack".to_owned()).unwrap().record,
        include_bytes!("../../../data/format1.record").to_vec(),
    ];
    sealed.iter().map(|bytes| verify(bytes).unwrap().to_vec()).collect()
}

#[test]
fn any_sealed_bytes_are_a_record_or_refused() {
    let name = "record::tests::fuzz::any_sealed_bytes_are_a_record_or_refused";
    fuzz(name, Some("record"), 15_000, &bodies(), fuzzing::record);
}

#[test]
fn any_overflow_is_joined_or_refused() {
    let arrays = vec![array("0123.4567.npy", &[3, 4]); 3];
    let mut body = Vec::new();
    pack(&mut body, &Overflowed { value: vec![0x91, 7], arrays }).unwrap();
    let name = "record::tests::fuzz::any_overflow_is_joined_or_refused";
    fuzz(name, Some("overflow"), 50_000, &[body], fuzzing::overflow);
}

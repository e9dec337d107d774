//! Records that nobody wrote, sealed as if somebody had.

use super::*;
use crate::fuzz::fuzz;

/// The bodies of records as they are written: with arrays, with the parts of the code, with an overflow, and of a slot.
fn bodies() -> Vec<Vec<u8>> {
    let with_parts = Record { parts: vec![part(); 2], expires: Some(1 << 60), edited: true, ..sample() };
    let large = Record { value: vec![0x5a; RECORD_MAX], ..sample() };
    let sealed = [
        sample().encode().unwrap(),
        with_parts.encode().unwrap(),
        large.split(|| "0123.msgpack".to_owned()).unwrap().record,
        include_bytes!("../../../data/format1.record").to_vec(),
    ];
    sealed.iter().map(|bytes| bytes[MAGIC.len()..bytes.len() - TRAILER].to_vec()).collect()
}

/// Whether an error is one of a record, and says of which.
fn is_refused(error: &Error) {
    let text = error.to_string();
    assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Newer), "{text}");
    assert!(text.contains("`/cache/f/x/ab/key.record`"), "{text}");
}

#[test]
fn any_sealed_bytes_are_a_record_or_refused() {
    fuzz("record::tests::fuzz::any_sealed_bytes_are_a_record_or_refused", 15_000, &bodies(), |body| {
        let bytes = seal(body);
        // What is decoded straight is what serde decodes.
        if let Some(record) = straight::decode(body) {
            assert_eq!(unpack::<Record>(body).unwrap(), record);
        }
        match decode(&bytes) {
            Ok(record) => {
                assert!(record.files().all(|file| !file.contains(['/', '\0']) && file.len() <= NAME_MAX));
                assert_eq!(decode(&record.encode().unwrap()).unwrap(), record);
            }
            Err(error) => is_refused(&error),
        }
        drop(parts(&bytes));
        // Without a trailer that fits, nothing is read.
        is_refused(&decode(body).unwrap_err());
        if let Err(error) = Slot::decode(&bytes, path()) {
            is_refused(&error);
        }
    });
}

#[test]
fn any_overflow_is_joined_or_refused() {
    let arrays = vec![array("0123.4567.npy", &[3, 4]); 3];
    let mut body = Vec::new();
    pack(&mut body, &Overflowed { value: vec![0x91, 7], arrays }).unwrap();
    fuzz("record::tests::fuzz::any_overflow_is_joined_or_refused", 50_000, &[body], |bytes| {
        let overflow = Overflow { file: "0.msgpack".to_owned(), length: bytes.len() as u64, digest: tree(bytes) };
        let record = Record { value: Vec::new(), arrays: Vec::new(), overflow: Some(overflow), ..sample() };
        match record.join(bytes, path()) {
            Ok(joined) => assert!(joined.files().all(|file| !file.contains(['/', '\0']))),
            Err(error) => is_refused(&error),
        }
    });
}

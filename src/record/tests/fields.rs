//! Fields that most records don't have, and fields in another order.

use super::*;
use crate::digest::hostile;

#[test]
fn every_field_is_read_as_it_was_written() {
    let leaf = |path: &str, text: &str| Leaf { path: path.to_owned(), digest: digest(5), text: text.to_owned() };
    let secret = Argument { secret: true, ..Argument::new("token", digest(8), "") };
    let parts = Argument {
        leaves: vec![leaf("kind", "Ridge(1.0)"), leaf("steps[3]", "")],
        ..Argument::new("p", digest(9), "")
    };
    let mut foreign = array("0123.4567.npy", &[3]);
    foreign.meta = ArrayMeta { descr: "<M8[ns]".into(), itemsize: Some(8), ..foreign.meta };
    let record = Record {
        requires: vec!["pickle".to_owned(), "dtype".to_owned()],
        arguments: vec![secret, parts].into(),
        arrays: vec![foreign],
        origin: Some("import".to_owned()),
        python: vec![0x90],
        local: true,
        expires: Some(1 << 60),
        ..sample()
    };
    let read = decode(&record.encode().unwrap()).unwrap();
    assert_eq!(read, record);
    assert_eq!(read.arguments[0].text(), "(secret)");
    assert_eq!(read.arguments[1].leaves[1].path, "steps[3]");
    assert_eq!(sample().encode().unwrap(), include_bytes!("../../../data/format1.record"), "and absent where unused");
}

#[test]
fn what_no_rust_type_takes_is_known_by_its_name() {
    for (requires, expected) in [("pickle", "Python pickled"), ("dtype", "another dtype")] {
        let record = decode(&altered(|record| record.requires = vec![requires.to_owned()])).unwrap();
        assert!(record.unsupported().is_some_and(|what| what.contains(expected)));
    }
    assert!(sample().unsupported().is_none());
    let both = altered(|record| record.requires = vec!["pickle".to_owned(), "zstd".to_owned()]);
    fails(&both, ErrorKind::Newer, "entry requires `zstd`");
}

#[test]
fn an_array_of_another_dtype_has_the_length_that_its_elements_give() {
    let foreign = |itemsize, length| {
        altered(|record| {
            record.arrays[0].meta.descr = "[('a', '<f8'), ('b', '<i4')]".into();
            record.arrays[0].meta.itemsize = itemsize;
            record.arrays[0].length = length;
        })
    };
    assert!(decode(&foreign(Some(12), 128 + 12 * 12)).is_ok());
    assert!(decode(&foreign(None, 7)).is_ok(), "which nobody can check");
    fails(&foreign(Some(12), 128 + 11 * 12), ErrorKind::Damaged, "of 144 bytes at offset 128");
    for other in [0, 11, 13, u64::MAX] {
        fails(&foreign(Some(other), 128 + 12 * 12), ErrorKind::Damaged, "bytes, expected 12");
    }
    let known = altered(|record| record.arrays[0].meta.itemsize = Some(8));
    fails(&known, ErrorKind::Damaged, "says how long elements are");
}

/// Whatever a record says of their elements: NumPy takes the bytes of most of these for addresses.
#[test]
fn a_record_names_no_dtype_but_one_of_bytes_as_numpy_writes_it() {
    let plain = ["<é2", "", "<U2\n", "<U0", "[]", "f4", "float32", "<f4 ", "|S03"].into_iter().map(str::to_owned);
    for descr in hostile::objects().chain(plain) {
        for itemsize in [None, Some(0), Some(1), Some(4), Some(8), Some(16)] {
            let bytes = altered(|record| {
                record.arrays[0].meta.descr = descr.clone().into();
                record.arrays[0].meta.itemsize = itemsize;
            });
            fails(&bytes, ErrorKind::Damaged, "has dtype");
        }
    }
}

#[test]
fn fields_stand_in_any_order_and_each_once() {
    let body = verify(&sample().encode().unwrap()).unwrap().to_vec();
    let fields = fields_of(&body);
    for turn in 0..fields.len() {
        let mut turned = fields.clone();
        turned.rotate_left(turn);
        assert_eq!(decode(&sealed(&map_of(&turned))).unwrap(), sample(), "{turn}");
        let mut twice = fields.clone();
        twice.push(fields[turn].clone());
        fails(&sealed(&map_of(&twice)), ErrorKind::Damaged, "a field stands twice");
        let mut fewer = fields.clone();
        let name = fewer.remove(turn).0;
        let read = decode(&sealed(&map_of(&fewer)));
        let optional = ["arrays", "edited"].contains(&&*name);
        assert_eq!(read.is_ok(), optional, "without `{name}`");
    }
}

/// The fields of a map, each with its bytes.
fn fields_of(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut fields = Vec::new();
    cursor::whole(body, |cursor| {
        cursor.map(|cursor, name| {
            let before = cursor.rest();
            cursor.skip()?;
            fields.push((name.to_owned(), cursor.since(before).to_vec()));
            Ok(())
        })
    })
    .unwrap();
    fields
}

fn map_of(fields: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![0xde, 0, u8::try_from(fields.len()).unwrap()];
    for (name, value) in fields {
        body.extend_from_slice(&rmp_serde::to_vec(name).unwrap());
        body.extend_from_slice(value);
    }
    body
}

#[test]
fn format_1_is_what_it_always_was() {
    let frozen = include_bytes!("../../../data/format1.record");
    assert_eq!(decode(frozen).unwrap(), sample());
    assert_eq!(sample().encode().unwrap(), frozen);
}

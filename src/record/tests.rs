//! Tests of records.

mod fields;
mod fuzz;

use super::sealed::sealed;
use super::*;
use crate::ErrorKind;
use crate::digest::Order;
use crate::key::Part;
use proptest::prelude::*;
use std::borrow::Cow;

fn digest(seed: u8) -> Digest {
    tree(&[seed])
}

fn array(file: &str, shape: &[u64]) -> ArrayRecord {
    let meta = ArrayMeta { descr: Cow::Borrowed("<f8"), shape: shape.to_vec(), order: Order::C, itemsize: None };
    let length = 128 + meta.byte_len().unwrap();
    ArrayRecord { file: file.to_owned(), meta, offset: 128, length, digest: digest(7), codec: "npy".into() }
}

fn sample() -> Record {
    let argument = Argument::new("x", digest(3), "f64[1797, 64] C");
    Record {
        format: FORMAT,
        requires: Vec::new(),
        key: digest(1),
        function: "digits::pca".into(),
        code: digest(2),
        arguments: vec![argument].into(),
        created: 1_700_000_000_123_456_789,
        duration: 2_500_000,
        expires: None,
        build: None,
        types: None,
        value: vec![0xc7, 4, 1, 0, 0, 0, 0],
        arrays: vec![array("0123.4567.npy", &[3, 4]), array("0123.89ab.npy", &[])],
        overflow: None,
        producer: Producer {
            version: "0.1.0".to_owned(),
            rustc: "rustc 1.95.0".to_owned(),
            target: "x86_64-unknown-linux-gnu".to_owned(),
            host: "host".to_owned(),
            session: "boot:mount".to_owned(),
        }
        .into(),
        edited: false,
        origin: None,
        python: Vec::new(),
        local: false,
    }
}

fn part() -> Part {
    Part {
        name: "window".to_owned(),
        scope: "package".to_owned(),
        package: Some("0.1.0".to_owned()),
        version: Some(2),
        body: Some(digest(4)),
        facts: vec![("cfg(unix)".to_owned(), "true".to_owned())],
    }
}

fn path() -> &'static Path {
    Path::new("/cache/f/x/ab/key.record")
}

fn decode(bytes: &[u8]) -> Result<Record> {
    Record::decode(bytes, || path().to_owned()).map(|record| *record)
}

/// A record whose body is a JSON map.
fn sealed_json(body: &serde_json::Value) -> Vec<u8> {
    sealed(&rmp_serde::to_vec_named(body).unwrap())
}

/// A record that is sealed without being checked.
fn altered(alter: impl FnOnce(&mut Record)) -> Vec<u8> {
    let mut record = sample();
    alter(&mut record);
    let mut body = Vec::new();
    pack(&mut body, &record).unwrap();
    sealed(&body)
}

fn fails(bytes: &[u8], kind: ErrorKind, expected: &str) {
    let error = decode(bytes).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("`/cache/f/x/ab/key.record`"), "{text}");
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let bytes = sample().encode().unwrap();
    assert_eq!(decode(&bytes).unwrap(), sample());
    assert_eq!(sample().files().collect::<Vec<_>>(), ["0123.4567.npy", "0123.89ab.npy"]);
}

#[test]
fn the_parts_of_a_code_are_read_as_they_were_written() {
    let bare = Part { package: None, version: None, body: None, facts: Vec::new(), ..part() };
    let parts = [part(), bare];
    let bytes = CodeRecord::new("digits::pca", digest(2), &parts).encode().unwrap();
    assert_eq!(CodeRecord::parts_of(&bytes, "digits::pca", digest(2)), parts);
    assert!(CodeRecord::parts_of(&bytes, "digits::other", digest(2)).is_empty());
    assert!(CodeRecord::parts_of(&bytes, "digits::pca", digest(3)).is_empty());
    assert!(CodeRecord::parts_of(&sample().encode().unwrap(), "digits::pca", digest(2)).is_empty(), "an entry");
    assert!(decode(&bytes).is_err(), "no entry");
    for at in 0..bytes.len() {
        let mut forged = bytes.clone();
        forged[at] ^= 1 << (at % 8);
        assert!(CodeRecord::parts_of(&forged, "digits::pca", digest(2)).is_empty(), "byte {at}");
    }
}

#[test]
fn a_record_that_still_holds_the_parts_of_its_code_is_read_without_them() {
    for parts in [&b"\x07"[..], b"\x91\xa1x", b"\x91\x81\xa4name\x03", b"\x81\xa4name\xa1x"] {
        let mut body = Vec::new();
        pack(&mut body, &sample()).unwrap();
        body[0] += 1;
        body.extend_from_slice(&rmp_serde::to_vec("parts").unwrap());
        body.extend_from_slice(parts);
        assert_eq!(decode(&sealed(&body)).unwrap(), sample());
    }
}

#[test]
fn what_an_independent_writer_makes_is_read_and_verified() {
    let full = decode(include_bytes!("../../data/format1_full.record")).unwrap();
    assert_eq!(full.requires, ["pickle", "dtype"]);
    assert!(full.edited && full.local && full.origin.as_deref() == Some("tier") && full.python == b"\x81\xa0\xa5tuple");
    assert_eq!(full.expires, Some(1_700_000_060_123_456_789));
    let leaf =
        |path: &str, seed, text: &str| Leaf { path: path.to_owned(), digest: digest(seed), text: text.to_owned() };
    let expected = [
        Argument { secret: true, ..Argument::new("token", digest(8), "") },
        Argument {
            leaves: vec![leaf("kind", 5, "Ridge(1.0)"), leaf("steps[3]", 6, "")],
            ..Argument::new("p", digest(9), "app::Params")
        },
        Argument::new("x", digest(3), ""),
    ];
    assert_eq!(*full.arguments, expected);
    let metas: Vec<_> = full.arrays.iter().map(|array| (&*array.meta.descr, array.meta.itemsize)).collect();
    assert_eq!(metas, [("[('a', '<f8'), ('b', '<i4')]", Some(12)), ("<M8[ns]", Some(8))]);
    assert_eq!(decode(&full.encode().unwrap()).unwrap(), full);
    let code = include_bytes!("../../data/format1_code.record");
    let parts = CodeRecord::parts_of(code, "digits::pca", digest(2));
    assert_eq!((parts.len(), &parts[1]), (2, &part()));
    assert_eq!(CodeRecord::new("digits::pca", digest(2), &parts).encode().unwrap(), code);
}

#[test]
fn every_bit_counts() {
    let bytes = sample().encode().unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decode(&flipped).unwrap_err().kind(), ErrorKind::Damaged, "bit {bit}");
    }
}

#[test]
fn every_length_counts() {
    let mut bytes = sample().encode().unwrap();
    for len in 0..bytes.len() {
        assert_eq!(decode(&bytes[..len]).unwrap_err().kind(), ErrorKind::Damaged, "length {len}");
    }
    bytes.push(0);
    fails(&bytes, ErrorKind::Damaged, "digest at its end");
    fails(&vec![0; RECORD_MAX + 1], ErrorKind::Damaged, "65537 bytes");
}

#[test]
fn intact_nonsense_is_damaged() {
    fails(&sealed(b""), ErrorKind::Damaged, "can't be decoded");
    fails(&sealed(&[0x80]), ErrorKind::Damaged, "missing field");
    fails(&sealed_json(&serde_json::json!({ "format": 0 })), ErrorKind::Damaged, "entry format is 0, expected 1");
    let mut body = Vec::new();
    pack(&mut body, &sample()).unwrap();
    body.push(0xc0);
    fails(&sealed(&body), ErrorKind::Damaged, "bytes follow");
}

#[test]
fn a_later_format_is_newer_whatever_else_it_holds() {
    let expected = "entry format is 2, this version reads 1";
    fails(&altered(|record| record.format = 2), ErrorKind::Newer, expected);
    fails(&sealed_json(&serde_json::json!({ "format": 2 })), ErrorKind::Newer, expected);
    let other = serde_json::json!({ "requires": 5, "key": {}, "format": 2, "value": [[1, 2], null] });
    fails(&sealed_json(&other), ErrorKind::Newer, expected);
    let far = serde_json::json!({ "format": u64::MAX });
    fails(&sealed_json(&far), ErrorKind::Newer, "entry format is 18446744073709551615");
}

#[test]
fn an_unknown_requirement_is_newer_whatever_else_it_changes() {
    let expected = "entry requires `zstd`, which this version doesn't know";
    fails(&altered(|record| record.requires = vec!["zstd".to_owned()]), ErrorKind::Newer, expected);
    let other = serde_json::json!({ "format": 1, "requires": ["zstd"], "value": 1.5 });
    fails(&sealed_json(&other), ErrorKind::Newer, expected);
}

#[test]
fn a_compressed_array_has_a_name_of_its_own_and_any_length() {
    let gzip = |file: &str| {
        altered(|record| {
            record.arrays[1].codec = "npy.gz".into();
            record.arrays[1].file = file.to_owned();
            record.arrays[1].length = 77;
        })
    };
    let record = decode(&gzip("0123.89ab.npy.gz")).unwrap();
    assert_eq!((&*record.arrays[1].codec, record.arrays[1].length), ("npy.gz", 77));
    for name in ["0123.89ab.npy", ".npy.gz", "../a.npy.gz", "anpy.gz"] {
        fails(&gzip(name), ErrorKind::Damaged, "expected a plain name that ends in `.npy.gz`");
    }
}

#[test]
fn an_unknown_codec_is_newer() {
    let bytes = altered(|record| record.arrays[1].codec = "zarr".into());
    fails(&bytes, ErrorKind::Newer, "array `0123.89ab.npy` has codec `zarr`, this version reads `npy`, `npy.gz`");
}

#[test]
fn an_unknown_field_is_fine() {
    let mut body = Vec::new();
    pack(&mut body, &sample()).unwrap();
    assert_eq!(body[0] & 0xf0, 0x80, "a short map");
    body[0] += 1;
    body.extend_from_slice(&rmp_serde::to_vec("mood").unwrap());
    body.extend_from_slice(&rmp_serde::to_vec(&[(1, "good")]).unwrap());
    assert_eq!(decode(&sealed(&body)).unwrap(), sample());
}

#[test]
fn file_names_stay_in_the_folder_of_the_record() {
    let long = format!("{}.npy", "x".repeat(252));
    for name in ["../x.npy", "/etc/x.npy", "a/b.npy", "..", "", ".npy", "x.record", "x.npy.gz", "x\0.npy", &long] {
        let bytes = altered(|record| record.arrays[0].file = name.to_owned());
        fails(&bytes, ErrorKind::Damaged, "expected a plain name that ends in `.npy`");
    }
}

#[test]
fn lengths_that_contradict_each_other_are_damaged() {
    fails(&altered(|r| r.arrays[0].length += 1), ErrorKind::Damaged, "expected that to be the file's length 225");
    fails(&altered(|r| r.arrays[0].offset = 8), ErrorKind::Damaged, "expected a multiple of 64");
    fails(&altered(|r| r.arrays[0].offset = !63), ErrorKind::Damaged, "0123.4567.npy");
    fails(&altered(|r| r.arrays[0].meta.shape = vec![u64::MAX, 2]), ErrorKind::Damaged, "0123.4567.npy");
    fails(&altered(|r| r.value.clear()), ErrorKind::Damaged, "it has no value");
}

#[test]
fn a_dtype_of_another_build_is_left_to_who_asks_for_it() {
    let bytes = altered(|record| record.arrays[0].meta.descr = Cow::Borrowed("<f16"));
    assert_eq!(decode(&bytes).unwrap().arrays[0].meta.descr, "<f16");
}

#[test]
fn claimed_lengths_are_not_believed() {
    // Each marker claims 2^32 - 1 elements or bytes, in a field of ours and in one that is skipped.
    for marker in [0xdd_u8, 0xdf, 0xdb, 0xc6, 0xc9] {
        for field in ["arguments", "value", "function", "key", "arrays", "requires", "format", "unknown"] {
            let mut body = vec![0x81];
            body.extend_from_slice(&rmp_serde::to_vec(field).unwrap());
            body.extend_from_slice(&[marker, 0xff, 0xff, 0xff, 0xff, 0]);
            fails(&sealed(&body), ErrorKind::Damaged, "can't be decoded");
        }
    }
}

#[test]
fn a_deep_record_does_not_exhaust_the_stack() {
    for opening in [0x91_u8, 0x81] {
        let mut body = vec![0x82, 0xa1, b'x'];
        body.resize(60_000, opening);
        fails(&sealed(&body), ErrorKind::Damaged, "can't be decoded");
    }
}

#[test]
fn what_does_not_fit_overflows() {
    let mut record = sample();
    record.value = vec![0x5a; RECORD_MAX];
    check_overflow(record);
    let mut record = sample();
    record.arrays = (0..2000).map(|i| array(&format!("{i}.npy"), &[i])).collect();
    check_overflow(record);
}

fn check_overflow(record: Record) {
    assert_eq!(record.encode().unwrap_err().kind(), ErrorKind::Unsupported);
    let split = record.split(|| "0123.msgpack".to_owned()).unwrap();
    let file = split.overflow.unwrap();
    assert_eq!(file.file, "0123.msgpack");
    let overflow = [&file.head, file.value, &file.tail].concat();
    let whole = Overflowed { value: record.value.clone(), arrays: record.arrays.clone() };
    let mut expected = Vec::new();
    pack(&mut expected, &whole).unwrap();
    assert_eq!(overflow, expected);
    let read = decode(&split.record).unwrap();
    assert!(read.value.is_empty() && read.arrays.is_empty());
    assert_eq!(read.files().collect::<Vec<_>>(), ["0123.msgpack"]);
    for damage in [&overflow[1..], &[&overflow[..], &[0]].concat(), &vec![0; overflow.len()]] {
        let error = read.clone().join(damage, Path::new("/cache/0123.msgpack")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("/cache/0123.msgpack"), "{error}");
    }
    let mut joined = read.join(&overflow, path()).unwrap();
    assert!(joined.overflow.take().is_some());
    assert_eq!(joined, record);
}

#[test]
fn what_fits_does_not_overflow() {
    let record = sample();
    let split = record.split(|| "0123.msgpack".to_owned()).unwrap();
    assert!(split.overflow.is_none());
    assert_eq!(split.record, record.encode().unwrap());
}

#[test]
fn the_limit_is_exact() {
    let mut record = sample();
    let fixed = record.encode().unwrap().len() - record.value.len();
    // The length of a byte string of that size takes one byte more than that of a short one.
    record.value = vec![1; RECORD_MAX - fixed - 1];
    assert_eq!(record.encode().unwrap().len(), RECORD_MAX);
    assert!(record.split(|| "x.msgpack".to_owned()).unwrap().overflow.is_none());
    record.value.push(1);
    assert!(record.split(|| "x.msgpack".to_owned()).unwrap().overflow.is_some());
}

#[test]
fn hostile_overflows_are_refused() {
    let arrays = vec![array("../x.npy", &[1])];
    let mut bytes = Vec::new();
    pack(&mut bytes, &Overflowed { value: vec![0xc0], arrays }).unwrap();
    let overflow = Overflow { file: "0.msgpack".to_owned(), length: bytes.len() as u64, digest: tree(&bytes) };
    let record = Record { value: Vec::new(), arrays: Vec::new(), overflow: Some(overflow), ..sample() };
    assert_eq!(record.join(&bytes, path()).unwrap_err().kind(), ErrorKind::Damaged);
    let both = altered(|record| {
        record.overflow = Some(Overflow { file: "0.msgpack".to_owned(), length: 0, digest: digest(0) });
    });
    fails(&both, ErrorKind::Damaged, "a value and an overflow");
    let astray = altered(|record| {
        (record.value, record.arrays) = (Vec::new(), Vec::new());
        record.overflow = Some(Overflow { file: "../0.msgpack".to_owned(), length: 0, digest: digest(0) });
    });
    fails(&astray, ErrorKind::Damaged, "expected a plain name that ends in `.msgpack`");
}

#[test]
fn the_producer_is_this_build() {
    let producer = Producer::current("boot:mount");
    assert_eq!((producer.version.as_str(), producer.session.as_str()), (env!("CARGO_PKG_VERSION"), "boot:mount"));
    assert!(producer.rustc.starts_with("rustc 1."), "{}", producer.rustc);
    assert!(producer.target.contains(std::env::consts::ARCH), "{}", producer.target);
    assert!(!producer.host.is_empty());
}

fn digests() -> impl Strategy<Value = Digest> {
    any::<[u8; 16]>().prop_map(Digest::from_bytes)
}

fn arrays() -> impl Strategy<Value = ArrayRecord> {
    let order = prop_oneof![Just(Order::C), Just(Order::F)];
    let shape = prop::collection::vec(0..1000_u64, 0..5);
    ("[a-z]{1,30}", prop::sample::select(vec!["<f8", "|b1", "<c16"]), shape, order, 1..9_u64, digests()).prop_map(
        |(stem, descr, shape, order, blocks, digest)| {
            let meta = ArrayMeta { descr: Cow::Borrowed(descr), shape, order, itemsize: None };
            let offset = blocks * ALIGNMENT;
            let length = offset + meta.byte_len().unwrap();
            ArrayRecord { file: format!("{stem}.npy"), meta, offset, length, digest, codec: "npy".into() }
        },
    )
}

fn arguments() -> impl Strategy<Value = Argument> {
    ("\\PC{0,20}", digests(), "\\PC{0,120}").prop_map(|(name, digest, text)| Argument::new(&name, digest, &text))
}

prop_compose! {
    fn records()(
        (key, code) in (digests(), digests()),
        function in "\\PC{0,100}",
        arguments in prop::collection::vec(arguments(), 0..8),
        (created, duration, edited, expires) in any::<(u64, u64, bool, Option<u64>)>(),
        (build, types) in any::<(Option<[u8; 16]>, Option<[u64; 3]>)>(),
        value in prop::collection::vec(any::<u8>(), 1..500),
        arrays in prop::collection::vec(arrays(), 0..40),
        host in "\\PC{0,60}",
    ) -> Record {
        let producer = Producer { host, ..Producer::clone(&sample().producer) }.into();
        Record {
            key,
            code,
            function: function.into(),
            arguments: arguments.into(),
            created,
            duration,
            expires,
            build: build.map(Digest::from_bytes),
            types: types.map(Types::from_numbers),
            edited,
            value,
            arrays,
            producer,
            ..sample()
        }
    }
}

proptest! {
    #[test]
    fn records_survive_the_round_trip(record in records()) {
        let bytes = record.encode().unwrap();
        prop_assert_eq!(&decode(&bytes).unwrap(), &record);
        prop_assert_eq!(&oracle::record(verify(&bytes).unwrap()).unwrap(), &record);
        let split = record.split(|| "x.msgpack".to_owned()).unwrap();
        prop_assert_eq!(decode(&split.record).unwrap(), record);
    }

    /// The trailer holds, so that the decoder itself has to stand it.
    #[test]
    fn a_forged_record_is_read_or_refused(
        record in records(),
        forgeries in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let bytes = record.encode().unwrap();
        let mut body = verify(&bytes).unwrap().to_vec();
        for (at, byte) in forgeries {
            let len = body.len();
            body[at.index(len)] = byte;
        }
        if let Ok(read) = decode(&sealed(&body)) {
            prop_assert!(read.files().all(|file| !file.contains('/')));
        }
    }

    #[test]
    fn a_forged_body_is_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(&sealed(&body)).is_err());
    }
}

#[test]
fn each_record_has_its_own_function_and_producer_whichever_was_decoded_before() {
    let host = |host: &str| -> Arc<Producer> {
        Producer { host: host.to_owned(), ..Producer::clone(&sample().producer) }.into()
    };
    let records = ["a", "b", "ab"].map(|name| Record { function: name.into(), producer: host(name), ..sample() });
    for (first, second) in (0..9).map(|n| (&records[n / 3], &records[n % 3])) {
        for record in [first, second, second] {
            assert_eq!(decode(&record.encode().unwrap()).unwrap(), *record);
        }
    }
}

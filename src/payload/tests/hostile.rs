//! Bytes from anyone: an error, no panic, no memory beyond their own size.

use std::collections::{BTreeMap, HashMap, HashSet};

use ndarray::{Array1, ArrayD, array};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{plain, save};
use crate::error::{Error, ErrorKind, Result};
use crate::payload::fuzzing::{self, AnyBySerde, Anything, Everything};
use crate::payload::{Format, Payload, ViaSerde, raw};

#[track_caller]
fn error<T: Payload + std::fmt::Debug>(bytes: &[u8]) -> Error {
    plain(bytes).load::<T>().unwrap_err()
}

#[test]
fn declared_lengths_are_not_believed() {
    let cases: [&[u8]; 8] = [
        &[0xdd, 0xff, 0xff, 0xff, 0xff],       // an array
        &[0xdf, 0xff, 0xff, 0xff, 0xff],       // a map
        &[0xdb, 0xff, 0xff, 0xff, 0xff],       // a string
        &[0xc6, 0xff, 0xff, 0xff, 0xff],       // bytes
        &[0xc9, 0xff, 0xff, 0xff, 0xff, 2],    // an inline array
        &[0xdc, 0xff, 0xff, 0xc0, 0xc0],       // an array with some items
        &[0xde, 0x00, 0x02, 0x00, 0x00, 0x00], // a map that lacks a byte
        &[0xd6, 1, 0, 0, 0],                   // an index that lacks a byte
    ];
    for bytes in cases {
        for error in [
            error::<Vec<String>>(bytes),
            error::<HashMap<u8, u8>>(bytes),
            error::<String>(bytes),
            error::<std::path::PathBuf>(bytes),
            error::<Array1<f64>>(bytes),
            error::<Vec<f64>>(bytes),
            error::<(u8, u8)>(bytes),
            plain(bytes).read(<ViaSerde as Format<Vec<String>>>::load).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        }
    }
}

#[test]
fn an_array_that_declares_too_much_is_damage() {
    let inline = |shape: &[u8]| {
        let inner = [b"\x94\xa3<f8\xa1C".as_slice(), shape, &[0xc4, 0]].concat();
        [&[0xc7, inner.len() as u8, 2], inner.as_slice()].concat()
    };
    let huge = [0x92, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
    let many = [0x91, 0xce, 0x10, 0, 0, 0];
    for shape in [huge.as_slice(), &many, &[0xdd, 0xff, 0xff, 0xff, 0xff], &[0x91, 0xff]] {
        assert_eq!(error::<ArrayD<f64>>(&inline(shape)).kind(), ErrorKind::Damaged);
    }
    assert_eq!(plain(&inline(&[0x91, 0])).load::<ArrayD<f64>>().unwrap().len(), 0);
    let empty_but_huge = [0x92, 0, 0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(error::<ArrayD<f64>>(&inline(&empty_but_huge)).kind(), ErrorKind::Damaged);
}

#[test]
fn an_inline_array_of_another_order_dtype_or_length_is_damage() {
    let cases = [
        ("\u{94}\u{a3}<f8\u{a1}K\u{91}\0\u{c4}\0", "array has order `K`, expected `C` or `F`"),
        ("\u{94}\u{a2}|O\u{a1}C\u{91}\0\u{c4}\0", "dtype `|O` isn't one that can be read"),
        ("\u{94}\u{a3}<f8\u{a1}C\u{91}\u{1}\u{c4}\0", "array has 0 bytes, expected 8"),
        ("\u{94}\u{a3}<f8\u{a1}C\u{91}\0\u{c4}\0\0", "value ends after 11 bytes, 1 more follow"),
        ("\u{94}\u{a3}<f8\u{a1}C\u{91}\u{1}\u{c4}\u{8}12345678", "dtype is `f64`, expected `bool`"),
        ("\u{94}\u{a3}|b1\u{a1}C\u{91}\u{1}\u{c4}\u{1}2", "element 0 of dtype `bool` is 50, expected 0 or 1"),
    ];
    for (inner, message) in cases {
        let inner: Vec<u8> = inner.chars().map(|c| c as u8).collect();
        let bytes = [&[0xc7, inner.len() as u8, 2], inner.as_slice()].concat();
        let error = error::<Array1<bool>>(&bytes).to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn one_array_cannot_be_asked_for_twice() {
    let mut saved = save(&vec![array![1.0], array![2.0]], 0);
    let last = saved.value.len() - 1;
    assert_eq!(saved.value[last], 1);
    saved.value[last] = 0;
    let error = saved.load::<Vec<Array1<f64>>>().unwrap_err();
    assert_eq!(error.to_string(), "value refers to array 0, expected 1");
    saved.value[last] = 2;
    assert!(saved.load::<Vec<Array1<f64>>>().is_err());
}

#[test]
fn depth_is_bounded() {
    #[derive(Debug, Serialize, Deserialize)]
    struct List(Option<Box<List>>);
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Any {
        Seq(Vec<Any>),
        Number(u8),
    }
    let deep = |unit: &[u8]| [b"\x92\xd8\x040123456789abcdef".as_slice(), &unit.repeat(1_000_000)].concat();
    let list = |bytes: &[u8]| plain(bytes).read(<ViaSerde as Format<List>>::load).unwrap_err();
    let any = |bytes: &[u8]| plain(bytes).read(<ViaSerde as Format<Any>>::load).unwrap_err();
    for error in [list(&deep(&[0xdc, 0, 1])), list(&deep(&[1])), any(&deep(&[0x91]))] {
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("deeper than 128"), "{error}");
    }
    assert!(error::<Vec<Vec<Vec<String>>>>(&[0x91; 1_000]).to_string().contains("expected a string"));
}

#[test]
fn what_follows_a_value_is_damage() {
    assert_eq!(error::<u8>(&[1, 2]).to_string(), "value ends after 1 bytes, 1 more follow");
    assert_eq!(error::<u8>(&[]).to_string(), "value has the end at byte 0, expected an unsigned integer");
}

#[test]
fn values_that_the_type_does_not_have_are_damage() {
    for (error, message) in [
        (error::<u8>(&[0xcd, 1, 0]), "value has the number 256, expected one of 1 bytes"),
        (error::<u8>(&[0xff]), "value has an integer at byte 0, expected an unsigned integer"),
        (error::<char>(b"\xa2ab"), "value has a string of 2 bytes, expected one character"),
        (error::<String>(&[0xa1, 0xff]), "value has a string at byte 0, expected a string in UTF-8"),
        (error::<f64>(&[1]), "value has an unsigned integer at byte 0, expected a float of 64 bits"),
        (error::<u128>(&[0xc4, 1, 0]), "value has bytes at byte 0, expected 16 bytes"),
        (error::<(u8, u8)>(&[0x91, 0]), "tuple has 1 values at byte 0, expected 2"),
        (error::<Option<u8>>(&[0x92, 0, 0]), "Some has 2 values at byte 0, expected 1"),
        (error::<std::num::NonZero<u8>>(&[0]), "value has a 0, expected any other"),
        (error::<HashSet<u8>>(&[0x92, 3, 3]), "set has an element twice"),
        (error::<BTreeMap<u8, u8>>(&[0x82, 3, 0, 3, 1]), "map has a key twice"),
        (error::<Result<u8, u8>>(b"\xa2Ok"), "variant `Result::Ok` has other fields before byte 3"),
        (error::<Result<u8, u8>>(b"\x81\xa2No\x01"), "value has variant `Result::No` at byte 1, there is none"),
        (error::<[String; 2]>(b"\x91\xa0"), "sequence has 1 values, expected 2"),
        (error::<Array1<u8>>(&[0xd4, 9, 0]), "value has an extension 9 of 1 bytes at byte 0, expected an array"),
        (error::<Array1<u8>>(&[0xc0]), "value has nil at byte 0, expected an array of elements"),
        (error::<Array1<u8>>(&[0xd6, 1, 0, 0, 0, 0]), "no such array"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().starts_with(message), "{error}");
    }
    assert!(
        error::<std::time::Duration>(&[0x92, 1, 0xce, 0x3b, 0x9a, 0xca, 0])
            .to_string()
            .contains("1000000000 nanoseconds")
    );
    let late = [&[0x92, 0xc2, 0x92, 0xcf], [0xff; 8].as_slice(), &[0]].concat();
    assert!(error::<std::time::SystemTime>(&late).to_string().contains("further from 1970"));
}

fn everything() -> Everything {
    (
        vec![Some("a".into()), None],
        HashMap::from([(1, vec![0.5; 20])]),
        BTreeMap::from([((1, 'a'), Ok(3)), ((2, 'b'), Err(true))]),
        ArrayD::zeros(vec![2, 3]),
        vec![[true, false]; 3],
        HashSet::from([vec![1, 2], vec![]]),
        std::time::Duration::from_secs(1),
    )
}

/// Dtypes that somebody has put into a value, each with the bytes of one array of two elements: right ones, those of
/// objects, and those of elements of other lengths.
const FORGED: &[(&str, usize)] = &[
    ("<M8[D]", 16),
    ("[('a', '<f4'), ('b', '|V4')]", 16),
    ("|O", 16),
    ("O8", 16),
    ("object", 16),
    ("[('a', '|O')]", 16),
    ("[('a', [('b', 'O')])]", 16),
    ("[(\"a\", \"|O\")]", 16),
    ("|S1", 30),
    ("|S15", 2),
    ("[('a', '<f4')]", 16),
];

/// An array of two elements inside of a value.
fn inline(descr: &str, len: usize) -> Vec<u8> {
    let mut inner = vec![0x94, 0xd9, descr.len() as u8];
    inner.extend(descr.as_bytes());
    inner.extend([0xa1, b'C', 0x91, 2, 0xc4, len as u8]);
    inner.resize(inner.len() + len, 0x41);
    [&[0xc7, inner.len() as u8, 2], inner.as_slice()].concat()
}

#[test]
fn a_forged_dtype_inside_of_a_value_is_refused() {
    let load = |bytes: &[u8]| plain(bytes).read(|input| raw::load(input, raw::Form::Owned));
    for (number, &(descr, len)) in FORGED.iter().enumerate() {
        match load(&inline(descr, len)) {
            Ok(value) => assert!(number < 2 && value.arrays()[0].descr() == descr, "{descr}"),
            Err(error) => {
                let is_refused = matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Unsupported);
                assert!(number >= 2 && is_refused, "{descr}: {error}");
            }
        }
    }
}

#[test]
fn any_bytes_are_values_or_damage() {
    let list = vec![Anything::Number(2.5), Anything::Null, Anything::Bool(true), Anything::Text("b".into())];
    let anything = Anything::Map(BTreeMap::from([("a".into(), Anything::List(list))]));
    let by_serde: AnyBySerde = (vec![Some("a".into())], HashMap::from([(1, 0.5)]), Some(Some(7)), anything);
    let corpus = [
        save(&everything(), 4096).value,
        super::save_as(&by_serde, ViaSerde, 4096).unwrap().value,
        save(&vec![vec![Some("text".to_owned()); 5]; 3].concat(), 4096).value,
        save(&ArrayD::<f64>::zeros(vec![2, 3, 4]), 4096).value,
        save(&std::time::SystemTime::UNIX_EPOCH, 4096).value,
    ];
    let corpus: Vec<_> = corpus.into_iter().chain(FORGED.iter().map(|&(descr, len)| inline(descr, len))).collect();
    let name = "payload::tests::hostile::any_bytes_are_values_or_damage";
    crate::fuzz::fuzz(name, Some("values"), 40_000, &corpus, fuzzing::values);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_are_values_or_damage(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::values(&bytes);
    }

    #[test]
    fn changed_bytes_are_values_or_damage(cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = save(&everything(), 4096).value;
        let cut_off = &bytes[..cut.index(bytes.len())];
        prop_assert!(plain(cut_off).load::<Everything>().is_err());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        fuzzing::values(&bytes);
    }
}

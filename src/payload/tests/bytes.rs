//! The stored form is a format: these bytes are in files.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use ndarray::{Array2, ShapeBuilder, array};

use super::super::{Format, OkOnly, ViaPayload, ViaSerde};
use super::{save, save_as};
use crate::digest::Digest;
use crate::payload::Payload;

#[track_caller]
fn check<T: Payload>(value: T, expected: &[u8]) {
    let saved = save(&value, 4096);
    assert_eq!(saved.value, expected);
    assert!(saved.shelf.arrays.is_empty());
}

#[test]
fn scalars_are_the_shortest_messagepack() {
    check(7_u64, &[7]);
    check(-1_i64, &[0xff]);
    check(300_u32, &[0xcd, 1, 44]);
    check(300_i16, &[0xcd, 1, 44]);
    check(-300_isize, &[0xd1, 0xfe, 0xd4]);
    check(true, &[0xc3]);
    check(1.5_f32, &[0xca, 0x3f, 0xc0, 0, 0]);
    check(1.5_f64, &[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
    check('é', &[0xa2, 0xc3, 0xa9]);
    check(String::from("ab"), b"\xa2ab");
    check(PathBuf::from("ab"), b"\xc4\x02ab");
    check(Duration::from_millis(1500), &[0x92, 1, 0xce, 0x1d, 0xcd, 0x65, 0]);
}

#[test]
fn wide_integers_are_sixteen_bytes_big_endian() {
    let mut expected = vec![0xc4, 16];
    expected.extend([0xff; 15]);
    expected.push(0xfe);
    check(-2_i128, &expected);
    let mut expected = vec![0xc4, 16];
    expected.extend([0; 14]);
    expected.extend([1, 2]);
    check(258_u128, &expected);
}

#[test]
fn each_layer_of_an_option_is_seen() {
    check(None::<Option<u8>>, &[0xc0]);
    check(Some(None::<u8>), &[0x91, 0xc0]);
    check(Some(Some(3_u8)), &[0x91, 0x91, 3]);
    check(Some(()), &[0x91, 0xc0]);
    check((), &[0xc0]);
}

#[test]
fn composites_are_arrays_and_maps() {
    check((1_u8, String::from("a")), b"\x92\x01\xa1a");
    check(vec![String::from("a")], b"\x91\xa1a");
    check(Ok::<u8, String>(1), b"\x81\xa2Ok\x01");
    check(Err::<u8, String>("e".into()), b"\x81\xa3Err\xa1e");
    check(BTreeSet::from([300_u32, 1]), &[0x92, 1, 0xcd, 1, 44]);
    check(HashMap::from([(2_u8, 'b'), (1, 'a')]), b"\x82\x01\xa1a\x02\xa1b");
}

#[test]
fn a_result_of_anything_is_stored_like_one_of_payloads() {
    let saved = save_as(&Ok::<_, std::fmt::Error>(1_u8), OkOnly(ViaPayload), 0).unwrap();
    assert_eq!(saved.value, b"\x81\xa2Ok\x01");
}

#[test]
fn a_small_array_is_an_extension_that_holds_messagepack() {
    let inner = b"\x94\xa3|u1\xa1C\x91\x02\xc4\x02\x05\x06";
    let expected = [&[0xc7, inner.len() as u8, 2], inner.as_slice()].concat();
    check(array![5_u8, 6], &expected);
    check(vec![5_u8, 6], &expected);
    check([5_u8, 6], &expected);
}

#[test]
fn an_array_keeps_its_order() {
    let a = Array2::from_shape_vec((2, 1).f(), vec![5_u8, 6]).unwrap();
    assert!(save(&a, 100).value.windows(2).any(|pair| pair == b"\xa1C"), "a column is C and F: C wins");
    let a = Array2::from_shape_vec((2, 2).f(), vec![5_u8, 6, 7, 8]).unwrap();
    let saved = save(&a, 100).value;
    assert!(saved.windows(2).any(|pair| pair == b"\xa1F"));
    assert!(saved.ends_with(&[5, 6, 7, 8]), "elements are in the order of memory");
}

#[test]
fn a_lifted_array_is_its_index() {
    let saved = save(&(vec![1_u8; 9], array![1.0, 2.0]), 8);
    assert_eq!(saved.value, [0x92, 0xd6, 1, 0, 0, 0, 0, 0xd6, 1, 0, 0, 0, 1]);
    assert_eq!(saved.shelf.arrays.len(), 2);
}

#[test]
fn a_serde_value_follows_its_digest() {
    let saved = save_as(&(Some(1_u8), [2_u8]), ViaSerde, 0).unwrap();
    assert_eq!(saved.value[..3], [0x92, 0xd8, 4]);
    // By docs/format.md: no variant, a tuple of `Some` of u8, and a tuple of u8.
    let fold = |s: u64, n: u64| (s ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let signature = [0, 25, 18, 7, 25, 7].into_iter().fold(0, fold);
    let of_bytes = Digest::of(&saved.value[19..]).to_bytes();
    let digest = Digest::of(&[&signature.to_le_bytes()[..], &of_bytes].concat());
    assert_eq!(saved.value[3..19], digest.to_bytes());
    // `Some(x)` is an array of one with a longer head than a sequence of one.
    assert_eq!(saved.value[19..], [0x92, 0xdc, 0, 1, 1, 0x91, 2]);
}

#[test]
fn a_serde_value_without_an_order_follows_the_digest_that_has_none() {
    let map: HashMap<u64, u8> = (0..100).map(|n| (n, 0)).collect();
    let saved = save_as(&map, ViaSerde, 0).unwrap();
    assert_eq!(saved.value[..3], [0x92, 0xd8, 5]);
    assert_eq!(saved.value[3..19], crate::digest::digest_serde_unordered(&map).unwrap().to_bytes());
    assert_eq!(saved.read(<ViaSerde as Format<HashMap<u64, u8>>>::load).unwrap(), map);
}

#[test]
fn equal_sets_have_equal_bytes() {
    let forwards: HashMap<u64, u8> = (0..100).map(|n| (n, 0)).collect();
    let backwards: HashMap<u64, u8> = (0..100).rev().map(|n| (n, 0)).collect();
    assert_eq!(save(&forwards, 0).value, save(&backwards, 0).value);
}

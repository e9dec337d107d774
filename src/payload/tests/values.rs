//! Types of std come back as they were.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::num::NonZero;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use ndarray::{Array1, Array2, array};
use num_complex::Complex;
use proptest::prelude::*;

use super::{check, save};
use crate::payload::{Codec, Mappable, Outcome, Payload, TypeName, ViaPayload};

#[test]
fn extremes_come_back() {
    check((u128::MAX, i128::MIN, u64::MAX, i64::MIN, i8::MIN, ()));
    check((usize::MAX, isize::MIN, f64::NEG_INFINITY, f32::MIN_POSITIVE, char::MAX, '\0'));
    check((Duration::MAX, SystemTime::UNIX_EPOCH - Duration::from_nanos(1), NonZero::<i8>::MIN));
    check((PathBuf::from(OsString::from_vec(vec![0xff, b'/', 0x80])), OsString::new()));
    check((Complex::new(1.0_f32, -0.0), Complex::new(f64::INFINITY, 0.0), true));
    check((Box::new(3_u8), Box::<str>::from("é"), Box::<[String]>::from(["a".into()])));
    check((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, (12,)));
}

#[test]
fn a_float_keeps_every_bit() {
    for bits in [0x7ff0_0000_0000_0001_u64, 0xfff8_dead_beef_0001, 0x8000_0000_0000_0000] {
        let (one, many, array) = (f64::from_bits(bits), vec![f64::from_bits(bits)], array![f64::from_bits(bits)]);
        let (a, b, c) = save(&(one, many, array), 0).load::<(f64, Vec<f64>, Array1<f64>)>().unwrap();
        assert_eq!([a.to_bits(), b[0].to_bits(), c[0].to_bits()], [bits; 3]);
    }
    let bits = 0x7f80_0001;
    assert_eq!(save(&f32::from_bits(bits), 0).load::<f32>().unwrap().to_bits(), bits);
}

#[test]
fn a_sequence_of_elements_is_one_array() {
    let points = vec![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let saved = save(&points, 0);
    assert_eq!(saved.shelf.arrays.len(), 1);
    assert_eq!(saved.shelf.arrays[0].0.shape, [6]);
    check(points);
    check(vec![vec![true, false], vec![]]);
    check([[[1_u8; 2]; 3]; 4]);
    check(vec![[0_u8; 0]; 5]);
    check([[0_u8; 0]; 5]);
    check([String::from("a"), String::new()]);
    check(vec![[String::from("a")], [String::from("b")]]);
}

#[test]
fn a_deque_that_wraps_around_comes_back() {
    let mut deque = VecDeque::with_capacity(8);
    deque.extend([1, 2, 3]);
    deque.push_front(0);
    assert!(!deque.as_slices().1.is_empty());
    check(deque.clone());
    check(deque.into_iter().map(|n| n.to_string()).collect::<VecDeque<_>>());
}

#[test]
fn arrays_come_back_wherever_they_are() {
    let map = HashMap::from([("x".to_owned(), array![[1.0], [2.0]]), ("y".to_owned(), array![[3.0]])]);
    check((Some(array![1_u8]), Ok::<_, String>(array![2_i16]), vec![array![1.5]; 3], map));
    check(HashMap::from([(vec![1_u8; 10_000], array![1.0]), (vec![2; 9_999], array![2.0])]));
    check(HashSet::from([vec![1_u32; 5000], vec![]]));
}

#[test]
fn what_a_result_is_shows_through_its_ok() {
    let of = |value: Result<Option<u8>, String>| value.outcome();
    assert_eq!(of(Ok(Some(1))), Outcome::Value);
    assert_eq!(of(Ok(None)), Outcome::None);
    assert_eq!(of(Err(String::new())), Outcome::Err);
    assert_eq!(Some(None::<u8>).outcome(), Outcome::Value);
    assert_eq!(vec![None::<u8>].outcome(), Outcome::Value);
}

fn name_of<T: Payload>() -> TypeName {
    Codec::<T>::of(ViaPayload).type_name()
}

#[test]
fn types_have_names_of_their_own() {
    use crate::Mapped2;
    assert_eq!(name_of::<(Array2<f64>, ndarray::ArrayD<usize>)>().as_str(), "(f64[2], u64[..])");
    assert_eq!(name_of::<Result<Option<Vec<[u8; 3]>>, String>>().as_str(), "Result<Option<Vec<[u8; 3]>>, String>");
    assert_eq!(name_of::<HashMap<String, Mapped2<f32>>>().as_str(), "HashMap<String, mapped f32[2]>");
    assert!(name_of::<(u8, Vec<Mapped2<f32>>)>().has_mapped());
    assert!(!name_of::<(u8, Vec<Array2<f32>>)>().has_mapped());
}

#[test]
fn mapped_forms_agree_with_loaded_ones() {
    type Value = (Array2<f64>, Option<Array1<u8>>, Vec<f64>, Vec<[Array1<i8>; 1]>, HashMap<String, Array1<u8>>, String);
    let value: Value = (
        array![[1.0, 2.0]],
        Some(array![3]),
        vec![4.0],
        vec![[array![5]], [array![6]]],
        HashMap::from([("a".into(), array![7])]),
        "b".into(),
    );
    for inline in [0, 4096] {
        let mapped = save(&value, inline).read(Value::map).unwrap();
        let from_memory = value.clone().into_mapped();
        assert_eq!(mapped.0, value.0);
        assert_eq!(mapped.1.as_ref().unwrap(), value.1.as_ref().unwrap());
        assert_eq!(mapped.2, value.2);
        assert_eq!(mapped.3[1][0], value.3[1][0]);
        assert_eq!(mapped.4["a"], from_memory.4["a"]);
        assert_eq!(mapped.5, "b");
    }
}

type Nested = (
    Vec<Option<(u8, String)>>,
    HashMap<String, Vec<f32>>,
    BTreeMap<i64, Option<Option<bool>>>,
    Result<u128, char>,
    Vec<Vec<[i16; 2]>>,
    BTreeSet<(String, i128)>,
);

fn nested() -> impl Strategy<Value = Nested> {
    use proptest::collection::{btree_map, btree_set, hash_map, vec};
    let float = any::<f32>().prop_filter("compared by ==", |x| !x.is_nan());
    (
        vec(any::<Option<(u8, String)>>(), 0..5),
        hash_map(any::<String>(), vec(float, 0..2000), 0..4),
        btree_map(any::<i64>(), any::<Option<Option<bool>>>(), 0..20),
        any::<Result<u128, char>>(),
        vec(vec(any::<[i16; 2]>(), 0..5), 0..5),
        btree_set((any::<String>(), any::<i128>()), 0..5),
    )
}

proptest! {
    #[test]
    fn nested_values_come_back(value in nested(), inline in prop_oneof![Just(0), 1_u64..8192]) {
        let saved = save(&value, inline);
        prop_assert_eq!(saved.load::<Nested>().unwrap(), value);
        let large = saved.shelf.arrays.iter().all(|(_, bytes)| inline == 0 || bytes.len() as u64 > inline);
        prop_assert!(large, "only what is larger than the limit is lifted");
    }
}

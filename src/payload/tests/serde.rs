//! Types that only serde knows: each comes back as it was, or is refused when it is saved.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Deserialize, Serialize, Serializer};
use serde_bytes::ByteBuf;

use super::{Saved, by_serde, plain, save_as};
use crate::error::ErrorKind;
use crate::payload::{Format, ViaSerde};

#[track_caller]
fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    assert_eq!(by_serde(&value).unwrap(), value);
}

#[track_caller]
fn is_refused<T: Serialize + DeserializeOwned + Debug>(value: T, because: &str) {
    let error = by_serde(&value).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains(std::any::type_name::<T>()), "{error}");
    assert!(error.to_string().contains(because), "{error}");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(Option<f64>),
    Tuple(u8, String),
    Struct { x: Option<Option<i64>>, y: () },
    Recursive(Box<Shape>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Vec<Option<u8>>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(Newtype, Unit);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Optional {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<u8>,
    #[serde(default)]
    b: Vec<u8>,
    #[serde(skip)]
    c: u8,
    #[serde(rename = "dee")]
    d: Option<Vec<f32>>,
}

#[test]
fn options_nest() {
    type Three = Option<Option<Option<u8>>>;
    let values: [Three; 4] = [None, Some(None), Some(Some(None)), Some(Some(Some(1)))];
    values.into_iter().for_each(survives);
    survives([Some(()), None]);
    survives(Some(Newtype(vec![None])));
    survives((Some([1_u8]), [Some(1_u8)], Some(vec![Some([0.5_f64; 1])])));
}

#[test]
fn extremes_come_back() {
    survives((u128::MAX, i128::MIN, i128::MAX, u64::MAX, i64::MIN, i8::MIN));
    survives((f64::INFINITY, f32::NEG_INFINITY, f64::MIN_POSITIVE, '\u{10ffff}', '\0', String::new()));
    survives(((), Unit, Newtype(vec![]), Pair(Newtype(vec![None, Some(3)]), Unit)));
}

#[test]
fn a_float_keeps_every_bit() {
    let bits = [0x7ff0_0000_0000_0001_u64, 0xfff8_dead_beef_0001, 0x8000_0000_0000_0000];
    let floats = bits.map(f64::from_bits);
    assert_eq!(by_serde(&floats).unwrap().map(f64::to_bits), bits);
    assert_eq!(by_serde(&f32::from_bits(0x7f80_0001)).unwrap().to_bits(), 0x7f80_0001);
}

#[test]
fn variants_of_every_shape_come_back() {
    survives(vec![
        Shape::Unit,
        Shape::Newtype(None),
        Shape::Newtype(Some(0.5)),
        Shape::Tuple(1, "a".into()),
        Shape::Struct { x: Some(None), y: () },
        Shape::Recursive(Box::new(Shape::Recursive(Box::new(Shape::Unit)))),
    ]);
    survives(Some(Shape::Unit));
    survives(HashMap::from([("k".to_owned(), Shape::Unit)]));
}

#[test]
fn maps_may_have_keys_of_any_type() {
    survives(BTreeMap::from([((1_i32, Some('a')), "x".to_owned()), ((-1, None), String::new())]));
    survives(BTreeMap::from([(Some(1_u8), 1), (None, 2)]));
    survives(HashMap::from([(ByteBuf::from(vec![0, 255]), ByteBuf::new())]));
}

#[test]
fn a_set_inside_a_struct_comes_back_in_any_order() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Words {
        words: HashSet<String>,
        counts: HashMap<String, HashSet<u32>>,
    }
    let words: HashSet<String> = (0..50).map(|n| n.to_string()).collect();
    survives(Words { counts: words.iter().map(|word| (word.clone(), (0..20).collect())).collect(), words });
}

#[test]
fn fields_that_are_left_out_take_their_defaults() {
    survives(Optional::default());
    survives(Optional { a: Some(1), b: vec![1, 2], c: 0, d: Some(vec![0.5]) });
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Internal {
    Unit,
    Struct { a: Option<f64>, b: Vec<Option<u8>>, c: Option<[u8; 1]> },
    Newtype(Optional),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    Newtype(Option<Shape>),
    Tuple(u128, i8),
    Struct { a: Option<()> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Text(String),
    One([Option<u8>; 1]),
    Struct { x: Option<Option<f64>>, shape: Shape },
    Signed(i64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    inner: Optional,
    #[serde(flatten)]
    rest: BTreeMap<String, Option<Vec<Option<f64>>>>,
}

#[test]
fn tagged_untagged_and_flattened_types_come_back() {
    survives(vec![
        Internal::Unit,
        Internal::Struct { a: Some(0.5), b: vec![None, Some(1)], c: Some([1]) },
        Internal::Struct { a: None, b: vec![], c: None },
        Internal::Newtype(Optional { a: Some(1), b: vec![3], c: 0, d: Some(vec![1.0]) }),
    ]);
    survives(vec![
        Adjacent::Unit,
        Adjacent::Newtype(None),
        Adjacent::Newtype(Some(Shape::Newtype(None))),
        Adjacent::Tuple(u128::MAX, -1),
        Adjacent::Struct { a: Some(()) },
    ]);
    survives(vec![
        Untagged::Number(1),
        Untagged::Signed(-1),
        Untagged::Text("a".into()),
        Untagged::One([None]),
        Untagged::One([Some(1)]),
        Untagged::Struct { x: Some(Some(0.5)), shape: Shape::Tuple(1, "b".into()) },
        Untagged::Struct { x: Some(None), shape: Shape::Unit },
    ]);
    survives(Flat {
        id: 1,
        inner: Optional { a: Some(1), b: vec![], c: 0, d: None },
        rest: BTreeMap::from([("x".into(), Some(vec![Some(1.0), None])), ("y".into(), None)]),
    });
}

#[test]
fn variants_that_look_alike_are_refused() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Length {
        Metres(f64),
        Feet(f64),
    }
    assert!(by_serde(&Length::Metres(1.0)).is_ok());
    is_refused(Length::Feet(1.0), "another content");
    // A positive number is the first variant that takes it.
    is_refused(Untagged::Signed(1), "another content");
}

#[test]
fn wide_integers_in_a_flattened_struct_are_refused() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Inner {
        wide: u128,
    }
    is_refused(Outer { inner: Inner { wide: 1 } }, "doesn't survive");
}

#[test]
fn a_type_that_differs_for_people_comes_back_where_serde_can_tell() {
    survives(IpAddr::V4(Ipv4Addr::LOCALHOST));
    survives(Some(crate::Digest::from_bytes([9; 16])));
}

#[test]
fn a_field_that_is_not_read_back_is_refused() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Forgetful {
        #[serde(skip_deserializing)]
        a: u8,
    }
    assert!(by_serde(&Forgetful { a: 0 }).is_ok());
    is_refused(Forgetful { a: 1 }, "another content");
}

#[test]
fn a_length_that_is_not_kept_is_refused() {
    #[derive(Debug, Deserialize)]
    struct Liar {}
    impl Serialize for Liar {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut fields = serializer.serialize_struct("Liar", 2)?;
            fields.serialize_field("a", &1)?;
            fields.end()
        }
    }
    is_refused(Liar {}, "of 2 was declared, 1 came");
}

#[test]
fn a_length_that_comes_late_is_written_all_the_same() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Late {
        one: Vec<u8>,
        many: BTreeMap<u32, u32>,
    }
    struct Stream<I>(I);
    impl<I: Iterator<Item = u8> + Clone> Serialize for Stream<I> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.clone().filter(|_| true))
        }
    }
    impl Serialize for Late {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry("one", &Stream(self.one.iter().copied()))?;
            map.serialize_entry("many", &self.many)?;
            map.end()
        }
    }
    survives(Late { one: vec![1], many: (0..70_000).map(|n| (n, n)).collect() });
    survives(Some(Late { one: vec![], many: BTreeMap::new() }));
}

#[test]
fn a_list_deeper_than_any_reader_goes_is_refused() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct List(Option<Box<List>>);
    let list = |len| (0..len).fold(List(None), |tail, _| List(Some(Box::new(tail))));
    survives(list(50));
    is_refused(list(200), "deeper than 128");
}

#[test]
fn another_definition_of_the_type_is_damage() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Then {
        a: u32,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Now {
        a: u32,
        #[serde(default)]
        b: u32,
    }
    let saved = save_as(&Then { a: 1 }, ViaSerde, 0).unwrap();
    let error = saved.read(<ViaSerde as Format<Now>>::load).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().contains("Now`"), "{error}");
    assert_eq!(saved.read(<ViaSerde as Format<Then>>::load).unwrap().a, 1);
}

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        any::<Option<i32>>().prop_map(|x| Shape::Newtype(x.map(f64::from))),
        any::<(u8, String)>().prop_map(|(a, b)| Shape::Tuple(a, b)),
        any::<Option<Option<i64>>>().prop_map(|x| Shape::Struct { x, y: () }),
    ];
    leaf.prop_recursive(8, 8, 1, |inner| inner.prop_map(|shape| Shape::Recursive(Box::new(shape))))
}

type Anything = (Vec<Option<Shape>>, Vec<Adjacent>, Vec<Untagged>, BTreeMap<(i8, String), u128>);

fn anything() -> impl Strategy<Value = Anything> {
    use proptest::collection::{btree_map, vec};
    let adjacent = prop_oneof![
        Just(Adjacent::Unit),
        proptest::option::of(shapes()).prop_map(Adjacent::Newtype),
        any::<(u128, i8)>().prop_map(|(a, b)| Adjacent::Tuple(a, b)),
    ];
    let untagged = prop_oneof![
        any::<u32>().prop_map(Untagged::Number),
        any::<String>().prop_map(Untagged::Text),
        any::<Option<u8>>().prop_map(|x| Untagged::One([x])),
        shapes().prop_map(|shape| Untagged::Struct { x: Some(None), shape }),
        (i64::MIN..0).prop_map(Untagged::Signed),
    ];
    (
        vec(proptest::option::of(shapes()), 0..6),
        vec(adjacent, 0..6),
        vec(untagged, 0..6),
        btree_map(any::<(i8, String)>(), any::<u128>(), 0..6),
    )
}

proptest! {
    #[test]
    fn nested_serde_values_come_back(value in anything()) {
        prop_assert_eq!(by_serde(&value).unwrap(), value);
    }

    /// Damage is an error or, by the digest, the same value.
    #[test]
    fn a_damaged_serde_value_is_never_another_one(value in anything(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let Saved { value: mut bytes, .. } = save_as(&value, ViaSerde, 0).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(loaded) = plain(&bytes).read(<ViaSerde as Format<Anything>>::load) {
            prop_assert_eq!(loaded, value);
        }
    }
}

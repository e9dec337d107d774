use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proptest::prelude::*;
use serde::ser::Error as _;

use crate::digest::values::canonical::*;
use crate::digest::values::content::{ContentHash, digest};

#[derive(Serialize)]
struct Metres(f64);

#[derive(Serialize)]
struct Feet(f64);

#[derive(Serialize)]
struct Pair(u8, u8);

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Named {
    a: u8,
    b: u8,
}

#[derive(Serialize)]
#[serde(rename = "Named")]
struct Swapped {
    b: u8,
    a: u8,
}

#[derive(Serialize)]
enum Shape {
    Point,
    Dot,
    Circle(u8),
    Disc(u8),
    Box(u8, u8),
    Rect { a: u8, b: u8 },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Length {
    Metres(f64),
    Feet(f64),
}

/// Fails where it says so.
struct Stubborn(bool);

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            true => Err(S::Error::custom("it won't")),
            false => serializer.serialize_unit(),
        }
    }
}

fn serde<T: Serialize>(value: &T) -> Digest {
    digest_serde(value).unwrap()
}

fn unordered<T: Serialize>(value: &T) -> Digest {
    digest_serde_unordered(value).unwrap()
}

#[test]
fn values_of_different_meaning_differ() {
    let none: Option<Option<u8>> = None;
    let digests = [
        serde(&Metres(1.0)),
        serde(&Feet(1.0)),
        serde(&1_f64),
        serde(&1_f32),
        serde(&-0.0),
        serde(&0.0),
        serde(&Length::Feet(1.0)),
        serde(&none),
        serde(&Some(none)),
        serde(&Some(Some(1_u8))),
        serde(&1_u8),
        serde(&1_u16),
        serde(&1_u32),
        serde(&1_u64),
        serde(&1_i64),
        serde(&1_u128),
        serde(&1_i128),
        serde(&true),
        serde(&'\u{1}'),
        serde(&"\u{1}"),
        serde(&()),
        serde(&Unit),
        serde(&Pair(1, 2)),
        serde(&(1_u8, 2_u8)),
        serde(&vec![1_u8, 2]),
        serde(&serde_bytes::Bytes::new(&[1, 2])),
        serde(&Named { a: 1, b: 2 }),
        serde(&Swapped { b: 1, a: 2 }),
        serde(&BTreeMap::from([("a", 1_u8), ("b", 2)])),
        serde(&BTreeMap::from([("a", 2_u8), ("b", 1)])),
        serde(&vec![("a", 1_u8), ("b", 2)]),
        serde(&Shape::Point),
        serde(&Shape::Dot),
        serde(&Shape::Circle(1)),
        serde(&Shape::Disc(1)),
        serde(&Shape::Box(1, 2)),
        serde(&Shape::Rect { a: 1, b: 2 }),
        serde(&("ab", "c")),
        serde(&("a", "bc")),
        serde(&vec![vec!["a"], vec!["b"]]),
        serde(&vec![vec!["a", "b"], vec![]]),
    ];
    for (n, one) in digests.iter().enumerate() {
        assert!(!digests[..n].contains(one), "value {n} has the digest of another");
    }
}

#[test]
fn a_variant_is_told_by_its_number_where_serde_does_not_tell() {
    assert_ne!(discriminant(&Length::Metres(1.0)), discriminant(&Length::Feet(1.0)));
    assert_eq!(discriminant(&Length::Metres(1.0)), discriminant(&Length::Metres(2.0)));
    assert_ne!(serde(&Length::Metres(1.0)), serde(&Length::Feet(1.0)));
    assert_ne!(unordered(&Length::Metres(1.0)), unordered(&Length::Feet(1.0)));
}

/// A type of one's own that has this name isn't meant.
#[test]
fn a_cow_counts_by_its_content_borrowed_or_owned() {
    mod own {
        #[derive(serde::Serialize)]
        #[serde(untagged)]
        pub(super) enum Cow {
            Borrowed(u8),
            Owned(u8),
        }
    }
    let (borrowed, owned) = (Cow::Borrowed("a"), Cow::<str>::Owned("a".to_owned()));
    assert_eq!((serde(&borrowed), unordered(&borrowed)), (serde(&owned), unordered(&owned)));
    // The discriminant is 1 for both, as it was before all other types had it, too.
    assert_eq!((discriminant(&borrowed), discriminant(&owned)), (1, 1));
    assert_ne!(serde(&borrowed), serde(&Cow::Borrowed("b")));
    let (lists, other) = (Cow::Borrowed(&[1, 2][..]), Cow::<[i32]>::Owned(vec![1, 2]));
    assert_eq!(serde(&lists), serde(&other));
    assert_ne!(serde(&own::Cow::Borrowed(1)), serde(&own::Cow::Owned(1)));
}

#[test]
fn sequences_count_in_order_unless_they_might_be_sets() {
    assert_ne!(serde(&vec![1, 2]), serde(&vec![2, 1]));
    assert_eq!(unordered(&vec![1, 2]), unordered(&vec![2, 1]));
    assert_eq!(unordered(&Some(vec![vec![1, 2], vec![3]])), unordered(&Some(vec![vec![3], vec![2, 1]])));
    assert_ne!(unordered(&vec![1, 2]), unordered(&vec![1, 2, 2]));
    assert_ne!(unordered(&vec![vec![1], vec![2, 3]]), unordered(&vec![vec![1, 2], vec![3]]));
    assert_ne!(unordered(&(1, 2)), unordered(&(2, 1)));
}

#[test]
fn a_refusal_is_an_error_that_names_the_type() {
    let error = digest_serde(&Some(vec![Stubborn(false), Stubborn(true)])).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Invalid);
    let message = error.to_string();
    assert!(message.starts_with("can't serialize `") && message.ends_with("Stubborn>>`: it won't"), "{message}");
    assert!(digest_serde(&BTreeMap::from([(1, Stubborn(true))])).is_err());
    assert!(digest_serde(&vec![Stubborn(false)]).is_ok());
}

struct Holder(Stubborn);

impl ContentHash for Holder {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.begin_struct("Holder");
        hasher.serialize(&self.0);
        hasher.end();
    }
}

#[test]
fn a_value_with_a_part_that_refuses_fails_and_equals_nothing() {
    assert_eq!(digest(&Holder(Stubborn(false))), digest(&Holder(Stubborn(false))));
    let refusing = Holder(Stubborn(true));
    assert_ne!(digest(&refusing), digest(&refusing));

    // A refusal deep inside of something without an order is noticed, too.
    let nested = BTreeMap::from([(1, vec![Holder(Stubborn(false))]), (2, vec![refusing])]);
    let mut hasher = ContentHasher::trusting();
    nested.content_hash(&mut hasher);
    assert!(hasher.failure().unwrap().to_string().contains("Stubborn"));
    assert!(hasher.try_finish().is_err());
}

#[test]
fn a_value_that_serializes_does_not_fail() {
    let mut hasher = ContentHasher::new();
    hasher.serialize(&Named { a: 1, b: 2 });
    assert!(hasher.failure().is_none());
    assert_eq!(hasher.try_finish().unwrap(), serde(&Named { a: 1, b: 2 }));
}

proptest! {
    #[test]
    fn maps_count_in_no_order(entries in prop::collection::btree_map(any::<u16>(), any::<i8>(), 0..20)) {
        let hashed: HashMap<_, _> = entries.iter().rev().map(|(&key, &value)| (key, value)).collect();
        prop_assert_eq!(serde(&hashed), serde(&entries));
    }

    #[test]
    fn sets_survive_the_check_for_a_round_trip(items in prop::collection::btree_set(any::<u16>(), 0..20)) {
        let hashed: HashSet<_> = items.iter().rev().copied().collect();
        let sorted: BTreeSet<_> = items;
        prop_assert_eq!(unordered(&hashed), unordered(&sorted));
    }

    #[test]
    fn different_values_differ(
        a in any::<(Option<Option<bool>>, Vec<Vec<bool>>, Result<u8, u16>)>(),
        b in any::<(Option<Option<bool>>, Vec<Vec<bool>>, Result<u8, u16>)>(),
    ) {
        prop_assert_eq!(a == b, serde(&a) == serde(&b));
    }
}

/// Two maps among the fields around them.
#[derive(Serialize)]
struct Flattened {
    scale: f64,
    #[serde(flatten)]
    first: BTreeMap<String, f64>,
    #[serde(flatten)]
    second: HashMap<String, f64>,
}

/// Pairs that are written as a map, whatever their keys.
#[derive(Serialize)]
struct Pairs(#[serde(serialize_with = "as_map")] Vec<(u8, u8)>);

fn as_map<S: Serializer>(pairs: &[(u8, u8)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

#[test]
fn a_key_that_a_map_has_twice_is_an_error() {
    let map = |name: &str, value| [(name.to_owned(), value)];
    let flattened = |scale, first: [(String, f64); 1], second: [(String, f64); 1]| Flattened {
        scale,
        first: first.into(),
        second: second.into(),
    };
    let unlike = digest_serde(&flattened(1.0, map("a", 2.0), map("b", 3.0))).unwrap();
    assert_ne!(digest_serde(&flattened(1.0, map("a", 3.0), map("b", 2.0))).unwrap(), unlike);
    for twice in [
        flattened(1.0, map("scale", 2.0), map("b", 3.0)),
        flattened(2.0, map("scale", 1.0), map("b", 3.0)),
        flattened(1.0, map("a", 2.0), map("a", 3.0)),
        flattened(1.0, map("a", 2.0), map("a", 2.0)),
    ] {
        let error = digest_serde(&twice).unwrap_err().to_string();
        assert!(error.contains("twice") && error.contains("derive `ndcache::ContentHash`"), "{error}");
    }
    assert!(digest_serde(&Pairs(vec![(1, 2), (1, 3)])).is_err());
    assert_ne!(
        digest_serde(&Pairs(vec![(1, 2), (3, 4)])).unwrap(),
        digest_serde(&Pairs(vec![(1, 4), (3, 2)])).unwrap()
    );
    // An argument that comes after others is refused, too.
    assert!(digest_serde(&vec![Pairs(vec![(1, 2), (3, 4)]), Pairs(vec![(0, 0); 2])]).is_err());
}

//! The stream held against two naive models: one writes it by docs/format.md, the other reads it back. What can be read
//! back is told from every other value.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::digest::values::content::{ContentHash, digest};
use crate::digest::values::hasher::*;

/// Names that are prefixes of each other, and one of no length.
const NAMES: [&str; 5] = ["", "a", "ab", "b", "P"];

/// What can be fed: well-formed or not, as an implementation by hand may do.
#[derive(Clone, Debug, PartialEq)]
enum Fed {
    U8(u8),
    F64(u64),
    Text(&'static str),
    None,
    Some(Box<Fed>),
    Tuple(Vec<Fed>),
    Seq(Vec<Fed>),
    Struct(&'static str, Vec<(Option<&'static str>, Fed)>),
    Variant(&'static str, &'static str, Vec<(Option<&'static str>, Fed)>),
}

impl ContentHash for Fed {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        match self {
            Self::U8(value) => hasher.u8(*value),
            Self::F64(bits) => hasher.f64(f64::from_bits(*bits)),
            Self::Text(text) => hasher.str(text),
            Self::None => hasher.none(),
            Self::Some(value) => {
                hasher.some();
                value.content_hash(hasher);
            }
            Self::Tuple(values) => {
                hasher.begin_tuple();
                values.iter().for_each(|value| value.content_hash(hasher));
                hasher.end();
            }
            Self::Seq(values) => values.content_hash(hasher),
            Self::Struct(name, fields) => {
                // The same by a name that stays and by one that is lent.
                match fields.len() % 2 {
                    0 => hasher.begin_struct(name),
                    _ => hasher.begin(Head { name: Name::Static(name), kind: HeadKind::Struct }),
                }
                feed_fields(fields, hasher);
            }
            Self::Variant(name, variant, fields) => {
                hasher.begin_variant(name, variant);
                feed_fields(fields, hasher);
            }
        }
    }
}

/// A value as the key of a sorted map.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key(u8);

impl ContentHash for Key {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        Fed::Struct("P", vec![(Some("a"), Fed::U8(self.0))]).content_hash(hasher);
    }
}

fn feed_fields(fields: &[(Option<&'static str>, Fed)], hasher: &mut ContentHasher) {
    for (n, (name, value)) in fields.iter().enumerate() {
        match name {
            Some(name) if n % 2 == 0 => hasher.field(name),
            Some(name) => drop(hasher.begin_field(name)),
            None => {}
        }
        value.content_hash(hasher);
    }
    hasher.end();
}

/// The names of a stream, as both models keep them: of each head its fields, as they came first.
#[derive(Default)]
struct Table(Vec<(Vec<u8>, Vec<String>)>);

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

impl Table {
    fn write(&mut self, value: &Fed, out: &mut Vec<u8>) {
        match value {
            Fed::U8(value) => out.extend([0x10, *value]),
            Fed::F64(bits) => out.extend([&[0x22][..], &bits.to_le_bytes()].concat()),
            Fed::Text(value) => out.extend([vec![0x04], text(value)].concat()),
            Fed::None => out.push(0x06),
            Fed::Some(value) => {
                out.push(0x07);
                self.write(value, out);
            }
            Fed::Tuple(values) => {
                out.push(0x31);
                values.iter().for_each(|value| self.write(value, out));
                out.push(0);
            }
            Fed::Seq(values) => {
                out.push(0x30);
                out.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| self.write(value, out));
                out.push(0);
            }
            Fed::Struct(name, fields) => self.write_fields([vec![0x34], text(name)].concat(), fields, out),
            Fed::Variant(name, variant, fields) => {
                self.write_fields([vec![0x36], text(name), text(variant)].concat(), fields, out);
            }
        }
    }

    fn write_fields(&mut self, head: Vec<u8>, fields: &[(Option<&'static str>, Fed)], out: &mut Vec<u8>) {
        let known = self.0.iter().position(|(written, _)| *written == head);
        let place = known.unwrap_or(self.0.len());
        match known {
            Some(place) => out.extend([0x3c, u8::try_from(place).unwrap()]),
            None => {
                out.extend(&head);
                self.0.push((head, Vec::new()));
            }
        }
        let mut named = 0;
        for (name, value) in fields {
            if let Some(name) = name {
                let expected = known.and_then(|_| self.0[place].1.get(named));
                match expected.is_some_and(|expected| expected == name) {
                    true => out.push(0x3d),
                    false => out.extend([vec![0x35], text(name)].concat()),
                }
                if known.is_none() {
                    self.0[place].1.push((*name).to_owned());
                }
                named += 1;
            }
            self.write(value, out);
        }
        out.push(0);
    }

    fn read(&mut self, bytes: &mut &[u8]) -> Fed {
        match take(bytes, 1)[0] {
            0x10 => Fed::U8(take(bytes, 1)[0]),
            0x22 => Fed::F64(number(bytes)),
            0x04 => Fed::Text(name(bytes)),
            0x06 => Fed::None,
            0x07 => Fed::Some(Box::new(self.read(bytes))),
            0x31 => Fed::Tuple(self.read_until_end(bytes)),
            0x30 => {
                let len = number(bytes);
                let values = self.read_until_end(bytes);
                assert_eq!(values.len() as u64, len);
                Fed::Seq(values)
            }
            0x34 => {
                let name = name(bytes);
                self.0.push(([vec![0x34], text(name)].concat(), Vec::new()));
                Fed::Struct(name, self.read_fields(self.0.len() - 1, true, bytes))
            }
            0x36 => {
                let (name, variant) = (name(bytes), name(bytes));
                self.0.push(([vec![0x36], text(name), text(variant)].concat(), Vec::new()));
                Fed::Variant(name, variant, self.read_fields(self.0.len() - 1, true, bytes))
            }
            0x3c => {
                let place = usize::from(take(bytes, 1)[0]);
                let head = self.0[place].0.clone();
                let mut rest = &head[1..];
                let name_of = name(&mut rest);
                match head[0] {
                    0x34 => Fed::Struct(name_of, self.read_fields(place, false, bytes)),
                    _ => Fed::Variant(name_of, name(&mut rest), self.read_fields(place, false, bytes)),
                }
            }
            other => panic!("mark {other:02x}"),
        }
    }

    fn read_until_end(&mut self, bytes: &mut &[u8]) -> Vec<Fed> {
        let mut values = Vec::new();
        while bytes[0] != 0 {
            values.push(self.read(bytes));
        }
        take(bytes, 1);
        values
    }

    fn read_fields(&mut self, place: usize, is_first: bool, bytes: &mut &[u8]) -> Vec<(Option<&'static str>, Fed)> {
        let (mut fields, mut named) = (Vec::new(), 0);
        while bytes[0] != 0 {
            let field = match bytes[0] {
                0x35 => {
                    take(bytes, 1);
                    Some(name(bytes))
                }
                0x3d => {
                    take(bytes, 1);
                    Some(known(&self.0[place].1[named]))
                }
                _ => None,
            };
            if let Some(field) = field {
                named += 1;
                if is_first {
                    self.0[place].1.push(field.to_owned());
                }
            }
            let value = self.read(bytes);
            fields.push((field, value));
        }
        take(bytes, 1);
        fields
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    taken
}

fn number(bytes: &mut &[u8]) -> u64 {
    u64::from_le_bytes(take(bytes, 8).try_into().unwrap())
}

fn name(bytes: &mut &[u8]) -> &'static str {
    let len = number(bytes) as usize;
    known(std::str::from_utf8(take(bytes, len)).unwrap())
}

fn known(name: &str) -> &'static str {
    NAMES.into_iter().find(|known| *known == name).unwrap()
}

fn naive(value: &Fed) -> Vec<u8> {
    let mut out = b"value:".to_vec();
    Table::default().write(value, &mut out);
    out
}

fn fed() -> impl Strategy<Value = Fed> {
    let name = || prop::sample::select(&NAMES[..]);
    let leaf = prop_oneof![
        any::<u8>().prop_map(Fed::U8),
        any::<u64>().prop_map(Fed::F64),
        name().prop_map(Fed::Text),
        Just(Fed::None),
    ];
    leaf.prop_recursive(6, 120, 6, move |inner| {
        let fields = || prop::collection::vec((prop::option::weighted(0.8, name()), inner.clone()), 0..4);
        prop_oneof![
            inner.clone().prop_map(|value| Fed::Some(Box::new(value))),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Fed::Tuple),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Fed::Seq),
            (name(), fields()).prop_map(|(name, fields)| Fed::Struct(name, fields)),
            (name(), name(), fields()).prop_map(|(name, variant, fields)| Fed::Variant(name, variant, fields)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_stream_is_what_its_definition_says_and_can_be_read_back(value in fed()) {
        let bytes = naive(&value);
        prop_assert_eq!(digest(&value), Digest::of(&bytes));
        let mut rest = &bytes[b"value:".len()..];
        prop_assert_eq!(Table::default().read(&mut rest), value);
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn different_values_have_different_streams(a in fed(), b in fed()) {
        prop_assert_eq!(a == b, naive(&a) == naive(&b));
    }

    #[test]
    fn a_sum_is_what_its_definition_says(
        entries in prop::collection::btree_map(prop::option::of(any::<u8>()), prop::collection::vec(fed(), 0..2), 0..6),
    ) {
        let part = |value: &Fed| naive(value)[b"value:".len()..].to_vec();
        let key = |key: &Option<u8>| part(&key.map_or(Fed::None, |key| Fed::Some(Box::new(Fed::U8(key)))));
        let value = |value: &Vec<Fed>| part(&Fed::Seq(value.clone()));
        let tagged = |tag: u8, sum: u128| {
            let count = (entries.len() as u64).to_le_bytes();
            Digest::of(&[b"value:", &[tag][..], &count, &Digest::from_xxh3(sum).to_bytes()].concat())
        };
        // The two have one table of names.
        let entry = |(k, v): (&Option<u8>, &Vec<Fed>)| {
            Digest::of(&[b"value:", &key(k)[..], &[0], &value(v)].concat()).to_xxh3()
        };
        let sum = entries.iter().map(entry).fold(0, u128::wrapping_add);
        prop_assert_eq!(digest(&entries), tagged(0x33, sum));
        let keys: BTreeSet<_> = entries.keys().copied().collect();
        let sum = keys.iter().map(|key| digest(key).to_xxh3()).fold(0, u128::wrapping_add);
        prop_assert_eq!(digest(&keys), tagged(0x32, sum));
    }
}

#[test]
fn names_are_written_once_and_a_field_that_differs_in_full() {
    let point = |fields: &[(Option<&'static str>, Fed)]| Fed::Struct("P", fields.to_vec());
    let one = Fed::U8(1);
    let named = point(&[(Some("a"), one.clone()), (Some("b"), one.clone())]);
    let swapped = point(&[(Some("b"), one.clone()), (Some("a"), one.clone())]);
    let nameless = point(&[(None, one.clone()), (None, one.clone())]);
    let more = point(&[(Some("a"), one.clone()), (Some("b"), one.clone()), (Some("ab"), one.clone())]);
    let bytes = naive(&Fed::Seq(vec![named.clone(), named.clone()]));
    assert!(bytes.ends_with(&[0x3c, 0, 0x3d, 0x10, 1, 0x3d, 0x10, 1, 0, 0]), "{bytes:x?}");
    let all = [&named, &swapped, &nameless, &more];
    let mut digests = BTreeSet::new();
    for a in all {
        for b in all {
            let value = Fed::Seq(vec![a.clone(), b.clone()]);
            assert_eq!(digest(&value), Digest::of(&naive(&value)));
            digests.insert(digest(&value));
        }
    }
    assert_eq!(digests.len(), 16);
}

#[test]
fn a_stream_of_more_names_than_have_numbers_writes_the_others_in_full() {
    struct Many(Vec<usize>);
    impl ContentHash for Many {
        fn content_hash(&self, hasher: &mut ContentHasher) {
            for n in &self.0 {
                hasher.begin_struct(&format!("S{n}"));
                hasher.field("f");
                hasher.end();
            }
        }
    }
    let full = |n: usize| [vec![0x34], text(&format!("S{n}")), vec![0x35], text("f"), vec![0]].concat();
    let mut expected = b"value:".to_vec();
    (0..300).for_each(|n| expected.extend(full(n)));
    expected.extend([0x3c, 255, 0x3d, 0]);
    expected.extend(full(256));
    expected.extend([0x3c, 0, 0x3d, 0]);
    assert_eq!(digest(&Many((0..300).chain([255, 256, 0]).collect())), Digest::of(&expected));
}

#[test]
fn each_entry_of_a_map_has_names_of_its_own() {
    let named = |n: u8| Fed::Struct("P", vec![(Some("a"), Fed::U8(n))]);
    let map = |entries: [u8; 2]| entries.map(|n| (Key(n), named(n))).into_iter().collect::<BTreeMap<_, _>>();
    let entry = |n: u8| {
        let again = [0x3c, 0, 0x3d, 0x10, n, 0];
        Digest::of(&[&naive(&named(n))[..], &[0], &again].concat()).to_xxh3()
    };
    let sum = Digest::from_xxh3(entry(1).wrapping_add(entry(2))).to_bytes();
    let expected = [b"value:", &[0x33, 2, 0, 0, 0, 0, 0, 0, 0][..], &sum].concat();
    assert_eq!(digest(&map([1, 2])), Digest::of(&expected));
    // After a struct in the stream itself, too.
    let both = (named(1), map([1, 2]));
    let expected = [&b"value:\x31"[..], &naive(&named(1))[6..], &expected[6..], &[0]].concat();
    assert_eq!(digest(&both), Digest::of(&expected));
}

#[test]
fn entries_of_other_names_than_those_before_count_by_their_own() {
    let value = |which: u8, n: u8| match which {
        0 => Fed::Struct("P", vec![(Some("a"), Fed::U8(n)), (Some("b"), Fed::None)]),
        1 => Fed::Struct("P", vec![(Some("a"), Fed::U8(n))]),
        2 => {
            Fed::Struct("P", vec![(Some("b"), Fed::U8(n)), (Some("a"), Fed::Seq(vec![value_of("ab"), value_of("P")]))])
        }
        3 => Fed::Variant("P", "a", vec![(Some("a"), Fed::Tuple(vec![value_of("ab"), value_of("ab")]))]),
        _ => Fed::Seq(vec![value_of("P"), value_of("ab"), Fed::Variant("P", "b", vec![])]),
    };
    fn value_of(name: &'static str) -> Fed {
        Fed::Struct(name, vec![(Some("b"), Fed::U8(1))])
    }
    // In each order of three, so that each comes after each other.
    for order in 0..125_u8 {
        let which = [order % 5, order / 5 % 5, order / 25];
        let entries: Vec<(u8, Fed)> = (0..3).map(|n| (n, value(which[usize::from(n)], n))).collect();
        let entry = |(n, value): &(u8, Fed)| Digest::of(&[&[*n][..], &naive(value)[6..], &[0]].concat()).to_xxh3();
        let sum = Digest::from_xxh3(entries.iter().map(entry).fold(0, u128::wrapping_add)).to_bytes();
        let expected = [b"value:", &[0x43, 0x10, 0x44, 3, 0, 0, 0, 0, 0, 0, 0][..], &sum].concat();
        let mut hasher = ContentHasher::new();
        hasher.map(entries.iter().map(|(key, value)| (key, value)));
        assert_eq!(hasher.finish(), Digest::of(&expected), "{which:?}");
    }
}

#[test]
fn a_part_that_takes_the_place_of_the_stream_spoils_no_other() {
    struct Thief(u8);
    impl ContentHash for Thief {
        fn content_hash(&self, hasher: &mut ContentHasher) {
            *hasher = ContentHasher::new();
            hasher.u8(self.0);
        }
    }
    fn map(entries: &[(u8, Thief)]) -> Digest {
        let mut hasher = ContentHasher::new();
        hasher.map(entries.iter().map(|entry| (&entry.0, &entry.1)));
        hasher.finish()
    }
    assert_ne!(map(&[(1, Thief(3)), (2, Thief(4))]), map(&[(1, Thief(4)), (2, Thief(3))]));
    assert_eq!(map(&[(1, Thief(3)), (2, Thief(4))]), map(&[(2, Thief(4)), (1, Thief(3))]));
}

/// A list through a box, through nothing but `Some`s, and through a map.
struct List(u8, Option<Box<List>>);

impl ContentHash for List {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.begin_struct("List");
        hasher.u8(self.0);
        self.1.content_hash(hasher);
        hasher.end();
    }
}

impl List {
    fn of(len: usize) -> Self {
        (1..len).fold(Self(0, None), |list, _| Self(0, Some(Box::new(list))))
    }
}

fn fails<T: ContentHash + ?Sized>(value: &T) -> bool {
    let mut hasher = ContentHasher::new();
    value.content_hash(&mut hasher);
    hasher.try_finish().is_err()
}

#[test]
fn what_is_nested_deeper_than_128_levels_fails_and_what_is_wide_does_not() {
    assert!(!fails(&List::of(128)));
    assert!(fails(&List::of(129)));
    let error = {
        let mut hasher = ContentHasher::new();
        List::of(200).content_hash(&mut hasher);
        hasher.try_finish().unwrap_err()
    };
    assert_eq!(error.kind(), crate::ErrorKind::Unsupported);
    assert!(error.to_string().starts_with("value is nested deeper than 128 levels"), "{error}");
    // Beside each other nothing is deep.
    let wide: Vec<_> = (0..1000).map(|_| List::of(127)).collect();
    assert!(!fails(&wide));
    assert!(fails(&[List::of(128)]));
    assert!(!fails(&BTreeMap::from([(1, List::of(127)), (2, List::of(3))])));
    assert!(fails(&BTreeMap::from([(1, List::of(3)), (2, List::of(128))])));
    assert_ne!(digest(&List::of(129)), digest(&List::of(129)));
}

#[test]
fn a_part_that_panics_leaves_the_depth_of_the_others_as_it_is() {
    struct Catches(u8);
    struct Panics;
    impl ContentHash for Panics {
        fn content_hash(&self, _: &mut ContentHasher) {
            panic!("on purpose");
        }
    }
    impl ContentHash for Catches {
        fn content_hash(&self, hasher: &mut ContentHasher) {
            hasher.u8(self.0);
            let caught = std::panic::AssertUnwindSafe(|| {
                hasher.begin_tuple();
                Some(Box::new(Panics)).content_hash(hasher);
            });
            assert!(std::panic::catch_unwind(caught).is_err());
        }
    }
    assert!(!fails(&(0..2000).map(|n| Catches(n as u8)).collect::<Vec<_>>()));
}

//! Tables held against two naive models: one writes a stream by docs/format.md, the other reads it back.

mod model;

use std::collections::{BTreeMap, BTreeSet, HashMap, LinkedList, VecDeque};
use std::rc::Rc;

use ndcache_macros::ContentHash;
use proptest::prelude::*;
use serde::Serialize;

use crate::digest::tree::leaf;
use crate::digest::values::content::{ContentHash, digest};
use crate::digest::values::hasher::rows::tests::model::{Model, Names, Tree, alike_of, in_row, stream};
use crate::digest::values::hasher::*;

macro_rules! scalars {
    ($($type:ty: $tag:literal;)*) => {$(
        impl Model for $type {
            const ALIKE: bool = true;
            fn tree(&self) -> Tree {
                Tree::Scalar($tag, self.to_le_bytes().to_vec())
            }
        }
    )*};
}

scalars! { u8: 0x10; i16: 0x19; u64: 0x13; f64: 0x22; u128: 0x14; }

impl Model for bool {
    const ALIKE: bool = true;
    fn tree(&self) -> Tree {
        Tree::Scalar(2, vec![u8::from(*self)])
    }
}

impl Model for String {
    const ALIKE: bool = true;
    fn tree(&self) -> Tree {
        Tree::Text(self.clone())
    }
}

impl<T: Model> Model for Option<T> {
    const ALIKE: bool = false;
    fn tree(&self) -> Tree {
        self.as_ref().map_or(Tree::None, |value| Tree::Some(Box::new(value.tree())))
    }
}

impl<T: Model> Model for Box<T> {
    const ALIKE: bool = T::ALIKE;
    fn tree(&self) -> Tree {
        (**self).tree()
    }
}

impl<A: Model, B: Model> Model for (A, B) {
    const ALIKE: bool = true;
    fn tree(&self) -> Tree {
        Tree::Tuple(vec![self.0.tree(), self.1.tree()])
    }
}

/// A type that is no element of arrays.
impl<T: Model> Model for Vec<T> {
    const ALIKE: bool = false;
    fn tree(&self) -> Tree {
        Tree::Seq(self.iter().map(T::tree).collect(), T::ALIKE && !self.is_empty())
    }
}

impl<K: Model + Ord, V: Model> Model for BTreeMap<K, V> {
    const ALIKE: bool = false;
    fn tree(&self) -> Tree {
        let in_rows = (K::ALIKE || V::ALIKE) && !self.is_empty();
        let entry = |(key, value): (&K, &V)| match in_rows {
            true => leaf(&[in_row(&key.tree()), in_row(&value.tree())].concat()),
            false => leaf(&[b"value:", &stream(&key.tree())[..], &[0], &stream(&value.tree())].concat()),
        };
        let alike = match self.first_key_value() {
            Some((key, value)) if in_rows => vec![alike_of(key), alike_of(value)],
            _ => vec![],
        };
        let sum = self.iter().map(|pair| entry(pair).to_xxh3()).fold(0, u128::wrapping_add);
        let tag = if in_rows { 0x43 } else { 0x33 };
        Tree::Sum(tag, alike, self.len() as u64, Digest::from_xxh3(sum).to_bytes())
    }
}

impl<T: Model + Ord> Model for BTreeSet<T> {
    const ALIKE: bool = false;
    fn tree(&self) -> Tree {
        let in_rows = T::ALIKE && !self.is_empty();
        let item = |item: &T| match in_rows {
            true => leaf(&in_row(&item.tree())),
            false => leaf(&[b"value:", &stream(&item.tree())[..]].concat()),
        };
        let sum = self.iter().map(|one| item(one).to_xxh3()).fold(0, u128::wrapping_add);
        let alike = self.first().filter(|_| in_rows).map(alike_of).into_iter().collect();
        let tag = if in_rows { 0x42 } else { 0x32 };
        Tree::Sum(tag, alike, self.len() as u64, Digest::from_xxh3(sum).to_bytes())
    }
}

/// Fields of every kind.
#[derive(Clone, Debug, PartialEq, ContentHash)]
struct Node {
    a: u8,
    name: String,
    maybe: Option<u64>,
    pair: (f64, bool),
    shape: Shape,
    next: Option<Box<Node>>,
    items: Vec<(u8, Option<Shape>)>,
}

#[derive(Clone, Debug, PartialEq, ContentHash)]
enum Shape {
    Dot,
    Circle(f64),
    Named { name: String, of: Vec<Inner> },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, ContentHash)]
struct Inner {
    x: i16,
    y: String,
}

#[derive(Clone, Debug, PartialEq, ContentHash)]
struct Empty;

fn name_of(name: &str) -> String {
    format!("ndcache@0.1 ndcache::digest::values::hasher::rows::tests::{name}")
}

macro_rules! fields {
    ($self:ident: $($field:ident)*) => {
        vec![$((stringify!($field).to_owned(), $self.$field.tree())),*]
    };
}

impl Model for Node {
    const ALIKE: bool = true;
    fn tree(&self) -> Tree {
        Tree::Struct(name_of("Node"), fields!(self: a name maybe pair shape next items))
    }
}

impl Model for Inner {
    const ALIKE: bool = true;
    fn tree(&self) -> Tree {
        Tree::Struct(name_of("Inner"), fields!(self: x y))
    }
}

impl Model for Empty {
    const ALIKE: bool = true;
    fn tree(&self) -> Tree {
        Tree::Struct(name_of("Empty"), vec![])
    }
}

impl Model for Shape {
    const ALIKE: bool = false;
    fn tree(&self) -> Tree {
        let (variant, fields) = match self {
            Self::Dot => ("Dot", vec![]),
            Self::Circle(radius) => ("Circle", vec![("0".to_owned(), radius.tree())]),
            Self::Named { name, of } => ("Named", vec![("name".to_owned(), name.tree()), ("of".to_owned(), of.tree())]),
        };
        Tree::Variant(name_of("Shape"), variant.into(), fields)
    }
}

/// Checks that the stream is what the format says, and that it can be read back.
fn agrees<T: Model + ?Sized>(value: &T) -> Result<(), TestCaseError> {
    let tree = value.tree();
    let bytes = stream(&tree);
    prop_assert_eq!(digest(value), leaf(&[b"value:", &bytes[..]].concat()));
    let mut rest = &bytes[..];
    prop_assert_eq!(Names::default().read(false, &mut rest), tree);
    prop_assert!(rest.is_empty());
    Ok(())
}

fn inner() -> impl Strategy<Value = Inner> {
    (any::<i16>(), "[ab]{0,2}").prop_map(|(x, y)| Inner { x, y })
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Dot),
        (0..3).prop_map(|radius| Shape::Circle(f64::from(radius))),
        ("[ab]{0,2}", prop::collection::vec(inner(), 0..3)).prop_map(|(name, of)| Shape::Named { name, of }),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let plain = (any::<u8>(), "[ab]{0,2}", prop::option::of(0..2_u64), any::<bool>(), shape());
    let items = || prop::collection::vec((0..2_u8, prop::option::of(shape())), 0..3);
    let last = (plain, items()).prop_map(|((a, name, maybe, on, shape), items)| Node {
        a,
        name,
        maybe,
        pair: (f64::from(a % 2), on),
        shape,
        next: None,
        items,
    });
    last.prop_recursive(3, 6, 1, |inner| {
        (inner.clone(), inner).prop_map(|(node, next)| Node { next: Some(Box::new(next)), ..node })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_table_is_what_its_definition_says_and_can_be_read_back(
        nodes in prop::collection::vec(node(), 0..4),
        shapes in prop::collection::vec(shape(), 0..4),
        pairs in prop::collection::vec((0..2_u8, "[ab]{0,2}"), 0..4),
    ) {
        agrees(&nodes)?;
        agrees(&shapes)?;
        agrees(&pairs)?;
        agrees(&vec![nodes.clone(), vec![], nodes.clone()])?;
        agrees(&vec![(pairs.clone(), nodes.clone()), (vec![], nodes.clone())])?;
        agrees(&(nodes.first().cloned(), (shapes.clone(), nodes.clone())))?;
        agrees(&pairs.iter().cloned().collect::<BTreeMap<u8, String>>())?;
        agrees(&pairs.iter().cloned().zip(nodes.iter().cloned()).collect::<BTreeMap<(u8, String), Node>>())?;
        agrees(&pairs.iter().map(|pair| Some(pair.0 as u64)).zip(shapes.clone()).collect::<BTreeMap<_, _>>())?;
        agrees(&pairs.iter().map(|pair| pair.1.clone()).collect::<BTreeSet<_>>())?;
        agrees(&pairs.iter().map(|pair| Some(pair.1.clone())).collect::<BTreeSet<_>>())?;
        agrees(&vec![Empty; pairs.len()])?;
        let within: Vec<_> = nodes.iter().map(|node| (node.a as u64, BTreeMap::from([(1_u8, node.clone())]))).collect();
        agrees(&within)?;
    }

    #[test]
    fn different_tables_have_different_digests(
        a in prop::collection::vec(node(), 0..3),
        b in prop::collection::vec(node(), 0..3),
        c in prop::collection::vec((0..2_u8, "[ab]{0,2}"), 0..3),
        d in prop::collection::vec((0..2_u8, "[ab]{0,2}"), 0..3),
    ) {
        prop_assert_eq!(a == b, digest(&a) == digest(&b));
        prop_assert_eq!(c == d, digest(&c) == digest(&d));
        let map = |pairs: &[(u8, String)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
        prop_assert_eq!(map(&c) == map(&d), digest(&map(&c)) == digest(&map(&d)));
        prop_assert!(digest(&map(&c)) != digest(&c));
    }
}

#[test]
fn a_table_counts_by_its_items_not_by_who_holds_them() {
    let nodes = || (0..3).map(|n| Inner { x: n, y: "y".repeat(n as usize) });
    let items: Vec<Inner> = nodes().collect();
    let same = digest(&items);
    assert_eq!(digest(&nodes().collect::<VecDeque<_>>()), same);
    assert_eq!(digest(&nodes().collect::<LinkedList<_>>()), same);
    assert_eq!(digest(&items[..]), same);
    assert_eq!(digest(&items.iter().collect::<Vec<_>>()), same);
    assert_eq!(digest(&nodes().map(Box::new).collect::<Vec<_>>()), same);
    assert_eq!(digest(&nodes().map(|node| Rc::new(Box::new(node))).collect::<Vec<_>>()), same);
    assert_eq!(digest(&<[Inner; 3]>::try_from(items.clone()).unwrap()), same);
    let hashed: HashMap<&str, &Inner> = items.iter().map(|node| (node.y.as_str(), node)).collect();
    let sorted: BTreeMap<String, Inner> = items.iter().map(|node| (node.y.clone(), node.clone())).collect();
    assert_eq!(digest(&hashed), digest(&sorted));
}

#[test]
fn items_behind_a_dyn_are_told_apart_by_what_they_are() {
    let dynamic = |items: [Box<dyn ContentHash>; 2]| digest(&Vec::from(items));
    let one = || Box::new(Inner { x: 1, y: "y".into() });
    let digests = [
        dynamic([Box::new(1_u8), Box::new(2_u8)]),
        dynamic([Box::new(1_u8), Box::new(2_u16)]),
        dynamic([Box::new(1_u16), Box::new(2_u8)]),
        dynamic([one(), Box::new(1_u8)]),
        dynamic([one(), one()]),
        dynamic([one(), Box::new((1_i16, "y"))]),
        dynamic([Box::new("ab"), Box::new("c")]),
        dynamic([Box::new("a"), Box::new("bc")]),
    ];
    let different: BTreeSet<_> = digests.iter().collect();
    assert_eq!(different.len(), digests.len());
}

/// An implementation by hand: it may feed nothing, or more than one value.
struct Words(&'static [&'static str]);

impl ContentHash for Words {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        self.0.iter().for_each(|word| hasher.str(word));
    }
}

#[test]
fn what_an_implementation_by_hand_feeds_ends_where_its_part_of_the_row_does() {
    let rows = |first: [&'static [&'static str]; 2], second: [&'static [&'static str]; 2]| {
        let words = |[a, b]: [&'static [&'static str]; 2]| (Words(a), Words(b), 1_u8);
        [digest(&[words(first), words(second)]), digest(&LinkedList::from([words(first), words(second)]))]
    };
    let mut all = Vec::new();
    for first in [[&["a"][..], &["b"]], [&["a", "b"], &[]], [&[], &["a", "b"]], [&[], &[]]] {
        for second in [[&["a"][..], &["b"]], [&["a", "b"], &[]], [&[], &["a", "b"]], [&[], &[]]] {
            let [slice, list] = rows(first, second);
            assert_eq!(slice, list);
            all.push(slice);
        }
    }
    let map = |key: &'static [&'static str], value: &'static [&'static str]| {
        let mut hasher = ContentHasher::new();
        hasher.map([(&Words(key), &Words(value))]);
        hasher.finish()
    };
    all.extend([map(&["a"], &["b"]), map(&["a", "b"], &[]), map(&[], &["a", "b"]), map(&[], &[])]);
    let different: BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[derive(Serialize)]
#[serde(untagged)]
enum Mixed {
    Number(u64),
    Text(String),
    Pair(u64, u64),
    List(Vec<u64>),
    Nothing,
}

#[derive(ContentHash)]
struct Holds {
    at: u8,
    what: Mixed,
}

#[test]
fn what_only_serde_knows_stands_in_a_row_with_its_marks() {
    let holds = |whats: Vec<Mixed>| {
        let rows: Vec<_> = whats.into_iter().map(|what| Holds { at: 1, what }).collect();
        digest(&rows)
    };
    let digests = [
        holds(vec![Mixed::Number(1), Mixed::Number(2)]),
        holds(vec![Mixed::Pair(1, 2)]),
        holds(vec![Mixed::List(vec![1, 2])]),
        holds(vec![Mixed::List(vec![1]), Mixed::List(vec![2])]),
        holds(vec![Mixed::List(vec![]), Mixed::List(vec![1, 2])]),
        holds(vec![Mixed::Text("1".into()), Mixed::Number(2)]),
        holds(vec![Mixed::Nothing, Mixed::Number(1)]),
        holds(vec![Mixed::Number(1), Mixed::Nothing]),
        holds(vec![Mixed::Nothing]),
        holds(vec![]),
    ];
    let different: BTreeSet<_> = digests.iter().collect();
    assert_eq!(different.len(), digests.len());
}

#[test]
fn sets_of_neighbouring_numbers_have_other_sums() {
    let mut sums = BTreeSet::new();
    for a in 0..150_u64 {
        for b in 0..a {
            sums.insert(digest(&BTreeSet::from([a, b])));
            sums.insert(digest(&BTreeSet::from([a as u8, b as u8])));
            sums.insert(digest(&BTreeMap::from([(a, b), (b, a)])));
        }
    }
    assert_eq!(sums.len(), 3 * 150 * 149 / 2);
}

#[test]
fn rows_that_refer_to_each_other_for_ever_fail() {
    #[derive(ContentHash)]
    struct Ring {
        value: u8,
        next: &'static Ring,
    }
    static RING: Ring = Ring { value: 1, next: &RING };
    let mut hasher = ContentHasher::new();
    [&RING].content_hash(&mut hasher);
    assert!(hasher.try_finish().unwrap_err().to_string().contains("nested deeper"));
}

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;

use ndarray::{Array2, ShapeBuilder as _};
use proptest::prelude::*;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use super::*;
use crate::ContentHash;

/// Describes a value by its `ContentHash`.
fn by_hash<T: ContentHash + ?Sized>(value: &T) -> (String, Vec<Leaf>) {
    let mut text = Text::outlining();
    value.describe(&mut text);
    text.into_outline()
}

/// Describes a value by what it serializes.
fn serde<T: Serialize + ?Sized>(value: &T) -> (String, Vec<Leaf>) {
    let mut text = Text::outlining();
    by_serde::serialized(value, &mut text);
    text.into_outline()
}

/// In words alone.
fn words<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = Text::new();
    by_serde::serialized(value, &mut text);
    text.into_string()
}

fn leaf<'a>(leaves: &'a [Leaf], path: &str) -> &'a Leaf {
    leaves.iter().find(|leaf| leaf.path == path).unwrap_or_else(|| panic!("{path}: {leaves:?}"))
}

fn paths(leaves: &[Leaf]) -> Vec<&str> {
    leaves.iter().map(|leaf| &*leaf.path).collect()
}

/// The paths whose digests differ, or that only one has.
fn differing(one: &[Leaf], other: &[Leaf]) -> Vec<String> {
    let digests =
        |leaves: &[Leaf]| leaves.iter().map(|leaf| (leaf.path.clone(), leaf.digest)).collect::<BTreeMap<_, _>>();
    let (one, other) = (digests(one), digests(other));
    let paths: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    paths.into_iter().filter(|path| one.get(*path) != other.get(*path)).cloned().collect()
}

#[derive(Clone, Debug, PartialEq, Serialize, ContentHash)]
enum Kind {
    Auto,
    Ridge(f64),
    Lasso { alpha: f64 },
    Elastic(f64, f64),
}

#[derive(Clone, Debug, PartialEq, Serialize, ContentHash)]
struct Params {
    kind: Kind,
    steps: Vec<usize>,
    x: Array2<f64>,
}

fn params(kind: Kind, steps: &[usize]) -> Params {
    Params { kind, steps: steps.to_vec(), x: Array2::zeros((1797, 64)) }
}

#[test]
fn a_struct_is_told_by_its_fields_however_it_is_keyed() {
    let value = params(Kind::Lasso { alpha: 1.0 }, &[3, 10]);
    let expected = "Params { kind: Lasso { alpha: 1.0 }, steps: [3, 10], x: f64[1797, 64] }";
    assert_eq!(by_hash(&value).0, expected);
    assert_eq!(serde(&value).0, expected);
    assert_eq!(words(&value), expected);
    for (_, leaves) in [by_hash(&value), serde(&value)] {
        assert_eq!(paths(&leaves), ["kind", "kind.alpha", "steps", "steps[0]", "steps[1]", "x"]);
        assert_eq!(leaf(&leaves, "kind").text, "Lasso { alpha: 1.0 }");
        assert_eq!(leaf(&leaves, "steps[1]").text, "10");
        assert_eq!(leaf(&leaves, "x").text, "f64[1797, 64]");
    }
}

#[test]
fn the_leaves_that_changed_are_those_that_differ() {
    let before = params(Kind::Lasso { alpha: 1.0 }, &[3, 10]);
    let mut array = before.clone();
    array.x[[7, 7]] = -0.0;
    for (now, expected) in [
        (params(Kind::Lasso { alpha: 2.0 }, &[3, 10]), &["kind.alpha"][..]),
        (params(Kind::Lasso { alpha: 1.0 }, &[3, 12]), &["steps[1]"]),
        (params(Kind::Lasso { alpha: 1.0 }, &[3]), &["steps", "steps[1]"]),
        (params(Kind::Ridge(1.0), &[3, 10]), &["kind", "kind.alpha"]),
        (params(Kind::Auto, &[3, 10]), &["kind", "kind.alpha"]),
        (array, &["x"]),
    ] {
        assert_eq!(differing(&by_hash(&before).1, &by_hash(&now).1), expected);
        assert_eq!(differing(&serde(&before).1, &serde(&now).1), expected);
    }
    let [one, other] = [1.0, 2.0].map(|alpha| params(Kind::Ridge(alpha), &[]));
    assert_eq!(differing(&by_hash(&one).1, &by_hash(&other).1), ["kind"]);
    assert_eq!(differing(&serde(&one).1, &serde(&other).1), ["kind"]);
}

#[derive(Serialize, ContentHash)]
struct Metres(f64);

#[derive(Serialize, ContentHash)]
struct Pair(u8, char);

#[derive(Serialize, ContentHash)]
struct Unit;

#[derive(Serialize, ContentHash)]
struct Point {
    x: f64,
    y: f64,
}

#[test]
fn kinds_of_values_have_texts() {
    macro_rules! both {
        ($($value:expr => $text:expr;)*) => {$(
            let value = ($value, 0_u8);
            let expected = format!("({}, 0)", $text);
            assert_eq!(by_hash(&value).0, expected);
            assert_eq!(serde(&value).0, expected);
        )*};
    }
    both! {
        true => "true";
        -3_i16 => "-3";
        1e300 => "1e300";
        f64::NAN => "NaN";
        -0.0_f32 => "-0.0";
        'x' => "'x'";
        "a\n\u{1b}[2J\u{202e}\"'é" => r#""a\n\u{1b}[2J\u{202e}\"'é""#;
        String::new() => "\"\"";
        PathBuf::from("/tmp/x") => "\"/tmp/x\"";
        () => "()";
        None::<u8> => "None";
        Some(Some(3)) => "Some(Some(3))";
        Some(Point { x: 1.0, y: 2.0 }) => "Some(Point { x: 1.0, y: 2.0 })";
        Metres(1.5) => "Metres(1.5)";
        Pair(1, 'a') => "Pair(1, 'a')";
        Unit => "Unit";
        Kind::Elastic(0.5, 1.0) => "Elastic(0.5, 1.0)";
        [1, 2] => "[1, 2]";
        (1, 2) => "(1, 2)";
        Vec::<u8>::new() => "[]";
        VecDeque::from([1.0]) => "[1.0]";
        vec![vec![1], vec![]] => "[[1], []]";
        vec![0_u16; 33] => "u16[33]";
        vec![vec![0_u16; 33]; 2] => "[u16[33], u16[33]]";
        (0..40).map(|x| Metres(f64::from(x))).collect::<Vec<_>>() => "[Metres(0.0), …; 40]";
        Array2::<f64>::zeros((2, 3)) => "f64[2, 3]";
        HashMap::from([("b", 1), ("a", 2)]) => r#"{"a": 2, "b": 1}"#;
        HashMap::from([(10, 'x'), (9, 'y'), (-1, 'z')]) => "{-1: 'z', 9: 'y', 10: 'x'}";
        (0..40).map(|x| (x, x)).collect::<HashMap<_, _>>() => "map of 40";
        Box::new(3) => "3";
    }
    assert_eq!(by_hash(&Some(Array2::<f64>::zeros((2, 3).f()))).0, "Some(f64[2, 3] F)");
    assert_eq!(by_hash(&(0..9, HashSet::from([10, 9]))).0, "(0..9, {9, 10})");
    assert_eq!(by_hash(&((0..40).collect::<HashSet<_>>(),)).0, "(set of 40)");
    assert_eq!(serde(&serde_json::json!({"b": [1, null], "a": {"c": 1.5}})).0, r#"{"a": {"c": 1.5}, "b": [1, ()]}"#);
    assert_eq!(serde(&serde_bytes::Bytes::new(b"abc")).0, "u8[3]");
}

#[test]
fn by_itself_a_short_slice_is_told_as_the_array_it_counts_as_and_has_leaves() {
    let (text, leaves) = by_hash(&vec![3_usize, 10]);
    assert_eq!((&*text, paths(&leaves)), ("u64[2] C", vec!["", "[0]", "[1]"]));
    assert_eq!(leaf(&leaves, "[1]").text, "10");
    assert_eq!(by_hash(&vec![0.0; 33]), ("f64[33] C".to_owned(), Vec::new()));
    assert_eq!(by_hash("text").1, Vec::new());
}

#[test]
fn paths_name_each_part() {
    let value = (
        vec![Point { x: 1.0, y: 2.0 }],
        Some(Point { x: 1.0, y: 2.0 }),
        HashMap::from([("k", Some(Metres(1.0)))]),
        Pair(1, 'a'),
    );
    let expected = ["0", "0[0].x", "0[0].y", "1", "1.x", "1.y", "2", "2[\"k\"]", "3.0", "3.1"];
    assert_eq!(paths(&by_hash(&value).1), expected);
    assert_eq!(paths(&serde(&value).1), expected);
    #[derive(Serialize)]
    struct Renamed {
        #[serde(rename = "a.b")]
        one: u8,
        r#type: u8,
    }
    assert_eq!(paths(&serde(&Renamed { one: 1, r#type: 2 }).1), ["[\"a.b\"]", "type"]);
}

#[test]
fn a_long_text_is_cut_in_the_middle_and_tells_its_leaf_all_the_same() {
    let long = |end: &str| format!("{}{end}", "é".repeat(1_000_000));
    let (text, leaves) = by_hash(&(long("a"), 1));
    assert_eq!(text, format!("(\"{}…{}a\", 1)", "é".repeat(22), "é".repeat(22)));
    assert_eq!(text, serde(&(long("a"), 1)).0);
    assert_eq!(differing(&leaves, &by_hash(&(long("b"), 1)).1), ["0"]);
    let (text, _) = by_hash(&*"\u{1b}".repeat(500));
    assert!(
        text.chars().count() <= 120 && text.starts_with("\"\\u{1b}\\u{1b}") && text.ends_with("\\u{1b}\""),
        "{text}"
    );
    assert!(!text.contains("\\u…") && text.contains("…\\u{1b}"), "{text}");
    assert_eq!(by_hash(&*"x".repeat(118)).0, format!("\"{}\"", "x".repeat(118)));
}

#[test]
fn long_keys_of_one_text_have_two_paths() {
    let key = |middle: &str| format!("{}{middle}{}", "a".repeat(50), "b".repeat(50));
    let map = |first| HashMap::from([(key("1"), first), (key("2"), 2)]);
    for outlined in [by_hash::<HashMap<_, _>>, serde] {
        let (one, other) = (outlined(&map(1)).1, outlined(&map(7)).1);
        assert_eq!(one.len(), 3, "{one:?}");
        assert_eq!(differing(&one, &other).len(), 1);
    }
}

/// A list as no one should have it.
#[derive(Serialize, ContentHash)]
struct Node {
    value: u32,
    next: Option<Box<Node>>,
}

fn list(last: u32) -> Node {
    (0..50).fold(Node { value: last, next: None }, |next, value| Node { value, next: Some(Box::new(next)) })
}

#[test]
fn what_is_nested_deep_is_one_leaf() {
    for outlined in [by_hash::<Node>, serde] {
        let (text, leaves) = outlined(&list(1));
        assert!(text.starts_with("Node { value: 49, next: Some(Node { value: 48, next: Some("), "{text}");
        assert_eq!(text.chars().count(), 120);
        let (_, other) = outlined(&list(2));
        assert!(leaves.len() < 20, "{leaves:?}");
        assert_eq!(differing(&leaves, &other).len(), 1, "{leaves:?}");
    }
}

#[test]
fn of_many_parts_as_many_as_fit_are_leaves_and_that_there_are_more_is_told() {
    let value: Vec<_> = (0..20).map(|at| (at, vec![at; 8])).collect();
    for (text, leaves) in [by_hash(&value), serde(&value)] {
        assert_eq!(text.chars().count(), 120);
        assert_eq!(leaves.len(), 1 + LEAVES + 1);
        assert_eq!((&*leaves[0].path, &*leaves[LEAVES + 1].path), ("", CUT));
    }
    let few: Vec<_> = (0..32).collect::<Vec<u16>>();
    assert_eq!(by_hash(&(few.clone(),)).1.len(), 33);
    assert_eq!(serde(&(few,)).1.len(), 33);
}

thread_local! {
    static SERIALIZED: Cell<u32> = const { Cell::new(0) };
}

/// Counts how often it serializes.
struct Counting;

impl Serialize for Counting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SERIALIZED.set(SERIALIZED.get() + 1);
        serializer.serialize_u8(1)
    }
}

#[test]
fn a_description_serializes_each_part_once() {
    #[derive(Serialize)]
    struct Whole {
        one: Counting,
        some: Option<Counting>,
        listed: Vec<Counting>,
        map: HashMap<u8, Counting>,
    }
    let whole = || Whole {
        one: Counting,
        some: Some(Counting),
        listed: vec![Counting, Counting],
        map: HashMap::from([(1, Counting)]),
    };
    serde(&vec![whole(), whole()]);
    assert_eq!(SERIALIZED.replace(0), 10);
    serde(&(0..1000).map(|_| Counting).collect::<Vec<_>>());
    // The first one is shown.
    assert_eq!(SERIALIZED.replace(0), 1001);
    words(&(0..1000).map(|_| Counting).collect::<Vec<_>>());
    assert_eq!(SERIALIZED.replace(0), 1);
}

/// Refuses to serialize, as some of its fields do.
struct Refusing;

impl Serialize for Refusing {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("no"))
    }
}

#[test]
fn a_part_that_refuses_is_left_out() {
    #[derive(Serialize)]
    struct Whole {
        one: u8,
        bad: Refusing,
        two: u8,
    }
    let (text, leaves) = serde(&Whole { one: 1, bad: Refusing, two: 2 });
    assert_eq!(text, "Whole { one: 1, bad: , two: 2 }");
    assert_eq!(paths(&leaves), ["one", "two", CUT]);
}

/// Says that it has other lengths than it has.
struct Lying(Option<usize>, usize);

impl Serialize for Lying {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(self.0)?;
        for at in 0..self.1 {
            map.serialize_entry(&at, &at)?;
        }
        map.end()
    }
}

#[test]
fn maps_of_any_length_and_promise_have_one_text() {
    for (map, expected) in [
        (Lying(None, 2), "{0: 0, 1: 1}"),
        (Lying(Some(1), 2), "{0: 0, 1: 1}"),
        (Lying(Some(100), 2), "map of 100"),
        (Lying(None, 100), "map of more than 32"),
    ] {
        let (text, leaves) = serde(&(map, 1));
        assert_eq!(text, format!("({expected}, 1)"));
        assert!(leaves.iter().any(|leaf| leaf.path == "0"), "{leaves:?}");
    }
}

/// Any value, of some depth.
#[derive(Clone, Debug, PartialEq, Serialize, ContentHash)]
enum Tree {
    Nothing,
    Number(i64),
    Float(f64),
    Text(String),
    Maybe(Option<Box<Tree>>),
    Many(Vec<Tree>),
    Map(HashMap<String, Tree>),
    Both { left: Box<Tree>, right: Box<Tree> },
    Two(Box<Tree>, Vec<u16>),
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Nothing),
        any::<i64>().prop_map(Tree::Number),
        (-1e6..1e6).prop_map(Tree::Float),
        "\\PC{0,60}".prop_map(Tree::Text),
        prop::option::of(Just(Box::new(Tree::Nothing))).prop_map(Tree::Maybe),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..40).prop_map(Tree::Many),
            prop::collection::hash_map(".{0,4}", inner, 0..6).prop_map(Tree::Map),
            (boxed.clone(), boxed.clone()).prop_map(|(left, right)| Tree::Both { left, right }),
            (boxed, prop::collection::vec(any::<u16>(), 0..40)).prop_map(|(one, two)| Tree::Two(one, two)),
        ]
    })
}

/// A value equal to another one, whose maps have been filled in another order.
fn rebuilt(tree: &Tree) -> Tree {
    let boxed = |tree: &Tree| Box::new(rebuilt(tree));
    match tree {
        Tree::Map(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.clone(), rebuilt(value))).collect();
            entries.sort_by(|(one, _), (other, _)| other.cmp(one));
            Tree::Map(entries.into_iter().collect())
        }
        Tree::Many(many) => Tree::Many(many.iter().map(rebuilt).collect()),
        Tree::Both { left, right } => Tree::Both { left: boxed(left), right: boxed(right) },
        Tree::Two(one, two) => Tree::Two(boxed(one), two.clone()),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn equal_values_have_equal_texts_and_leaves_of_a_bounded_length(tree in trees()) {
        for outlined in [by_hash::<Tree>, serde] {
            let (text, leaves) = outlined(&tree);
            prop_assert!(text.chars().count() <= 120);
            prop_assert!(!text.contains(char::is_control));
            prop_assert!(leaves.len() <= LEAVES + 2);
            for leaf in &leaves {
                prop_assert!(leaf.text.chars().count() <= 120 && leaf.path.chars().count() <= PATH);
            }
            let all: HashSet<_> = paths(&leaves).into_iter().collect();
            prop_assert_eq!(all.len(), leaves.len());
            prop_assert_eq!(outlined(&rebuilt(&tree)), (text, leaves));
        }
    }

    #[test]
    fn a_value_that_differs_has_a_leaf_that_differs_unless_leaves_are_missing(one in trees(), other in trees()) {
        let [one, other] = [one, other].map(|tree| (tree, 0_u8));
        for outlined in [by_hash::<(Tree, u8)>, serde] {
            let (one_leaves, other_leaves) = (outlined(&one).1, outlined(&other).1);
            let whole = [&one_leaves, &other_leaves].iter().all(|leaves| leaves.iter().all(|leaf| leaf.path != CUT));
            if one == other || whole {
                prop_assert_eq!(one != other, !differing(&one_leaves, &other_leaves).is_empty());
            }
        }
    }
}

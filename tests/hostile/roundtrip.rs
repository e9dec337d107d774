//! Results that don't come back from serde as they were: what is compared, and that first and later calls agree.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};

use ndarray::prelude::*;
use ndcache::{Memory, Mode, Payload, cache};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::support::{fresh, warnings};

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Model {
    score: f64,
    #[serde(skip)]
    n_iter: u64,
}

impl Model {
    fn new(score: f64, n_iter: u64) -> Self {
        Self { score, n_iter }
    }
}

/// Evaluates twice, in two memories of one folder; the `Debug` texts of both, and whether something was stored.
fn twice<A, R: fmt::Debug>(call: impl Fn() -> ndcache::Call<A, R>) -> ([String; 2], bool) {
    let (folder, memory) = fresh();
    let first = format!("{:?}", memory.eval(call()));
    let again = Memory::open(folder.path()).expect("a memory");
    let later = format!("{:?}", again.eval(call()));
    ([first, later], again.stats().hits() == 1)
}

returning! {
    nan -> Model { Model::new(f64::NAN, 17) }
    nan_without_more -> Model { Model::new(f64::NAN, 0) }
    in_a_vector -> Vec<Model> { vec![Model::new(f64::NAN, 0), Model::new(1.0, 17)] }
    in_options -> Option<Vec<Option<Model>>> { Some(vec![None, Some(Model::new(f64::NAN, 17))]) }
    in_a_tuple -> (u8, Model) { (1, Model::new(f64::NAN, 17)) }
    in_a_tree -> BTreeMap<String, Model> { BTreeMap::from([("a".to_owned(), Model::new(f64::NAN, 17))]) }
    in_a_map -> HashMap<String, Model> { HashMap::from([("a".to_owned(), Model::new(f64::NAN, 17))]) }
    in_a_generic -> Wrapped<Model> { Wrapped { inner: Model::new(f64::NAN, 17), more: 1 } }
    in_a_variant -> Fit { Fit::Done { model: Model::new(f64::NAN, 17), rounds: 3 } }
    in_a_payload -> Owner { Owner { x: f64::NAN, model: Model::new(f64::NAN, 17) } }
    shown_as_text_with_dots -> Named { Named { name: "a..b".to_owned(), score: f64::NAN, n_iter: 0 } }
}

#[cache]
fn in_a_result() -> Result<Model, String> {
    Ok(Model::new(f64::NAN, 17))
}

#[cache(cache_err)]
fn as_an_err() -> Result<Opaque, Model> {
    Err(Model::new(f64::NAN, 17))
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Wrapped<T> {
    inner: T,
    #[serde(default, skip_serializing)]
    more: u32,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Fit {
    None,
    Done {
        model: Model,
        #[serde(skip)]
        rounds: u32,
    },
}

#[derive(Payload, Clone, Debug, PartialEq)]
struct Owner {
    x: f64,
    model: Model,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Named {
    name: String,
    score: f64,
    #[serde(skip)]
    n_iter: u64,
}

/// Neither `PartialEq` nor `Debug` shows its content.
#[derive(Serialize, Deserialize)]
struct Opaque {
    score: f64,
}

#[test]
fn a_nan_does_not_switch_the_comparison_off() {
    macro_rules! come_back_or_are_not_stored {
        ($($function:ident)*) => {$(
            let (texts, stored) = twice($function::call);
            assert_eq!(texts, [format!("{:?}", $function::compute()), format!("{:?}", $function::compute())]);
            assert!(!stored, "{} hides a field from serde", stringify!($function));
        )*};
    }
    come_back_or_are_not_stored!(
        nan in_a_vector in_options in_a_tuple in_a_tree in_a_map in_a_generic in_a_variant in_a_payload in_a_result
    );
    let (folder, memory) = fresh();
    for memory in [&memory, &Memory::open(folder.path()).unwrap()] {
        let Err(model) = memory.eval(as_an_err::call()) else { panic!("it is an error") };
        assert_eq!(model.n_iter, 17);
    }
}

#[test]
fn a_nan_that_comes_back_is_stored() {
    let (texts, stored) = twice(nan_without_more::call);
    assert_eq!(texts[0], texts[1]);
    assert!(stored);
}

#[test]
fn a_debug_text_that_leaves_something_out_shows_nothing() {
    let (texts, stored) = twice(shown_as_text_with_dots::call);
    assert_eq!(texts[0], texts[1]);
    assert!(!stored);

    #[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
    struct Large {
        x: Array1<f64>,
    }
    #[cache]
    fn large(n: usize) -> Large {
        Large { x: Array1::from_elem(n, f64::NAN) }
    }
    assert!(twice(|| large::call(400)).1);
    assert!(!twice(|| large::call(600)).1);

    #[derive(Serialize, Deserialize, Clone, PartialEq)]
    struct Short(f64, #[serde(skip)] u8);
    impl fmt::Debug for Short {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Short(")?;
            f.write_str(".")?;
            f.write_str(".)")
        }
    }
    #[cache]
    fn short() -> Short {
        Short(f64::NAN, 3)
    }
    assert!(!twice(short::call).1);
    #[derive(Serialize, Deserialize, Clone, PartialEq)]
    struct Ellipsis(f64);
    impl fmt::Debug for Ellipsis {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("[1, …]")
        }
    }
    #[cache]
    fn ellipsis() -> Ellipsis {
        Ellipsis(f64::NAN)
    }
    assert!(!twice(ellipsis::call).1);
}

#[test]
fn what_never_equals_itself_is_compared_by_its_text_or_not_at_all() {
    #[derive(Serialize, Deserialize, Debug)]
    struct Never(u8, #[serde(skip)] u8);
    impl PartialEq for Never {
        fn eq(&self, _: &Self) -> bool {
            false
        }
    }
    #[cache]
    fn never(hidden: u8) -> Never {
        Never(1, hidden)
    }
    assert_eq!(never::compute(1).1, 1);
    assert!(twice(|| never::call(0)).1);
    assert!(!twice(|| never::call(1)).1);

    #[derive(Serialize, Deserialize, PartialEq)]
    struct Silent(f64);
    #[cache]
    fn silent(x: f64) -> Silent {
        Silent(x)
    }
    let (_folder, memory) = fresh();
    memory.eval(silent::call(1.0));
    assert!(memory.contains(&silent::call(1.0)));
    let told = warnings(|| {
        memory.eval(silent::call(f64::NAN));
        memory.eval(silent::call(f64::NAN));
    });
    assert!(!memory.contains(&silent::call(f64::NAN)));
    assert_eq!(told.len(), 1, "{told:?}");
    let told = &told[0];
    assert!(told.contains("derive `ndcache::Payload`") && told.contains("`#[cache(trust_serde)]`"), "{told}");
    assert!(!told.contains("PartialEq"), "{told}");
    let error = memory.try_eval(silent::call(f64::NAN)).map(drop).unwrap_err();
    assert!(error.to_string().contains("Silent"), "{error}");
}

#[test]
fn a_type_that_derives_payload_is_stored_with_its_nans() {
    #[derive(Payload, Clone, Debug, PartialEq)]
    struct Plain {
        score: f64,
        n_iter: u64,
        more: Vec<Option<f32>>,
    }
    #[cache]
    fn plain() -> Vec<Plain> {
        vec![Plain { score: f64::NAN, n_iter: 17, more: vec![Some(f32::NAN), None] }]
    }
    let (texts, stored) = twice(plain::call);
    assert_eq!(texts, [format!("{:?}", plain::compute()), format!("{:?}", plain::compute())]);
    assert!(stored);
}

#[test]
fn who_trusts_serde_stores_what_it_brings_back_and_gets_that_at_once() {
    #[cache(trust_serde)]
    fn trusted() -> Model {
        Model::new(f64::NAN, 17)
    }
    let (texts, stored) = twice(trusted::call);
    assert_eq!(texts, ["Model { score: NaN, n_iter: 0 }", "Model { score: NaN, n_iter: 0 }"]);
    assert!(stored);
    let (_folder, memory) = fresh();
    memory.shelve(trusted::call()).unwrap().load(&memory).unwrap();
    Memory::disabled().shelve(trusted::call()).unwrap().load(&memory).unwrap();
}

#[test]
fn what_can_not_be_compared_agrees_on_the_first_call_and_later() {
    #[derive(Serialize, Deserialize, Debug)]
    struct Loose(f64, #[serde(skip)] u8);
    #[cache]
    fn loose() -> Loose {
        Loose(1.0, 7)
    }
    assert_eq!(loose::compute().1, 7);
    let (texts, stored) = twice(loose::call);
    assert_eq!(texts, ["Loose(1.0, 0)", "Loose(1.0, 0)"]);
    assert!(stored);
}

/// A type without a destructor.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
struct Fixed(
    f64,
    #[serde(skip)]
    #[expect(dead_code, reason = "what serde skips")]
    u8,
);

#[derive(Payload, Clone, Copy, Debug)]
struct Flat {
    known: Fixed,
    n: u8,
}

#[derive(Payload, Debug)]
struct Nested {
    optional: Option<Fixed>,
    pair: (Fixed, u8),
    flat: Flat,
    all: Vec<Flat>,
    keyed: BTreeMap<u8, Flat>,
    text: String,
}

fn flat() -> Flat {
    Flat { known: Fixed(1.0, 7), n: 2 }
}

returning! {
    one_flat -> Flat { flat() }
    flat_in_a_box -> Box<[Flat]> { Box::new([flat(); 2]) }
    flat_in_a_variant -> Result<Flat, String> { Ok(flat()) }
    nested -> Nested {
        Nested {
            optional: Some(flat().known),
            pair: (flat().known, 1),
            flat: flat(),
            all: vec![flat(); 2],
            keyed: BTreeMap::from([(1, flat())]),
            text: "text".to_owned(),
        }
    }
}

#[test]
fn fields_without_anything_to_drop_agree_on_the_first_call_and_later() {
    macro_rules! agree {
        ($($function:ident)*) => {$(
            let (texts, stored) = twice($function::call);
            assert_eq!(texts[0], texts[1]);
            assert!(stored && !texts[0].contains("Fixed(1.0, 7)"), "{}", texts[0]);
            let (folder, _memory) = fresh();
            let memory = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
            assert_eq!(format!("{:?}", memory.eval($function::call())), texts[1]);
        )*};
    }
    agree!(one_flat flat_in_a_box flat_in_a_variant nested);
}

#[test]
fn a_comparison_that_panics_costs_no_result() {
    #[derive(Serialize, Deserialize)]
    struct Sore(u8);
    impl PartialEq for Sore {
        fn eq(&self, _: &Self) -> bool {
            panic!("not comparable")
        }
    }
    #[cache]
    fn sore() -> Sore {
        Sore(3)
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(sore::call()).0, 3);
    assert!(!memory.contains(&sore::call()));
}

/// A hasher without a seed, as many crates for fast hashing have.
type Seedless = BuildHasherDefault<DefaultHasher>;

type Table = HashMap<(i64, String), HashSet<u64, Seedless>, Seedless>;

#[derive(Payload, Debug)]
struct Names {
    names: HashSet<String, Seedless>,
}

returning! {
    retained -> HashMap<u32, f64, Seedless> {{
        let mut all: HashMap<u32, f64, Seedless> = (0..1000).map(|i| (i, 1.0 / (f64::from(i) + 0.1))).collect();
        all.retain(|i, _| i % 7 == 0);
        all
    }}
    grown -> HashMap<u32, f64, Seedless> {{
        let mut all = HashMap::default();
        (0..3000).rev().for_each(|i| *all.entry(i).or_insert(0.1) += 1.0 / f64::from(i + 1));
        all
    }}
    in_a_set -> Names {{
        let mut names = HashSet::with_capacity_and_hasher(500, Seedless::default());
        names.extend((0..50).map(|i| format!("n{i}")));
        Names { names }
    }}
    nested_tables -> Vec<(u8, Table)> {{
        let inner = |n: u64| (0..n).rev().map(|i| i * i).collect();
        vec![(1, (0..40).map(|i| ((-i, format!("{i}")), inner(i as u64))).collect())]
    }}
}

#[test]
fn tables_without_a_seed_come_back_in_the_same_order() {
    for ([first, later], stored) in
        [twice(retained::call), twice(grown::call), twice(in_a_set::call), twice(nested_tables::call)]
    {
        assert_eq!(first, later);
        assert!(stored);
    }
}

fn assert_owned<T: DeserializeOwned>(_: &T) {}

#[test]
fn lossy_functions_of_serde_give_the_same_at_once_or_are_not_stored() {
    mod tenth {
        pub(super) fn serialize<S: serde::Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_f64((x * 10.0).round() / 10.0)
        }
    }
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Strict(#[serde(serialize_with = "tenth::serialize")] f64);
    #[derive(Serialize, Deserialize, Debug)]
    struct Lax(#[serde(serialize_with = "tenth::serialize")] f64);
    #[cache]
    fn strict(x: f64) -> Strict {
        Strict(x)
    }
    #[cache]
    fn lax(x: f64) -> Lax {
        Lax(x)
    }
    assert_owned(&strict::compute(0.0));
    assert!(twice(|| strict::call(0.5)).1);
    let (texts, stored) = twice(|| strict::call(0.55));
    assert_eq!((texts[0].as_str(), texts[1].as_str(), stored), ("Strict(0.55)", "Strict(0.55)", false));
    let (texts, stored) = twice(|| lax::call(0.55));
    assert_eq!(texts[0], texts[1]);
    assert!(stored);
}

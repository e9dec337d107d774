//! What is told of arguments that have parts: in records, explanations, printed lines and lineages.

use std::cell::Cell;
use std::collections::HashMap;

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::{Memory, cache};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use tracing_subscriber::filter::LevelFilter;

use crate::support::{events, files, fresh};

#[derive(Clone, Serialize)]
enum Kind {
    Auto,
    Ridge(f64),
    Lasso { alpha: f64 },
}

#[derive(Clone, Serialize)]
struct Params {
    kind: Kind,
    steps: Vec<usize>,
    weights: HashMap<String, f64>,
    x: Array2<f64>,
}

#[cache]
fn fit(p: &Params) -> f64 {
    p.x.sum() + p.steps.len() as f64
}

/// The same arguments with an own implementation of `ContentHash`.
#[derive(ndcache::ContentHash)]
struct Own {
    kind: OwnKind,
    steps: Vec<usize>,
    x: Array2<f64>,
}

#[derive(ndcache::ContentHash)]
#[allow(dead_code)]
enum OwnKind {
    Ridge(f64),
    Lasso { alpha: f64 },
}

#[cache]
fn fit_own(p: &Own, n: usize) -> usize {
    p.steps.len() + n
}

fn params() -> Params {
    Params {
        kind: Kind::Ridge(1.0),
        steps: vec![1, 2, 3, 10],
        weights: HashMap::from([("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]),
        x: Array2::zeros((30, 4)),
    }
}

#[test]
fn a_miss_names_the_part_of_an_argument_that_changed() {
    let (_folder, memory) = fresh();
    memory.eval(fit::call(&params()));
    let told = |change: fn(&mut Params)| {
        let mut params = params();
        change(&mut params);
        memory.explain(&fit::call(&params)).to_string()
    };
    assert_eq!(told(|p| p.kind = Kind::Lasso { alpha: 1.0 }), "p.kind: Ridge(1.0) → Lasso { alpha: 1.0 }");
    assert_eq!(told(|p| p.kind = Kind::Auto), "p.kind: Ridge(1.0) → Auto");
    assert_eq!(told(|p| p.steps[3] = 12), "p.steps[3]: 10 → 12");
    assert_eq!(told(|p| p.steps.truncate(1)), "p.steps: [1, 2, 3, 10] → [1]");
    assert_eq!(told(|p| p.x[[1, 1]] = -0.0), "p.x: another f64[30, 4]");
    assert_eq!(
        told(|p| {
            p.weights.insert("a".into(), 3.0);
        }),
        "p.weights[\"a\"]: 1.0 → 3.0"
    );
    assert_eq!(
        told(|p| {
            p.weights.remove("a");
        }),
        "p.weights: {\"a\": 1.0, \"b\": 2.0} → {\"b\": 2.0}"
    );
    assert_eq!(
        told(|p| {
            p.kind = Kind::Ridge(2.0);
            p.steps[0] = 7;
        }),
        "p.kind: Ridge(1.0) → Ridge(2.0), p.steps[0]: 1 → 7"
    );
    assert_eq!(told(|_| {}), "hit");
}

#[test]
fn a_value_that_derives_its_digest_is_told_the_same_way() {
    let (_folder, memory) = fresh();
    let own = |kind, steps: &[usize]| Own { kind, steps: steps.to_vec(), x: Array2::zeros((3, 4)) };
    memory.eval(fit_own::call(&own(OwnKind::Ridge(1.0), &[3, 10]), 1));
    let told = |own, n| memory.explain(&fit_own::call(&own, n)).to_string();
    assert_eq!(told(own(OwnKind::Lasso { alpha: 1.0 }, &[3, 10]), 1), "p.kind: Ridge(1.0) → Lasso { alpha: 1.0 }");
    assert_eq!(told(own(OwnKind::Ridge(1.0), &[3, 12]), 2), "p.steps[1]: 10 → 12, argument `n`: 1 → 2");
    let explanation = memory.explain(&fit_own::call(&own(OwnKind::Ridge(1.0), &[3, 12]), 1));
    let Reason::Argument(differences) = explanation.reason() else { panic!("{explanation}") };
    let [difference] = &*differences else { panic!("{differences:?}") };
    assert_eq!((&*difference.name, &*difference.path), ("p", "steps[1]"));
    assert_eq!((&*difference.before, &*difference.now), ("10", "12"));
    let entry = memory.entry(&fit_own::call(&own(OwnKind::Ridge(1.0), &[3, 10]), 1)).unwrap().unwrap();
    assert_eq!(entry.arguments()[0].text(), "Own { kind: Ridge(1.0), steps: [3, 10], x: f64[3, 4] }");
    let lineage = memory.lineage(&fit_own::call(&own(OwnKind::Ridge(1.0), &[3, 10]), 1)).unwrap().unwrap();
    assert!(lineage.to_string().starts_with("fit_own(p=Own { kind: Ridge(1.0), steps: [3, 10], x: f64[3, 4] }, n=1)"));
}

#[test]
fn the_entries_of_a_sweep_print_differently() {
    let (_folder, memory) = fresh();
    for alpha in 0..20 {
        memory.eval(fit::call(&Params { kind: Kind::Ridge(f64::from(alpha)), ..params() }));
    }
    let mut texts: Vec<_> = memory.entries().map(|entry| entry.unwrap().arguments()[0].text().to_owned()).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 20);
    assert!(texts[0].starts_with("Params { kind: Ridge(0.0), steps: [1, 2, 3, 10], weights: {"), "{}", texts[0]);
    // The nearest call is the one with the fewest parts that differ.
    let near = Params { kind: Kind::Ridge(7.0), steps: vec![1, 2, 3, 11], ..params() };
    assert_eq!(memory.explain(&fit::call(&near)).to_string(), "p.steps[3]: 10 → 11");
}

#[derive(ndcache::ContentHash)]
struct Login {
    user: &'static str,
    pin: u16,
}

#[cache(secret(login))]
fn fetch(login: &Login, plain: &Login) -> usize {
    login.user.len() + plain.user.len()
}

#[test]
fn of_a_secret_no_part_is_kept_and_without_texts_of_none() {
    let folder = tempfile::tempdir().unwrap();
    let (login, plain) = (Login { user: "hunter2", pin: 1234 }, Login { user: "ada", pin: 4711 });
    let kept = |memory: &Memory, text: &str| {
        memory.clear().unwrap();
        memory.eval(fetch::call(&login, &plain));
        let record = std::fs::read(&files(folder.path(), ".record")[0]).unwrap();
        record.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    };
    let memory = Memory::open(folder.path()).unwrap();
    assert_eq!((kept(&memory, "leaves"), kept(&memory, "hunter2"), kept(&memory, "4711")), (1, 0, 2));
    let other = Login { user: "hunter2", pin: 4321 };
    assert_eq!(memory.explain(&fetch::call(&other, &plain)).to_string(), "argument `login`: another (secret)");
    assert_eq!(
        memory.explain(&fetch::call(&login, &other)).to_string(),
        "plain.user: \"ada\" → \"hunter2\", plain.pin: 4711 → 4321"
    );
    let untold = Memory::builder(folder.path()).texts(false).open().unwrap();
    for part in ["leaves", "pin", "ada", "4711"] {
        assert_eq!(kept(&untold, part), 0, "{part}");
    }
    assert_eq!(untold.explain(&fetch::call(&login, &other)).to_string(), "argument `plain` changed");
}

/// Panics, or refuses, when it is to be told in words.
#[derive(Clone, Copy)]
enum Shy {
    Panics,
    Refuses,
}

impl Serialize for Shy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (serializer.is_human_readable(), self) {
            (true, Self::Panics) => panic!("not in words"),
            (true, Self::Refuses) => Err(S::Error::custom("not in words")),
            (false, _) => serializer.serialize_u8(*self as u8),
        }
    }
}

#[cache]
fn shy(value: &(Shy, u8), n: u8) -> u8 {
    value.1 + n
}

#[test]
fn a_value_that_fails_when_it_is_told_costs_nothing() {
    for value in [Shy::Panics, Shy::Refuses] {
        let (_folder, memory) = fresh();
        assert_eq!(memory.try_eval(shy::call(&(value, 1), 2)).unwrap(), 3);
        assert_eq!(memory.try_eval(shy::call(&(value, 1), 2)).unwrap(), 3);
        assert_eq!((memory.stats().hits(), memory.stats().misses(), memory.stats().faults()), (1, 1, 0));
        assert_eq!(memory.explain(&shy::call(&(value, 1), 3)).to_string(), "argument `n`: 2 → 3");
        let told = memory.explain(&shy::call(&(value, 2), 2)).to_string();
        assert!(told.contains("value"), "{told}");
    }
}

#[cache]
fn wide(a: &[String], b: &[String], c: &[String], d: &[String], e: &[String]) -> usize {
    a.len() + b.len() + c.len() + d.len() + e.len()
}

#[test]
fn however_much_there_is_to_tell_a_record_has_room_for_it() {
    let (folder, memory) = fresh();
    let long: Vec<_> = (0..32).map(|n| format!("{n}{}", "\u{1F980}".repeat(1000))).collect();
    let call = || wide::call(&long, &long, &long, &long, &long);
    memory.try_eval(call()).unwrap();
    memory.try_eval(call()).unwrap();
    assert_eq!(memory.stats().hits(), 1);
    let record = std::fs::metadata(&files(folder.path(), ".record")[0]).unwrap().len();
    assert!((8 << 10..32 << 10).contains(&record), "{record}");
    let mut other = long.clone();
    other[3].push('!');
    let told = memory.explain(&wide::call(&other, &long, &long, &long, &long)).to_string();
    assert!(told.starts_with("a[3]: \"3"), "{told}");
}

thread_local! {
    static TOLD: Cell<u32> = const { Cell::new(0) };
}

/// Counts how often it is put into words.
struct Counted(u8);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TOLD.set(TOLD.get() + u32::from(serializer.is_human_readable()));
        serializer.serialize_u8(self.0)
    }
}

#[cache]
fn counted(values: &[Counted], n: u8) -> u8 {
    values[0].0 + n
}

#[test]
fn a_hit_tells_no_argument() {
    let (folder, memory) = fresh();
    let values = [Counted(1), Counted(2)];
    assert_eq!(memory.eval(counted::call(&values, 1)), 2);
    assert_eq!(TOLD.replace(0), 2, "each part once");
    for memory in [memory, Memory::open(folder.path()).unwrap()] {
        (0..3).for_each(|_| assert_eq!(memory.eval(counted::call(&values, 1)), 2));
        assert!(memory.contains(&counted::call(&values, 1)));
        assert_eq!(memory.stats().hits(), 3);
    }
    assert_eq!(TOLD.replace(0), 0);
    // A subscriber doesn't cause a miss to describe them twice.
    let memory = Memory::open(folder.path()).unwrap();
    let told = events(LevelFilter::INFO, || assert_eq!(memory.eval(counted::call(&values, 2)), 3));
    assert!(told.iter().any(|event| event.contains("argument `n`: 1 → 2")), "{told:?}");
    assert_eq!(TOLD.replace(0), 2);
    let silent = Memory::builder(folder.path()).texts(false).open().unwrap();
    assert_eq!(silent.eval(counted::call(&values, 3)), 4);
    assert_eq!(TOLD.replace(0), 0);
}

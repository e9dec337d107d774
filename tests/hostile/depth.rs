//! Values that are nested so deep that reading them recursively exhausts the stack: the plain function is fine.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use ndcache::hash::{ContentHasher, digest_serde};
use ndcache::make::MsgpackFile;
use ndcache::{ContentHash, Memory, Payload, cache, digest};
use serde::{Deserialize, Serialize};

use crate::support::{fresh, warnings};

/// More nodes than any stack has room for.
const LONG: u64 = 1_000_000;

/// A list whose author has written a destructor without recursion.
macro_rules! list {
    ($name:ident, $($derive:ident),*) => {
        #[derive(Clone, Debug, PartialEq, $($derive),*)]
        struct $name {
            value: u64,
            next: Option<Box<$name>>,
        }

        impl $name {
            fn of(len: u64) -> Self {
                (1..len).fold(Self { value: 0, next: None }, |list, value| Self { value, next: Some(Box::new(list)) })
            }

            fn sum(&self) -> u64 {
                let (mut sum, mut node) = (self.value, self);
                while let Some(next) = &node.next {
                    sum += next.value;
                    node = next;
                }
                sum
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                let mut next = self.next.take();
                while let Some(mut node) = next {
                    next = node.next.take();
                }
            }
        }
    };
}

list!(Hashed, ContentHash);
list!(Serde, Serialize, Deserialize);

#[derive(ContentHash)]
enum Chain {
    End,
    Link(u64, Rc<Chain>),
}

impl Chain {
    fn of(len: u64) -> Self {
        (0..len).fold(Self::End, |chain, value| Self::Link(value, Rc::new(chain)))
    }

    fn len(&self) -> u64 {
        let (mut len, mut chain) = (0, self);
        while let Self::Link(_, next) = chain {
            (len, chain) = (len + 1, next);
        }
        len
    }
}

#[derive(ContentHash, Default)]
struct Tree {
    name: String,
    below: Vec<Tree>,
    named: BTreeMap<String, Tree>,
}

#[cache]
fn hashed(list: &Hashed) -> u64 {
    list.sum()
}

#[cache]
fn by_serde(list: &Serde) -> u64 {
    list.sum()
}

#[cache]
fn hashed_within(lists: &[(u8, Option<Hashed>)]) -> u64 {
    lists.iter().filter_map(|(_, list)| list.as_ref()).map(Hashed::sum).sum()
}

#[cache]
fn serde_within(lists: &HashMap<String, Serde>) -> u64 {
    lists.values().map(Serde::sum).sum()
}

#[cache]
fn chain(chain: &Chain) -> u64 {
    chain.len()
}

/// Calls twice; returns the number of hits, and the warnings.
fn twice(memory: &Memory, call: impl Fn() -> u64, expected: u64) -> (u64, Vec<String>) {
    let before = memory.stats().hits();
    let told = warnings(|| assert_eq!([call(), call()], [expected; 2]));
    (memory.stats().hits() - before, told)
}

#[test]
fn an_argument_that_is_nested_too_deep_bypasses_the_cache_and_says_why() {
    let (_folder, memory) = fresh();
    let memory = &memory;
    let sum = |len: u64| len * (len - 1) / 2;
    let (long, serde, links) = (Hashed::of(LONG), Serde::of(LONG), Chain::of(LONG));
    let within = [(1, None), (2, Some(Hashed::of(LONG)))];
    let named = HashMap::from([("long".to_owned(), Serde::of(LONG)), ("short".to_owned(), Serde::of(1))]);
    for (hits, told) in [
        twice(memory, || memory.eval(hashed::call(&long)), sum(LONG)),
        twice(memory, || memory.eval(by_serde::call(&serde)), sum(LONG)),
        twice(memory, || memory.eval(hashed_within::call(&within)), sum(LONG)),
        twice(memory, || memory.eval(serde_within::call(&named)), sum(LONG)),
        twice(memory, || memory.eval(chain::call(&links)), LONG),
    ] {
        assert_eq!(hits, 0);
        assert!(told.concat().contains("nested deeper than 128 levels"), "{told:?}");
    }
    assert!(memory.explain(&hashed::call(&long)).to_string().contains("nested deeper than 128 levels"));
    assert!(!memory.contains(&by_serde::call(&serde)));
    // The destructor of `links` is recursive, and would exhaust the stack.
    std::mem::forget(links);
}

#[test]
fn what_is_nested_128_levels_deep_is_cached_however_much_of_it_there_is() {
    let (_folder, memory) = fresh();
    let memory = &memory;
    let sum = |len: u64| len * (len - 1) / 2;
    let (list, serde, links) = (Hashed::of(128), Serde::of(128), Chain::of(127));
    assert_eq!(twice(memory, || memory.eval(hashed::call(&list)), sum(128)), (1, vec![]));
    assert_eq!(twice(memory, || memory.eval(by_serde::call(&serde)), sum(128)), (1, vec![]));
    assert_eq!(twice(memory, || memory.eval(chain::call(&links)), 127), (1, vec![]));
    let (list, serde) = (Hashed::of(129), Serde::of(129));
    assert_eq!(twice(memory, || memory.eval(hashed::call(&list)), sum(129)).0, 0);
    assert_eq!(twice(memory, || memory.eval(by_serde::call(&serde)), sum(129)).0, 0);
    let wide: Vec<_> = (0..2000).map(|n| (n as u8, Some(Hashed::of(100)))).collect();
    assert_eq!(twice(memory, || memory.eval(hashed_within::call(&wide)), 2000 * sum(100)), (1, vec![]));
}

#[test]
fn a_tree_through_any_container_ends() {
    let mut tree = Tree::default();
    for n in 0..400 {
        let name = n.to_string();
        tree = match n % 2 {
            0 => Tree { name, below: vec![tree], ..Tree::default() },
            _ => Tree { named: BTreeMap::from([(name, tree)]), ..Tree::default() },
        };
    }
    let mut hasher = ContentHasher::new();
    tree.content_hash(&mut hasher);
    assert!(hasher.try_finish().is_err());
    assert_ne!(digest(&tree), digest(&tree));
}

/// Implements `ContentHash` by hand, without `begin` and `end`; for serde it is a newtype of nothing but `Some`s.
struct Bare(Option<Box<Bare>>);

impl ContentHash for Bare {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        self.0.content_hash(hasher);
    }
}

impl Serialize for Bare {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut bare) = next {
            next = bare.0.take();
        }
    }
}

#[test]
fn a_chain_of_nothing_but_boxes_ends() {
    let bare = (0..LONG).fold(Bare(None), |bare, _| Bare(Some(Box::new(bare))));
    let mut hasher = ContentHasher::new();
    bare.content_hash(&mut hasher);
    assert!(hasher.try_finish().is_err());
    assert!(digest_serde(&bare).is_err());
    let few = (0..200).fold(Bare(None), |bare, _| Bare(Some(Box::new(bare))));
    assert_eq!(digest(&few), digest(&few));
    assert!(digest_serde(&few).is_ok());
}

/// Ignores that a part refuses, as no format could write it.
struct Careless(Vec<Hashed>, bool);

impl Serialize for Careless {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error, SerializeSeq};
        struct Refuses(u64);
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut begun = serializer.serialize_seq(None)?;
                begun.serialize_element(&self.0)?;
                Err(S::Error::custom("it won't"))
            }
        }
        let mut all = serializer.serialize_seq(None)?;
        for list in &self.0 {
            all.serialize_element(&list.value)?;
            if self.1 {
                let _ = all.serialize_element(&Refuses(list.value));
            }
        }
        all.end()
    }
}

#[test]
fn an_error_that_is_ignored_is_none_of_a_key() {
    assert!(digest_serde(&Careless(vec![Hashed::of(1)], false)).is_ok());
    let error = digest_serde(&Careless(vec![Hashed::of(1)], true)).unwrap_err();
    assert!(error.to_string().contains("ignores the error of a part"), "{error}");
}

// ---- results

list!(Stored, Payload);

#[cache]
fn stored(len: u64) -> Stored {
    Stored::of(len)
}

#[cache]
fn stored_by_serde(len: u64) -> Serde {
    Serde::of(len)
}

#[cache]
fn stored_within(len: u64) -> Vec<(u8, Option<Stored>)> {
    vec![(1, None), (2, Some(Stored::of(len)))]
}

#[test]
fn a_result_that_is_nested_too_deep_is_returned_and_not_stored() {
    let (_folder, memory) = fresh();
    let memory = &memory;
    let sum = |len: u64| len * (len - 1) / 2;
    let (long, short) = (LONG, 30);
    for len in [long, short] {
        let hits = u64::from(len == short);
        let all = [
            twice(memory, || memory.eval(stored::call(len)).sum(), sum(len)),
            twice(memory, || memory.eval(stored_by_serde::call(len)).sum(), sum(len)),
            twice(memory, || memory.eval(stored_within::call(len))[1].1.as_ref().unwrap().sum(), sum(len)),
        ];
        for (found, told) in all {
            assert_eq!(found, hits);
            assert_eq!(told.concat().contains("nested deeper than 128 levels"), len == long, "{told:?}");
        }
    }
}

#[test]
fn a_target_of_a_value_that_is_nested_too_deep_is_an_error_that_names_it() {
    let (folder, memory) = fresh();
    let target = || MsgpackFile::new(folder.path().join("list.msgpack"));
    let error = memory.make(stored_by_serde::call(LONG), target()).unwrap_err().to_string();
    assert!(error.contains("list.msgpack") && error.contains("nested deeper than 128 levels"), "{error}");
    assert!(!folder.path().join("list.msgpack").exists());
    assert_eq!(memory.make(stored_by_serde::call(30), target()).unwrap(), Serde::of(30));
}

// ---- recursive types of every make, as arguments and as results, alone and in rows

/// An enum that refers to itself in every way a type can.
#[derive(Clone, Debug, PartialEq, ContentHash, Payload)]
enum Tangled {
    End,
    Boxed(Box<Tangled>),
    Maybe(u8, Option<Box<Tangled>>),
    List(Vec<Tangled>),
    Named { by: BTreeMap<String, Tangled> },
}

/// An enum that refers to itself in the same ways, and is known to serde alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum ByName {
    End,
    Boxed(Box<ByName>),
    Maybe(u8, Option<Box<ByName>>),
    List(Vec<ByName>),
    Named { by: BTreeMap<String, ByName> },
}

/// A newtype of nothing but an `Option` of itself.
#[derive(Clone, Debug, PartialEq, ContentHash, Payload)]
struct Links(Option<Box<Links>>);

/// A newtype of nothing but an `Option` of itself, known to serde alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SerdeLinks(Option<Box<SerdeLinks>>);

macro_rules! tangled {
    ($type:ident, $len:expr, $kind:expr) => {
        (0..$len).fold($type::End, |inner, _| match $kind {
            0 => $type::Boxed(Box::new(inner)),
            1 => $type::Maybe(1, Some(Box::new(inner))),
            2 => $type::List(vec![inner]),
            _ => $type::Named { by: BTreeMap::from([("a".to_owned(), inner)]) },
        })
    };
}

fn links(len: u64) -> Links {
    (0..len).fold(Links(None), |links, _| Links(Some(Box::new(links))))
}

fn serde_links(len: u64) -> SerdeLinks {
    (0..len).fold(SerdeLinks(None), |links, _| SerdeLinks(Some(Box::new(links))))
}

/// Leaks a value whose destructor would exhaust the stack.
fn forget<T>(value: T) -> u64 {
    std::mem::forget(value);
    1
}

#[cache]
fn takes_tangled(values: &[(u8, Tangled)]) -> usize {
    values.len()
}

#[cache]
fn takes_by_name(values: &(Vec<ByName>, u8)) -> usize {
    values.0.len()
}

#[cache]
fn takes_links(values: &BTreeMap<String, Links>) -> usize {
    values.len()
}

#[cache]
fn takes_serde_links(values: &[SerdeLinks]) -> usize {
    values.len()
}

#[test]
fn recursive_arguments_of_every_make_bypass_the_cache() {
    let (_folder, memory) = fresh();
    for kind in 0..4 {
        let values = [(1, Tangled::End), (2, tangled!(Tangled, LONG, kind))];
        assert_eq!(twice(&memory, || memory.eval(takes_tangled::call(&values)) as u64, 2).0, 0);
        forget(values);
        let values = (vec![tangled!(ByName, LONG, kind)], 1);
        assert_eq!(twice(&memory, || memory.eval(takes_by_name::call(&values)) as u64, 1).0, 0);
        forget(values);
        let (few, named) = ([(1, tangled!(Tangled, 40, kind))], (vec![tangled!(ByName, 40, kind)], 1));
        assert_eq!(twice(&memory, || memory.eval(takes_tangled::call(&few)) as u64, 1).0, 1);
        assert_eq!(twice(&memory, || memory.eval(takes_by_name::call(&named)) as u64, 1).0, 1);
    }
    let values = BTreeMap::from([("a".to_owned(), links(LONG)), ("b".to_owned(), links(3))]);
    assert_eq!(twice(&memory, || memory.eval(takes_links::call(&values)) as u64, 2).0, 0);
    forget(values);
    let values = [serde_links(3), serde_links(LONG)];
    assert_eq!(twice(&memory, || memory.eval(takes_serde_links::call(&values)) as u64, 2).0, 0);
    forget(values);
}

#[cache]
fn gives_tangled(len: u64, kind: u8) -> Vec<Tangled> {
    vec![Tangled::End, tangled!(Tangled, len, kind)]
}

#[cache]
fn gives_by_name(len: u64, kind: u8) -> (u8, ByName) {
    (kind, tangled!(ByName, len, kind))
}

#[cache]
fn gives_links(len: u64) -> Option<Links> {
    Some(links(len))
}

#[cache]
fn gives_serde_links(len: u64) -> BTreeMap<u8, SerdeLinks> {
    BTreeMap::from([(1, serde_links(len))])
}

#[test]
fn recursive_results_of_every_make_are_returned_and_not_stored() {
    let (_folder, memory) = fresh();
    for (len, hits) in [(LONG, 0), (30, 1)] {
        for kind in 0..4 {
            assert_eq!(twice(&memory, || forget(memory.eval(gives_tangled::call(len, kind))), 1).0, hits);
            assert_eq!(twice(&memory, || forget(memory.eval(gives_by_name::call(len, kind))), 1).0, hits);
        }
        assert_eq!(twice(&memory, || forget(memory.eval(gives_links::call(len))), 1).0, hits);
        assert_eq!(twice(&memory, || forget(memory.eval(gives_serde_links::call(len))), 1).0, hits);
    }
}

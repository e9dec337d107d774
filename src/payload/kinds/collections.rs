//! Maps and sets. They are written sorted by the bytes of their keys, so that equal ones have equal bytes whatever the
//! hasher's seed.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::payload::kinds::sequences::capacity;
use crate::payload::wire;
use crate::payload::{Mappable, Normaliser, Payload, Reader, TypeName, Writer};

/// Some keys as they are stored, one after the other, and what belongs to each, in the order of their bytes.
struct EncodedKeys<V> {
    bytes: Vec<u8>,
    entries: Vec<SavedEntry<V>>,
}

struct SavedEntry<V> {
    /// The first bytes of the key, most significant first: most keys differ in them.
    first: u128,
    key: Range<usize>,
    value: V,
}

impl<V> EncodedKeys<V> {
    fn iter(&self) -> impl Iterator<Item = (&[u8], &V)> {
        self.entries.iter().map(|entry| (&self.bytes[entry.key.clone()], &entry.value))
    }
}

/// Sorts by the bytes of the keys. Arrays in them stay inside: sorting would mix up their indices.
fn encoded<'a, K: Payload + 'a, V>(
    entries: impl Iterator<Item = (&'a K, V)>,
    out: &mut Writer<'_>,
) -> Result<EncodedKeys<V>> {
    let start = out.position();
    let encode = |(key, value): (&'a K, V)| {
        let begin = out.position() - start;
        out.without_lifting(|out| key.save(out))?;
        let first = wire::first_bytes(out.since(start + begin));
        Ok(SavedEntry { first, key: begin..out.position() - start, value })
    };
    let mut entries = entries.map(encode).collect::<Result<Vec<_>>>()?;
    let bytes = out.take(start);
    entries.sort_unstable_by(|a, b| {
        let whole = || bytes[a.key.clone()].cmp(&bytes[b.key.clone()]);
        a.first.cmp(&b.first).then_with(whole)
    });
    Ok(EncodedKeys { bytes, entries })
}

fn save_map<'a, K: Payload + 'a, V: Payload + 'a>(
    entries: impl ExactSizeIterator<Item = (&'a K, &'a V)>,
    out: &mut Writer<'_>,
) -> Result<()> {
    out.begin_map(entries.len())?;
    for (key, value) in encoded(entries, out)?.iter() {
        out.raw(key);
        value.save(out)?;
    }
    out.end();
    Ok(())
}

fn save_set<'a, K: Payload + 'a>(keys: impl ExactSizeIterator<Item = &'a K>, out: &mut Writer<'_>) -> Result<()> {
    out.begin_array(keys.len())?;
    for (key, ()) in encoded(keys.map(|key| (key, ())), out)?.iter() {
        out.raw(key);
    }
    out.end();
    Ok(())
}

/// Reads a map into `entries`, which `insert` adds to and says whether the key was new.
fn load_map<K: Payload, V, M>(
    input: &mut Reader<'_>,
    value: fn(&mut Reader<'_>) -> Result<V>,
    with_capacity: impl FnOnce(usize) -> M,
    insert: impl Fn(&mut M, K, V) -> bool,
) -> Result<M> {
    let len = input.begin_map()?;
    let mut entries = with_capacity(capacity::<(K, V)>(len, input));
    for _ in 0..len {
        let key = K::load(input)?;
        let value = value(input)?;
        if !insert(&mut entries, key, value) {
            return Err(Error::damaged("map has a key twice"));
        }
    }
    input.end();
    Ok(entries)
}

fn load_set<K: Payload, S>(
    input: &mut Reader<'_>,
    with_capacity: impl FnOnce(usize) -> S,
    insert: impl Fn(&mut S, K) -> bool,
) -> Result<S> {
    let len = input.begin_array()?;
    let mut keys = with_capacity(capacity::<K>(len, input));
    for _ in 0..len {
        if !insert(&mut keys, K::load(input)?) {
            return Err(Error::damaged("set has an element twice"));
        }
    }
    input.end();
    Ok(keys)
}

/// Whether two tables of one content may be walked in two orders, whatever is done, because each has a seed of its own.
fn has_seed<S>() -> bool {
    typeid::of::<S>() == TypeId::of::<RandomState>()
}

/// A table whose hasher has no seed, made so that its order follows from its content: its user sees the order in which
/// it is walked, which has to be the same on the first call and later ones.
///
/// `entries` come in the order of their keys' bytes.
fn table<K: Eq + Hash, V, S: BuildHasher + Default>(entries: Vec<(K, V)>) -> HashMap<K, V, S> {
    let mut table = HashMap::with_capacity_and_hasher(entries.len(), S::default());
    table.extend(entries);
    table
}

/// A set, in the same way.
fn set<K: Eq + Hash, S: BuildHasher + Default>(keys: Vec<(K, ())>) -> HashSet<K, S> {
    let mut set = HashSet::with_capacity_and_hasher(keys.len(), S::default());
    set.extend(keys.into_iter().map(|(key, ())| key));
    set
}

/// Brings the keys of a table into their normal form, and the table into its normal order, where it has one.
fn normalise_table<K: Payload + Eq + Hash, V, S: BuildHasher + Default>(
    table_of: &mut HashMap<K, V, S>,
    by: &mut Normaliser,
) {
    if has_seed::<S>() {
        return normalise_keys::<K, _, _>(table_of, |(key, value)| (by.moved(key), value));
    }
    let entries: Vec<_> = mem::take(table_of).into_iter().map(|(key, value)| (by.moved(key), value)).collect();
    *table_of = table(by.sorted(entries));
}

/// Builds a collection anew from what `moved` makes of its items, where a key may not be normal: keys can't be changed
/// in place.
fn normalise_keys<K: Payload, T, C>(collection: &mut C, moved: impl FnMut(T) -> T)
where
    C: Default + IntoIterator<Item = T> + FromIterator<T>,
{
    if !K::is_always_normal() {
        *collection = mem::take(collection).into_iter().map(moved).collect();
    }
}

impl<K: Payload + Eq + Hash, V: Payload, S: BuildHasher + Default> Payload for HashMap<K, V, S> {
    fn type_name(name: &mut TypeName) {
        name.generic("HashMap", &[K::type_name, V::type_name]);
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        normalise_table(self, by);
        self.values_mut().for_each(|value| value.normalise(by));
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        save_map(self.iter(), out)
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        hash_map(input, V::load)
    }
}

impl<K: Payload + Eq + Hash, V: Mappable, S: BuildHasher + Default> Mappable for HashMap<K, V, S> {
    type Mapped = HashMap<K, V::Mapped, S>;

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        hash_map(input, V::map)
    }

    fn into_mapped(self) -> Self::Mapped {
        self.into_iter().map(|(key, value)| (key, value.into_mapped())).collect()
    }
}

fn hash_map<K: Payload + Eq + Hash, V, S: BuildHasher + Default>(
    input: &mut Reader<'_>,
    value: fn(&mut Reader<'_>) -> Result<V>,
) -> Result<HashMap<K, V, S>> {
    if has_seed::<S>() {
        let with_capacity = |len| HashMap::with_capacity_and_hasher(len, S::default());
        return load_map(input, value, with_capacity, |map, key, value| map.insert(key, value).is_none());
    }
    // A length that a record claims is given no room before there are as many entries.
    let push = |entries: &mut Vec<(K, V)>, key, value| {
        entries.push((key, value));
        true
    };
    let entries = load_map(input, value, Vec::with_capacity, push)?;
    let len = entries.len();
    Some(table(entries)).filter(|table: &HashMap<K, V, S>| table.len() == len).ok_or_else(twice)
}

fn twice() -> Error {
    Error::damaged("map or set has a key twice")
}

impl<K: Payload + Ord, V: Payload> Payload for BTreeMap<K, V> {
    fn type_name(name: &mut TypeName) {
        name.generic("BTreeMap", &[K::type_name, V::type_name]);
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        normalise_keys::<K, _, _>(self, |(key, value)| (by.moved(key), value));
        self.values_mut().for_each(|value| value.normalise(by));
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        save_map(self.iter(), out)
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        tree_map(input, V::load)
    }
}

impl<K: Payload + Ord, V: Mappable> Mappable for BTreeMap<K, V> {
    type Mapped = BTreeMap<K, V::Mapped>;

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        tree_map(input, V::map)
    }

    fn into_mapped(self) -> Self::Mapped {
        self.into_iter().map(|(key, value)| (key, value.into_mapped())).collect()
    }
}

fn tree_map<K: Payload + Ord, V>(
    input: &mut Reader<'_>,
    value: fn(&mut Reader<'_>) -> Result<V>,
) -> Result<BTreeMap<K, V>> {
    load_map(input, value, |_| BTreeMap::new(), |map, key, value| map.insert(key, value).is_none())
}

impl<K: Payload + Eq + Hash, S: BuildHasher + Default> Payload for HashSet<K, S> {
    fn type_name(name: &mut TypeName) {
        name.generic("HashSet", &[K::type_name]);
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        if has_seed::<S>() {
            return normalise_keys::<K, _, _>(self, |key| by.moved(key));
        }
        let keys: Vec<_> = mem::take(self).into_iter().map(|key| (by.moved(key), ())).collect();
        *self = set(by.sorted(keys));
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        save_set(self.iter(), out)
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        if has_seed::<S>() {
            let with_capacity = |len| HashSet::with_capacity_and_hasher(len, S::default());
            return load_set(input, with_capacity, HashSet::insert);
        }
        let push = |keys: &mut Vec<(K, ())>, key| {
            keys.push((key, ()));
            true
        };
        let keys = load_set(input, Vec::with_capacity, push)?;
        let len = keys.len();
        Some(set(keys)).filter(|set: &Self| set.len() == len).ok_or_else(twice)
    }
}

impl<K: Payload + Ord> Payload for BTreeSet<K> {
    fn type_name(name: &mut TypeName) {
        name.generic("BTreeSet", &[K::type_name]);
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        normalise_keys::<K, _, _>(self, |key| by.moved(key));
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        save_set(self.iter(), out)
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        load_set(input, |_| BTreeSet::new(), BTreeSet::insert)
    }
}

crate::payload::value::maps_to_itself! {
    [K: Payload + Eq + Hash, S: BuildHasher + Default] HashSet<K, S>;
    [K: Payload + Ord] BTreeSet<K>;
}

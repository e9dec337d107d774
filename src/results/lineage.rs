//! What went into a result: the entries whose results were its arguments, and theirs.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use crate::call::lazy::Call;
use crate::digest::{ContentHash, ContentHasher, Digest};
use crate::entry::in_memory::Content;
use crate::entry::info::Entry;
use crate::entry::site::Site;
use crate::error::Result;
use crate::folder::survey::{RecordState, survey};
use crate::key::Key;
use crate::memory::{Engine, Memory};
use crate::payload::inline_arrays;
use crate::record::{Argument, Record};

mod dependents;
mod print;
#[cfg(test)]
mod tests;

pub use dependents::Dependents;

/// How many entries an argument names at most, where many hold its array: those that were made first.
const SOURCES: usize = 8;

/// The lineage of a result: the stored calls whose results went into it, from [`Memory::lineage`].
///
/// It prints as a tree: a line for each entry with its function, its arguments, its key, when it was computed, how
/// long that took, and whether it was edited; below it, by the name of the argument, the entries that hold that
/// argument. An entry that was printed before isn't expanded again.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// The result's own first, then in the order in which they were come to.
    nodes: Vec<Node>,
    /// Why something may be missing.
    unread: Option<String>,
}

#[derive(Clone, Debug)]
struct Node {
    entry: Entry,
    inputs: Vec<Input>,
}

/// An argument that is an array, or the result of a stored call.
#[derive(Clone, Debug)]
struct Input {
    /// The index of the argument among those of the entry.
    argument: usize,
    /// The nodes that hold it.
    sources: Vec<usize>,
    /// How many more entries hold it.
    more: usize,
}

/// An argument of a stored call, with an entry that holds it.
///
/// [`Lineage::links`] returns links.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    call: &'a Entry,
    argument: &'a Argument,
    source: Option<&'a Entry>,
}

impl<'a> Link<'a> {
    /// Returns the call that took the argument.
    #[must_use]
    pub fn call(&self) -> &'a Entry {
        self.call
    }

    /// Returns the argument.
    #[must_use]
    pub fn argument(&self) -> &'a Argument {
        self.argument
    }

    /// Returns the entry that holds it; `None` if there is none, because the array came from elsewhere, or its entry
    /// was removed.
    #[must_use]
    pub fn source(&self) -> Option<&'a Entry> {
        self.source
    }
}

impl Lineage {
    /// Returns the entries, each once, the result's own first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.nodes.iter().map(|node| &node.entry)
    }

    /// Returns why a folder of the cache couldn't be listed (the first one, if there are several): entries in it may
    /// be missing here.
    #[must_use]
    pub fn unread(&self) -> Option<&str> {
        self.unread.as_deref()
    }

    /// Returns each argument that is an array or a stored result, with each entry that holds it (at most eight).
    ///
    /// Rounded arguments (`round(x = 1e-9)`) are left out, because their key holds other numbers than any entry.
    pub fn links(&self) -> impl Iterator<Item = Link<'_>> {
        self.nodes.iter().flat_map(move |node| {
            node.inputs.iter().flat_map(move |input| {
                let (call, argument) = (&node.entry, &node.entry.arguments()[input.argument]);
                let link = move |source| Link { call, argument, source };
                let none = input.sources.is_empty().then(|| link(None));
                none.into_iter().chain(input.sources.iter().map(move |&node| link(Some(&self.nodes[node].entry))))
            })
        })
    }
}

impl Memory {
    /// Returns which stored results went into the result of `call`, or `None` if that isn't stored.
    ///
    /// Arguments are matched with entries by digest: an array with each entry that has it among its arrays, a
    /// [`Shelved`](crate::shelve::Shelved) result with the entry of its content. So it doesn't matter how an array
    /// came from one function to another; and an array that two functions return, such as all zeros, is matched with
    /// both. Arrays inside arguments of other types, such as tuples, aren't seen. A branch ends where no entry holds
    /// an array, because it came from elsewhere or its entry was evicted. Each entry is followed once.
    ///
    /// It reads all records of the cache, on several threads, and no arrays; if all arguments are numbers and texts,
    /// which are no results, it reads no other records. It writes and counts nothing.
    ///
    /// # Errors
    ///
    /// Returns an error when the call has no key, when its entry can't be read, or when the cache folder can't be
    /// listed. If a folder in it can't be listed, [`Lineage::unread`] says so.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndarray::prelude::*;
    /// use ndcache::{Memory, cache};
    ///
    /// #[cache]
    /// fn ramp(n: usize) -> Array1<f64> {
    ///     Array1::linspace(0.0, 1.0, n)
    /// }
    ///
    /// #[cache]
    /// fn total(x: &ArrayRef1<f64>) -> f64 {
    ///     x.sum()
    /// }
    ///
    /// let memory = Memory::open(folder.path())?;
    /// let x = memory.eval(ramp::call(1000));
    /// memory.eval(total::call(&x));
    /// let lineage = memory.lineage(&total::call(&x))?.unwrap();
    /// let text = lineage.to_string();
    /// let mut lines = text.lines();
    /// assert!(lines.next().unwrap().starts_with("total(x=f64[1000] C)"));
    /// assert!(lines.next().unwrap().starts_with("└─ x: ramp(n=1000)"));
    /// assert!(lineage.dot().starts_with("digraph"));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn lineage<A, R>(&self, call: &Call<A, R>) -> Result<Option<Lineage>> {
        let Some(engine) = &self.0 else { return Ok(None) };
        let site = engine.site(call)?;
        let Some(entry) = engine.entry(&site.record())? else { return Ok(None) };
        engine.trace([entry]).map(Some)
    }
}

/// Which entries hold an array or a value, by what it counts as in an argument; or took it as one.
struct DigestIndex<T> {
    /// The folders of the functions.
    functions: Vec<String>,
    by_digest: HashMap<Digest, Vec<T>>,
    /// Why a folder couldn't be listed.
    unread: Option<String>,
}

/// Where an entry is, and when it was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    created: u64,
    /// The index of its function's folder in [`DigestIndex::functions`].
    function: usize,
    key: Key,
}

impl Engine {
    /// What `find` finds in each entry, by digests.
    fn index<T: Send>(&self, find: impl Fn(&Record, Holder, &mut Vec<(Digest, T)>) + Sync) -> Result<DigestIndex<T>> {
        let survey = survey(&self.archive.disk, |found: &mut Vec<(Digest, T)>, shard| {
            for (key, item) in shard.records() {
                let RecordState::Entry(entry) = shard.listed_state(key, item) else { continue };
                let place = Holder { created: entry.record.created, function: shard.function, key };
                find(&entry.record, place, found);
            }
        })?;
        let (unread, mut by_digest) = (survey.unread(), HashMap::<_, Vec<_>>::new());
        for (digest, found) in survey.tallies.into_iter().flatten() {
            by_digest.entry(digest).or_default().push(found);
        }
        Ok(DigestIndex { functions: survey.functions, by_digest, unread })
    }

    /// Which entries hold which arrays and values.
    fn holders(&self) -> Result<DigestIndex<Holder>> {
        let mut index = self.index(|record, place, found| {
            found.extend(held(record).into_iter().map(|digest| (digest, place)));
        })?;
        for places in index.by_digest.values_mut() {
            places.sort_unstable();
            // An entry that holds one array twice.
            places.dedup();
        }
        Ok(index)
    }

    /// Follows the arguments of `roots` to the entries that hold them, and on from there; each entry once, whatever
    /// circle they form.
    pub(crate) fn trace(&self, roots: impl IntoIterator<Item = Entry>) -> Result<Lineage> {
        let (mut lineage, mut known) = (Lineage { nodes: Vec::new(), unread: None }, HashMap::new());
        for entry in roots {
            if let Slot::Vacant(new) = known.entry(entry.key()) {
                new.insert(lineage.nodes.len());
                lineage.nodes.push(Node { entry, inputs: Vec::new() });
            }
        }
        let (mut index, mut next) = (None, 0);
        while next < lineage.nodes.len() {
            let entry = lineage.nodes[next].entry.clone();
            if entry.arguments().iter().any(|argument| !is_plain(argument.text())) {
                let index = match &mut index {
                    Some(index) => &*index,
                    none => &*none.insert(self.holders()?),
                };
                lineage.nodes[next].inputs = self.inputs(&entry, index, &mut known, &mut lineage);
            }
            next += 1;
        }
        lineage.unread = index.and_then(|index| index.unread);
        Ok(lineage)
    }

    /// The arguments of an entry that are arrays or stored results, with the nodes that hold them.
    fn inputs(
        &self,
        entry: &Entry,
        index: &DigestIndex<Holder>,
        known: &mut HashMap<Key, usize>,
        lineage: &mut Lineage,
    ) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (at, argument) in entry.arguments().iter().enumerate() {
            let places = index.by_digest.get(&argument.digest()).map_or(&[][..], Vec::as_slice);
            // A function that returns its argument unchanged holds it, too, and didn't make it.
            let others: Vec<_> = places.iter().filter(|place| place.key != entry.key()).collect();
            let mut sources = Vec::new();
            for place in others.iter().take(SOURCES) {
                sources.extend(self.node(place, index, known, lineage));
            }
            if !sources.is_empty() || is_array(argument.text()) {
                inputs.push(Input { argument: at, sources, more: others.len().saturating_sub(SOURCES) });
            }
        }
        inputs
    }

    /// The node of the entry at `place`, made if it is new; `None` if the entry has vanished meanwhile, or can't be read
    /// any more.
    fn node(
        &self,
        place: &Holder,
        index: &DigestIndex<Holder>,
        known: &mut HashMap<Key, usize>,
        lineage: &mut Lineage,
    ) -> Option<usize> {
        match known.entry(place.key) {
            Slot::Occupied(node) => Some(*node.get()),
            Slot::Vacant(new) => {
                let site = Site::new(index.functions[place.function].clone(), place.key);
                let entry = self.entry(&site.record()).ok().flatten()?;
                lineage.nodes.push(Node { entry, inputs: Vec::new() });
                Some(*new.insert(lineage.nodes.len() - 1))
            }
        }
    }
}

/// What the result of an entry, or an array of it, counts as in an argument.
fn held(record: &Record) -> Vec<Digest> {
    let content = Content::of(record);
    let files = record.arrays.iter().map(|array| array.digest);
    let whole = if content.array.is_none() { Some(shelved(content.digest)) } else { None };
    files.chain(inline_arrays(&record.value)).chain(whole).collect()
}

/// The digest of a shelved result that isn't an array (docs/format.md, "Digests").
fn shelved(content: Digest) -> Digest {
    let mut hasher = ContentHasher::new();
    hasher.begin_struct("ndcache::Shelved");
    hasher.field("content");
    content.content_hash(&mut hasher);
    hasher.end();
    hasher.finish()
}

/// Whether the text of an argument is that of an array: `f64[1797, 64] C`.
fn is_array(text: &str) -> bool {
    let Some((array, order)) = text.rsplit_once("] ") else { return false };
    let shape = array.split_once('[').map(|(_, shape)| shape);
    let is_shape = |shape: &str| shape.bytes().all(|byte| byte.is_ascii_digit() || byte == b',' || byte == b' ');
    ["C", "F", "strided"].contains(&order) && shape.is_some_and(is_shape)
}

/// Whether a text is that of a number, a word such as `true`, or a text in quotes: of nothing that an entry holds.
fn is_plain(text: &str) -> bool {
    let is_word = matches!(text, "true" | "false" | "True" | "False" | "None");
    let is_text =
        || ['"', '\''].iter().any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote));
    is_word || text.parse::<f64>().is_ok() || is_text()
}

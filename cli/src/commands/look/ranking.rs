//! Entries in the order that `--sort` asks for. Where they are many, only what they are ordered by is kept of each, in
//! some 50 bytes; the rest is read again when it is printed.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use ndcache::{Entry, Key, Memory};
use rayon::prelude::*;

use crate::args::{Order, Sort};
use crate::entry::arguments;
use crate::exit::Outcome;
use crate::table::PIECE;

/// How many entries are kept as they were read, in 1 to 2 KiB each.
const WHOLE: usize = 16_384;

/// Entries that `-n` leaves out are dropped whenever this many are kept; or twice as many as stay, if that is more.
const LEFT_OUT: usize = 1024;

/// Entries in an order, those alone that `-n` asks for.
pub(crate) struct Ranking<'a> {
    memory: &'a Memory,
    sort: Sort,
    is_reversed: bool,
    most: usize,
    functions: Vec<String>,
    /// The index of each function.
    places: HashMap<String, u32>,
    ranks: Vec<RankedEntry>,
    /// How many entries are kept as they were read.
    whole: usize,
    are_whole: bool,
}

struct RankedEntry {
    by: SortKey,
    key: Key,
    /// The index of its function.
    function: u32,
    /// The entry itself, where they are few.
    entry: Option<Box<Entry>>,
}

/// What an entry is ordered by, beside its function and key.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    /// The largest, newest or longest one is first.
    Most(Reverse<u64>),
    /// The texts of its arguments.
    Text(Box<str>),
}

impl SortKey {
    fn of(entry: &Entry, sort: Sort) -> Self {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let since = |time: SystemTime| nanoseconds(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        Self::Most(Reverse(match sort {
            Sort::Size => entry.bytes(),
            Sort::Used => since(entry.used()),
            Sort::Created => since(entry.created()),
            Sort::Saved | Sort::Took => nanoseconds(entry.duration()),
            Sort::Name => return Self::Text(arguments(entry).into()),
        }))
    }
}

/// Puts entries into an order.
pub(crate) fn sort(entries: &mut [Entry], by: Sort) {
    sort_by(entries, by, |entry| entry);
}

/// Puts what has an entry each into an order of these.
pub(crate) fn sort_by<T>(items: &mut [T], by: Sort, entry: impl Fn(&T) -> &Entry) {
    items.sort_by_cached_key(|item| {
        let entry = entry(item);
        let function = (by == Sort::Name).then(|| entry.function().to_owned());
        (function, SortKey::of(entry, by), entry.key())
    });
}

impl<'a> Ranking<'a> {
    /// An empty one; the newest entries are first unless another order is asked for.
    pub(crate) fn new(memory: &'a Memory, order: Order) -> Self {
        Self {
            memory,
            sort: order.sort.unwrap_or(Sort::Created),
            is_reversed: order.reverse,
            most: order.count.unwrap_or(usize::MAX),
            functions: Vec::new(),
            places: HashMap::new(),
            ranks: Vec::new(),
            whole: WHOLE,
            are_whole: true,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    pub(crate) fn add(&mut self, entry: Entry) {
        let function = self.place_of(entry.function());
        let (by, key) = (SortKey::of(&entry, self.sort), entry.key());
        self.ranks.push(RankedEntry { by, key, function, entry: self.are_whole.then(|| Box::new(entry)) });
        if self.ranks.len() >= self.most.saturating_mul(2).max(LEFT_OUT) {
            self.shorten();
        }
        if self.are_whole && self.ranks.len() > self.whole {
            self.are_whole = false;
            self.ranks.iter_mut().for_each(|rank| rank.entry = None);
        }
    }

    fn place_of(&mut self, function: &str) -> u32 {
        if let Some(&place) = self.places.get(function) {
            return place;
        }
        // Each function has a folder of its own, and a file system holds fewer of these.
        let place = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
        self.functions.push(function.to_owned());
        self.places.insert(function.to_owned(), place);
        place
    }

    /// The functions of its entries.
    pub(crate) fn functions(&mut self) -> impl Iterator<Item = &str> {
        self.shorten();
        let places: BTreeSet<u32> = self.ranks.iter().map(|rank| rank.function).collect();
        places.into_iter().map(|place| &*self.functions[place as usize])
    }

    /// Drops what `-n` leaves out.
    fn shorten(&mut self) {
        if self.ranks.len() > self.most {
            let (functions, sort, is_reversed) = (&self.functions, self.sort, self.is_reversed);
            let order = |a: &RankedEntry, b: &RankedEntry| order(functions, sort, is_reversed, a, b);
            self.ranks.select_nth_unstable_by(self.most, order);
            self.ranks.truncate(self.most);
        }
    }

    /// Makes something of each entry, in order and on all cores where they are many, and gives it to `take`, as many at
    /// once as there are: all of a few, else [`PIECE`] of them. An entry that is gone by then is left out.
    pub(crate) fn each<T: Send>(
        mut self,
        make: impl Fn(&Entry) -> T + Sync,
        mut take: impl FnMut(Vec<T>) -> Outcome<()>,
    ) -> Outcome<()> {
        self.shorten();
        let (functions, sort, is_reversed) = (&self.functions, self.sort, self.is_reversed);
        self.ranks.sort_unstable_by(|a, b| order(functions, sort, is_reversed, a, b));
        if self.are_whole {
            return take(self.ranks.iter().filter_map(|rank| rank.entry.as_deref().map(&make)).collect());
        }
        let again = |rank: &RankedEntry| {
            let id = (&*functions[rank.function as usize], rank.key);
            self.memory.entry_by_id(id).ok().flatten().map(|entry| make(&entry))
        };
        self.ranks.chunks(PIECE).try_for_each(|piece| take(piece.par_iter().filter_map(again).collect()))
    }
}

/// The order of two entries. The key decides at last: no two are equal, so that the order in which they are read
/// doesn't matter.
fn order(functions: &[String], sort: Sort, is_reversed: bool, a: &RankedEntry, b: &RankedEntry) -> Ordering {
    let function = |rank: &RankedEntry| if sort == Sort::Name { &*functions[rank.function as usize] } else { "" };
    let order = function(a).cmp(function(b)).then_with(|| a.by.cmp(&b.by)).then_with(|| a.key.cmp(&b.key));
    if is_reversed { order.reverse() } else { order }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[ndcache::cache]
    fn squared(n: u64) -> u64 {
        n * n
    }

    #[ndcache::cache]
    fn repeated(n: usize) -> String {
        "a".repeat(n)
    }

    #[test]
    fn a_million_ranks_take_48_mib() {
        assert!(size_of::<RankedEntry>() <= 48, "{}", size_of::<RankedEntry>());
    }

    #[test]
    fn an_order_is_the_same_whether_entries_are_kept_or_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        (0..30).for_each(|n| assert_eq!(memory.eval(squared::call(n)), n * n));
        (0..30).for_each(|n| assert_eq!(memory.eval(repeated::call(n)).len(), n));
        let keys = |order: Order, whole: usize| {
            let mut ranking = Ranking { whole, ..Ranking::new(&memory, order) };
            memory.entries().for_each(|entry| ranking.add(entry.unwrap()));
            assert_eq!(ranking.ranks.iter().all(|rank| rank.entry.is_none()), whole == 0);
            let mut keys = Vec::new();
            let take = |made: Vec<Key>| {
                keys.extend(made);
                Ok(())
            };
            ranking.each(Entry::key, take).unwrap_or_else(|_| panic!("nothing is printed"));
            keys
        };
        for sort in [Sort::Size, Sort::Used, Sort::Created, Sort::Saved, Sort::Took, Sort::Name] {
            let order = Order { sort: Some(sort), reverse: false, count: None };
            let all = keys(order, 100);
            let mut entries: Vec<Entry> = memory.entries().map(Result::unwrap).collect();
            super::sort(&mut entries, sort);
            assert_eq!(all, entries.iter().map(Entry::key).collect::<Vec<_>>(), "{sort:?}");
            assert_eq!(keys(order, 0), all, "{sort:?}");
            assert_eq!(keys(Order { count: Some(7), ..order }, 0), all[..7], "{sort:?}");
            let reversed: Vec<Key> = all.into_iter().rev().collect();
            assert_eq!(keys(Order { reverse: true, ..order }, 0), reversed, "{sort:?}");
            assert_eq!(keys(Order { reverse: true, count: Some(7), ..order }, 100), reversed[..7], "{sort:?}");
        }
    }

    #[test]
    fn an_entry_that_goes_before_it_is_printed_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        (0..5).for_each(|n| assert_eq!(memory.eval(squared::call(n)), n * n));
        let mut ranking = Ranking { whole: 0, ..Ranking::new(&memory, Order::default()) };
        memory.entries().for_each(|entry| ranking.add(entry.unwrap()));
        assert!(memory.remove(&squared::call(3)).unwrap());
        let mut count = 0;
        let made = ranking.each(Entry::bytes, |made: Vec<u64>| {
            count += made.len();
            Ok(())
        });
        assert!(made.is_ok() && count == 4, "{count}");
    }

    #[test]
    fn of_many_that_are_left_out_few_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        memory.eval(squared::call(3));
        let entry = memory.entries().next().unwrap().unwrap();
        let mut ranking = Ranking::new(&memory, Order { count: Some(3), ..Order::default() });
        for _ in 0..10 * LEFT_OUT {
            ranking.add(entry.clone());
            assert!(ranking.ranks.len() < LEFT_OUT);
        }
    }
}

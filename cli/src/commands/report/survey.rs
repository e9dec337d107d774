//! What a report keeps of the entries: sums by function and day, the newest as rows, who made which array. A cache of any
//! number of entries is read piece by piece, twice: what was made of which array is known only when all makers are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::civil::Date;
use ndcache::inspect::StoredArray;
use ndcache::stats::History;
use ndcache::{Digest, Entry, Memory};
use rayon::prelude::*;

use crate::commands::look::why::WithNearest;
use crate::commands::report::Age;
use crate::commands::report::model::{Edge, FunctionReport, LineageGraph, Row, StoredTotals, Version};
use crate::commands::report::pictures::Gallery;
use crate::commands::report::private::Texts;
use crate::text::date;

/// The most entries that are listed.
pub(crate) const ROWS: usize = 20_000;

/// The most functions in the lineage.
const NODES: usize = 200;

/// How many entries are looked at together.
const PIECE: usize = 4096;

/// Sums, rows and makers. Functions are meant by their places in `functions`.
pub(crate) struct ReportSurvey {
    texts: Texts,
    pub(crate) functions: Vec<FunctionReport>,
    /// The newest entry of each.
    newest: Vec<Option<Entry>>,
    places: HashMap<String, usize>,
    pub(crate) stored: StoredTotals,
    pub(crate) unreadable: u64,
    /// How many entries were made on a day.
    pub(crate) made: BTreeMap<(Date, usize), u64>,
    /// The newest entries.
    pub(crate) rows: Vec<Row>,
    /// Entries that are older than this aren't among the newest.
    oldest: Option<Age>,
    makers: HashMap<Digest, Maker>,
    /// `None` unless pictures are wanted.
    pub(crate) gallery: Option<Gallery>,
}

/// The entry whose result an array is; of several the oldest, as a function that returns its argument didn't make it.
struct Maker {
    age: Age,
    function: usize,
    bytes: u64,
}

/// What one look into an entry has brought.
struct EntryDetails {
    /// `None` if it isn't among the newest.
    row: Option<Row>,
    arrays: Vec<StoredArray>,
}

fn age(entry: &Entry) -> Age {
    (Reverse(entry.created()), entry.key())
}

impl ReportSurvey {
    /// Reads all entries. What can't be read is counted.
    pub(crate) fn read(memory: &Memory, texts: Texts, pictures: bool) -> Self {
        let mut survey = Self {
            texts,
            functions: Vec::new(),
            newest: Vec::new(),
            places: HashMap::new(),
            stored: StoredTotals::default(),
            unreadable: 0,
            made: BTreeMap::new(),
            rows: Vec::new(),
            oldest: None,
            makers: HashMap::new(),
            gallery: pictures.then(Gallery::default),
        };
        let mut entries = memory.entries();
        loop {
            let piece: Vec<_> = entries.by_ref().take(PIECE).collect();
            if piece.is_empty() {
                break;
            }
            survey.add(piece);
        }
        survey.shorten();
        survey
    }

    fn add(&mut self, piece: Vec<ndcache::Result<Entry>>) {
        let count = piece.len();
        let entries: Vec<Entry> = piece.into_iter().filter_map(Result::ok).collect();
        self.unreadable += (count - entries.len()) as u64;
        let seen: Vec<EntryDetails> = entries.par_iter().map(|entry| self.look(entry)).collect();
        for (entry, seen) in entries.into_iter().zip(seen) {
            self.count(entry, seen);
        }
        if self.rows.len() >= 2 * ROWS {
            self.shorten();
        }
    }

    fn look(&self, entry: &Entry) -> EntryDetails {
        let is_listed = self.oldest.is_none_or(|oldest| age(entry) < oldest);
        let (value, arrays) = (is_listed.then(|| entry.value()), entry.arrays());
        let result = match (value, &arrays) {
            (None, _) => None,
            (Some(Ok(value)), Ok(arrays)) => Some(self.texts.result(&value, arrays)),
            _ => Some("(can't be read)".to_owned()),
        };
        let row = result.map(|result| Row {
            key: entry.key(),
            function: 0,
            arguments: self.texts.arguments(entry),
            result,
            bytes: entry.bytes(),
            duration: entry.duration(),
            created: entry.created(),
            used: entry.used(),
        });
        EntryDetails { row, arrays: arrays.unwrap_or_default() }
    }

    fn count(&mut self, entry: Entry, seen: EntryDetails) {
        let at = self.place(entry.function());
        let function = &mut self.functions[at];
        function.stored.add(entry.bytes(), entry.duration());
        function.created = function.created.max(Some(entry.created()));
        function.used = function.used.max(Some(entry.used()));
        add_version(&mut function.versions, &entry);
        self.stored.add(entry.bytes(), entry.duration());
        if let Some(date) = date(entry.created()) {
            *self.made.entry((date, at)).or_default() += 1;
        }
        self.rows.extend(seen.row.map(|row| Row { function: at, ..row }));
        for array in &seen.arrays {
            let maker = Maker { age: age(&entry), function: at, bytes: array.bytes() };
            let oldest = self.makers.entry(array.digest()).or_insert(maker);
            if oldest.age <= age(&entry) {
                *oldest = Maker { age: age(&entry), function: at, bytes: array.bytes() };
            }
        }
        if let Some(gallery) = &mut self.gallery {
            gallery.add(age(&entry), at, seen.arrays);
        }
        if self.newest[at].as_ref().is_none_or(|newest| age(&entry) < age(newest)) {
            self.newest[at] = Some(entry);
        }
    }

    fn place(&mut self, function: &str) -> usize {
        if let Some(&at) = self.places.get(function) {
            return at;
        }
        self.functions.push(FunctionReport { name: function.to_owned(), ..FunctionReport::default() });
        self.newest.push(None);
        self.places.insert(function.to_owned(), self.functions.len() - 1);
        self.functions.len() - 1
    }

    /// Drops all rows but the newest.
    fn shorten(&mut self) {
        self.rows.sort_unstable_by_key(Row::age);
        self.rows.truncate(ROWS);
        self.oldest = (self.rows.len() == ROWS).then(|| self.rows.last().map(Row::age)).flatten();
    }

    /// Adds what was counted of calls, and puts the functions into the order of the report: the largest first.
    pub(crate) fn rank(&mut self, history: &History) {
        let logged = |(at, function): (usize, &FunctionReport)| (History::logged_name(&function.name).into_owned(), at);
        let known: HashMap<String, usize> = self.functions.iter().enumerate().map(logged).collect();
        for (name, activity) in history.by_function() {
            // The log may have cut it.
            let at = known.get(&name).copied().unwrap_or_else(|| self.place(&name));
            self.functions[at].activity = Some(activity);
        }
        for function in &mut self.functions {
            function.versions.sort_by(|a, b| (b.first, &a.code).cmp(&(a.first, &b.code)));
        }
        let mut order: Vec<usize> = (0..self.functions.len()).collect();
        let by = |at: &usize| (Reverse(self.functions[*at].stored.bytes), &self.functions[*at].name);
        order.sort_by(|a, b| by(a).cmp(&by(b)));
        let mut now = vec![0; order.len()];
        order.iter().enumerate().for_each(|(to, &from)| now[from] = to);
        self.functions = order.iter().map(|&from| std::mem::take(&mut self.functions[from])).collect();
        self.newest = order.iter().map(|&from| self.newest[from].take()).collect();
        self.places.values_mut().for_each(|at| *at = now[*at]);
        self.made =
            std::mem::take(&mut self.made).into_iter().map(|((date, at), made)| ((date, now[at]), made)).collect();
        self.rows.iter_mut().for_each(|row| row.function = now[row.function]);
        self.makers.values_mut().for_each(|maker| maker.function = now[maker.function]);
        self.gallery.iter_mut().for_each(|gallery| gallery.renumber(&now));
    }

    /// The newest entry of a function.
    pub(crate) fn newest(&self, function: usize) -> Option<&Entry> {
        self.newest[function].as_ref()
    }

    /// Reads all entries again: joins arguments with the arrays of results that have their digests, and shows each entry
    /// to those of its function that are explained.
    pub(crate) fn read_again(&self, memory: &Memory, explained: &mut [WithNearest]) -> LineageGraph {
        let mut edges: BTreeMap<(usize, usize), (u64, u64)> = BTreeMap::new();
        // An array that many calls took is one array.
        let mut known: HashSet<(usize, usize, Digest)> = HashSet::new();
        let is_needed = !self.makers.is_empty() || !explained.is_empty();
        for entry in is_needed.then(|| memory.entries()).into_iter().flatten().filter_map(Result::ok) {
            explained
                .iter_mut()
                .filter(|explained| explained.entry().function() == entry.function())
                .for_each(|explained| explained.look_at(&entry));
            let Some(&to) = self.places.get(entry.function()) else { continue };
            for argument in entry.arguments() {
                let Some(maker) = self.makers.get(&argument.digest()).filter(|maker| maker.age.1 != entry.key()) else {
                    continue;
                };
                let (links, total) = edges.entry((maker.function, to)).or_default();
                let is_new = known.insert((maker.function, to, argument.digest()));
                (*links, *total) = (*links + 1, *total + if is_new { maker.bytes } else { 0 });
            }
        }
        lineage(edges)
    }
}

fn add_version(versions: &mut Vec<Version>, entry: &Entry) {
    let code = entry.code().to_string()[..8].to_owned();
    let at = versions.iter().position(|version| version.code == code).unwrap_or_else(|| {
        versions.push(Version { code, first: entry.created(), stored: StoredTotals::default() });
        versions.len() - 1
    });
    versions[at].first = versions[at].first.min(entry.created());
    versions[at].stored.add(entry.bytes(), entry.duration());
}

fn lineage(edges: BTreeMap<(usize, usize), (u64, u64)>) -> LineageGraph {
    let nodes: BTreeSet<usize> = edges.keys().flat_map(|&(from, to)| [from, to]).collect();
    // Functions are numbered by their size: the largest are kept.
    let kept: BTreeSet<usize> = nodes.iter().copied().take(NODES).collect();
    let left_out = (nodes.len() - kept.len()) as u64;
    let edge = |((from, to), (links, bytes))| Edge { from, to, links, bytes };
    let mut edges: Vec<Edge> = edges.into_iter().map(edge).collect();
    edges.retain(|edge| kept.contains(&edge.from) && kept.contains(&edge.to));
    LineageGraph { nodes: kept.into_iter().collect(), edges, left_out }
}

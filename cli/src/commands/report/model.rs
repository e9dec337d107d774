//! What a report says, whichever way it is printed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use jiff::civil::Date;
use ndcache::Key;
use ndcache::stats::Activity;
use serde_json::{Value as Json, json};

use crate::commands::report::Age;
use crate::commands::report::pictures::{Picture, Pictures};
use crate::text::{nanoseconds, rfc3339};

/// After how many days without use an entry is listed among those that may be removed.
pub(crate) const UNUSED_DAYS: u64 = 60;

/// One report of one cache.
pub(crate) struct Model {
    pub(crate) made: SystemTime,
    /// The folder, where texts are shown.
    pub(crate) folder: Option<String>,
    /// The hosts whose programs were counted, where texts are shown.
    pub(crate) hosts: Option<Vec<String>>,
    pub(crate) texts: bool,
    /// Since when calls were counted; `None` if none were.
    pub(crate) begin: Option<SystemTime>,
    /// Lines of the log that can't be read.
    pub(crate) unread: u64,
    pub(crate) stored: StoredTotals,
    pub(crate) unreadable: u64,
    /// What calls did, if any were counted.
    pub(crate) activity: Option<Activity>,
    /// What `ndcache gc --unused 60d` would free.
    pub(crate) unused: StoredTotals,
    /// What happened on each day, in order.
    pub(crate) days: BTreeMap<Date, Day>,
    /// The functions, those first that take most bytes.
    pub(crate) functions: Vec<FunctionReport>,
    /// The newest first.
    pub(crate) entries: Vec<Row>,
    /// How many entries more there are than `entries` lists.
    pub(crate) left_out: u64,
    pub(crate) lineage: LineageGraph,
    /// `None` unless they are wanted.
    pub(crate) pictures: Option<Pictures>,
}

/// How much there is of something.
#[derive(Clone, Copy, Default)]
pub(crate) struct StoredTotals {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) duration: Duration,
}

impl StoredTotals {
    pub(crate) fn add(&mut self, bytes: u64, duration: Duration) {
        self.entries += 1;
        self.bytes += bytes;
        self.duration = self.duration.saturating_add(duration);
    }
}

/// A day's counts by function, and the entries that were made on it.
#[derive(Clone, Default)]
pub(crate) struct Day {
    pub(crate) saved: BTreeMap<String, Duration>,
    pub(crate) spent: Duration,
    pub(crate) made: BTreeMap<String, u64>,
}

/// A function that was counted or has entries. Build steps have none.
#[derive(Default)]
pub(crate) struct FunctionReport {
    pub(crate) name: String,
    pub(crate) stored: StoredTotals,
    /// When its newest entry was made.
    pub(crate) created: Option<SystemTime>,
    /// When any of its entries was last used.
    pub(crate) used: Option<SystemTime>,
    /// What its calls did, if any were counted.
    pub(crate) activity: Option<Activity>,
    /// The versions of the code, that one first whose first entry is the newest.
    pub(crate) versions: Vec<Version>,
    /// What `ndcache gc --superseded` would take of it.
    pub(crate) superseded: StoredTotals,
    /// Why its newest entry was computed; asked of those functions only that compute most.
    pub(crate) why: Option<String>,
}

impl FunctionReport {
    /// How long its calls computed: as it was counted, or else what the stored results took.
    pub(crate) fn spent(&self) -> Duration {
        self.activity.as_ref().map_or(self.stored.duration, |activity| activity.spent)
    }

    /// Whether it was counted, and no call hit.
    pub(crate) fn never_hit(&self) -> bool {
        self.activity.as_ref().is_some_and(|activity| activity.hits == 0 && activity.repeats == 0)
    }
}

/// The entries of one version of a function's code.
pub(crate) struct Version {
    pub(crate) code: String,
    pub(crate) first: SystemTime,
    pub(crate) stored: StoredTotals,
}

/// An entry.
pub(crate) struct Row {
    pub(crate) key: Key,
    /// The function's place among `functions`.
    pub(crate) function: usize,
    pub(crate) arguments: String,
    pub(crate) result: String,
    pub(crate) bytes: u64,
    pub(crate) duration: Duration,
    pub(crate) created: SystemTime,
    pub(crate) used: SystemTime,
}

impl Row {
    /// Where it stands among the rows.
    pub(crate) fn age(&self) -> Age {
        (Reverse(self.created), self.key)
    }
}

/// Which functions took results of which.
#[derive(Default)]
pub(crate) struct LineageGraph {
    /// Places among `functions`, of those that gave or took a result.
    pub(crate) nodes: Vec<usize>,
    pub(crate) edges: Vec<Edge>,
    /// How many more functions there are in it.
    pub(crate) left_out: u64,
}

/// Results of one function that are arguments of another.
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    /// Places among `functions`.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) links: u64,
    pub(crate) bytes: u64,
}

impl Model {
    /// The whole of it as a document.
    pub(crate) fn json(&self) -> Json {
        let counted = |count: fn(&Activity) -> u64| self.activity.as_ref().map(count);
        let pictures = |it: &Pictures| {
            let drawn: Vec<Json> = it.drawn.iter().map(|picture| self.picture(picture)).collect();
            json!({ "drawn": drawn, "left_out": it.left_out, "unreadable": it.unreadable })
        };
        json!({
            "made": rfc3339(self.made),
            "folder": self.folder,
            "hosts": self.hosts,
            "texts": self.texts,
            "begin": self.begin.map(rfc3339),
            "unread": self.unread,
            "entries": self.stored.entries,
            "bytes": self.stored.bytes,
            "duration_ns": nanoseconds(self.stored.duration),
            "unreadable": self.unreadable,
            "hits": counted(|it| it.hits),
            "repeats": counted(|it| it.repeats),
            "misses": counted(|it| it.misses),
            "faults": counted(|it| it.faults),
            "saved_ns": counted(|it| nanoseconds(it.saved)),
            "spent_ns": counted(|it| nanoseconds(it.spent)),
            "reasons": self.activity.as_ref().map(|it| &it.reasons),
            "unused": {
                "days": UNUSED_DAYS,
                "entries": self.unused.entries,
                "bytes": self.unused.bytes,
                "duration_ns": nanoseconds(self.unused.duration),
            },
            "days": self.days.iter().map(day).collect::<Vec<_>>(),
            "functions": self.functions.iter().map(function).collect::<Vec<_>>(),
            "rows": self.entries.iter().map(|row| self.row(row)).collect::<Vec<_>>(),
            "left_out": self.left_out,
            "lineage": {
                "functions": self.lineage.nodes.iter().map(|&at| self.name(at)).collect::<Vec<_>>(),
                "edges": self.lineage.edges.iter().map(|edge| self.edge(edge)).collect::<Vec<_>>(),
                "left_out": self.lineage.left_out,
            },
            "pictures": self.pictures.as_ref().map(pictures),
        })
    }

    /// The name of the function at a place.
    pub(crate) fn name(&self, at: usize) -> &str {
        self.functions.get(at).map_or("", |function| &function.name)
    }

    fn row(&self, row: &Row) -> Json {
        json!({
            "key": row.key.to_string(),
            "function": self.name(row.function),
            "arguments": row.arguments,
            "result": row.result,
            "bytes": row.bytes,
            "duration_ns": nanoseconds(row.duration),
            "created": rfc3339(row.created),
            "used": rfc3339(row.used),
        })
    }

    fn edge(&self, edge: &Edge) -> Json {
        json!({ "from": self.name(edge.from), "to": self.name(edge.to), "links": edge.links, "bytes": edge.bytes })
    }

    fn picture(&self, picture: &Picture) -> Json {
        json!({
            "key": picture.key.to_string(),
            "function": self.name(picture.function),
            "array": picture.array,
            "shape": picture.shape,
            "text": picture.alt(),
            "histogram": picture.histogram,
        })
    }
}

fn day((date, day): (&Date, &Day)) -> Json {
    let names: BTreeSet<&String> = day.saved.keys().chain(day.made.keys()).collect();
    let function = |name: &String| {
        let saved = day.saved.get(name).copied().unwrap_or_default();
        json!({ "name": name, "saved_ns": nanoseconds(saved), "entries": day.made.get(name).copied().unwrap_or(0) })
    };
    json!({
        "day": date.to_string(),
        "spent_ns": nanoseconds(day.spent),
        "functions": names.into_iter().map(function).collect::<Vec<_>>(),
    })
}

fn function(function: &FunctionReport) -> Json {
    let counted = |count: fn(&Activity) -> u64| function.activity.as_ref().map(count);
    let version = |it: &Version| {
        json!({
            "code": it.code,
            "first": rfc3339(it.first),
            "entries": it.stored.entries,
            "bytes": it.stored.bytes,
        })
    };
    json!({
        "name": function.name,
        "entries": function.stored.entries,
        "bytes": function.stored.bytes,
        "duration_ns": nanoseconds(function.stored.duration),
        "created": function.created.map(rfc3339),
        "used": function.used.map(rfc3339),
        "hits": counted(|it| it.hits),
        "repeats": counted(|it| it.repeats),
        "misses": counted(|it| it.misses),
        "saved_ns": counted(|it| nanoseconds(it.saved)),
        "spent_ns": counted(|it| nanoseconds(it.spent)),
        "reasons": function.activity.as_ref().map(|it| &it.reasons),
        "why": function.why,
        "superseded": { "entries": function.superseded.entries, "bytes": function.superseded.bytes },
        "versions": function.versions.iter().map(version).collect::<Vec<_>>(),
    })
}

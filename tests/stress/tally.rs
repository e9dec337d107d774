//! Counts that many processes share, and that outlive those that are killed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// What is counted. Operations are counted as they begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    Eval,
    Map,
    Refresh,
    Edit,
    Remove,
    Evict,
    /// Removals and evictions that came to their end.
    Removals,
    Evictions,
    /// Entries that these took away.
    Removed,
    Evicted,
    /// Edits that failed because their entry had been evicted.
    Vanished,
    /// Runs of the cached functions, and those after which the process lived until its result was stored.
    Computed,
    Outlived,
}

/// A file for each count, as long as the count is high: what was appended is counted, whoever dies then.
pub(crate) struct Tally {
    files: Vec<File>,
    violations: File,
}

impl Count {
    const ALL: [Self; 13] = [
        Self::Eval,
        Self::Map,
        Self::Refresh,
        Self::Edit,
        Self::Remove,
        Self::Evict,
        Self::Removals,
        Self::Evictions,
        Self::Removed,
        Self::Evicted,
        Self::Vanished,
        Self::Computed,
        Self::Outlived,
    ];

    pub(crate) const OPERATIONS: [Self; 6] =
        [Self::Eval, Self::Map, Self::Refresh, Self::Edit, Self::Remove, Self::Evict];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Eval => "eval",
            Self::Map => "mmap",
            Self::Refresh => "refresh",
            Self::Edit => "mmap_mut, commit",
            Self::Remove => "remove",
            Self::Evict => "reduce_size",
            Self::Removals => "removals that ended",
            Self::Evictions => "evictions that ended",
            Self::Removed => "entries removed",
            Self::Evicted => "entries evicted",
            Self::Vanished => "edits of what was just evicted",
            Self::Computed => "computations",
            Self::Outlived => "computations that ended",
        }
    }
}

impl Tally {
    pub(crate) fn open(folder: &Path) -> Self {
        let file = |name: &str| {
            OpenOptions::new().create(true).append(true).open(folder.join(name)).expect("a file to count in")
        };
        Self { files: Count::ALL.iter().map(|count| file(count.name())).collect(), violations: file("violations") }
    }

    pub(crate) fn add(&self, count: Count, many: u64) {
        let mut file = &self.files[count as usize];
        file.write_all(&vec![b'.'; many as usize]).expect("room to count");
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        self.files[count as usize].metadata().expect("an open file").len()
    }

    pub(crate) fn operations(&self) -> u64 {
        Count::OPERATIONS.into_iter().map(|count| self.get(count)).sum()
    }

    /// Notes what must not be.
    pub(crate) fn violation(&self, what: &str) {
        let line = format!("{}\n", what.replace('\n', " "));
        (&self.violations).write_all(line.as_bytes()).expect("room for a line");
    }
}

/// What was noted in the folder of a tally.
pub(crate) fn violations(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("violations")).expect("the violations");
    text.lines().map(str::to_owned).collect()
}

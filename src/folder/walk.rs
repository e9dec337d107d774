//! The folders in which entries lie: one walk through them, with however many threads.

use std::sync::Mutex;
use std::thread;

use crate::entry::site::is_shard;
use crate::error::{Error, Result};
use crate::store::{Disk, FileKind, FolderItem, OpenFolder};
use crate::threads::lock;

/// A walk waits for the file system more than it computes: two threads help on one core, and more than these add
/// nothing on a local disk.
const THREADS: std::ops::RangeInclusive<usize> = 2..=8;

/// How many threads walk.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from).clamp(*THREADS.start(), *THREADS.end())
}

/// The shards that nobody has begun to look at, those of one function at a time.
pub(crate) struct Shards {
    /// The folders of the functions.
    functions: Vec<String>,
    queue: Mutex<ShardQueue>,
}

#[derive(Default)]
struct ShardQueue {
    /// The next one to be listed.
    function: usize,
    /// The shards of the function before it.
    shards: Vec<String>,
}

/// What is in one of them.
pub(crate) struct Listing {
    /// The index of the function's folder in [`Shards::into_functions`].
    pub(crate) function: usize,
    pub(crate) name: String,
    pub(crate) open: Option<OpenFolder>,
    pub(crate) items: Vec<FolderItem>,
}

/// A folder of a function, or one of its shards, that couldn't be listed.
pub(crate) struct Unlisted {
    /// Its name below the root.
    pub(crate) name: String,
    pub(crate) error: Error,
}

impl Shards {
    pub(crate) fn of(disk: &Disk) -> Result<Self> {
        Ok(Self { functions: folders(disk, "f", |_| true)?, queue: Mutex::default() })
    }

    /// Those of one function, whose folder this is.
    pub(crate) fn of_function(folder: String) -> Self {
        Self { functions: vec![folder], queue: Mutex::default() }
    }

    /// The next one, for the thread that asks; an error for a folder that can't be listed, which is done with then.
    pub(crate) fn next(&self, disk: &Disk) -> Option<Result<Listing, Unlisted>> {
        Some(self.pop(disk)?.and_then(|(function, name)| match disk.list_open(&name) {
            Ok((open, items)) => Ok(Listing { function, name, open, items }),
            Err(error) => Err(Unlisted { name, error }),
        }))
    }

    fn pop(&self, disk: &Disk) -> Option<Result<(usize, String), Unlisted>> {
        let mut queue = lock(&self.queue);
        while queue.shards.is_empty() {
            let folder = self.functions.get(queue.function)?;
            queue.function += 1;
            match folders(disk, folder, is_shard) {
                Ok(shards) => queue.shards = shards,
                Err(error) => return Some(Err(Unlisted { name: folder.clone(), error })),
            }
        }
        let function = queue.function - 1;
        queue.shards.pop().map(|shard| Ok((function, shard)))
    }

    pub(crate) fn into_functions(self) -> Vec<String> {
        self.functions
    }
}

/// What is in `folder`, by its names below the root; files aside, but not links, which are errors when they are listed.
fn folders(disk: &Disk, folder: &str, wanted: fn(&str) -> bool) -> Result<Vec<String>> {
    let items = disk.list(folder)?.into_iter().filter(|item| item.kind != FileKind::File && wanted(&item.name));
    Ok(items.map(|item| format!("{folder}/{}", item.name)).collect())
}

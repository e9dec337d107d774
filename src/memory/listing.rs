//! All entries, one after the other; where there are many, several threads read ahead.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::{thread, vec};

use super::entry::Entry;
use super::lock;
use super::lookup::read_record_in;
use super::survey;
use crate::error::Result;
use crate::store::{Disk, OpenFolder};

/// So many records the asking thread reads by itself: most who ask for entries have few, or stop early.
const ALONE: usize = 1000;

/// Records that are handed from thread to thread at once, and how often that is done before somebody asks.
const BATCH: usize = 64;
const AHEAD: usize = 8;

/// The entries of all functions.
pub(super) struct Entries {
    shards: Arc<Shards>,
    here: Records,
    alone: usize,
    ahead: Option<Receiver<Batch>>,
    batch: vec::IntoIter<Result<Entry>>,
}

type Batch = Vec<Result<Entry>>;

impl Entries {
    pub(super) fn new(disk: &Arc<Disk>) -> Self {
        let (functions, fault) = match names(disk, "f") {
            Ok(functions) => (functions, Vec::new()),
            Err(error) => (Vec::new(), vec![Err(error)]),
        };
        let queue = Mutex::new(Queue { functions: functions.into_iter(), shards: Vec::new() });
        let shards = Arc::new(Shards { disk: Arc::clone(disk), queue });
        Self { shards, here: Records::default(), alone: ALONE, ahead: None, batch: fault.into_iter() }
    }

    /// Has the shards that are left read by others. Where no thread is to be had, the asking one goes on.
    fn call_others(&mut self) {
        let (sender, receiver) = sync_channel(AHEAD);
        let spawn = |_| {
            let (shards, sender) = (Arc::clone(&self.shards), sender.clone());
            thread::Builder::new().name("ndcache-entries".to_owned()).spawn(move || read_ahead(&shards, &sender)).ok()
        };
        if (0..survey::threads()).filter_map(spawn).count() > 0 {
            self.ahead = Some(receiver);
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.batch.next().or_else(|| self.here.next(&self.shards.disk)) {
                self.alone = self.alone.saturating_sub(1);
                return Some(entry);
            }
            if self.alone == 0 && self.ahead.is_none() {
                self.call_others();
            }
            match &self.ahead {
                Some(ahead) => self.batch = ahead.recv().ok()?.into_iter(),
                None => match self.shards.next()? {
                    Ok(records) => self.here = records,
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }
}

/// Reads until nothing is left, or nobody asks any more.
fn read_ahead(shards: &Shards, sender: &SyncSender<Batch>) {
    while let Some(records) = shards.next() {
        let mut records = match records {
            Ok(records) => records,
            Err(error) => match sender.send(vec![Err(error)]) {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        loop {
            let batch: Batch = std::iter::from_fn(|| records.next(&shards.disk)).take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            if sender.send(batch).is_err() {
                return;
            }
        }
    }
}

/// The shards that nobody has begun to read.
struct Shards {
    disk: Arc<Disk>,
    queue: Mutex<Queue>,
}

struct Queue {
    functions: vec::IntoIter<String>,
    /// Of the function before.
    shards: Vec<String>,
}

impl Shards {
    /// The records of the next one; an error for a folder that can't be listed, which is done with then.
    fn next(&self) -> Option<Result<Records>> {
        Some(self.pop()?.and_then(|folder| {
            let (open, listed) = self.disk.list_open(&folder)?;
            let names = listed.into_iter().map(|item| item.name).filter(|name| name.ends_with(".record"));
            Ok(Records { folder, open, names: names.collect::<Vec<_>>().into_iter() })
        }))
    }

    fn pop(&self) -> Option<Result<String>> {
        let mut queue = lock(&self.queue);
        while queue.shards.is_empty() {
            let function = queue.functions.next()?;
            match names(&self.disk, &function) {
                Ok(shards) => queue.shards = shards,
                Err(error) => return Some(Err(error)),
            }
        }
        queue.shards.pop().map(Ok)
    }
}

/// What is in a folder, by its names below the root.
fn names(disk: &Disk, folder: &str) -> Result<Vec<String>> {
    let items = disk.list(folder)?;
    Ok(items.into_iter().map(|item| format!("{folder}/{}", item.name)).collect())
}

/// The records of a shard that are yet to be read.
#[derive(Default)]
struct Records {
    folder: String,
    open: Option<OpenFolder>,
    names: vec::IntoIter<String>,
}

impl Records {
    /// The next one that is still there.
    fn next(&mut self, disk: &Disk) -> Option<Result<Entry>> {
        self.names.find_map(|name| {
            let name = [&*self.folder, "/", &name].concat();
            let found = read_record_in(disk, self.open.as_ref(), &name).transpose()?;
            Some(found.map(|found| Entry::new(disk.path_of(&name), found)))
        })
    }
}

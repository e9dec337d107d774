//! All entries, one after the other; where there are many, other threads read, too.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::{thread, vec};

use crate::entry::info::Entry;
use crate::entry::read::find::read_record_in;
use crate::error::Result;
use crate::folder::walk::{Listing, Shards, threads};
use crate::store::{Disk, FolderItem, OpenFolder};

/// The most records that the asking thread reads by itself: most listings are short, or stopped early.
const ALONE: usize = 1000;

/// Records that are handed from thread to thread at once, and how often that is done before somebody asks.
const BATCH: usize = 64;
const AHEAD: usize = 8;

/// The entries of all functions, or of one.
pub(crate) struct Entries {
    disk: Arc<Disk>,
    /// `None` if even the functions couldn't be listed.
    shards: Option<Arc<Shards>>,
    here: Option<Records>,
    alone: usize,
    /// Receives batches from the other threads, which read ahead.
    ahead: Option<Receiver<Batch>>,
    batch: vec::IntoIter<Result<Entry>>,
}

type Batch = Vec<Result<Entry>>;

impl Entries {
    pub(crate) fn new(disk: &Arc<Disk>) -> Self {
        let (shards, batch) = match Shards::of(disk) {
            Ok(shards) => (Some(Arc::new(shards)), Vec::new()),
            Err(error) => (None, vec![Err(error)]),
        };
        Self { disk: Arc::clone(disk), shards, here: None, alone: ALONE, ahead: None, batch: batch.into_iter() }
    }

    /// Those of the function whose folder this is.
    pub(crate) fn of_function(disk: &Arc<Disk>, folder: String) -> Self {
        let shards = Some(Arc::new(Shards::of_function(folder)));
        Self { disk: Arc::clone(disk), shards, here: None, alone: ALONE, ahead: None, batch: Vec::new().into_iter() }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.batch.next() {
                return Some(entry);
            }
            // While nothing is there, the asking thread reads as the others do: waking it would take longer.
            if let Some(batch) = self.ahead.as_ref().and_then(|ahead| ahead.try_recv().ok()) {
                self.batch = batch.into_iter();
                continue;
            }
            if let Some(entry) = self.here.as_mut().and_then(|here| here.next(&self.disk)) {
                self.alone = self.alone.saturating_sub(1);
                return Some(entry);
            }
            let shards = self.shards.as_ref()?;
            if self.alone == 0 && self.ahead.is_none() {
                self.ahead = Some(call_others(&self.disk, shards));
            }
            match shards.next(&self.disk) {
                Some(Ok(listing)) => self.here = Some(Records::of(listing)),
                Some(Err(unlisted)) => return Some(Err(unlisted.error)),
                // The last ones are with the others.
                None => self.batch = self.ahead.as_ref()?.recv().ok()?.into_iter(),
            }
        }
    }
}

/// Makes other threads read ahead, as far as threads can be started.
fn call_others(disk: &Arc<Disk>, shards: &Arc<Shards>) -> Receiver<Batch> {
    let (sender, receiver) = sync_channel(AHEAD);
    for _ in 1..threads() {
        let (disk, shards, sender) = (Arc::clone(disk), Arc::clone(shards), sender.clone());
        let read = move || read_ahead(&disk, &shards, &sender).unwrap_or_default();
        let _ = thread::Builder::new().name("ndcache-entries".to_owned()).spawn(read);
    }
    receiver
}

/// Reads until nothing is left; `None` once nobody asks any more.
fn read_ahead(disk: &Arc<Disk>, shards: &Shards, sender: &SyncSender<Batch>) -> Option<()> {
    while let Some(listing) = shards.next(disk) {
        let mut records = match listing {
            Ok(listing) => Records::of(listing),
            Err(unlisted) => {
                sender.send(vec![Err(unlisted.error)]).ok()?;
                continue;
            }
        };
        loop {
            let mut batch = Batch::with_capacity(BATCH);
            batch.extend(std::iter::from_fn(|| records.next(disk)).take(BATCH));
            if batch.is_empty() {
                break;
            }
            sender.send(batch).ok()?;
        }
    }
    Some(())
}

/// The records of a shard that are yet to be read.
struct Records {
    folder: String,
    open: Option<OpenFolder>,
    items: vec::IntoIter<FolderItem>,
}

impl Records {
    fn of(listing: Listing) -> Self {
        Self { folder: listing.name, open: listing.open, items: listing.items.into_iter() }
    }

    /// The next one that is still there.
    fn next(&mut self, disk: &Arc<Disk>) -> Option<Result<Entry>> {
        self.items.by_ref().filter(|item| item.name.ends_with(".record")).find_map(|item| {
            let name = [&*self.folder, "/", &item.name].concat();
            let found = read_record_in(disk, self.open.as_ref(), &name).transpose()?;
            Some(found.map(|found| Entry::new(disk, &name, found)))
        })
    }
}

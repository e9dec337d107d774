//! The handles of one stripe, by their memo keys.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use crate::digest::{Digest, DigestHash};
use crate::memo::entry::{ENTRY, MemoHandle};

/// What a stripe may hold on to, in bytes of memory and of mapped files.
pub(super) const BYTES: u64 = 8 << 20;

/// The largest share of these bytes that the newest handle may take. A heavier one goes to the other handles at once,
/// and is dropped if it is too heavy for them.
const NEWEST: u64 = BYTES / 4;

/// The newest handle, and a table of as many others as there is room for. The newest stands beside the table, so that a
/// process that hits once makes none.
#[derive(Default)]
pub(crate) struct MemoHandles {
    newest: Option<(Digest, Arc<MemoHandle>)>,
    others: Option<Box<Others>>,
}

type Others = Cache<Digest, Arc<MemoHandle>, Weight, DigestHash>;

impl MemoHandles {
    #[inline]
    pub(crate) fn get(&self, memo_key: Digest) -> Option<&Arc<MemoHandle>> {
        self.newest(memo_key).or_else(|| self.others.as_ref()?.get(&memo_key))
    }

    /// The handle of an entry, whose use isn't noted.
    pub(crate) fn peek(&self, memo_key: Digest) -> Option<&Arc<MemoHandle>> {
        self.newest(memo_key).or_else(|| self.others.as_ref()?.peek(&memo_key))
    }

    #[inline]
    fn newest(&self, memo_key: Digest) -> Option<&Arc<MemoHandle>> {
        self.newest.as_ref().filter(|(newest, _)| *newest == memo_key).map(|(_, handle)| handle)
    }

    pub(crate) fn insert(&mut self, memo_key: Digest, handle: Arc<MemoHandle>) {
        if handle.memo_entry.weight() > NEWEST {
            self.newest.take_if(|(newest, _)| *newest == memo_key);
            return self.others().insert(memo_key, handle);
        }
        if let Some((older, handle)) = self.newest.replace((memo_key, handle))
            && older != memo_key
        {
            self.others().insert(older, handle);
        }
    }

    fn others(&mut self) -> &mut Others {
        self.others.get_or_insert_with(|| Box::new(others()))
    }

    pub(crate) fn remove(&mut self, memo_key: Digest) {
        self.newest.take_if(|(newest, _)| *newest == memo_key);
        if let Some(others) = &mut self.others {
            others.remove(&memo_key);
        }
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<MemoHandle>> {
        let others = self.others.iter().flat_map(|others| others.iter().map(|(_, handle)| handle));
        self.newest.iter().map(|(_, handle)| handle).chain(others)
    }
}

fn others() -> Others {
    let bytes = BYTES - NEWEST;
    let items = usize::try_from(bytes / ENTRY).unwrap_or(usize::MAX);
    Others::with(items, bytes, Weight, Default::default(), Default::default())
}

#[derive(Clone)]
struct Weight;

impl Weighter<Digest, Arc<MemoHandle>> for Weight {
    fn weight(&self, _: &Digest, handle: &Arc<MemoHandle>) -> u64 {
        handle.memo_entry.weight()
    }
}

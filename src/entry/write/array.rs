//! One array file, written and hashed in one pass.

use std::panic::resume_unwind;
use std::thread;

use crate::digest::{LEAF, Work};
use crate::entry::write::hash_while_writing::{LeafDigests, in_order};
use crate::error::Result;
use crate::payload::{Plain, Written};
use crate::store::NewBlob;

/// The length in bytes from which on another thread hashes while this one writes: for less, to begin takes longer.
const LARGE: usize = 4 << 20;

/// Writes a `.npy`, and hashes its leaves if they are `hashed`; those of a large array on another thread, too.
pub(crate) fn write_plain(array: &Plain<'_>, blob: &mut NewBlob<'_>) -> Result<Written> {
    let Plain { header, data, hashed } = *array;
    let leaves = LeafDigests::of(if hashed { data } else { &[] });
    let mut own = Vec::new();
    let mut write = || {
        let written = write_blocks(header, data, blob, |n| own.extend(leaves.take(n)));
        written.inspect_err(|_| leaves.give_up())
    };
    // On a worker of rayon's pool the other cores have work already.
    let others = if hashed && data.len() >= LARGE && rayon::current_thread_index().is_none() {
        beside(|| leaves.rest().collect(), write)?
    } else {
        write()?;
        Vec::new()
    };
    own.extend(others);
    Ok(Written { length: header.len() as u64 + data.len() as u64, leaves: in_order(own) })
}

/// Runs `helper` beside `work`, if there is a thread to be had: one of its own, as those of a pool may be busy for days.
fn beside<T: Default + Send>(helper: impl FnOnce() -> T + Send, work: impl FnOnce() -> Result<()>) -> Result<T> {
    thread::scope(|scope| {
        let helper = thread::Builder::new().spawn_scoped(scope, helper);
        let done = work();
        let helped =
            helper.map_or_else(|_| T::default(), |helper| helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.map(|()| helped)
    })
}

/// Writes header and elements in blocks of the length of a leaf, and calls `before` each with its number. There are as
/// many of them as leaves, or one more.
///
/// The header goes with the first elements, so that a block begins where a large page of the page cache can.
pub(crate) fn write_blocks(
    header: &[u8],
    data: &[u8],
    blob: &mut NewBlob<'_>,
    mut before: impl FnMut(usize),
) -> Result<()> {
    let work = Work::new("storing", data.len() as u64);
    let (first, rest) = data.split_at(data.len().min(LEAF.saturating_sub(header.len())));
    before(0);
    blob.write_both(header, first)?;
    work.add(first.len() as u64);
    for (n, block) in rest.chunks(LEAF).enumerate() {
        before(n + 1);
        blob.write_all(block)?;
        work.add(block.len() as u64);
    }
    Ok(())
}

//! The file of an array, in parts and by several streams, into a file of full length.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::digest::{Digest, LEAF, combine};
use crate::error::Error;
use crate::payload::npy_header;
use crate::record::{ArrayRecord, NPY};
use crate::store::NewBlob;
use crate::tier::place::Place;
use crate::tier::place::calls::Started;
use crate::tier::place::pipe::{ArrivedLeaf, Misfit, Pipe, PipeEnd, Progress};
use crate::tier::{Backend, Deadline, Fault, Get};

/// Parts of smaller and of larger files.
const PART: u64 = 8 << 20;
const LARGE_PART: u64 = 32 << 20;
const LARGE: u64 = 256 << 20;

/// Shorter files come in one stream.
const STREAMED: u64 = 32 << 20;
const STREAMS: usize = 4;

/// How often a caller looks how far it is.
const TICK: Duration = Duration::from_millis(50);

/// After how long without a byte fetching is given up; at a speed that can't suffice it is given up, too.
const SILENCE: Duration = Duration::from_secs(2);

/// How much longer than computing fetching may take in the end.
const OVERTIME: Duration = Duration::from_secs(1);

/// How long a stream that was given up is waited for.
const FAREWELL: Duration = Duration::from_millis(100);

/// Why a file didn't come.
pub(in crate::tier) enum FetchFailure {
    Fault(Fault),
    /// It isn't what its record says.
    Misfit,
    /// It takes too long.
    GivenUp,
    /// It can't be written here.
    Local(Error),
}

/// How long the files of an entry may take.
pub(in crate::tier) struct Allowance<'a> {
    begin: Instant,
    most: Duration,
    /// The lengths of all files.
    bytes: u64,
    progress: Arc<Progress>,
    /// How many had arrived when that was last seen to grow, or this machine was seen to write.
    seen: Cell<(u64, Instant)>,
    interrupted: &'a dyn Fn() -> bool,
}

impl<'a> Allowance<'a> {
    /// For files of `bytes` bytes, of a result that took `duration` to compute.
    pub(in crate::tier) fn new(duration: Duration, bytes: u64, interrupted: &'a dyn Fn() -> bool) -> Self {
        let most = duration.saturating_add(OVERTIME);
        let begin = Instant::now();
        Self { begin, most, bytes, progress: Arc::default(), seen: Cell::new((0, begin)), interrupted }
    }

    /// The bytes that have arrived, and the time that they took.
    pub(in crate::tier) fn so_far(&self) -> (u64, Duration) {
        (self.progress.arrived.load(Ordering::Relaxed), self.begin.elapsed())
    }

    pub(in crate::tier) fn left(&self) -> Duration {
        self.most.saturating_sub(self.begin.elapsed())
    }

    /// Whether fetching goes on: by its speed so far it ends in time, and it is still wanted.
    fn expect_progress(&self) -> Result<(), FetchFailure> {
        let (took, arrived) = (self.begin.elapsed(), self.progress.arrived.load(Ordering::Relaxed));
        // A place isn't silent while the disk of this machine is what takes long.
        if arrived > self.seen.get().0 || self.progress.writing.load(Ordering::Relaxed) > 0 {
            self.seen.set((arrived, Instant::now()));
        } else if self.seen.get().1.elapsed() >= SILENCE {
            return Err(FetchFailure::Fault(Fault::Late));
        }
        let in_all = took.as_secs_f64() * self.bytes as f64 / (arrived as f64).max(1.0);
        if took >= self.most || (self.interrupted)() || (took >= SILENCE && in_all > self.most.as_secs_f64()) {
            // A place that gives nothing at all, or next to nothing, isn't only slow.
            return Err(if arrived * 100 < self.bytes && took >= SILENCE {
                FetchFailure::Fault(Fault::Late)
            } else {
                FetchFailure::GivenUp
            });
        }
        Ok(())
    }
}

/// Fetches the object `name`, the file of an array. Says whether it was hashed on its way and is what the record says; if
/// it wasn't, it is still to be checked.
pub(in crate::tier) fn fetch(
    place: &Place,
    name: String,
    array: &ArrayRecord,
    blob: &NewBlob<'_>,
    allowance: &Allowance<'_>,
) -> Result<bool, FetchFailure> {
    let mut leaves = ArrivedLeaves::of(array);
    arrive(place, name, array.length, &mut leaves, blob, allowance)?;
    match leaves.digest(array.length).map(|tree| array.meta.digest(tree)) {
        Some(digest) if digest != array.digest => Err(FetchFailure::Misfit),
        found => Ok(found.is_some()),
    }
}

/// Fetches the object `name`, what overflowed a record, and returns the digest of what came.
pub(in crate::tier) fn fetch_overflow(
    place: &Place,
    name: String,
    length: u64,
    blob: &NewBlob<'_>,
    allowance: &Allowance<'_>,
) -> Result<Digest, FetchFailure> {
    let mut leaves = ArrivedLeaves { offset: 0, header: Some(Vec::new()), digests: Vec::new() };
    arrive(place, name, length, &mut leaves, blob, allowance)?;
    leaves.digest(length).ok_or(FetchFailure::Misfit)
}

/// Has the whole object written, and takes the digests of its leaves as they come.
fn arrive(
    place: &Place,
    name: String,
    length: u64,
    leaves: &mut ArrivedLeaves,
    blob: &NewBlob<'_>,
    allowance: &Allowance<'_>,
) -> Result<(), FetchFailure> {
    let (to, from) = channel();
    let blob = Arc::new(blob.shared().map_err(FetchFailure::Local)?);
    let end = PipeEnd { blob: Arc::downgrade(&blob), leaves: to, progress: Arc::clone(&allowance.progress) };
    let streams = begin(place, name, length, leaves.offset, end, allowance);
    let mut streams = streams.map_err(FetchFailure::Fault)?;
    let arrived = watch(&from, allowance, leaves);
    // What is under way has nobody to go to from here on.
    drop((from, blob));
    let wait = if arrived.is_ok() { allowance.left().max(FAREWELL) } else { FAREWELL };
    let ended: Vec<_> = streams.iter_mut().map(|stream| stream.wait(wait).unwrap_or(Err(Fault::Late))).collect();
    arrived?;
    ended.into_iter().collect::<Result<(), _>>().map_err(|fault| match fault {
        Fault::Other(error) if error.is::<Misfit>() => FetchFailure::Misfit,
        fault => FetchFailure::Fault(fault),
    })
}

/// Arrays of fewer bytes are read again to be checked, which takes no time.
const HASHED: u64 = 1 << 20;

/// The leaves of a plain array, hashed as they come.
struct ArrivedLeaves {
    /// Where they begin in the file.
    offset: u64,
    /// What has to stand before them; `None` of a file that is checked when it is there.
    header: Option<Vec<u8>>,
    digests: Vec<Option<Digest>>,
}

impl ArrivedLeaves {
    fn of(array: &ArrayRecord) -> Self {
        let is_plain = array.codec == NPY && array.meta.itemsize.is_none() && array.length >= HASHED;
        let header = if is_plain { npy_header(&array.meta).ok() } else { None };
        match header.filter(|header| header.len() as u64 == array.offset) {
            Some(header) => Self { offset: array.offset, header: Some(header), digests: Vec::new() },
            None => Self { offset: 0, header: None, digests: Vec::new() },
        }
    }

    fn add(&mut self, leaf: &ArrivedLeaf) {
        let Some(header) = &self.header else { return };
        if leaf.at == self.offset && leaf.head != *header {
            self.header = None;
            return;
        }
        let nth = usize::try_from(leaf.at.saturating_sub(self.offset) / LEAF as u64).unwrap_or(usize::MAX);
        if self.digests.len() <= nth {
            self.digests.resize(nth + 1, None);
        }
        self.digests[nth] = Some(leaf.digest);
    }

    /// The digest of the leaves of a file of `length` bytes, if all of them are known.
    fn digest(&self, length: u64) -> Option<Digest> {
        self.header.as_ref()?;
        let leaves: Vec<_> = self.digests.iter().copied().collect::<Option<_>>()?;
        let expected = length.checked_sub(self.offset)?.div_ceil(LEAF as u64);
        (leaves.len() as u64 == expected).then(|| combine(&leaves))
    }
}

/// Begins as many streams as are of use, which take part by part.
fn begin(
    place: &Place,
    name: String,
    len: u64,
    offset: u64,
    end: PipeEnd,
    allowance: &Allowance<'_>,
) -> Result<Vec<Started<()>>, Fault> {
    let part = if !place.ranges {
        len.max(1).next_multiple_of(LEAF as u64)
    } else if len < LARGE {
        PART
    } else {
        LARGE_PART
    };
    // Each begins with a leaf, but for the first one.
    let parts = len.saturating_sub(offset).div_ceil(part).max(1);
    let streams = if len < STREAMED { 1 } else { STREAMS.min(usize::try_from(parts).unwrap_or(STREAMS)) };
    let (next, name, until) = (Arc::new(AtomicU64::new(0)), Arc::new(name), Deadline::after(allowance.left()));
    let stream = || {
        let (next, name, end) = (Arc::clone(&next), Arc::clone(&name), end.clone());
        place.calls.start(move |backend: &dyn Backend| {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= parts {
                    return Ok(());
                }
                let (from, to) = (if n == 0 { 0 } else { offset + n * part }, len.min(offset + (n + 1) * part));
                let get = Get::new(&name, to - from, until);
                let get = if parts > 1 { get.range(from..to) } else { get };
                let mut pipe = Pipe::new(end.clone(), from..to, offset);
                let got = backend.get(&get, &mut pipe);
                if let Err(fault) = pipe.finish(got) {
                    // The others needn't go on.
                    next.store(parts, Ordering::Relaxed);
                    return Err(fault);
                }
            }
        })
    };
    (0..streams).map(|_| stream()).collect()
}

/// Takes the leaves until nothing comes any more.
fn watch(
    from: &Receiver<Result<ArrivedLeaf, Error>>,
    allowance: &Allowance<'_>,
    leaves: &mut ArrivedLeaves,
) -> Result<(), FetchFailure> {
    loop {
        match from.recv_timeout(TICK) {
            Ok(leaf) => leaves.add(&leaf.map_err(FetchFailure::Local)?),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        allowance.expect_progress()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_silent_only_while_nothing_is_written_here() {
        let allowance = Allowance::new(Duration::from_secs(3600), 1 << 30, &|| false);
        let silent = || allowance.seen.set((0, Instant::now().checked_sub(SILENCE).expect("a machine that runs")));
        silent();
        allowance.progress.writing.store(1, Ordering::Relaxed);
        assert!(allowance.expect_progress().is_ok());
        silent();
        allowance.progress.writing.store(0, Ordering::Relaxed);
        assert!(matches!(allowance.expect_progress(), Err(FetchFailure::Fault(Fault::Late))));
    }
}

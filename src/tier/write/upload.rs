//! The way of an entry into a tier: its arrays first, then its record, which is what makes it one.

use std::time::{Duration, Instant};

use crate::entry::info::stored_bytes;
use crate::entry::read::find::FoundEntry;
use crate::entry::site::Site;
use crate::error::{Error, ErrorKind};
use crate::planted;
use crate::record::Record;
use crate::tier::core::Core;
use crate::tier::outbox::queue::{Claim, Queue};
use crate::tier::outbox::{EARLY, expires_soon};
use crate::tier::place::{Answer, Place};
use crate::tier::write::object::Object;
use crate::tier::{Body, Fault, Trouble, removed, trouble};

/// What became of sending an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tier) enum Sent {
    /// It was put there; its bytes.
    Put(u64),
    /// It was there.
    There,
    /// It isn't to be sent any more: removed, edited, another user's.
    Dropped,
    /// It isn't published yet.
    Early,
    /// It couldn't be sent now.
    Failed(Box<Trouble>),
}

impl Sent {
    fn failed(trouble: Trouble) -> Self {
        Self::Failed(Box::new(trouble))
    }
}

/// How long putting an object may take: this time, and the time of its bytes at `SLOWEST` bytes a second.
const PUT_WAIT: Duration = Duration::from_secs(20);
const SLOWEST: u64 = 256 << 10;

/// The least time that an upload gets which is under way when a flush ends: a tier that is well answers within it.
const LEAST: Duration = Duration::from_secs(2);

/// How an entry is sent.
pub(in crate::tier) struct Sending<'a> {
    /// Called before each of its files.
    pub(in crate::tier) held: &'a dyn Fn(),
    /// When whoever waits for it stops waiting; never, if nobody does.
    pub(in crate::tier) until: Option<Instant>,
}

impl Sending<'_> {
    /// How long a request is waited for that may take `most`.
    fn wait(&self, most: Duration) -> Duration {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        left.map_or(most, |left| most.min(left.max(LEAST)))
    }
}

/// What came of a pass through the queues.
#[derive(Clone, Default)]
pub(super) struct SendPass {
    pub(super) failed: u64,
    /// What isn't published yet.
    pub(super) early: u64,
    /// What is left, with what others have taken.
    pub(super) left: u64,
    /// Why.
    pub(super) troubles: Vec<Trouble>,
}

/// What [`Memory::flush`](crate::Memory::flush) has sent.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// use std::time::Duration;
///
/// let memory = ndcache::Memory::open(folder.path())?;
/// let flushed = memory.flush(Duration::from_secs(60))?;
/// assert_eq!((flushed.uploaded, flushed.left, flushed.failed), (0, 0, 0)); // it has no tiers
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flushed {
    /// Results that this memory has sent to a tier, or found there, since it was opened or last flushed. Its thread sends
    /// them, too.
    pub uploaded: u64,
    /// Results that are still to be sent.
    pub left: u64,
    /// Attempts to send one that failed.
    pub failed: u64,
    /// Why something is left, as far as that is known: once for each tier and cause.
    pub troubles: Vec<Trouble>,
}

impl Core {
    /// Sends what is to be sent, for at most `wait`, whether or not a tier is left alone after a failure.
    pub(crate) fn flush(&self, wait: Duration) -> Flushed {
        let (begin, mut flushed) = (Instant::now(), Flushed::default());
        flushed.troubles = self.outbox.withheld();
        loop {
            let pass = self.pass(true, &|| begin.elapsed() >= wait, begin.checked_add(wait));
            flushed.failed += pass.failed;
            // A note that is renamed while they are listed may not be in the list.
            flushed.left =
                if pass.left > 0 { pass.left } else { self.outbox.queues().map(|(_, queue)| queue.len()).sum() };
            pass.troubles.into_iter().for_each(|trouble| trouble::add(&mut flushed.troubles, trouble));
            let left = wait.saturating_sub(begin.elapsed());
            if flushed.left == 0 || left.is_zero() || self.all_refused() {
                break;
            }
            let pause = if pass.failed > 0 { Duration::from_secs(1) } else { Duration::from_millis(20) };
            std::thread::sleep(pause.min(left));
        }
        flushed.uploaded = self.outbox.take_sent();
        self.count_unsent(&mut flushed);
        flushed
    }

    /// Counts what waits for a tier that was written to before and is read-only now.
    fn count_unsent(&self, flushed: &mut Flushed) {
        for (place, queued) in self.outbox.queued().filter(|(place, queued)| !place.writes() && *queued > 0) {
            flushed.left += queued;
            let cause = format!("{queued} results wait to be sent there, and here it is read-only");
            let remedy = "say `rw:` before it in `NDCACHE_REMOTE`, or give it `Access::ReadWrite`".to_owned();
            let trouble = Trouble { remedy, ..Trouble::of_object(&place.name, "read-only", cause) };
            trouble::add(&mut flushed.troubles, trouble);
        }
    }

    fn all_refused(&self) -> bool {
        self.outbox.queues().all(|(place, _)| place.refusal().is_some())
    }

    /// Sends what nobody else has taken, until `over`; one that is left alone after a failure is only asked if `hurry`. No
    /// request goes on for long after `until`.
    pub(super) fn pass(&self, hurry: bool, over: &dyn Fn() -> bool, until: Option<Instant>) -> SendPass {
        let mut pass = SendPass::default();
        for (place, queue) in self.outbox.queues() {
            let (jobs, taken) = match queue.jobs() {
                Ok(jobs) => jobs,
                Err(error) => {
                    tracing::debug!(tier = place.name, %error, "what is to be sent there can't be listed");
                    trouble::add(&mut pass.troubles, self.trouble_here(&error));
                    continue;
                }
            };
            pass.left += taken;
            let mut failed = false;
            for job in jobs {
                let refusal = place.refusal();
                if failed || refusal.is_some() || over() || !(hurry || place.circuit.may_ask()) {
                    refusal.into_iter().for_each(|trouble| trouble::add(&mut pass.troubles, trouble));
                    pass.left += 1;
                    continue;
                }
                let claim = match queue.claim(&job) {
                    Ok(Some(claim)) => claim,
                    // Another thread or process is about to send it.
                    Ok(None) => {
                        pass.left += 1;
                        continue;
                    }
                    Err(error) => {
                        tracing::debug!(tier = place.name, %error, "an entry that is to be sent can't be taken");
                        pass.left += 1;
                        continue;
                    }
                };
                if planted::is("job gone before the put") {
                    let _ = queue.done(&claim);
                }
                let sent = self.send_claimed(place, &queue, &claim, until);
                failed = matches!(sent, Sent::Failed(_));
                if matches!(sent, Sent::Put(_) | Sent::There) {
                    // A flush that finds no note any more counts it.
                    self.outbox.count_sent();
                }
                let ended = if matches!(sent, Sent::Failed(_) | Sent::Early) {
                    queue.give_back(&claim)
                } else {
                    queue.done(&claim)
                };
                if let Err(error) = ended {
                    tracing::debug!(tier = place.name, %error, "an entry may be sent again");
                }
                match sent {
                    Sent::Failed(trouble) => {
                        pass.failed += 1;
                        pass.left += 1;
                        trouble::add(&mut pass.troubles, *trouble);
                    }
                    Sent::Early => {
                        pass.early += 1;
                        pass.left += 1;
                    }
                    Sent::Put(_) | Sent::There | Sent::Dropped => {}
                }
            }
        }
        pass
    }

    fn send_claimed(&self, place: &Place, queue: &Queue<'_>, claim: &Claim, until: Option<Instant>) -> Sent {
        let site = claim.job.site();
        let sending = Sending { held: &|| queue.hold(claim), until };
        let is_older = |found: &FoundEntry| claim.job.created.is_some_and(|created| found.record.created < created);
        match self.archive.read_record(&site.record()) {
            Ok(Some(found)) if !is_older(&found) => self.send(place, &site, &found, claim.job.replace, &sending),
            // What is noted may be about to be published, in the place of an older one or of none.
            Ok(_)
                if claim.is_younger_than(EARLY)
                    && !removed::is_marked_since(&self.archive.disk, &site, claim.made()) =>
            {
                Sent::Early
            }
            Ok(_) => Sent::Dropped,
            Err(error) if error.kind() == ErrorKind::Io => Sent::failed(self.trouble_here(&error)),
            Err(_) => Sent::Dropped,
        }
    }

    /// Sends an entry of this folder.
    pub(in crate::tier) fn send(
        &self,
        place: &Place,
        site: &Site,
        found: &FoundEntry,
        replace: bool,
        sending: &Sending<'_>,
    ) -> Sent {
        let record = &found.record;
        if !self.may_send(place, site, found) {
            return Sent::Dropped;
        }
        let there =
            match place.get(place.object(&site.record()), crate::record::RECORD_MAX as u64, sending.wait(PUT_WAIT)) {
                Ok(Answer::Bytes(bytes)) => Some(Record::decode(&bytes, || "of a tier".into())),
                Ok(Answer::TooLong) => Some(Err(Error::damaged("its record is too long"))),
                Ok(Answer::Absent) => None,
                Err(fault) => return Sent::failed(place.trouble(&fault)),
            };
        let previous = match there {
            // The record there is a newer version's, and stays.
            Some(Err(error)) if error.kind() == ErrorKind::Newer => return Sent::There,
            Some(Err(_)) | None => None,
            Some(Ok(there)) => {
                let is_ours = there.key == site.key().digest() && there.function == record.function;
                let is_good = is_ours && !self.is_removed(site, &there) && !expires_soon(&there);
                if is_good && !replace {
                    return Sent::There;
                }
                Some(there)
            }
        };
        let object = match Object::of(&self.archive, site, record, &place.tier) {
            Ok(object) => object,
            Err(error) => {
                tracing::warn!(tier = place.name, %error, "an entry isn't sent there: it is damaged or gone");
                let is_io = error.kind() == ErrorKind::Io;
                return if is_io { Sent::failed(self.trouble_here(&error)) } else { Sent::Dropped };
            }
        };
        self.put(place, site, object, replace || previous.is_some(), previous.as_deref(), sending)
    }

    fn put(
        &self,
        place: &Place,
        site: &Site,
        object: Object,
        replace: bool,
        previous: Option<&Record>,
        sending: &Sending<'_>,
    ) -> Sent {
        let (bytes, named) = (object.len(), object.names());
        if let Err(fault) = put_files(place, site, object, replace, sending) {
            return Sent::failed(place.trouble(&fault));
        }
        // Files that only the previous record named aren't found by anyone any more.
        let gone = previous.into_iter().flat_map(Record::files).filter(|file| !named.iter().any(|name| name == file));
        for file in gone {
            let _ = place.delete(place.object(&site.file(file)), sending.wait(PUT_WAIT));
        }
        place.count(|counts| {
            counts.uploads += 1;
            counts.uploaded_bytes += bytes;
        });
        Sent::Put(bytes)
    }

    /// An error of this folder, in words.
    pub(in crate::tier) fn trouble_here(&self, error: &Error) -> Trouble {
        Trouble::here(&self.archive.disk.path().display().to_string(), error)
    }

    /// Whether an entry is to be sent, as it stands here now.
    fn may_send(&self, place: &Place, site: &Site, found: &FoundEntry) -> bool {
        let record = &found.record;
        let is_own = found.stat.uid == rustix::process::geteuid().as_raw();
        let is_from_tier = record.origin.as_deref() == Some("tier");
        is_own
            && !record.edited
            && !record.local
            && !is_from_tier
            && !expires_soon(record)
            && stored_bytes(record) <= place.tier.max_bytes
            && Duration::from_nanos(record.duration) >= place.tier.min_duration
            && record.key == site.key().digest()
            && !self.is_denied(site, record)
    }
}

/// Puts the files of an entry, its record last.
fn put_files(place: &Place, site: &Site, object: Object, replace: bool, sending: &Sending<'_>) -> Result<(), Fault> {
    let Object { record, overflow, arrays } = object;
    let record_name = format!("{}.record", site.key());
    if planted::is("remote record before arrays") {
        put_one(place, site, &record_name, record.clone(), false, sending)?;
    }
    for (name, body) in arrays {
        (sending.held)();
        put_one(place, site, &name, body, !replace, sending)?;
    }
    if let Some((name, body)) = overflow {
        (sending.held)();
        put_one(place, site, &name, body, !replace, sending)?;
    }
    (sending.held)();
    put_one(place, site, &record_name, record, !replace, sending)
}

/// Puts one of an entry's files; that it is there already is as good.
fn put_one(
    place: &Place,
    site: &Site,
    file: &str,
    body: impl Body + Send + 'static,
    if_absent: bool,
    sending: &Sending<'_>,
) -> Result<(), Fault> {
    let wait = sending.wait(PUT_WAIT + Duration::from_secs(body.len() / SLOWEST));
    match place.put(place.object(&site.file(file)), body, if_absent, wait) {
        Ok(_) | Err(Fault::Exists) => Ok(()),
        Err(fault) => {
            if matches!(fault, Fault::Denied | Fault::Unsupported) {
                place.refuse(&fault);
            }
            Err(fault)
        }
    }
}

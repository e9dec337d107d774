//! What `make` asks of a memory: to run a call, and to remember in a slot what was made last.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use super::eval::{Computed, changed_argument, unstored};
use super::expiry::{nanoseconds, nanoseconds_since_1970};
use super::explain::differences;
use super::flight::{self, Clearance, Flight};
use super::lead::wait_for_lock;
use super::put::Draft;
use super::{Call, Difference, Inner, MapPolicy, Memory, Mode, lock};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Function, Key, Stream, Types, changes};
use crate::payload::Codec;
use crate::record::{FORMAT, Producer, RECORD_MAX, Slot, TargetRecord};
use crate::store::{Durability, LockedKey};

/// Raised only when what a slot is found by changes.
const SLOT_VERSION: &str = "ndcache-slot:1";

/// Which slot: that of a path, or of a function's name for what has none (docs/format.md, "Slots").
#[derive(Clone, Copy)]
pub(crate) enum SlotName<'a> {
    /// Absolute, as bytes.
    Path(&'a [u8]),
    /// Of that function.
    Name { function: &'a str, name: &'a str },
}

/// How long a step waits for one of another cache that saves the same target. What it then saves is compared.
const TURN: Duration = Duration::from_secs(60);

/// Where steps of all caches take turns; no folder of a cache.
const ALL_CACHES: flight::Place = (u64::MAX, u64::MAX);

/// Held by the step of this process that saves a target.
pub(crate) struct Turn(#[expect(dead_code, reason = "dropping it wakes the next one")] Option<Flight>);

impl SlotName<'_> {
    /// Waits until no other thread of this process saves this target, whichever cache it is for. Whoever can't wait
    /// goes on.
    pub(crate) fn turn(self) -> Turn {
        let route = Key::from_digest(self.digest());
        loop {
            match flight::request(ALL_CACHES, route, Some(TURN)) {
                Clearance::Leads(flight) => break Turn(Some(flight)),
                Clearance::Landed => {}
                Clearance::Alone => break Turn(None),
            }
        }
    }

    fn digest(self) -> Digest {
        let mut stream = Stream::new(SLOT_VERSION);
        match self {
            Self::Path(path) => {
                stream.text("path");
                stream.bytes(path);
            }
            Self::Name { function, name } => {
                stream.text("name");
                stream.text(function);
                stream.text(name);
            }
        }
        stream.finish()
    }
}

/// Why a slot's function has to run.
#[derive(Debug)]
pub(crate) enum Stale {
    /// Nobody remembers having made it.
    New,
    /// Another function made what stands there, and it is no longer there.
    Function,
    /// What of it has changed, as far as it is known.
    Code(Vec<String>),
    /// Empty: salt or type of the result.
    Argument(Vec<Difference>),
    /// The target is missing, was changed or can't be loaded; in words.
    Target(String),
    Refresh,
    /// The slot's record.
    Damaged(Error),
    /// The slot's record, to be left alone.
    Newer(Error),
}

impl Stale {
    fn name(&self) -> &'static str {
        match self {
            Self::New | Self::Function => "new function",
            Self::Code(_) => "code",
            Self::Argument(_) => "argument",
            Self::Target(_) => "target",
            Self::Refresh => "refresh",
            Self::Damaged(_) => "damaged",
            Self::Newer(_) => "newer",
        }
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("not made yet"),
            Self::Function => f.write_str("made by another function before"),
            Self::Code(changes) if changes.is_empty() => f.write_str("code changed"),
            Self::Code(changes) => f.write_str(&changes.join(", ")),
            Self::Argument(differences) if differences.is_empty() => f.write_str("other salt or result type"),
            Self::Argument(differences) => {
                let differences: Vec<_> = differences.iter().map(Difference::to_string).collect();
                f.write_str(&differences.join(", "))
            }
            Self::Target(what) => f.write_str(what),
            Self::Refresh => f.write_str("refreshed"),
            Self::Damaged(error) => write!(f, "damaged: {error}"),
            Self::Newer(error) => write!(f, "newer: {error}"),
        }
    }
}

/// What a function has returned.
pub(crate) struct Ran<R> {
    pub(crate) value: R,
    /// Why the value isn't stored, if it isn't: it is an `Err` or a `None`.
    pub(crate) nothing: Option<&'static str>,
    /// How long that took.
    pub(crate) duration: Duration,
    /// What there is to remember of the call; or why there isn't.
    pub(crate) made: Result<Made>,
}

/// A call whose result may be remembered.
pub(crate) struct Made {
    draft: Draft,
    duration: Duration,
}

/// Held by the one that makes a slot.
pub(crate) struct Maker {
    _key: Option<LockedKey>,
    // After the lock: a thread that is woken by the flight finds the lock free.
    _flight: Option<Flight>,
}

impl Memory {
    /// The slots of this memory for a function of this mode; `None` where nothing is looked up.
    pub(crate) fn slots<A, R>(&self, call: &Call<A, R>) -> Option<Slots<'_>> {
        let inner = self.0.as_deref()?;
        inner.warn_unnamed(call.function());
        let mode = inner.mode(call.options());
        (mode != Mode::Off).then_some(Slots { inner, mode })
    }

    /// Runs the function; the cached calls in it go through this memory.
    pub(crate) fn run<A, R>(&self, call: Call<A, R>) -> Ran<R> {
        let (function, codec) = (call.function(), call.codec());
        let draft = self.with(|| call.verify_claims()).and_then(|()| Draft::of(&call));
        let Some(inner) = &self.0 else { return self.run_only(call) };
        let Computed { result, changed, duration, .. } = self.compute(inner, call, None);
        let made = match changed {
            Some(argument) => Err(changed_argument(function, argument)),
            None => draft.map(|draft| Made { draft, duration }),
        };
        Ran::new(result, function, codec, duration, made)
    }

    /// Runs a function of which nothing is to be remembered: its arguments aren't hashed.
    pub(crate) fn run_only<A, R>(&self, call: Call<A, R>) -> Ran<R> {
        let (function, codec, begin) = (call.function(), call.codec(), Instant::now());
        let value = self.with(|| call.compute().0);
        let made = Err(Error::unsupported("nothing is remembered of this call"));
        Ran::new(value, function, codec, begin.elapsed(), made)
    }

    /// What files written on behalf of this memory are to survive.
    pub(crate) fn durability(&self) -> Durability {
        self.0.as_ref().map_or(Durability::Buffered, |inner| inner.settings.durability)
    }

    /// Whether the settings let files be mapped, on a network file system or a local one; else why not.
    pub(crate) fn unmappable(&self, network: bool) -> Option<&'static str> {
        let inner = self.0.as_deref();
        if inner.is_some_and(|inner| inner.settings.map == MapPolicy::Never) {
            return Some("policy");
        }
        (network && !inner.is_some_and(|inner| inner.settings.map_network)).then_some("network")
    }

    /// Counts an array that was to be mapped, and is copied for this reason.
    pub(crate) fn count_copy(&self, reason: &'static str) {
        if let Some(inner) = &self.0 {
            inner.counters.copied(reason);
        }
    }
}

/// The slots of a memory, as a function of some mode may use them.
#[derive(Clone, Copy)]
pub(crate) struct Slots<'a> {
    inner: &'a Inner,
    mode: Mode,
}

impl Slots<'_> {
    /// Whether anything may be made and remembered.
    pub(crate) fn writes(self) -> bool {
        self.mode <= Mode::Refresh
    }

    pub(crate) fn location(&self) -> &std::path::Path {
        self.inner.disk.path()
    }

    /// What a restart or another mount has come between; see `Producer`.
    pub(crate) fn session(&self) -> &str {
        &self.inner.disk.medium().session
    }

    pub(crate) fn key<A, R>(self, call: &Call<A, R>) -> Result<Key> {
        Ok(call.identity().map_err(Error::again)?.key(&self.inner.settings.salt))
    }

    /// Why what `slot` remembers isn't what `call` would make; `None` if it is.
    pub(crate) fn difference<A, R>(self, call: &Call<A, R>, key: Key, slot: &Slot) -> Option<Stale> {
        let Ok(identity) = call.identity() else { return Some(Stale::New) };
        if slot.key == key.digest()
            && Types::new(call.function(), identity.other_types).suit(call.function(), slot.types, slot.build)
        {
            return None;
        }
        if slot.code != identity.code {
            return Some(Stale::Code(changes(&slot.parts, call.function().parts())));
        }
        Some(Stale::Argument(differences(&slot.arguments, &identity.arguments, call.argument_texts())))
    }

    /// Whether `Mode::Refresh` hasn't made what `key` names at `place` yet.
    pub(crate) fn is_due(self, key: Key, place: SlotName<'_>) -> bool {
        self.inner.is_due(made_key(key, place), self.mode)
    }

    /// What is remembered at `place`, whichever call made it.
    pub(crate) fn read(self, place: SlotName<'_>) -> Result<Option<Slot>, Stale> {
        let (digest, name) = named(place);
        let read = self.inner.disk.read(&name, RECORD_MAX as u64);
        let decoded = read
            .and_then(|blob| blob.map(|blob| Slot::decode(&blob.bytes, &self.inner.disk.path_of(&name))).transpose());
        match decoded {
            // Two places may share the half of their digests that is the file's name.
            Ok(slot) => Ok(slot.filter(|slot| slot.slot == digest)),
            Err(error) if error.kind() == ErrorKind::Newer => Err(Stale::Newer(error)),
            Err(error) => Err(Stale::Damaged(error)),
        }
    }

    /// Remembers what was made, and that `Mode::Refresh` needs not make it again.
    pub(crate) fn remember(
        self,
        key: Key,
        place: SlotName<'_>,
        made: Result<Made>,
        target: Option<TargetRecord>,
    ) -> Result<()> {
        lock(&self.inner.refreshed).insert(made_key(key, place));
        let Made { draft, duration } = made?;
        self.write(
            place,
            &Slot {
                format: FORMAT,
                requires: Vec::new(),
                key: key.digest(),
                function: draft.function.to_owned(),
                code: draft.code,
                parts: draft.parts,
                arguments: draft.arguments,
                build: draft.build,
                types: draft.types,
                created: nanoseconds_since_1970(SystemTime::now()),
                duration: nanoseconds(duration),
                slot: place.digest(),
                target,
                producer: Producer::current(self.session()),
            },
        )
    }

    /// Remembers how the target looks now that its content was found to be the one that was made.
    pub(crate) fn settle(self, place: SlotName<'_>, slot: Slot, target: TargetRecord) {
        if !self.writes() {
            return;
        }
        let producer = Producer::current(self.session());
        if let Err(error) = self.write(place, &Slot { target: Some(target), producer, ..slot }) {
            tracing::debug!(%error, "the target is read again next time");
        }
    }

    /// Replaces what is remembered at `place`.
    fn write(self, place: SlotName<'_>, slot: &Slot) -> Result<()> {
        let (name, durability) = (named(place).1, self.inner.settings.durability);
        self.inner.disk.replace(&name, &slot.encode()?, durability)?;
        self.inner.disk.sync_folders_of(&name, durability)
    }

    /// Waits until nobody else makes `place`. `None` after another thread of this process made it: look again.
    pub(crate) fn lead(self, place: SlotName<'_>) -> Option<Maker> {
        let route = Key::from_digest(place.digest());
        match flight::request(self.inner.place, route, self.inner.settings.wait) {
            Clearance::Landed => None,
            Clearance::Alone => Some(Maker { _key: None, _flight: None }),
            Clearance::Leads(flight) => Some(Maker { _key: self.lock(route, place), _flight: Some(flight) }),
        }
    }

    /// Waits until no other process makes it; goes on without a lock where there is none to be had.
    fn lock(self, route: Key, place: SlotName<'_>) -> Option<LockedKey> {
        let locks = self.inner.locks.as_ref()?;
        let name = named(place).1;
        let record = || self.inner.disk.stat(&name).ok().flatten();
        let before = record();
        wait_for_lock(locks, self.inner.place, route, self.inner.settings.wait, &|| record() != before)
    }

    /// Counts and says that `what` is up to date.
    pub(crate) fn count_hit<A, R>(self, call: &Call<A, R>, what: &str) {
        let function = call.function().path();
        self.inner.counters.hit(function);
        tracing::debug!(function, "up to date");
        self.inner.up_to_date(call, what);
    }

    /// Counts that a function runs, and tells what is wrong with what was remembered.
    pub(crate) fn count_miss(self, function: &str, stale: &Stale) {
        self.inner.counters.miss(function, stale.name());
        tracing::info!(function, reason = %stale, "miss");
        if let Stale::Damaged(error) = stale {
            self.count_fault(function, error, "what was made isn't known any more, and is made again");
        }
    }

    /// The call in short, if it is to be printed that it was made.
    pub(crate) fn in_short<A, R>(self, call: &Call<A, R>) -> Option<String> {
        self.inner.step(call)
    }

    /// Says that `what` was made.
    pub(crate) fn tell(self, step: Option<&str>, function: &str, duration: Duration, what: &str, stale: &Stale) {
        tracing::info!(function, what, seconds = duration.as_secs_f64(), reason = %stale, "made");
        self.inner.made(step, duration, what, stale);
    }

    /// Counts a call that can't be keyed.
    pub(crate) fn count_bypass(self, function: &str, error: &Error) {
        self.inner.counters.miss(function, "bypassed");
        self.count_fault(function, error, "the call can't be keyed, and so is made each time");
    }

    /// Counts a fault; the first of each function is a warning.
    pub(crate) fn count_fault(self, function: &str, error: &Error, what: &'static str) {
        if self.inner.counters.fault(function) {
            tracing::warn!(function, %error, "{what}");
        } else {
            tracing::debug!(function, %error, "{what}");
        }
    }
}

/// The digest and the name, below the root, of a slot.
fn named(place: SlotName<'_>) -> (Digest, String) {
    let digest = place.digest();
    let hex = digest.to_string();
    (digest, format!("m/{}.record", &hex[..16]))
}

/// By which `Mode::Refresh` notes that a call was made at a place; no key of a call.
fn made_key(key: Key, place: SlotName<'_>) -> Key {
    let mut stream = Stream::new(SLOT_VERSION);
    stream.text("made");
    stream.digest(key.digest());
    stream.digest(place.digest());
    Key::from_digest(stream.finish())
}

impl<R> Ran<R> {
    fn new(mut value: R, function: &Function, codec: Codec<R>, duration: Duration, made: Result<Made>) -> Self {
        codec.normalise(&mut value);
        let nothing = unstored(codec.outcome(&value), function);
        Self { value, nothing, duration, made }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By docs/format.md: the length of each text, and the text.
    fn digest_of(texts: &[&str]) -> Digest {
        let stream = texts.iter().flat_map(|text| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat());
        Digest::of(&stream.collect::<Vec<_>>())
    }

    #[test]
    fn a_slot_is_found_by_its_path_or_by_function_and_name() {
        let path = SlotName::Path(b"/data/a.npy");
        assert_eq!(path.digest(), digest_of(&["ndcache-slot:1", "path", "/data/a.npy"]));
        let name = SlotName::Name { function: "app/plot", name: "" };
        assert_eq!(name.digest(), digest_of(&["ndcache-slot:1", "name", "app/plot", ""]));
        let (digest, file) = named(path);
        assert_eq!(file, format!("m/{}.record", &digest.to_string()[..16]));
    }
}

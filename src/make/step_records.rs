//! What `make` asks of a memory: to run a call, and to remember in a slot what was made last.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use crate::call::lazy::Call;
use crate::call::request::AnyCall;
use crate::digest::Digest;
use crate::entry::rules::{MapPolicy, Mode};
use crate::entry::write::put::Draft;
use crate::error::{Error, ErrorKind, Result};
use crate::flight::{FlightOutcome, Flights, Lead, Look, NO_FOLDER, Need};
use crate::key::{Function, Key, KeyStream, Types, changes};
use crate::memory::eval::{Computed, changed_argument, unstored};
use crate::memory::{Engine, Memory};
use crate::payload::{Check, Codec};
use crate::record::{FORMAT, Producer, RECORD_MAX, StepRecord, TargetRecord};
use crate::record::{nanoseconds, nanoseconds_since_1970};
use crate::stats::reason::{Difference, Reason};
use crate::stats::recorder::ComputeTime;
use crate::store::{Durability, LockedKey, Locks, Stat};

/// Raised only when what a slot is found by changes.
const SLOT_VERSION: &str = "ndcache-slot:1";

/// Which slot: that of a path, or of a function's name for what has none (docs/format.md, "Slots").
#[derive(Clone, Copy)]
pub(crate) enum StepName<'a> {
    /// Absolute, as bytes.
    Path(&'a [u8]),
    /// A name that the function has for it.
    Name { function: &'a str, name: &'a str },
}

/// How long a step waits for one of another cache that saves the same target. What it then saves is compared.
const TURN: Duration = Duration::from_secs(60);

impl StepName<'_> {
    /// Waits until no other thread of this process saves this target, whichever cache it is for. A thread that
    /// can't wait goes on.
    pub(crate) fn turn(self) -> Lead<LockedKey> {
        Flights::<Locks>::new(NO_FOLDER, None, None).moment(Key::from_digest(self.digest()), TURN)
    }

    fn digest(self) -> Digest {
        let mut stream = KeyStream::new(SLOT_VERSION);
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
    /// The arguments that differ.
    Argument(Vec<Difference>),
    /// The target is missing, was changed, can't be loaded, or was saved in another format, under another salt or as
    /// another type; in words.
    Target(String),
    Refresh,
    /// The slot's record.
    Damaged(Error),
    /// The file system failed.
    Unreadable(Error),
    /// The slot's record, to be left alone.
    Newer(Error),
}

impl Stale {
    /// What it is for a call that misses for it; `None` for what only steps know.
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::New | Self::Function => Some(Reason::NewFunction),
            Self::Code(changes) => Some(Reason::Code(changes.clone())),
            Self::Argument(differences) => Some(Reason::Argument(differences.clone())),
            Self::Target(_) => None,
            Self::Refresh => Some(Reason::Refresh),
            Self::Damaged(error) => Some(Reason::Damaged(error.to_string())),
            Self::Unreadable(error) => Some(Reason::Unreadable(error.to_string())),
            Self::Newer(error) => Some(Reason::Newer(error.to_string())),
        }
    }

    fn name(&self) -> &'static str {
        self.reason().map_or("target", |reason| reason.name())
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.reason()) {
            (Self::New, _) => f.write_str("not made yet"),
            (Self::Function, _) => f.write_str("made by another function before"),
            (Self::Target(what), _) => f.write_str(what),
            (_, reason) => reason.map_or(Ok(()), |reason| reason.fmt(f)),
        }
    }
}

/// What a function has returned.
pub(crate) struct Ran<R> {
    pub(crate) value: R,
    /// Why the value isn't stored, if it isn't: it is an `Err` or a `None`.
    pub(crate) nothing: Option<&'static str>,
    /// How long that took.
    pub(crate) took: ComputeTime,
    /// What there is to remember of the call; or why there isn't.
    pub(crate) made: Result<Made>,
}

/// A call whose result may be remembered.
pub(crate) struct Made {
    draft: Draft,
    duration: Duration,
}

/// What a step is to make, and looks for.
struct NeededStep<'a, F> {
    records: StepRecords<'a>,
    /// The path of the function.
    function: &'static str,
    /// The name of the slot's record.
    name: String,
    look: F,
}

impl<T, F: Fn() -> Look<T, Stale>> Need for NeededStep<'_, F> {
    type Value = T;
    type Missing = Stale;

    fn look(&self) -> Look<T, Stale> {
        (self.look)()
    }

    fn watch(&self, _: &Stale) -> impl Fn() -> bool {
        let before = self.record();
        move || self.record() != before
    }

    fn still_waits(&self, for_whom: &str, waited: Duration) {
        self.records.engine.still_waits(self.function, for_whom, waited);
    }
}

impl<F> NeededStep<'_, F> {
    fn record(&self) -> Option<Stat> {
        self.records.engine.archive.disk.stat(&self.name).ok().flatten()
    }
}

impl Memory {
    /// The slots of this memory for a function of this mode; `None` where nothing is looked up.
    pub(crate) fn step_records<A, R>(&self, call: &Call<A, R>) -> Option<StepRecords<'_>> {
        let engine = self.0.as_deref()?;
        engine.warn_unnamed(call.function());
        let mode = engine.mode(call.options());
        (mode != Mode::Off).then_some(StepRecords { engine, mode })
    }

    /// Runs the function; the cached calls in it go through this memory.
    pub(crate) fn run<A, R>(&self, call: Call<A, R>) -> Ran<R> {
        let (function, codec) = (call.function(), call.codec());
        let Some(engine) = &self.0 else { return self.run_only(call) };
        let draft = self.with(|| call.verify_claims()).and_then(|()| call.draft(engine.describe_options()));
        let Computed { result, changed, took, .. } = self.compute(engine, call, None);
        let made = match changed {
            Some(argument) => Err(changed_argument(function, argument)),
            None => {
                draft.and_then(|draft| draft.expect_unchanged_files().map(|()| Made { draft, duration: took.whole }))
            }
        };
        Ran::new(result, function, codec, took, made)
    }

    /// Runs a function of which nothing is to be remembered: its arguments aren't hashed.
    pub(crate) fn run_only<A, R>(&self, call: Call<A, R>) -> Ran<R> {
        let (function, codec, begin) = (call.function(), call.codec(), Instant::now());
        let value = self.with(|| call.compute().0);
        let made = Err(Error::unsupported("nothing is remembered of this call"));
        let took = ComputeTime { whole: begin.elapsed(), inside: Duration::ZERO };
        Ran::new(value, function, codec, took, made)
    }

    /// What files written on behalf of this memory are to survive.
    pub(crate) fn durability(&self) -> Durability {
        self.0.as_ref().map_or(Durability::Buffered, |engine| engine.settings.durability)
    }

    /// Whether the settings let files be mapped, on a network file system or a local one; else why not.
    pub(crate) fn unmappable(&self, network: bool) -> Option<&'static str> {
        let engine = self.0.as_deref();
        if engine.is_some_and(|engine| engine.settings.map == MapPolicy::Never) {
            return Some("policy");
        }
        (network && !engine.is_some_and(|engine| engine.settings.map_network)).then_some("network")
    }

    /// Counts an array that was to be mapped, and is copied for this reason.
    pub(crate) fn count_copy(&self, reason: &'static str) {
        if let Some(engine) = &self.0 {
            engine.recorder.counters.copied(reason);
        }
    }
}

/// The slots of a memory, as a function of some mode may use them.
#[derive(Clone, Copy)]
pub(crate) struct StepRecords<'a> {
    engine: &'a Engine,
    mode: Mode,
}

impl StepRecords<'_> {
    /// Whether anything may be made and remembered.
    pub(crate) fn writes(self) -> bool {
        self.mode <= Mode::Refresh
    }

    pub(crate) fn location(&self) -> &std::path::Path {
        self.engine.archive.disk.path()
    }

    /// Whether neither a restart nor another mount has come between `step` and now; see `Producer`.
    pub(crate) fn is_of_this_session(self, step: &StepRecord) -> bool {
        step.producer.session == *self.engine.archive.disk.session()
    }

    fn producer(self) -> Producer {
        (*self.engine.archive.producer()).clone()
    }

    /// That of the call and of the format in which the target is saved.
    pub(crate) fn key<A, R>(self, call: &Call<A, R>, format: &str) -> Result<Key> {
        let key = call.identity().map_err(Error::again)?.key(&self.engine.settings.salt);
        if format.is_empty() {
            return Ok(key);
        }
        let mut stream = KeyStream::new(SLOT_VERSION);
        stream.text("format");
        stream.text(format);
        stream.digest(key.digest());
        Ok(Key::from_digest(stream.finish()))
    }

    /// Why what `step` remembers isn't what `call` would make; `None` if it is.
    pub(crate) fn difference<A, R>(self, call: &Call<A, R>, key: Key, step: &StepRecord) -> Option<Stale> {
        let Ok(identity) = call.identity() else { return Some(Stale::New) };
        if step.key == key.digest()
            && Types::new(call.function(), identity.other_types).suit(call.function(), step.types, step.build)
        {
            return None;
        }
        if step.code != identity.code {
            return Some(Stale::Code(changes(&step.parts, call.function().code_parts())));
        }
        let differences = self.engine.recorder.differences(&step.arguments, &identity.arguments, call);
        if differences.is_empty() {
            return Some(Stale::Target("another format, salt or result type".to_owned()));
        }
        Some(Stale::Argument(differences))
    }

    /// Whether `Mode::Refresh` hasn't made what `key` names at `place` yet.
    pub(crate) fn is_due(self, key: Key, place: StepName<'_>) -> bool {
        self.engine.is_due(made_key(key, place), self.mode)
    }

    /// What is remembered at `place`, whichever call made it.
    pub(crate) fn read(self, place: StepName<'_>) -> Result<Option<StepRecord>, Stale> {
        let (digest, name) = named(place);
        let read = || self.engine.archive.disk.read(&name, RECORD_MAX as u64);
        let read = match read() {
            Ok(None) if self.engine.archive.reopen(self.writes()) => read(),
            read => read,
        };
        let decoded = read.and_then(|blob| {
            blob.map(|blob| StepRecord::decode(&blob.bytes, &self.engine.archive.disk.path_of(&name))).transpose()
        });
        match decoded {
            // Two places may share the half of their digests that is the file's name.
            Ok(step) => Ok(step.filter(|step| step.slot == digest)),
            Err(error) if error.kind() == ErrorKind::Newer => Err(Stale::Newer(error)),
            Err(error) if error.kind() == ErrorKind::Io => Err(Stale::Unreadable(error)),
            Err(error) => Err(Stale::Damaged(error)),
        }
    }

    /// Remembers what was made, and that `Mode::Refresh` needs not make it again.
    pub(crate) fn remember(
        self,
        key: Key,
        place: StepName<'_>,
        made: Result<Made>,
        target: Option<TargetRecord>,
    ) -> Result<()> {
        self.engine.note_refreshed(made_key(key, place), self.mode == Mode::Refresh);
        let Made { draft, duration } = made?;
        self.write(
            place,
            &StepRecord {
                format: FORMAT,
                requires: Vec::new(),
                key: key.digest(),
                function: draft.function.to_owned(),
                code: draft.code,
                parts: draft.parts.to_vec(),
                arguments: draft.arguments.to_vec(),
                build: draft.build,
                types: draft.types,
                created: nanoseconds_since_1970(SystemTime::now()),
                duration: nanoseconds(duration),
                slot: place.digest(),
                target,
                producer: self.producer(),
            },
        )
    }

    /// Remembers how the target looks now that its content was found to be the one that was made.
    pub(crate) fn settle(self, place: StepName<'_>, step: StepRecord, target: TargetRecord) {
        if !self.writes() {
            return;
        }
        let producer = self.producer();
        if let Err(error) = self.write(place, &StepRecord { target: Some(target), producer, ..step }) {
            tracing::debug!(%error, "the target is read again next time");
        }
    }

    /// Replaces what is remembered at `place`.
    fn write(self, place: StepName<'_>, step: &StepRecord) -> Result<()> {
        let (name, durability) = (named(place).1, self.engine.settings.durability);
        self.engine.archive.disk.replace(&name, &step.encode()?, durability)?;
        self.engine.archive.disk.sync_folders_of(&name, durability)
    }

    /// Waits for whoever makes `place`, which was `stale`, and looks again after each of them.
    pub(crate) fn lead<T>(
        self,
        function: &'static str,
        place: StepName<'_>,
        stale: Stale,
        look: impl Fn() -> Look<T, Stale>,
    ) -> FlightOutcome<T, Stale, LockedKey> {
        let (digest, name) = named(place);
        let need = NeededStep { records: self, function, name, look };
        self.engine.flights().lead(Key::from_digest(digest), stale, &need)
    }

    /// Counts and says that `what` is up to date.
    ///
    /// `made` is the slot's digest, and the time that it took to make what is there.
    pub(crate) fn count_hit<A, R>(self, call: &Call<A, R>, made: (Digest, Duration), what: &str) {
        let function = call.function().path();
        self.engine.recorder.made_before(call, Key::from_digest(made.0), made.1);
        self.engine.recorder.counters.hit(function);
        tracing::debug!(function, "up to date");
        self.engine.recorder.up_to_date(call, what);
    }

    /// Counts that a function runs, and tells what is wrong with what was remembered.
    pub(crate) fn count_miss(self, function: &str, stale: &Stale) {
        self.engine.recorder.counters.miss(function, stale.name());
        tracing::info!(function, reason = %stale, "miss");
        if let Stale::Damaged(error) | Stale::Unreadable(error) = stale {
            self.count_fault(function, error, "what was made isn't known any more, and is made again");
        }
    }

    /// The call in short, if it is to be printed that it was made.
    pub(crate) fn in_short<A, R>(self, call: &Call<A, R>) -> Option<String> {
        self.engine.recorder.step(call)
    }

    /// Says that `what` was made.
    pub(crate) fn tell(self, step: Option<&str>, function: &'static str, took: ComputeTime, what: &str, stale: &Stale) {
        tracing::info!(function, what, seconds = took.whole.as_secs_f64(), reason = %stale, "made");
        self.engine.recorder.made(function, stale.name(), took, &stale.to_string());
        self.engine.recorder.print_made(step, took.whole, what, stale);
    }

    /// Counts a call that can't be keyed.
    pub(crate) fn count_bypass(self, function: &str, error: &Error) {
        self.engine.recorder.counters.miss(function, "bypassed");
        self.count_fault(function, error, "the call can't be keyed, and so is made each time");
    }

    /// Counts a fault; the first of each function is a warning.
    pub(crate) fn count_fault(self, function: &str, error: &Error, what: &'static str) {
        self.engine.recorder.fault(function, error, what);
    }
}

/// The digest and the name, below the root, of a slot.
fn named(place: StepName<'_>) -> (Digest, String) {
    let digest = place.digest();
    let hex = digest.to_string();
    (digest, format!("m/{}.record", &hex[..16]))
}

/// The key by which `Mode::Refresh` notes that a call was made at a place; no key of a call.
fn made_key(key: Key, place: StepName<'_>) -> Key {
    let mut stream = KeyStream::new(SLOT_VERSION);
    stream.text("made");
    stream.digest(key.digest());
    stream.digest(place.digest());
    Key::from_digest(stream.finish())
}

impl<R> Ran<R> {
    fn new(mut value: R, function: &Function, codec: Codec<R>, took: ComputeTime, made: Result<Made>) -> Self {
        // A target may hold what serde doesn't, and what it loads is returned at once.
        codec.normalise(&mut value, Check::Leave);
        let nothing = unstored(codec.outcome(&value), function);
        Self { value, nothing, took, made }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest that docs/format.md defines: the length of each text, and the text.
    fn digest_of(texts: &[&str]) -> Digest {
        let stream = texts.iter().flat_map(|text| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat());
        Digest::of(&stream.collect::<Vec<_>>())
    }

    #[test]
    fn a_slot_is_found_by_its_path_or_by_function_and_name() {
        let path = StepName::Path(b"/data/a.npy");
        assert_eq!(path.digest(), digest_of(&["ndcache-slot:1", "path", "/data/a.npy"]));
        let name = StepName::Name { function: "app/plot", name: "" };
        assert_eq!(name.digest(), digest_of(&["ndcache-slot:1", "name", "app/plot", ""]));
        let (digest, file) = named(path);
        assert_eq!(file, format!("m/{}.record", &digest.to_string()[..16]));
    }
}

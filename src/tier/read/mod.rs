//! Reading: a result that this folder lacks comes from a tier instead of being computed.
//!
//! The record comes first, and all that it says by itself is judged before a byte of an array is asked for: whose it is,
//! whether it is fresh, and whether fetching it is worth the time. What has arrived is checked here, and published as any
//! entry; then the call looks again, and hits.

pub(super) mod array;

use std::time::{Duration, Instant};

use crate::digest::escaped;
use crate::entry::info::stored_bytes;
use crate::entry::read::extent::is_long;
use crate::entry::read::find::{FoundEntry, Missing};
use crate::entry::site::Site;
use crate::error::{Error, ErrorKind};
use crate::folder::arrival::{Arrival, take_overflow};
use crate::key::shown_path;
use crate::payload::any_value;
use crate::planted;
use crate::record::{OVERFLOW_MAX, Record};
use crate::store::Stat;
use crate::tier::Fault;
use crate::tier::core::Core;
use crate::tier::outbox::expires_soon;
use crate::tier::place::{Answer, Place, RECORD_WAIT};
use crate::tier::read::array::{Allowance, FetchFailure};

/// What a call looks for that this folder lacks.
pub(crate) struct FetchRequest<'a> {
    pub(crate) site: &'a Site,
    pub(crate) function: &'a str,
    /// Whether an entry is good, by the function's and the memory's own rules.
    pub(crate) fresh: &'a dyn Fn(&FoundEntry) -> Result<(), Missing>,
    /// Whether the caller gives up.
    pub(crate) interrupted: &'a dyn Fn() -> bool,
    /// Whether it may still come into this folder, asked when all of it has arrived.
    pub(crate) wanted: &'a dyn Fn() -> bool,
}

/// What became of a request.
pub(crate) enum Fetched {
    /// It is here now, from the tier at this place.
    Here(String),
    /// It is to be computed, and to `replace` what a tier has under its name.
    Nowhere { replace: bool },
}

/// What came of asking one tier.
pub(super) enum FetchOutcome {
    Here,
    NotAsked(&'static str),
    Absent,
    /// It isn't good any more, and is to be replaced.
    Stale(String),
    /// It is good, and stays there.
    Left(&'static str),
    Damaged(Error),
    Failed(Fault),
    /// This folder takes nothing.
    Local(Error),
}

/// The most computing time that fetching is weighed against, however long computing took.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// The least bytes a second at which an overflow, which comes in one piece, is waited for.
const SLOWEST: u64 = 1 << 20;

impl Core {
    pub(crate) fn fetch(&self, sought: &FetchRequest<'_>) -> Fetched {
        let (mut replace, mut answers) = (false, Vec::new());
        for place in &self.outbox.places {
            let outcome = self.fetch_from(place, sought);
            answers.push(format!("{}: {outcome}", place.name));
            replace |= matches!(outcome, FetchOutcome::Stale(_) | FetchOutcome::Damaged(_));
            match outcome {
                FetchOutcome::Here => {
                    self.remember_answers(sought.site.key(), &answers.join("; "));
                    return Fetched::Here(place.name.clone());
                }
                FetchOutcome::Local(error) => {
                    tracing::warn!(function = sought.function, %error, "what came from a tier can't be kept");
                    break;
                }
                _ => {}
            }
            if (sought.interrupted)() {
                break;
            }
        }
        self.remember_answers(sought.site.key(), &answers.join("; "));
        Fetched::Nowhere { replace }
    }

    fn fetch_from(&self, place: &Place, sought: &FetchRequest<'_>) -> FetchOutcome {
        if place.pace.is_slower_than(sought.function) {
            return FetchOutcome::NotAsked("the function is faster than it");
        }
        if !place.circuit.may_ask() {
            return FetchOutcome::NotAsked("it is left alone after a failure");
        }
        let begin = Instant::now();
        let outcome = match place.record(&sought.site.record()) {
            Ok(Answer::Bytes(bytes)) => self.judge(place, sought, &bytes, begin.elapsed()),
            Ok(Answer::TooLong) => FetchOutcome::Damaged(Error::damaged("its record is too long")),
            Ok(Answer::Absent) => FetchOutcome::Absent,
            Err(_) if planted::is("tier error counted as a miss") => FetchOutcome::Absent,
            Err(fault) => FetchOutcome::Failed(fault),
        };
        place.count(|counts| match &outcome {
            FetchOutcome::Here => counts.hits += 1,
            FetchOutcome::Absent => counts.absent += 1,
            FetchOutcome::Stale(_) => counts.stale += 1,
            FetchOutcome::Left(_) | FetchOutcome::Local(_) => counts.left += 1,
            FetchOutcome::Damaged(_) => counts.damaged += 1,
            FetchOutcome::NotAsked(_) | FetchOutcome::Failed(_) => {}
        });
        match &outcome {
            FetchOutcome::Damaged(error) => {
                place.circuit.damaged();
                tracing::warn!(tier = place.name, function = sought.function, %error, "a tier has a damaged result");
            }
            FetchOutcome::Here => place.circuit.intact(),
            FetchOutcome::Failed(fault) => {
                self.outbox.places.iter().for_each(|other| other.hear_of_server(place, fault));
            }
            _ => {}
        }
        outcome
    }

    /// Judges a record, which took `answered` to come, by all that it says, and fetches the rest.
    fn judge(&self, place: &Place, sought: &FetchRequest<'_>, bytes: &[u8], answered: Duration) -> FetchOutcome {
        let record = match decode(bytes, sought) {
            Ok(record) => record,
            Err(outcome) => return outcome,
        };
        if let Err(how) = self.expect_fresh(sought, &record, bytes.len() as u64) {
            return FetchOutcome::Stale(how);
        }
        let (requests, duration) = (record.files().count() as u64, Duration::from_nanos(record.duration));
        if !place.pace.is_worth(stored_bytes(&record), requests, answered, duration) {
            return FetchOutcome::Left("computing it is faster than fetching it");
        }
        let begin = Instant::now();
        let outcome = self.take(place, sought, &record);
        if matches!(outcome, FetchOutcome::Here) {
            let saved = duration.saturating_sub(answered.saturating_add(begin.elapsed()));
            place.count(|counts| counts.saved = counts.saved.saturating_add(saved));
        }
        outcome
    }

    /// Fetches an entry, unless its record says that it isn't for this folder.
    pub(super) fn take(&self, place: &Place, sought: &FetchRequest<'_>, record: &Record) -> FetchOutcome {
        if record.edited {
            return FetchOutcome::Left("it was edited by hand");
        }
        if record.has_pickle() && !place.tier.pickles {
            self.warn_of_pickle(sought.function);
            return FetchOutcome::Left("it holds an object that Python pickled");
        }
        if record.unsupported().is_some() && !sought.site.takes_any_value() {
            return FetchOutcome::Left("it holds what no Rust type takes");
        }
        if !sought.site.suits(record) {
            return FetchOutcome::Left("it is of other types of the same names");
        }
        let bytes = stored_bytes(record);
        if bytes > place.tier.max_bytes || self.room.is_some_and(|room| bytes > room) {
            return FetchOutcome::Left("it is too large");
        }
        match self.fetch_files(place, sought, record) {
            Ok(()) => FetchOutcome::Here,
            Err(outcome) => outcome,
        }
    }

    fn expect_fresh(&self, sought: &FetchRequest<'_>, record: &Record, length: u64) -> Result<(), String> {
        if self.is_removed(sought.site, record) {
            return Err("it was removed".to_owned());
        }
        if expires_soon(record) {
            return Err("it expires within a minute".to_owned());
        }
        let created = std::time::SystemTime::UNIX_EPOCH + Duration::from_nanos(record.created);
        let (stat, record) = (Stat::elsewhere(length, created), Box::new(record.clone()));
        match (sought.fresh)(&FoundEntry { record, stat, length, used: created }) {
            Ok(()) => Ok(()),
            Err(Missing::Expired(how)) => Err(how),
            Err(_) => Err("it isn't good".to_owned()),
        }
    }

    fn fetch_files(&self, place: &Place, sought: &FetchRequest<'_>, record: &Record) -> Result<(), FetchOutcome> {
        let (begin, duration) = (Instant::now(), Duration::from_nanos(record.duration).min(LONGEST));
        let bytes = stored_bytes(record);
        let allowance = Allowance::new(duration, bytes, sought.interrupted);
        let object = |file: &str| place.object(&sought.site.file(file));
        let joined;
        let record = match &record.overflow {
            None => record,
            Some(overflow) if overflow.length > OVERFLOW_MAX => {
                return Err(FetchOutcome::Damaged(Error::damaged("its overflow is longer than any can be")));
            }
            Some(overflow) if is_long(overflow) => {
                let mut stop = None;
                let value = take_overflow(&self.archive, sought.site, overflow, overflow.length, |blob| {
                    let object = object(&overflow.file);
                    let fetched = array::fetch_overflow(place, object, overflow.length, blob, &allowance);
                    fetched.map_err(|why| stopped(&mut stop, why))
                });
                let value = value.map_err(|error| why_not(place, &overflow.file, stop, error, &allowance))?;
                joined = record.clone().join(&value, overflow.file.as_ref()).map_err(FetchOutcome::Damaged)?;
                &joined
            }
            Some(overflow) => {
                let wait = allowance.left().min(RECORD_WAIT + Duration::from_secs(overflow.length / SLOWEST));
                let value = match place.get(object(&overflow.file), overflow.length, wait) {
                    Ok(Answer::Bytes(value)) => value,
                    Ok(Answer::Absent) => return Err(missing(&overflow.file)),
                    Ok(Answer::TooLong) => {
                        return Err(FetchOutcome::Damaged(Error::damaged("its overflow is too long")));
                    }
                    Err(fault) => return Err(FetchOutcome::Failed(fault)),
                };
                joined = record.clone().join(&value, overflow.file.as_ref()).map_err(FetchOutcome::Damaged)?;
                &joined
            }
        };
        any_value(&record.value, record.arrays.len()).map_err(FetchOutcome::Damaged)?;
        let mut arrival = Arrival::new(&self.archive, sought.site, record, "tier");
        for array in &record.arrays {
            let mut stop = None;
            let taken = arrival.take(array, array.length, |blob| {
                let fetched = array::fetch(place, object(&array.file), array, blob, &allowance);
                fetched.map_err(|why| stopped(&mut stop, why))
            });
            taken.map_err(|error| why_not(place, &array.file, stop, error, &allowance))?;
        }
        if !(sought.wanted)() || self.is_removed(sought.site, record) {
            return Err(FetchOutcome::Left("it was stored or removed here meanwhile"));
        }
        arrival.publish().map_err(FetchOutcome::Local)?;
        // A removal leaves its mark first: what was removed since the last look is seen by this one.
        let published = self.archive.read_record(&sought.site.record()).map_err(FetchOutcome::Local)?;
        if let Some(found) = published.filter(|found| self.is_removed(sought.site, &found.record)) {
            self.archive.remove(sought.site, Some(&found.record)).map_err(FetchOutcome::Local)?;
            return Err(FetchOutcome::Left("it was removed here meanwhile"));
        }
        place.pace.fetched(bytes, begin.elapsed());
        place.count(|counts| counts.fetched_bytes += bytes);
        Ok(())
    }

    fn warn_of_pickle(&self, function: &str) {
        if self.pickled.lock().insert(function.to_owned()) {
            let what = "a tier has its result with an object that Python pickled, which isn't loaded from there";
            tracing::warn!(function, "{what}");
            self.archive.warn(&format!("{}: {what}", shown_path(function)));
        }
    }
}

/// Notes why a file didn't come, and returns what ends its writing.
fn stopped(stop: &mut Option<FetchFailure>, why: FetchFailure) -> Error {
    *stop = Some(why);
    Error::new(ErrorKind::Other, "it didn't come")
}

/// The outcome if `file` didn't come: by `stop` because of the place, else because of this folder or of the file
/// itself.
fn why_not(
    place: &Place,
    file: &str,
    stop: Option<FetchFailure>,
    error: Error,
    allowance: &Allowance<'_>,
) -> FetchOutcome {
    match (stop, error.kind()) {
        (Some(FetchFailure::Fault(Fault::Absent)), _) => missing(file),
        (Some(FetchFailure::Fault(fault)), _) => {
            place.fault(&fault);
            FetchOutcome::Failed(fault)
        }
        (Some(FetchFailure::Misfit), _) => {
            FetchOutcome::Damaged(Error::damaged(format!("`{}` isn't what its record says", file.escape_debug())))
        }
        (Some(FetchFailure::GivenUp), _) => {
            let (arrived, took) = allowance.so_far();
            place.pace.fetched(arrived, took);
            FetchOutcome::Left("fetching it takes too long")
        }
        (Some(FetchFailure::Local(error)), _) => FetchOutcome::Local(error),
        (None, ErrorKind::Io) => FetchOutcome::Local(error),
        (None, _) => FetchOutcome::Damaged(error),
    }
}

/// The record, if it is one of the call that looks for it.
fn decode(bytes: &[u8], sought: &FetchRequest<'_>) -> Result<Box<Record>, FetchOutcome> {
    let record = Record::decode(bytes, || "of a tier".into()).map_err(|error| match error.kind() {
        ErrorKind::Newer => FetchOutcome::Left("a newer version has put it there"),
        _ => FetchOutcome::Damaged(error),
    })?;
    if record.key != sought.site.key().digest() || *record.function != *sought.function {
        let what = format!("its record is of `{}` under key {}", escaped(&record.function), record.key);
        return Err(FetchOutcome::Damaged(Error::damaged(what)));
    }
    Ok(record)
}

fn missing(file: &str) -> FetchOutcome {
    FetchOutcome::Damaged(Error::damaged(format!("file `{}` is missing", file.escape_debug())))
}

impl std::fmt::Display for FetchOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Here => f.write_str("it came from there"),
            Self::NotAsked(why) => write!(f, "not asked, as {why}"),
            Self::Absent => f.write_str("it doesn't have it"),
            Self::Stale(how) => write!(f, "no longer good: {how}"),
            Self::Left(why) => write!(f, "not fetched, as {why}"),
            Self::Damaged(error) => write!(f, "damaged: {error}"),
            Self::Failed(fault) => write!(f, "it failed: {fault}"),
            Self::Local(error) => write!(f, "it can't be kept here: {error}"),
        }
    }
}

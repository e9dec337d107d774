//! What a call that misses goes through, whatever its types: it gets the turn of its key, and its value is stored.
//!
//! * `need`: the call and the locks of its folder, as single flight sees them.

mod need;

pub(super) use need::NeededCall;

use std::time::{Duration, Instant};

use crate::call::request::{AnyCall, Request};
use crate::entry::in_memory::Content;
use crate::entry::read::find::{FoundEntry, Missing};
use crate::entry::rules::{Mode, Sharing};
use crate::entry::site::Site;
use crate::entry::write::put::Draft;
use crate::error::Result;
use crate::flight::{self, Lead, Need, TakenOver};
use crate::memory::settings::store_options::StoreOptions;
use crate::memory::tiers::Ask;
use crate::memory::{Engine, Memory};
use crate::payload::{Compression, Savable};
use crate::record::Record;
use crate::stats::recorder::ComputeTime;
use crate::stats::verbose::{MissReport, Storing};
use crate::store::LockedKey;

/// The turn of a call that missed. Others wait for its key until this is dropped.
pub(crate) struct ComputeTurn {
    pub(crate) missed: MissReport,
    decision: StoreDecision,
    /// The edit that stands there before the function runs, if there is one.
    edited: Option<Box<Content>>,
    /// Boxed: calls nest, and while the function runs the stack is the callers'.
    lead: Box<Lead<LockedKey>>,
}

/// Why a result isn't stored in place of an edit.
pub(crate) const EDITED: &str = "the stored one was edited while it was computed";

/// What becomes of the result.
enum StoreDecision {
    /// It isn't stored, since what stands there has to stay.
    No(&'static str),
    /// It is stored, and may go to tiers.
    Yes(Sharing),
}

impl ComputeTurn {
    /// Why what is stored there has to stay, if it has to.
    pub(crate) fn left_alone(&self) -> Option<&'static str> {
        match self.decision {
            StoreDecision::No(why) => Some(why),
            StoreDecision::Yes(_) => None,
        }
    }

    /// Gives up the turn before the function runs, so that waiting calls go on: its result isn't going to be stored.
    pub(crate) fn into_missed(self) -> MissReport {
        self.missed
    }

    /// Says whether the function has begun and nothing is stored if the turn ends now: then all waiting calls compute, and
    /// not only one of them.
    pub(crate) fn lands_empty(&self, is_empty: bool) {
        self.lead.lands_empty(is_empty);
    }

    /// Whether the call had waited for a computation that stored nothing.
    pub(crate) fn was_in_vain(&self) -> bool {
        self.lead.was_in_vain()
    }

    /// Says that this thread computes the call, until the guard is dropped.
    pub(crate) fn take_over(&self) -> TakenOver<'_> {
        self.lead.take_over()
    }

    /// Whether the result goes to tiers.
    fn sharing(&self) -> Sharing {
        match self.decision {
            StoreDecision::No(_) => Sharing::No,
            StoreDecision::Yes(sharing) => sharing,
        }
    }
}

/// What a call finds that waited for its key.
pub(crate) enum Waited<T> {
    Found(T),
    Turn(ComputeTurn),
}

/// What storing a result takes of the call, before its arguments are gone.
pub(crate) struct Prepared {
    /// What takes less time isn't stored.
    pub(crate) least: Duration,
    /// Whether the memory computes each key once, whatever is stored, and so has to remember the key.
    pub(crate) refreshes: bool,
    /// Boxed: calls nest, and while the function runs the stack is the callers'.
    pub(crate) draft: Result<Box<(Draft, Compression)>>,
}

impl Engine {
    /// Waits while others compute the key of `call`, which was `missing`. What is still missing then counts as a miss.
    pub(crate) fn wait_for_turn<W: Need<Missing = Missing>>(
        &self,
        call: &dyn AnyCall,
        site: &Site,
        missing: Missing,
        wanted: &W,
        fresh: &dyn Fn(&FoundEntry) -> Result<(), Missing>,
    ) -> Waited<W::Value> {
        let (missing, lead) = match self.flights().lead(site.key(), missing, wanted) {
            flight::FlightOutcome::Found(value) => return Waited::Found(value),
            flight::FlightOutcome::Compute(missing, lead) => (missing, lead),
        };
        let edited = match missing {
            Missing::Absent => None,
            _ => self.archive.edited(site, call.function().path()).map(Box::new),
        };
        let (missing, sharing) = match &self.tiers {
            None => (missing, Sharing::No),
            Some(tiers) => {
                let ask = Ask { call, site, fresh, edited: edited.as_deref().copied(), is_alone: lead.is_alone() };
                match self.ask_tiers(tiers, &ask, missing, wanted) {
                    Ok(value) => return Waited::Found(value),
                    Err(still) => still,
                }
            }
        };
        // Two types whose calls replaced each other's entry would never hit.
        let decision = match missing {
            Missing::Newer(_) => StoreDecision::No("a newer entry stands there"),
            Missing::OtherType(_) => StoreDecision::No("an entry of other types of the same names stands there"),
            _ => StoreDecision::Yes(sharing),
        };
        let answers = self.tiers.as_ref().and_then(|tiers| tiers.core().last_answers(site.key()));
        let missed = self.recorder.miss(call, site, missing).with_tier_answers(answers);
        Waited::Turn(ComputeTurn { missed, decision, edited, lead: Box::new(lead) })
    }

    /// Stores what a call that missed has computed in this time, and says so; `None` if an edit stays instead.
    pub(crate) fn put_computed(
        &self,
        turn: &ComputeTurn,
        site: &Site,
        draft: Result<Box<(Draft, Compression)>>,
        value: &dyn Savable,
        took: ComputeTime,
    ) -> Result<Option<Record>> {
        let mut begin = Instant::now();
        let stored = draft.and_then(|draft| {
            let (draft, compression) = &*draft;
            draft.expect_unchanged_files()?;
            begin = Instant::now();
            self.archive.put(site, draft, value, took.whole, *compression)
        });
        match &stored {
            Ok(Some(record)) => {
                turn.lands_empty(false);
                self.computed(&turn.missed, took, &Storing::Stored(site, record, begin.elapsed()));
            }
            Ok(None) => self.computed(&turn.missed, took, &Storing::NotStored(EDITED.into())),
            Err(error) => self.computed(&turn.missed, took, &Storing::failed(error)),
        }
        stored
    }
}

impl Memory {
    /// Gathers, before the function runs, how its result is to be stored and what the record will say of the call. A
    /// function of its own, so that its stack frame is gone when calls nest.
    pub(crate) fn prepare(&self, engine: &Engine, call: &impl Request, turn: &ComputeTurn) -> Prepared {
        let refreshes = engine.mode(call.options()) == Mode::Refresh;
        let draft = self.with(|| call.verify_claims()).and_then(|()| call.draft(engine.describe_options()));
        match engine.store_options(call.options()) {
            Ok(StoreOptions { compression, readable, least }) => {
                let local = engine.is_local(call);
                let draft = draft.map(|draft| {
                    draft.readable(readable).shared(turn.sharing(), local).over(turn.edited.as_deref().copied())
                });
                let draft = draft.map(|draft| Box::new((draft, compression)));
                Prepared { least, refreshes, draft }
            }
            Err(error) => Prepared { least: Duration::ZERO, refreshes, draft: draft.and(Err(error)) },
        }
    }
}

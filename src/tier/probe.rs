//! Whether a tier does what it is used for.

use std::time::{Duration, Instant};

use crate::store::nonce;
use crate::tier::core::Core;
use crate::tier::place::calls::BackendCalls;
use crate::tier::place::pipe::Capped;
use crate::tier::place::{Answer, Place};
use crate::tier::{Access, Backend, Deadline, Fault, Get, List, Trouble};

/// The results of the trial of one tier, from [`Memory::probe_tiers`](crate::Memory::probe_tiers).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TierProbe {
    /// The place.
    pub place: String,
    /// Whether it is written to.
    pub access: Access,
    /// The steps that were tried, in this order; after a step that failed no more are tried.
    pub steps: Vec<ProbeStep>,
}

/// One request to a tier.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProbeStep {
    /// `get` of an object and `list` of a folder that don't exist; for a tier that is written to also `put` of a
    /// small object, `get back` and `delete`.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What is wrong; of class `unsupported` if a place can't list, which only `pull` and `purge` need.
    pub trouble: Option<Trouble>,
}

impl TierProbe {
    /// Returns whether every step was as expected.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.steps.iter().all(ProbeStep::is_fine)
    }
}

impl ProbeStep {
    fn is_fine(&self) -> bool {
        self.trouble.as_ref().is_none_or(|trouble| trouble.class == "unsupported")
    }
}

/// How long a step may take.
const WAIT: Duration = Duration::from_secs(5);

/// How many bytes of an answer are looked at.
const MOST: u64 = 1024;

impl Core {
    /// Tries each tier, whether or not it is left alone after a failure.
    pub(crate) fn probe(&self) -> Vec<TierProbe> {
        self.outbox.places.iter().map(probe).collect()
    }
}

fn probe(place: &Place) -> TierProbe {
    let mut probe = TierProbe { place: place.name.clone(), access: place.tier.access, steps: Vec::new() };
    let object = place.object(&format!("probe-{}", nonce()));
    let mut step = |name: &'static str, tried: &dyn Fn() -> Result<(), Trouble>| {
        if probe.is_fine() {
            let begin = Instant::now();
            let trouble = tried().err();
            probe.steps.push(ProbeStep { name, took: begin.elapsed(), trouble });
        }
    };
    step("get", &|| expect_absent(place, &object, NOT_THERE));
    step("list", &|| expect_nothing_in(place, &object));
    if place.writes() {
        let body = object.clone().into_bytes();
        let put = || place.put(object.clone(), body.clone(), false, WAIT).map(drop);
        step("put", &|| put().map_err(|fault| place.trouble(&fault).at(&*object)));
        step("get back", &|| expect_object(place, &object, &body));
        step("delete", &|| {
            place.delete(object.clone(), WAIT).map_err(|fault| place.trouble(&fault).at(&*object))?;
            expect_absent(place, &object, "it is there still, though it was deleted")
        });
    }
    probe
}

const NOT_THERE: &str = "an object came that nobody has put there: from a login page of the network, or a server that \
                         answers whatever it is asked for";

/// Asks for an object that isn't there, which has to be said.
fn expect_absent(place: &Place, object: &str, wrong: &'static str) -> Result<(), Trouble> {
    match get(&place.calls, object) {
        Err(Fault::Absent) => hear(place, Ok(())),
        Err(fault) => hear(place, Err(fault)),
        Ok(_) => Err(answers(place, wrong).at(object)),
    }
}

fn expect_nothing_in(place: &Place, folder: &str) -> Result<(), Trouble> {
    let (until, name) = (Deadline::after(WAIT), folder.to_owned());
    let listed = place.calls.run(until, move |backend: &dyn Backend| {
        let mut found = 0_u64;
        backend.list(&List::new(&name, until), &mut |_| {
            found += 1;
            Ok(())
        })?;
        Ok(found)
    });
    match listed {
        Ok(0) | Err(Fault::Absent) => hear(place, Ok(())),
        Ok(_) => Err(answers(place, "objects are listed in a folder that isn't there").at(folder)),
        Err(Fault::Unsupported) => {
            let remedy = "without lists there is no `pull`, and `purge` leaves there what nobody fetches any more";
            Err(Trouble { remedy: remedy.to_owned(), ..place.trouble(&Fault::Unsupported) })
        }
        Err(fault) => hear(place, Err(fault)),
    }
}

fn expect_object(place: &Place, object: &str, body: &[u8]) -> Result<(), Trouble> {
    match get(&place.calls, object) {
        Ok(Answer::Bytes(bytes)) if bytes == body => Ok(()),
        Ok(_) => Err(answers(place, "what was put there came back as other bytes").at(object)),
        Err(Fault::Absent) => Err(answers(place, "it isn't there, though it was put there").at(object)),
        Err(fault) => Err(place.trouble(&fault).at(object)),
    }
}

fn get(calls: &BackendCalls, object: &str) -> Result<Answer, Fault> {
    let (until, name) = (Deadline::after(WAIT), object.to_owned());
    calls.run(until, move |backend: &dyn Backend| {
        let mut out = Capped::new(MOST, until);
        let got = backend.get(&Get::new(&name, MOST, until), &mut out);
        out.finish(got)
    })
}

/// Notes what an answer says of the place besides.
fn hear(place: &Place, answer: Result<(), Fault>) -> Result<(), Trouble> {
    place.hear(&answer);
    answer.map_err(|fault| place.trouble(&fault))
}

/// The place answers, and not as one that keeps objects.
fn answers(place: &Place, cause: &str) -> Trouble {
    let remedy = "see whether its name is right, and what `curl` gets there".to_owned();
    Trouble { remedy, ..Trouble::of_object(&place.name, "failed", cause) }
}

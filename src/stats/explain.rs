//! What a miss differs in from what is stored.

use crate::call::Call;
use crate::digest::escaped;
use crate::entry::find::Missing;
use crate::entry::site::Site;
use crate::key::{Function, Key, Part, changes};
use crate::record::{self, RECORD_MAX, Record};
use crate::stats::reason::{Reason, differences};
use crate::stats::recorder::Recorder;
use crate::threads::lock;

/// How many earlier calls of a function are looked at to explain a miss.
const LOOK_BACK: usize = 1000;

/// How many to tell a new function from new code, once per function and code.
const GLANCE: usize = 64;

impl Recorder {
    /// Puts what a lookup found instead of an entry into a reason.
    pub(crate) fn reason<A, R>(&self, call: &Call<A, R>, missing: Missing) -> Reason {
        match missing {
            Missing::Nothing => Reason::Hit,
            Missing::Due => Reason::Refresh,
            Missing::Off => Reason::Off,
            Missing::Expired(how) => Reason::Expired(how),
            Missing::Damaged(error) | Missing::Fault(error) => {
                Reason::Damaged(escaped(&error.to_string()).into_owned())
            }
            Missing::Newer(error) => Reason::Newer(escaped(&error.to_string()).into_owned()),
            Missing::Absent => self.nearest(call),
        }
    }

    /// The reason without what differs: what a miss costs is then bounded, whatever is stored.
    pub(crate) fn outline<A, R>(&self, call: &Call<A, R>, missing: Missing) -> Reason {
        let Missing::Absent = missing else { return self.reason(call, missing) };
        let Ok(identity) = call.identity() else { return Reason::Off };
        let function = call.function();
        if !lock(&self.outlined).insert((function.path(), identity.code)) {
            return Reason::Argument(Vec::new());
        }
        let codes: Vec<_> = self.archive.records(function.folder()).take(GLANCE).map(|record| record.code).collect();
        match codes.contains(&identity.code) {
            _ if codes.is_empty() => Reason::NewFunction,
            true => Reason::Argument(Vec::new()),
            false => Reason::Code(Vec::new()),
        }
    }

    /// Compares a call that isn't stored with those of its function that are.
    fn nearest<A, R>(&self, call: &Call<A, R>) -> Reason {
        let Ok(identity) = call.identity() else { return Reason::Off };
        let records = self.archive.records(call.function().folder()).take(LOOK_BACK);
        let same_path = records.filter(|record| record.function == call.function().path());
        let distance = |record: &Record| {
            let differing = identity.arguments.iter().filter(|argument| {
                !record.arguments.iter().any(|old| old.name == argument.name && old.digest == argument.digest)
            });
            (record.code != identity.code, differing.count(), u64::MAX - record.created)
        };
        let Some(nearest) = same_path.min_by_key(|record| distance(record)) else { return Reason::NewFunction };
        if nearest.code != identity.code {
            return Reason::Code(changes(&self.parts(&nearest, call.function()), call.function().parts()));
        }
        Reason::Argument(differences(&nearest.arguments, &identity.arguments, call.argument_texts()))
    }

    /// What the code of a stored call was made of.
    fn parts(&self, record: &Record, function: &Function) -> Vec<Part> {
        let site = Site::new(function.folder().to_owned(), Key::from_digest(record.key));
        let blob = self.archive.disk.read(&site.record(), RECORD_MAX as u64).ok().flatten();
        blob.map_or_else(Vec::new, |blob| record::parts(&blob.bytes))
    }
}

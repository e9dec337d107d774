//! How a call that misses differs from the calls that are stored.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::call::describe::Description;
use crate::call::request::AnyCall;
use crate::digest::{Digest, Leaf, escaped};
use crate::entry::read::find::Missing;
use crate::key::{ArgumentDigest, Function, changes};
use crate::record::{Argument, Record, stored_digest};
use crate::stats::reason::{CODE, Difference, Reason, are_unlike_arrays, is_same_file};
use crate::stats::recorder::{OtherCode, Recorder};
use crate::stats::value_parts::{Changed, changed_parts};

/// What stands for an argument that one of two calls doesn't have.
const NONE: &str = "none";

/// How many earlier calls of a function are looked at to explain a miss.
const LOOK_BACK: usize = 1000;

/// How many to tell a new function from new code, once per function and code.
const GLANCE: usize = 64;

/// How far the nearest call of a code is: by arguments, by those of them that aren't a file that has changed nor an object
/// of which the code has, by arrays of another dtype or shape, by parts of arguments, by age.
type Near = (usize, usize, usize, usize, u64);

/// How many codes of a function are looked at to find the nearest.
const CODES: usize = 16;

impl Recorder {
    /// Puts what a lookup found instead of an entry into a reason.
    pub(crate) fn reason(&self, call: &dyn AnyCall, missing: Missing) -> Reason {
        match missing {
            Missing::Due => Reason::Refresh,
            Missing::Off => Reason::Off,
            Missing::Expired(how) => Reason::Expired(how),
            Missing::Damaged(error) => Reason::Damaged(escaped(&error.to_string()).into_owned()),
            Missing::Fault(error) => Reason::Unreadable(escaped(&error.to_string()).into_owned()),
            Missing::OtherType(error) => Reason::Bypassed(escaped(&error.to_string()).into_owned()),
            Missing::Newer(error) => Reason::Newer(escaped(&error.to_string()).into_owned()),
            Missing::Unsupported(error) => Reason::Unsupported(escaped(&error.to_string()).into_owned()),
            Missing::Absent => self.nearest(call),
        }
    }

    /// The reason without what differs: what a miss costs is then bounded, whatever is stored.
    pub(crate) fn outline(&self, call: &dyn AnyCall, missing: Missing) -> Reason {
        let Missing::Absent = missing else { return self.reason(call, missing) };
        let Ok(identity) = call.identity() else { return Reason::Off };
        let function = call.function();
        let id = (function.path().as_ptr().addr(), identity.code);
        let known = match self.outlined.lock().entry(id) {
            Entry::Occupied(known) => Some(Arc::clone(known.get())),
            Entry::Vacant(new) => {
                new.insert(Arc::default());
                None
            }
        };
        if let Some(other) = known {
            let is_known = !other.is_empty() && other.contains(&self.arguments_of(&identity.arguments));
            return if is_known { Reason::Code(Vec::new()) } else { Reason::Argument(Vec::new()) };
        }
        let codes: Vec<_> = self.archive.records(function.folder()).take(GLANCE).map(|record| record.code).collect();
        let mut has_other = false;
        if codes.iter().any(|code| *code != identity.code) {
            let other = self.other_code(function, identity.code);
            has_other = other.contains(&self.arguments_of(&identity.arguments));
            self.outlined.lock().insert(id, Arc::new(other));
        }
        match codes.contains(&identity.code) {
            _ if codes.is_empty() => Reason::NewFunction,
            true if !has_other => Reason::Argument(Vec::new()),
            _ => Reason::Code(Vec::new()),
        }
    }

    /// The arguments that calls of other code than `code` were stored with, as far as is looked back.
    fn other_code(&self, function: &Function, code: Digest) -> OtherCode {
        let records = self.archive.records(function.folder()).take(LOOK_BACK);
        let other = records.filter(|record| record.code != code && *record.function == *function.path());
        other.map(|record| combined(record.arguments.iter().map(|it| (it.name(), it.digest())))).collect()
    }

    fn arguments_of(&self, arguments: &[ArgumentDigest]) -> Digest {
        combined(arguments.iter().map(|it| (it.name, stored_digest(it, &self.salt))))
    }

    /// Compares a call that isn't stored with those of its function that are. The nearest is one of other code that has
    /// the same arguments, else one of the same code, and of these the one with the fewest differences.
    fn nearest(&self, call: &dyn AnyCall) -> Reason {
        let Ok(identity) = call.identity() else { return Reason::Off };
        let records = self.archive.records(call.function().folder()).take(LOOK_BACK);
        let mut codes = HashMap::new();
        let same_path = records.filter(|record| *record.function == *call.function().path());
        let distance = |record: &Record| -> Near {
            let (mut arguments, mut others, mut unlike, mut parts) = (0, 0, 0, 0);
            for (argument, described) in identity.arguments.iter().zip(call.descriptions(self.describe_options())) {
                let old = record.arguments.iter().find(|old| old.name == argument.name);
                if old.is_none_or(|old| old.digest != stored_digest(argument, &self.salt)) {
                    arguments += 1;
                    let changed = old.map_or(Vec::new(), |old| changed_parts(&old.leaves, &described.leaves));
                    let is_same_file = old.is_some_and(|old| is_same_file(old.text(), &described.text));
                    others += usize::from(!is_same_file && !is_code_alone(&changed));
                    unlike += usize::from(old.is_some_and(|old| are_unlike_arrays(old.text(), &described.text)));
                    parts += changed.len();
                }
            }
            (arguments, others, unlike, parts, u64::MAX - record.created)
        };
        let same_path = same_path.inspect(|record| {
            let near = distance(record);
            let known = codes.entry(record.code).or_insert(near);
            *known = near.min(*known);
        });
        let rank = |record: &Record| {
            let near = distance(record);
            (code_rank(record.code == identity.code, near.0), near)
        };
        let Some(nearest) = same_path.min_by_key(|record| rank(record)) else {
            let known = self.computed_before(call.function().path());
            return known.map_or(Reason::NewFunction, Reason::NothingStored);
        };
        if nearest.code != identity.code {
            return Reason::Code(self.nearest_code(call.function(), codes));
        }
        Reason::Argument(self.differences(&nearest.arguments, &identity.arguments, call))
    }

    /// The changes from the most similar of these codes; of several, from the one with the nearest arguments, and then
    /// from the newest.
    fn nearest_code(&self, function: &Function, codes: HashMap<Digest, Near>) -> Vec<String> {
        let mut codes: Vec<(Near, Digest)> = codes.into_iter().map(|(code, near)| (near, code)).collect();
        codes.sort_unstable_by_key(|&(near, _)| near);
        let differing = codes.iter().take(CODES).map(|&(_, code)| {
            let before = self.archive.code_parts(function.folder(), function.path(), code);
            changes(&before, function.code_parts())
        });
        // Nothing is known of a code whose parts are gone.
        differing.min_by_key(|changes| if changes.is_empty() { usize::MAX } else { changes.len() }).unwrap_or_default()
    }

    /// The arguments by which a stored call differs from `call`, whose arguments have the digests `now`. Under
    /// `code = "version"` one may have arguments that the other hasn't.
    pub(crate) fn differences(
        &self,
        before: &[Argument],
        now: &[ArgumentDigest],
        call: &dyn AnyCall,
    ) -> Vec<Difference> {
        let changed = now.iter().zip(call.descriptions(self.describe_options())).flat_map(|(argument, described)| {
            let old = before.iter().find(|old| old.name == argument.name);
            let changed = old.is_none_or(|old| old.digest != stored_digest(argument, &self.salt));
            if changed { self.difference(argument, old, described) } else { Vec::new() }
        });
        let gone = before.iter().filter(|old| !now.iter().any(|argument| argument.name == old.name));
        let gone = gone.map(|old| Difference::new(&old.name, old.text(), NONE));
        let mut found: Vec<Difference> = changed.chain(gone).collect();
        // Where a type is another one, its code is, too: that isn't worth a word.
        let is_new_type = |name: &str| {
            name.starts_with(CODE)
                && !(before.iter().any(|old| old.name == name) && now.iter().any(|argument| argument.name == name))
        };
        if found.iter().any(|difference| !is_new_type(&difference.name)) {
            found.retain(|difference| !is_new_type(&difference.name));
        }
        found
    }

    /// How an argument differs from the stored one: part by part, where its parts are known.
    fn difference(
        &self,
        argument: &ArgumentDigest,
        old: Option<&Argument>,
        described: &Description,
    ) -> Vec<Difference> {
        let name = argument.name;
        let parts = old.map_or(Vec::new(), |old| changed_parts(&old.leaves, &described.leaves));
        let is_whole = |part: &Changed<'_>| part.path.is_empty() || (part.path.starts_with(CODE) && !part.is_in_both());
        if parts.is_empty() || parts.iter().any(is_whole) {
            return vec![Difference::new(name, old.map_or(NONE, Argument::text), &described.text)];
        }
        let text = |leaf: Option<&Leaf>| leaf.map_or(NONE.to_owned(), |leaf| leaf.text.clone());
        let difference = |part: &Changed<'_>| Difference::at(name, part.path, &text(part.before), &text(part.now));
        parts.iter().map(difference).collect()
    }
}

/// Whether values are the same, and code that they count by has changed.
fn is_code_alone(parts: &[Changed<'_>]) -> bool {
    !parts.is_empty() && parts.iter().all(|part| part.path.starts_with(CODE) && part.is_in_both())
}

/// How a stored call is preferred to others by its code: one with the same arguments says that the code alone has changed.
fn code_rank(is_same_code: bool, differing_arguments: usize) -> u8 {
    match (is_same_code, differing_arguments) {
        (false, 0) => 0,
        (true, _) => 1,
        (false, _) => 2,
    }
}

/// A digest of all arguments.
fn combined<'a>(arguments: impl Iterator<Item = (&'a str, Digest)>) -> Digest {
    let mut bytes = Vec::new();
    for (name, digest) in arguments {
        bytes.extend((name.len() as u64).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(digest.to_bytes());
    }
    Digest::of(&bytes)
}

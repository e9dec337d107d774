//! The arguments of a call, one after another: hashed for the memo, digested for the key, or put in words.

use std::any::type_name;
use std::fmt::{self, Write as _};

use crate::call::describe::Description;
use crate::call::keyed::Keyed;
use crate::call::mutable_arguments::lends_mutably;
use crate::digest::{ByteStream, ContentHasher, TypeSequence, ambiguity, strip_lifetimes, type_number};
use crate::error::Error;
use crate::key::{ArgumentDigest, ArgumentDigests};

/// Takes the arguments of a call, which the macro's closure adds one by one, and hashes, digests or describes them.
pub struct Arguments(pub(super) Pass);

pub(super) enum Pass {
    /// Feeds all of them into one hasher, which leaves out what would take long: for the memo key.
    Shallow(ContentHasher),
    /// Digests each by itself: for the key and the record.
    Digest(Digesting),
    /// Describes them in words, with their leaves if these are wanted.
    Text { described: Vec<Description>, leaves: bool },
}

/// The arguments that were digested so far.
pub(super) struct Digesting {
    trust: Trust,
    pub(super) digests: ArgumentDigests,
    /// Types that the digests don't tell apart for certain: of arguments keyed by serde, of values behind `dyn`
    /// references, and of type arguments.
    pub(super) types: TypeSequence,
    /// The names of the type arguments.
    pub(super) names: Vec<&'static str>,
    pub(super) failure: Option<Error>,
}

impl Digesting {
    pub(super) fn new(trust: Trust) -> Self {
        let (digests, types) = (ArgumentDigests::new(), TypeSequence::default());
        Self { trust, digests, types, names: Vec::new(), failure: None }
    }

    fn add<T: ?Sized, K: Keyed<T>>(&mut self, name: &'static str, value: &T, how: K) {
        let mut hasher = match self.trust {
            Trust::Claimed => ContentHasher::trusting(),
            Trust::Hashed => ContentHasher::new(),
        };
        how.digest(value, &mut hasher);
        if K::BY_SERDE {
            self.types.push(type_number::<T>());
        }
        // Most arguments hold no value whose type has to count beside its digest.
        if hasher.types() != TypeSequence::default() {
            self.types.push(hasher.types().number());
        }
        let claimed = hasher.claimed();
        match hasher.take() {
            Ok(digest) => self.digests.push(ArgumentDigest { name, digest, claimed, secret: false }),
            Err(error) => drop(self.failure.get_or_insert(error.at(format_args!("argument `{name}`")))),
        }
    }

    /// Counts a type argument. Fails the call if another type may have the same name, or if the type lends mutably: a
    /// hit wouldn't change what is lent.
    fn add_type<T: ?Sized>(&mut self, name: &'static str) {
        self.types.push(type_number::<T>());
        let type_name = type_name::<T>();
        self.names.push(type_name);
        let lent = || lends_mutably(type_name).then_some("a type that lends mutably, which a hit wouldn't change");
        if let Some(why) = ambiguity(type_name).or_else(lent) {
            let error = || Error::unsupported(format!("type argument `{name}` is `{type_name}`, {why}"));
            self.failure.get_or_insert_with(error);
        }
    }
}

/// Whether the digest that a record states for a mapped array is used, or its bytes are hashed.
#[derive(Clone, Copy)]
pub(super) enum Trust {
    Claimed,
    Hashed,
}

impl Arguments {
    /// Adds an argument, keyed as `how` says.
    #[inline]
    pub fn add<T: ?Sized, K: Keyed<T>>(&mut self, name: &'static str, value: &T, how: K) {
        if !K::COUNTS {
            return;
        }
        match &mut self.0 {
            Pass::Shallow(hasher) => {
                how.digest(value, hasher);
                hasher.end_argument();
            }
            Pass::Text { described, leaves } => described.push(Description::of(value, &how, *leaves)),
            Pass::Digest(digesting) => digesting.add(name, value, how),
        }
    }

    /// Whether one of the arguments so far couldn't be digested.
    pub(super) fn has_failed(&self) -> bool {
        matches!(&self.0, Pass::Digest(Digesting { failure: Some(_), .. }))
    }

    /// Adds the type argument of this name.
    pub fn type_argument<T: ?Sized>(&mut self, name: &'static str) {
        match &mut self.0 {
            Pass::Shallow(hasher) => return hasher.argument_type(type_number::<T>()),
            Pass::Digest(digesting) => digesting.add_type::<T>(name),
            Pass::Text { .. } => {}
        }
        self.add_text(name, &strip_lifetimes(type_name::<T>()));
    }

    /// Adds the type of the `impl Trait` argument of this name.
    pub fn type_of<T: ?Sized>(&mut self, name: &'static str, _: &T) {
        self.type_argument::<T>(name);
    }

    /// Adds the value of the const argument of this name.
    pub fn const_argument(&mut self, name: &'static str, value: &dyn fmt::Debug) {
        self.add_text(name, &format_args!("{value:?}"));
    }

    fn add_text(&mut self, name: &'static str, text: &dyn fmt::Display) {
        match &mut self.0 {
            Pass::Shallow(hasher) => hasher.argument_text(text),
            Pass::Text { described, .. } => described.push(Description::in_words(text)),
            Pass::Digest(Digesting { digests, .. }) => {
                let mut stream = ByteStream::<128>::new();
                // Writing to a stream never fails.
                let _ = write!(stream, "{text}");
                digests.push(ArgumentDigest { name, digest: stream.digest(), claimed: false, secret: false });
            }
        }
    }
}

/// Digests by-reference arguments again after the function has run, in debug builds, and names one that it changed
/// through interior mutability; of several, the last.
pub struct MutationCheck {
    pub(super) expected: ArgumentDigests,
    pub(super) changed: Option<&'static str>,
}

impl MutationCheck {
    /// Checks a by-reference argument as it is after the call.
    pub fn add<T: ?Sized, K: Keyed<T>>(&mut self, name: &'static str, value: &T, how: K) {
        let Some(expected) = self.expected.iter().find(|argument| argument.name == name) else { return };
        let mut hasher = ContentHasher::trusting();
        how.digest(value, &mut hasher);
        if hasher.try_finish().ok() != Some(expected.digest) {
            self.changed = Some(name);
        }
    }
}

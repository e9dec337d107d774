//! The arguments of a call, one after another: digested, found again, or put in words.

use std::any::type_name;
use std::fmt::{self, Write as _};

use crate::call::describe::Described;
use crate::call::keyed::Keyed;
use crate::call::mutable_arguments::lends_mutably;
use crate::digest::{ByteStream, ContentHasher, TypeSequence, ambiguity, strip_lifetimes, type_number};
use crate::error::Error;
use crate::key::{ArgumentDigest, ArgumentDigests};

/// Visits the arguments of a call, to digest them or to put them in words.
pub struct Arguments(pub(super) Pass);

pub(super) enum Pass {
    /// Digests all of them at once, unless that takes long.
    Shallow(ContentHasher),
    Digest(Digesting),
    /// Describes them in words, with their leaves if these are wanted.
    Text {
        described: Vec<Described>,
        leaves: bool,
    },
}

/// The arguments that were digested so far.
pub(super) struct Digesting {
    trust: Trust,
    pub(super) digests: ArgumentDigests,
    /// Their types, as far as their digests don't tell them.
    pub(super) types: TypeSequence,
    pub(super) failure: Option<Error>,
}

impl Digesting {
    pub(super) fn new(trust: Trust) -> Self {
        Self { trust, digests: ArgumentDigests::new(), types: TypeSequence::default(), failure: None }
    }

    fn add<T: ?Sized, K: Keyed<T>>(&mut self, name: &'static str, value: &T, how: K) {
        let mut hasher = match self.trust {
            Trust::Claims => ContentHasher::trusting(),
            Trust::Nothing => ContentHasher::new(),
        };
        how.digest(value, &mut hasher);
        if K::BY_SERDE {
            self.types.push(type_number::<T>());
        }
        // Most arguments have none.
        if hasher.types() != TypeSequence::default() {
            self.types.push(hasher.types().number());
        }
        let claimed = hasher.claimed();
        match hasher.take() {
            Ok(digest) => self.digests.push(ArgumentDigest { name, digest, claimed, secret: false }),
            Err(error) => drop(self.failure.get_or_insert(error.at(format_args!("argument `{name}`")))),
        }
    }

    /// Two types inside of closures may share a name, and a hit wouldn't change what a type lends mutably: such a call
    /// bypasses the cache.
    fn add_type<T: ?Sized>(&mut self, name: &'static str) {
        self.types.push(type_number::<T>());
        let type_name = type_name::<T>();
        let lent = || lends_mutably(type_name).then_some("a type that lends mutably, which a hit wouldn't change");
        if let Some(why) = ambiguity(type_name).or_else(lent) {
            let error = || Error::unsupported(format!("type argument `{name}` is `{type_name}`, {why}"));
            self.failure.get_or_insert_with(error);
        }
    }
}

/// Whether a record's word for the digest of a mapped argument is taken.
#[derive(Clone, Copy)]
pub(super) enum Trust {
    Claims,
    Nothing,
}

impl Arguments {
    /// An argument, keyed as `how` says.
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
            Pass::Text { described, leaves } => described.push(Described::of(value, &how, *leaves)),
            Pass::Digest(digesting) => digesting.add(name, value, how),
        }
    }

    /// Whether an argument can't be digested.
    pub(super) fn has_failed(&self) -> bool {
        matches!(&self.0, Pass::Digest(Digesting { failure: Some(_), .. }))
    }

    /// The type argument of this name.
    pub fn type_argument<T: ?Sized>(&mut self, name: &'static str) {
        match &mut self.0 {
            Pass::Shallow(hasher) => return hasher.argument_type(type_number::<T>()),
            Pass::Digest(digesting) => digesting.add_type::<T>(name),
            Pass::Text { .. } => {}
        }
        self.add_text(name, &strip_lifetimes(type_name::<T>()));
    }

    /// The type of the `impl Trait` argument of this name.
    pub fn type_of<T: ?Sized>(&mut self, name: &'static str, _: &T) {
        self.type_argument::<T>(name);
    }

    /// The value of the const argument of this name.
    pub fn const_argument(&mut self, name: &'static str, value: &dyn fmt::Debug) {
        self.add_text(name, &format_args!("{value:?}"));
    }

    fn add_text(&mut self, name: &'static str, text: &dyn fmt::Display) {
        match &mut self.0 {
            Pass::Shallow(hasher) => hasher.argument_text(text),
            Pass::Text { described, .. } => described.push(Described::in_words(text)),
            Pass::Digest(Digesting { digests, .. }) => {
                let mut stream = ByteStream::<128>::new();
                // A stream takes what is written.
                let _ = write!(stream, "{text}");
                digests.push(ArgumentDigest { name, digest: stream.digest(), claimed: false, secret: false });
            }
        }
    }
}

/// In debug builds, digests the by-reference arguments again after computing: interior mutability is found.
pub struct MutationCheck {
    pub(super) expected: ArgumentDigests,
    pub(super) changed: Option<&'static str>,
}

impl MutationCheck {
    /// A by-reference argument as it is after the call.
    pub fn add<T: ?Sized, K: Keyed<T>>(&mut self, name: &'static str, value: &T, how: K) {
        let Some(expected) = self.expected.iter().find(|argument| argument.name == name) else { return };
        let mut hasher = ContentHasher::trusting();
        how.digest(value, &mut hasher);
        if hasher.try_finish().ok() != Some(expected.digest) {
            self.changed = Some(name);
        }
    }
}

//! A call that hasn't happened yet: the function, its arguments, and how to digest, compute and store it.

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::call::arguments::{Arguments, Digesting, MutationCheck, Pass, Trust};
use crate::call::describe::Description;
use crate::call::options::Options;
use crate::digest::{ContentHasher, Digest, SeenFile, files_seen, type_number, types_seen};
use crate::error::{Error, Result};
use crate::key::{ArgumentDigests, CallTypes, Function, Key, salted, text_digest, unsalted};
use crate::payload::{Codec, Format};

/// A lazy call: a cached function with its arguments, made by `f::call(…)`, of which nothing is hashed or computed
/// yet.
///
/// Pass it to [`Memory::eval`](crate::Memory::eval) and the other methods of a memory. Its arguments are hashed only
/// when a memory needs their digests, and at most once, so `contains(&call)` followed by `eval(call)` hashes once;
/// short arguments (numbers, texts of some dozen bytes) may be read again. An argument with interior mutability must
/// not change between the two. A call is `Send` and `Sync` if its arguments are.
///
/// ```
/// # fn main() -> ndcache::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// #[ndcache::cache]
/// fn double(x: f64) -> f64 {
///     2.0 * x
/// }
///
/// let memory = ndcache::Memory::open(folder.path())?;
/// let call = double::call(21.0);
/// assert!(!memory.contains(&call));
/// assert_eq!(memory.eval(call), 42.0);
/// # Ok(())
/// # }
/// ```
#[must_use = "a call does nothing until a memory evaluates it"]
pub struct Call<A, R> {
    function: &'static Function,
    arguments: A,
    compute: fn(A, &mut MutationCheck) -> R,
    digest: fn(&A, &mut Arguments),
    codec: Codec<R>,
    options: &'static Options,
    identity: OnceLock<CallIdentity>,
}

/// What a memory evaluates: a [`Call`], and nothing else.
///
/// It stands for `Call<A, R>` in the signatures of the methods that take one by value, and has the compiler say what to
/// write where `f(x)` is given in place of `f::call(x)`.
#[diagnostic::on_unimplemented(
    message = "a memory evaluates a lazy call, and `{Self}` is none",
    label = "this has to be a lazy call: `f::call(x)` in place of `f(x)`",
    note = "of a method it is `a.m_call(x)`, of a generic function `f::call::<T>(x)`; of a function without `#[cache]` it is `call!(path::f(x))`"
)]
pub trait LazyCall: sealed::Sealed {
    /// The arguments; their type has no name.
    type Arguments;
    /// The result of the function.
    type Output;

    /// Returns the call itself.
    #[doc(hidden)]
    fn into_call(self) -> Call<Self::Arguments, Self::Output>;
}

#[diagnostic::do_not_recommend]
impl<A, R> LazyCall for Call<A, R> {
    type Arguments = A;
    type Output = R;

    #[inline]
    fn into_call(self) -> Self {
        self
    }
}

mod sealed {
    pub trait Sealed {}

    impl<A, R> Sealed for super::Call<A, R> {}
}

/// What a call's key is made of; or why it has none. Boxed: a call is handed on some ten times, and calls nest.
type Identified = Result<Box<Identity>>;

/// What a call's key is made of, once it was asked for. A [refreshed](Call::refresh) call holds this from the beginning,
/// still empty: repeated hits are looked for only while a call holds none, and so needn't check whether it is refreshed.
enum CallIdentity {
    Once(Identified),
    Refreshed(Box<OnceLock<Identified>>),
}

/// All that a key is made of but the salt.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) code: Digest,
    pub(crate) arguments: ArgumentDigests,
    pub(crate) files: Vec<SeenFile>,
    /// The types that aren't the function's own. A call is handed on some ten times: it holds no more than it has to.
    pub(crate) other_types: u64,
    /// How long the arguments took to digest.
    pub(crate) hashing: Duration,
    unsalted: Digest,
    /// The arguments in words, once a miss has asked for them.
    pub(crate) outlines: OnceLock<Vec<Description>>,
}

impl Identity {
    /// The identity of a call whose types aren't known, by the name of its result.
    ///
    /// # Errors
    ///
    /// Returns an error when the function can't be cached, or counts its build: then types are a part of the key.
    pub(crate) fn untyped(
        function: &'static Function,
        result: &str,
        arguments: ArgumentDigests,
        files: Vec<SeenFile>,
    ) -> Result<Self> {
        let digests = function.digests().map_err(Error::again)?;
        if function.counts_build() {
            let path = function.path();
            return Err(Error::unsupported(format!(
                "function `{path}` counts its build, so that only the program that has it can key its calls"
            )));
        }
        let unsalted = unsalted(digests.function, text_digest(result), &arguments, None);
        let (code, hashing, outlines) = (digests.code, Duration::ZERO, OnceLock::new());
        Ok(Self { code, arguments, files, other_types: 0, hashing, unsalted, outlines })
    }

    #[inline]
    pub(crate) fn key(&self, salt: &str) -> Key {
        salted(self.unsalted, salt)
    }
}

impl<A, R> Call<A, R> {
    /// Returns the function that is called.
    pub fn function(&self) -> &'static Function {
        self.function
    }

    /// Returns a call that is computed even if its result is stored, in whatever form the result is requested; the
    /// new result replaces the stored one.
    ///
    /// The cached calls inside the function are looked up as usual; [`Mode::Refresh`](crate::Mode::Refresh) computes
    /// them again, too. [`Memory::contains`](crate::Memory::contains) and [`Memory::explain`](crate::Memory::explain)
    /// report such a call as one that will be refreshed.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// # let folder = tempfile::tempdir().unwrap();
    ///
    /// static READINGS: AtomicU32 = AtomicU32::new(0);
    ///
    /// #[ndcache::cache]
    /// fn readings(n: usize) -> ndarray::Array1<u32> {
    ///     ndarray::Array1::from_elem(n, READINGS.fetch_add(1, Ordering::Relaxed))
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// assert_eq!(memory.mmap(readings::call(3))[0], 0);
    /// assert_eq!(memory.mmap(readings::call(3).refresh())[0], 1); // computed anew, stored, and mapped
    /// assert_eq!(memory.mmap(readings::call(3))[0], 1);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn refresh(mut self) -> Self {
        let identified = match self.identity.take() {
            Some(CallIdentity::Once(identified)) => Box::new(identified.into()),
            Some(CallIdentity::Refreshed(identified)) => identified,
            None => Box::default(),
        };
        Self { identity: CallIdentity::Refreshed(identified).into(), ..self }
    }

    pub(crate) fn options(&self) -> &'static Options {
        self.options
    }

    pub(crate) fn codec(&self) -> Codec<R> {
        self.codec
    }

    /// What the key is made of; or why the call bypasses the cache.
    pub(crate) fn identity(&self) -> Result<&Identity, &Error> {
        let identify = || self.identify().map(Box::new);
        let identified = match self.identity.get_or_init(|| CallIdentity::Once(identify())) {
            CallIdentity::Once(identified) => identified,
            CallIdentity::Refreshed(identified) => identified.get_or_init(identify),
        };
        identified.as_ref().map(|identity| &**identity)
    }

    pub(crate) fn is_refreshed(&self) -> bool {
        matches!(self.identity.get(), Some(CallIdentity::Refreshed(_)))
    }

    /// How long its arguments took to digest; zero before that.
    pub(crate) fn hashing(&self) -> Duration {
        self.known_identity().map_or(Duration::ZERO, |identity| identity.hashing)
    }

    /// What the key is made of, if that has been asked for.
    fn known_identity(&self) -> Option<&Identity> {
        let identified = match self.identity.get()? {
            CallIdentity::Once(identified) => identified,
            CallIdentity::Refreshed(identified) => identified.get()?,
        };
        identified.as_ref().ok().map(|identity| &**identity)
    }

    /// Passes to `find` a hasher with all arguments, by which a memory finds a call that it has looked up before in
    /// this process. `None` once the call has its identity, which is that of its arguments as they were then.
    #[inline]
    pub(crate) fn hashed_shallow<T>(&self, find: impl FnOnce(&ContentHasher) -> Option<T>) -> Option<T> {
        if self.identity.get().is_none() { self.hash_shallow(find) } else { None }
    }

    /// Whether the arguments are still those that `memo_key` was made of.
    pub(crate) fn is_still(&self, memo_key: Digest) -> bool {
        self.hash_shallow(ContentHasher::memo_key) == Some(memo_key)
    }

    #[inline]
    fn hash_shallow<T>(&self, find: impl FnOnce(&ContentHasher) -> Option<T>) -> Option<T> {
        let ids = [std::ptr::from_ref(self.function).addr(), self.codec.namer()];
        let mut arguments = Arguments(Pass::Shallow(ContentHasher::shallow(ids)));
        (self.digest)(&self.arguments, &mut arguments);
        match &arguments.0 {
            Pass::Shallow(hasher) => find(hasher),
            Pass::Digest(..) | Pass::Text { .. } => None,
        }
    }

    fn identify(&self) -> Result<Identity> {
        let function = self.function.digests().map_err(Error::again)?;
        let name = || text_digest(self.codec.type_name().as_str());
        let result = self.function.result_digest(self.codec.namer(), name);
        let begin = Instant::now();
        let (digested, seen) = types_seen(|| files_seen(|| self.argument_digests(Trust::Claimed)));
        let (Digesting { digests: mut arguments, mut types, names, .. }, files) = digested?;
        let hashing = begin.elapsed();
        // Any function pointer of this call was compiled for its types.
        let of_call = CallTypes { seen: &seen, arguments: &names, compiled: self.digest as usize };
        self.function.downstream_types(&of_call)?.into_iter().for_each(|argument| arguments.push(argument));
        if let Some(captured) = self.function.captured() {
            types.push(captured);
        }
        types.push(type_number::<R>());
        let other_types = types.number();
        let counted = self.function.counts_build().then_some(other_types);
        let unsalted = unsalted(function.function, result, &arguments, counted);
        let (code, outlines) = (function.code, OnceLock::new());
        Ok(Identity { code, arguments, files, other_types, hashing, unsalted, outlines })
    }

    /// Verifies, against their bytes, the digests of mapped arguments that only a record vouches for.
    ///
    /// Such a digest is good for looking up; nothing is stored under it before this.
    pub(crate) fn verify_claims(&self) -> Result<()> {
        let claimed = self.identity().map_err(Error::again)?;
        if !claimed.arguments.iter().any(|argument| argument.claimed) {
            return Ok(());
        }
        let verified = self.argument_digests(Trust::Hashed)?.digests;
        match claimed
            .arguments
            .iter()
            .zip(verified.iter())
            .find(|(claimed, verified)| claimed.digest != verified.digest)
        {
            None => Ok(()),
            Some((argument, _)) => Err(Error::damaged(format!(
                "function `{}`: argument `{}` holds a mapped array whose bytes are not those that were stored",
                self.function.path(),
                argument.name
            ))),
        }
    }

    fn argument_digests(&self, trust: Trust) -> Result<Digesting> {
        let mut arguments = Arguments(Pass::Digest(Digesting::new(trust)));
        (self.digest)(&self.arguments, &mut arguments);
        match arguments.0 {
            Pass::Digest(Digesting { failure: Some(error), .. }) => {
                Err(error.at(format_args!("function `{}`", self.function.path())))
            }
            Pass::Digest(digesting) => Ok(digesting),
            Pass::Shallow(_) | Pass::Text { .. } => Ok(Digesting::new(trust)),
        }
    }

    /// The arguments with their leaves, in the order of their digests. They are described once, while the call still
    /// has them.
    pub(crate) fn outlines(&self) -> &[Description] {
        match self.identity() {
            Ok(identity) => identity.outlines.get_or_init(|| {
                let mut described = self.described(true);
                // What counts of types has a name and no words.
                described.resize_with(identity.arguments.len(), Description::default);
                described
            }),
            Err(_) => &[],
        }
    }

    /// The arguments in words, in the order of their digests. For their leaves, arrays inside of structs are read.
    fn described(&self, leaves: bool) -> Vec<Description> {
        let mut arguments = Arguments(Pass::Text { described: Vec::new(), leaves });
        (self.digest)(&self.arguments, &mut arguments);
        match arguments.0 {
            Pass::Text { described, .. } => described,
            Pass::Shallow(_) | Pass::Digest(..) => Vec::new(),
        }
    }

    /// The arguments in words, in the order of their digests; no array is read.
    pub(crate) fn argument_texts(&self) -> Vec<String> {
        let known = self.known_identity().and_then(|identity| identity.outlines.get());
        let described = known.cloned().unwrap_or_else(|| self.described(false));
        described.into_iter().map(|described| described.text).collect()
    }

    /// Runs the function; also returns the name of a by-reference argument that it changed, if it did.
    pub(crate) fn compute(self) -> (R, Option<&'static str>) {
        let identified = match self.identity.into_inner() {
            Some(CallIdentity::Once(identified)) => Some(identified),
            Some(CallIdentity::Refreshed(identified)) => identified.into_inner(),
            None => None,
        };
        let expected = match identified {
            Some(Ok(identity)) if cfg!(debug_assertions) => identity.arguments,
            _ => ArgumentDigests::new(),
        };
        let mut check = MutationCheck { expected, changed: None };
        let result = (self.compute)(self.arguments, &mut check);
        (result, check.changed)
    }
}

impl<A, R> fmt::Debug for Call<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.described(false).into_iter().map(|described| described.text).collect();
        write!(f, "{}({})", self.function.path(), texts.join(", "))
    }
}

/// Makes a call, for the macros.
pub fn call<A, R, F: Format<R>>(
    function: &'static Function,
    arguments: A,
    compute: fn(A, &mut MutationCheck) -> R,
    digest: fn(&A, &mut Arguments),
    format: F,
    options: &'static Options,
) -> Call<A, R> {
    Call { function, arguments, compute, digest, codec: Codec::of(format), options, identity: OnceLock::new() }
}

/// Takes a value as a function would whose parameter has the type of this slot.
pub fn like<T>(_: &Option<T>, value: T) -> T {
    value
}

/// Gives a closure its type as a function of these arguments.
pub fn taking<A, R, F: FnOnce(A) -> R>(_: &A, run: F) -> F {
    run
}

/// Makes what computes a call of these arguments a function pointer.
pub fn bind<A, R>(_: &A, compute: fn(A, &mut MutationCheck) -> R) -> fn(A, &mut MutationCheck) -> R {
    compute
}

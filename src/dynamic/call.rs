//! A call of a function that is known at run time, and what a memory knows of it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Options, RunTimeArgument};
use crate::call::describe::Description;
use crate::call::lazy::Identity;
use crate::call::request::{AnyCall, Request};
use crate::digest::Digest;
use crate::entry::Entry;
use crate::entry::read::find::Missing;
use crate::entry::rules::Mode;
use crate::entry::site::Site;
use crate::error::{Error, Result};
use crate::flight::Look;
use crate::key::{ArgumentDigests, Function, Key, Types};
use crate::memory::form::{self, StoredEntry};
use crate::memory::{Engine, Memory};
use crate::payload::Codec;
use crate::payload::raw::{Array, Form, Owner, RawValue, Untyped, load};
use crate::stats::Explanation;
use crate::store::Stat;

/// The name of the result's type, where none is given.
const ANY: &str = "any";

/// A call with its arguments, of a function made by [`FunctionBuilder`](super::FunctionBuilder) or by a macro.
///
/// It is cheap to make: only the digests of the arguments are hashed. See the [module](super) for an example.
pub struct RunTimeCall {
    function: &'static Function,
    arguments: Vec<RunTimeArgument>,
    /// The arguments in words; nothing of secret ones.
    outlines: Vec<Description>,
    options: Arc<Options>,
    anew: bool,
    identity: Result<Identity>,
}

impl RunTimeCall {
    /// Makes a call of `function` with these arguments, in the order of its parameters; the type arguments of a
    /// `#[cache]` function are arguments as well, see "Keys" in `docs/format.md`.
    #[must_use]
    pub fn new(function: &'static Function, arguments: impl IntoIterator<Item = RunTimeArgument>) -> Self {
        let mut arguments: Vec<_> = arguments.into_iter().filter(|argument| !argument.ignored).collect();
        let outlines = arguments.iter_mut().map(RunTimeArgument::take_description).collect();
        let identity = identity(function, ANY, &arguments);
        Self { function, arguments, outlines, options: Arc::default(), anew: false, identity }
    }

    /// Sets the name of the result's type, by default `any`, which is part of the key.
    /// [`result_name`](super::result_name) returns those of Rust types.
    #[must_use]
    pub fn result(self, name: &str) -> Self {
        let identity = identity(self.function, name, &self.arguments);
        Self { identity, ..self }
    }

    /// Sets the function's options.
    #[must_use]
    pub fn options(self, options: Arc<Options>) -> Self {
        Self { options, ..self }
    }

    /// Makes the call computed even if its result is stored.
    #[must_use]
    pub fn refresh(self) -> Self {
        Self { anew: true, ..self }
    }

    /// Returns the function that is called.
    #[must_use]
    pub fn function(&self) -> &'static Function {
        self.function
    }

    /// Returns the key of the call in `memory`, or `None` if that is disabled.
    ///
    /// # Errors
    ///
    /// Returns an error when the function can't be cached, or has `code = "build"`.
    pub fn key(&self, memory: &Memory) -> Result<Option<Key>> {
        let identity = self.identity.as_ref().map_err(Error::again)?;
        Ok(memory.0.as_ref().map(|engine| identity.key(&engine.settings.salt)))
    }

    /// Returns the stored result, if there is one, and counts a hit. A miss is counted only by [`lead`](Self::lead).
    ///
    /// A repeated hit takes no system call if the arrays are small, or mapped and still in use.
    #[must_use]
    pub fn look_up(&self, memory: &Memory, form: Form) -> Option<RawValue> {
        let (engine, site, mode) = self.looked_for(memory)?;
        match engine.hit(self, &site, form) {
            Look::Missing(Missing::Absent | Missing::Due) if engine.archive.reopen(mode <= Mode::Refresh) => {
                engine.hit(self, &site, form).found()
            }
            look => look.found(),
        }
    }

    /// Returns whether the call would hit. It writes and counts nothing.
    #[must_use]
    pub fn contains(&self, memory: &Memory) -> bool {
        memory.would_hit(self)
    }

    /// Says whether the call would hit, and if not, why: which argument, or which part of the code, differs from the
    /// most similar stored call. It compares with at most 1,000 of them.
    #[must_use]
    pub fn explain(&self, memory: &Memory) -> Explanation {
        memory.explanation_of(self)
    }

    /// Returns the stored entry, without its value, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns an error when the call has no key, or its entry can't be read.
    pub fn entry(&self, memory: &Memory) -> Result<Option<Entry>> {
        memory.entry_of(self)
    }

    /// Returns the path that the call's record has in `memory`, whether or not it exists; `None` if the call has no
    /// key or `memory` is disabled. It reads nothing.
    ///
    /// ```
    /// use ndcache::dynamic::{FunctionBuilder, RunTimeArgument, RunTimeCall};
    /// use ndcache::{Memory, digest};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// let memory = Memory::open(folder.path())?;
    /// let function = FunctionBuilder::new("lab.double", digest("2 * x")).build()?;
    /// let call = RunTimeCall::new(function, [RunTimeArgument::new("x", digest(&21_i64), "21")]);
    /// let path = call.path(&memory).expect("it has a key");
    /// assert!(path.starts_with(folder.path()) && path.extension().is_some_and(|end| end == "record"));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn path(&self, memory: &Memory) -> Option<PathBuf> {
        let engine = memory.0.as_deref()?;
        let site = self.site(&engine.settings.salt).ok()?;
        Some(engine.archive.record_path(&site))
    }

    /// Removes the entry, and returns whether there was one. Mapped arrays keep their bytes.
    ///
    /// # Errors
    ///
    /// Returns an error when the call has no key, the memory is read-only, or the entry can't be removed.
    pub fn remove(&self, memory: &Memory) -> Result<bool> {
        memory.remove_entry_of(self)
    }

    /// The memory's engine, the place of the entry, and the mode of the call; `None` where nothing is looked up.
    pub(super) fn looked_for<'a>(&self, memory: &'a Memory) -> Option<(&'a Engine, Site, Mode)> {
        let engine = memory.0.as_deref()?;
        engine.warn_unnamed(self.function);
        let mode = engine.mode(&*self.options);
        let site = self.site(&engine.settings.salt).ok().filter(|_| mode != Mode::Off)?;
        Some((engine, site.under(mode), mode))
    }
}

pub(super) fn owner(stat: &Stat) -> Owner {
    Owner { uid: stat.uid, gid: stat.gid, mode: stat.mode.into() }
}

/// What the key is made of.
fn identity(function: &'static Function, result: &str, arguments: &[RunTimeArgument]) -> Result<Identity> {
    let mut digests = ArgumentDigests::new();
    arguments.iter().for_each(|argument| digests.push(argument.counted()));
    let files = arguments.iter().flat_map(|argument| argument.files.iter().cloned()).collect();
    Identity::untyped(function, result, digests, files)
}

impl AnyCall for RunTimeCall {
    fn is_refreshed(&self) -> bool {
        self.anew
    }

    fn function(&self) -> &'static Function {
        self.function
    }

    fn identity(&self) -> Result<&Identity, &Error> {
        self.identity.as_ref()
    }

    /// The arguments were digested before there was a call.
    fn hashing(&self) -> Duration {
        Duration::ZERO
    }

    fn argument_texts(&self) -> Vec<String> {
        self.outlines.iter().map(|outline| outline.text.clone()).collect()
    }

    fn outlines(&self) -> &[Description] {
        &self.outlines
    }

    fn verify_claims(&self) -> Result<()> {
        let claims = self.arguments.iter().filter_map(|argument| Some((argument.name, argument.array.as_ref()?)));
        let at =
            |name: &str, error: Error| error.at(format_args!("function `{}`: argument `{name}`", self.function.path()));
        claims.into_iter().try_for_each(|(name, array): (_, &Array)| array.verify().map_err(|error| at(name, error)))
    }

    fn site(&self, salt: &str) -> Result<Site, &Error> {
        let identity = self.identity.as_ref()?;
        // Nothing is known here of the types of a Rust function.
        Ok(Site::new(self.function.folder(), identity.key(salt)).of_any_value())
    }

    fn types(&self) -> Option<(Digest, Types)> {
        None
    }
}

impl Request for RunTimeCall {
    type Result = RawValue;
    type Options = Options;

    fn options(&self) -> &Options {
        &self.options
    }

    fn codec(&self) -> Codec<RawValue> {
        Codec::of(Untyped)
    }
}

impl form::ResultForm<RawValue> for Form {
    type Out = RawValue;

    fn load(self, entry: &StoredEntry<'_>, _: Codec<RawValue>) -> Result<RawValue> {
        let record = entry.record;
        let value = entry.load(|reader| load(reader, self))?;
        let owner = entry.memo_entry.map(|memo_entry| owner(&memo_entry.found.stat));
        Ok(value.found_with(&record.python, record.origin.as_deref(), owner, record.expires))
    }

    fn keep(self, value: RawValue) -> RawValue {
        value
    }

    fn reloads(self, _: Codec<RawValue>) -> bool {
        self == Self::Mapped
    }
}

impl fmt::Debug for RunTimeCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.path())?;
        for (n, (argument, described)) in self.arguments.iter().zip(&self.outlines).enumerate() {
            write!(f, "{}{}={}", if n == 0 { "" } else { ", " }, argument.name, described.text)?;
        }
        write!(f, ")")
    }
}

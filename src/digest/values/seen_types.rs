//! The types of a call's arguments that count by more than their names: what they do is code, and the function may be of a
//! crate that has never seen it.

use std::cell::RefCell;

use crate::digest::value::Digest;
use crate::error::Result;

/// The code of a type, as the derive has found it.
#[derive(Clone, Copy)]
pub struct TypeCode {
    /// `` code of `app::Ridge` ``
    pub name: &'static str,
    /// The digest of the type and of what it does for code that knows it by a trait alone.
    pub digest: fn() -> Result<Digest>,
}

/// A type with `#[derive(ContentHash)]` of which a value was fed.
#[derive(Clone, Copy)]
pub(crate) struct DerivedType {
    /// The mark of the package that defines it.
    pub(crate) package: &'static str,
    /// Its name, with type arguments.
    pub(crate) name: &'static str,
    /// `None` where nobody could ask for it, or where the sources don't tell.
    pub(crate) code: Option<TypeCode>,
}

/// The types of values that were fed.
#[derive(Clone, Default)]
pub(crate) struct SeenTypes {
    pub(crate) derived: Vec<DerivedType>,
    /// The names of types behind a `dyn`.
    pub(crate) concrete: Vec<&'static str>,
}

thread_local! {
    /// The types in the arguments that this thread is hashing; `None` while nobody asks for them.
    static SEEN: RefCell<Option<SeenTypes>> = const { RefCell::new(None) };
}

/// Puts back, in a panic too, what an outer call had collected: hashing one call's arguments may hash those of another.
struct OuterTypes(Option<SeenTypes>);

impl Drop for OuterTypes {
    fn drop(&mut self) {
        let _ = SEEN.try_with(|seen| seen.replace(self.0.take()));
    }
}

/// Hashes arguments by `hash`, and returns the types in them.
pub(crate) fn types_seen<T>(hash: impl FnOnce() -> T) -> (T, SeenTypes) {
    let begun = SEEN.try_with(|seen| seen.replace(Some(SeenTypes::default())));
    let _outer = OuterTypes(begun.ok().flatten());
    let value = hash();
    let seen = SEEN.try_with(|seen| seen.borrow_mut().take());
    (value, seen.ok().flatten().unwrap_or_default())
}

/// Notes a type of which a value is fed.
pub(super) fn see_derived(found: DerivedType) {
    see(|seen| {
        // Most values are of a type that was seen: to find it by addresses is enough, and takes the least time.
        let place = |of: &DerivedType| [of.name, of.package].map(|text| (text.as_ptr().addr(), text.len()));
        let is_it = |known: &DerivedType| place(known) == place(&found);
        if !seen.derived.iter().any(is_it) {
            seen.derived.push(found);
        }
    });
}

/// Notes the type of a value behind a `dyn`.
pub(super) fn see_concrete(name: &'static str) {
    see(|seen| {
        if !seen.concrete.contains(&name) {
            seen.concrete.push(name);
        }
    });
}

fn see(note: impl FnOnce(&mut SeenTypes)) {
    let _ = SEEN.try_with(|seen| {
        if let Some(seen) = &mut *seen.borrow_mut() {
            note(seen);
        }
    });
}

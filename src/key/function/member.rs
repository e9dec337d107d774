//! The functions that share one definition: methods of several types, the items of a `call!`, closures of one name.

use std::any::{TypeId, type_name};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::{LazyLock, RwLock};

use super::Function;
use crate::digest::{strip_lifetimes, type_number};
use crate::threads::fork::ForkMutex;

/// What tells apart the functions that share one definition, as methods of several types do.
#[derive(Clone, Copy)]
pub(super) enum Member {
    /// A method: the name of `Self`, and a closure beside it, whose type tells the trait of a trait's method, too.
    Owner(&'static str, ClosureType),
    /// The item of a `call!`.
    Item(&'static str, u64),
    /// What a named closure stands in, the type of a closure there, and what it captures.
    Around(&'static str, u64, CapturedTypes),
}

/// The type of a closure beside a method, by name and by number.
#[derive(Clone, Copy)]
pub(super) struct ClosureType(pub(super) &'static str, pub(super) u64);

impl ClosureType {
    /// `<Type as Trait<u8>>` where the method is one that a trait provides.
    ///
    /// Only such a method's closure is named after the type and the trait: an inherent one's is named after the type, or
    /// after the module of its `impl`.
    pub(super) fn of_trait(self) -> Option<String> {
        let name = strip_lifetimes(self.0);
        let method = name.strip_suffix("::{{closure}}")?;
        let (qualified, _) = method.rsplit_once("::")?;
        (qualified.starts_with('<') && qualified.contains(" as ")).then(|| qualified.to_owned())
    }
}

/// The type of all that a named closure captures, by name and by number.
#[derive(Clone, Copy)]
pub(super) struct CapturedTypes(pub(super) &'static str, pub(super) u64);

impl Member {
    /// The names of the types that it stands in.
    pub(super) fn types(self) -> Vec<Cow<'static, str>> {
        match self {
            Self::Owner(owner, beside) => {
                let qualified = beside.of_trait().map(Cow::Owned);
                [Some(owner.into()), qualified].into_iter().flatten().collect()
            }
            // The path of the item itself names no type.
            Self::Item(place, _) | Self::Around(place, ..) => {
                place.find('<').map(|at| place[at..].into()).into_iter().collect()
            }
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Owner(name, _) | Self::Item(name, _) | Self::Around(name, ..) => name,
        }
    }
}

/// The method `base` of the type `T`, beside which the closure `_here` stands.
#[must_use]
pub fn member<T: ?Sized, F>(base: &'static Function, _here: &F) -> &'static Function {
    of_type::<F>(base, |name, number| Member::Owner(type_name::<T>(), ClosureType(name, number)))
}

/// The function `base` as the item that a `call!` names.
///
/// Only a zero-sized value says by its type what is called. A value with a size can be called too, through what it
/// derefs to, and other values of its type may lead elsewhere: it is named as a reference, which `check_name` refuses.
#[must_use]
pub fn called<F>(base: &'static Function, _: &F) -> &'static Function {
    if size_of::<F>() == 0 { of_type::<F>(base, Member::Item) } else { of_type::<&F>(base, Member::Item) }
}

/// The named closure `base` in the function in which the closure `_here` stands.
///
/// The name of a closure has module, type, trait and type arguments of all that it stands in. Closures around it are left out
/// of the name, since those of one function share theirs. What is captured counts by its type, too: the values of several may
/// count alike, as their `None` does.
#[must_use]
pub fn within<F, C>(base: &'static Function, _here: &F, _captured: &C) -> &'static Function {
    of_type::<F>(base, |name, number| {
        let place = name.trim_end_matches("::{{closure}}");
        Member::Around(place, number, CapturedTypes(type_name::<C>(), type_number::<C>()))
    })
}

/// The function of `base` for the type `T`; made once, and kept while the process runs.
#[inline]
fn of_type<T: ?Sized>(base: &'static Function, member: fn(&'static str, u64) -> Member) -> &'static Function {
    let id = typeid::of::<T>();
    match base.first.get() {
        Some(&(first, function)) if first == id => function,
        _ => interned(base, id, || member(type_name::<T>(), type_number::<T>())),
    }
}

type MemberFunctions = HashMap<(usize, TypeId), &'static Function, BuildHasherDefault<DefaultHasher>>;

/// The functions that each type was given; nobody waits for it: another thread may have held it when this process was
/// forked. A function that isn't found here is looked for among those that were made.
static MEMBERS: RwLock<MemberFunctions> = RwLock::new(HashMap::with_hasher(BuildHasherDefault::new()));

fn interned(base: &'static Function, id: TypeId, member: impl FnOnce() -> Member) -> &'static Function {
    let of = (std::ptr::from_ref(base).addr(), id);
    match MEMBERS.try_read().ok().and_then(|members| members.get(&of).copied()) {
        Some(function) => function,
        None => made(base, id, of, member),
    }
}

#[cold]
fn made(
    base: &'static Function,
    id: TypeId,
    of: (usize, TypeId),
    member: impl FnOnce() -> Member,
) -> &'static Function {
    static MADE: LazyLock<ForkMutex<MemberFunctions>> = LazyLock::new(ForkMutex::default);
    // A function that was made at run time is of no type.
    let Some(&definition) = base.macro_definition() else { return base };
    let make = || Box::leak(Box::new(Function { member: Some(member()), ..Function::new(definition) })) as &_;
    let mut made = MADE.lock();
    let function = *made.entry(of).or_insert_with(make);
    if let Ok(mut members) = MEMBERS.try_write() {
        members.insert(of, function);
    }
    // If another thread was faster, with another type, this one is found in the table only.
    let _ = base.first.set((id, function));
    function
}

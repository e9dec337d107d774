//! A memory as an argument: it says where results are kept, and never what they are, and so isn't part of a key.

use std::rc::Rc;
use std::sync::Arc;

use crate::call::keyed::{Keyable, KeyableElements, Keyed, Probe};
use crate::call::mutable_arguments::Unchanged;
use crate::digest::{ContentHasher, Text};
use crate::memory::Memory;

/// Types that are a memory, or lead to one and to nothing else.
pub trait Keyless {}

impl Keyless for Memory {}
impl<T: Keyless + ?Sized> Keyless for &T {}
impl<T: Keyless> Keyless for Option<T> {}
impl<T: Keyless + ?Sized> Keyless for Box<T> {}
impl<T: Keyless + ?Sized> Keyless for Rc<T> {}
impl<T: Keyless + ?Sized> Keyless for Arc<T> {}

/// Keyed by nothing.
pub struct ByNothing;

impl<T: Keyless + ?Sized> Keyed<T> for ByNothing {
    const COUNTS: bool = false;

    fn digest(&self, _: &T, _: &mut ContentHasher) {}

    fn describe(&self, _: &T, _: &mut Text) {}
}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> Keyable<T> for ByNothing {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> KeyableElements<T> for ByNothing {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> Unchanged<T> for ByNothing {}

/// The level before [`ContentHash`](crate::ContentHash).
pub trait KeyedByNothing {
    /// Says how.
    fn keyed(&self) -> ByNothing {
        ByNothing
    }
}

impl<T: Keyless + ?Sized> KeyedByNothing for &&&&&&Probe<'_, T> {}

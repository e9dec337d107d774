//! Types in the stream: by package and name, and in one for this process alone by themselves.

use std::any::type_name;

use super::hasher::ContentHasher;
use super::tag::Tag;
use super::type_name::{TypeSequence, ambiguity, strip_lifetimes, type_number};
use crate::error::Error;

/// Values that begin with their types.
impl ContentHasher {
    /// Begins a struct by the full name of its type, module and type arguments included: types of one name in two
    /// modules differ behind a `dyn`, too. The derive adds the package, so that types of two of its versions differ.
    ///
    /// Names in closures aren't unique: the stream of a type that is defined in one [fails](Self::failure).
    pub fn begin_struct_of<T: ?Sized>(&mut self) {
        self.tag(Tag::Struct);
        self.type_of::<T>("");
    }

    /// Begins a variant of an enum by the full name of its type; see [`begin_struct_of`](Self::begin_struct_of).
    pub fn begin_variant_of<T: ?Sized>(&mut self, variant: &str) {
        self.begin_variant_in::<T>("", variant);
    }

    /// Begins a struct whose type is defined in this package.
    #[doc(hidden)]
    pub fn begin_struct_in<T: ?Sized>(&mut self, package: &str) {
        self.tag(Tag::Struct);
        self.type_of::<T>(package);
    }

    /// Begins a variant of an enum that is defined in this package.
    #[doc(hidden)]
    pub fn begin_variant_in<T: ?Sized>(&mut self, package: &str, variant: &str) {
        self.tag(Tag::Variant);
        self.type_of::<T>(package);
        self.length_and(variant.as_bytes());
    }

    /// Feeds the concrete type of what stands behind a `dyn`.
    #[doc(hidden)]
    pub fn concrete<T: ?Sized>(&mut self) {
        self.types.push(type_number::<T>());
        self.tag(Tag::Concrete);
        self.type_of::<T>("");
    }

    /// Feeds package and name of a type as one text, or, in a stream for this process alone, the type itself.
    fn type_of<T: ?Sized>(&mut self, package: &str) {
        if self.quick {
            return self.raw(&type_number::<T>().to_le_bytes());
        }
        let name = type_name::<T>();
        if let Some(why) = ambiguity(name) {
            self.fail(Error::unsupported(format!("type `{name}` stands {why}")));
        }
        let name = strip_lifetimes(name);
        let between = if package.is_empty() { "" } else { " " };
        self.raw(&((package.len() + between.len() + name.len()) as u64).to_le_bytes());
        [package, between, &name].iter().for_each(|text| self.raw(text.as_bytes()));
    }

    /// The types behind `dyn` references that were fed.
    pub(crate) fn types(&self) -> TypeSequence {
        self.types
    }
}

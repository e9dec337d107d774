//! Types in the stream: by package and name, and in one for this process alone by themselves.

use std::any::type_name;

use crate::digest::values::content::ContentHash;
use crate::digest::values::hasher::{ContentHasher, Head, HeadKind, Name};
use crate::digest::values::seen_types::{DerivedType, see_concrete, see_derived};
use crate::digest::values::tag::Tag;
use crate::digest::values::type_name::{TypeSequence, ambiguity, strip_lifetimes, type_number};
use crate::error::Error;

/// Values that begin with their types.
impl ContentHasher {
    /// Begins a struct by the full name of its type, module and type arguments included: types of one name in two
    /// modules differ behind a `dyn`, too. The derive adds the package, so that types of two of its versions differ.
    ///
    /// Names in closures aren't unique: the stream of a type that is defined in one [fails](Self::failure).
    pub fn begin_struct_of<T: ?Sized>(&mut self) {
        self.begin_type::<T>("", HeadKind::Struct);
    }

    /// Begins a variant of an enum by the full name of its type; see [`begin_struct_of`](Self::begin_struct_of).
    pub fn begin_variant_of<T: ?Sized>(&mut self, variant: &str) {
        self.begin_type::<T>("", HeadKind::Variant(Name::Borrowed(variant)));
    }

    /// Begins a struct whose type is defined in this package.
    #[doc(hidden)]
    pub fn begin_struct_in<T: ContentHash + ?Sized>(&mut self, value: &T, package: &'static str) {
        self.see_type(value, package);
        self.begin_type::<T>(package, HeadKind::Struct);
    }

    /// Begins a variant of an enum that is defined in this package.
    #[doc(hidden)]
    pub fn begin_variant_in<T: ContentHash + ?Sized>(
        &mut self,
        value: &T,
        package: &'static str,
        variant: &'static str,
    ) {
        self.see_type(value, package);
        self.begin_type::<T>(package, HeadKind::Variant(Name::Static(variant)));
    }

    /// Feeds the concrete type of what stands behind a `dyn`.
    #[doc(hidden)]
    pub fn concrete<T: ?Sized>(&mut self) {
        self.types.push(type_number::<T>());
        let name = type_name::<T>();
        if let Some(why) = ambiguity(name) {
            self.fail(Error::unsupported(format!("type `{name}` stands {why}")));
        }
        if !self.shallow {
            see_concrete(name);
        }
        self.tagged_str(Tag::Concrete, &strip_lifetimes(name));
        self.type_itself::<T>();
    }

    /// Notes the type for who has to know what it does. In a stream for this process alone nobody has to.
    #[inline]
    fn see_type<T: ContentHash + ?Sized>(&mut self, value: &T, package: &'static str) {
        if !self.shallow {
            see_derived(DerivedType { package, name: type_name::<T>(), code: value.type_code() });
        }
    }

    fn begin_type<T: ?Sized>(&mut self, package: &'static str, kind: HeadKind<'_>) {
        self.begin(Head { name: Name::Type { package, printed: type_name::<T>() }, kind });
        self.type_itself::<T>();
    }

    /// Feeds the type itself, in a stream for this process alone: its name may not tell it from others.
    #[inline]
    fn type_itself<T: ?Sized>(&mut self) {
        if self.shallow {
            self.raw(&type_number::<T>().to_le_bytes());
        }
    }

    /// The types behind `dyn` references that were fed.
    pub(crate) fn types(&self) -> TypeSequence {
        self.types
    }
}

//! [`ContentHash`] of numbers and other values without parts, and the texts of arrays of them.

use std::collections::VecDeque;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::marker::PhantomData;
use std::num;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ndarray::{ArrayRef, ArrayView1, Dimension, aview2};
use num_complex::Complex;

use crate::digest::arrays::element::Element;
use crate::digest::arrays::meta::{ArrayMeta, Order};
use crate::digest::values::content::ContentHash;
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::tag::Tag;
use crate::digest::values::text::Text;

/// The methods that elements share: slices of them are 1-d arrays, and arrays of them have the array digest.
macro_rules! as_array {
    () => {
        fn hash_slice(slice: &[Self], hasher: &mut ContentHasher) {
            hasher.array(&ArrayView1::from(slice));
        }

        fn hash_deque(deque: &VecDeque<Self>, hasher: &mut ContentHasher) {
            hasher.deque(deque);
        }

        fn hash_rows<const N: usize>(rows: &[[Self; N]], hasher: &mut ContentHasher) {
            hasher.rows(&aview2(rows));
        }

        fn describe_slice(slice: &[Self], text: &mut Text) {
            let as_array = |text: &mut Text| describe_elements(&ArrayView1::from(slice), text);
            text.elements(slice, Self::describe, Self::content_hash, as_array);
        }

        #[inline]
        fn hash_array<D: Dimension>(array: &ArrayRef<Self, D>, hasher: &mut ContentHasher) {
            hasher.array(array);
        }

        fn describe_array<D: Dimension>(array: &ArrayRef<Self, D>, text: &mut Text) {
            describe_elements(array, text);
        }
    };
}

/// `f64[1797, 64] C`; inside of another value C order goes without saying.
fn describe_elements<A: Element, D: Dimension>(array: &ArrayRef<A, D>, text: &mut Text) {
    let order = match ArrayMeta::of(array).map(|meta| meta.order) {
        Some(Order::C) if !text.is_outermost() => "",
        Some(Order::C) => " C",
        Some(Order::F) => " F",
        None => " strided",
    };
    text.display(format_args!("{}{:?}{order}", A::NAME, array.shape()));
}

/// How a value without parts stands in a row: by the bytes that it has behind its mark.
macro_rules! in_rows {
    ($tag:ident as $bytes:ty) => {
        fn has_rows(&self) -> bool {
            true
        }

        fn hash_alike(&self, hasher: &mut ContentHasher) {
            hasher.tag(Tag::$tag);
        }

        #[inline]
        fn hash_row(&self, hasher: &mut ContentHasher) {
            hasher.write((*self as $bytes).to_le_bytes());
        }
    };
}

macro_rules! numbers {
    ($($type:ident: $tag:ident as $bytes:ident;)*) => {$(
        impl ContentHash for $type {
            #[inline]
            fn content_hash(&self, hasher: &mut ContentHasher) {
                hasher.$type(*self);
            }

            in_rows!($tag as $bytes);

            fn describe(&self, text: &mut Text) {
                text.debug(self);
            }

            as_array!();
        }
    )*};
}

numbers! {
    i8: I8 as i8;
    i16: I16 as i16;
    i32: I32 as i32;
    i64: I64 as i64;
    isize: Isize as i64;
    u8: U8 as u8;
    u16: U16 as u16;
    u32: U32 as u32;
    u64: U64 as u64;
    usize: Usize as u64;
    f32: F32 as f32;
    f64: F64 as f64;
    bool: Bool as u8;
}

macro_rules! scalars {
    ($($type:ident: $tag:ident as $bytes:ident;)*) => {$(
        impl ContentHash for $type {
            #[inline]
            fn content_hash(&self, hasher: &mut ContentHasher) {
                hasher.$type(*self);
            }

            in_rows!($tag as $bytes);

            fn describe(&self, text: &mut Text) {
                text.debug(self);
            }
        }
    )*};
}

scalars! {
    i128: I128 as i128;
    u128: U128 as u128;
    char: Char as u32;
}

macro_rules! complex {
    ($($part:ident)*) => {$(
        impl ContentHash for Complex<$part> {
            fn content_hash(&self, hasher: &mut ContentHasher) {
                hasher.begin_struct_named("Complex");
                hasher.$part(self.re);
                hasher.$part(self.im);
                hasher.end();
            }

            fn has_rows(&self) -> bool {
                true
            }

            fn hash_alike(&self, hasher: &mut ContentHasher) {
                hasher.begin_struct_named("Complex");
                self.re.hash_alike(hasher);
                self.im.hash_alike(hasher);
                hasher.end();
            }

            #[inline]
            fn hash_row(&self, hasher: &mut ContentHasher) {
                self.re.hash_row(hasher);
                self.im.hash_row(hasher);
            }

            fn describe(&self, text: &mut Text) {
                text.display(self);
            }

            as_array!();
        }
    )*};
}

complex! { f32 f64 }

#[cfg(feature = "half")]
impl ContentHash for half::f16 {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.tagged(Tag::F16, &self.to_bits().to_le_bytes());
    }

    fn has_rows(&self) -> bool {
        true
    }

    fn hash_alike(&self, hasher: &mut ContentHasher) {
        hasher.tag(Tag::F16);
    }

    #[inline]
    fn hash_row(&self, hasher: &mut ContentHasher) {
        hasher.write(self.to_bits().to_le_bytes());
    }

    fn describe(&self, text: &mut Text) {
        text.debug(self);
    }

    as_array!();
}

macro_rules! non_zero {
    ($($type:ident)*) => {$(
        impl ContentHash for num::$type {
            fn content_hash(&self, hasher: &mut ContentHasher) {
                hasher.begin_struct_named("NonZero");
                self.get().content_hash(hasher);
                hasher.end();
            }

            fn describe(&self, text: &mut Text) {
                text.debug(self);
            }
        }
    )*};
}

non_zero! {
    NonZeroI8 NonZeroI16 NonZeroI32 NonZeroI64 NonZeroI128 NonZeroIsize
    NonZeroU8 NonZeroU16 NonZeroU32 NonZeroU64 NonZeroU128 NonZeroUsize
}

impl ContentHash for () {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.unit();
    }

    fn has_rows(&self) -> bool {
        true
    }

    fn hash_alike(&self, hasher: &mut ContentHasher) {
        hasher.unit();
    }

    fn hash_row(&self, _: &mut ContentHasher) {}

    fn describe(&self, text: &mut Text) {
        text.debug(self);
    }
}

impl<T: ?Sized> ContentHash for PhantomData<T> {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.begin_struct_named("PhantomData");
        hasher.end();
    }

    fn describe(&self, text: &mut Text) {
        text.display("PhantomData");
    }
}

impl ContentHash for str {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.str(self);
    }

    fn has_rows(&self) -> bool {
        true
    }

    fn hash_alike(&self, hasher: &mut ContentHasher) {
        hasher.tag(Tag::Str);
    }

    #[inline]
    fn hash_row(&self, hasher: &mut ContentHasher) {
        hasher.length_and(self.as_bytes());
    }

    fn describe(&self, text: &mut Text) {
        text.quoted(self);
    }
}

/// Bytes that are a text of some kind, which is named: a path differs from the text that spells it.
fn hash_text(hasher: &mut ContentHasher, kind: &str, bytes: &[u8]) {
    hasher.tagged_str(Tag::Text, kind);
    hasher.length_and(bytes);
}

/// A text of some kind, which may be none of Unicode.
fn describe_text(text: &mut Text, value: Option<&str>, otherwise: impl std::fmt::Debug) {
    match value {
        Some(value) => text.quoted(value),
        None => text.debug(otherwise),
    }
}

/// Counts by its text, not by what is there: for the content of a file there is [`FileContent`](crate::FileContent).
impl ContentHash for Path {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hash_text(hasher, "Path", self.as_os_str().as_bytes());
    }

    fn describe(&self, text: &mut Text) {
        describe_text(text, self.to_str(), self);
    }
}

impl ContentHash for OsStr {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hash_text(hasher, "OsStr", self.as_bytes());
    }

    fn describe(&self, text: &mut Text) {
        describe_text(text, self.to_str(), self);
    }
}

impl ContentHash for CStr {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hash_text(hasher, "CStr", self.to_bytes());
    }

    fn describe(&self, text: &mut Text) {
        describe_text(text, self.to_str().ok(), self);
    }
}

macro_rules! owned {
    ($($type:ty, $borrowed:ty;)*) => {$(
        /// Counts like what it derefs to.
        impl ContentHash for $type {
            fn content_hash(&self, hasher: &mut ContentHasher) {
                <$borrowed>::content_hash(self, hasher);
            }

            fn has_rows(&self) -> bool {
                <$borrowed>::has_rows(self)
            }

            fn hash_alike(&self, hasher: &mut ContentHasher) {
                <$borrowed>::hash_alike(self, hasher);
            }

            #[inline]
            fn hash_row(&self, hasher: &mut ContentHasher) {
                <$borrowed>::hash_row(self, hasher);
            }

            fn describe(&self, text: &mut Text) {
                <$borrowed>::describe(self, text);
            }
        }
    )*};
}

owned! {
    String, str;
    PathBuf, Path;
    OsString, OsStr;
    CString, CStr;
}

impl ContentHash for Duration {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.begin_struct_named("Duration");
        hasher.u64(self.as_secs());
        hasher.u32(self.subsec_nanos());
        hasher.end();
    }

    fn describe(&self, text: &mut Text) {
        text.debug(self);
    }
}

impl ContentHash for SystemTime {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.begin_struct_named("SystemTime");
        match self.duration_since(Self::UNIX_EPOCH) {
            Ok(after) => after.content_hash(hasher),
            Err(before) => {
                hasher.field("before");
                before.duration().content_hash(hasher);
            }
        }
        hasher.end();
    }

    fn describe(&self, text: &mut Text) {
        match self.duration_since(Self::UNIX_EPOCH) {
            Ok(after) => text.display(format_args!("1970 + {after:?}")),
            Err(before) => text.display(format_args!("1970 - {:?}", before.duration())),
        }
    }
}

impl ContentHash for std::cmp::Ordering {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.begin_struct_named("Ordering");
        hasher.i8(*self as i8);
        hasher.end();
    }

    fn describe(&self, text: &mut Text) {
        text.debug(self);
    }
}

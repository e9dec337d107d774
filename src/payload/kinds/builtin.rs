//! Scalars, text, tuples, `Option` and `Result`.

use std::ffi::OsString;
use std::num::NonZero;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use num_complex::Complex;

use crate::digest::{Digest, Element};
use crate::error::{Error, Result};
use crate::payload::format;
use crate::payload::format::{ERR, OK, OptionVia, ViaPayload, WithErr};
use crate::payload::kinds::arrays;
use crate::payload::value::maps_to_itself;
use crate::payload::{CopyOnWrite, Format, Mappable, Normaliser, Outcome, Payload, Reader, TypeName, Writer};

/// Types that are elements of arrays, too: a sequence of them is an array of one axis.
macro_rules! elements {
    ($($type:ty: |$value:ident, $out:ident| $save:expr, |$input:ident| $load:expr;)*) => {$(
        impl Payload for $type {
            fn type_name(name: &mut TypeName) {
                name.push(<$type as Element>::NAME);
            }

            fn is_always_normal() -> bool {
                true
            }

            fn save(&self, $out: &mut Writer<'_>) -> Result<()> {
                let $value = *self;
                $save;
                Ok(())
            }

            fn load($input: &mut Reader<'_>) -> Result<Self> {
                $load
            }

            fn save_slices(parts: [&[Self]; 2], out: &mut Writer<'_>) -> Result<()> {
                arrays::save_slices(parts, out)
            }

            fn load_vec(input: &mut Reader<'_>) -> Result<Vec<Self>> {
                arrays::load_vec(input)
            }
        }

        impl Mappable for $type {
            type Mapped = Self;

            fn map(input: &mut Reader<'_>) -> Result<Self> {
                Self::load(input)
            }

            fn into_mapped(self) -> Self {
                self
            }

            fn map_vec(input: &mut Reader<'_>) -> Result<Vec<Self>> {
                Self::load_vec(input)
            }
        }
    )*};
}

elements! {
    bool: |value, out| out.bool(value), |input| input.bool();
    i8: |value, out| out.sint(value.into()), |input| narrow(input.sint()?);
    i16: |value, out| out.sint(value.into()), |input| narrow(input.sint()?);
    i32: |value, out| out.sint(value.into()), |input| narrow(input.sint()?);
    i64: |value, out| out.sint(value), |input| input.sint();
    isize: |value, out| out.sint(value as i64), |input| narrow(input.sint()?);
    u8: |value, out| out.uint(value.into()), |input| narrow(input.uint()?);
    u16: |value, out| out.uint(value.into()), |input| narrow(input.uint()?);
    u32: |value, out| out.uint(value.into()), |input| narrow(input.uint()?);
    u64: |value, out| out.uint(value), |input| input.uint();
    usize: |value, out| out.uint(value as u64), |input| narrow(input.uint()?);
    f32: |value, out| out.f32(value), |input| input.f32();
    f64: |value, out| out.f64(value), |input| input.f64();
    Complex<f32>: |value, out| (value.re, value.im).save(out)?, |input| complex(input);
    Complex<f64>: |value, out| (value.re, value.im).save(out)?, |input| complex(input);
}

#[cfg(feature = "half")]
elements! {
    half::f16: |value, out| out.uint(value.to_bits().into()),
        |input| narrow(input.uint()?).map(half::f16::from_bits);
}

fn complex<T: Payload>(input: &mut Reader<'_>) -> Result<Complex<T>> {
    <(T, T)>::load(input).map(|(re, im)| Complex::new(re, im))
}

fn narrow<W: Copy + std::fmt::Display, T: TryFrom<W>>(wide: W) -> Result<T> {
    T::try_from(wide)
        .map_err(|_| Error::damaged(format!("value has the number {wide}, expected one of {} bytes", size_of::<T>())))
}

/// Types without arrays in them.
macro_rules! plain {
    ($($type:ty as $name:literal: |$value:ident, $out:ident| $save:expr, |$input:ident| $load:expr;)*) => {
        $(
            impl Payload for $type {
                fn type_name(name: &mut TypeName) {
                    name.push($name);
                }

                fn is_always_normal() -> bool {
                    true
                }

                fn save(&self, $out: &mut Writer<'_>) -> Result<()> {
                    let $value = self;
                    $save
                }

                fn load($input: &mut Reader<'_>) -> Result<Self> {
                    $load
                }
            }
        )*
        maps_to_itself! { $([] $type;)* }
    };
}

plain! {
    () as "()": |_unit, out| { out.nil(); Ok(()) }, |input| input.nil();
    u128 as "u128": |value, out| { out.wide(*value); Ok(()) }, |input| input.wide();
    i128 as "i128": |value, out| { out.wide(value.cast_unsigned()); Ok(()) },
        |input| input.wide().map(u128::cast_signed);
    char as "char": |value, out| out.str(value.encode_utf8(&mut [0; 4])), |input| one_char(input.str()?);
    String as "String": |value, out| out.str(value), |input| input.str().map(str::to_owned);
    Box<str> as "Box<str>": |value, out| out.str(value), |input| input.str().map(Box::from);
    OsString as "OsString": |value, out| out.bin(value.as_bytes()),
        |input| input.bin().map(|bytes| OsString::from_vec(bytes.to_vec()));
    PathBuf as "PathBuf": |value, out| out.bin(value.as_os_str().as_bytes()),
        |input| OsString::load(input).map(PathBuf::from);
    Digest as "Digest": |value, out| out.bin(&value.to_bytes()), |input| digest(input.bin()?);
    Duration as "Duration": |value, out| (value.as_secs(), value.subsec_nanos()).save(out), |input| duration(input);
    SystemTime as "SystemTime": |value, out| since_epoch(*value).save(out), |input| system_time(input);
}

fn one_char(text: &str) -> Result<char> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(char), None) => Ok(char),
        _ => Err(Error::damaged(format!("value has a string of {} bytes, expected one character", text.len()))),
    }
}

/// The digest that 16 bytes are.
pub(crate) fn digest(bytes: &[u8]) -> Result<Digest> {
    let digest = bytes.try_into().map(Digest::from_bytes);
    digest.map_err(|_| Error::damaged(format!("digest has {} bytes, expected 16", bytes.len())))
}

fn duration(input: &mut Reader<'_>) -> Result<Duration> {
    match <(u64, u32)>::load(input)? {
        (secs, nanos @ 0..1_000_000_000) => Ok(Duration::new(secs, nanos)),
        (_, nanos) => Err(Error::damaged(format!("duration has {nanos} nanoseconds beside its seconds"))),
    }
}

/// Whether it is before 1970, and how far from it.
fn since_epoch(time: SystemTime) -> (bool, Duration) {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (false, after),
        Err(before) => (true, before.duration()),
    }
}

fn system_time(input: &mut Reader<'_>) -> Result<SystemTime> {
    let time = match <(bool, Duration)>::load(input)? {
        (false, after) => SystemTime::UNIX_EPOCH.checked_add(after),
        (true, before) => SystemTime::UNIX_EPOCH.checked_sub(before),
    };
    time.ok_or_else(|| Error::damaged("time is further from 1970 than this system can tell"))
}

macro_rules! non_zero {
    ($($type:ty)*) => {
        $(
            impl Payload for NonZero<$type> {
                fn type_name(name: &mut TypeName) {
                    name.generic("NonZero", &[<$type>::type_name]);
                }

                fn is_always_normal() -> bool {
                    true
                }

                fn save(&self, out: &mut Writer<'_>) -> Result<()> {
                    self.get().save(out)
                }

                fn load(input: &mut Reader<'_>) -> Result<Self> {
                    NonZero::new(<$type>::load(input)?).ok_or_else(|| Error::damaged("value has a 0, expected any other"))
                }
            }
        )*
        maps_to_itself! { $([] NonZero<$type>;)* }
    };
}

non_zero! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

impl<T: Payload> Payload for Box<T> {
    fn type_name(name: &mut TypeName) {
        name.generic("Box", &[T::type_name]);
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        T::normalise(self, by);
    }

    fn is_always_normal() -> bool {
        T::is_always_normal()
    }

    fn outcome(&self) -> Outcome {
        T::outcome(self)
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        T::save(self, out)
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        T::load(input).map(Self::new)
    }
}

impl<T: Mappable> Mappable for Box<T> {
    type Mapped = Box<T::Mapped>;

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        T::map(input).map(Box::new)
    }

    fn into_mapped(self) -> Self::Mapped {
        Box::new(T::into_mapped(*self))
    }
}

/// `Option` and `Result` are stored as the formats of their parts say, whether the macro or a field asks.
macro_rules! as_format {
    ($([$($generics:tt)*] $type:ty => $format:ty;)*) => {$(
        impl<$($generics)*> Payload for $type {
            fn type_name(name: &mut TypeName) {
                <$format as Format<Self>>::type_name(name);
            }

            fn normalise(&mut self, by: &mut Normaliser) {
                <$format as Format<Self>>::normalise(self, by);
            }

            fn outcome(&self) -> Outcome {
                <$format as Format<Self>>::outcome(self)
            }

            fn save(&self, out: &mut Writer<'_>) -> Result<()> {
                <$format as Format<Self>>::save(self, out)
            }

            fn load(input: &mut Reader<'_>) -> Result<Self> {
                <$format as Format<Self>>::load(input)
            }
        }
    )*};
}

as_format! {
    [T: Payload] Option<T> => OptionVia<ViaPayload>;
    [T: Payload, E: Payload] Result<T, E> => WithErr<ViaPayload, ViaPayload>;
}

impl<T: Mappable> Mappable for Option<T> {
    type Mapped = Option<T::Mapped>;

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        format::load_option(input, T::map)
    }

    fn into_mapped(self) -> Self::Mapped {
        self.map(T::into_mapped)
    }
}

impl<T: Mappable, E> Mappable for Result<T, E> {
    type Mapped = Result<T::Mapped, E>;

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        load_ok(input, T::map)
    }

    fn into_mapped(self) -> Self::Mapped {
        self.map(T::into_mapped)
    }
}

impl<T: CopyOnWrite> CopyOnWrite for Option<T> {
    type Cow = Option<T::Cow>;

    fn copy_on_write(input: &mut Reader<'_>) -> Result<Self::Cow> {
        format::load_option(input, T::copy_on_write)
    }

    fn into_cow(self) -> Self::Cow {
        self.map(T::into_cow)
    }
}

impl<T: CopyOnWrite, E> CopyOnWrite for Result<T, E> {
    type Cow = Result<T::Cow, E>;

    fn copy_on_write(input: &mut Reader<'_>) -> Result<Self::Cow> {
        load_ok(input, T::copy_on_write)
    }

    fn into_cow(self) -> Self::Cow {
        self.map(T::into_cow)
    }
}

/// Reads a `Result` whose `Err` may be of any type, in another form than `Payload::load` has.
fn load_ok<T, E>(input: &mut Reader<'_>, ok: fn(&mut Reader<'_>) -> Result<T>) -> Result<Result<T, E>> {
    match input.variant("Result", &[OK, ERR])? {
        (0, true) => format::load_side(input, ok).map(Ok),
        (1, true) => Err(Error::unsupported("value is an `Err`, which can only be loaded")),
        (index, _) => Err(input.wrong_variant("Result", [OK, ERR][index])),
    }
}

macro_rules! tuples {
    ($($len:literal: $($name:ident $index:tt)*;)*) => {$(
        impl<$($name: Payload),*> Payload for ($($name,)*) {
            fn type_name(name: &mut TypeName) {
                name.list('(', &[$($name::type_name),*], ')');
            }

            fn normalise(&mut self, by: &mut Normaliser) {
                $(self.$index.normalise(by);)*
            }

            fn is_always_normal() -> bool {
                $($name::is_always_normal() &&)* true
            }

            fn save(&self, out: &mut Writer<'_>) -> Result<()> {
                out.begin_array($len)?;
                $(self.$index.save(out)?;)*
                out.end();
                Ok(())
            }

            fn load(input: &mut Reader<'_>) -> Result<Self> {
                input.begin_array_of($len, "tuple")?;
                let value = ($($name::load(input)?,)*);
                input.end();
                Ok(value)
            }
        }

        impl<$($name: Mappable),*> Mappable for ($($name,)*) {
            type Mapped = ($($name::Mapped,)*);

            fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
                input.begin_array_of($len, "tuple")?;
                let value = ($($name::map(input)?,)*);
                input.end();
                Ok(value)
            }

            fn into_mapped(self) -> Self::Mapped {
                ($(self.$index.into_mapped(),)*)
            }
        }
    )*};
}

tuples! {
    1: A 0;
    2: A 0 B 1;
    3: A 0 B 1 C 2;
    4: A 0 B 1 C 2 D 3;
    5: A 0 B 1 C 2 D 3 E 4;
    6: A 0 B 1 C 2 D 3 E 4 F 5;
    7: A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    8: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    9: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    10: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    11: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    12: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
}

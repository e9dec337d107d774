//! Each level of the probe is found: from concrete types, from bounds, with lifetimes.

use std::any::type_name_of_val;
use std::marker::PhantomData;

use ndarray::Array2;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Saved, save_as};
use crate::error::Result;
use crate::payload::probes::*;
use crate::payload::{
    Codec, Format, FormatProbe, Mappable, Outcome, Payload, Reader, TypeName, ViaSerdeEq, ViaSerdeEqDebug, Writer,
};

/// Only serde knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known(u8);

/// An error like `anyhow::Error`, which nothing can store.
#[derive(Debug)]
struct Opaque;

/// A payload that isn't `'static`.
#[derive(Debug, PartialEq)]
struct Borrowing<'a>(PhantomData<&'a str>);

impl Payload for Borrowing<'_> {
    fn type_name(name: &mut TypeName) {
        name.derived("a@1", "Borrowing", [0; 16], |_| {});
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        out.unit();
        Ok(())
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        input.unit().map(|()| Self(PhantomData))
    }
}

/// `A<B<C>>` without paths.
fn short<T>(value: T) -> String {
    let name = type_name_of_val(&value);
    name.split(['<', '>', ','])
        .map(|part| part.rsplit("::").next().unwrap_or(part))
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}

macro_rules! format_of {
    ($type:ty) => {
        (&&&&&&FormatProbe::<$type>::new()).format()
    };
}

macro_rules! format_with_err_of {
    ($type:ty) => {
        (&&&&&&FormatProbe::<$type>::new()).format_with_err()
    };
}

macro_rules! plain_of {
    ($type:ty) => {
        (&&&&&&FormatProbe::<$type>::new()).format_plain()
    };
}

#[test]
fn results_are_told_by_their_types() {
    assert_eq!(short(format_of!(Result<Array2<f64>, Opaque>)), "OkOnly ViaPayload");
    assert_eq!(short(format_of!(Result<f64, Box<dyn std::error::Error + Send + Sync>>)), "OkOnly ViaPayload");
    assert_eq!(short(format_of!(Result<f64, String>)), "OkOnly ViaPayload");
    assert_eq!(short(format_of!(Result<Known, Opaque>)), "OkOnly ViaSerde");
    assert_eq!(short(format_of!(std::io::Result<Option<Known>>)), "OkOnly ViaSerde");
    assert_eq!(short(format_of!((Array2<f64>, String))), "ViaPayload");
    assert_eq!(short(format_of!(Option<f64>)), "ViaPayload");
    assert_eq!(short(format_of!(Option<Known>)), "OptionVia ViaSerde");
    assert_eq!(short(format_of!(Vec<Known>)), "ViaSerde");
}

#[test]
fn both_sides_of_a_result_may_be_stored() {
    assert_eq!(short(format_with_err_of!(Result<f64, String>)), "ViaPayload");
    assert_eq!(short(format_with_err_of!(Result<Array2<f64>, Known>)), "WithErr ViaPayload ViaSerde");
    assert_eq!(short(format_with_err_of!(Result<Known, Array2<f64>>)), "WithErr ViaSerde ViaPayload");
    assert_eq!(short(format_with_err_of!(Result<Known, Known>)), "WithErr ViaSerde ViaSerde");
    assert_eq!(short(format_with_err_of!(Option<Known>)), "OptionVia ViaSerde");
    assert_eq!(short(format_with_err_of!(Known)), "ViaSerde");
}

#[test]
fn a_field_is_a_plain_value() {
    assert_eq!(short(plain_of!(Result<f64, String>)), "ViaPayload");
    assert_eq!(short(plain_of!(Result<Known, String>)), "ViaSerde");
    assert_eq!(short(plain_of!(Option<Known>)), "ViaSerde");
    assert_eq!(short(plain_of!(Option<f64>)), "ViaPayload");
}

/// Without `PartialEq`.
#[derive(Serialize, Deserialize)]
struct Incomparable(u8);

macro_rules! compared {
    ($type:ty, $method:ident) => {{
        let probe = FormatProbe::<$type>::new();
        let ok = (&&&probe.with((&&&&&&FormatProbe::<$type>::new()).$method())).compared();
        short((&&&probe.with(ok)).compared_err())
    }};
}

/// Without `Debug`.
#[derive(PartialEq, Serialize, Deserialize)]
struct Silent(u8);

#[test]
fn what_can_be_compared_is() {
    assert_eq!(compared!(Vec<Known>, format), "ViaSerdeEqDebug");
    assert_eq!(compared!(Vec<Silent>, format), "ViaSerdeEq");
    assert_eq!(compared!(Vec<Incomparable>, format), "ViaSerde");
    assert_eq!(compared!(Option<Known>, format), "OptionVia ViaSerdeEqDebug");
    assert_eq!(compared!(Option<Silent>, format), "OptionVia ViaSerdeEq");
    assert_eq!(compared!(Option<Incomparable>, format), "OptionVia ViaSerde");
    assert_eq!(compared!(Result<Known, Opaque>, format), "OkOnly ViaSerdeEqDebug");
    assert_eq!(compared!(Result<Silent, Opaque>, format), "OkOnly ViaSerdeEq");
    assert_eq!(compared!(Result<Incomparable, Opaque>, format), "OkOnly ViaSerde");
    assert_eq!(compared!(Result<Known, Silent>, format_with_err), "WithErr ViaSerdeEqDebug ViaSerdeEq");
    assert_eq!(compared!(Result<Silent, String>, format_with_err), "WithErr ViaSerdeEq ViaPayload");
    assert_eq!(compared!(Result<String, Known>, format_with_err), "WithErr ViaPayload ViaSerdeEqDebug");
    assert_eq!(compared!(Result<Known, Incomparable>, format_with_err), "WithErr ViaSerdeEqDebug ViaSerde");
    assert_eq!(compared!(Result<Incomparable, Known>, format_with_err), "WithErr ViaSerde ViaSerdeEqDebug");
    assert_eq!(compared!(Option<Silent>, format_with_err), "OptionVia ViaSerdeEq");
    assert_eq!(compared!(Known, format_plain), "ViaSerdeEqDebug");
    assert_eq!(compared!(Array2<f64>, format), "ViaPayload");
}

#[test]
fn what_comes_back_unequal_is_refused_and_a_nan_does_not_hide_it() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Fit {
        slope: f64,
        #[serde(skip)]
        residual: f64,
    }
    let save = |fit: &Fit| save_as(fit, ViaSerdeEqDebug, 0);
    assert!(save(&Fit { slope: 1.0, residual: 0.0 }).is_ok());
    assert!(save(&Fit { slope: f64::NAN, residual: 0.0 }).is_ok());
    let Err(error) = save(&Fit { slope: 1.0, residual: 0.5 }) else { panic!("it would come back changed") };
    assert!(error.to_string().contains("another content"), "{error}");
    assert!(save(&Fit { slope: f64::NAN, residual: 0.5 }).is_err());
    assert!(save_as(&Fit { slope: f64::NAN, residual: 0.0 }, ViaSerdeEq, 0).is_err());
    assert!(save_as(&Fit { slope: 1.0, residual: 0.0 }, ViaSerdeEq, 0).is_ok());
}

fn of_payload<T: Payload, E>() -> [String; 4] {
    [
        short(format_of!(Result<T, E>)),
        short(format_of!(Option<Vec<T>>)),
        short(format_with_err_of!(T)),
        short(plain_of!(Vec<T>)),
    ]
}

fn of_serde<T: Serialize + DeserializeOwned, E>() -> [String; 4] {
    [
        short(format_of!(Result<T, E>)),
        short(format_of!(Option<T>)),
        short(format_with_err_of!(Result<T, String>)),
        short(plain_of!(Vec<T>)),
    ]
}

#[test]
fn the_bounds_of_a_generic_function_decide() {
    assert_eq!(of_payload::<u8, Opaque>(), ["OkOnly ViaPayload", "ViaPayload", "ViaPayload", "ViaPayload"]);
    assert_eq!(
        of_serde::<u8, Opaque>(),
        ["OkOnly ViaSerde", "OptionVia ViaSerde", "WithErr ViaSerde ViaPayload", "ViaSerde"]
    );
}

#[test]
fn a_result_that_is_not_static_has_a_codec() {
    fn codec<'a>(_: &'a str) -> Codec<Borrowing<'a>> {
        Codec::of(format_of!(Borrowing<'a>))
    }
    let text = String::from("not static");
    let codec = codec(&text);
    assert_eq!(codec.outcome(&Borrowing(PhantomData)), Outcome::Value);
    assert!(codec.type_name().as_str().starts_with("Borrowing#"));
    let saved = save_as(&Borrowing(PhantomData), format_of!(Borrowing<'_>), 0).unwrap();
    assert_eq!(saved.read(|input| codec.load(input)).unwrap(), Borrowing(PhantomData));
}

/// What the macro does with a result, given its format.
fn through<R>(value: &R, format: impl Format<R>) -> Result<(Saved, R, Outcome)> {
    let codec = Codec::of(format);
    let saved = save_as(value, format, 0)?;
    let loaded = saved.read(|input| codec.load(input))?;
    Ok((saved, loaded, codec.outcome(value)))
}

#[test]
fn an_err_is_stored_only_where_it_may_be() {
    let err: Result<u8, Known> = Err(Known(1));
    let (_, loaded, outcome) = through(&err, format_with_err_of!(Result<u8, Known>)).unwrap();
    assert_eq!((loaded, outcome), (Err(Known(1)), Outcome::Err));
    let format = format_of!(Result<u8, Known>);
    assert_eq!(Codec::of(format).outcome(&err), Outcome::Err);
    assert!(save_as(&err, format, 0).is_err());

    let stored = save_as(&err, format_with_err_of!(Result<u8, Known>), 0).unwrap();
    let error = stored.read(|input| Codec::<Result<u8, Known>>::of(format).load(input)).unwrap_err();
    assert_eq!(error.to_string(), "value is an `Err`, expected an `Ok`");
}

#[test]
fn none_is_told_from_serde_values_too() {
    let format = format_of!(Option<Known>);
    let (saved, loaded, outcome) = through(&None::<Known>, format).unwrap();
    assert_eq!((saved.value, loaded, outcome), (vec![0xc0], None, Outcome::None));
    let (_, loaded, outcome) = through(&Some(Known(1)), format).unwrap();
    assert_eq!((loaded, outcome), (Some(Known(1)), Outcome::Value));
    let format = format_of!(Result<Option<u8>, Opaque>);
    assert_eq!(through::<Result<Option<u8>, Opaque>>(&Ok(None), format).unwrap().2, Outcome::None);
}

#[test]
fn a_result_that_is_stored_by_its_ok_can_be_mapped() {
    let value: Result<Array2<f64>, Opaque> = Ok(ndarray::array![[1.0]]);
    let saved = save_as(&value, format_of!(Result<Array2<f64>, Opaque>), 0).unwrap();
    let mapped = saved.read(<Result<Array2<f64>, Opaque> as Mappable>::map).unwrap();
    assert_eq!(mapped.unwrap(), ndarray::array![[1.0]]);
}

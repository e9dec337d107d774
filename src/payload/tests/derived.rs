//! What `#[derive(Payload)]` expands to, by hand.

use std::net::Ipv4Addr;

use ndarray::{Array1, array};

use super::{plain, save};
use crate::error::{ErrorKind, Result};
use crate::payload::probes::*;
use crate::payload::{
    Codec, FormatProbe, Mappable, Normaliser, Payload, Reader, TypeName, ViaPayload, Writer, normalise,
};
use crate::{Mapped, Mapped1};

macro_rules! plain_format {
    ($type:ty) => {
        (&&&FormatProbe::<$type>::new().with((&&&&&&FormatProbe::<$type>::new()).format_plain())).compared()
    };
}

/// Fields of every sort: a parameter, a type that only serde knows, an array.
#[derive(Clone, Debug, PartialEq)]
struct Fit<T> {
    value: T,
    host: Ipv4Addr,
    residuals: Array1<f64>,
}

const FIT: [u8; 16] = [1; 16];

impl<T: Payload> Payload for Fit<T> {
    fn type_name(name: &mut TypeName) {
        name.derived("ndcache@0.1", ::core::any::type_name::<Self>(), FIT, |name| {
            name.part::<T, _>(plain_format!(T));
            name.part::<Ipv4Addr, _>(plain_format!(Ipv4Addr));
            name.part::<Array1<f64>, _>(plain_format!(Array1<f64>));
        });
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        normalise(&mut self.value, plain_format!(T), by);
        normalise(&mut self.host, plain_format!(Ipv4Addr), by);
        normalise(&mut self.residuals, plain_format!(Array1<f64>), by);
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        out.begin_struct(3)?;
        out.field("value", &self.value, plain_format!(T))?;
        out.field("host", &self.host, plain_format!(Ipv4Addr))?;
        out.field("residuals", &self.residuals, plain_format!(Array1<f64>))?;
        out.end();
        Ok(())
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        input.begin_struct("Fit", 3)?;
        let value = Self {
            value: input.field("value", plain_format!(T))?,
            host: input.field("host", plain_format!(Ipv4Addr))?,
            residuals: input.field("residuals", plain_format!(Array1<f64>))?,
        };
        input.end();
        Ok(value)
    }
}

impl<T: Payload> Mappable for Fit<T> {
    type Mapped = Self;

    fn map(input: &mut Reader<'_>) -> Result<Self> {
        Payload::load(input)
    }

    fn into_mapped(self) -> Self {
        self
    }
}

/// Variants of every sort, one of them recursive.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Empty,
    Leaf(f64, Option<String>),
    Node { left: Box<Tree>, right: Box<Tree> },
}

impl Payload for Tree {
    fn type_name(name: &mut TypeName) {
        name.derived("ndcache@0.1", ::core::any::type_name::<Self>(), [2; 16], |name| {
            name.part::<f64, _>(plain_format!(f64));
            name.part::<Option<String>, _>(plain_format!(Option<String>));
            name.part::<Box<Tree>, _>(plain_format!(Box<Tree>));
            name.part::<Box<Tree>, _>(plain_format!(Box<Tree>));
        });
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        match self {
            Self::Empty => {}
            Self::Leaf(f0, f1) => {
                normalise(f0, plain_format!(f64), by);
                normalise(f1, plain_format!(Option<String>), by);
            }
            Self::Node { left, right } => {
                normalise(left, plain_format!(Box<Tree>), by);
                normalise(right, plain_format!(Box<Tree>), by);
            }
        }
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        match self {
            Self::Empty => out.unit_variant("Empty"),
            Self::Leaf(f0, f1) => {
                out.begin_variant("Leaf")?;
                out.begin_tuple(2)?;
                out.item(f0, plain_format!(f64))?;
                out.item(f1, plain_format!(Option<String>))?;
                out.end();
                out.end();
                Ok(())
            }
            Self::Node { left, right } => {
                out.begin_variant("Node")?;
                out.begin_struct(2)?;
                out.field("left", left, plain_format!(Box<Tree>))?;
                out.field("right", right, plain_format!(Box<Tree>))?;
                out.end();
                out.end();
                Ok(())
            }
        }
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        const VARIANTS: &[&str] = &["Empty", "Leaf", "Node"];
        match input.variant("Tree", VARIANTS)? {
            (0, false) => Ok(Self::Empty),
            (1, true) => {
                input.begin_tuple("Leaf", 2)?;
                let value = Self::Leaf(input.item(plain_format!(f64))?, input.item(plain_format!(Option<String>))?);
                input.end();
                input.end();
                Ok(value)
            }
            (2, true) => {
                input.begin_struct("Node", 2)?;
                let value = Self::Node {
                    left: input.field("left", plain_format!(Box<Tree>))?,
                    right: input.field("right", plain_format!(Box<Tree>))?,
                };
                input.end();
                input.end();
                Ok(value)
            }
            (index, _) => Err(input.wrong_variant("Tree", VARIANTS[index])),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Marker;

impl Payload for Marker {
    fn type_name(name: &mut TypeName) {
        name.derived("ndcache@0.1", ::core::any::type_name::<Self>(), [3; 16], |_| {});
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        out.unit();
        Ok(())
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        input.unit()?;
        Ok(Self)
    }
}

fn fit<T>(value: T) -> Fit<T> {
    Fit { value, host: Ipv4Addr::LOCALHOST, residuals: array![0.5, 0.25] }
}

#[test]
fn derived_types_come_back() {
    super::check(fit(3_u8));
    super::check(fit(vec![fit(array![[1.0]]), fit(array![[2.0]])]));
    super::check((Marker, Some(Marker)));
    let leaf = |x, text: Option<&str>| Box::new(Tree::Leaf(x, text.map(str::to_owned)));
    let node = Tree::Node { left: leaf(1.0, None), right: Box::new(Tree::Empty) };
    super::check(vec![Tree::Node { left: Box::new(node), right: leaf(2.0, Some("b")) }, Tree::Empty]);
}

#[test]
fn a_derived_type_is_stored_by_field_name() {
    let saved = save(&vec![Tree::Empty, Tree::Leaf(0.0, None)], 0);
    assert_eq!(saved.value, b"\x92\xa5Empty\x81\xa4Leaf\x92\xcb\0\0\0\0\0\0\0\0\xc0");
    let text = String::from_utf8_lossy(&save(&fit(1_u8), 0).value).into_owned();
    assert!(text.contains("value") && text.contains("host") && text.contains("residuals"));
}

#[test]
fn an_array_of_a_derived_type_comes_into_order() {
    let mut value = fit(array![[1, 2, 3], [4, 5, 6]].slice_move(ndarray::s![.., ..;-1]));
    super::normal(&mut value);
    assert!(value.value.is_standard_layout());
}

#[test]
fn a_mapped_field_is_seen_in_the_name() {
    let name = |codec: Codec<Fit<Mapped1<f64>>>| codec.type_name();
    assert!(name(Codec::of(ViaPayload)).has_mapped());
    assert!(!Codec::<Fit<f64>>::of(ViaPayload).type_name().has_mapped());
    let mapped = save(&fit(Mapped::from(array![1.0])), 4096);
    assert_eq!(mapped.shelf.arrays.len(), 1, "a mapped field is lifted, a small array stays");
}

#[test]
fn a_recursive_definition_has_a_name() {
    let name = Codec::<Vec<Tree>>::of(ViaPayload).type_name().as_str().to_owned();
    let expected = format!("Vec<{}#", std::any::type_name::<Tree>());
    assert!(name.starts_with(&expected), "{name}");
    assert_eq!(name.len(), expected.len() + 32 + 1);
}

#[test]
fn fields_that_are_missing_unknown_twice_or_out_of_order_are_damage() {
    let refused = |bytes: &[u8], message: &str| {
        let error = plain(bytes).load::<Tree>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert_eq!(error.to_string(), message);
    };
    refused(b"\xa3Oak", "value has variant `Tree::Oak` at byte 0, there is none");
    refused(b"\xa4Leaf", "variant `Tree::Leaf` has other fields before byte 5");
    refused(b"\x81\xa5Empty\xc0", "variant `Tree::Empty` has other fields before byte 7");
    refused(b"\x81\xa4Leaf\x91\xc0", "Leaf has 1 values at byte 6, expected 2");
    refused(
        b"\x81\xa4Node\x82\xa4left\xa5Empty\xa4left\xa5Empty",
        "value has field `left` at byte 18, expected `right`",
    );
    refused(b"\x81\xa4Node\x82\xa3top\xa5Empty\xa5right\xa5Empty", "value has field `top` at byte 7, expected `left`");
    refused(
        b"\x81\xa4Node\x82\xa4left\x81\xa4Node\x82\xa4left\x03",
        "field `left`: field `left`: value has an unsigned integer at byte 24, expected a map",
    );
    refused(b"\x82\xa5Empty\xc0\xa5Empty\xc0", "Tree has 2 entries at byte 0, expected 1");
}

//! Values that no Rust type is known of: MessagePack, with arrays of any dtype by their bytes.
//!
//! * `value`: a value with its arrays; `array`: an array, in memory or mapped; `bytes`: what its elements are in.
//! * `save`, `load`: to and from what is stored, where small arrays lie inside the value.

mod array;
mod bytes;
mod load;
mod save;
mod value;

pub use array::{Array, digest_array, dtype_itemsize};
pub use bytes::Bytes;
pub(crate) use load::load;
pub(crate) use save::{Features, pickle, save};
pub(crate) use value::Untyped;
pub use value::{Form, Owner, RawValue, array_reference, result_name};

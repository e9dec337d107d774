//! A value as MessagePack, with its arrays beside it.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::{Array, load, save};
use crate::digest::{ArrayMeta, Digest};
use crate::error::{Error, Result};
use crate::map::Spare;
use crate::payload::wire::{Ext, u32_bytes};
use crate::payload::{
    ArraySink, ArraySource, Format, MappedFile, Normaliser, Outcome, Payload, PrivateFile, Reader, TypeName, Writer,
};

/// A value of a run-time function: MessagePack, in which arrays are referred to by number.
///
/// `docs/format.md`, "Values", says how each Rust value is encoded. An array is extension 1 with its number in
/// [`arrays`](Self::arrays) in 4 bytes, big-endian, as [`array_reference`] writes it. An object pickled by Python is
/// extension 3, MessagePack `[stream, buffers]`, where `buffers` are numbers of arrays. Each array occurs once, in
/// the order of the numbers.
///
/// ```
/// use ndarray::Array1;
/// use ndcache::dynamic::{Array, Order, RawValue, array_reference};
///
/// let x = Array::new("<f8", 8, &[2], Order::C, vec![0; 16])?;
/// let mut message = vec![0x92, 7]; // an array of two values, the first of which is 7
/// message.extend(array_reference(0));
/// let value = RawValue::new(message, vec![x])?;
/// assert_eq!(value.take::<(u8, Array1<f64>)>()?, (7, Array1::zeros(2)));
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone)]
pub struct RawValue {
    pub(super) message: Vec<u8>,
    pub(super) arrays: Vec<Array>,
    pub(super) python: Vec<u8>,
    pub(super) origin: Option<String>,
    /// Each array gets a file.
    pub(super) filed: bool,
    pub(super) owner: Option<Owner>,
    /// In nanoseconds since 1970.
    pub(super) expires: Option<u64>,
}

/// The owner of the record of a loaded value, by the descriptor that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The permission bits.
    pub mode: u32,
}

/// The form in which the arrays of a stored value are returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// Read into memory, and verified against their digests.
    #[default]
    Owned,
    /// Memory-mapped, read-only; small arrays, and those that can't be mapped, as with `Owned`.
    Mapped,
}

impl RawValue {
    /// Makes a value from this MessagePack, with these arrays.
    ///
    /// # Errors
    ///
    /// Returns an error when `message` isn't one MessagePack value of at most 128 levels, has extensions other than
    /// 1, 3, 4 and 5, or doesn't refer to its arrays in order, each once.
    pub fn new(message: Vec<u8>, arrays: Vec<Array>) -> Result<Self> {
        let value = Self::made(message, arrays);
        save::check(&value)?;
        Ok(value)
    }

    /// Makes a value that is an array and nothing else.
    #[must_use]
    pub fn of_array(array: Array) -> Self {
        Self::made(array_reference(0).to_vec(), vec![array])
    }

    /// Makes a value from a copy of a Rust value: what a `#[cache]` function with that result type would store.
    ///
    /// # Errors
    ///
    /// Returns an error when it can't be stored, for example because it is nested too deep.
    pub fn of<R: Payload>(value: &R) -> Result<Self> {
        let mut arrays = Copied(Vec::new());
        let mut out = Writer::new(&mut arrays, 0);
        value.save(&mut out)?;
        let message = out.finish();
        let source = Self::made(message.clone(), arrays.0);
        // What serde knows has its arrays inside.
        load(&mut Reader::new(&message, &source), Form::Owned)
    }

    /// Converts the value to a Rust type that such a function has stored, or could have.
    ///
    /// # Errors
    ///
    /// Returns an error when it isn't a value of this type.
    pub fn take<R: Payload>(&self) -> Result<R> {
        let mut reader = Reader::new(&self.message, self);
        let value = R::load(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    /// Adds the marks that distinguish Python's types where MessagePack doesn't. They are stored beside the value and
    /// returned with it; Rust doesn't read them.
    #[must_use]
    pub fn with_python(self, python: Vec<u8>) -> Self {
        Self { python, ..self }
    }

    /// Stores the value's arrays in files of their own, however small they are, so that they can be mapped; of a
    /// value with more than 64 arrays only the large ones.
    #[must_use]
    pub fn with_files(self) -> Self {
        Self { filed: true, ..self }
    }

    /// Returns the MessagePack, as in [`new`](Self::new).
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Returns the arrays, in the order of their numbers.
    #[must_use]
    pub fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    /// Returns the MessagePack and the arrays, and gives them up.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Vec<Array>) {
        (self.message, self.arrays)
    }

    /// Returns what [`with_python`](Self::with_python) was given; empty if nothing was.
    #[must_use]
    pub fn python(&self) -> &[u8] {
        &self.python
    }

    /// Returns how the entry came into the folder: `import` or `tier`; `None` if a call stored it there. A pickle
    /// from elsewhere may be another user's: loading it runs their code.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Returns the owner of the record from which the value was loaded; `None` for a value that this process has
    /// made, or has just stored.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        self.owner
    }

    /// Returns when the first of the cached calls that were made inside the computation expires, and this value with
    /// it; `None` if none does, and for a value that wasn't loaded from an entry. The function's own `expires` isn't
    /// part of it.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires.map(|at| SystemTime::UNIX_EPOCH + Duration::from_nanos(at))
    }

    /// A value that no entry has.
    pub(super) fn made(message: Vec<u8>, arrays: Vec<Array>) -> Self {
        Self { message, arrays, python: Vec::new(), origin: None, filed: false, owner: None, expires: None }
    }

    /// The value of an entry whose record has these fields.
    pub(crate) fn found_with(
        self,
        python: &[u8],
        origin: Option<&str>,
        owner: Option<Owner>,
        expires: Option<u64>,
    ) -> Self {
        Self { python: python.to_vec(), origin: origin.map(str::to_owned), owner, expires, ..self }
    }

    fn array(&self, index: u32) -> Result<&Array> {
        let array = usize::try_from(index).ok().and_then(|index| self.arrays.get(index));
        array.ok_or_else(|| Error::damaged(format!("value refers to array {index} of {}", self.arrays.len())))
    }
}

impl fmt::Debug for RawValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawValue({} bytes, {:?})", self.message.len(), self.arrays)
    }
}

/// Returns the MessagePack of a reference to the array with this number: extension 1.
///
/// ```
/// assert_eq!(ndcache::dynamic::array_reference(2), [0xd6, 1, 0, 0, 0, 2]);
/// ```
#[must_use]
pub fn array_reference(number: u32) -> [u8; 6] {
    let [a, b, c, d] = u32_bytes(number);
    [0xd6, Ext::Lifted as u8, a, b, c, d]
}

/// The name of a Rust type as a result: what [`RunTimeCall::result`](super::super::super::dynamic::RunTimeCall::result) takes, so that
/// a call has the key of one of a `#[cache]` function.
///
/// ```
/// use ndcache::dynamic::result_name;
///
/// assert_eq!(result_name::<(u8, ndarray::Array2<f64>)>(), "(u8, f64[2])");
/// ```
#[must_use]
pub fn result_name<R: Payload>() -> String {
    let mut name = TypeName::new();
    R::type_name(&mut name);
    name.as_str().to_owned()
}

/// The format of a result of which only the form is known.
#[derive(Clone, Copy)]
pub(crate) struct Untyped;

impl Format<RawValue> for Untyped {
    fn type_name(name: &mut TypeName) {
        name.push("any");
    }

    fn normalise(_: &mut RawValue, _: &mut Normaliser) {}

    fn outcome(_: &RawValue) -> Outcome {
        Outcome::Value
    }

    fn save(value: &RawValue, out: &mut Writer<'_>) -> Result<()> {
        save::save(value, out).map(drop)
    }

    fn load(input: &mut Reader<'_>) -> Result<RawValue> {
        load(input, Form::Owned)
    }
}

/// Copies arrays into memory.
struct Copied(Vec<Array>);

impl ArraySink for Copied {
    fn put(&mut self, meta: &ArrayMeta, data: &[u8], _: Option<Digest>) -> Result<u32> {
        let index = u32::try_from(self.0.len()).map_err(|_| Error::unsupported("more than 2^32 arrays"))?;
        self.0.push(Array::new(&meta.descr, meta.itemsize()?, &meta.shape, meta.order, data)?);
        Ok(index)
    }
}

impl ArraySource for RawValue {
    fn meta(&self, index: u32) -> Result<&ArrayMeta> {
        self.array(index).map(Array::meta)
    }

    fn read<'a>(&self, index: u32, out: Spare<'a>) -> Result<&'a mut [u8]> {
        out.copy_of(self.array(index)?.bytes())
    }

    fn map(&self, _: u32) -> Result<Option<MappedFile>> {
        Ok(None)
    }

    fn cow(&self, _: u32) -> Result<Option<PrivateFile>> {
        Ok(None)
    }

    fn digest(&self, index: u32) -> Result<Digest> {
        self.array(index).map(Array::digest)
    }
}

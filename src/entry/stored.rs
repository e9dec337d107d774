//! The value of an entry and its arrays, whatever their types: for programs that don't have these.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ndarray::ArrayD;
use num_complex::Complex;

use crate::digest::{ArrayMeta, Digest, Element, LEAF, Order, combine, leaf_of, tree};
use crate::entry::info::Entry;
use crate::entry::read::arrays::encoded_file;
use crate::entry::read::extent::misfit;
use crate::entry::read::find::{FoundEntry, read_record};
use crate::error::{Error, ErrorKind, Result};
use crate::map::{Examined, array_from_vec, digest_file, grown_vec_of, read_at, read_verified, vec_of};
use crate::payload::{EncodedArray, InlineArray, Value, any_value, codec_named};
use crate::record::{ArrayRecord, Record};
use crate::store::Disk;

/// The length of the blocks in which an array is read piece by piece, in bytes.
const BLOCK: usize = 16 * LEAF;

/// An array of a stored result, without its elements, from [`Entry::arrays`].
///
/// Arrays in files come first, in the order of the value, then those inside the record.
#[derive(Clone)]
pub struct StoredArray {
    disk: Arc<Disk>,
    meta: ArrayMeta,
    digest: Digest,
    place: StoredIn,
}

#[derive(Clone)]
enum StoredIn {
    /// A file of this name below the root.
    File(String, Box<ArrayRecord>),
    Inline(Vec<u8>),
}

/// An array of any dtype, read into memory.
///
/// [`StoredArray::open`] returns it. An array whose dtype isn't an [`Element`] is [`Other`](Self::Other); so is `<f2`
/// without the feature `half`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AnyArray {
    /// `|b1`
    Bool(ArrayD<bool>),
    /// `|i1`
    I8(ArrayD<i8>),
    /// `<i2`
    I16(ArrayD<i16>),
    /// `<i4`
    I32(ArrayD<i32>),
    /// `<i8`
    I64(ArrayD<i64>),
    /// `|u1`
    U8(ArrayD<u8>),
    /// `<u2`
    U16(ArrayD<u16>),
    /// `<u4`
    U32(ArrayD<u32>),
    /// `<u8`
    U64(ArrayD<u64>),
    /// `<f2`
    #[cfg(feature = "half")]
    F16(ArrayD<half::f16>),
    /// `<f4`
    F32(ArrayD<f32>),
    /// `<f8`
    F64(ArrayD<f64>),
    /// `<c8`
    Complex32(ArrayD<Complex<f32>>),
    /// `<c16`
    Complex64(ArrayD<Complex<f64>>),
    /// An array of another dtype.
    Other {
        /// NumPy's `dtype.str`; of a structured dtype the list as it stands in a `.npy`.
        descr: String,
        /// The bytes of its elements, in memory order.
        bytes: Vec<u8>,
    },
}

impl Entry {
    /// Returns the arrays of its result: those in files in the order of the value, then those inside the record.
    ///
    /// It opens no array. If the result is long, it reads the record again.
    ///
    /// # Errors
    ///
    /// Returns an error when the record doesn't exist any more or can't be read.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndarray::prelude::*;
    /// use ndcache::inspect::AnyArray;
    ///
    /// #[ndcache::cache]
    /// fn ramp(n: usize) -> Array1<f64> {
    ///     Array1::from_shape_fn(n, |i| i as f64)
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(ramp::call(1000));
    /// let arrays = memory.entry(&ramp::call(1000))?.unwrap().arrays()?;
    /// let array = &arrays[0];
    /// assert_eq!((array.descr(), array.shape(), array.bytes(), array.codec()), ("<f8", &[1000][..], 8000, "npy"));
    /// assert_eq!(array.digest(), ndcache::digest(&ramp::compute(1000)));
    /// let AnyArray::F64(array) = array.open()? else { unreachable!() };
    /// assert_eq!(array, ramp::compute(1000).into_dyn());
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn arrays(&self) -> Result<Vec<StoredArray>> {
        let record = self.whole_record()?;
        let (_, inline) = self.tree_of(&record)?;
        let folder = self.folder();
        let files = record.arrays.iter().map(|array| StoredArray {
            disk: Arc::clone(self.disk()),
            meta: array.meta.clone(),
            digest: array.digest,
            place: StoredIn::File(format!("{folder}/{}", array.file), Box::new(array.clone())),
        });
        let inline = inline.into_iter().map(|(meta, bytes)| StoredArray {
            disk: Arc::clone(self.disk()),
            digest: meta.digest(tree(&bytes)),
            meta,
            place: StoredIn::Inline(bytes),
        });
        Ok(files.chain(inline).collect())
    }

    /// Returns its result as a tree, whatever its type; arrays are referred to and not read.
    ///
    /// If the result is long, it reads the record again; it takes some ten times the bytes of the result.
    ///
    /// # Errors
    ///
    /// Returns an error when the record doesn't exist any more or can't be read, and when the value has more than
    /// 2^24 parts.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndcache::inspect::Value;
    ///
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.5));
    /// assert_eq!(memory.entry(&double::call(1.5))?.unwrap().value()?, Value::Float64(3.0));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn value(&self) -> Result<Value> {
        let record = self.whole_record()?;
        self.tree_of(&record).map(|(value, _)| value)
    }

    fn tree_of(&self, record: &Record) -> Result<(Value, Vec<InlineArray>)> {
        any_value(&record.value, record.arrays.len())
            .map_err(|error| error.at(format_args!("record `{}`", self.path().display())))
    }

    /// Its record with the value: the one that was read if that has it, else the one that stands there by now.
    pub(crate) fn whole_record(&self) -> Result<Cow<'_, Record>> {
        if !self.record().value.is_empty() {
            return Ok(Cow::Borrowed(self.record()));
        }
        self.read_anew().map(|found| Cow::Owned(*found.record))
    }

    /// What its record says by now.
    ///
    /// # Errors
    /// Returns an error of kind `Changed` when it is gone, or another call's.
    pub(crate) fn read_anew(&self) -> Result<FoundEntry> {
        let gone = || Error::new(ErrorKind::Changed, format!("entry `{}` is no longer there", self.path().display()));
        let found = read_record(self.disk(), &self.name())?.ok_or_else(gone)?;
        let is_same = found.record.key == self.record().key && found.record.function == self.record().function;
        if is_same { Ok(found) } else { Err(gone()) }
    }
}

impl StoredArray {
    /// Returns NumPy's `dtype.str`, such as `<f8`; for a structured dtype the list as in a `.npy` file.
    #[must_use]
    pub fn descr(&self) -> &str {
        &self.meta.descr
    }

    /// Returns the lengths of its axes.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        &self.meta.shape
    }

    /// Returns whether the last axis varies fastest, or the first.
    #[must_use]
    pub fn order(&self) -> Order {
        self.meta.order
    }

    /// Returns the bytes of its elements.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match (&self.place, self.meta.byte_len()) {
            (StoredIn::Inline(bytes), _) => bytes.len() as u64,
            (_, Ok(bytes)) => bytes,
            (StoredIn::File(_, array), Err(_)) => array.length.saturating_sub(array.offset),
        }
    }

    /// Returns the bytes that it takes on disk: those of its file, or those inside the record.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        match &self.place {
            StoredIn::File(_, array) => array.length,
            StoredIn::Inline(bytes) => bytes.len() as u64,
        }
    }

    /// Returns its digest, as computed by [`digest`](fn@crate::digest).
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns how its file is encoded: `npy`, or `npy.gz`; `inline` inside the record.
    #[must_use]
    pub fn codec(&self) -> &str {
        match &self.place {
            StoredIn::File(_, array) => &array.codec,
            StoredIn::Inline(_) => "inline",
        }
    }

    /// Returns its file; `None` if it is inside the record.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match &self.place {
            StoredIn::File(name, _) => Some(self.disk.path_of(name)),
            StoredIn::Inline(_) => None,
        }
    }

    /// Reads it into memory, and compares it with its digest.
    ///
    /// It takes the memory of the elements; large ones are read by several threads.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file when it is missing, differs from what was written, or can't be read.
    pub fn open(&self) -> Result<AnyArray> {
        Ok(match &*self.meta.descr {
            "|b1" => AnyArray::Bool(self.elements()?),
            "|i1" => AnyArray::I8(self.elements()?),
            "<i2" => AnyArray::I16(self.elements()?),
            "<i4" => AnyArray::I32(self.elements()?),
            "<i8" => AnyArray::I64(self.elements()?),
            "|u1" => AnyArray::U8(self.elements()?),
            "<u2" => AnyArray::U16(self.elements()?),
            "<u4" => AnyArray::U32(self.elements()?),
            "<u8" => AnyArray::U64(self.elements()?),
            #[cfg(feature = "half")]
            "<f2" => AnyArray::F16(self.elements()?),
            "<f4" => AnyArray::F32(self.elements()?),
            "<f8" => AnyArray::F64(self.elements()?),
            "<c8" => AnyArray::Complex32(self.elements()?),
            "<c16" => AnyArray::Complex64(self.elements()?),
            descr => AnyArray::Other { descr: descr.to_owned(), bytes: self.vec(self.bytes())? },
        })
    }

    /// Passes the bytes of its elements to `see`, in memory order and in blocks of at most 16 MiB, and then compares
    /// them with its digest: for arrays that are larger than memory.
    ///
    /// All blocks except the last hold a multiple of 1 MiB, so that no element of 2^n bytes is cut. It reads on this
    /// thread; compressed arrays are decompressed by several.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file when it is missing, differs from what was written, or can't be read; then
    /// the bytes that were passed to `see` may be wrong.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// #[ndcache::cache]
    /// fn zeros(n: usize) -> ndarray::Array1<u8> {
    ///     ndarray::Array1::zeros(n)
    /// }
    ///
    /// memory.eval(zeros::call(5000));
    /// let mut sum = 0;
    /// memory.entry(&zeros::call(5000))?.unwrap().arrays()?[0].read(|block| sum += block.len())?;
    /// assert_eq!(sum, 5000);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn read(&self, mut see: impl FnMut(&[u8])) -> Result<()> {
        let (name, array) = match &self.place {
            StoredIn::Inline(bytes) => {
                see(bytes);
                return Ok(());
            }
            StoredIn::File(name, array) => (name, array),
        };
        let total = self.bytes();
        let blocks = (0..total).step_by(BLOCK).map(|start| (start, (total - start).min(BLOCK as u64) as usize));
        if let Some(mut encoded) = self.encoded(name, array)? {
            for (_, len) in blocks {
                see(&vec_of::<u8>(len, |out| encoded.fill(out))?);
            }
            return encoded.finish(array.digest);
        }
        let file = self.examined(name, array)?;
        let mut leaves = Vec::new();
        for (start, len) in blocks {
            let block = vec_of::<u8>(len, |out| read_at(&file, || self.disk.path_of(name), array.offset + start, out))?;
            leaves.extend(block.chunks(LEAF).map(leaf_of(block.len())));
            see(&block);
        }
        self.compare(name, combine(&leaves))
    }

    fn elements<A: Element>(&self) -> Result<ArrayD<A>> {
        let count = self.meta.byte_len()? / size_of::<A>() as u64;
        array_from_vec(self.vec(count)?, &self.meta)
    }

    /// Reads `count` elements.
    fn vec<A: Element>(&self, count: u64) -> Result<Vec<A>> {
        let count = usize::try_from(count).map_err(|_| Error::unsupported("array is longer than memory can be"))?;
        let (name, array) = match &self.place {
            StoredIn::Inline(bytes) => return vec_of(count, |out| out.copy_of(bytes)),
            StoredIn::File(name, array) => (name, array),
        };
        if let Some(mut encoded) = self.encoded(name, array)? {
            let elements = grown_vec_of(count, |out| encoded.fill(out))?;
            return encoded.finish(array.digest).map(|()| elements);
        }
        let file = self.examined(name, array)?;
        if file.is_sparse() {
            // Before memory is taken, which a hole on the disk would ask for.
            let length = array.length.saturating_sub(array.offset);
            self.compare(name, digest_file(&file, || self.disk.path_of(name), array.offset, length)?)?;
        }
        vec_of(count, |out| {
            let (data, tree) = read_verified(&file, || self.disk.path_of(name), array.offset, out)?;
            self.compare(name, tree).map(|()| data)
        })
    }

    /// The file, which is a regular one of the right length.
    fn examined(&self, name: &str, array: &ArrayRecord) -> Result<Examined> {
        let file = self.disk.open_unseen(name)?.ok_or_else(|| misfit(name, None, array.length))?;
        let file = Examined::of(file, || self.disk.path_of(name))?;
        match file.len() == array.length {
            true => Ok(file),
            false => Err(misfit(name, Some(file.len()), array.length)),
        }
    }

    fn encoded(&self, name: &str, array: &ArrayRecord) -> Result<Option<Box<dyn EncodedArray>>> {
        let Some(codec) = codec_named(&array.codec) else { return Ok(None) };
        let file = self.examined(name, array)?.into_file();
        codec.decode(encoded_file(array, file, self.disk.path_of(name))).map(Some)
    }

    fn compare(&self, name: &str, tree: Digest) -> Result<()> {
        let found = self.meta.digest(tree);
        if found == self.digest {
            return Ok(());
        }
        let path = self.disk.path_of(name);
        Err(Error::damaged(format!("array `{}` has digest {found}, expected {}", path.display(), self.digest)))
    }
}

impl fmt::Debug for StoredArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredArray")
            .field("descr", &self.descr())
            .field("shape", &self.shape())
            .field("order", &self.order())
            .field("codec", &self.codec())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

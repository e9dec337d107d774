//! A file's bytes as memory, and when that is allowed.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use memmap2::{Mmap, MmapMut, MmapOptions};
use ndarray::{ArrayRef, Dimension};
use rustix::fs::{FileType, fstat};
use rustix::mm::{MprotectFlags, mprotect};

use crate::digest::{Element, Known, Registration};
use crate::error::{Error, Result};
use crate::threads::found_once;

/// A whole file, mapped shared and read-only; clones are the same mapping.
///
/// Nothing is read ahead and no advice is given: a page is read when it is first touched.
#[derive(Clone)]
pub(crate) struct Mapping(Arc<MappedRegion>);

struct MappedRegion {
    /// The registration of the first array that was made of the bytes: it lasts as long as they do, so that the same
    /// array made again is registered already. Declared before the bytes, so that it is dropped before them.
    registration: OnceLock<Option<Registration>>,
    bytes: Mmap,
}

impl Mapping {
    /// Maps a file that nobody may write to. Takes one `fstat` and one `mmap`; the descriptor isn't kept.
    ///
    /// The caller offers only files of a local file system, in a root that is not world-writable.
    ///
    /// # Errors
    /// Returns an error when the file can't be mapped; of the kind `Damaged` when it isn't a regular file of exactly
    /// that length, of the kind `Unsupported` when it is empty or its mode has a write bit.
    pub(crate) fn of(file: &File, path: &Path, exact_len: u64) -> Result<Self> {
        let len = mappable_len(file, path, exact_len)?;
        Self::of_len(file, len).map_err(|error| Error::io("map", path, error))
    }

    /// Maps a file that has just been examined, without another `fstat`.
    pub(crate) fn of_examined(file: &Examined, path: impl Fn() -> PathBuf, exact_len: u64) -> Result<Self> {
        let len = file.facts.mappable_len(&path, exact_len)?;
        Self::of_len(&file.file, len).map_err(|error| Error::io("map", &path(), error))
    }

    /// `len` is what [`Facts::mappable_len`] has found of the file.
    fn of_len(file: &File, len: usize) -> io::Result<Self> {
        // SAFETY: the file is a regular one that nobody has permission to write to, and this crate neither truncates
        // nor writes to a file once it is read-only; see the head of this room for what that leaves. It has `len`
        // bytes, so that no page of the mapping lies behind its end.
        let map = unsafe { MmapOptions::new().len(len).map(file) };
        map.map(Self::new)
    }

    fn new(bytes: Mmap) -> Self {
        Self(Arc::new(MappedRegion { registration: OnceLock::new(), bytes }))
    }

    /// Registers an array of these bytes; `None` if that is done, for as long as they last.
    pub(super) fn register<A: Element, D: Dimension>(
        &self,
        array: &ArrayRef<A, D>,
        known: &Arc<Known>,
    ) -> Option<Registration> {
        let first = found_once(&self.0.registration, || Registration::new(array, Arc::clone(known)));
        match first {
            Some(first) if first.is_of(array, known) => None,
            _ => Registration::new(array, Arc::clone(known)),
        }
    }

    pub(crate) fn downgrade(&self) -> WeakMapping {
        WeakMapping(Arc::downgrade(&self.0))
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Where the byte at `offset` is.
    pub(super) fn at(&self, offset: usize) -> *const u8 {
        self.0.bytes.as_ptr().wrapping_add(offset)
    }

    /// Where the array of `count` elements at `offset` begins: aligned, and each element of it one of `A`'s values.
    ///
    /// # Errors
    /// Returns an error of the kind `Damaged` when it is not.
    pub(super) fn elements<A: Element>(&self, offset: usize, count: usize) -> Result<*const A> {
        checked_range::<A>(self.bytes(), offset, count)?;
        Ok(self.at(offset).cast())
    }
}

/// A whole file, mapped shared and writable: what is written to it is in the file.
pub(super) struct SharedMapping(MmapMut);

impl SharedMapping {
    /// Maps a file on the conditions of [`Mapping::of`], which nobody else knows of, and whose blocks are allocated.
    pub(super) fn of(file: &File, path: &Path, exact_len: u64) -> Result<Self> {
        let len = mappable_len(file, path, exact_len)?;
        // SAFETY: as in `Mapping::of`: nobody else may write to the file, whatever the mode of the descriptor that
        // created it, which its creator closes. No reader takes it for an array before it is frozen.
        let map = unsafe { MmapOptions::new().len(len).map_mut(file) };
        Ok(Self(map.map_err(|error| Error::io("map", path, error))?))
    }

    /// The elements, writable, as [`PrivateMapping::elements`] has them; the file is new, and zeros are elements of
    /// every type.
    pub(super) fn elements<A: Element>(&mut self, offset: usize, count: usize) -> Result<*mut A> {
        range::<A>(&self.0, offset, count)?;
        Ok(self.0.as_mut_ptr().wrapping_add(offset).cast())
    }

    /// Ends all writing: the same memory, read-only from here on. `Err` gives the mapping back as it was.
    pub(super) fn freeze(mut self) -> Result<Mapping, Self> {
        let (start, len) = (self.0.as_mut_ptr(), self.0.len());
        // SAFETY: the pages are those of the mapping, to which `self` is the only way in.
        if unsafe { mprotect(start.cast(), len, MprotectFlags::READ) }.is_err() {
            return Err(self);
        }
        // memmap2's own way to the other type would lose the mapping in an error; a protection that stands already
        // can be set again.
        Ok(Mapping::new(self.0.make_read_only().expect("the pages are read-only already")))
    }
}

/// A mapping that somebody else keeps.
pub(crate) struct WeakMapping(Weak<MappedRegion>);

impl WeakMapping {
    /// The mapping, unless it is gone.
    pub(crate) fn upgrade(&self) -> Option<Mapping> {
        self.0.upgrade().map(Mapping)
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} bytes)", self.bytes().len())
    }
}

/// A whole file, mapped privately: a page that is written to is copied first, so the file never changes.
pub(super) struct PrivateMapping(MmapMut);

impl PrivateMapping {
    /// Maps a file on the conditions of [`Mapping::of`].
    ///
    /// No swap is reserved: a file larger than memory can be mapped, and only the pages that are written to count.
    pub(super) fn of(file: &File, path: &Path, exact_len: u64) -> Result<Self> {
        let len = mappable_len(file, path, exact_len)?;
        // SAFETY: as in `Mapping::of`; pages that weren't written to are still the file's.
        let map = unsafe { MmapOptions::new().len(len).no_reserve_swap().map_copy(file) };
        Ok(Self(map.map_err(|error| Error::io("map", path, error))?))
    }

    /// The elements of [`Mapping::elements`], writable.
    pub(super) fn elements<A: Element>(&mut self, offset: usize, count: usize) -> Result<*mut A> {
        checked_range::<A>(&self.0, offset, count)?;
        Ok(self.0.as_mut_ptr().wrapping_add(offset).cast())
    }
}

/// An open regular file, with what one `fstat` has said of it.
pub(crate) struct Examined {
    file: File,
    facts: Facts,
}

impl Examined {
    /// # Errors
    /// Returns an error when the file can't be examined; of the kind `Damaged` when it isn't a regular one.
    pub(crate) fn of(file: File, path: impl FnOnce() -> PathBuf) -> Result<Self> {
        let facts = Facts::of(&file, path)?;
        Ok(Self { file, facts })
    }

    pub(crate) fn len(&self) -> u64 {
        self.facts.len
    }

    /// Nobody but root can open it for writing without a `chmod`.
    pub(crate) fn is_read_only(&self) -> bool {
        self.facts.mode & 0o222 == 0
    }

    /// Whether the file has fewer blocks than its length takes, so that it may be much shorter on the disk than it says.
    /// Some file systems report few for good files, too: those that compress.
    pub(crate) fn is_sparse(&self) -> bool {
        self.facts.len > DENSE && self.facts.blocks.saturating_mul(512) < self.facts.len
    }

    pub(crate) fn into_file(self) -> File {
        self.file
    }
}

/// Up to here no file's length takes more memory than anybody has.
pub(crate) const DENSE: u64 = 1 << 20;

impl Deref for Examined {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

/// What decides whether a regular file may be mapped.
#[derive(Clone, Copy)]
struct Facts {
    len: u64,
    mode: u32,
    /// The number of blocks of 512 bytes that the file has.
    blocks: u64,
}

impl Facts {
    // The widths of these fields differ by platform.
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
    fn of(file: &File, path: impl FnOnce() -> PathBuf) -> Result<Self> {
        let stat = match fstat(file) {
            Ok(stat) => stat,
            Err(errno) => return Err(Error::io("examine", &path(), errno)),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::damaged(format!("`{}` is not a regular file", path().display())));
        }
        Ok(Self {
            len: u64::try_from(stat.st_size).unwrap_or(0),
            mode: u32::from(stat.st_mode) & 0o7777,
            blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
        })
    }

    /// The length of a file that may be mapped, as far as the file itself says.
    fn mappable_len(self, path: impl FnOnce() -> PathBuf, exact_len: u64) -> Result<usize> {
        let Self { len, mode, .. } = self;
        let name = || path().display().to_string();
        if len != exact_len {
            return Err(Error::damaged(format!("`{}` has {len} bytes, expected {exact_len}", name())));
        }
        if mode & 0o222 != 0 {
            let name = name();
            return Err(Error::unsupported(format!("`{name}` has mode {mode:04o}, expected no write permission")));
        }
        match usize::try_from(exact_len) {
            Ok(len) if len > 0 => Ok(len),
            _ => Err(Error::unsupported(format!("`{}` has {exact_len} bytes, which can't be mapped", name()))),
        }
    }
}

fn mappable_len(file: &File, path: &Path, exact_len: u64) -> Result<usize> {
    Facts::of(file, || path.to_owned())?.mappable_len(|| path.to_owned(), exact_len)
}

/// Checks that `count` elements lie at `offset`: within the bytes, aligned, and of valid bit patterns.
fn checked_range<A: Element>(bytes: &[u8], offset: usize, count: usize) -> Result<()> {
    expect_elements::<A>(&bytes[range::<A>(bytes, offset, count)?])
}

/// Checks that aligned bytes are of valid bit patterns.
pub(super) fn expect_elements<A: Element>(bytes: &[u8]) -> Result<()> {
    if !has_every_bit_pattern::<A>() && bytemuck::checked::try_cast_slice::<u8, A>(bytes).is_err() {
        return Err(invalid_element::<A>(bytes));
    }
    Ok(())
}

/// The error for bytes that aren't values of `A`; only `bool` has such bytes.
fn invalid_element<A: Element>(bytes: &[u8]) -> Error {
    let at = bytes.iter().position(|&byte| byte > 1).unwrap_or_default();
    Error::damaged(format!("element {at} of dtype `{}` is {}, expected 0 or 1", A::NAME, bytes[at]))
}

/// Where `count` elements at `offset` are: within the bytes, and aligned.
fn range<A: Element>(bytes: &[u8], offset: usize, count: usize) -> Result<Range<usize>> {
    let end = count.checked_mul(size_of::<A>()).and_then(|len| offset.checked_add(len));
    let Some(range) = end.map(|end| offset..end).filter(|range| range.end <= bytes.len()) else {
        let found = bytes.len();
        return Err(Error::damaged(format!("{count} elements at byte {offset} reach beyond the {found} of the file")));
    };
    if !bytes[range.clone()].as_ptr().cast::<A>().is_aligned() {
        return Err(Error::damaged(format!("`{}` elements at byte {offset} are not aligned", A::NAME)));
    }
    Ok(range)
}

/// Whether every bit pattern is known to be a value, as it is for integers, floats and complex numbers.
fn has_every_bit_pattern<A: Element>() -> bool {
    matches!(A::DESCR.as_bytes(), [_, b'i' | b'u' | b'f' | b'c', ..])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use crate::error::ErrorKind;

    /// A read-only file in a folder of its own, as the store leaves them.
    pub(in crate::map) struct StoredFile {
        pub(in crate::map) folder: tempfile::TempDir,
        pub(in crate::map) path: PathBuf,
        pub(in crate::map) file: File,
        pub(in crate::map) len: u64,
    }

    impl StoredFile {
        pub(in crate::map) fn new(bytes: &[u8]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("array.npy");
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
            let file = File::open(&path).unwrap();
            Self { folder, path, file, len: bytes.len() as u64 }
        }

        pub(in crate::map) fn map(&self) -> Mapping {
            Mapping::of(&self.file, &self.path, self.len).unwrap()
        }
    }

    fn refusals(stored: &StoredFile, exact_len: u64) -> (Error, Error) {
        let shared = Mapping::of(&stored.file, &stored.path, exact_len).unwrap_err();
        let private = PrivateMapping::of(&stored.file, &stored.path, exact_len).err().unwrap();
        (shared, private)
    }

    #[test]
    fn a_mapping_holds_the_bytes_of_the_file() {
        let stored = StoredFile::new(b"some bytes");
        assert_eq!(stored.map().bytes(), b"some bytes");
    }

    #[test]
    fn a_wrong_length_is_damage() {
        let stored = StoredFile::new(&[0; 100]);
        for wrong in [0, 99, 101, u64::MAX] {
            let (shared, private) = refusals(&stored, wrong);
            assert_eq!((shared.kind(), private.kind()), (ErrorKind::Damaged, ErrorKind::Damaged));
            assert!(shared.to_string().ends_with(&format!("array.npy` has 100 bytes, expected {wrong}")), "{shared}");
        }
    }

    #[test]
    fn any_write_bit_is_refused() {
        for mode in [0o644, 0o464, 0o446, 0o200] {
            let stored = StoredFile::new(&[0; 100]);
            fs::set_permissions(&stored.path, Permissions::from_mode(mode)).unwrap();
            let (shared, private) = refusals(&stored, 100);
            assert_eq!((shared.kind(), private.kind()), (ErrorKind::Unsupported, ErrorKind::Unsupported));
            assert!(shared.to_string().contains(&format!("mode {mode:04o}")), "{shared}");
        }
    }

    #[test]
    fn only_regular_files_are_mapped() {
        let mut stored = StoredFile::new(&[0; 100]);
        stored.file = File::open(stored.folder.path()).unwrap();
        let (shared, private) = refusals(&stored, 100);
        assert_eq!((shared.kind(), private.kind()), (ErrorKind::Damaged, ErrorKind::Damaged));
    }

    #[test]
    fn an_empty_file_is_refused() {
        let stored = StoredFile::new(&[]);
        assert_eq!(refusals(&stored, 0).0.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_file_removed_or_replaced_keeps_its_bytes() {
        let stored = StoredFile::new(&[7; 10_000]);
        let mapping = stored.map();
        let other = stored.folder.path().join("other");
        fs::write(&other, [8; 10]).unwrap();
        fs::rename(&other, &stored.path).unwrap();
        assert_eq!(mapping.bytes(), [7; 10_000]);
        fs::remove_file(&stored.path).unwrap();
        assert_eq!(mapping.bytes(), [7; 10_000]);
    }

    #[test]
    fn elements_lie_within_the_file_and_are_aligned() {
        let mapping = StoredFile::new(&[0; 64]).map();
        assert!(mapping.elements::<f64>(0, 8).is_ok());
        assert!(mapping.elements::<f64>(64, 0).is_ok());
        assert!(mapping.elements::<f64>(56, 1).is_ok());
        for (offset, count) in [(0, 9), (57, 1), (64, 1), (65, 0), (usize::MAX, 1), (8, usize::MAX / 8), (4, 1), (1, 0)]
        {
            let error = mapping.elements::<f64>(offset, count).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{offset} {count}");
        }
    }

    #[test]
    fn a_bool_is_zero_or_one_and_any_other_element_is_whatever_it_is() {
        let mut bytes = vec![1_u8; 5000];
        bytes[17] = 0;
        assert!(StoredFile::new(&bytes).map().elements::<bool>(0, 5000).is_ok());
        bytes[4999] = 2;
        let mapping = StoredFile::new(&bytes).map();
        assert!(mapping.elements::<bool>(0, 4999).is_ok());
        let error = mapping.elements::<bool>(0, 5000).unwrap_err();
        assert_eq!(error.to_string(), "element 4999 of dtype `bool` is 2, expected 0 or 1");
        assert!(mapping.elements::<u8>(0, 5000).is_ok());
        assert!(mapping.elements::<num_complex::Complex<f32>>(0, 625).is_ok());
    }

    #[test]
    fn only_bool_needs_a_look_at_its_bytes() {
        assert!(!has_every_bit_pattern::<bool>());
        assert!(has_every_bit_pattern::<u8>() && has_every_bit_pattern::<usize>() && has_every_bit_pattern::<i64>());
        assert!(has_every_bit_pattern::<f32>() && has_every_bit_pattern::<num_complex::Complex<f64>>());
    }
}

//! A volume from a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::GzDecoder;
use ndarray::{Array, Dimension};

use super::super::mapping;
use super::header::{HEADER, VolumeHead, parse};
use super::voxel::{Scaling, VoxelConversion, append, part, size, way};
use super::write::named;
use super::{Grid, Volume, Voxel};
use crate::digest::{ArrayMeta, Known, Order};
use crate::error::{Error, Result};
use crate::map::{self, Mapped, array_from_vec};

/// How many bytes are scaled at a time. A multiple of each voxel's size.
const CHUNK: usize = 1 << 20;

/// Reads a NIfTI-1 file, `.nii` or `.nii.gz`, into memory.
///
/// The voxels keep the file's order, the first axis fastest; files of both byte orders are read. If the header has
/// scaling (`scl_slope`, `scl_inter`), the voxels are real numbers: `A` must be `f32` or `f64`, and each is computed
/// in double precision. Otherwise `A` must be the stored type; `f64` accepts every real type, `f32` those that lose
/// nothing. Integers beyond 2⁵³ are rounded in `f64`. Axes of length 1 at the end are left out if the file has more
/// axes than `D`.
///
/// # Errors
///
/// Returns an error that names the file when it can't be read, isn't a NIfTI-1 file with its voxels in it, or ends
/// before its last voxel; when its voxels have another type (which the error names, with the scaling), or a type that
/// isn't supported as an element, such as RGB or long double; and when it has another number of axes.
///
/// ```
/// use ndarray::Ix4;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/functional.nii");
/// let volume = ndcache::make::read_nifti::<f32, Ix4>(path)?;
/// assert_eq!(volume.voxels.dim(), (17, 21, 3, 20));
/// assert_eq!(volume.grid.steps()[..3], [4.0, 4.0, 8.0]); // mm
/// let error = ndcache::make::read_nifti::<i16, Ix4>(path).unwrap_err();
/// assert!(error.to_string().contains("voxels are `i16` with scl_slope 0.07"));
/// # Ok::<(), ndcache::Error>(())
/// ```
pub fn read_nifti<A: Voxel, D: Dimension>(path: impl AsRef<Path>) -> Result<Volume<Array<A, D>>> {
    let path = path.as_ref();
    read(path).map_err(|error| named(path, error))
}

fn read<A: Voxel, D: Dimension>(path: &Path) -> Result<Volume<Array<A, D>>> {
    let (file, len) = mapping::open(path)?;
    let mut source = VolumeSource::new(file, path, len)?;
    let mut bytes = [0; HEADER];
    source.fill(&mut bytes)?;
    let head = parse(&bytes)?;
    let way = way::<A>(head.kind, head.scaling)?;
    let meta = meta::<A, D>(&head)?;
    let voxels = match way {
        VoxelConversion::Same => source.same(&head, count(&head)?)?,
        VoxelConversion::Real(scaling) => source.real(&head, count(&head)?, scaling)?,
    };
    source.finish()?;
    Ok(Volume { voxels: array_from_vec(voxels, &meta)?, grid: head.grid })
}

/// Maps the voxels of a plain file where they are; where that can't be, a copy, which is counted.
pub(super) fn map<A: Voxel, D: Dimension>(path: &Path) -> Result<Volume<Mapped<A, D>>> {
    match try_map(path).map_err(|error| named(path, error))? {
        Some((voxels, grid)) => Ok(Volume { voxels, grid }),
        None => {
            let Volume { voxels, grid } = read_nifti::<A, D>(path)?;
            Ok(Volume { voxels: voxels.into(), grid })
        }
    }
}

fn try_map<A: Voxel, D: Dimension>(path: &Path) -> Result<Option<(Mapped<A, D>, Grid)>> {
    let Ok((_, mapping)) = mapping::map(path)? else { return Ok(None) };
    if mapping.bytes().starts_with(&GZIP) {
        mapping::refuse("compressed");
        return Ok(None);
    }
    let Some(bytes) = mapping.bytes().first_chunk::<HEADER>() else {
        return Err(short(mapping.bytes().len() as u64, HEADER as u64));
    };
    let head = parse(bytes)?;
    if way::<A>(head.kind, head.scaling)? != VoxelConversion::Same || (head.big_endian && size_of::<A>() > 1) {
        mapping::refuse("converted");
        return Ok(None);
    }
    let meta = meta::<A, D>(&head)?;
    expect_length(&head, mapping.bytes().len() as u64)?;
    if !head.offset.is_multiple_of(align_of::<A>() as u64) {
        mapping::refuse("alignment");
        return Ok(None);
    }
    let mapped = Mapped::from_mapping(mapping, head.offset as usize, &meta, Arc::new(Known::unknown()))?;
    Ok(Some((mapped, head.grid)))
}

/// The array of the type that is asked for.
fn meta<A: Voxel, D: Dimension>(head: &VolumeHead) -> Result<ArrayMeta> {
    let mut shape = head.shape.clone();
    if let Some(axes) = D::NDIM {
        while shape.len() > axes && shape.last() == Some(&1) {
            shape.pop();
        }
        if shape.len() != axes {
            return Err(Error::invalid(format!("volume has shape {:?}, expected {axes} axes", head.shape)));
        }
    }
    let shape = shape.into_iter().map(|axis| axis as u64).collect();
    Ok(ArrayMeta { descr: A::DESCR.into(), shape, order: Order::F, itemsize: None })
}

/// The number of voxels, whose bytes fit this machine.
fn count(head: &VolumeHead) -> Result<usize> {
    let size = size(head.kind).unwrap_or(usize::MAX);
    let count = head.shape.iter().try_fold(1, |count: usize, &axis| count.checked_mul(axis));
    let fits = |&count: &usize| count.checked_mul(size.max(16)).is_some_and(|len| isize::try_from(len).is_ok());
    count.filter(fits).ok_or_else(|| Error::damaged(format!("volume has shape {:?}, which is too large", head.shape)))
}

fn expect_length(head: &VolumeHead, found: u64) -> Result<()> {
    let expected = head.offset + (count(head)? * size(head.kind).unwrap_or(0)) as u64;
    if found < expected { Err(short(found, expected)) } else { Ok(()) }
}

fn short(found: u64, expected: u64) -> Error {
    Error::damaged(format!("file has {found} bytes, expected at least {expected}"))
}

/// How a compressed file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The bytes of a file from the first to the last, inflated if it is compressed.
struct VolumeSource<'a> {
    path: &'a Path,
    bytes: VolumeBytes,
    read: u64,
}

enum VolumeBytes {
    Plain(File, u64),
    Gzip(VolumeMembers),
}

/// The members of a compressed file, inflated one after the other.
///
/// Zeros behind a member are padding, which ends no file: gzip and Python skip them, too.
struct VolumeMembers(Option<Box<GzDecoder<BufReader<File>>>>);

impl VolumeMembers {
    fn of(packed: BufReader<File>) -> Self {
        Self(Some(Box::new(GzDecoder::new(packed))))
    }

    /// Goes on behind a member; says whether there is another one, or something else that is no padding.
    fn next(&mut self) -> io::Result<bool> {
        let Some(mut packed) = self.0.take().map(|member| member.into_inner()) else { return Ok(false) };
        loop {
            let bytes = packed.fill_buf()?;
            let (len, zeros) = (bytes.len(), bytes.iter().take_while(|&&byte| byte == 0).count());
            packed.consume(zeros);
            if zeros < len {
                *self = Self::of(packed);
                return Ok(true);
            }
            if len == 0 {
                return Ok(false);
            }
        }
    }
}

impl Read for VolumeMembers {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            match member.read(out)? {
                0 if !out.is_empty() => drop(self.next()?),
                read => return Ok(read),
            }
        }
        Ok(0)
    }
}

impl<'a> VolumeSource<'a> {
    /// Decides whether the file is compressed by how it begins, and not by its name.
    fn new(file: File, path: &'a Path, len: u64) -> Result<Self> {
        use std::os::unix::fs::FileExt;
        let mut start = [0; 2];
        let found = file.read_at(&mut start, 0).map_err(|error| Error::io("read", path, error))?;
        let bytes = match found == 2 && start == GZIP {
            true => VolumeBytes::Gzip(VolumeMembers::of(BufReader::with_capacity(CHUNK, file))),
            false => VolumeBytes::Plain(file, len),
        };
        Ok(Self { path, bytes, read: 0 })
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<()> {
        let filled = match &mut self.bytes {
            VolumeBytes::Plain(file, _) => file.read_exact(out),
            VolumeBytes::Gzip(packed) => packed.read_exact(out),
        };
        let end = self.read + out.len() as u64;
        filled.map_err(|error| self.fault(error, format_args!("before byte {end}")))?;
        self.read = end;
        Ok(())
    }

    /// Reads a packed file to its end, where its check sum is.
    fn finish(&mut self) -> Result<()> {
        let VolumeBytes::Gzip(packed) = &mut self.bytes else { return Ok(()) };
        let rest = io::copy(packed, &mut io::sink());
        rest.map(drop).map_err(|error| self.fault(error, format_args!("before its check sum")))
    }

    fn fault(&self, error: io::Error, end: std::fmt::Arguments<'_>) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::damaged(format!("file ends {end}")),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                Error::damaged(format!("file can't be inflated: {error}"))
            }
            _ => Error::io("read", self.path, error),
        }
    }

    /// Goes to the voxels, once it is known that a plain file has them all.
    fn seek(&mut self, head: &VolumeHead) -> Result<()> {
        if let VolumeBytes::Plain(_, len) = self.bytes {
            expect_length(head, len)?;
        }
        let mut between = vec![0; CHUNK.min((head.offset - self.read) as usize)];
        while self.read < head.offset {
            let step = between.len().min((head.offset - self.read) as usize);
            self.fill(&mut between[..step])?;
        }
        Ok(())
    }

    /// Voxels as they are stored.
    fn same<A: Voxel>(&mut self, head: &VolumeHead, count: usize) -> Result<Vec<A>> {
        self.seek(head)?;
        if let VolumeBytes::Plain(file, _) = &self.bytes {
            return map::vec_of(count, |out| {
                let out = map::read_at(file, || self.path.to_owned(), head.offset, out)?;
                to_little_endian(head, out);
                Ok(out)
            });
        }
        // How long a compressed file is, only its end tells.
        map::grown_vec_of(count, |out| {
            let out = out.zeroed();
            self.fill(out)?;
            to_little_endian(head, out);
            Ok(out)
        })
    }

    /// Voxels as real numbers; grows as the bytes arrive.
    fn real<A: Voxel>(&mut self, head: &VolumeHead, count: usize, scaling: Scaling) -> Result<Vec<A>> {
        self.seek(head)?;
        let mut rest = count * size(head.kind).unwrap_or(0);
        let mut stored = vec![0; CHUNK.min(rest)];
        let mut voxels = Vec::new();
        while rest > 0 {
            let step = stored.len().min(rest);
            self.fill(&mut stored[..step])?;
            to_little_endian(head, &mut stored[..step]);
            voxels.try_reserve(step / part(head.kind)).map_err(Error::other)?;
            append(&stored[..step], head.kind, scaling, &mut voxels);
            rest -= step;
        }
        Ok(voxels)
    }
}

fn to_little_endian(head: &VolumeHead, bytes: &mut [u8]) {
    if head.big_endian {
        bytes.chunks_exact_mut(part(head.kind)).for_each(<[u8]>::reverse);
    }
}

//! Files of every kind of voxel, of either byte order, and of those that are none.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::prelude::*;
use num_complex::Complex;
use proptest::prelude::*;

use super::{Grid, MappedNiftiFile, NiftiFile, Volume, Voxel, header, read_nifti};
use crate::error::ErrorKind;
use crate::make::Persister;

mod odd;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");

/// `n` fields of so many bytes that begin at an offset of `nifti1.h`.
const FIELDS: [(usize, usize, usize); 17] = [
    (0, 4, 1),
    (32, 4, 1),
    (36, 2, 1),
    (40, 2, 8),
    (56, 4, 3),
    (68, 2, 4),
    (76, 4, 8),
    (108, 4, 3),
    (120, 2, 1),
    (124, 4, 4),
    (140, 4, 2),
    (252, 2, 2),
    (256, 4, 3),
    (268, 4, 3),
    (280, 4, 4),
    (296, 4, 4),
    (312, 4, 4),
];

fn grid() -> Grid {
    Grid {
        qform: 1,
        quaternion: [0.1, -0.2, 0.3],
        offset: [1.5, -2.5, 3.5],
        pixdim: [-1.0, 2.0, 3.0, 4.0, 0.5, 1.0, 1.0, 1.0],
        xyzt_units: 10,
        ..Grid::from_affine([[2.0, 0.0, 0.25, -10.0], [0.0, 3.0, 0.0, 20.0], [0.0, 0.0, -4.0, 1e-3]])
    }
}

/// Voxels of many bits, in C order.
fn painted<A: Voxel>() -> Array3<A> {
    let bytes: Vec<u8> = (0..24 * size_of::<A>()).map(|i| (i * 167 % 251) as u8).collect();
    let each = bytes.chunks_exact(size_of::<A>()).map(|bytes| bytemuck::checked::pod_read_unaligned(bytes));
    Array3::from_shape_vec((2, 3, 4), each.collect()).unwrap()
}

fn bits<A: Voxel, D: Dimension>(array: &ArrayRef<A, D>) -> Vec<u8> {
    let elements: Vec<A> = array.t().iter().copied().collect();
    bytemuck::cast_slice(&elements).to_vec()
}

/// A file of the same content in the other byte order.
fn swapped<A: Voxel>(file: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for (at, width, n) in FIELDS {
        bytes[at..at + width * n].chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    let part = super::voxel::part(A::KIND);
    bytes[header::VOXELS..].chunks_exact_mut(part).for_each(<[u8]>::reverse);
    bytes
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file of these bytes.
    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn round_trip<A: Voxel>() {
    let folder = Folder::new();
    let voxels = painted::<A>();
    let volume = Volume { voxels: voxels.clone(), grid: grid() };
    for name in ["a.nii", "a.nii.gz"] {
        let path = folder.path(name);
        NiftiFile::new(&path).save(&volume).unwrap();
        let read = read_nifti::<A, Ix3>(&path).unwrap();
        assert_eq!((bits(&read.voxels), read.grid), (bits(&voxels), grid()), "{name} of {}", A::NAME);
        assert_eq!(read.voxels.strides(), [1, 2, 6], "Fortran order");
        let mapped = MappedNiftiFile::new(folder.path(&format!("mapped-{name}")));
        mapped.save(&volume).unwrap();
        let loaded: Volume<crate::Mapped3<A>> = Persister::<Volume<Array3<A>>>::load(&mapped).unwrap();
        assert_eq!((bits(&loaded.voxels), loaded.grid), (bits(&voxels), grid()));
        assert_eq!((loaded.voxels.is_mapped(), loaded.voxels.strides()), (name == "a.nii", &[1, 2, 6][..]));
    }
    let other = folder.put("b.nii", &swapped::<A>(&fs::read(folder.path("a.nii")).unwrap()));
    let read = read_nifti::<A, Ix3>(&other).unwrap();
    assert_eq!((bits(&read.voxels), read.grid), (bits(&voxels), grid()), "big-endian {}", A::NAME);
}

#[test]
fn voxels_of_every_type_and_either_byte_order_come_back_bit_for_bit_with_their_grid() {
    round_trip::<u8>();
    round_trip::<i8>();
    round_trip::<u16>();
    round_trip::<i16>();
    round_trip::<u32>();
    round_trip::<i32>();
    round_trip::<u64>();
    round_trip::<i64>();
    round_trip::<f32>();
    round_trip::<f64>();
    round_trip::<Complex<f32>>();
    round_trip::<Complex<f64>>();
}

/// A file of these voxels whose header is changed.
fn forged<A: Voxel>(folder: &Folder, voxels: &Array3<A>, change: impl FnOnce(&mut [u8])) -> PathBuf {
    let path = folder.path("forged.nii");
    NiftiFile::new(&path).save(voxels).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    folder.put("forged.nii", &bytes)
}

fn scale(slope: f32, inter: f32) -> impl FnOnce(&mut [u8]) {
    move |bytes| {
        bytes[112..116].copy_from_slice(&slope.to_le_bytes());
        bytes[116..120].copy_from_slice(&inter.to_le_bytes());
    }
}

#[test]
fn scaled_voxels_are_real_numbers_and_nothing_else() {
    let folder = Folder::new();
    let stored = painted::<i32>();
    let path = forged(&folder, &stored, scale(0.5, 10.0));
    let expected = stored.mapv(|x| f64::from(x) * 0.5 + 10.0);
    assert_eq!(read_nifti::<f64, Ix3>(&path).unwrap().voxels, expected);
    assert_eq!(read_nifti::<f32, Ix3>(&path).unwrap().voxels, expected.mapv(|x| x as f32));
    let error = read_nifti::<i32, Ix3>(&path).unwrap_err();
    let found =
        "voxels are `i32` with scl_slope 0.5 and scl_inter 10, which are read as `f32` or `f64`, expected `i32`";
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::Invalid, format!("volume `{}`: {found}", path.display()))
    );
    let path = forged(&folder, &painted::<Complex<f32>>(), scale(2.0, 0.0));
    let error = read_nifti::<Complex<f32>, Ix3>(&path).unwrap_err().to_string();
    assert!(error.contains("`Complex<f32>` with scl_slope 2 and scl_inter 0, which aren't read"), "{error}");
    // None of these scales.
    for (slope, inter) in [(0.0, 5.0), (1.0, 0.0), (f32::NAN, 1.0), (f32::INFINITY, 1.0)] {
        let path = forged(&folder, &stored, scale(slope, inter));
        assert_eq!(read_nifti::<i32, Ix3>(&path).unwrap().voxels, stored, "{slope} {inter}");
    }
    let path = forged(&folder, &stored, scale(2.0, f32::NAN));
    assert!(read_nifti::<f64, Ix3>(&path).unwrap_err().to_string().contains("scl_inter NaN, expected a number"));
}

#[test]
fn real_voxels_are_read_as_a_wider_type_that_loses_nothing() {
    fn check<A: Voxel>(single: bool) {
        let folder = Folder::new();
        let path = folder.path("a.nii");
        NiftiFile::new(&path).save(&painted::<A>()).unwrap();
        assert!(read_nifti::<f64, Ix3>(&path).is_ok(), "{}", A::NAME);
        assert_eq!(read_nifti::<f32, Ix3>(&path).is_ok(), single, "{}", A::NAME);
        let error = read_nifti::<Complex<f64>, Ix3>(&path).unwrap_err().to_string();
        assert!(error.ends_with(&format!(
            "voxels are `{}`, which are read as such or as `f64`, expected `Complex<f64>`",
            A::NAME
        )));
    }
    check::<u8>(true);
    check::<i8>(true);
    check::<u16>(true);
    check::<i16>(true);
    check::<f32>(true);
    check::<u32>(false);
    check::<i32>(false);
    check::<u64>(false);
    check::<i64>(false);
    check::<f64>(false);
    let folder = Folder::new();
    NiftiFile::new(folder.path("a.nii")).save(&array![[u64::MAX, 1 << 40], [3, 4]]).unwrap();
    assert_eq!(read_nifti::<f64, Ix2>(folder.path("a.nii")).unwrap().voxels[[0, 0]], u64::MAX as f64);
}

#[test]
fn voxels_that_no_element_is_are_refused_by_their_names() {
    let folder = Folder::new();
    let names =
        [(128, "Rgb24"), (1536, "Float128"), (2048, "Complex256"), (2304, "Rgba32"), (1, "1"), (0, "0"), (-7, "-7")];
    for (code, name) in names {
        let path = forged(&folder, &painted::<u8>(), |bytes| bytes[70..72].copy_from_slice(&i16::to_le_bytes(code)));
        let error = read_nifti::<u8, Ix3>(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{code}");
        let message = error.to_string();
        assert!(message.contains(name) && message.ends_with("which isn't read"), "{message}");
    }
}

#[test]
fn what_is_no_nifti_file_is_refused_with_what_was_found() {
    let folder = Folder::new();
    let voxels = painted::<i16>();
    let message = |change: &dyn Fn(&mut [u8])| {
        let path = forged(&folder, &voxels, |bytes| change(bytes));
        let error = read_nifti::<i16, Ix3>(&path).unwrap_err().to_string();
        let mapped = Persister::<Array3<i16>>::load(&MappedNiftiFile::new(&path)).unwrap_err().to_string();
        assert_eq!(error, mapped);
        error.split_once("`: ").unwrap().1.to_owned()
    };
    let put = |at: usize, bytes: &[u8]| message(&|file: &mut [u8]| file[at..at + bytes.len()].copy_from_slice(bytes));
    assert_eq!(put(0, &[0x1c, 2, 0, 0]), "it is a NIfTI-2 file, expected NIfTI-1");
    assert_eq!(put(0, b"\x93NUM"), "it isn't a NIfTI-1 file");
    assert_eq!(put(344, b"ni1\0"), "it is the header of a pair of files, expected one file (`.nii`)");
    assert_eq!(put(344, b"abc\0"), "its header can't be read: Invalid NIfTI-1 file");
    assert!(put(108, &[0; 4]).starts_with("vox_offset is 0, expected an integer"));
    let (nan, huge) = (f32::NAN.to_le_bytes(), 1e30_f32.to_le_bytes());
    assert!(put(108, &nan).starts_with("vox_offset is NaN"));
    assert!(put(108, &huge).starts_with("vox_offset is 1000000"));
    assert!(put(42, &[0, 0]).starts_with("its header can't be"));
    assert_eq!(put(44, &[0xff, 0xff]), "dim[2] is negative");
    assert_eq!(put(46, &[5, 0]), "file has 400 bytes, expected at least 412");
    assert_eq!(put(40, &[2, 0]), "volume has shape [2, 3], expected 3 axes");
    let path = forged(&folder, &voxels, |bytes| bytes[40] = 7);
    assert_eq!(read_nifti::<i16, Ix3>(&path).unwrap().voxels, voxels, "axes of length 1 are left out");
}

#[test]
fn a_file_that_ends_early_is_damaged_wherever_it_ends() {
    let folder = Folder::new();
    for name in ["a.nii", "a.nii.gz"] {
        let path = folder.path(name);
        NiftiFile::new(&path).save(&painted::<i16>()).unwrap();
        let whole = fs::read(&path).unwrap();
        for len in 0..whole.len() {
            let cut = folder.put(&format!("cut-{name}"), &whole[..len]);
            let error = read_nifti::<i16, Ix3>(&cut).unwrap_err();
            assert!(error.to_string().contains("cut-a.nii"), "{len}: {error}");
            let real = read_nifti::<f64, Ix3>(&cut);
            assert!(real.is_err(), "{len}");
        }
    }
}

#[test]
fn a_packed_file_that_claims_terabytes_costs_no_memory() {
    let folder = Folder::new();
    let mut header = header::bytes::<f64>(&[32767, 32767, 1000], &grid()).unwrap();
    header.extend([0; 100]);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, &header).unwrap();
    let path = folder.put("a.nii.gz", &packer.finish().unwrap());
    for error in [read_nifti::<f64, Ix3>(&path).unwrap_err(), read_nifti::<f64, Ix3>(&path).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("file ends before byte"), "{error}");
    }
}

#[test]
fn shapes_that_a_header_can_not_say_are_refused() {
    let folder = Folder::new();
    let save = |voxels: &ArrayD<u8>| {
        let error = NiftiFile::new(folder.path("a.nii")).save(voxels).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        error.to_string().split_once("`: ").unwrap().1.to_owned()
    };
    assert_eq!(save(&arr0(1).into_dyn()), "volume has 0 axes, and a NIfTI file has 1 to 7");
    assert_eq!(save(&ArrayD::zeros(vec![1; 8])), "volume has 8 axes, and a NIfTI file has 1 to 7");
    assert_eq!(save(&ArrayD::zeros(vec![2, 0])), "volume has shape [2, 0], and a NIfTI file axes of 1 to 32767");
    assert_eq!(save(&ArrayD::zeros(vec![32768])), "volume has shape [32768], and a NIfTI file axes of 1 to 32767");
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 0);
    NiftiFile::new(folder.path("a.nii")).save(&ArrayD::<u8>::zeros(vec![32767, 1, 1, 1, 1, 1, 2])).unwrap();
}

#[test]
fn the_crate_nifti_reads_the_header_that_is_written() {
    let folder = Folder::new();
    let path = folder.path("a.nii.gz");
    NiftiFile::new(&path).save(&Volume { voxels: painted::<i16>(), grid: grid() }).unwrap();
    let found = nifti::NiftiHeader::from_file(&path).unwrap();
    assert_eq!(found.dim, [3, 2, 3, 4, 1, 1, 1, 1]);
    assert_eq!((found.datatype, found.bitpix, found.vox_offset), (4, 16, 352.0));
    assert_eq!((found.scl_slope, found.scl_inter, found.regular), (1.0, 0.0, b'r'));
    assert_eq!((found.qform_code, found.sform_code, found.xyzt_units), (1, 2, 10));
    assert_eq!([found.quatern_b, found.quatern_c, found.quatern_d], grid().quaternion);
    assert_eq!([found.quatern_x, found.quatern_y, found.quatern_z], grid().offset);
    assert_eq!(([found.srow_x, found.srow_y, found.srow_z], found.pixdim), (grid().rows, grid().pixdim));
}

#[test]
fn an_affine_is_the_sform_else_the_qform_else_the_edges() {
    let with = grid();
    assert_eq!(with.affine()[0], [2.0, 0.0, 0.25, -10.0]);
    let edges = Grid { sform: 0, qform: 0, ..grid() }.affine();
    assert_eq!((edges[0], edges[2]), ([2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]));
    let turned = Grid { sform: 0, quaternion: [0.0, 0.0, 1.0], ..grid() }.affine();
    // Half a turn about the third axis, which `qfac` inverts.
    let expected = [[-2.0, 0.0, 0.0, 1.5], [0.0, -3.0, 0.0, -2.5], [0.0, 0.0, -4.0, 3.5], [0.0, 0.0, 0.0, 1.0]];
    assert_eq!(turned, expected);
    assert_eq!(Grid::default().affine()[1], [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(with.steps(), [2.0, 3.0, 4.0, 0.5, 1.0, 1.0, 1.0]);
}

#[test]
fn the_real_scans_are_read_with_their_scaling() {
    let path = Path::new(DATA).join("functional.nii");
    let scan = read_nifti::<f64, Ix4>(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let stored = bytes[352..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    let [slope, inter] = [112, 116].map(|at| f64::from(f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())));
    let expected: Vec<f64> = stored.map(|x| f64::from(x) * slope + inter).collect();
    assert_eq!(scan.voxels.t().iter().copied().collect::<Vec<_>>(), expected);
    let packed = read_nifti::<i16, Ix4>(Path::new(DATA).join("example4d.nii.gz")).unwrap();
    assert_eq!((packed.voxels.dim(), packed.voxels.strides()), ((128, 96, 24, 2), &[1, 128, 12288, 294912][..]));
}

proptest! {
    /// Whatever a header says, it is read or refused.
    #[test]
    fn a_forged_header_is_read_or_refused(
        changes in prop::collection::vec((0..352_usize, any::<u8>()), 1..12),
        packed in any::<bool>(),
    ) {
        let folder = Folder::new();
        let path = folder.path(if packed { "a.nii.gz" } else { "a.nii" });
        NiftiFile::new(&path).save(&painted::<i16>()).unwrap();
        let mut bytes = read_all(&path, packed);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        write_all(&path, packed, &bytes);
        let _ = read_nifti::<i16, IxDyn>(&path);
        let _ = read_nifti::<f64, IxDyn>(&path);
        let _ = Persister::<ArrayD<i16>>::load(&MappedNiftiFile::new(&path));
    }
}

fn read_all(path: &Path, packed: bool) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if !packed {
        return bytes;
    }
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut out).unwrap();
    out
}

fn write_all(path: &Path, packed: bool, bytes: &[u8]) {
    if !packed {
        return fs::write(path, bytes).unwrap();
    }
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, bytes).unwrap();
    fs::write(path, packer.finish().unwrap()).unwrap();
}

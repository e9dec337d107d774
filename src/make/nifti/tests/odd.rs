//! Headers that say something odd, each with what nibabel 5.4 makes of it.

use super::*;

/// Single numbers, in the order in which the header has them.
fn singles(at: usize, values: &[f32]) -> (usize, Vec<u8>) {
    (at, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn code(at: usize, value: i16) -> (usize, Vec<u8>) {
    (at, value.to_le_bytes().to_vec())
}

const PIXDIM: usize = 76;
const QFORM: usize = 252;
const SFORM: usize = 254;
const QUATERNION: usize = 256;
const ROWS: usize = 280;

/// What is read of a file whose header has edges of 2, 3 and 4, no grid, and these changes.
fn changed(changes: &[(usize, Vec<u8>)]) -> crate::Result<Grid> {
    let folder = Folder::new();
    let plain = [singles(PIXDIM, &[1.0, 2.0, 3.0, 4.0]), code(QFORM, 0), code(SFORM, 0), singles(ROWS, &[0.0; 12])];
    let path = forged(&folder, &painted::<i16>(), |bytes| {
        for (at, change) in plain.iter().chain(changes) {
            bytes[*at..at + change.len()].copy_from_slice(change);
        }
    });
    let read = read_nifti::<i16, Ix3>(&path).map(|volume| volume.grid);
    let mapped = Persister::<Volume<Array3<i16>>>::load(&MappedNiftiFile::new(&path)).map(|volume| volume.grid);
    // As texts, since what is no number equals nothing.
    let said = |read: &crate::Result<Grid>| match read {
        Ok(grid) => format!("{grid:?}, {:?}", grid.steps()),
        Err(error) => error.to_string(),
    };
    assert_eq!(said(&read), said(&mapped));
    // In the other byte order it says the same.
    let other = folder.put("other.nii", &swapped::<i16>(&fs::read(&path).unwrap()));
    let other = read_nifti::<i16, Ix3>(&other).map(|volume| volume.grid);
    // A number of axes that can't be is read in whichever byte order makes it one that can.
    assert_eq!(read.is_ok(), other.is_ok());
    if let Ok(read) = &read {
        assert_eq!(said(&Ok(read.clone())), said(&other));
        written_back(&folder, read, &path);
    }
    read
}

/// A grid that was read is written back to the bit.
fn written_back(folder: &Folder, grid: &Grid, from: &Path) {
    let path = folder.path("again.nii");
    NiftiFile::new(&path).save(&Volume { voxels: painted::<i16>(), grid: grid.clone() }).unwrap();
    let [was, is] = [from, &path].map(|path| fs::read(path).unwrap());
    for part in [76..108, 252..328] {
        assert_eq!(was[part.clone()], is[part]);
    }
}

/// The matrix without its last row, and the edges.
fn rows(changes: &[(usize, Vec<u8>)]) -> ([[f64; 4]; 3], [f32; 3]) {
    let grid = changed(changes).unwrap();
    let ([x, y, z, _], [a, b, c, ..]) = (grid.affine(), grid.steps());
    ([x, y, z], [a, b, c])
}

/// The matrix of these edges, and the edges.
fn edges(x: f64, y: f64, z: f64) -> ([[f64; 4]; 3], [f32; 3]) {
    let rows = [[x, 0.0, 0.0, 0.0], [0.0, y, 0.0, 0.0], [0.0, 0.0, z, 0.0]];
    (rows, [x, y, z].map(|edge| edge.abs() as f32))
}

#[test]
fn an_edge_is_positive_and_one_of_0_is_1() {
    for qform in [0, 1, 4] {
        let with = |pixdim: [f32; 3]| rows(&[code(QFORM, qform), singles(PIXDIM + 4, &pixdim)]);
        assert_eq!(with([2.0, 3.0, 4.0]), edges(2.0, 3.0, 4.0));
        assert_eq!(with([-2.0, 3.0, 4.0]), edges(2.0, 3.0, 4.0));
        assert_eq!(with([2.0, -3.0, -4.0]), edges(2.0, 3.0, 4.0));
        assert_eq!(with([0.0, 3.0, 4.0]), edges(1.0, 3.0, 4.0));
        assert_eq!(with([2.0, -0.0, 0.0]), edges(2.0, 1.0, 1.0));
        assert_eq!(with([-0.5, 0.0, 1e30]), edges(0.5, 1.0, f64::from(1e30_f32)));
        // What is no number stays none.
        let ([x, y, z], steps) = with([f32::NAN, 3.0, f32::INFINITY]);
        assert!(x[0].is_nan() && y[1] == 3.0 && z[2] == f64::INFINITY, "{x:?} {y:?} {z:?}");
        assert!(steps[0].is_nan() && steps[1] == 3.0 && steps[2] == f32::INFINITY);
        assert_eq!(with([f32::NEG_INFINITY, 1.0, 1.0]).1[0], f32::INFINITY);
    }
    // Further steps may be anything, such as an unknown time.
    let grid = changed(&[singles(PIXDIM + 16, &[0.0, -1.0, f32::NAN, 2.0])]).unwrap();
    assert_eq!(grid.steps()[3..5], [0.0, -1.0]);
    assert!(grid.steps()[5].is_nan());
}

#[test]
fn qfac_is_1_unless_it_is_minus_1() {
    for (qfac, expected) in [(1.0, 4.0), (-1.0, -4.0), (0.0, 4.0), (-2.0, 4.0), (0.5, 4.0), (f32::NAN, 4.0)] {
        let ([_, _, z], _) = rows(&[code(QFORM, 1), singles(PIXDIM, &[qfac])]);
        assert_eq!(z[2], expected, "{qfac}");
    }
}

#[test]
fn codes_that_the_standard_does_not_have_say_nothing() {
    let sform = singles(ROWS, &[9.0, 0.0, 0.0, 1.0, 0.0, 8.0, 0.0, 2.0, 0.0, 0.0, 7.0, 3.0]);
    let half_turn = singles(QUATERNION, &[1.0, 0.0, 0.0]);
    let by = |sform_code, qform_code| {
        rows(&[sform.clone(), half_turn.clone(), code(SFORM, sform_code), code(QFORM, qform_code)]).0
    };
    let by_sform = [[9.0, 0.0, 0.0, 1.0], [0.0, 8.0, 0.0, 2.0], [0.0, 0.0, 7.0, 3.0]];
    let by_qform = edges(2.0, -3.0, -4.0).0;
    let by_edges = edges(2.0, 3.0, 4.0).0;
    for good in 1..=5 {
        for bad in [0, -1, 6, 100, i16::MIN, i16::MAX] {
            assert_eq!(by(good, bad), by_sform, "{good} {bad}");
            assert_eq!(by(bad, good), by_qform, "{bad} {good}");
            assert_eq!(by(bad, bad), by_edges, "{bad}");
        }
        assert_eq!(by(good, good), by_sform);
    }
}

#[test]
fn half_a_turn_about_a_diagonal_is_exact() {
    let (two, three) = (0.5_f32.sqrt(), (1.0_f32 / 3.0).sqrt());
    let near = |rows: [[f64; 4]; 3], expected: [[f64; 3]; 3]| {
        for (row, expected) in rows.iter().zip(expected) {
            for (found, expected) in row.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{rows:?}");
            }
        }
    };
    let turned = |quaternion: [f32; 3]| {
        rows(&[code(QFORM, 1), singles(PIXDIM, &[1.0, 1.0, 1.0, 1.0]), singles(QUATERNION, &quaternion)]).0
    };
    near(turned([two, two, 0.0]), [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]);
    near(turned([two, -two, 0.0]), [[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]);
    near(turned([0.0, two, two]), [[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]);
    let third = 2.0 / 3.0;
    near(
        turned([three, three, three]),
        [[-third / 2.0, third, third], [third, -third / 2.0, third], [third, third, -third / 2.0]],
    );
    // Just longer than 1, by rounding.
    let long = f32::from_bits(two.to_bits() + 1);
    near(turned([long, long, 0.0]), [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]);
    assert_eq!(turned([0.0; 3]), edges(1.0, 1.0, 1.0).0);
}

#[test]
fn a_quaternion_that_is_longer_than_1_is_refused_if_it_is_asked() {
    for quaternion in [[1.0, 1.0, 1.0], [0.0, 1.001, 0.0], [1e30, 0.0, 0.0], [0.0, 0.0, f32::INFINITY]] {
        let quaternion = singles(QUATERNION, &quaternion);
        let error = changed(&[code(QFORM, 1), quaternion.clone()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        let message = error.to_string();
        assert!(
            message.contains("quatern_b, quatern_c and quatern_d are") && message.contains("forged.nii"),
            "{message}"
        );
        // Nobody asks it.
        changed(&[code(QFORM, 0), quaternion.clone()]).unwrap();
        changed(&[code(QFORM, 9), quaternion.clone()]).unwrap();
        changed(&[code(QFORM, 1), code(SFORM, 2), quaternion]).unwrap();
    }
    assert!(changed(&[code(QFORM, 1), singles(QUATERNION, &[f32::NAN; 3])]).unwrap().affine()[0][0].is_nan());
}

#[test]
fn voxels_may_begin_behind_extensions_and_at_any_byte() {
    let folder = Folder::new();
    let voxels = painted::<i16>();
    for offset in [352, 353, 355, 368, 400, 1 << 16] {
        let path = forged(&folder, &voxels, |bytes| bytes[108..112].copy_from_slice(&(offset as f32).to_le_bytes()));
        let mut bytes = fs::read(&path).unwrap();
        bytes[348] = 1; // there are extensions
        bytes.splice(352..352, std::iter::repeat_n(0xee, offset - 352));
        for (name, packed) in [("b.nii", false), ("b.nii.gz", true)] {
            let path = folder.path(name);
            write_all(&path, packed, &bytes);
            assert_eq!(read_nifti::<i16, Ix3>(&path).unwrap().voxels, voxels, "{offset}");
            let mapped: Volume<crate::Mapped3<i16>> =
                Persister::<Volume<Array3<i16>>>::load(&MappedNiftiFile::new(&path)).unwrap();
            assert_eq!(mapped.voxels, voxels, "{offset}");
        }
    }
    for offset in [351.0, 1.0, -352.0, 352.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let path = forged(&folder, &voxels, |bytes| bytes[108..112].copy_from_slice(&f32::to_le_bytes(offset)));
        let error = read_nifti::<i16, Ix3>(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("vox_offset is {offset}")), "{error}");
    }
}

#[test]
fn more_than_seven_axes_are_refused() {
    for axes in [0_i16, 8, 9, 256, -1, i16::MIN, i16::MAX] {
        let error = changed(&[code(40, axes)]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Unsupported), "{axes}: {error}");
    }
}

#[test]
fn what_says_nothing_of_the_grid_is_left_alone() {
    let plain = changed(&[]).unwrap();
    // Intent, slices, ranges, texts.
    for (at, len) in [(56, 14), (74, 2), (120, 3), (124, 24), (148, 104), (328, 16)] {
        assert_eq!(changed(&[(at, vec![0x41; len])]).unwrap(), plain, "{at}");
    }
}

#[test]
fn zeros_behind_the_last_member_are_padding_and_anything_else_is_damage() {
    let folder = Folder::new();
    let path = folder.path("a.nii.gz");
    let voxels = painted::<i16>();
    NiftiFile::new(&path).save(&voxels).unwrap();
    let (whole, plain) = (fs::read(&path).unwrap(), read_all(&path, true));
    let pack = |bytes: &[u8]| {
        let path = folder.path("part.gz");
        write_all(&path, true, bytes);
        fs::read(path).unwrap()
    };
    let zeros = |len: usize| vec![0; len];
    let parts = [pack(&plain[..360]), zeros(9), pack(&[]), zeros(3 << 20), pack(&plain[360..])].concat();
    let good = [
        [whole.clone(), zeros(1)].concat(),
        [whole.clone(), zeros(512)].concat(),
        [whole.clone(), zeros(5 << 20)].concat(),
        [whole.clone(), zeros(7), pack(b"more")].concat(),
        parts,
    ];
    for bytes in good {
        let path = folder.put("padded.nii.gz", &bytes);
        assert_eq!(read_nifti::<i16, Ix3>(&path).unwrap().voxels, voxels);
        assert_eq!(read_nifti::<f64, Ix3>(&path).unwrap().voxels, voxels.mapv(f64::from));
        let mapped: crate::Mapped3<i16> = Persister::<Array3<i16>>::load(&MappedNiftiFile::new(&path)).unwrap();
        assert_eq!(mapped, voxels);
    }
    let mut cut = pack(b"more");
    cut.truncate(12);
    for rest in [b"garbage".to_vec(), b"\x1f".to_vec(), b"\x1f\x8b".to_vec(), [zeros(9), b"x".to_vec()].concat(), cut] {
        let path = folder.put("garbage.nii.gz", &[whole.clone(), rest].concat());
        let error = read_nifti::<i16, Ix3>(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        assert!(error.to_string().contains("garbage.nii.gz"), "{error}");
    }
}

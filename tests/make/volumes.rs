//! Volumes go to nibabel and come from it with the same voxels and the same grid.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::prelude::*;
use ndcache::make::{MappedNiftiFile, NiftiFile, Volume, Voxel, read_nifti};
use ndcache::{FileContent, Mapped4, cache};
use serde::Serialize;

use super::{RUNS, Workshop, runs};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");

/// What nibabel has to find in a file.
#[derive(Serialize)]
struct Expected {
    file: PathBuf,
    /// The dtype of the voxels after scaling.
    descr: &'static str,
    shape: Vec<usize>,
    /// The bytes, with the first axis varying fastest.
    hex: String,
    affine: [[f64; 4]; 4],
    steps: Vec<f64>,
}

impl Expected {
    fn new<A: Voxel, D: Dimension>(file: &Path, voxels: &ArrayRef<A, D>, grid: &ndcache::make::Grid) -> Self {
        let elements: Vec<A> = voxels.t().iter().copied().collect();
        let bytes: &[u8] = bytemuck::cast_slice(&elements);
        Self {
            file: file.to_owned(),
            descr: A::DESCR,
            shape: voxels.shape().to_vec(),
            hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            affine: grid.affine(),
            steps: grid.steps()[..voxels.ndim()].iter().map(|&step| step.into()).collect(),
        }
    }
}

#[cache]
fn scan(file: &FileContent) -> Volume<Array4<f32>> {
    RUNS.set(RUNS.get() + 1);
    read_nifti(file.path()).unwrap()
}

#[cache]
fn doubled(scan: &Volume<Mapped4<f32>>) -> Volume<Array4<f32>> {
    RUNS.set(RUNS.get() + 1);
    Volume { voxels: &scan.voxels * 2.0, grid: scan.grid.clone() }
}

#[cache]
fn mask(scan: &Volume<Mapped4<f32>>) -> Volume<Array4<u8>> {
    RUNS.set(RUNS.get() + 1);
    Volume { voxels: scan.voxels.mapv(|x| (x > 5000.0).into()), grid: scan.grid.clone() }
}

#[test]
fn nibabel_reads_what_steps_have_made_with_the_same_voxels_and_affine() {
    let Some(python) = nibabel() else { return };
    let workshop = Workshop::new();
    let memory = &workshop.memory;
    let mut expected = Vec::new();
    for name in ["functional.nii", "example4d.nii.gz"] {
        let file = FileContent::open(Path::new(DATA).join(name)).unwrap();
        let path = |kind: &str| workshop.path(&format!("{}-{kind}", name.split('.').next().unwrap()));
        let loaded = memory.make(scan::call(&file), MappedNiftiFile::new(path("loaded.nii"))).unwrap();
        let doubled = memory.make(doubled::call(&loaded), NiftiFile::new(path("doubled.nii.gz"))).unwrap();
        let mask = memory.make(mask::call(&loaded), NiftiFile::new(path("mask.nii"))).unwrap();
        assert!(loaded.voxels.is_mapped());
        assert_eq!(doubled.voxels, &loaded.voxels * 2.0);
        expected.push(Expected::new(&path("loaded.nii"), &loaded.voxels, &loaded.grid));
        expected.push(Expected::new(&path("doubled.nii.gz"), &doubled.voxels, &loaded.grid));
        expected.push(Expected::new(&path("mask.nii"), &mask.voxels, &loaded.grid));
    }
    // The scans themselves, as nibabel reads them: one is scaled.
    let (scaled, plain) = (Path::new(DATA).join("functional.nii"), Path::new(DATA).join("example4d.nii.gz"));
    let scan = read_nifti::<f64, Ix4>(&scaled).unwrap();
    expected.push(Expected::new(&scaled, &scan.voxels, &scan.grid));
    let scan = read_nifti::<i16, Ix4>(&plain).unwrap();
    expected.push(Expected::new(&plain, &scan.voxels, &scan.grid));
    let plain = array![[1_i64, 2], [3, i64::MIN]];
    memory.make(table::call(&plain), NiftiFile::new(workshop.path("table.nii"))).unwrap();
    expected.push(Expected::new(&workshop.path("table.nii"), &plain, &ndcache::make::Grid::default()));
    check(&python, workshop.folder.path(), &expected);
}

/// Headers with odd grids, as far as nibabel and this crate both read them.
#[test]
fn nibabel_makes_the_same_of_odd_headers() {
    let Some(python) = nibabel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let voxels = array![[[1_i16, 2, 3], [4, 5, 6]]];
    let single = |at: usize, value: f32| (at, value.to_le_bytes().to_vec());
    let code = |at: usize, value: i16| (at, value.to_le_bytes().to_vec());
    let half = 0.5_f32.sqrt();
    let quaternion = |b: f32, c: f32, d: f32| [single(256, b), single(260, c), single(264, d)];
    let mut cases = vec![];
    for value in [0.0, -0.0, -2.0, 1e-30, 3.5] {
        for at in [76, 80, 84, 88] {
            cases.push(vec![single(at, value)]);
            cases.push([&quaternion(0.1, -0.7, 0.2)[..], &[single(at, value)]].concat());
        }
    }
    for sform in [0, 1, 5, 6, -1, 4] {
        for qform in [1, 4, 5] {
            cases.push(vec![code(254, sform), code(252, qform), single(280, 9.0), single(300, 8.0), single(320, 7.0)]);
        }
    }
    for (b, c, d) in [(half, half, 0.0), (-half, 0.0, half), (0.0, half, -half), (1.0, 0.0, 0.0), (0.6, 0.0, 0.8)] {
        cases.push(quaternion(b, c, d).to_vec());
        cases.push([&quaternion(b, c, d)[..], &[single(76, -1.0), single(80, -2.0)]].concat());
    }
    let mut expected = Vec::new();
    for (n, changes) in cases.iter().enumerate() {
        let path = folder.path().join(format!("{n}.nii"));
        ndcache::make::Persister::save(&NiftiFile::new(&path), &voxels).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let plain = [code(252, 1), code(254, 0)];
        for (at, change) in plain.iter().chain(changes) {
            bytes[*at..at + change.len()].copy_from_slice(change);
        }
        fs::write(&path, bytes).unwrap();
        let volume = read_nifti::<i16, Ix3>(&path).unwrap();
        assert_eq!(volume.voxels, voxels);
        expected.push(Expected::new(&path, &volume.voxels, &volume.grid));
    }
    check(&python, folder.path(), &expected);
}

#[cache]
fn table(x: &ArrayRef2<i64>) -> Array2<i64> {
    x.to_owned()
}

#[test]
fn a_mapped_volume_is_an_argument_that_counts_by_voxels_and_grid() {
    let workshop = Workshop::new();
    let memory = &workshop.memory;
    let file = FileContent::open(Path::new(DATA).join("functional.nii")).unwrap();
    let target = MappedNiftiFile::new(workshop.path("loaded.nii"));
    let loaded = memory.make(scan::call(&file), &target).unwrap();
    let result = NiftiFile::new(workshop.path("doubled.nii"));
    memory.make(doubled::call(&loaded), &result).unwrap();
    let again = memory.make(scan::call(&file), &target).unwrap();
    memory.make(doubled::call(&again), &result).unwrap();
    assert_eq!(runs(), 2);
    let moved = Volume { grid: ndcache::make::Grid::default(), ..again };
    memory.make(doubled::call(&moved), &result).unwrap();
    assert_eq!(runs(), 3);
}

#[test]
fn a_volume_that_is_replaced_leaves_the_one_that_is_mapped_as_it_is() {
    let workshop = Workshop::new();
    let memory = &workshop.memory;
    let path = workshop.path("table.nii");
    let first = memory.make(table::call(&array![[1, 2], [3, 4]]), MappedNiftiFile::new(&path)).unwrap();
    let second = memory.make(table::call(&array![[5, 6], [7, 8]]), MappedNiftiFile::new(&path)).unwrap();
    assert!(first.is_mapped() && second.is_mapped());
    assert_eq!((first[[0, 1]], second[[0, 1]]), (2, 6));
    assert!(fs::metadata(&path).unwrap().permissions().readonly());
    assert_eq!(first.strides(), [1, 2], "the file's order is Fortran's");
}

#[test]
fn what_can_not_be_mapped_in_place_is_copied_and_counted() {
    let workshop = Workshop::new();
    let memory = &workshop.memory;
    let plain = array![[1_i64, 2], [3, 4]];
    let packed = memory.make(table::call(&plain), MappedNiftiFile::new(workshop.path("a.nii.gz"))).unwrap();
    assert_eq!((packed.is_mapped(), packed.to_owned()), (false, plain));
    assert_eq!(memory.stats().by_copy()["compressed"], 1);
}

fn check(python: &Path, folder: &Path, expected: &[Expected]) {
    let manifest = folder.join("manifest.json");
    fs::write(&manifest, serde_json::to_vec(expected).unwrap()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/check_nifti.py");
    let output = Command::new(python).arg("-B").arg(script).arg(manifest).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A Python that has nibabel. Without one the exchange is skipped, but not under CI.
fn nibabel() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("NDCACHE_PYTHON").unwrap_or_else(|| "python3".into()));
    let found = Command::new(&python).args(["-c", "import nibabel"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    crate::support::skip("a Python with nibabel");
    None
}

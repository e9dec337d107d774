//! A volume is loaded, smoothed and thresholded, each step's result a NIfTI file at a path of one's own.
//!
//! `cargo run --release -p ndcache-examples --features nifti --example volume` does so with a functional scan, into the
//! folder `volume/`. The first run makes each file; the second one finds them all. Then change something and see what is
//! made again:
//!
//! * `… --example volume -- --sigma 9` – the smoothed volume, and the mask that depends on it
//! * `… --example volume -- --above 0.6` – the mask alone
//! * `… --example volume -- data/example4d.nii.gz` – everything, from another scan
//! * remove or edit one of the files – that one, and what follows if it comes out differently
//!
//! The records of the steps are below `cache/`, or below `NDCACHE_DIR` if it is set. Any program that reads NIfTI can read
//! the files: `nibabel.load("volume/mask.nii.gz")`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::prelude::*;
use ndcache::make::{Fallible, MappedNiftiFile, NiftiFile, Volume, read_nifti};
use ndcache::{FileContent, Mapped4, Memory, cache};

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let memory = Memory::from_env("cache")?;
    println!("{:<10} {:>9}  {:<34} result", "step", "time", "status");
    let mask = run(&memory, &options, report)?;
    let share = mask.voxels.iter().filter(|&&voxel| voxel == 1).count() as f64 / mask.voxels.len() as f64;
    println!();
    println!("{:.1} % of the voxels are above {} of the range", 100.0 * share, options.above);
    Ok(())
}

/// The steps; `tell` hears of each what was made, why, and in which time.
fn run(
    memory: &Memory,
    options: &Options,
    mut tell: impl FnMut(&str, &Path, &str, f64),
) -> ndcache::Result<Volume<Array4<u8>>> {
    std::fs::create_dir_all(&options.folder).map_err(ndcache::Error::other)?;
    let mut step = |name: &str, file: &Path, reason: String, begin: Instant| {
        tell(name, file, &reason, begin.elapsed().as_secs_f64());
    };
    let scan = FileContent::open(&options.scan)?;

    let (file, begin, before) = (options.file("loaded.nii"), Instant::now(), memory.stats());
    let loaded = memory.make(load::call(&scan), Fallible(MappedNiftiFile::new(&file)))?;
    step("load", &file, status(memory, &before), begin);

    let (file, begin, before) = (options.file("smooth.nii"), Instant::now(), memory.stats());
    let smoothed = memory.make(smooth::call(&loaded, options.sigma), MappedNiftiFile::new(&file))?;
    step("smooth", &file, status(memory, &before), begin);

    let (file, begin, before) = (options.file("mask.nii.gz"), Instant::now(), memory.stats());
    let mask = memory.make(threshold::call(&smoothed, options.above), NiftiFile::new(&file))?;
    step("threshold", &file, status(memory, &before), begin);
    Ok(mask)
}

/// The scan's voxels as they are meant, scaling applied.
#[cache]
fn load(scan: &FileContent) -> ndcache::Result<Volume<Array4<f32>>> {
    read_nifti(scan.path())
}

/// Blurs each image of a series by a Gaussian of that standard deviation, in the unit of the grid (mostly mm).
#[cache]
fn smooth(series: &Volume<Mapped4<f32>>, sigma: f64) -> Volume<Array4<f32>> {
    let mut voxels = series.voxels.to_owned();
    for (axis, edge) in series.grid.steps().into_iter().take(3).enumerate() {
        blur(&mut voxels, Axis(axis), sigma / f64::from(edge));
    }
    Volume { voxels, grid: series.grid.clone() }
}

/// 1 where a voxel is further than this share of the way from the smallest to the largest one, else 0.
#[cache]
fn threshold(series: &Volume<Mapped4<f32>>, above: f64) -> Volume<Array4<u8>> {
    let range = (f32::INFINITY, f32::NEG_INFINITY);
    let range = series.voxels.iter().fold(range, |(low, high), &voxel| (low.min(voxel), high.max(voxel)));
    let limit = range.0 + (range.1 - range.0) * above as f32;
    Volume { voxels: series.voxels.mapv(|voxel| u8::from(voxel > limit)), grid: series.grid.clone() }
}

/// Along one axis; at the borders the weights that are left count.
fn blur(voxels: &mut Array4<f32>, axis: Axis, sigma: f64) {
    let weights = weights(sigma);
    for mut lane in voxels.lanes_mut(axis) {
        let sharp = lane.to_owned();
        for (at, voxel) in lane.iter_mut().enumerate() {
            let first = at.saturating_sub(weights.len() - 1);
            let near = sharp.iter().enumerate().skip(first).take(at + weights.len() - first);
            let near = near.map(|(other, &voxel)| (weights[at.abs_diff(other)], f64::from(voxel)));
            let (total, sum) =
                near.fold((0.0, 0.0), |(total, sum), (weight, voxel)| (total + weight, sum + weight * voxel));
            *voxel = (sum / total) as f32;
        }
    }
}

/// Of the voxel itself and of those to one side of it, up to three standard deviations away.
fn weights(sigma: f64) -> Vec<f64> {
    let reach = (3.0 * sigma).ceil().max(0.0) as usize;
    (0..=reach).map(|distance| (-0.5 * (distance as f64 / sigma.max(1e-9)).powi(2)).exp()).collect()
}

/// Why the step's function ran, or that it didn't.
fn status(memory: &Memory, before: &ndcache::stats::Stats) -> String {
    let now = memory.stats();
    let counted = now.by_reason().iter().find(|(reason, count)| before.by_reason().get(*reason) != Some(count));
    match counted {
        Some((&"hit", _)) => "hit".to_owned(),
        Some((reason, _)) => format!("miss: {reason}"),
        None => "miss: cache is off".to_owned(),
    }
}

fn report(step: &str, file: &Path, status: &str, seconds: f64) {
    println!("{step:<10} {:>6.1} ms  {status:<34} {}", 1e3 * seconds, file.display());
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    scan: PathBuf,
    /// Where the results go.
    folder: PathBuf,
    sigma: f64,
    above: f64,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let scan = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/functional.nii").into();
        let mut options = Self { scan, folder: "volume".into(), sigma: 6.0, above: 0.5 };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` has no value"));
            match argument.as_str() {
                "--into" => options.folder = value()?.into(),
                "--sigma" => options.sigma = value()?.parse()?,
                "--above" => options.above = value()?.parse()?,
                scan if !scan.starts_with('-') => options.scan = scan.into(),
                _ => return Err("usage: volume [--into folder] [--sigma mm] [--above share] [scan.nii]".into()),
            }
        }
        if options.sigma >= 0.0 && options.above.is_finite() {
            return Ok(options);
        }
        Err("sigma is a length, and `above` a share of the range".into())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a cache and with results in it.
    struct Place {
        folder: tempfile::TempDir,
        options: Options,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mut options = Options::parse(std::iter::empty()).unwrap();
            options.folder = folder.path().join("results");
            Self { folder, options }
        }

        /// The statuses of the three steps, in a process that has just begun.
        fn run(&self) -> [String; 3] {
            let memory = Memory::open(self.folder.path().join("cache")).unwrap();
            let mut statuses = Vec::new();
            run(&memory, &self.options, |_, _, status, _| statuses.push(status.to_owned())).unwrap();
            statuses.try_into().unwrap()
        }
    }

    #[test]
    fn a_second_run_does_nothing_and_a_parameter_redoes_what_depends_on_it() {
        let mut place = Place::new();
        assert_eq!(place.run(), ["miss: new function"; 3]);
        assert_eq!(place.run(), ["hit"; 3]);
        place.options.above = 0.6;
        assert_eq!(place.run(), ["hit", "hit", "miss: argument"]);
        place.options.sigma = 9.0;
        assert_eq!(place.run(), ["hit", "miss: argument", "miss: argument"]);
        assert_eq!(place.run(), ["hit"; 3]);
    }

    #[test]
    fn a_target_that_is_removed_or_edited_is_made_again_and_nothing_else() {
        let place = Place::new();
        place.run();
        let files = ["loaded.nii", "smooth.nii", "mask.nii.gz"];
        for (n, name) in files.into_iter().enumerate() {
            let expected: [_; 3] = std::array::from_fn(|step| if step == n { "miss: target" } else { "hit" });
            let file = place.options.file(name);
            let whole = std::fs::read(&file).unwrap();
            std::fs::remove_file(&file).unwrap();
            assert_eq!(place.run(), expected, "{name} removed");
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
            assert_eq!(place.run(), expected, "{name} edited");
            assert_eq!(std::fs::read(&file).unwrap(), whole);
            assert_eq!(place.run(), ["hit"; 3]);
        }
    }

    #[test]
    fn the_results_have_the_grid_of_the_scan_and_the_mask_holds_the_bright_voxels() {
        let place = Place::new();
        place.run();
        let scan = read_nifti::<f32, Ix4>(&place.options.scan).unwrap();
        let smoothed = read_nifti::<f32, Ix4>(place.options.file("smooth.nii")).unwrap();
        let mask = read_nifti::<u8, Ix4>(place.options.file("mask.nii.gz")).unwrap();
        assert_eq!((&smoothed.grid, &mask.grid), (&scan.grid, &scan.grid));
        assert_eq!(smoothed.voxels.dim(), (17, 21, 3, 20));
        let share = mask.voxels.iter().map(|&voxel| f64::from(voxel)).sum::<f64>() / mask.voxels.len() as f64;
        assert!((0.05..0.95).contains(&share), "{share}");
        let brightest = smoothed.voxels.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        assert_eq!(mask.voxels[brightest], 1);
    }

    #[test]
    fn a_blur_keeps_what_is_even_spreads_a_point_and_of_no_width_changes_nothing() {
        let mut even = Array4::from_elem((4, 5, 3, 2), 7.0_f32);
        blur(&mut even, Axis(0), 1.5);
        assert!(even.iter().all(|&voxel| (voxel - 7.0).abs() < 1e-5));
        let mut point = Array4::<f32>::zeros((9, 1, 1, 1));
        point[[4, 0, 0, 0]] = 1.0;
        let mut same = point.clone();
        blur(&mut same, Axis(0), 0.0);
        assert_eq!(same, point);
        blur(&mut point, Axis(0), 1.0);
        let lane: Vec<f32> = point.iter().copied().collect();
        assert!((lane.iter().sum::<f32>() - 1.0).abs() < 1e-2);
        assert!(lane[4] > lane[3] && lane[3] > lane[2] && lane[0] == 0.0, "{lane:?}");
        assert!((lane[3] - lane[5]).abs() < 1e-6);
    }

    #[test]
    fn options_have_defaults_and_refuse_what_cannot_be() {
        let parse = |text: &str| Options::parse(text.split_whitespace().map(String::from)).ok();
        let parsed = parse("--sigma 2 --above 0.5 --into out scan.nii").unwrap();
        assert_eq!((parsed.sigma, parsed.above), (2.0, 0.5));
        assert_eq!((parsed.scan, parsed.folder), ("scan.nii".into(), "out".into()));
        assert_eq!(parse("--sigma"), None);
        assert_eq!(parse("--sigma -1"), None);
        assert_eq!(parse("--width 1"), None);
    }
}

//! Handwritten digits, recognised by their nearest neighbours, with every step cached.
//!
//! `cargo run --release -p ndcache-examples --example digits` reads 1797 images, standardizes their pixels, projects them onto their
//! principal components and computes, for several k, how often the k nearest other images agree with an image's label.
//! The first run computes each step; the second one finds all results. Then change something and see what is computed again:
//!
//! * `cargo run --release -p ndcache-examples --example digits -- 1 2 4` – other k: only their accuracies
//! * `cargo run --release -p ndcache-examples --example digits -- --weights rank` – only the accuracies; the miss
//!   names the field that differs
//! * `cargo run --release -p ndcache-examples --example digits -- --components 10` – the projection and all later steps
//! * a line in `standardize` – this step and all later ones; a line in `squared_distance`, a helper – the neighbours and
//!   all later steps
//!
//! The results are `.npy` files below `cache/`, or below `NDCACHE_DIR` if it is set.

mod report;

use std::error::Error;
use std::fs::File;

use flate2::read::GzDecoder;
use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::Zip;
use ndarray::prelude::*;
use ndcache::{ContentHash, FileContent, Mapped1, Mapped2, Memory, Payload, cache};

/// As many neighbours are kept per image, so that any k up to this needs no new search.
const NEIGHBOURS: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let memory = Memory::from_env("cache")?;
    let file = FileContent::open(DIGITS)?;

    let mut run = report::Run::new(&memory);
    let digits = run.step(|| load::call(&file), Memory::eval)??;
    let pixels = run.step(|| standardize::call(&digits.pixels), Memory::eval)?;
    let pca = run.step(|| project::call(&pixels, options.components), Memory::eval)?;
    let near = run.step(|| neighbours::call(&pca.scores, &digits.labels), Memory::eval)?;
    let mut accuracies = Vec::new();
    for knn in options.classifiers() {
        accuracies.push(run.step(|| accuracy::call(&near, &digits.labels, knn), Memory::eval)?);
    }
    run.finish();

    println!();
    println!("{} components keep {:.1} % of the variance", options.components, 100.0 * pca.explained.sum());
    println!("leave-one-out accuracy of the k nearest neighbours, from 0.90 to 1.00:");
    for (k, accuracy) in options.k.iter().zip(accuracies) {
        println!("  k = {k:<3} {accuracy:.4}  {}", bar(accuracy, 0.9, 1.0));
    }

    let first = Knn { k: options.k[0], weights: options.weights };
    if let Some(lineage) = memory.lineage(&accuracy::call(&near, &digits.labels, first))? {
        println!();
        println!("what the first accuracy was made of:");
        for line in lineage.to_string().lines() {
            // The key and the date, which follow, are for those who look for the files.
            let end = line.find(")  ").map_or(line.len(), |end| end + 1);
            println!("  {}", &line[..end]);
        }
    }
    Ok(())
}

/// A value between two others, as a bar of at most 40 characters.
fn bar(value: f64, from: f64, to: f64) -> String {
    "█".repeat((40.0 * ((value - from) / (to - from)).clamp(0.0, 1.0)).round() as usize)
}

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/digits.csv.gz");

/// Images, one a row, and the digit that each shows.
#[derive(Payload)]
struct Digits {
    pixels: Mapped2<f64>,
    labels: Mapped1<u8>,
}

/// Coordinates along the principal components, and the share of the variance that each component explains.
#[derive(Payload)]
struct Pca {
    scores: Mapped2<f64>,
    explained: Array1<f64>,
}

/// A classifier by the nearest neighbours.
#[derive(Clone, Copy, ContentHash)]
struct Knn {
    /// How many of them vote.
    k: usize,
    weights: Weights,
}

/// How much a neighbour's vote counts.
#[derive(Clone, Copy, Debug, PartialEq, ContentHash)]
enum Weights {
    /// As much as any other's.
    Uniform,
    /// The n-th part for the n-th neighbour.
    Rank,
}

/// Reads the images; keyed on the file's content, so the file may move.
#[cache]
fn load(file: &FileContent) -> csv::Result<Digits> {
    let text = GzDecoder::new(File::open(file.path())?);
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(text);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for row in rows.deserialize() {
        let mut row: Vec<u8> = row?;
        labels.extend(row.pop());
        pixels.extend(row.into_iter().map(f64::from));
    }
    let shape = (labels.len(), pixels.len() / labels.len().max(1));
    let pixels = Array2::from_shape_vec(shape, pixels).expect("csv refuses rows of unequal length");
    Ok(Digits { pixels: pixels.into(), labels: Array1::from(labels).into() })
}

/// Shifts and scales each column to mean 0 and standard deviation 1; a constant column becomes 0.
#[cache]
fn standardize(x: &ArrayRef2<f64>) -> Mapped2<f64> {
    let mut x = x.to_owned();
    for mut column in x.columns_mut() {
        let mean = column.mean().unwrap_or(0.0);
        let std = column.std(0.0);
        column.mapv_inplace(|value| if std > 0.0 { (value - mean) / std } else { 0.0 });
    }
    x.into()
}

/// Projects the rows of `x`, whose columns have mean 0, onto their first principal components.
///
/// The sign of a component is arbitrary; here its largest entry is positive.
#[cache]
fn project(x: &ArrayRef2<f64>, components: usize) -> Pca {
    let covariance = x.t().dot(x) / x.nrows() as f64;
    let size = covariance.nrows();
    let eigen = SymmetricEigen::new(DMatrix::from_fn(size, size, |i, j| covariance[[i, j]]));
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]));
    order.truncate(components);

    let axes = Array2::from_shape_fn((size, order.len()), |(pixel, axis)| {
        let axis = eigen.eigenvectors.column(order[axis]);
        axis[pixel] * axis[axis.icamax()].signum()
    });
    let explained = order.iter().map(|&axis| eigen.eigenvalues[axis] / eigen.eigenvalues.sum()).collect();
    Pca { scores: x.dot(&axes).into(), explained }
}

/// The labels of each row's nearest other rows, the nearest first; of equally near ones, the earlier row first.
#[cache]
fn neighbours(x: &ArrayRef2<f64>, labels: &ArrayRef1<u8>) -> Mapped2<u8> {
    let kept = NEIGHBOURS.min(x.nrows().saturating_sub(1));
    let mut near = Array2::zeros((x.nrows(), kept));
    Zip::indexed(near.rows_mut()).par_for_each(|i, mut near| {
        let others = (0..x.nrows()).filter(|&j| j != i);
        let mut others: Vec<_> = others.map(|j| (squared_distance(x.row(i), x.row(j)), j)).collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (near, (_, j)) in near.iter_mut().zip(others) {
            *near = labels[j];
        }
    });
    near.into()
}

/// How often the neighbours of a row agree on its label.
#[cache]
fn accuracy(near: &ArrayRef2<u8>, labels: &ArrayRef1<u8>, knn: Knn) -> f64 {
    let right = near.rows().into_iter().zip(labels).filter(|(near, label)| knn.vote(near.view()) == Some(**label));
    right.count() as f64 / labels.len() as f64
}

fn squared_distance(a: ArrayView1<f64>, b: ArrayView1<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

impl Knn {
    /// The label with the most votes; of labels with equally many, the nearest neighbour's.
    fn vote(self, near: ArrayView1<u8>) -> Option<u8> {
        let near = near.slice(s![..self.k.min(near.len())]);
        let votes = |label| -> f64 {
            near.iter().enumerate().filter(|&(_, &other)| other == label).map(|(at, _)| self.weights.of(at)).sum()
        };
        // `max_by` gives the last maximum, and the nearest comes first.
        near.iter().rev().copied().max_by(|&a, &b| votes(a).total_cmp(&votes(b)))
    }
}

impl Weights {
    fn of(self, at: usize) -> f64 {
        match self {
            Self::Uniform => 1.0,
            Self::Rank => 1.0 / (at + 1) as f64,
        }
    }
}

const USAGE: &str = "usage: digits [--components n] [--weights uniform|rank] [k from 1 to 64 …]";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    k: Vec<usize>,
    weights: Weights,
    components: usize,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self { k: Vec::new(), weights: Weights::Uniform, components: 30 };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--components" => options.components = arguments.next().unwrap_or_default().parse()?,
                "--weights" => {
                    options.weights = match arguments.next().as_deref() {
                        Some("uniform") => Weights::Uniform,
                        Some("rank") => Weights::Rank,
                        _ => return Err(USAGE.into()),
                    }
                }
                k => options.k.push(k.parse()?),
            }
        }
        if options.k.is_empty() {
            options.k = vec![1, 3, 5, 7, 9];
        }
        if options.components == 0 || options.k.iter().any(|k| !(1..=NEIGHBOURS).contains(k)) {
            return Err(USAGE.into());
        }
        Ok(options)
    }

    fn classifiers(&self) -> impl Iterator<Item = Knn> {
        self.k.iter().map(|&k| Knn { k, weights: self.weights })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_1797_images_of_64_pixels() {
        let digits = load(&FileContent::open(DIGITS).unwrap()).unwrap();
        assert_eq!(digits.pixels.dim(), (1797, 64));
        assert_eq!(digits.labels.len(), 1797);
        assert!(digits.pixels.iter().all(|value| (0.0..=16.0).contains(value)));
        assert!((0..=9).all(|digit| { digits.labels.iter().filter(|&&label| label == digit).count() > 170 }));
    }

    #[test]
    fn a_standardized_column_has_mean_0_and_deviation_1_and_a_constant_one_is_0() {
        let x = standardize(&array![[1.0, 7.0], [2.0, 7.0], [6.0, 7.0]]);
        assert!(x.column(0).mean().unwrap().abs() < 1e-15);
        assert!((x.column(0).std(0.0) - 1.0).abs() < 1e-15);
        assert_eq!(x.column(1), array![0.0, 0.0, 0.0]);
    }

    #[test]
    fn points_on_a_line_have_one_component_along_it() {
        let x = array![[-3.0, -4.0], [0.0, 0.0], [3.0, 4.0]];
        let pca = project(&x, 2);
        assert!((pca.explained[0] - 1.0).abs() < 1e-12);
        for (score, expected) in pca.scores.column(0).iter().zip([-5.0, 0.0, 5.0]) {
            assert!((score - expected).abs() < 1e-12, "{score} instead of {expected}");
        }
    }

    #[test]
    fn all_components_keep_distances() {
        let x = standardize(&array![[1.0, 2.0, 0.5], [4.0, 1.0, 0.0], [0.0, 3.0, 9.0], [2.0, 2.5, 1.0]]);
        let scores = project(&x, 3).scores;
        let before = squared_distance(x.row(0), x.row(2));
        assert!((squared_distance(scores.row(0), scores.row(2)) - before).abs() < 1e-12);
    }

    #[test]
    fn neighbours_come_nearest_first_and_leave_the_row_itself_out() {
        let near = neighbours(&array![[0.0], [10.0], [1.0], [-1.0]], &array![0, 1, 2, 3]);
        assert_eq!(*near, array![[2, 3, 1], [2, 0, 3], [0, 3, 1], [0, 2, 1]]);
    }

    #[test]
    fn a_tied_vote_goes_to_the_nearest() {
        let vote = |near: Array1<u8>, weights| Knn { k: 4, weights }.vote(near.view());
        assert_eq!(vote(array![4, 2, 2, 4], Weights::Uniform), Some(4));
        assert_eq!(vote(array![4, 2, 2], Weights::Uniform), Some(2));
        assert_eq!(vote(array![4, 2, 2], Weights::Rank), Some(4));
        assert_eq!(vote(array![4, 2, 2, 2], Weights::Rank), Some(2));
        assert_eq!(vote(array![], Weights::Uniform), None);
    }

    #[test]
    fn real_digits_are_recognised() {
        let digits = load(&FileContent::open(DIGITS).unwrap()).unwrap();
        let scores = project(&standardize(&digits.pixels), 30).scores;
        let near = neighbours(&scores, &digits.labels);
        let of = |k| accuracy(&near, &digits.labels, Knn { k, weights: Weights::Uniform });
        let nearest = of(1);
        assert!((0.95..1.0).contains(&nearest), "{nearest}");
        assert!(of(NEIGHBOURS) < nearest);
    }

    #[test]
    fn the_lineage_of_an_accuracy_is_the_pipeline() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        let digits = memory.eval(load::call(&FileContent::open(DIGITS).unwrap())).unwrap();
        let pixels = memory.eval(standardize::call(&digits.pixels));
        let pca = memory.eval(project::call(&pixels, 30));
        let near = memory.eval(neighbours::call(&pca.scores, &digits.labels));
        let last = || accuracy::call(&near, &digits.labels, Knn { k: 3, weights: Weights::Uniform });
        memory.eval(last());
        let lineage = memory.lineage(&last()).unwrap().unwrap().to_string();
        // Without keys, dates and durations, and without the path of this machine.
        let lines =
            lineage.lines().map(|line| line.split("  ").filter(|part| !part.contains("UTC") && part.len() != 32));
        let lines: Vec<_> = lines.map(|parts| parts.collect::<Vec<_>>().join("  ")).collect();
        let load = lines.iter().position(|line| line.contains("load(")).expect("the first step");
        let file = lines[load].split("load(").nth(1).unwrap();
        let expected = [
            "accuracy(near=u8[1797, 64] C, labels=u8[1797] C, knn=Knn { k: 3, weights: Uniform })".to_owned(),
            "├─ near: neighbours(x=f64[1797, 30] C, labels=u8[1797] C)".to_owned(),
            "│  ├─ x: project(x=f64[1797, 64] C, components=30)".to_owned(),
            "│  │  └─ x: standardize(x=f64[1797, 64] C)".to_owned(),
            format!("│  │     └─ x: load({file}"),
            format!("│  └─ labels: load({file}  (above)"),
            format!("└─ labels: load({file}  (above)"),
        ];
        assert_eq!(lines, expected);
        assert!(file.starts_with("file=\""), "{file}");
    }

    #[test]
    fn a_bar_is_as_long_as_its_value() {
        assert_eq!((bar(0.95, 0.9, 1.0).chars().count(), bar(0.5, 0.9, 1.0).chars().count()), (20, 0));
    }

    #[test]
    fn options_have_defaults_and_refuse_what_cannot_be() {
        let parse = |text: &str| Options::parse(text.split_whitespace().map(String::from)).ok();
        let uniform = Weights::Uniform;
        assert_eq!(parse(""), Some(Options { k: vec![1, 3, 5, 7, 9], weights: uniform, components: 30 }));
        assert_eq!(parse("2 --components 5 4"), Some(Options { k: vec![2, 4], weights: uniform, components: 5 }));
        assert_eq!(parse("--weights rank").map(|options| options.weights), Some(Weights::Rank));
        assert_eq!(parse("--weights far"), None);
        assert!(USAGE.contains(&format!("1 to {NEIGHBOURS} ")));
        assert_eq!(parse("0"), None);
        assert_eq!(parse("65"), None);
        assert_eq!(parse("--components"), None);
    }
}
